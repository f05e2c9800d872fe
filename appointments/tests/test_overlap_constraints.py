"""The database refuses overlaps by its own constraints, on both engines."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from appointments import overlap_constraints
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import all_rows, clinic_time, data, error_details, make_slot
from config.api.exceptions import problem_from
from config.checks import check_database_constraints

pytestmark = pytest.mark.usefixtures("wednesday")

SLOT_OVERLAP = (409, "slot_overlap", {"start_time": ["The doctor has another slot at that time."]})
PATIENT_OVERLAP = (
    409,
    "patient_overlap",
    {"time_slot": ["The patient has another appointment at that time."]},
)

# Times beside 10:00 to 11:00: overlapping ones, and others.
OVERLAPS = {
    "the same": ("10:00", 60),
    "begins before": ("09:30", 60),
    "ends after": ("10:30", 60),
    "within": ("10:15", 30),
    "around": ("09:00", 180),
}
ADJACENT = {"touches before": ("09:00", 60), "touches after": ("11:00", 60)}


def errors_of(write):
    """Returns the errors a client would be shown for a write; rolls the write back."""
    before = all_rows(Appointment, TimeSlot)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        write()
    assert all_rows(Appointment, TimeSlot) == before
    problem = problem_from(error.value)
    return problem.status, problem.code, problem.errors


def insert_slot(doctor, time, minutes, day="2026-12-07"):
    starts_at = clinic_time(f"{day} {time}")
    slot = TimeSlot(
        doctor=doctor, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes)
    )
    TimeSlot.objects.bulk_create([slot])
    return slot


@pytest.fixture
def ten(smith):
    """Dr. Smith's slot from 10:00 to 11:00 on Monday."""
    return make_slot("2026-12-07 10:00", 60, doctor=smith)


@pytest.mark.parametrize(("time", "minutes"), OVERLAPS.values(), ids=OVERLAPS)
def test_slots_of_a_doctor_do_not_overlap(time, minutes, smith, ten):
    # Equal start times violate another constraint as well, which reports the same error.
    assert errors_of(lambda: insert_slot(smith, time, minutes))[:2] == SLOT_OVERLAP[:2]


@pytest.mark.parametrize(("time", "minutes"), ADJACENT.values(), ids=ADJACENT)
def test_adjacent_slots_are_allowed(time, minutes, smith, ten):
    insert_slot(smith, time, minutes)

    assert smith.time_slots.count() == 2


def test_withdrawn_slots_and_slots_of_other_doctors_do_not_conflict(smith, meyer, ten, wednesday):
    insert_slot(meyer, "10:15", 30)
    TimeSlot.objects.filter(pk=ten.pk).update(withdrawn_at=wednesday)
    insert_slot(smith, "10:15", 30)

    assert TimeSlot.objects.count() == 3


def test_a_slot_and_an_appointment_may_overlap_their_own_old_time(jane, ten):
    make_appointment(time_slot=ten, patient=jane)
    later = {
        "starts_at": ten.starts_at + timedelta(minutes=15),
        "ends_at": ten.ends_at + timedelta(minutes=15),
    }

    assert TimeSlot.objects.update(**later) == 1
    assert Appointment.objects.update(**later) == 1


def test_a_slot_cannot_be_moved_onto_another(smith, ten):
    other = make_slot("2026-12-08 10:00", doctor=smith)
    rows = TimeSlot.objects.filter(pk=other.pk)
    onto = {"starts_at": ten.starts_at + timedelta(minutes=15), "ends_at": ten.ends_at}

    assert errors_of(lambda: rows.update(**onto)) == SLOT_OVERLAP


def test_restoring_a_withdrawn_slot_onto_another_is_refused(smith, ten, wednesday):
    gone = make_slot("2026-12-07 10:15", 30, doctor=smith, withdrawn_at=wednesday)
    rows = TimeSlot.objects.filter(pk=gone.pk)

    assert errors_of(lambda: rows.update(withdrawn_at=None)) == SLOT_OVERLAP


def test_raw_sql_is_refused(smith, ten):
    other = make_slot("2026-12-08 10:00", doctor=smith)

    def write():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE appointments_timeslot SET starts_at = "
                "(SELECT starts_at FROM appointments_timeslot WHERE id = %s) WHERE id = %s",
                [ten.pk, other.pk],
            )

    assert errors_of(write)[:2] == SLOT_OVERLAP[:2]


@pytest.mark.parametrize(("time", "minutes"), OVERLAPS.values(), ids=OVERLAPS)
def test_live_appointments_of_a_patient_do_not_overlap(time, minutes, meyer, jane, ten):
    make_appointment(time_slot=ten, patient=jane)
    slot = make_slot(f"2026-12-07 {time}", minutes, doctor=meyer)
    elsewhere = make_appointment(
        time_slot=make_slot("2026-12-09 10:00", doctor=meyer), patient=jane
    )
    rows = Appointment.objects.filter(pk=elsewhere.pk)
    onto = {"time_slot": slot, "starts_at": slot.starts_at, "ends_at": slot.ends_at}

    assert errors_of(lambda: rows.update(**onto)) == PATIENT_OVERLAP


def test_cancelled_appointments_and_those_of_other_patients_do_not_conflict(meyer, jane, omar, ten):
    make_appointment("cancelled", time_slot=ten, patient=jane)
    make_appointment(time_slot=ten, patient=omar)

    make_appointment(time_slot=make_slot("2026-12-07 10:15", 30, doctor=meyer), patient=jane)

    assert Appointment.objects.live().count() == 2


def test_restoring_a_cancelled_appointment_onto_another_is_refused(meyer, jane, ten):
    cancelled = make_appointment("cancelled", time_slot=ten, patient=jane)
    make_appointment(time_slot=make_slot("2026-12-07 10:15", 30, doctor=meyer), patient=jane)
    rows = Appointment.objects.filter(pk=cancelled.pk)

    assert errors_of(lambda: rows.update(status="scheduled")) == PATIENT_OVERLAP


def test_the_connection_is_usable_after_a_violation(smith, ten):
    errors_of(lambda: insert_slot(smith, "10:15", 30))

    assert TimeSlotFactory(doctor=smith).pk


@pytest.mark.django_db(transaction=True)
def test_a_missing_constraint_is_reported_and_reinstalled_by_migrate(smith, ten):
    assert check_database_constraints(databases=["default"]) == []
    overlap_constraints.remove(connection)
    missed = check_database_constraints(databases=["default"])
    insert_slot(smith, "10:15", 30).delete()

    call_command("migrate", verbosity=0, stdout=StringIO())

    assert [one.id for one in missed] == ["config.E004", "config.E004"]
    assert check_database_constraints(databases=["default"]) == []
    assert errors_of(lambda: insert_slot(smith, "10:15", 30)) == SLOT_OVERLAP


OTHER_CONSTRAINTS = {
    "for other rows": {"condition": "{row}withdrawn_at IS NOT NULL"},
    "by another column": {"owner": "created_at"},
    "for another table": {"table": "appointments_appointment", "condition": "{row}status = 'none'"},
}


@pytest.mark.parametrize("other", OTHER_CONSTRAINTS.values(), ids=OTHER_CONSTRAINTS)
@pytest.mark.django_db
def test_a_different_constraint_with_the_same_name_is_reported(other):
    constraint = overlap_constraints.OVERLAP_CONSTRAINTS[0]
    overlap_constraints.remove(connection)
    with connection.cursor() as cursor:
        made = [constraint._replace(**other), overlap_constraints.OVERLAP_CONSTRAINTS[1]]
        for statement in [one for rule in made for one in _statements_of(rule)]:
            cursor.execute(statement)

    assert overlap_constraints.missing(connection) == [constraint]


def _statements_of(constraint):
    return overlap_constraints._statements(constraint, connection.vendor)


@pytest.mark.django_db
def test_a_different_constraint_with_the_same_name_is_replaced(smith):
    overlap_constraints.remove(connection)
    with connection.cursor() as cursor:
        for statement in _statements_of(
            overlap_constraints.OVERLAP_CONSTRAINTS[0]._replace(condition="{row}id IS NULL")
        ):
            cursor.execute(statement)

    overlap_constraints.install(connection)

    assert overlap_constraints.missing(connection) == []
    make_slot("2026-12-07 10:00", 60, doctor=smith)
    assert errors_of(lambda: insert_slot(smith, "10:15", 30)) == SLOT_OVERLAP


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL never rebuilds a table")
@pytest.mark.django_db(transaction=True)
def test_constraints_are_reinstalled_by_migrate_after_sqlite_rebuilds_a_table():
    field = TimeSlot._meta.get_field("withdrawn_at")
    with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
        editor._remake_table(TimeSlot, alter_fields=[(field, field)])
    assert [one.name for one in overlap_constraints.missing(connection)] == [
        "slots_of_a_doctor_do_not_overlap"
    ]

    call_command("migrate", verbosity=0, stdout=StringIO())

    assert overlap_constraints.missing(connection) == []


# --- Alternatives suggested with a conflict -------------------------------------------------


def test_a_taken_slot_suggests_the_nearest_available_slots_of_the_doctor(
    api, smith, meyer, jane, omar, ten
):
    make_appointment(time_slot=ten, patient=omar)
    make_slot("2026-12-07 08:00", doctor=smith)
    near = [
        make_slot("2026-12-07 09:30", doctor=smith),
        make_slot("2026-12-07 11:00", doctor=smith),
        make_slot("2026-12-07 11:30", doctor=smith),
    ]
    make_appointment(time_slot=make_slot("2026-12-07 12:00", doctor=smith), patient=omar)
    make_slot("2026-12-07 10:00", doctor=meyer)
    make_slot("2026-12-14 10:00", doctor=smith)

    body = {"time_slot": ten.pk, "reason_for_visit": "A cough"}
    response = api(jane).post("/api/appointments/", body)

    assert error_details(response)[1] == "slot_taken"
    offered = response.json()["details"]["alternatives"]
    assert [one["time_slot"] for one in offered] == [slot.pk for slot in near]
    assert offered[0] == {
        "time_slot": near[0].pk,
        "starts_at": "2026-12-07T09:30:00+01:00",
        "ends_at": "2026-12-07T10:00:00+01:00",
    }
    chosen = body | {"time_slot": offered[0]["time_slot"]}
    assert data(api(jane).post("/api/appointments/", chosen), 201)["start_time"] == "09:30:00"


def test_no_slot_is_suggested_at_a_time_when_the_patient_is_busy(
    *, api, smith, meyer, jane, omar, ten
):
    make_appointment(time_slot=ten, patient=omar)
    make_appointment(time_slot=make_slot("2026-12-07 09:30", doctor=meyer), patient=jane)
    make_appointment(
        "cancelled", time_slot=make_slot("2026-12-07 11:30", doctor=meyer), patient=jane
    )
    make_slot("2026-12-07 09:15", doctor=smith)
    free = [
        make_slot("2026-12-07 09:00", 15, doctor=smith),
        make_slot("2026-12-07 11:00", doctor=smith),
        make_slot("2026-12-07 11:30", doctor=smith),
    ]

    response = api(jane).post(
        "/api/appointments/", {"time_slot": ten.pk, "reason_for_visit": "A cough"}
    )

    offered = response.json()["details"]["alternatives"]
    assert [one["time_slot"] for one in offered] == [slot.pk for slot in free]


def test_a_reschedule_suggests_slots_other_than_the_current_one(api, smith, jane, omar, ten):
    make_appointment(time_slot=ten, patient=omar)
    mine = make_appointment(time_slot=make_slot("2026-12-07 11:00", doctor=smith), patient=jane)
    beside = make_slot("2026-12-07 11:30", doctor=smith)

    response = api(jane).post(f"/api/appointments/{mine.pk}/reschedule/", {"time_slot": ten.pk})

    assert error_details(response)[1] == "slot_taken"
    offered = response.json()["details"]["alternatives"]
    assert [one["time_slot"] for one in offered] == [beside.pk]
