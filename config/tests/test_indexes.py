"""Each list reads its page from an index, in the order it is shown in; no index is kept twice."""

import re
from contextlib import contextmanager
from itertools import permutations

import pytest
from django.apps import apps
from django.db import connection, models

from appointments.models import Appointment
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.tests.personas import build_clinic

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite plans without knowing what a row costs"
)

# who asks, what for, and the index it is read from
PAGES = [
    ("ada", "/api/patients/", "people_by_name"),
    ("house", "/api/patients/", "people_by_name"),
    ("jane", "/api/doctors/", "people_by_name"),
    ("ada", "/api/time-slots/", "slots_by_day"),
    ("jane", "/api/time-slots/", "slots_by_day"),
    ("house", "/api/time-slots/", "slots_of_doctor"),
    ("jane", "/api/time-slots/?doctor={house}&available=true", "slots_of_doctor"),
    ("ada", "/api/appointments/", "appointments_by_day"),
    ("house", "/api/appointments/", "appointments_of_doctor"),
    ("house", "/api/appointments/?status=in_progress", "doctor_appointments_by_status"),
    ("jane", "/api/appointments/", "appointments_of_patient"),
    ("ada", "/api/appointments/?patient={jane}", "appointments_of_patient"),
    ("ada", "/api/upcoming/", "appointments_by_day"),
    ("house", "/api/upcoming/", "open_appointments_of_doctor"),
    ("jane", "/api/upcoming/", "appointments_of_patient"),
    ("ada", "/api/consultations/", "consultations_by_time"),
    ("ada", "/api/consultations/?doctor={house}", "consultations_of_doctor"),
    ("house", "/api/consultations/", "consultations_by_time"),
    ("jane", "/api/consultations/", "consultations_of_patient"),
    ("house", "/api/patients/{jane}/consultations/", "consultations_of_patient"),
    ("jane", "/api/patients/{jane}/emergency-access/", "emergency_of_patient"),
]


@pytest.fixture
def clinic(db):
    clinic = build_clinic()
    make_appointment(doctor=clinic.house, patient=clinic.jane)
    return clinic


@pytest.fixture
def plan_of(api, clinic):
    """How PostgreSQL reads the page that somebody asks for."""

    def plan(who, address, **switches):
        people = {name: getattr(clinic, name).pk for name in ("jane", "house")}
        with statements() as asked:
            response = api(getattr(clinic, who)).get(address.format(**people))
        assert response.json()["data"]["results"]
        pages = [one for one in asked if "LIMIT" in one[0] and "ORDER BY" in one[0]]
        return explain(*pages[-1], **switches)

    return plan


@contextmanager
def statements():
    """(sql, params) of what is asked of the database meanwhile."""
    asked = []

    def note(execute, sql, params, many, context):
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield asked


def explain(sql, params, **switches):
    with connection.cursor() as cursor:
        for switch, value in switches.items():
            cursor.execute(f"SET LOCAL {switch} = {value}")
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(row for (row,) in cursor.fetchall())


@on_postgresql
@pytest.mark.parametrize(("who", "address", "index"), PAGES)
def test_a_page_is_read_in_its_order_from_an_index(plan_of, who, address, index):
    """The tables are nearly empty, so the planner is told to avoid what it would do with few rows.

    Where it sorts nevertheless, no index has that order.
    """
    avoided = ("seqscan", "bitmapscan", "sort", "incremental_sort")

    plan = plan_of(who, address, **{f"enable_{way}": "off" for way in avoided})

    assert f" using {index} " in plan
    assert "Sort" not in plan


@on_postgresql
def test_whom_a_doctor_treats_is_asked_of_the_rows_on_the_page(plan_of):
    """Not of all his patients first, as PostgreSQL would do that does not see how few are shown."""
    plan = plan_of("house", "/api/consultations/", enable_seqscan="off", enable_bitmapscan="off")

    assert re.search(r"OR \(\$\d AND \(SubPlan \d\)\) OR", plan)


@on_postgresql
def test_whom_a_doctor_treats_is_found_in_an_index_alone(clinic):
    treats = Appointment.objects.establishing_care_by(clinic.house).order_by("patient")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")

    assert "Index Only Scan using who_treats_whom " in treats.values("patient").explain()


@on_postgresql
def test_the_next_free_slot_of_each_doctor_is_found_in_an_index_alone(plan_of):
    """Not among the slots of all, which would be read until one of this doctor's comes."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_standing_slot_per_start")  # few slots it finds as well

    plan = plan_of("jane", "/api/doctors/", enable_seqscan="off", enable_bitmapscan="off")

    assert "Index Only Scan using slots_of_doctor " in plan


@on_postgresql
def test_who_holds_a_slot_is_asked_of_the_slots_on_the_page(plan_of, clinic):
    """Not of all that anybody holds ahead first, which is cheaper where every slot is shown."""
    TimeSlotFactory.create_batch(50, doctor=clinic.house)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE appointments_timeslot, appointments_appointment")

    plan = plan_of("house", "/api/time-slots/")

    assert "time_slot_id = appointments_timeslot.id" in plan


@on_postgresql
def test_what_a_doctor_holds_ahead_is_read_from_an_index_at_once(plan_of):
    """Not slot by slot."""
    plan = plan_of(
        "jane",
        "/api/time-slots/?doctor={house}",
        enable_seqscan="off",
        enable_nestloop="off",
        enable_mergejoin="off",
    )

    assert "Hash Anti Join" in plan
    assert "Index Only Scan using held_slots_of_doctor " in plan


@on_postgresql
@pytest.mark.parametrize(
    ("who", "address", "index"),
    [
        ("house", "/api/patients/?search=jan", "people_by_words"),
        ("jane", "/api/patients/{jane}/access-log/", "audit_of_patient"),
    ],
)
def test_what_is_not_found_in_order_has_an_index_too(plan_of, who, address, index):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX people_by_name")  # of so few people it finds all as well

    plan = plan_of(who, address, enable_seqscan="off", enable_indexscan="off")

    assert f"Bitmap Index Scan on {index} " in plan


def test_no_index_is_the_beginning_of_another():
    twice = {
        model.__name__: [
            (shorter, longer)
            for shorter, longer in permutations(indexes_of(model), 2)
            if longer[: len(shorter)] == shorter
        ]
        for model in apps.get_models()
        if model.__module__.split(".")[0]
        in ("accounts", "patients", "appointments", "consultations")
        and not model.__name__.startswith("Historical")
    }

    assert not any(twice.values()), twice


def indexes_of(model):
    """The columns of each index that covers every row."""
    single = [(field.name,) for field in model._meta.local_fields if field.db_index or field.unique]
    named = [
        tuple(one.fields)
        for one in [*model._meta.indexes, *model._meta.constraints]
        if isinstance(one, models.Index | models.UniqueConstraint) and not one.condition
    ]
    return [columns for columns in [*single, *named] if columns]
