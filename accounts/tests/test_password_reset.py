import pytest
from django.contrib.auth.tokens import default_token_generator
from django.utils.http import urlsafe_base64_encode

from accounts import passwords, services
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, AdminFactory, UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    data,
    error_details,
    link_params,
    profile,
    refresh,
    requires_postgresql,
    run_concurrently,
    sent_mail,
    sign_in,
    status_and_code,
)

pytestmark = pytest.mark.django_db

RESET = "/api/auth/password/reset/"
CONFIRM = "/api/auth/password/reset/confirm/"
NEW = "an-even-better-battery"
BAD_LINK = (400, "validation_error", {"token": ["This link is invalid or has expired."]})


@pytest.fixture
def request_reset(api, django_capture_on_commit_callbacks):
    """Requests a reset; returns the response and the messages sent."""

    def request_reset(email):
        with django_capture_on_commit_callbacks(execute=True):
            response = api().post(RESET, {"email": email})
        return response, sent_mail()

    return request_reset


def uid_of(pk):
    return urlsafe_base64_encode(str(pk).encode())


def reset_link(person):
    """Returns the parameters of the link sent to the user."""
    return {"uid": uid_of(person.pk), "token": default_token_generator.make_token(person)}


def confirm(client, link, password=NEW):
    return client.post(CONFIRM, link | {"new_password": password})


def test_the_mailed_link_sets_a_new_password(api, request_reset):
    UserFactory(username="jane", email="jane@example.com")

    response, sent = request_reset("jane@example.com")
    confirmed = confirm(api(), link_params(sent[0]))

    assert data(response) is None
    assert data(confirmed) is None
    assert confirmed.json()["message"] == "Password changed. Sign in with the new password."
    assert sign_in(api(), "jane", NEW).status_code == 200
    assert sign_in(api(), "jane", PASSWORD).status_code == 401


def test_the_message_explains_its_purpose(request_reset, settings):
    settings.FRONTEND_URL = "https://clinic.example"
    jane = UserFactory(email="jane@example.com", first_name="Jane", last_name="Doe")

    _, sent = request_reset("jane@example.com")

    (message,) = sent
    link = link_params(message)
    assert message.to == ["jane@example.com"]
    assert message.from_email == "clinic@localhost"
    assert message.subject == "Choose a new password"
    assert message.body.startswith("Hello,\n")
    assert "Jane" not in message.body
    assert message.body.endswith(
        f"\n\nhttps://clinic.example/reset-password?uid={link['uid']}&token={link['token']}\n"
    )
    assert link["uid"] == uid_of(jane.pk)
    jane.refresh_from_db()
    assert default_token_generator.check_token(jane, link["token"])


def test_the_host_header_does_not_change_the_link(api, django_capture_on_commit_callbacks):
    UserFactory(email="jane@example.com")

    with django_capture_on_commit_callbacks(execute=True):
        api().post(RESET, {"email": "jane@example.com"}, HTTP_X_FORWARDED_HOST="evil.example")

    (message,) = sent_mail()
    assert "http://localhost:3000/reset-password?" in message.body
    assert "evil.example" not in message.body


def test_the_response_does_not_reveal_if_the_email_is_known(
    api, request_reset, django_assert_num_queries
):
    UserFactory(email="jane@example.com")
    UserFactory(email="paul@example.com", is_active=False)
    UserFactory(username="nomail", email="")

    with django_assert_num_queries(4):  # a transaction that counts letters and writes one
        known = api().post(RESET, {"email": "jane@example.com"})
    sent = list(sent_mail())
    with django_assert_num_queries(4):
        unknown = api().post(RESET, {"email": "nobody@example.com"})
    inactive, sent_in_all = request_reset("paul@example.com")

    assert known.content == unknown.content == inactive.content
    assert known.status_code == unknown.status_code == inactive.status_code == 200
    assert (
        known.json()["message"] == "If this address has an account, an e-mail has been sent to it."
    )
    assert [message.to for message in sent] == [["jane@example.com"]]
    assert sent_in_all == sent


@pytest.mark.parametrize(
    "asked",
    [
        "JANE.K@Example.com",
        "jane.\u212a@example.com",  # the Kelvin sign, whose lower case is k
    ],
)
def test_the_message_goes_to_the_stored_email_and_not_to_a_look_alike(request_reset, asked):
    UserFactory(email="jane.k@example.com")

    _, sent = request_reset(asked)

    assert {address for message in sent for address in message.to} <= {"jane.k@example.com"}


def test_a_username_is_not_accepted_as_an_email(request_reset):
    UserFactory(username="jane")

    response, sent = request_reset("jane")

    assert error_details(response) == (
        400,
        "validation_error",
        {"email": ["Enter a valid email address."]},
    )
    assert sent == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        None,
        True,
        [],
        {},
        ["jane@example.com"],
        "jane@example.com,paul@example.com",
        "jane@example.com\nBcc: paul@example.com",
        "jane@exam\0ple.com",
        "j" * 250 + "@example.com",
    ],
)
def test_an_invalid_email_is_refused_and_no_message_is_sent(request_reset, value):
    UserFactory(email="jane@example.com")

    response, sent = request_reset(value)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["email"]
    assert sent == []


def test_a_reset_ends_every_session_and_opens_none(api):
    jane = UserFactory()
    old, pauls = open_session(jane), open_session(UserFactory())

    data(confirm(api(), reset_link(User.objects.get(pk=jane.pk))))

    assert error_details(profile(api(), old["access"])) == TOKEN_REFUSED
    assert error_details(refresh(api(), old["refresh"])) == TOKEN_REFUSED
    assert profile(api(), pauls["access"]).status_code == 200
    assert Session.objects.count() == 2


def use_link(person):
    passwords.reset_password(**reset_link(person), new_password="the-first-battery")


def sign_in_again(person):
    open_session(person)


def change_email(person):
    services.update_profile(person, by=AdminFactory(), email="new@example.com")


def change_password(person):
    passwords.change_password(person, old_password=PASSWORD, new_password="the-first-battery")


def deactivate(person):
    User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.mark.parametrize(
    "event", [use_link, sign_in_again, change_email, change_password, deactivate]
)
def test_a_link_is_invalid_after_its_account_has_changed(api, event):
    jane = UserFactory()
    link = reset_link(jane)
    event(jane)
    before = User.objects.get(pk=jane.pk).password

    response = confirm(api(), link)

    assert error_details(response) == BAD_LINK
    assert User.objects.get(pk=jane.pk).password == before


def test_an_expired_link_is_refused(api, settings):
    jane = UserFactory()
    link = reset_link(jane)
    settings.PASSWORD_RESET_TIMEOUT = -1

    assert error_details(confirm(api(), link)) == BAD_LINK
    assert User.objects.get().password == jane.password


def test_a_link_is_valid_for_three_days(settings):
    assert settings.PASSWORD_RESET_TIMEOUT == 3 * 24 * 3600


def test_a_link_is_valid_for_its_own_account_only(api):
    jane, paul = UserFactory(), UserFactory()

    response = confirm(api(), reset_link(jane) | {"uid": uid_of(paul.pk)})

    assert error_details(response) == BAD_LINK
    assert User.objects.get(pk=paul.pk).password == paul.password


@pytest.mark.parametrize(
    "uid",
    [
        "!",
        "=",
        "é",
        "AA",
        "x",
        uid_of("abc"),
        uid_of(-1),
        uid_of(0),
        uid_of(2**63),
        uid_of(10**40),
        uid_of("1.0"),
        uid_of("\u0661"),
        uid_of("1\x01"),
        "/" * 64,
    ],
)
def test_a_malformed_uid_is_refused_like_a_wrong_one(api, uid):
    jane = UserFactory()

    response = confirm(api(), reset_link(jane) | {"uid": uid})

    assert error_details(response) == BAD_LINK
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize("token", ["x", "-", "--", "x-y", "é-é", "zzzzzzzzzzzzzz-1", "0" * 128])
def test_a_malformed_token_is_refused_like_a_wrong_one(api, token):
    jane = UserFactory()

    response = confirm(api(), reset_link(jane) | {"token": token})

    assert error_details(response) == BAD_LINK
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize(
    ("name", "value"),
    [("uid", value) for value in ["", None, True, [], {}, "x" * 65, "M\0"]]
    + [("token", value) for value in ["", None, True, [], {}, "x" * 129, "x\0"]]
    + [("new_password", value) for value in ["", None, True, [], {}, "x" * 129, "battery-\0-x"]],
)
def test_an_invalid_value_is_refused_by_field_name(api, name, value):
    jane = UserFactory()
    body = reset_link(jane) | {"new_password": NEW, name: value}

    response = api().post(CONFIRM, body)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize("password", ["1", "password", "12345678", "jane-doe-1"])
def test_a_weak_password_is_refused_and_the_link_stays_valid(api, password):
    jane = UserFactory(username="jane-doe-1")
    link = reset_link(jane)

    refused = confirm(api(), link, password)
    taken = confirm(api(), link)

    assert status_and_code(refused) == (400, "validation_error")
    assert list(error_details(refused)[2]) == ["new_password"]
    assert taken.status_code == 200


def test_a_stale_authorization_header_does_not_prevent_a_reset(api):
    jane = UserFactory()
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert client.post(RESET, {"email": "jane@example.com"}).status_code == 200
    assert confirm(client, reset_link(jane)).status_code == 200


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_two_concurrent_uses_of_a_link_set_one_password(api):
    for n in range(3):
        jane = UserFactory(username=f"jane{n}")
        link = reset_link(jane)
        passwords = ["the-first-battery", "the-second-battery"]

        answers = run_concurrently(
            *[lambda link=link, word=word: confirm(api(), link, word) for word in passwords]
        )

        assert sorted(answer.status_code for answer in answers) == [200, 400]
        winner = passwords[[answer.status_code for answer in answers].index(200)]
        assert sign_in(api(REMOTE_ADDR=f"10.0.3.{n}"), f"jane{n}", winner).status_code == 200
