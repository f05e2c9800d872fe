"""A licence is verified for the number, name and specialization that the admin saw."""

import pytest
from django.urls import reverse

from accounts import licences, services
from accounts.models import User
from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from accounts.tests.helpers import data, status_and_code
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

DOCTORS = reverse("admin:accounts_doctor_changelist")
NEW_VALUES = {
    "medical_license_number": "MD-NEW",
    "first_name": "Another",
    "last_name": "Person",
    "specialization": "Surgery",
}


def step_of(doctor):
    return f"/admin/accounts/doctor/{doctor.pk}/verify_licence/"


def is_verified(doctor):
    return User.objects.get(pk=doctor.pk).license_verified


def test_the_step_shows_number_name_and_specialization(admin_client):
    doctor = UnverifiedDoctorFactory(
        medical_license_number="MD-4711",
        first_name="Gregory",
        last_name="House",
        specialization="Nephrology",
    )

    response = admin_client.get(step_of(doctor))

    assert list(response.context["facts"]) == [
        ("Medical license number", "MD-4711"),
        ("First name", "Gregory"),
        ("Last name", "House"),
        ("Specialization", "Nephrology"),
    ]
    page = response.content.decode()
    assert all(text in page for text in ("MD-4711", "Gregory", "House", "Nephrology"))
    assert is_verified(doctor) is False


def test_the_step_verifies_what_it_showed(admin_client):
    doctor = UnverifiedDoctorFactory()
    shown = admin_client.get(step_of(doctor)).context["form"]["if_version"].value()

    response = admin_client.post(step_of(doctor), {"if_version": shown})

    assert response.status_code == 302
    assert is_verified(doctor) is True


@pytest.mark.parametrize("field", NEW_VALUES)
def test_a_licence_that_changed_between_page_and_click_is_not_verified(admin_client, field):
    doctor = UnverifiedDoctorFactory()
    shown = admin_client.get(step_of(doctor)).context["form"]["if_version"].value()
    services.update_profile(doctor, by=doctor, **{field: NEW_VALUES[field]})

    response = admin_client.post(step_of(doctor), {"if_version": shown})

    assert response.status_code == 200
    assert "Somebody else has changed this record" in response.content.decode()
    assert is_verified(doctor) is False


def test_a_click_without_the_version_is_refused(admin_client):
    doctor = UnverifiedDoctorFactory()

    response = admin_client.post(step_of(doctor))

    assert list(response.context["form"].errors) == ["if_version"]
    assert is_verified(doctor) is False


def test_the_list_cannot_verify_licences_that_it_does_not_ask_about(admin_client):
    doctor = UnverifiedDoctorFactory()
    chosen = {"action": "verify_licences", "_selected_action": [doctor.pk]}

    page = admin_client.get(DOCTORS)
    admin_client.post(DOCTORS, chosen)

    assert "Verify the licences of the selected doctors" not in page.content.decode()
    assert is_verified(doctor) is False


@pytest.mark.parametrize("field", NEW_VALUES)
def test_a_verified_doctor_who_changes_what_was_verified_is_unverified(
    api, settings, admin_client, field
):
    settings.DOCTOR_VERIFICATION_REQUIRED = True
    doctor = DoctorFactory()
    before = getattr(doctor, field)
    client = api(doctor)

    changed = data(client.patch("/api/auth/profile/", {field: NEW_VALUES[field]}))

    assert changed["license_verified"] is False
    assert status_and_code(client.get("/api/patients/")) == (403, "license_not_verified")
    facts = dict(admin_client.get(step_of(doctor)).context["facts"])
    shown = f"{NEW_VALUES[field]} (verified before: {before})"
    assert [text for text in facts.values() if "verified before" in text] == [shown]


@pytest.mark.parametrize("field", ["phone", "address"])
def test_another_change_keeps_the_verification(api, field):
    doctor = DoctorFactory()

    changed = data(api(doctor).patch("/api/auth/profile/", {field: "030 1"}))

    assert changed["license_verified"] is True


def test_the_same_values_keep_the_verification(api):
    doctor = DoctorFactory()
    same = {name: getattr(doctor, name) for name in NEW_VALUES}

    assert data(api(doctor).patch("/api/auth/profile/", same))["license_verified"] is True


def test_a_doctor_with_a_former_role_is_not_verified():
    doctor = User.objects.get(pk=DoctorFactory().pk)
    admin = AdminFactory()
    licence = {name: getattr(doctor, name) for name in NEW_VALUES}

    patient = services.update_profile(doctor, by=admin, user_type="patient")
    again = services.update_profile(patient, by=admin, user_type="doctor", **licence)

    assert (patient.license_verified, again.license_verified) == (False, False)


def test_the_last_verified_version_has_the_old_values():
    doctor = DoctorFactory(medical_license_number="MD-1")
    services.update_profile(doctor, by=doctor, medical_license_number="MD-2")
    services.update_profile(doctor, by=doctor, medical_license_number="MD-3")

    assert licences.last_verified(doctor).medical_license_number == "MD-1"
    assert licences.last_verified(UnverifiedDoctorFactory()) is None


def test_only_admins_reach_the_step(client):
    doctor = UnverifiedDoctorFactory()
    for person in (doctor, PatientFactory()):
        client.force_login(person)
        assert client.post(step_of(doctor), {"if_version": 1}).status_code == 302

    assert is_verified(doctor) is False


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_the_version_is_compared_after_waiting_for_the_lock():
    doctor = UnverifiedDoctorFactory()

    outcome = run_behind_lock(
        lambda: services.update_profile(doctor, by=doctor, medical_license_number="MD-NEW"),
        lambda: licences.verify_licence(doctor, if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert is_verified(doctor) is False
