"""Admin pages of users, doctors and sessions."""

import pytest
from django.urls import reverse

from accounts import licences, services
from accounts.auth.sessions import end_all, open_session
from accounts.models import Session, User
from accounts.roles import UserType
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from accounts.tests.helpers import sent_mail
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

ADD = reverse("admin:accounts_user_add")
USERS = reverse("admin:accounts_user_changelist")
DOCTORS = reverse("admin:accounts_doctor_changelist")
SESSIONS = reverse("admin:accounts_session_changelist")
NEW = {
    "first_name": "Ada",
    "last_name": "Byron",
    "username": "ada",
    "email": "ada@example.com",
    "gender": "female",
    "password": PASSWORD,
    "password_again": PASSWORD,
}
LICENCE = {"medical_license_number": "MD-77", "specialization": "Cardiology"}


@pytest.fixture
def admin():
    return AdminFactory()


@pytest.fixture
def admin_client(client, admin):
    client.force_login(admin)
    return client


def page_of(person, model="user", step="change"):
    return f"/admin/accounts/{model}/{person.pk}/{step}/"


def form_of(person, **changes):
    names = ["first_name", "last_name", "username", "email", "phone", "gender", "address"]
    return {name: getattr(person, name) for name in names} | changes


@pytest.mark.parametrize("user", [PatientFactory, DoctorFactory])
@pytest.mark.parametrize("page", [reverse("admin:index"), USERS, ADD, DOCTORS, SESSIONS])
def test_only_admins_enter_the_admin_site(client, user, page):
    client.force_login(user())

    response = client.get(page)

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


@pytest.mark.parametrize(
    ("user_type", "more", "staff"),
    [("patient", {}, False), ("doctor", LICENCE, False), ("admin", {}, True)],
)
def test_an_admin_creates_an_account_of_each_type(admin_client, user_type, more, staff):
    response = admin_client.post(ADD, NEW | more | {"user_type": user_type})

    person = User.objects.get(username="ada")
    assert response.status_code == 302
    assert person.user_type == user_type
    assert person.check_password(PASSWORD)
    assert (person.is_staff, person.is_superuser) == (staff, staff)


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"password": "123", "password_again": "123"}, "password", "too short"),
        (
            {"password_again": "another-password"},
            "password_again",
            "The two passwords are not the same.",
        ),
        ({"username": "TAKEN"}, "username", "This username is taken."),
        ({"username": "x@y.z"}, "username", "must be the account"),
        ({"user_type": "doctor"}, "specialization", "This field is required."),
    ],
)
def test_an_invalid_field_of_a_new_account_is_shown_at_the_field(
    admin_client, wrong, field, sentence
):
    UserFactory(username="taken")
    before = User.objects.count()

    response = admin_client.post(ADD, NEW | {"user_type": "patient"} | wrong)

    assert response.status_code == 200
    assert sentence in str(response.context["adminform"].form.errors[field])
    assert User.objects.count() == before


def test_an_account_without_a_password_gets_an_invitation_by_email(
    admin_client, django_capture_on_commit_callbacks
):
    form = NEW | {"user_type": "admin", "password": "", "password_again": ""}

    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(ADD, form)

    assert not User.objects.get(username="ada").has_usable_password()
    assert [message.to for message in sent_mail()] == [["ada@example.com"]]


def test_staff_flags_cannot_be_set_by_extra_form_fields(admin_client):
    patient = PatientFactory()

    admin_client.post(
        page_of(patient),
        form_of(patient, user_type="patient", is_staff="on", is_superuser="on", first_name="Eve"),
    )

    patient = User.objects.get(pk=patient.pk)
    assert (patient.first_name, patient.is_staff, patient.is_superuser) == ("Eve", False, False)


def test_an_admin_changes_the_email_of_another_user(admin_client):
    doctor = DoctorFactory(email="old@example.com")

    admin_client.post(
        page_of(doctor),
        form_of(doctor, user_type="doctor", is_active="on", email="new@example.com")
        | {"medical_license_number": "MD-1", "specialization": "Cardiology"},
    )

    doctor.refresh_from_db()
    assert doctor.email == "new@example.com"
    assert doctor.license_verified is False  # the licence number changed too


def test_an_admin_changes_their_own_email_only_with_the_password(admin_client, admin):
    form = form_of(admin, email="new@example.com")

    refused = admin_client.post(page_of(admin), form)
    admin_client.post(page_of(admin), form | {"current_password": PASSWORD})

    assert "Enter your current password" in refused.content.decode()
    admin.refresh_from_db()
    assert admin.pending_email == "new@example.com"


def test_an_admin_cannot_demote_or_deactivate_themselves(admin_client, admin):
    admin_client.post(page_of(admin), form_of(admin, user_type="patient", first_name="Zoe"))

    admin.refresh_from_db()
    assert (admin.first_name, admin.user_type, admin.is_active) == ("Zoe", UserType.ADMIN, True)


def test_deactivating_an_admin_ends_their_sessions(admin_client):
    other = AdminFactory()
    open_session(other)

    admin_client.post(page_of(other), form_of(other, user_type="admin"))

    other.refresh_from_db()
    assert other.is_active is False
    assert not other.sessions.live().exists()


def test_an_unchecked_box_does_not_deactivate_a_patient(admin_client):
    patient = PatientFactory()

    admin_client.post(page_of(patient), form_of(patient, user_type="patient"))

    patient.refresh_from_db()
    assert patient.is_active is True


def test_a_new_role_requires_its_fields(admin_client):
    person = PatientFactory()
    form = form_of(person, user_type="doctor")

    refused = admin_client.post(page_of(person), form)
    admin_client.post(page_of(person), form | LICENCE)

    assert "This field is required." in refused.content.decode()
    assert User.objects.get(pk=person.pk).user_type == UserType.DOCTOR


def test_an_admin_sets_a_password_and_the_sessions_end(admin_client):
    patient = PatientFactory()
    open_session(patient)
    page = page_of(patient, step="set_password")

    weak = admin_client.post(page, {"password": "123", "password_again": "123"})
    admin_client.post(
        page, {"password": "some-new-password", "password_again": "some-new-password"}
    )

    assert "too short" in weak.content.decode()
    assert User.objects.get(pk=patient.pk).check_password("some-new-password")
    assert not patient.sessions.live().exists()


def test_no_page_shows_a_password_hash(admin_client):
    patient = PatientFactory()
    hashed = User.objects.get(pk=patient.pk).password

    for page in (page_of(patient), page_of(patient, step="history"), USERS):
        content = admin_client.get(page).content.decode()
        assert hashed not in content
        assert hashed.split("$")[-1] not in content


def test_admins_see_the_versions_of_their_own_account(admin_client, admin):
    version = admin.history.last()
    assert "current_password" in admin_client.get(page_of(admin)).content.decode()
    page = admin_client.get(f"{page_of(admin, step='history')}{version.pk}/")
    assert page.status_code == 200
    assert "current_password" not in page.content.decode()


def test_versions_show_booleans_and_choices_in_words(admin_client, admin):
    doctor = UnverifiedDoctorFactory()
    licences.verify_licence(doctor)
    services.update_profile(doctor, by=admin, gender="female")
    page = admin_client.get(page_of(doctor, step="history"))
    versions = page.context["page_obj"].object_list
    assert [getattr(one, "history_delta_changes", []) for one in versions] == [
        [{"field": "gender", "old": "Unknown", "new": "Female"}],
        [{"field": "license verified", "old": "No", "new": "Yes"}],
        [],
    ]


@pytest.mark.parametrize("guess", ["password__startswith=md5", "password__contains=a"])
def test_password_hashes_are_not_searchable(admin_client, guess):
    assert admin_client.get(f"{USERS}?{guess}").status_code in (302, 400)


def test_the_doctor_form_creates_a_doctor(admin_client):
    admin_client.post(reverse("admin:accounts_doctor_add"), NEW | LICENCE)

    doctor = User.objects.get(username="ada")
    assert (doctor.user_type, doctor.license_verified) == (UserType.DOCTOR, False)


def test_sessions_are_ended_from_the_list_and_tokens_are_not_shown(admin_client):
    open_session(PatientFactory())
    session = Session.objects.get()

    content = admin_client.get(f"/admin/accounts/session/{session.pk}/change/").content.decode()
    admin_client.post(SESSIONS, {"action": "end_sessions", "_selected_action": [session.pk]})

    assert session.jti not in content
    assert not Session.objects.live().exists()


@pytest.mark.parametrize("model", ["user", "doctor"])
def test_all_sessions_of_a_user_are_ended_by_post_only(admin_client, model):
    doctor, other = DoctorFactory(), DoctorFactory()
    for one in (doctor, doctor, other):
        open_session(one)
    page = page_of(doctor, model, "end_all_sessions")

    asked = admin_client.get(page)
    before = doctor.sessions.live().count()
    done = admin_client.post(page)

    assert (asked.status_code, done.status_code) == (200, 302)
    assert (before, doctor.sessions.live().count()) == (2, 0)
    assert other.sessions.live().count() == 1


def test_only_an_admin_ends_sessions_of_other_users(client):
    house, jane = DoctorFactory(), UserFactory()
    open_session(jane)
    client.force_login(house)

    response = client.post(page_of(jane, step="end_all_sessions"))

    assert response.url.startswith("/admin/login/")
    assert jane.sessions.live().count() == 1


def deactivate(person):
    User.objects.filter(pk=person.pk).update(is_active=False)


def change_password(person):
    person.set_password("an-even-better-battery")
    person.save()


@pytest.mark.parametrize("event", [deactivate, change_password, end_all])
def test_an_admin_site_login_ends_with_the_account_or_password(admin_client, client, admin, event):
    before = admin_client.get(USERS)

    event(User.objects.get(pk=admin.pk))

    assert before.status_code == 200
    assert admin_client.get(USERS).url.startswith("/admin/login/")


def test_accounts_cannot_be_deleted(admin_client):
    patient = PatientFactory()

    assert admin_client.post(page_of(patient, step="delete"), {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=patient.pk).exists()
