"""Deactivating a patient."""

from datetime import timedelta

import pytest

from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import (
    GONE_PATIENT,
    all_rows,
    data,
    error_details,
    ids,
    status_and_code,
)
from config.clinical_records import record_of
from consultations.models import Consultation
from consultations.tests.factories import add_parts, make_consultation
from patients import services
from patients.models import Patient
from patients.signals import patient_deactivated

LIST = "/api/patients/"


def url(patient):
    return f"{LIST}{patient.pk}/"


def test_a_patient_deactivated_by_an_admin_is_404_for_everyone(api, smith, ada, jane, omar):
    make_appointment(patient=jane, doctor=smith)

    response = api(ada).delete(url(jane))

    assert (response.status_code, response.content) == (204, b"")
    for reader in (smith, ada):
        assert ids(api(reader).get(LIST)) == [omar.pk]
        assert status_and_code(api(reader).get(url(jane))) == (404, "not_found")
        assert status_and_code(api(reader).patch(url(jane), {"phone": "112"})) == (404, "not_found")
    assert status_and_code(api(ada).delete(url(jane))) == (404, "not_found")
    assert Patient.objects.get(pk=jane.pk).phone == jane.phone


def test_the_seed_path_deactivates_a_patient(api, ada, jane):
    response = api(ada).delete(f"/api/patients/api/patients/{jane.pk}/")

    assert response.status_code == 204
    assert Patient.objects.get(pk=jane.pk).is_active is False


def test_other_roles_cannot_deactivate_a_patient_or_learn_if_one_exists(
    api, smith, nils, jane, omar
):
    booked = make_appointment(patient=jane, doctor=smith)
    missing = f"{LIST}999999/"

    for caller, expected in [
        (None, (401, "not_authenticated")),
        (smith, (403, "permission_denied")),
        (nils, (403, "permission_denied")),
        (jane, (403, "permission_denied")),
        (omar, (403, "permission_denied")),
    ]:
        client = api(caller)

        assert [status_and_code(client.delete(one)) for one in (url(jane), missing)] == [
            expected,
            expected,
        ]
    assert Patient.objects.get(pk=jane.pk).is_active is True
    booked.refresh_from_db()
    assert booked.status == Status.SCHEDULED


def test_a_cookie_session_does_not_revive_with_the_account(client, ada, jane):
    client.force_login(jane)
    before = client.get("/api/auth/profile/")

    services.deactivate(jane, by=ada)
    services.reactivate(jane)

    assert before.status_code == 200
    assert status_and_code(client.get("/api/auth/profile/")) == (401, "not_authenticated")


def test_all_sessions_of_the_patient_end_immediately(api, ada, jane, omar):
    phone, laptop, other = api(jane), api(jane), api(omar)
    body = {"username": "jane", "password": PASSWORD}
    refresh = data(api().post("/api/auth/login/", body))["refresh"]
    data(phone.get(url(jane)))

    api(ada).delete(url(jane))

    assert status_and_code(phone.get(url(jane))) == (401, "token_invalid")
    assert status_and_code(laptop.get("/api/auth/profile/")) == (401, "token_invalid")
    refreshed = api().post("/api/auth/refresh/", {"refresh": refresh})
    assert status_and_code(refreshed) == (401, "token_invalid")
    assert status_and_code(api().post("/api/auth/login/", body)) == (401, "invalid_credentials")
    assert Session.objects.filter(user=jane.pk).live().count() == 0
    assert other.get(url(omar)).status_code == 200


def test_coming_appointments_are_cancelled_and_their_slots_available(api, smith, ada, jane, omar):
    scheduled = make_appointment(patient=jane, doctor=smith)
    confirmed = make_appointment(Status.CONFIRMED, patient=jane, doctor=smith)
    anothers = make_appointment(patient=omar, doctor=smith)

    api(ada).delete(url(jane))

    for appointment in (scheduled, confirmed):
        appointment.refresh_from_db()
        entry = appointment.history.last()
        assert appointment.status == Status.CANCELLED
        assert (entry.action, entry.changed_by) == ("cancel", ada)
        appointments.book(
            patient=omar, time_slot=appointment.time_slot, by=omar, reason_for_visit="A cough"
        )
    anothers.refresh_from_db()
    assert anothers.status == Status.SCHEDULED


def test_past_and_started_appointments_are_unchanged(api, smith, ada, jane):
    missed = make_appointment(patient=jane, doctor=smith)
    others = [
        make_appointment(status, patient=jane, doctor=smith)
        for status in (Status.IN_PROGRESS, Status.COMPLETED, Status.NO_SHOW)
    ]
    before = [missed.status, *(one.status for one in others)]
    moves = AppointmentHistory.objects.count()

    with clock.frozen_at(missed.starts_at + timedelta(minutes=1)):
        services.deactivate(jane, by=ada)

    for one in (missed, *others):
        one.refresh_from_db()
    assert [missed.status, *(one.status for one in others)] == before
    assert AppointmentHistory.objects.count() == moves


def test_clinical_rows_are_kept_and_readable_by_staff(api, smith, ada, jane):
    visit = add_parts(make_consultation(patient=jane, doctor=smith, status=Status.CONFIRMED))
    done = make_consultation(patient=jane, doctor=smith, completed=True)
    clinical = [Consultation, *(record.model for record in record_of(Consultation).parts)]
    before = all_rows(*clinical)
    appointments_before = Appointment.objects.count()

    api(ada).delete(url(jane))

    assert all_rows(*clinical) == before
    assert Appointment.objects.count() == appointments_before
    assert Patient.objects.filter(pk=jane.pk).count() == 1
    for reader in (smith, ada):
        assert ids(api(reader).get("/api/consultations/")) == [done.pk, visit.pk]


def test_email_and_username_stay_in_use(api, smith, ada, jane):
    api(ada).delete(url(jane))
    clerk = api(smith)
    before = all_rows(User)
    body = {"first_name": "Janet", "last_name": "Roe"}

    error = error_details(clerk.post(LIST, body | {"email": "Jane@example.com", "username": "j2"}))
    own = body | {"username": "Jane", "email": "j@example.com", "password": PASSWORD}
    by_herself = error_details(api().post("/api/auth/register/", own | {"user_type": "patient"}))

    assert (error[0], list(error[2])) == (400, ["email"])
    assert (by_herself[0], list(by_herself[2])) == (400, ["username"])
    assert all_rows(User) == before


def test_a_deactivated_patient_is_refused_in_a_body(api, smith, ada, jane):
    slot = TimeSlotFactory(doctor=smith)
    api(ada).delete(url(jane))
    client = api(smith)

    booking = {"patient": jane.pk, "time_slot": slot.pk, "reason_for_visit": "A cough"}
    booked = error_details(client.post("/api/appointments/", booking))
    walk_in = error_details(
        client.post("/api/consultations/", {"patient": jane.pk, "chief_complaint": "A cough"})
    )

    gone = {"patient": [GONE_PATIENT]}
    assert booked == walk_in == (400, "validation_error", gone)
    assert Appointment.objects.count() == Consultation.objects.count() == 0


def test_a_failure_rolls_everything_back(smith, ada, jane, api):
    appointment = make_appointment(patient=jane, doctor=smith)
    client = api(jane)
    before = all_rows(User, Appointment, AppointmentHistory, Session)

    def fail(sender, patient, **kwargs):
        appointment.refresh_from_db()
        assert (patient.is_active, appointment.status) == (False, Status.CANCELLED)
        raise RuntimeError("the last receiver fails")

    patient_deactivated.connect(fail)
    try:
        with pytest.raises(RuntimeError, match="the last receiver fails"):
            services.deactivate(jane, by=ada)
    finally:
        patient_deactivated.disconnect(fail)

    assert all_rows(User, Appointment, AppointmentHistory, Session) == before
    assert client.get(url(jane)).status_code == 200


def test_the_version_names_the_deactivating_user_also_outside_a_request(api, ada, jane, omar):
    api(ada).delete(url(jane))
    services.deactivate(omar, by=ada)

    for patient in (jane, omar):
        version = User.history.filter(id=patient.pk).latest("history_id")
        assert (version.history_type, version.is_active) == ("~", False)
        assert version.history_user == ada


def test_a_reactivated_patient_is_visible_and_appointments_stay_cancelled(api, smith, ada, jane):
    appointment = make_appointment(patient=jane, doctor=smith)
    services.deactivate(jane, by=ada)

    services.reactivate(jane)

    assert ids(api(smith).get(LIST)) == [jane.pk]
    assert api(jane).get(url(jane)).status_code == 200
    appointment.refresh_from_db()
    assert appointment.status == Status.CANCELLED
