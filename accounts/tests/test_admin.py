"""The desk's pages about accounts, doctors and sessions."""

import pytest
from django.core import mail
from django.urls import reverse

from accounts.auth.sessions import end_all, open_session
from accounts.mail import mail_executor
from accounts.models import Session, User
from accounts.roles import UserType
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
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
def desk(client, admin):
    client.force_login(admin)
    return client


def page_of(person, model="user", step="change"):
    return f"/admin/accounts/{model}/{person.pk}/{step}/"


def form_of(person, **changes):
    names = ["first_name", "last_name", "username", "email", "phone", "gender", "address"]
    return {name: getattr(person, name) for name in names} | changes


@pytest.mark.parametrize("user", [PatientFactory, DoctorFactory])
@pytest.mark.parametrize("page", [reverse("admin:index"), USERS, ADD, DOCTORS, SESSIONS])
def test_whoever_is_no_admin_is_sent_to_sign_in(client, user, page):
    client.force_login(user())

    response = client.get(page)

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


@pytest.mark.parametrize(
    ("user_type", "more", "staff"),
    [("patient", {}, False), ("doctor", LICENCE, False), ("admin", {}, True)],
)
def test_an_account_of_every_type_can_be_opened(desk, user_type, more, staff):
    response = desk.post(ADD, NEW | more | {"user_type": user_type})

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
def test_a_mistake_in_a_new_account_is_shown_at_its_field(desk, wrong, field, sentence):
    UserFactory(username="taken")
    before = User.objects.count()

    response = desk.post(ADD, NEW | {"user_type": "patient"} | wrong)

    assert response.status_code == 200
    assert sentence in str(response.context["adminform"].form.errors[field])
    assert User.objects.count() == before


def test_an_account_without_a_password_is_invited_by_letter(
    desk, django_capture_on_commit_callbacks
):
    form = NEW | {"user_type": "admin", "password": "", "password_again": ""}

    with django_capture_on_commit_callbacks(execute=True):
        desk.post(ADD, form)

    mail_executor.submit(lambda: None).result()
    assert not User.objects.get(username="ada").has_usable_password()
    assert [letter.to for letter in mail.outbox] == [["ada@example.com"]]


def test_flags_of_staff_cannot_be_set_by_adding_them_to_the_form(desk):
    patient = PatientFactory()

    desk.post(
        page_of(patient),
        form_of(patient, user_type="patient", is_staff="on", is_superuser="on", first_name="Eve"),
    )

    patient = User.objects.get(pk=patient.pk)
    assert (patient.first_name, patient.is_staff, patient.is_superuser) == ("Eve", False, False)


def test_an_admin_changes_the_address_of_another(desk):
    doctor = DoctorFactory(email="old@example.com")

    desk.post(
        page_of(doctor),
        form_of(doctor, user_type="doctor", is_active="on", email="new@example.com")
        | {"medical_license_number": "MD-1", "specialization": "Cardiology"},
    )

    doctor.refresh_from_db()
    assert doctor.email == "new@example.com"
    assert doctor.license_verified is False  # the number changed too


def test_the_own_address_changes_only_with_the_password(desk, admin):
    form = form_of(admin, email="new@example.com")

    refused = desk.post(page_of(admin), form)
    desk.post(page_of(admin), form | {"current_password": PASSWORD})

    assert "Enter your current password" in refused.content.decode()
    admin.refresh_from_db()
    assert admin.email == "new@example.com"


def test_nobody_demotes_or_deactivates_himself(desk, admin):
    desk.post(page_of(admin), form_of(admin, user_type="patient", first_name="Zoe"))

    admin.refresh_from_db()
    assert (admin.first_name, admin.user_type, admin.is_active) == ("Zoe", UserType.ADMIN, True)


def test_deactivating_another_admin_ends_his_sessions(desk):
    other = AdminFactory()
    open_session(other)

    desk.post(page_of(other), form_of(other, user_type="admin"))

    other.refresh_from_db()
    assert other.is_active is False
    assert not other.sessions.live().exists()


def test_a_patient_is_not_deactivated_by_leaving_a_box_empty(desk):
    patient = PatientFactory()

    desk.post(page_of(patient), form_of(patient, user_type="patient"))

    patient.refresh_from_db()
    assert patient.is_active is True


def test_a_role_that_changes_needs_what_the_new_role_needs(desk):
    person = PatientFactory()
    form = form_of(person, user_type="doctor")

    refused = desk.post(page_of(person), form)
    desk.post(page_of(person), form | LICENCE)

    assert "This field is required." in refused.content.decode()
    assert User.objects.get(pk=person.pk).user_type == UserType.DOCTOR


def test_a_password_is_set_after_it_was_typed_twice_and_ends_the_sessions(desk):
    patient = PatientFactory()
    open_session(patient)
    page = page_of(patient, step="set_password")

    weak = desk.post(page, {"password": "123", "password_again": "123"})
    desk.post(page, {"password": "some-new-password", "password_again": "some-new-password"})

    assert "too short" in weak.content.decode()
    assert User.objects.get(pk=patient.pk).check_password("some-new-password")
    assert not patient.sessions.live().exists()


def test_no_page_shows_the_hash_of_a_password(desk):
    patient = PatientFactory()
    hashed = User.objects.get(pk=patient.pk).password

    for page in (page_of(patient), page_of(patient, step="history"), USERS):
        content = desk.get(page).content.decode()
        assert hashed not in content
        assert hashed.split("$")[-1] not in content


@pytest.mark.parametrize("guess", ["password__startswith=md5", "password__contains=a"])
def test_the_hash_of_a_password_cannot_be_searched_for(desk, guess):
    assert desk.get(f"{USERS}?{guess}").status_code in (302, 400)


def test_a_licence_is_verified_from_the_page_and_only_by_a_post(desk):
    doctor = UnverifiedDoctorFactory()
    page = page_of(doctor, "doctor", "verify_licence")

    asked = desk.get(page)
    after_get = User.objects.get(pk=doctor.pk).license_verified
    done = desk.post(page)

    assert (asked.status_code, after_get) == (200, False)
    assert done.status_code == 302
    assert User.objects.get(pk=doctor.pk).license_verified is True


def test_licences_are_verified_from_the_list(desk):
    doctors = UnverifiedDoctorFactory.create_batch(2)

    desk.post(
        DOCTORS, {"action": "verify_licences", "_selected_action": [one.pk for one in doctors]}
    )

    assert User.objects.filter(license_verified=True).count() == 2


def test_the_form_for_a_doctor_opens_the_account_of_a_doctor(desk):
    desk.post(reverse("admin:accounts_doctor_add"), NEW | LICENCE)

    doctor = User.objects.get(username="ada")
    assert (doctor.user_type, doctor.license_verified) == (UserType.DOCTOR, False)


def test_sessions_are_ended_from_the_list_and_their_tokens_never_shown(desk):
    open_session(PatientFactory())
    session = Session.objects.get()

    content = desk.get(f"/admin/accounts/session/{session.pk}/change/").content.decode()
    desk.post(SESSIONS, {"action": "end_sessions", "_selected_action": [session.pk]})

    assert session.jti not in content
    assert not Session.objects.live().exists()


@pytest.mark.parametrize("model", ["user", "doctor"])
def test_all_sessions_of_a_person_are_ended_from_the_page_and_only_by_a_post(desk, model):
    doctor, other = DoctorFactory(), DoctorFactory()
    for one in (doctor, doctor, other):
        open_session(one)
    page = page_of(doctor, model, "end_all_sessions")

    asked = desk.get(page)
    before = doctor.sessions.live().count()
    done = desk.post(page)

    assert (asked.status_code, done.status_code) == (200, 302)
    assert (before, doctor.sessions.live().count()) == (2, 0)
    assert other.sessions.live().count() == 1


def test_only_an_admin_ends_the_sessions_of_others(client):
    house, jane = DoctorFactory(), UserFactory()
    open_session(jane)
    client.force_login(house)

    response = client.post(page_of(jane, step="end_all_sessions"))

    assert response.url.startswith("/admin/login/")
    assert jane.sessions.live().count() == 1


def leave(person):
    User.objects.filter(pk=person.pk).update(is_active=False)


def choose_another_password(person):
    person.set_password("an-even-better-battery")
    person.save()


@pytest.mark.parametrize("event", [leave, choose_another_password, end_all])
def test_a_sign_in_at_the_desk_ends_like_any_other_session(desk, client, admin, event):
    before = desk.get(USERS)

    event(User.objects.get(pk=admin.pk))

    assert before.status_code == 200
    assert desk.get(USERS).url.startswith("/admin/login/")


def test_nobody_is_deleted(desk):
    patient = PatientFactory()

    assert desk.post(page_of(patient, step="delete"), {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=patient.pk).exists()
