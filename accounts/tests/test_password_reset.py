import pytest
from django.contrib.auth.tokens import default_token_generator
from django.utils.http import urlsafe_base64_encode

from accounts import services
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    at_once,
    data,
    letters,
    link_in,
    on_postgresql,
    profile,
    refresh,
    refusal,
    sign_in,
    status_and_code,
)

pytestmark = pytest.mark.django_db

RESET = "/api/auth/password/reset/"
CONFIRM = "/api/auth/password/reset/confirm/"
NEW = "an-even-better-battery"
BAD_LINK = (400, "validation_error", {"token": ["This link is invalid or has expired."]})


@pytest.fixture
def ask(api, django_capture_on_commit_callbacks):
    """Asks for a reset; what the answer is and which letters leave."""

    def ask(email):
        with django_capture_on_commit_callbacks(execute=True):
            response = api().post(RESET, {"email": email})
        return response, letters()

    return ask


def uid_of(pk):
    return urlsafe_base64_encode(str(pk).encode())


def link_for(person):
    """What the letter to that person carries."""
    return {"uid": uid_of(person.pk), "token": default_token_generator.make_token(person)}


def confirm(client, link, password=NEW):
    return client.post(CONFIRM, link | {"new_password": password})


def test_the_link_in_the_letter_leads_to_a_new_password(api, ask):
    UserFactory(username="jane", email="jane@example.com")

    response, sent = ask("jane@example.com")
    confirmed = confirm(api(), link_in(sent[0]))

    assert data(response) is None
    assert data(confirmed) is None
    assert confirmed.json()["message"] == "Password changed. Sign in with the new password."
    assert sign_in(api(), "jane", NEW).status_code == 200
    assert sign_in(api(), "jane", PASSWORD).status_code == 401


def test_the_letter_says_what_it_is_about(ask, settings):
    settings.FRONTEND_URL = "https://clinic.example"
    jane = UserFactory(email="jane@example.com", first_name="Jane", last_name="Doe")

    _, sent = ask("jane@example.com")

    (letter,) = sent
    link = link_for(jane)
    assert letter.to == ["jane@example.com"]
    assert letter.from_email == "clinic@localhost"
    assert letter.subject == "Choose a new password"
    assert letter.body.startswith("Hello Jane Doe,\n")
    assert letter.body.endswith(
        f"\n\nhttps://clinic.example/reset-password?uid={link['uid']}&token={link['token']}\n"
    )


def test_the_host_of_the_request_has_no_say_in_the_link(api, django_capture_on_commit_callbacks):
    UserFactory(email="jane@example.com")

    with django_capture_on_commit_callbacks(execute=True):
        api().post(RESET, {"email": "jane@example.com"}, HTTP_X_FORWARDED_HOST="evil.example")

    (letter,) = letters()
    assert "http://localhost:3000/reset-password?" in letter.body
    assert "evil.example" not in letter.body


def test_whether_the_address_is_known_does_not_show(ask, django_assert_num_queries):
    UserFactory(email="jane@example.com")
    UserFactory(email="paul@example.com", is_active=False)
    UserFactory(username="nomail", email="")

    with django_assert_num_queries(1):
        known, sent = ask("jane@example.com")
    sent = list(sent)
    with django_assert_num_queries(1):
        unknown, _ = ask("nobody@example.com")
    inactive, sent_in_all = ask("paul@example.com")

    assert known.content == unknown.content == inactive.content
    assert known.status_code == unknown.status_code == inactive.status_code == 200
    assert (
        known.json()["message"] == "If this address has an account, an e-mail has been sent to it."
    )
    assert [letter.to for letter in sent] == [["jane@example.com"]]
    assert sent_in_all == sent


@pytest.mark.parametrize(
    "asked",
    [
        "JANE.K@Example.com",
        "jane.\u212a@example.com",  # the Kelvin sign, whose lower case is k
    ],
)
def test_the_letter_goes_to_the_address_on_record_and_to_no_look_alike(ask, asked):
    UserFactory(email="jane.k@example.com")

    _, sent = ask(asked)

    assert {address for letter in sent for address in letter.to} <= {"jane.k@example.com"}


def test_a_username_is_no_address(ask):
    UserFactory(username="jane")

    response, sent = ask("jane")

    assert refusal(response) == (
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
def test_a_bad_address_is_refused_and_nobody_gets_a_letter(ask, value):
    UserFactory(email="jane@example.com")

    response, sent = ask(value)

    assert status_and_code(response) == (400, "validation_error")
    assert list(refusal(response)[2]) == ["email"]
    assert sent == []


def test_a_reset_ends_every_session_and_opens_none(api):
    jane = UserFactory()
    old, pauls = open_session(jane), open_session(UserFactory())

    data(confirm(api(), link_for(User.objects.get(pk=jane.pk))))

    assert refusal(profile(api(), old["access"])) == TOKEN_REFUSED
    assert refusal(refresh(api(), old["refresh"])) == TOKEN_REFUSED
    assert profile(api(), pauls["access"]).status_code == 200
    assert Session.objects.count() == 2


def use(person):
    services.reset_password(**link_for(person), new_password="the-first-battery")


def sign_in_meanwhile(person):
    open_session(person)


def change_the_address(person):
    services.update_profile(person, by=person, email="new@example.com", current_password=PASSWORD)


def change_the_password(person):
    services.change_password(person, old_password=PASSWORD, new_password="the-first-battery")


def deactivate(person):
    User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.mark.parametrize(
    "event", [use, sign_in_meanwhile, change_the_address, change_the_password, deactivate]
)
def test_a_link_does_not_outlive_what_it_was_made_for(api, event):
    jane = UserFactory()
    link = link_for(jane)
    event(jane)
    before = User.objects.get().password

    response = confirm(api(), link)

    assert refusal(response) == BAD_LINK
    assert User.objects.get().password == before


def test_a_link_expires(api, settings):
    jane = UserFactory()
    link = link_for(jane)
    settings.PASSWORD_RESET_TIMEOUT = -1

    assert refusal(confirm(api(), link)) == BAD_LINK
    assert User.objects.get().password == jane.password


def test_a_link_is_good_for_three_days(settings):
    assert settings.PASSWORD_RESET_TIMEOUT == 3 * 24 * 3600


def test_a_link_opens_only_the_account_it_was_made_for(api):
    jane, paul = UserFactory(), UserFactory()

    response = confirm(api(), link_for(jane) | {"uid": uid_of(paul.pk)})

    assert refusal(response) == BAD_LINK
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
def test_a_damaged_link_says_no_more_than_a_wrong_one(api, uid):
    jane = UserFactory()

    response = confirm(api(), link_for(jane) | {"uid": uid})

    assert refusal(response) == BAD_LINK
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize("token", ["x", "-", "--", "x-y", "é-é", "zzzzzzzzzzzzzz-1", "0" * 128])
def test_a_damaged_token_says_no_more_than_a_wrong_one(api, token):
    jane = UserFactory()

    response = confirm(api(), link_for(jane) | {"token": token})

    assert refusal(response) == BAD_LINK
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize(
    ("name", "value"),
    [("uid", value) for value in ["", None, True, [], {}, "x" * 65, "M\0"]]
    + [("token", value) for value in ["", None, True, [], {}, "x" * 129, "x\0"]]
    + [("new_password", value) for value in ["", None, True, [], {}, "x" * 129, "battery-\0-x"]],
)
def test_a_bad_value_is_refused_under_its_name(api, name, value):
    jane = UserFactory()
    body = link_for(jane) | {"new_password": NEW, name: value}

    response = api().post(CONFIRM, body)

    assert status_and_code(response) == (400, "validation_error")
    assert list(refusal(response)[2]) == [name]
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize("password", ["1", "password", "12345678", "jane-doe-1"])
def test_a_weak_password_is_refused_and_the_link_stays_good(api, password):
    jane = UserFactory(username="jane-doe-1")
    link = link_for(jane)

    refused = confirm(api(), link, password)
    taken = confirm(api(), link)

    assert status_and_code(refused) == (400, "validation_error")
    assert list(refusal(refused)[2]) == ["new_password"]
    assert taken.status_code == 200


def test_a_stale_token_in_the_header_does_not_bar_the_way(api):
    jane = UserFactory()
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert client.post(RESET, {"email": "jane@example.com"}).status_code == 200
    assert confirm(client, link_for(jane)).status_code == 200


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_link_used_twice_at_once_sets_one_password(api):
    for n in range(3):
        jane = UserFactory(username=f"jane{n}")
        link = link_for(jane)
        passwords = ["the-first-battery", "the-second-battery"]

        answers = at_once(
            *[lambda link=link, word=word: confirm(api(), link, word) for word in passwords]
        )

        assert sorted(answer.status_code for answer in answers) == [200, 400]
        winner = passwords[[answer.status_code for answer in answers].index(200)]
        assert sign_in(api(REMOTE_ADDR=f"10.0.3.{n}"), f"jane{n}", winner).status_code == 200
