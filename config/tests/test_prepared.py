"""Prepared queries return what their querysets return."""

import json
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.auth.authentication import find_session
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.serializers import PROFILES
from accounts.tests.factories import AdminFactory, DoctorFactory, UserFactory
from appointments import locks
from appointments.models import Appointment, TimeSlot
from appointments.serializers import AppointmentSerializer
from appointments.slot_serializers import DoctorSerializer, TimeSlotSerializer
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.api.renderers import FastJSONRenderer
from config.db.prepared import EXAMPLES, PreparedQuery
from consultations.models import Consultation
from consultations.serializers import ConsultationSerializer
from consultations.tests.factories import make_consultation
from patients.models import Patient
from patients.serializers import PatientListSerializer, PatientSerializer
from patients.tests.factories import PatientFactory

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite runs the querysets"
)


def users_named(name):
    return User.objects.filter(first_name=name).order_by("pk")


def users_by(key, name):
    return users_named(name).order_by(*key)


@pytest.fixture(autouse=True)
def fast_reads(settings):
    settings.FAST_READS = True


@pytest.fixture
def three_users(db):
    return [UserFactory(first_name="Ann"), UserFactory(first_name="Ann"), UserFactory()]


@pytest.mark.parametrize("is_fast", [True, False])
def test_rows_are_tuples_of_the_columns(three_users, settings, is_fast):
    settings.FAST_READS = is_fast
    query = PreparedQuery(users_named, columns=["pk", "first_name"])

    assert query.rows("Ann") == [(user.pk, "Ann") for user in three_users[:2]]
    assert query.rows("Nobody") == []


@pytest.mark.parametrize("is_fast", [True, False])
def test_pages_and_counts_select_from_the_same_rows(three_users, settings, is_fast):
    settings.FAST_READS = is_fast
    query = PreparedQuery(users_by, columns=["pk"])

    assert query.count("Ann", key=("-pk",)) == 2
    assert query.page("Ann", key=("-pk",), limit=1) == [(three_users[1].pk,)]
    assert query.page("Ann", key=("-pk",), limit=5, offset=1) == [(three_users[0].pk,)]
    assert query.page("Ann", key=("pk",), limit=1) == [(three_users[0].pk,)]


@on_postgresql
def test_the_sql_is_generated_once_for_each_key(three_users):
    query = PreparedQuery(users_by, columns=["pk"])

    for name in ("Ann", "Bea"):
        for key in (("pk",), ("-pk",)):
            query.rows(name, key=key)

    found = query.statement.cache_info()
    assert (found.misses, found.hits) == (2, 2)


@on_postgresql
@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda number: User.objects.all()[: number % 7], id="a slice"),
        pytest.param(
            lambda number: User.objects.filter(pk=number + 1), id="a value that is computed"
        ),
        pytest.param(
            lambda number: User.objects.order_by("pk" if number % 2 else "-pk"), id="an order"
        ),
    ],
)
def test_a_query_whose_text_depends_on_a_value_runs_as_its_queryset(three_users, build, caplog):
    query = PreparedQuery(build, columns=["pk"])
    number = three_users[0].pk

    with caplog.at_level(logging.WARNING, "config.db.prepared"):
        rows = query.rows(number)

    assert rows == list(build(number).values_list("pk"))
    assert "cannot be prepared" in caplog.text


@on_postgresql
def test_a_constant_of_the_query_stays_a_constant(three_users):
    query = PreparedQuery(
        lambda name: users_named(name).filter(last_name=F("last_name"), is_active=True),
        columns=["pk"],
    )
    User.objects.filter(pk=three_users[0].pk).update(is_active=False)

    assert query.rows("Ann") == [(three_users[1].pk,)]


def test_a_name_with_a_percent_sign_is_found(db):
    user = UserFactory(first_name="100 % Ann_")

    assert PreparedQuery(users_named, columns=["pk"]).rows("100 % Ann_") == [(user.pk,)]


@pytest.mark.django_db
def test_a_session_has_its_user_and_one_statement_finds_both():
    user = UserFactory()
    open_session(user)
    session = Session.objects.get()
    find_session(session.pk)

    with CaptureQueriesContext(connection) as captured:
        found = find_session(session.pk)
        assert found.user.full_name == user.full_name

    assert len(captured) == 1
    assert found == session
    assert columns_of(found.user) == columns_of(User.objects.get(pk=user.pk))
    assert found.is_live
    assert find_session(UUID(int=1)) is None


@pytest.mark.django_db(transaction=True)
def test_locked_rows_equal_those_of_the_queryset():
    patient, slot = PatientFactory(), TimeSlotFactory()

    with transaction.atomic():
        locked_patient, locked_slot = locks.lock_patient(patient.pk), locks.lock_slot(slot.pk)

    expected = TimeSlot.objects.with_bookable().get(pk=slot.pk)
    assert columns_of(locked_patient) == columns_of(Patient.objects.get(pk=patient.pk))
    assert columns_of(locked_slot) == columns_of(expected)
    assert columns_of(locked_slot.doctor) == columns_of(expected.doctor)
    assert locked_slot.doctor.get_deferred_fields() == expected.doctor.get_deferred_fields()


def columns_of(instance):
    return {name: value for name, value in vars(instance).items() if not name.startswith("_")}


# --- Output ---------------------------------------------------------------------------------


def appointments():
    visit = make_appointment()
    return AppointmentSerializer, Appointment.objects.with_names().get(pk=visit.pk)


def time_slots():
    slot = TimeSlotFactory()
    return TimeSlotSerializer, TimeSlot.objects.with_names().with_availability().get(pk=slot.pk)


def consultations():
    visit = make_consultation()
    return ConsultationSerializer, Consultation.objects.with_names().get(pk=visit.pk)


def doctors():
    doctor = DoctorFactory(avatar="avatars/x.webp")
    doctor.next_available = datetime(2026, 12, 7, 8, tzinfo=UTC)
    return DoctorSerializer, doctor


def patients():
    patient = PatientFactory(date_of_birth="1990-04-12")
    return PatientSerializer, Patient.objects.get(pk=patient.pk)


def listed_patients():
    return PatientListSerializer, PatientFactory()


def profiles():
    return PROFILES["doctor"], DoctorFactory()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "example",
    [appointments, time_slots, consultations, doctors, patients, listed_patients, profiles],
)
@pytest.mark.parametrize("role", ["patient", "doctor", "admin"])
def test_an_output_function_writes_what_the_fields_of_the_serializer_write(rf, example, role):
    serializer_class, instance = example()
    request = rf.get("/")
    request.user = {"patient": PatientFactory, "doctor": DoctorFactory, "admin": AdminFactory}[
        role
    ]()
    serializer = serializer_class(instance, context={"request": request})

    by_output = as_json(serializer.to_representation(instance))
    by_fields = as_json(
        {
            name: _written(field, instance)
            for name, field in serializer.fields.items()
            if not field.write_only and name != "allowed"
        }
    )

    by_output.pop("allowed", None)
    assert by_output == by_fields
    assert list(by_output) == list(by_fields)


def _written(field, instance):
    value = field.get_attribute(instance)
    return None if value is None else field.to_representation(value)


def as_json(data):
    return json.loads(FastJSONRenderer().render(data))


def test_the_examples_of_the_types_are_outside_of_real_values():
    assert EXAMPLES[datetime](5) < timezone.now() - timedelta(days=365 * 100)
    assert EXAMPLES[int](0) > 2**60
