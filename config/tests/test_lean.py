"""Lean reading shows what DRF's own would, to the byte, and leaves to DRF what it does not know."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch
from django.utils import timezone
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIRequestFactory

from accounts.models import Doctor, User
from accounts.roles import Gender, UserType
from accounts.serializers import (
    DoctorProfileSerializer,
    PatientProfileSerializer,
    ProfileSerializer,
)
from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import policy
from appointments.lifecycle import Priority, Status
from appointments.models import Appointment, TimeSlot
from appointments.serializers import AppointmentSerializer
from appointments.slot_serializers import (
    AvailableDoctorSerializer,
    DoctorSerializer,
    TimeSlotSerializer,
)
from appointments.tests.factories import TimeSlotFactory, an_appointment
from config.api.fields import LARGEST_ID
from config.api.lean import LeanReading, readers_of
from config.api.renderers import FastJSONRenderer
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.serializers import (
    ClosingSerializer,
    ConsultationDetailSerializer,
    ConsultationNoteSerializer,
    ConsultationSerializer,
    PrescriptionSerializer,
    VitalSignsSerializer,
)
from consultations.states import NoteType
from consultations.tests.factories import a_consultation, with_parts
from patients.models import Patient
from patients.serializers import PatientListSerializer, PatientSerializer
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

# Winter, summer, and the hour that Berlin's clocks show twice.
WINTER = datetime(2026, 1, 15, 8, 30, 0, 1, UTC)
SUMMER = datetime(2026, 7, 15, 22, 45, tzinfo=UTC)
TWICE = datetime(2026, 10, 25, 1, 30, 59, 999_999, UTC)
WORDS = 'Žofie "🩺" <b>&\u2028\t\\ \N{RIGHT-TO-LEFT OVERRIDE}'


def people(factory, model, **details):
    """Three from the database, and one in hand as somebody has just changed him."""
    plain, filled, empty = (factory(**details) for _ in range(3))
    rows = model.objects.filter(pk__in=[plain.pk, filled.pk, empty.pk])
    rows.filter(pk=filled.pk).update(
        first_name=WORDS,
        phone="+49 30 1234567",
        date_of_birth=date(1900, 2, 28),
        gender=Gender.OTHER,
        address=WORDS,
        avatar="avatars/a picture.webp",
        medical_history=WORDS,
        created_at=WINTER,
        updated_at=SUMMER,
    )
    rows.filter(pk=empty.pk).update(
        first_name="", last_name="", email="", avatar="", gender="", created_at=TWICE
    )
    changed = model.objects.get(pk=filled.pk)
    changed.gender, changed.user_type = Gender.FEMALE, UserType(changed.user_type)
    changed.date_of_birth, changed.phone = "1990-04-12", 42
    changed.created_at = datetime(2026, 7, 1, 9, 0)  # noqa: DTZ001
    return [*rows.order_by("pk"), changed]


def as_users(records):
    """The same rows as those who sign in have them."""
    return [*User.objects.filter(pk__in=[one.pk for one in records]), *records]


def doctors():
    rows = people(DoctorFactory, Doctor)
    TimeSlotFactory(doctor=rows[0])
    offered = policy.with_next_available(Doctor.objects.all(), AdminFactory())
    return [*offered.order_by("pk"), *rows]


def slots():
    opened = [TimeSlotFactory(starts_at=start) for start in (WINTER, SUMMER, TWICE)]
    held = an_appointment().time_slot
    DoctorFactory._meta.model.objects.filter(pk=held.doctor_id).update(specialization="")
    rows = TimeSlot.objects.select_related("doctor").order_by("pk")
    return [*rows.with_availability(), *rows, *opened]


def appointments():
    an_appointment()
    for status, start in zip(Status, [WINTER, SUMMER, TWICE] * 2, strict=True):
        one = an_appointment(status)
        Appointment.objects.filter(pk=one.pk).update(
            starts_at=start,
            ends_at=start + timedelta(minutes=20),
            created_at=SUMMER,
            symptoms=WORDS,
            contact_phone="2",
            doctor_notes=f"{WORDS}, not for the patient",
        )
    changed = Appointment.objects.with_people().last()
    changed.status, changed.priority = Status.CONFIRMED, Priority.URGENT
    changed.contact_phone = None
    stray = Appointment.objects.first()
    stray.status, stray.patient_id = "a status of old", None
    lost = Appointment.objects.first()
    lost.doctor_id = LARGEST_ID
    return [*Appointment.objects.with_people(), *Appointment.objects.all(), changed, stray, lost]


def consultations():
    plain = with_parts(a_consultation())
    full = with_parts(a_consultation(started=True))
    Consultation.objects.filter(pk=full.pk).update(
        started_at=WINTER,
        ended_at=WINTER + timedelta(hours=1),
        created_at=TWICE,
        diagnosis=WORDS,
        follow_up_date=date(2026, 12, 24),
        doctor_notes=WORDS,
    )
    full.vital_signs.update(temperature="36.7", weight="0.3", height="171.0", recorded_at=SUMMER)
    full.vital_signs.create(recorded_by=full.doctor)
    full.prescriptions.update(quantity=100_000, is_active=False, instructions=WORDS)
    a_consultation()
    shared = ConsultationNote.objects.filter(is_private=False)
    rows = Consultation.objects.with_people()
    parts = rows.prefetch_related(
        "vital_signs", "prescriptions", Prefetch("notes", queryset=shared)
    )
    assert plain.notes.count() > plain.notes.filter(is_private=False).count()
    return [*rows, *parts]


def vital_signs():
    consultations()
    in_hand = VitalSigns.objects.first()
    in_hand.weight, in_hand.height, in_hand.heart_rate = Decimal("70.25"), 171.5, "71"
    return [*VitalSigns.objects.all(), in_hand]


def prescriptions():
    consultations()
    return list(Prescription.objects.all())


def notes():
    consultations()
    in_hand = ConsultationNote.objects.first()
    in_hand.note_type, in_hand.is_private = NoteType.PLAN, "true"
    return [*ConsultationNote.objects.all(), in_hand]


ROWS = {
    ProfileSerializer: lambda: people(AdminFactory, User),
    PatientProfileSerializer: lambda: as_users(people(PatientFactory, Patient)),
    DoctorProfileSerializer: lambda: as_users(people(DoctorFactory, Doctor)),
    PatientSerializer: lambda: people(PatientFactory, Patient),
    PatientListSerializer: lambda: people(PatientFactory, Patient),
    DoctorSerializer: doctors,
    AvailableDoctorSerializer: doctors,
    TimeSlotSerializer: slots,
    AppointmentSerializer: appointments,
    ConsultationSerializer: consultations,
    ConsultationDetailSerializer: consultations,
    ClosingSerializer: consultations,
    VitalSignsSerializer: vital_signs,
    PrescriptionSerializer: prescriptions,
    ConsultationNoteSerializer: notes,
}


def readers():
    """What a serializer may know of who asks, of all roles there are."""
    yield "nobody", {}
    callers = [
        AnonymousUser(),
        PatientFactory(),
        DoctorFactory(),
        UnverifiedDoctorFactory(),
        AdminFactory(),
    ]
    for caller in callers:
        request = APIRequestFactory().get("/", SERVER_NAME="localhost")
        request.user = caller
        yield getattr(caller, "role", "a stranger"), {"request": request}


@pytest.fixture
def shown_by_drf(monkeypatch):
    """The same class without its lean reading, also in its parts."""

    def show(serializer_class, *args, **kwargs):
        with monkeypatch.context() as patched:
            patched.setattr(
                LeanReading, "to_representation", serializers.ModelSerializer.to_representation
            )
            return serializer_class(*args, **kwargs).data

    return show


def every_lean_serializer(of=LeanReading):
    for found in of.__subclasses__():
        if found.__module__.endswith("serializers"):
            yield found
        yield from every_lean_serializer(found)


def test_every_lean_serializer_has_rows_here():
    assert set(every_lean_serializer()) == set(ROWS)


def in_json(data):
    """By DRF's own renderer: what a moment looks like is no longer the serializer's."""
    return JSONRenderer().render(data)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("serializer_class", ROWS)
def test_what_is_shown_is_what_drf_shows(settings, shown_by_drf, serializer_class, zone):
    settings.TIME_ZONE = zone
    settings.DOCTOR_VERIFICATION_REQUIRED = True
    settings.CANCELLATION_NOTICE_HOURS = 1
    rows = ROWS[serializer_class]()

    for role, context in readers():
        expected = shown_by_drf(serializer_class, rows, many=True, context=context)
        lean = serializer_class(rows, many=True, context=context).data

        for row, shown, as_drf in zip(rows, lean, expected, strict=True):
            alone = serializer_class(row, context=context).data
            assert in_json(shown) == in_json(alone) == in_json(as_drf), (role, row)
        assert FastJSONRenderer().render(lean) == FastJSONRenderer().render(expected), role


@pytest.mark.parametrize("serializer_class", ROWS)
def test_a_row_from_the_database_is_read_without_making_the_fields(serializer_class):
    row = ROWS[serializer_class]()[0]
    lean = serializer_class(row, context=dict(readers())["doctor"])

    assert lean.data
    assert "fields" not in vars(lean)
    assert lean.data.serializer.instance is row


class Shouted(serializers.CharField):
    def to_representation(self, value):
        return super().to_representation(value).upper()


class OfAnotherRow(serializers.IntegerField):
    def get_attribute(self, instance):
        return instance.pk + 1


class Clock(serializers.DateTimeField):
    def default_timezone(self):
        return UTC


class OddSerializer(LeanReading, serializers.ModelSerializer):
    """Of every kind of field that is not simply a column's."""

    called = serializers.CharField(source="get_status_display")
    called_late = serializers.CharField(source="patient.get_full_name")
    shouted = Shouted(source="reason_for_visit")
    other = OfAnotherRow(read_only=True)
    in_utc = Clock(source="starts_at")
    in_tokyo = serializers.DateTimeField(
        source="starts_at", default_timezone=ZoneInfo("Asia/Tokyo")
    )
    on_a_card = serializers.DateTimeField(source="starts_at", format="%d %b %Y")
    untouched = serializers.DateTimeField(source="starts_at", format=None)
    day = serializers.DateField(source="date", format="%d.%m.%y")
    hour = serializers.TimeField(source="start_time", format="%H")
    number = serializers.ChoiceField(source="contact_phone", choices=[("scheduled", 1), (2, "two")])
    several = serializers.MultipleChoiceField(source="status", choices=["s", "c"])
    as_a_list = serializers.ListField(source="status", child=serializers.CharField())
    as_a_text = serializers.CharField(source="duration_minutes")
    as_a_truth = serializers.BooleanField(source="duration_minutes")
    as_a_number = serializers.DecimalField(6, 2, source="duration_minutes")
    in_words = serializers.DecimalField(6, 2, source="duration_minutes", coerce_to_string=True)
    key_in_words = serializers.PrimaryKeyRelatedField(
        source="doctor", read_only=True, pk_field=serializers.CharField()
    )
    key_beyond = serializers.PrimaryKeyRelatedField(source="time_slot.doctor", read_only=True)
    named = serializers.StringRelatedField(source="doctor")
    whole = serializers.SerializerMethodField(method_name="in_one_line")
    place = serializers.ReadOnlyField(source="time_slot_id")
    patient = PatientSerializer(read_only=True)
    secret = serializers.CharField(source="patient_notes", write_only=True)
    unseen = serializers.HiddenField(default=1)

    class Meta:
        model = Appointment
        fields = [
            "id", "called", "called_late", "shouted", "other", "in_utc", "in_tokyo", "on_a_card",
            "untouched", "day", "hour", "number", "several", "as_a_list", "as_a_text", "as_a_truth",
            "as_a_number", "in_words", "key_in_words", "key_beyond", "named", "whole", "place",
            "patient", "secret", "unseen", "doctor", "duration_minutes", "history",
        ]  # fmt: skip

    def in_one_line(self, appointment):
        return f"{appointment}, for {self.context['request'].user}"


class GappySerializer(LeanReading, serializers.ModelSerializer):
    """Of what a row may not have."""

    unheard = Shouted(read_only=True)
    absent = serializers.CharField(read_only=True)
    absent_or_none = serializers.CharField(allow_null=True)
    absent_or_so = serializers.CharField(default="so")
    of_nobody = serializers.CharField(source="consultation.diagnosis", read_only=True)

    class Meta:
        model = Appointment
        fields = ["id", "unheard", "absent", "absent_or_none", "absent_or_so", "of_nobody"]


class ForgetfulSerializer(LeanReading, serializers.ModelSerializer):
    minutes = serializers.CharField(source="duration_minutes", read_only=True)

    class Meta:
        model = Appointment
        fields = ["id", "minutes"]


class KeySerializer(LeanReading, serializers.ModelSerializer):
    key_in_words = serializers.PrimaryKeyRelatedField(
        source="doctor", read_only=True, pk_field=serializers.CharField()
    )

    class Meta:
        model = Appointment
        fields = ["key_in_words", "time_slot"]


@pytest.mark.parametrize("serializer_class", [OddSerializer, GappySerializer])
def test_a_field_with_a_way_of_its_own_keeps_it(settings, shown_by_drf, serializer_class):
    settings.TIME_ZONE = "Europe/Berlin"
    rows = appointments()[:4]

    for role, context in readers():
        if role != "nobody":
            expected = shown_by_drf(serializer_class, rows, many=True, context=context)
            lean = serializer_class(rows, many=True, context=context)

            assert in_json(lean.data) == in_json(expected), role
            assert ("fields" in vars(lean.child)) == (serializer_class is GappySerializer)


def test_the_key_of_nobody_is_none():
    assert KeySerializer(Appointment(time_slot_id=3)).data == {"key_in_words": None, "time_slot": 3}


def test_what_a_row_cannot_say_is_left_out(monkeypatch):
    row = an_appointment()
    cannot_say = property(lambda appointment: {}["minutes"])
    monkeypatch.setattr(Appointment, "duration_minutes", cannot_say)

    assert ForgetfulSerializer(row).data == {"id": row.pk}


@pytest.mark.parametrize("year", [1850, 1972, 1973])
def test_zones_that_were_seconds_apart_are_shown_so(settings, shown_by_drf, year):
    settings.TIME_ZONE = "Africa/Monrovia"  # 44 minutes and 30 seconds behind, until 1972
    row = an_appointment()
    row.ends_at = datetime(year, 1, 1, 12, tzinfo=UTC)

    lean, expected = DatesSerializer(row).data, shown_by_drf(DatesSerializer, row)

    assert FastJSONRenderer().render(lean) == in_json(lean) == in_json(expected)


def test_what_is_beyond_the_calendar_is_refused_as_ever(settings, shown_by_drf):
    settings.TIME_ZONE = "Asia/Kathmandu"
    row = an_appointment()
    row.ends_at = datetime(9999, 12, 31, 23, tzinfo=UTC)

    for show in (shown_by_drf, lambda of, *args: of(*args).data):
        with pytest.raises(serializers.ValidationError, match="out of range"):
            show(DatesSerializer, row)


class DatesSerializer(LeanReading, serializers.ModelSerializer):
    class Meta:
        model = Appointment
        fields = ["ends_at"]


class LastWord(serializers.ModelSerializer):
    """Says by the request which fields there are, from where a mixin can."""

    def get_fields(self):
        fields = super().get_fields()
        return fields if "request" in self.context else {"id": fields["id"]}


class FirstWordSerializer(LeanReading, LastWord):
    class Meta:
        model = Appointment
        fields = ["id", "symptoms"]


class LastWordSerializer(FirstWordSerializer):
    def get_fields(self):
        fields = super().get_fields()
        del fields["id"]
        return fields | {"status": serializers.CharField()}


def test_a_class_that_chooses_its_fields_in_another_way_is_read_by_drf():
    row, asked = an_appointment(symptoms="A cough"), {"request": APIRequestFactory().get("/")}

    for _ in range(2):
        assert FirstWordSerializer(row, context=asked).data == {"id": row.pk, "symptoms": "A cough"}
        assert FirstWordSerializer(row).data == {"id": row.pk}
        assert LastWordSerializer(row).data == {"status": "scheduled"}
    assert not readers_of(FirstWordSerializer, frozenset())


def test_fields_that_somebody_has_taken_away_are_not_shown():
    appointment = an_appointment()
    serializer = AppointmentSerializer(appointment)
    for name in set(serializer.fields) - {"id"}:
        del serializer.fields[name]

    assert serializer.data == {"id": appointment.pk}


def test_a_record_that_is_no_row_is_read_by_drf():
    assert AvailableDoctorSerializer({"id": 3, "specialization": "Cardiology"}).data == {
        "id": 3,
        "specialization": "Cardiology",
    }


class MisspelledSerializer(AppointmentSerializer):
    hidden_from = {UserType.PATIENT: {"doctors_notes"}}


def test_a_name_in_a_table_that_no_field_has_hides_nothing_in_silence():
    context = dict(readers())["patient"]

    for show in (lambda it: it.data, lambda it: it.fields):
        with pytest.raises(KeyError, match="doctors_notes"):
            show(MisspelledSerializer(an_appointment(), context=context))


def test_one_reader_does_not_see_by_another_what_is_hidden_from_him():
    appointment = an_appointment(doctor_notes="Not for the patient")
    shown = {
        role: AppointmentSerializer(appointment, context=context).data.get("doctor_notes")
        for _ in range(2)
        for role, context in readers()
    }

    assert shown == {
        "nobody": "Not for the patient",
        "a stranger": "Not for the patient",
        "doctor": "Not for the patient",
        "unverified_doctor": "Not for the patient",
        "admin": "Not for the patient",
        "patient": None,
    }


def test_an_answer_is_in_the_time_zone_that_is_set_when_it_is_made():
    row = an_appointment()
    Appointment.objects.filter(pk=row.pk).update(created_at=SUMMER, updated_at=SUMMER)
    row.refresh_from_db()

    row.updated_at = row.updated_at.replace(tzinfo=None)  # as one in hand may be

    shown = []
    for zone in ("Europe/Berlin", "UTC"):
        with timezone.override(zone):
            answer = json.loads(in_json(AppointmentSerializer(row).data))
            shown.append((answer["created_at"], answer["updated_at"]))

    assert shown == [
        ("2026-07-16T00:45:00+02:00", "2026-07-15T22:45:00+02:00"),
        ("2026-07-15T22:45:00Z", "2026-07-15T22:45:00Z"),
    ]
