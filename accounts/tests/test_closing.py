"""Closing an account: one admin stays open, the picture goes, and nothing is written afterwards."""

from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import RequestFactory

from accounts import services
from accounts.admin.users import set_password
from accounts.auth.sessions import open_session
from accounts.models import User
from accounts.tests import builders
from accounts.tests.factories import PASSWORD, AdminFactory, DoctorFactory, UserFactory
from accounts.tests.helpers import image_bytes
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from patients.models import Patient
from patients.services import anonymise, deactivate, reactivate
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"


def active_admins():
    return User.objects.filter(user_type="admin", is_active=True).count()


def code_of(refusal):
    return [one.code for errors in refusal.value.error_dict.values() for one in errors]


# --- The last admin -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"is_active": False}, {"user_type": "patient"}, {"user_type": "doctor"}]
)
def test_the_last_active_admin_keeps_account_and_role(changes):
    one, other = AdminFactory(), AdminFactory(is_active=False)

    with pytest.raises(ValidationError) as refusal:
        services.update_profile(one, by=other, **changes)

    assert code_of(refusal) == ["last_admin"]
    assert list(refusal.value.error_dict) == list(changes)
    assert active_admins() == 1


def test_one_of_two_admins_can_be_closed():
    one, other = AdminFactory(), AdminFactory()

    services.update_profile(one, by=other, is_active=False)

    assert active_admins() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"is_active": None}, "is_active"), ({"user_type": "patient"}, "user_type")],
)
def test_the_form_of_the_last_admin_shows_the_refusal_at_the_field(
    admin_client, ada, changes, field
):
    other = AdminFactory()
    page = f"{USERS}{other.pk}/change/"
    form = admin_client.get(page).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields} | changes
    User.objects.filter(pk=ada.pk).update(is_active=False)
    browser = RequestFactory()
    browser.cookies["csrftoken"] = token = admin_client.cookies["csrftoken"].value
    sent = {name: value for name, value in sent.items() if value is not None}
    request = browser.post(page, sent | {"csrfmiddlewaretoken": token})
    request.user = ada  # whose request was under way when somebody closed the account

    response = admin.site.get_model_admin(User).change_view(request, str(other.pk))

    assert list(response.context_data["adminform"].form.errors) == [field]
    assert active_admins() == 1


def test_an_active_account_cannot_be_anonymised():
    one = AdminFactory()

    with pytest.raises(ValidationError, match="Close the account first"):
        services.anonymise(one, by=one)

    assert active_admins() == 1


def test_the_admin_deletes_no_account(admin_client, ada):
    chosen = {"action": "delete_selected", "_selected_action": [ada.pk], "post": "yes"}

    admin_client.post(USERS, chosen)
    refused = admin_client.post(f"{USERS}{ada.pk}/delete/", {"post": "yes"})

    assert refused.status_code == 403
    assert active_admins() == 1


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_the_second_of_two_admins_who_close_each_other_waits_and_is_refused():
    ada, bob = AdminFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: services.update_profile(bob, by=ada, is_active=False),
        lambda: services.update_profile(ada, by=bob, is_active=False),
    )

    assert outcome == (True, "last_admin")
    assert active_admins() == 1


@pytest.mark.django_db(transaction=True)
def test_admins_who_close_each_other_at_once_leave_one(callers):
    for change in (builders.mutual_closings, builders.mutual_demotions):
        for _ in range(3):
            saved = callers.run_concurrently(builders.post_form, callers.run(change))

            assert sorted(saved) == [False, True]
            assert callers.run(builders.active_admins) == 1


# --- The picture ----------------------------------------------------------------------------


@pytest.fixture
def picture(django_capture_on_commit_callbacks):
    """Gives a person a picture; returns the path of its address."""

    def give(person):
        content = ContentFile(image_bytes(), name="face.webp")
        with django_capture_on_commit_callbacks(execute=True):
            services.update_profile(person, by=person, avatar=content)
        person.refresh_from_db()
        return urlsplit(person.avatar.url).path

    return give


def status_of(client, address):
    response = client.get(address)
    if response.streaming:
        list(response.streaming_content)  # to its end, where the file is closed
    return response.status_code


@pytest.mark.parametrize("person", [DoctorFactory, AdminFactory])
def test_the_picture_of_a_closed_account_is_gone(
    client, picture, person, django_capture_on_commit_callbacks
):
    person, closer = person(), AdminFactory()
    address = picture(person)
    before = status_of(client, address)

    with django_capture_on_commit_callbacks(execute=True):
        services.update_profile(person, by=closer, is_active=False)

    assert (before, status_of(client, address)) == (200, 404)
    person.refresh_from_db()
    assert not person.avatar


@pytest.mark.parametrize("close", [deactivate, anonymise])
def test_the_picture_of_a_closed_record_is_gone_and_stays_lost(
    client, picture, close, django_capture_on_commit_callbacks
):
    patient, closer = PatientFactory(), AdminFactory()
    address = picture(patient)
    before = status_of(client, address)

    with django_capture_on_commit_callbacks(execute=True):
        close(patient, by=closer)

    assert (before, status_of(client, address)) == (200, 404)
    if close is deactivate:
        assert not reactivate(patient).avatar


def test_a_refused_closing_keeps_the_picture(client, picture, django_capture_on_commit_callbacks):
    one = AdminFactory()
    address = picture(one)

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ValidationError):
        services.update_profile(one, by=AdminFactory(is_active=False), is_active=False)

    assert status_of(client, address) == 200


def test_a_closed_account_gets_no_picture():
    patient = PatientFactory()
    deactivate(patient, by=AdminFactory())
    content = ContentFile(image_bytes(), name="face.webp")

    with pytest.raises(ValidationError) as refusal:  # by a request that was under way
        services.update_profile(patient, by=patient, avatar=content)

    assert refusal.value.message_dict == {"avatar": ["This account is closed."]}
    assert not Patient.objects.get().avatar


def test_the_migration_deletes_pictures_of_accounts_that_were_closed_before(migrated_to):
    then = migrated_to("accounts", "0009_as_the_clinic_grows")
    users = then.get_model("accounts", "User").objects
    names = {}
    for username, is_active in [("gone", False), ("here", True)]:
        name = default_storage.save("avatars/face.webp", ContentFile(image_bytes()))
        users.create(username=username, avatar=name, is_active=is_active)
        names[username] = name

    migrated_to("accounts", "0014_no_pictures_of_closed_accounts")

    assert dict(users.values_list("username", "avatar")) == {"gone": "", "here": names["here"]}
    assert not default_storage.exists(names["gone"])
    assert default_storage.exists(names["here"])
    default_storage.delete(names["here"])


# --- Sessions and anonymised accounts -------------------------------------------------------


def test_every_way_of_closing_an_account_ends_its_sessions():
    doctor = DoctorFactory()
    open_session(doctor)

    services.update_profile(doctor, by=AdminFactory(), is_active=False)

    assert not doctor.sessions.live().exists()


@pytest.mark.parametrize("write", [lambda person: set_password(person, password=PASSWORD)])
def test_an_anonymised_account_gets_no_password(write):
    person = UserFactory(is_active=False)
    services.anonymise(person, by=AdminFactory())

    with pytest.raises(ValidationError) as refusal:
        write(person)

    assert code_of(refusal) == ["record_anonymised"]
    person.refresh_from_db()
    assert not person.has_usable_password()
