"""E-mail addresses are proven by a link, and an unproven one blocks nobody."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts import services
from accounts.models import OutgoingMessage, User
from accounts.tests.factories import PASSWORD, AdminFactory, UserFactory
from accounts.tests.helpers import (
    data,
    error_details,
    link_params,
    sent_mail,
    status_and_code,
)
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

REGISTER = "/api/auth/register/"
PROFILE = "/api/auth/profile/"
VERIFY = "/api/auth/email/verify/"
RESEND = "/api/auth/email/resend/"
RESET = "/api/auth/password/reset/"
JANE = {
    "username": "jane",
    "email": "jane@example.com",
    "password": PASSWORD,
    "user_type": "patient",
    "first_name": "Jane",
    "last_name": "Doe",
}
BAD_LINK = (400, "validation_error", {"token": ["This link is invalid or has expired."]})


def register(api, **changes):
    return data(api().post(REGISTER, JANE | changes), 201)


def verify(api, message):
    return api().post(VERIFY, link_params(message))


def sign_in(client, username):
    return client.post("/api/auth/login/", {"username": username, "password": PASSWORD})


def row(username):
    return User.objects.get(username=username)


def test_a_registered_address_is_proven_by_its_link(api):
    before = register(api)
    (message,) = sent_mail()

    answer = verify(api, message)

    assert before["email_verified"] is False
    assert message.to == ["jane@example.com"]
    assert message.subject == "Confirm your e-mail address"
    assert "http://localhost:3000/verify-email?token=" in message.body
    assert (data(answer), answer.json()["message"]) == (None, "E-mail address confirmed.")
    assert data(api(row("jane")).get(PROFILE))["email_verified"] is True


def test_the_link_can_be_followed_twice(api):
    register(api)
    (message,) = sent_mail()

    first, second = verify(api, message), verify(api, message)

    assert first.content == second.content
    assert row("jane").email_verified


def test_a_letter_to_an_unproven_address_contains_nothing_that_its_sender_chose(api):
    """The clinic's mail server must not carry the text of a stranger to a victim."""
    register(api, first_name="Win 1000 EUR at", last_name="evil.example", username="evil.example")

    api().post(RESET, {"email": "jane@example.com"})

    messages = sent_mail()
    assert len(messages) == 2
    for message in messages:
        assert "evil" not in message.subject + message.body
        assert "Win" not in message.subject + message.body


@pytest.mark.parametrize("token", ["", "x", "a:b:c", "\x00", "W10:1wXyZa:abc", "a" * 257, None, 7])
def test_an_invalid_token_is_refused(api, token):
    register(api)

    answer = api().post(VERIFY, {"token": token})

    assert status_and_code(answer) == (400, "validation_error")
    assert list(error_details(answer)[2]) == ["token"]
    assert not row("jane").email_verified


@pytest.mark.parametrize(("age", "status"), [(timedelta(days=6), 200), (timedelta(days=8), 400)])
def test_a_link_is_valid_for_seven_days(api, monkeypatch, age, status):
    register(api)
    sent_at = (timezone.now() - age).timestamp()
    with monkeypatch.context() as then:
        then.setattr("django.core.signing.time.time", lambda: sent_at)
        (message,) = sent_mail()

    assert verify(api, message).status_code == status


def test_the_link_of_a_former_address_is_refused(api):
    register(api)
    (message,) = sent_mail()
    User.objects.update(email="other@example.com")

    assert error_details(verify(api, message)) == BAD_LINK
    assert not row("jane").email_verified


def test_the_link_of_a_deactivated_account_is_refused(api):
    register(api)
    (message,) = sent_mail()
    User.objects.update(is_active=False)

    assert error_details(verify(api, message)) == BAD_LINK


def test_a_password_link_proves_the_address(api):
    register(api)
    sent_mail().clear()
    api().post(RESET, {"email": "jane@example.com"})
    (message,) = sent_mail()

    data(api().post(f"{RESET}confirm/", link_params(message) | {"new_password": "new-battery-9"}))

    assert row("jane").email_verified


# --- A new address --------------------------------------------------------------------------


@pytest.fixture
def jane():
    return UserFactory(username="jane@example.com", email="jane@example.com")


def change_address(api, user, email="new@example.com"):
    body = {"email": email, "current_password": PASSWORD}
    return api(user).patch(PROFILE, body)


def test_a_new_address_waits_until_its_link_is_followed(api, jane):
    changed = data(change_address(api, jane))
    (message,) = sent_mail()
    waiting = (changed["email"], changed["pending_email"], changed["email_verified"])

    data(verify(api, message))

    user = User.objects.get()
    assert waiting == ("jane@example.com", "new@example.com", True)
    assert message.to == ["new@example.com"]
    assert (user.email, user.username) == ("new@example.com", "new@example.com")
    assert (user.pending_email, user.email_verified) == ("", True)
    assert sign_in(api(), "new@example.com").status_code == 200


def test_the_old_address_is_told(api, jane):
    change_address(api, jane)
    (message,) = sent_mail()
    verify(api, message)

    *_, told = sent_mail()

    assert told.to == ["jane@example.com"]
    assert told.subject == "Your e-mail address was changed"
    assert "new@example.com" not in told.body


def test_the_owner_signs_in_with_the_old_address_until_then(api, jane):
    change_address(api, jane)

    assert sign_in(api(), "jane@example.com").status_code == 200
    assert sign_in(api(), "new@example.com").status_code == 401


@pytest.mark.parametrize(
    "new", ["o'brien@example.com", f"jane@{'b' * 60}.{'c' * 60}.{'d' * 60}.org"]
)
def test_an_address_that_is_no_username_leaves_the_account_usable(api, jane, new):
    change_address(api, jane, new)
    (message,) = sent_mail()

    data(verify(api, message))

    user = User.objects.get()
    assert user.email == new
    assert user.username.startswith("patient-")
    assert sign_in(api(), new).status_code == 200
    data(api(user).patch(PROFILE, {"phone": "123"}))


def test_a_second_change_replaces_the_first(api, jane):
    change_address(api, jane)
    (first,) = sent_mail()
    change_address(api, jane, "newer@example.com")

    assert error_details(verify(api, first)) == BAD_LINK
    verify(api, sent_mail()[-1])
    assert User.objects.get().email == "newer@example.com"


def test_an_address_that_another_account_has_proven_is_refused(api, jane):
    UserFactory(email="paul@example.com")

    answer = change_address(api, jane, "PAUL@example.com")

    sentence = "This e-mail address has an account already."
    assert error_details(answer) == (400, "validation_error", {"email": [sentence]})
    assert User.objects.get(pk=jane.pk).pending_email == ""


def test_an_address_that_is_proven_elsewhere_meanwhile_is_refused(api, jane):
    change_address(api, jane)
    (message,) = sent_mail()
    UserFactory(email="new@example.com")

    answer = verify(api, message)

    sentence = "This e-mail address has another account already."
    assert error_details(answer) == (400, "validation_error", {"token": [sentence]})
    assert User.objects.get(pk=jane.pk).email == "jane@example.com"


def test_an_admin_corrects_an_address_at_once(api, jane, ada):
    services.update_profile(jane, by=ada, email="right@example.com")

    user = User.objects.get(pk=jane.pk)
    assert (user.email, user.username) == ("right@example.com", "right@example.com")
    assert user.email_verified is False
    assert sorted(message.to[0] for message in sent_mail()) == [
        "jane@example.com",
        "right@example.com",
    ]


def test_a_new_password_drops_the_address_that_waits(api):
    """A squatter's link must not take the account from the owner who has reset the password."""
    squatted = UserFactory(email="jane@example.com", email_verified=False)
    change_address(api, squatted, "squatter@example.com")
    (link,) = sent_mail()
    api().post(RESET, {"email": "jane@example.com"})
    reset = link_params(sent_mail()[-1]) | {"new_password": "new-battery-9"}
    data(api().post(f"{RESET}confirm/", reset))

    answer = verify(api, link)

    assert error_details(answer) == BAD_LINK
    user = User.objects.get()
    assert (user.email, user.pending_email) == ("jane@example.com", "")


# --- Two accounts ---------------------------------------------------------------------------


def test_the_owner_of_an_address_takes_it_over_from_an_unproven_account(api):
    register(api, username="jane@example.com", first_name="Squatter")
    squatter = User.objects.get()
    sent_mail().clear()

    mine = register(api, username="jane@example.com")
    (message,) = sent_mail()
    verify(api, message)

    squatter.refresh_from_db()
    owner = User.objects.exclude(pk=squatter.pk).get()
    assert (mine["email"], mine["pending_email"]) == ("", "jane@example.com")
    assert mine["username"].startswith("patient-")
    assert (owner.email, owner.email_verified) == ("jane@example.com", True)
    assert (squatter.email, squatter.email_verified) == ("", False)
    assert squatter.username.startswith("patient-")
    assert sign_in(api(), "jane@example.com").json()["data"]["user"]["id"] == owner.pk


def test_whoever_does_not_read_the_mail_takes_nothing_over(api):
    register(api)

    register(api, username="eve")
    api().post(RESET, {"email": "jane@example.com"})

    assert row("jane").email == "jane@example.com"
    assert row("eve").email == ""
    assert sign_in(api(), "jane@example.com").json()["data"]["user"]["username"] == "jane"


def test_the_account_that_lost_its_address_is_told_at_its_next_sign_in(api, client):
    register(api)
    register(api, username="owner")
    verify(api, sent_mail()[-1])

    answer = sign_in(api(), "jane")

    assert answer.json()["message"].startswith("Signed in. Your e-mail address was not confirmed")
    body = {"email": "other@example.com", "current_password": PASSWORD}
    data(api(row("jane")).patch(PROFILE, body))
    verify(api, sent_mail()[-1])
    assert sign_in(api(), "jane").json()["message"] == "Signed in."


def test_a_patient_that_staff_create_gets_an_unproven_address_at_once(api, smith):
    register(api, username="jane@example.com")
    body = {"first_name": "Jane", "last_name": "Real", "email": "jane@example.com"}

    record = data(api(smith).post("/api/patients/", body), 201)

    assert (record["email"], record["username"]) == ("jane@example.com", "jane@example.com")
    assert User.objects.get(last_name="Doe").email == ""


def test_accounts_without_an_address_take_nothing_from_each_other(api, smith, ada):
    without = PatientFactory(email="", email_verified=False)
    jane = PatientFactory()

    data(api(smith).post("/api/patients/", {"first_name": "Jane", "last_name": "Real"}), 201)
    services.update_profile(jane, by=ada, email="")

    after = User.objects.get(pk=without.pk)
    assert (after.email_lost_at, after.version) == (None, without.version)


def test_a_proven_address_is_refused_to_everybody(api, smith):
    UserFactory(email="jane@example.com")
    sentence = "This e-mail address has an account already."

    strangers = api().post(REGISTER, JANE)
    body = {"first_name": "Jane", "last_name": "Real", "email": "jane@example.com"}
    staff = api(smith).post("/api/patients/", body)

    assert error_details(strangers)[2] == {"email": [sentence]}
    assert error_details(staff)[2] == {"email": [sentence]}


# --- Time -----------------------------------------------------------------------------------


def test_prune_frees_addresses_that_nobody_proved_for_seven_days(api, smith):
    register(api)
    register(api, username="fresh", email="fresh@example.com")
    body = {"first_name": "Ruth", "last_name": "Meyer", "email": "ruth@example.com"}
    ruth = data(api(smith).post("/api/patients/", body), 201)["id"]
    a_week_ago = timezone.now() - timedelta(days=7, minutes=1)
    User.objects.exclude(username="fresh").update(email_set_at=a_week_ago)

    call_command("prune")

    assert (row("jane").email, row("jane").contact_email) == ("", "")
    assert row("fresh").email == "fresh@example.com"
    assert User.objects.get(pk=smith.pk).email == smith.email
    invited = User.objects.get(pk=ruth)
    assert (invited.email, invited.contact_email) == ("", "ruth@example.com")


def test_prune_leaves_an_address_that_its_owner_signs_in_with(api):
    register(api, username="jane@example.com")
    assert sign_in(api(), "jane@example.com").status_code == 200
    User.objects.update(email_set_at=timezone.now() - timedelta(days=8))

    call_command("prune")

    assert sign_in(api(), "jane@example.com").status_code == 200


# --- Once more ------------------------------------------------------------------------------


def test_the_link_is_sent_again_on_request(api):
    register(api)

    answer = api(row("jane")).post(RESEND)

    assert data(answer) is None
    assert [message.to for message in sent_mail()] == [["jane@example.com"]] * 2


def test_a_proven_address_gets_no_further_link(api, jane):
    data(api(jane).post(RESEND))

    assert sent_mail() == []


def test_too_many_requests_for_links_are_refused(api, settings):
    settings.LETTERS_PER_RECIPIENT = 2
    register(api)
    client = api(row("jane"))

    answers = [client.post(RESEND) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "3600"
    assert OutgoingMessage.objects.count() == 2


# --- Patients without an own address ------------------------------------------------------


def test_children_share_the_address_of_their_mother(api, smith):
    UserFactory(email="mother@example.com")
    names = {"last_name": "Meyer", "contact_email": "mother@example.com"}

    for first_name in ("Ada", "Ben", "Cem"):
        data(api(smith).post("/api/patients/", names | {"first_name": first_name}), 201)

    children = User.objects.filter(contact_email="mother@example.com")
    assert [child.letter_address for child in children] == ["mother@example.com"] * 3
    assert sent_mail() == []


def test_a_patient_cannot_change_the_contact_address(api, smith):
    jane = PatientFactory(contact_email="mother@example.com")

    for address in (PROFILE, f"/api/patients/{jane.pk}/"):
        answer = api(jane).patch(address, {"contact_email": "victim@example.com"})
        assert list(error_details(answer)[2]) == ["contact_email"]

    data(api(smith).patch(f"/api/patients/{jane.pk}/", {"contact_email": "father@example.com"}))
    assert User.objects.get(pk=jane.pk).contact_email == "father@example.com"


def test_staff_do_not_take_an_address_from_an_admin(api, smith):
    """Without the address that is their username, the admin could not sign in."""
    admin = AdminFactory(
        username="boss@example.com", email="boss@example.com", email_verified=False
    )
    body = {"first_name": "Jane", "last_name": "Real", "email": "Boss@example.com"}

    answer = api(smith).post("/api/patients/", body)

    assert list(error_details(answer)[2]) == ["email"]
    admin.refresh_from_db()
    assert (admin.email, admin.username) == ("boss@example.com", "boss@example.com")
