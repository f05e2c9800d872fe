"""Filters by own columns come to what Django would make of them, and all others are Django's."""

from datetime import date
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.exceptions import FieldError
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Upper
from django.db.models.sql import Query

from accounts.models import Session
from appointments.lifecycle import Status
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import an_appointment, noon
from config.api.statements import KeptQuerySet, written_anew
from consultations.models import Consultation
from patients.models import Patient

pytestmark = pytest.mark.django_db

OWN = {
    "a key": [Appointment, {"pk": 7}],
    "a key by its name": [Appointment, {"id__exact": 7}],
    "a key in digits": [Appointment, {"pk": "7"}],
    "a key of letters": [Session, {"pk": uuid4()}],
    "more than a key": [Appointment, {"pk__gt": 7, "pk__lte": 2**70}],
    "another's key": [Appointment, {"doctor": 7}],
    "its column": [Appointment, {"doctor_id": 7}],
    "its column, in digits": [Appointment, {"doctor_id__exact": "7"}],
    "words": [Patient, {"last_name": "Ito"}],
    "no words": [Patient, {"last_name": ""}],
    "a choice": [Appointment, {"status": Status.CANCELLED}],
    "a day": [Patient, {"date_of_birth__lt": date(2000, 1, 1)}],
    "moments": [Appointment, {"starts_at__gte": noon(1), "ends_at__lte": noon(2)}],
    "several": [Appointment, {"status": "scheduled", "patient": 7, "starts_at__gt": noon(1)}],
    "of a proxy": [Patient, {"email": "ana@example.com", "phone": "1"}],
}
OTHERS = {
    "nothing": [Appointment, {}],
    "null": [TimeSlot, {"withdrawn_at": None}],
    "nobody": [Appointment, {"doctor": None}],
    "whether there is any": [TimeSlot, {"withdrawn_at__isnull": True}],
    "truth": [Patient, {"is_active": True}],
    "a record": [Appointment, {"patient": Patient(pk=7)}],
    "a list": [Appointment, {"pk__in": [7]}],
    "a range": [Appointment, {"starts_at__range": [noon(1), noon(2)]}],
    "a part of a moment": [Appointment, {"starts_at__date": date(2026, 1, 1)}],
    "letters of any case": [Patient, {"last_name__iexact": "Ito"}],
    "more than another's key": [Appointment, {"doctor__gt": 7}],
    "a column of another's": [Appointment, {"doctor__last_name": "Ito"}],
    "another's key by its name": [Appointment, {"doctor__pk": 7}],
    "who refers to it": [Appointment, {"consultation": 7}],
    "one of many": [Patient, {"groups": 7}],
    "another column": [Appointment, {"created_at__gt": F("starts_at")}],
    "a column beside others": [Appointment, {"doctor": 7, "patient__last_name": "Ito"}],
    "what is worked out": [TimeSlot, {"is_available": True}],
}


def rows_of(model):
    """As they are, and with what else a query may have."""
    rows = model.objects.all()
    yield rows
    yield rows.filter(pk__gt=3).order_by("pk")
    yield rows.exclude(pk=3)
    if model is Appointment:
        yield rows.with_names()
        yield rows.filter(doctor__last_name="Costa", patient__isnull=False)
    if model is TimeSlot:
        yield rows.with_availability().filter(doctor=3)


def by_django(rows, kwargs):
    filtered = rows._chain()
    QuerySet._filter_or_exclude_inplace(filtered, False, (), kwargs)
    return filtered


@pytest.mark.parametrize("name", OWN)
def test_what_is_said_at_once_is_what_django_comes_to(name, monkeypatch):
    model, kwargs = OWN[name]
    for rows in rows_of(model):
        expected = by_django(rows, kwargs)
        with monkeypatch.context() as patched:
            patched.setattr(Query, "add_q", None)
            found = rows.filter(**kwargs)
        assert found.query.where == expected.query.where
        assert found.query.used_aliases == expected.query.used_aliases
        assert in_words(found) == in_words(expected)


def in_words(rows):
    """Without who is selected beside them; Django joins first whose key it was asked for."""
    return str(rows.values("pk").query)


def test_each_finds_its_own():
    one, other = an_appointment(), an_appointment(Status.CANCELLED)
    rows = Appointment.objects.with_names()
    for kwargs in (
        {"pk": one.pk},
        {"doctor": one.doctor_id},
        {"patient": one.patient_id, "status": Status.SCHEDULED},
        {"status": "scheduled"},
        {"starts_at": one.starts_at, "doctor_id": one.doctor_id, "version__lt": 2},
    ):
        [found] = rows.filter(**kwargs)
        assert found == one
        assert found.patient.full_name == one.patient.full_name
        assert found.doctor.full_name == one.doctor.full_name
    assert list(rows.filter(status="cancelled").filter(doctor=other.doctor_id)) == [other]
    assert not rows.filter(status="cancelled").filter(doctor=one.doctor_id)


@pytest.mark.parametrize("name", OTHERS)
def test_all_else_is_what_it_was(name):
    model, kwargs = OTHERS[name]
    for rows in rows_of(model):
        wanted = rows.with_availability() if "is_available" in kwargs else rows
        assert str(wanted.filter(**kwargs).query) == str(by_django(wanted, kwargs).query)


def written(filtered):
    """The SQL, or what is wrong with the filter."""
    try:
        with written_anew():
            return str(filtered().values("pk").query)
    except Exception as error:  # noqa: BLE001 - whatever Django raises, of any kind
        return type(error), str(error)


@pytest.mark.parametrize(
    "side", ["", "__exact", "__gt", "__lte", "__in", "__isnull", "__year", "__pk"]
)
def test_so_it_is_for_every_field_there_is(side):
    compared = 0
    for model in apps.get_models():
        rows = model._default_manager.all()
        if not isinstance(rows, KeptQuerySet):
            continue
        for field in {"pk", *(one.name for one in model._meta.get_fields())}:
            for value in (7, date(2026, 1, 1), None):
                kwargs = {f"{field}{side}": value}
                ours = written(lambda: rows.filter(**kwargs))  # noqa: B023 - called at once
                assert ours == written(lambda: by_django(rows, kwargs)), kwargs  # noqa: B023
                compared += 1
    assert compared > 500


def test_what_is_worked_out_comes_before_a_column_of_its_name():
    one = an_appointment()
    an_appointment(patient=one.patient)
    loud = Appointment.objects.values("pk").annotate(status=Upper("status"))
    assert loud.filter(status="SCHEDULED", pk=one.pk)
    assert not loud.filter(status="scheduled")
    of_doctors = Appointment.objects.order_by().values("patient").annotate(version=Count("pk"))
    assert [row["version"] for row in of_doctors.filter(version__gt=1)] == [2]
    assert not of_doctors.filter(version__gt=2)


def test_a_key_that_may_be_null_joins_whom_it_names_as_django_does():
    rows = Consultation.objects.select_related("appointment").filter(appointment=5)
    assert "INNER JOIN" in str(rows.query)


def test_exclude_is_not_filter():
    rows = Appointment.objects.all()
    assert "NOT" in str(rows.exclude(doctor=7).query)


def test_what_is_no_column_and_what_is_a_page_is_refused_as_ever():
    with pytest.raises(FieldError, match="Cannot resolve keyword 'doktor'"):
        Appointment.objects.filter(doktor=7)
    with pytest.raises(FieldError, match="Unsupported lookup 'beyond'"):
        Appointment.objects.filter(pk__beyond=7)
    with pytest.raises(TypeError, match="slice"):
        Appointment.objects.all()[:3].filter(pk=7)
