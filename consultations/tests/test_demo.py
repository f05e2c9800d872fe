"""The demo command creates realistic data for the current day and can be run again."""

import socket
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from accounts.models import Doctor, User
from accounts.tests.factories import DoctorFactory
from appointments import booking_rules, clock
from appointments import services as appointments
from appointments.lifecycle import UPCOMING, Status
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.slot_services import open_slot
from consultations import demo, services
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from patients.models import Patient
from patients.services import deactivate

pytestmark = pytest.mark.django_db

WEDNESDAY = datetime(2026, 5, 6, 10, 20, tzinfo=ZoneInfo("Europe/Berlin"))
EVERYTHING = [
    User,
    TimeSlot,
    Appointment,
    AppointmentHistory,
    Consultation,
    VitalSigns,
    Prescription,
    ConsultationNote,
]


def run_demo(moment):
    """Runs the demo at that moment; returns the number of appointments by status."""
    with clock.frozen_at(moment):
        demo.make_clinic()
    return Counter(Appointment.objects.values_list("status", flat=True))


def in_progress():
    return Appointment.objects.get(status=Status.IN_PROGRESS)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize("shown", ["00:10", "23:50"])
def test_every_status_exists_at_any_time_in_any_time_zone(settings, zone, shown):
    settings.TIME_ZONE = zone
    now = datetime.fromisoformat(f"2026-05-09T{shown}").replace(tzinfo=ZoneInfo(zone))  # Saturday

    statuses = run_demo(now)

    assert set(statuses) == set(Status)
    assert in_progress().date == now.date()
    assert in_progress().starts_at <= now < in_progress().ends_at + timedelta(minutes=15)
    assert in_progress().consultation.vital_signs.count() == 1


@pytest.mark.parametrize(
    "now",
    ["2026-03-29T03:05:00+02:00", "2026-10-25T02:10:00+02:00", "2026-10-25T02:10:00+01:00"],
)
def test_the_demo_runs_in_the_night_of_a_clock_change(now):
    statuses = run_demo(datetime.fromisoformat(now))

    assert set(statuses) == set(Status)


def test_the_demo_ignores_the_booking_rules_and_restores_them(settings):
    for rule in booking_rules.RULES:
        setattr(settings, rule, 1)
    settings.BOOKING_NOTICE_MINUTES = settings.CANCELLATION_NOTICE_HOURS = 10_000

    statuses = run_demo(WEDNESDAY)

    assert set(statuses) == set(Status)
    assert all(getattr(settings, rule) for rule in booking_rules.RULES)


def test_today_has_past_and_coming_appointments():
    run_demo(WEDNESDAY)

    today = Appointment.objects.on(WEDNESDAY.date())
    assert today.filter(status=Status.COMPLETED, ends_at__lte=WEDNESDAY).exists()
    assert today.filter(status__in=UPCOMING, starts_at__gt=WEDNESDAY).exists()
    reasons = list(today.values_list("patient", "reason_for_visit"))
    assert len(set(reasons)) == len(reasons)


def test_past_appointments_are_finished_and_coming_days_have_free_slots():
    run_demo(WEDNESDAY)

    with clock.frozen_at(WEDNESDAY):
        for distance in range(1, demo.DAYS + 1):
            behind, ahead = (WEDNESDAY + timedelta(days=days) for days in (-distance, distance))
            over = Appointment.objects.on(behind.date())
            assert over.exists() == (behind.weekday() < 5)
            assert not over.filter(status__in=UPCOMING | {Status.IN_PROGRESS}).exists()
            free = TimeSlot.objects.free().between(ahead.date(), ahead.date())
            assert free.exists() == (ahead.weekday() < 5)
    held = Consultation.objects.filter(ended_at__isnull=False)
    assert held.count() == Appointment.objects.filter(status=Status.COMPLETED).count()
    assert not held.filter(vital_signs=None).exists()
    assert not held.filter(notes=None).exists()
    assert Prescription.objects.exists()
    assert not AppointmentHistory.objects.filter(created_at__gt=WEDNESDAY).exists()
    assert not Consultation.objects.filter(updated_at__gt=WEDNESDAY).exists()


def test_a_second_run_adds_nothing():
    run_demo(WEDNESDAY)
    before = [list(model.objects.order_by("pk").values()) for model in EVERYTHING]

    run_demo(WEDNESDAY + timedelta(minutes=2))

    assert [list(model.objects.order_by("pk").values()) for model in EVERYTHING] == before


def test_a_later_run_on_the_same_day_moves_on_and_adds_no_appointment():
    run_demo(WEDNESDAY)
    first, count = in_progress(), Appointment.objects.count()

    run_demo(WEDNESDAY + timedelta(hours=2))

    assert Appointment.objects.count() == count
    assert in_progress().starts_at > first.starts_at
    first.refresh_from_db()
    assert first.status == Status.COMPLETED
    assert first.consultation.prescriptions.count() + first.consultation.notes.count() > 0


def test_a_run_after_three_weeks_fills_the_gap_and_finishes_old_appointments():
    run_demo(WEDNESDAY)
    later = WEDNESDAY + timedelta(weeks=3)

    statuses = run_demo(later)

    assert set(statuses) == set(Status)
    midnight = later.replace(hour=0, minute=0)
    behind = Appointment.objects.filter(starts_at__lt=midnight)
    assert not behind.filter(status__in=UPCOMING | {Status.IN_PROGRESS}).exists()
    days = {appointment.date for appointment in behind}
    weekdays = {
        (later - timedelta(days=distance)).date()
        for distance in range(1, 36)
        if (later - timedelta(days=distance)).weekday() < 5
    }
    assert days == {day for day in weekdays if day >= WEDNESDAY.date() - timedelta(days=14)}
    assert Appointment.objects.filter(starts_at__gt=later + timedelta(days=10)).exists()


def test_an_appointment_booked_by_a_user_is_not_changed():
    run_demo(WEDNESDAY)
    doctor, blair = Doctor.objects.get(username="dr.fay"), Patient.objects.get(username="blair")
    tomorrow = WEDNESDAY.date() + timedelta(days=1)
    with clock.frozen_at(WEDNESDAY):
        slot = TimeSlot.objects.free().filter(doctor=doctor).between(tomorrow, tomorrow).last()
        mine = appointments.book(
            patient=blair, time_slot=slot, by=blair, reason_for_visit="A question of mine"
        )

    run_demo(WEDNESDAY + timedelta(days=3))

    mine.refresh_from_db()
    assert mine.status == Status.SCHEDULED
    assert mine.history.count() == 1


def test_texts_written_by_a_user_are_kept_at_completion():
    run_demo(WEDNESDAY)
    consultation = in_progress().consultation
    services.update_text(consultation, by=consultation.doctor, diagnosis="My own words")

    run_demo(WEDNESDAY + timedelta(days=1))

    consultation.refresh_from_db()
    assert consultation.diagnosis == "My own words"
    assert consultation.treatment_plan
    assert consultation.is_closed


def test_a_consultation_started_late_by_a_user_ends_after_its_start():
    run_demo(WEDNESDAY)
    ahead = Appointment.objects.filter(starts_at__gt=WEDNESDAY).soonest_first()
    ahead = next(row for row in ahead if demo.takes_place(demo.visit_of(row)))
    late = ahead.ends_at + timedelta(hours=1)
    with clock.frozen_at(late):
        consultation = services.open_for(ahead, by=ahead.doctor)
        services.start(consultation, by=ahead.doctor)

    run_demo(WEDNESDAY + timedelta(days=7))

    consultation.refresh_from_db()
    assert consultation.ended_at == late


def test_an_outcome_set_by_a_user_is_not_overwritten():
    run_demo(WEDNESDAY)
    ahead = Appointment.objects.filter(starts_at__gt=WEDNESDAY).soonest_first()
    ahead = next(row for row in ahead if not demo.takes_place(demo.visit_of(row)))
    with clock.frozen_at(ahead.starts_at):
        appointments.move(ahead, "start", by=ahead.doctor)

    run_demo(WEDNESDAY + timedelta(days=14))

    ahead.refresh_from_db()
    assert ahead.status == Status.IN_PROGRESS


def test_deactivated_people_and_new_allergies_do_not_stop_the_demo():
    run_demo(WEDNESDAY)
    with clock.frozen_at(WEDNESDAY):
        deactivate(Patient.objects.get(username="carin"), by=User.objects.get(username="admin"))
    Doctor.objects.filter(username="dr.kassulke").update(is_active=False)
    Patient.objects.update(allergies="Amlodipine, Acetaminophen")
    before = Prescription.objects.filter(medication_name="Amlodipine").count()

    statuses = run_demo(WEDNESDAY + timedelta(weeks=4))

    assert set(statuses) == set(Status)
    assert Prescription.objects.filter(medication_name="Amlodipine").count() == before
    ahead = {"starts_at__gt": WEDNESDAY + timedelta(weeks=4)}
    new = Appointment.objects.filter(**ahead)
    assert "carin" not in set(new.values_list("patient__username", flat=True))
    for rows in (new, TimeSlot.objects.filter(**ahead)):
        assert set(rows.values_list("doctor__username", flat=True)) == {"dr.fay"}


def test_both_doctors_have_appointments_at_the_weekend():
    saturday = WEDNESDAY + timedelta(days=3)

    run_demo(saturday)

    today = Appointment.objects.on(saturday.date())
    assert today.values("doctor").distinct().count() == 2


def test_busy_patients_are_not_booked_at_the_same_time():
    run_demo(WEDNESDAY)
    new_day = WEDNESDAY.date() + timedelta(days=demo.DAYS + 1)
    hours = {"date": new_day, "start_time": demo.OPENS, "end_time": demo.CLOSES}
    with clock.frozen_at(WEDNESDAY):
        for patient in Patient.objects.all():
            other = DoctorFactory()
            slot = open_slot(doctor=other, **hours)
            appointments.book(patient=patient, time_slot=slot, by=other, reason_for_visit="Long")

    run_demo(WEDNESDAY + timedelta(days=1))

    booked = Appointment.objects.on(new_day).values_list("reason_for_visit", flat=True)
    assert list(booked) == ["Long"] * 3


def test_the_published_credentials_can_sign_in(api):
    run_demo(WEDNESDAY)

    for username, password in demo.SIGN_INS.items():
        body = {"username": username, "password": password}
        response = api().post("/api/auth/login/", body)
        assert response.status_code == 200, username
    assert set(User.objects.values_list("username", flat=True)) == set(demo.SIGN_INS)
    assert User.objects.get(username="admin").email == "admin@example.com"
    assert Doctor.objects.filter(license_verified=True).count() == 2


def test_an_allergy_conflict_can_be_demonstrated():
    run_demo(WEDNESDAY)
    carin, doctor = Patient.objects.get(username="carin"), Doctor.objects.first()
    consultation = services.open_walk_in(
        patient=carin, doctor=doctor, chief_complaint="Sore throat", by=doctor
    )

    with pytest.raises(ValidationError) as refusal:
        services.prescribe(consultation, by=doctor, medication_name="Penicillin V 500 mg")

    assert refusal.value.error_dict["medication_name"][0].code == "allergy_conflict"


def test_the_command_refuses_a_non_demo_database(settings):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG"):
        call_command("demo", "--no-server")

    assert not User.objects.exists()


def test_the_command_creates_the_clinic_and_prints_the_credentials(settings, capsys):
    settings.DEBUG = True

    call_command("demo", "--no-server", "127.0.0.1:8123")

    told = capsys.readouterr().out
    assert "http://127.0.0.1:8123/api/docs/" in told
    for username, password in demo.SIGN_INS.items():
        assert any(line.split()[:2] == [username, password] for line in told.splitlines())


def test_a_port_in_use_is_reported(settings):
    settings.DEBUG = True

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Cannot serve .*:{port}: .* demo .*:{port + 1}$"):
            call_command("demo", f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["", "clinic", "127.0.0.1:", "127.0.0.1:0", "8000:99999"])
def test_an_invalid_address_is_refused(settings, address):
    settings.DEBUG = True

    with pytest.raises(CommandError, match="is not an address"):
        call_command("demo", "--no-server", address)
