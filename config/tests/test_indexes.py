"""Each list is read from an index in its order, and no index is redundant."""

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

# user, URL, and the index that is used
PAGES = [
    ("ada", "/api/patients/", "people_by_sort_name"),
    ("house", "/api/patients/", "people_by_sort_name"),
    ("jane", "/api/doctors/", "people_by_sort_name"),
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
    """Returns PostgreSQL's plan for the query of a page."""

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
    """Collects (sql, params) of the queries in the block."""
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
def test_a_page_is_read_in_order_from_an_index(plan_of, who, address, index):
    """The planner is discouraged from what it prefers for small tables; a remaining sort shows
    that no index has the order.
    """
    avoided = ("seqscan", "bitmapscan", "sort", "incremental_sort")

    plan = plan_of(who, address, **{f"enable_{way}": "off" for way in avoided})

    assert f" using {index} " in plan
    assert "Sort" not in plan


@on_postgresql
def test_care_relationships_are_checked_for_the_rows_of_the_page(plan_of):
    """The query does not collect all patients of the doctor first."""
    plan = plan_of("house", "/api/consultations/", enable_seqscan="off", enable_bitmapscan="off")

    assert re.search(r"OR \(\$\d AND \(SubPlan \d\)\) OR", plan)


@on_postgresql
def test_care_relationships_are_read_by_an_index_only_scan(clinic):
    treats = Appointment.objects.establishing_care_by(clinic.house).order_by("patient")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")

    assert "Index Only Scan using who_treats_whom " in treats.values("patient").explain()


@on_postgresql
def test_the_next_free_slot_of_each_doctor_is_read_by_an_index_only_scan(plan_of):
    """The query does not read the slots of all doctors in order of time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP INDEX one_standing_slot_per_start"
        )  # for few slots another plan is cheaper

    plan = plan_of("jane", "/api/doctors/", enable_seqscan="off", enable_bitmapscan="off")

    assert "Index Only Scan using slots_of_doctor " in plan


@on_postgresql
def test_taken_slots_are_checked_for_the_rows_of_the_page(plan_of, clinic):
    """The query does not collect all taken slots first, which is cheaper only without a page."""
    TimeSlotFactory.create_batch(50, doctor=clinic.house)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE appointments_timeslot, appointments_appointment")

    plan = plan_of("house", "/api/time-slots/")

    assert "time_slot_id = appointments_timeslot.id" in plan


@on_postgresql
def test_taken_slots_of_a_doctor_are_read_from_one_index(plan_of):
    """The query is not executed for each slot."""
    plan = plan_of(
        "jane",
        "/api/time-slots/?doctor={house}",
        enable_seqscan="off",
        enable_bitmapscan="off",
        enable_nestloop="off",
        enable_mergejoin="off",
    )

    assert "Hash Anti Join" in plan
    assert "Index Only Scan using held_slots_of_doctor " in plan


@on_postgresql
@pytest.mark.parametrize(
    ("who", "address", "index"),
    [
        ("house", "/api/patients/?search=jan", "people_by_search_text"),
        ("jane", "/api/patients/{jane}/access-log/", "audit_of_patient"),
    ],
)
def test_filters_and_lookups_have_an_index(plan_of, who, address, index):
    with connection.cursor() as cursor:
        # For so few users a sequential scan is cheaper.
        cursor.execute("DROP INDEX people_by_sort_name")

    plan = plan_of(who, address, enable_seqscan="off", enable_indexscan="off")

    assert f"Bitmap Index Scan on {index} " in plan


def test_no_index_is_a_prefix_of_another():
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
    """Returns the columns of each index that is not partial."""
    single = [(field.name,) for field in model._meta.local_fields if field.db_index or field.unique]
    named = [
        tuple(one.fields)
        for one in [*model._meta.indexes, *model._meta.constraints]
        if isinstance(one, models.Index | models.UniqueConstraint) and not one.condition
    ]
    return [columns for columns in [*single, *named] if columns]
