"""The demo clinic looks alive whenever it is started, and starting it again spoils nothing."""

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


def run(moment):
    """What `manage.py demo` makes of the database at that moment, as (appointments, statuses)."""
    with clock.frozen_at(moment):
        demo.make_clinic()
    return Counter(Appointment.objects.values_list("status", flat=True))


def under_way():
    return Appointment.objects.get(status=Status.IN_PROGRESS)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize("shown", ["00:10", "23:50"])
def test_every_status_is_there_at_any_hour_anywhere(settings, zone, shown):
    settings.TIME_ZONE = zone
    now = datetime.fromisoformat(f"2026-05-09T{shown}").replace(tzinfo=ZoneInfo(zone))  # Saturday

    statuses = run(now)

    assert set(statuses) == set(Status)
    assert under_way().date == now.date()
    assert under_way().starts_at <= now < under_way().ends_at + timedelta(minutes=15)
    assert under_way().consultation.vital_signs.count() == 1


@pytest.mark.parametrize(
    "now",
    ["2026-03-29T03:05:00+02:00", "2026-10-25T02:10:00+02:00", "2026-10-25T02:10:00+01:00"],
)
def test_it_can_be_started_in_the_night_the_clocks_change(now):
    statuses = run(datetime.fromisoformat(now))

    assert set(statuses) == set(Status)


def test_it_is_made_whatever_the_clinic_asks_of_patients_and_asks_again_afterwards(settings):
    for rule in booking_rules.RULES:
        setattr(settings, rule, 1)
    settings.BOOKING_NOTICE_MINUTES = settings.CANCELLATION_NOTICE_HOURS = 10_000

    statuses = run(WEDNESDAY)

    assert set(statuses) == set(Status)
    assert all(getattr(settings, rule) for rule in booking_rules.RULES)


def test_today_has_visits_behind_and_ahead():
    run(WEDNESDAY)

    today = Appointment.objects.on(WEDNESDAY.date())
    assert today.filter(status=Status.COMPLETED, ends_at__lte=WEDNESDAY).exists()
    assert today.filter(status__in=UPCOMING, starts_at__gt=WEDNESDAY).exists()
    reasons = list(today.values_list("patient", "reason_for_visit"))
    assert len(set(reasons)) == len(reasons)


def test_two_weeks_behind_are_over_and_two_ahead_have_room():
    run(WEDNESDAY)

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
    run(WEDNESDAY)
    before = [list(model.objects.order_by("pk").values()) for model in EVERYTHING]

    run(WEDNESDAY + timedelta(minutes=2))

    assert [list(model.objects.order_by("pk").values()) for model in EVERYTHING] == before


def test_later_the_same_day_life_went_on_and_no_appointment_was_added():
    run(WEDNESDAY)
    first, count = under_way(), Appointment.objects.count()

    run(WEDNESDAY + timedelta(hours=2))

    assert Appointment.objects.count() == count
    assert under_way().starts_at > first.starts_at
    first.refresh_from_db()
    assert first.status == Status.COMPLETED
    assert first.consultation.prescriptions.count() + first.consultation.notes.count() > 0


def test_three_weeks_later_the_gap_is_filled_and_what_was_ahead_has_taken_place():
    run(WEDNESDAY)
    later = WEDNESDAY + timedelta(weeks=3)

    statuses = run(later)

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


def test_what_a_visitor_of_the_demo_booked_is_left_alone():
    run(WEDNESDAY)
    doctor, blair = Doctor.objects.get(username="dr.fay"), Patient.objects.get(username="blair")
    tomorrow = WEDNESDAY.date() + timedelta(days=1)
    with clock.frozen_at(WEDNESDAY):
        slot = TimeSlot.objects.free().filter(doctor=doctor).between(tomorrow, tomorrow).last()
        mine = appointments.book(
            patient=blair, time_slot=slot, by=blair, reason_for_visit="A question of mine"
        )

    run(WEDNESDAY + timedelta(days=3))

    mine.refresh_from_db()
    assert mine.status == Status.SCHEDULED
    assert mine.history.count() == 1


def test_what_a_visitor_of_the_demo_wrote_stays_when_the_visit_is_ended():
    run(WEDNESDAY)
    consultation = under_way().consultation
    services.update_text(consultation, by=consultation.doctor, diagnosis="My own words")

    run(WEDNESDAY + timedelta(days=1))

    consultation.refresh_from_db()
    assert consultation.diagnosis == "My own words"
    assert consultation.treatment_plan
    assert consultation.is_closed


def test_a_visit_that_a_visitor_of_the_demo_began_too_late_is_ended_after_it_began():
    run(WEDNESDAY)
    ahead = Appointment.objects.filter(starts_at__gt=WEDNESDAY).soonest_first()
    ahead = next(row for row in ahead if demo.takes_place(demo.visit_of(row)))
    late = ahead.ends_at + timedelta(hours=1)
    with clock.frozen_at(late):
        consultation = services.open_for(ahead, by=ahead.doctor)
        services.start(consultation, by=ahead.doctor)

    run(WEDNESDAY + timedelta(days=7))

    consultation.refresh_from_db()
    assert consultation.ended_at == late


def test_an_outcome_that_a_visitor_of_the_demo_forestalled_is_not_forced():
    run(WEDNESDAY)
    ahead = Appointment.objects.filter(starts_at__gt=WEDNESDAY).soonest_first()
    ahead = next(row for row in ahead if not demo.takes_place(demo.visit_of(row)))
    with clock.frozen_at(ahead.starts_at):
        appointments.move(ahead, "start", by=ahead.doctor)

    run(WEDNESDAY + timedelta(days=14))

    ahead.refresh_from_db()
    assert ahead.status == Status.IN_PROGRESS


def test_a_closed_record_a_deactivated_doctor_and_a_new_allergy_do_not_stop_it():
    run(WEDNESDAY)
    with clock.frozen_at(WEDNESDAY):
        deactivate(Patient.objects.get(username="carin"), by=User.objects.get(username="admin"))
    Doctor.objects.filter(username="dr.kassulke").update(is_active=False)
    Patient.objects.update(allergies="Amlodipine, Acetaminophen")
    before = Prescription.objects.filter(medication_name="Amlodipine").count()

    statuses = run(WEDNESDAY + timedelta(weeks=4))

    assert set(statuses) == set(Status)
    assert Prescription.objects.filter(medication_name="Amlodipine").count() == before
    ahead = {"starts_at__gt": WEDNESDAY + timedelta(weeks=4)}
    new = Appointment.objects.filter(**ahead)
    assert "carin" not in set(new.values_list("patient__username", flat=True))
    for rows in (new, TimeSlot.objects.filter(**ahead)):
        assert set(rows.values_list("doctor__username", flat=True)) == {"dr.fay"}


def test_at_the_weekend_both_doctors_have_something_today():
    saturday = WEDNESDAY + timedelta(days=3)

    run(saturday)

    today = Appointment.objects.on(saturday.date())
    assert today.values("doctor").distinct().count() == 2


def test_patients_who_are_elsewhere_are_not_booked_at_that_time():
    run(WEDNESDAY)
    new_day = WEDNESDAY.date() + timedelta(days=demo.DAYS + 1)
    hours = {"date": new_day, "start_time": demo.OPENS, "end_time": demo.CLOSES}
    with clock.frozen_at(WEDNESDAY):
        for patient in Patient.objects.all():
            other = DoctorFactory()
            slot = open_slot(doctor=other, **hours)
            appointments.book(patient=patient, time_slot=slot, by=other, reason_for_visit="Long")

    run(WEDNESDAY + timedelta(days=1))

    booked = Appointment.objects.on(new_day).values_list("reason_for_visit", flat=True)
    assert list(booked) == ["Long"] * 3


def test_the_published_sign_ins_open_the_door(api):
    run(WEDNESDAY)

    for username, password in demo.SIGN_INS.items():
        body = {"username": username, "password": password}
        response = api().post("/api/auth/login/", body)
        assert response.status_code == 200, username
    assert set(User.objects.values_list("username", flat=True)) == set(demo.SIGN_INS)
    assert User.objects.get(username="admin").email == "admin@example.com"
    assert Doctor.objects.filter(license_verified=True).count() == 2


def test_the_allergy_refusal_can_be_shown():
    run(WEDNESDAY)
    carin, doctor = Patient.objects.get(username="carin"), Doctor.objects.first()
    consultation = services.open_walk_in(
        patient=carin, doctor=doctor, chief_complaint="Sore throat", by=doctor
    )

    with pytest.raises(ValidationError) as refusal:
        services.prescribe(consultation, by=doctor, medication_name="Penicillin V 500 mg")

    assert refusal.value.error_dict["medication_name"][0].code == "allergy_conflict"


def test_the_command_refuses_a_clinic_that_is_not_a_demo(settings):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG"):
        call_command("demo", "--no-server")

    assert not User.objects.exists()


def test_the_command_makes_the_clinic_and_says_how_to_get_in(settings, capsys):
    settings.DEBUG = True

    call_command("demo", "--no-server", "127.0.0.1:8123")

    told = capsys.readouterr().out
    assert "http://127.0.0.1:8123/api/docs/" in told
    for username, password in demo.SIGN_INS.items():
        assert any(line.split()[:2] == [username, password] for line in told.splitlines())


def test_a_busy_port_is_said_in_a_sentence(settings):
    settings.DEBUG = True

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Cannot serve .*:{port}: .* demo .*:{port + 1}$"):
            call_command("demo", f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["", "clinic", "127.0.0.1:", "127.0.0.1:0", "8000:99999"])
def test_an_address_that_is_none_is_refused(settings, address):
    settings.DEBUG = True

    with pytest.raises(CommandError, match="is not an address"):
        call_command("demo", "--no-server", address)
