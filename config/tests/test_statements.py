"""SQL that is written once: only what differs in nothing but its values may share it.

Beside these, conftest.py compares each kept statement of the whole suite with one written anew.
"""

from functools import reduce
from operator import or_

import pytest
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value, Window
from django.db.models.functions import Lower, RowNumber, TruncDate
from django.db.models.lookups import In
from django.db.transaction import TransactionManagementError, atomic
from django.utils import timezone

from accounts.models import Doctor, User
from accounts.roles import UserType
from accounts.tests.factories import DoctorFactory
from accounts.tests.helpers import on_postgresql
from appointments.models import Appointment, TimeSlot, is_held, of_bookable_doctors
from appointments.tests.factories import TimeSlotFactory, an_appointment, noon
from config.api import statements
from config.api.rows import FromRow
from consultations.models import Consultation
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_kept():
    statements._kept.clear()


def sql_of(rows):
    return rows.query.get_compiler("default").as_sql()


def test_a_statement_is_written_once_for_all_its_values(monkeypatch):
    one, other = an_appointment(), an_appointment()
    mine = Appointment.objects.with_people()
    assert list(mine.visible_to(one.patient)) == [one]
    monkeypatch.setattr(statements.KeepingCompiler, "written", None)
    with_their_people = list(mine.visible_to(other.patient))
    assert with_their_people == [other]
    assert with_their_people[0].patient.full_name == other.patient.full_name
    assert with_their_people[0].doctor.specialization == other.doctor.specialization


def test_so_is_a_count():
    for patient, number in [(PatientFactory(), 1), (PatientFactory(), 3), (PatientFactory(), 2)]:
        for _ in range(number):
            an_appointment(patient=patient)
        assert Appointment.objects.visible_to(patient).count() == number
    counts = [one for one in statements._kept.values() if "COUNT" in (one.sql or "")]
    assert len(counts) == 1


def test_values_come_to_their_own_places():
    """Also where a subquery, which stands elsewhere in the text, has some of them."""
    doctor, other = DoctorFactory(), DoctorFactory()
    slots = [TimeSlotFactory(doctor=doctor, starts_at=noon(day)) for day in (1, 2, 3)]
    slots += [TimeSlotFactory(doctor=other, starts_at=noon(1))]
    an_appointment(time_slot=slots[1])

    def free(doctor, first, last):
        rows = TimeSlot.objects.with_availability().free().filter(doctor=doctor)
        return list(rows.between(first.date(), last.date()).order_by("starts_at"))

    assert free(doctor, noon(1), noon(3)) == [slots[0], slots[2]]
    number = len(statements._kept)
    assert free(doctor, noon(2), noon(3)) == [slots[2]]
    assert free(other, noon(1), noon(3)) == [slots[3]]
    assert len(statements._kept) == number


def a_doctor():
    return User(pk=7, user_type=UserType.DOCTOR, license_verified=True)


DIFFERENT = {
    "another comparison": [
        lambda: Appointment.objects.filter(starts_at__gt=noon()),
        lambda: Appointment.objects.filter(starts_at__gte=noon()),
        lambda: Appointment.objects.filter(starts_at__lt=noon()),
        lambda: Appointment.objects.exclude(starts_at__lt=noon()),
        lambda: Appointment.objects.filter(starts_at=noon()),
    ],
    "another column": [
        lambda: Appointment.objects.filter(patient=7),
        lambda: Appointment.objects.filter(doctor=7),
        lambda: Appointment.objects.filter(booked_by=7),
        lambda: Appointment.objects.filter(starts_at__gt=F("created_at")),
        lambda: Appointment.objects.filter(starts_at__gt=F("updated_at")),
    ],
    "and, or": [
        lambda: Appointment.objects.filter(Q(patient=7) & Q(doctor=7)),
        lambda: Appointment.objects.filter(Q(patient=7) | Q(doctor=7)),
        lambda: Appointment.objects.filter(Q(patient=7) & ~Q(doctor=7)),
        lambda: Appointment.objects.filter(patient=7),
        Appointment.objects.all,
    ],
    "true, false, null": [
        lambda: Doctor.objects.filter(is_active=True),
        lambda: Doctor.objects.filter(is_active=False),
        lambda: Doctor.objects.filter(date_of_birth=None),
        lambda: Doctor.objects.exclude(date_of_birth=None),
        lambda: Doctor.objects.filter(license_verified=True),
    ],
    "longer lists": [
        lambda: Appointment.objects.filter(pk__in=[1]),
        lambda: Appointment.objects.filter(pk__in=[1, 2]),
        lambda: Appointment.objects.filter(pk__in=[1, 2, 3]),
    ],
    "pages and order": [
        lambda: Appointment.objects.all()[:20],
        lambda: Appointment.objects.all()[:21],
        lambda: Appointment.objects.all()[20:40],
        lambda: Appointment.objects.order_by("starts_at")[:20],
        lambda: Appointment.objects.order_by("-starts_at")[:20],
        lambda: Appointment.objects.order_by("starts_at").reverse()[:20],
        Appointment.objects.order_by,
    ],
    "conditions of everybody": [
        lambda: TimeSlot.objects.filter(of_bookable_doctors()),
        lambda: TimeSlot.objects.exclude(of_bookable_doctors()),
        lambda: TimeSlot.objects.filter(is_held()),
        lambda: TimeSlot.objects.filter(~is_held()),
        lambda: TimeSlot.objects.annotate(is_held=is_held()),
        lambda: Appointment.objects.filter(time_slot__in=TimeSlot.objects.filter(is_held())),
        lambda: Doctor.objects.filter(time_slots__in=TimeSlot.objects.filter(~is_held())),
    ],
    "what is selected": [
        Appointment.objects.with_people,
        lambda: Appointment.objects.select_related("patient"),
        lambda: Appointment.objects.only("starts_at"),
        lambda: Appointment.objects.only("ends_at"),
        lambda: Appointment.objects.defer("starts_at"),
        lambda: Appointment.objects.values_list("pk"),
        lambda: Appointment.objects.values_list("version"),
        lambda: Appointment.objects.annotate(one=Value(1)),
        lambda: Appointment.objects.annotate(one=Value(2)),
        Appointment.objects.distinct,
    ],
    "whose": [
        lambda: Consultation.objects.visible_to(User(pk=7, user_type=UserType.PATIENT)),
        lambda: Consultation.objects.visible_to(a_doctor()),
        lambda: Consultation.objects.writable_by(a_doctor()),
        lambda: Consultation.objects.visible_to(User(pk=7, user_type=UserType.ADMIN)),
    ],
}


@pytest.mark.parametrize("kinds", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_in_more_than_values_is_written_for_itself(kinds):
    texts = []
    for _ in range(2):  # written, then kept
        texts += [sql_of(rows()) for rows in kinds]
    with statements.written_anew():
        anew = [sql_of(rows()) for rows in kinds]
    assert [text for text, _ in texts] == [text for text, _ in anew * 2]
    assert len({text for text, _ in anew} | {params for _, params in anew}) > 1


def test_an_id_beyond_the_column_names_nothing_where_another_did():
    patient = PatientFactory()
    assert Patient.objects.filter(pk=patient.pk).exists()
    assert not Patient.objects.filter(pk=2**70).exists()
    assert Patient.objects.filter(~Q(pk=2**70)).get() == patient


def test_a_list_that_names_somebody_twice_has_one_value_less():
    one, other = PatientFactory(), PatientFactory()
    named = Patient.objects.order_by("pk")
    assert list(named.filter(pk__in=[one.pk, other.pk])) == [one, other]
    assert list(named.filter(pk__in=[other.pk, other.pk])) == [other]
    assert list(named.filter(pk__in=[one.pk, other.pk])) == [one, other]


def test_nothing_is_found_in_an_empty_list():
    assert not Patient.objects.filter(pk__in=[])
    assert not Patient.objects.none()


TYPED = {
    "a pattern": lambda word: Patient.objects.filter(last_name__icontains=word),
    "in any case": lambda word: Patient.objects.filter(email__iexact=word),
    "a literal": lambda word: Patient.objects.filter(email__lower=Lower(Value(word))),
    "in a list": lambda word: Patient.objects.filter(last_name__in=[word, "Doe"]),
    "a plain value": lambda word: Patient.objects.filter(last_name=word),
}


@pytest.mark.parametrize("asks", TYPED.values(), ids=TYPED)
def test_what_somebody_typed_is_kept_nowhere(asks):
    found = PatientFactory(last_name="Canary", email="canary@example.com")
    for word in ("canary@example.com", "Canary"):
        assert list(asks(word)) in ([found], [])
    assert "canary" not in repr(statements._kept).lower()


def test_a_comparison_that_stands_twice_has_its_new_value_in_both_places():
    one, other = an_appointment(), an_appointment()
    for mine in (one, other):
        is_mine = In(F("patient"), [mine.patient_id])
        assert Appointment.objects.annotate(is_mine=is_mine).filter(is_mine=True).get() == mine


def test_who_has_one_comparison_twice_is_not_taken_for_who_has_two():
    def texts(*statuses):
        rows = {one: Appointment.objects.filter(status=one) for one in statuses}
        first, *others = [rows[one].filter(priority=n) for n, one in enumerate(statuses)]
        return sql_of(reduce(or_, others, first))

    assert texts("a", "a", "b")[1] == ("a", "0", "a", "1", "b", "2")
    assert texts("a", "b", "b")[1] == ("a", "0", "b", "1", "b", "2")
    assert texts("a", "b", "c")[1] == ("a", "0", "b", "1", "c", "2")


def test_the_time_zone_is_the_one_in_force():
    days = Appointment.objects.annotate(day=TruncDate("starts_at"))
    for zone in ("UTC", "Asia/Tokyo"):
        with timezone.override(zone):
            assert zone in sql_of(days)[1]


def test_pages_share_a_statement():
    for page in range(3):
        assert list(Appointment.objects.all()[page * 20 : page * 20 + 20]) == []
    assert len(statements._kept) == 1


def test_an_annotation_that_is_kept_keeps_none_of_its_values():
    hers = Exists(Patient.objects.filter(last_name="Canary", pk=OuterRef("patient")))
    sql_of(Appointment.objects.annotate(is_hers=hers))
    (kept,) = statements._kept.values()
    assert kept.select[-1] == (None, "is_hers")


@pytest.mark.django_db(transaction=True)
@on_postgresql
def test_a_lock_wants_its_transaction_though_the_statement_is_kept():
    locked = TimeSlot.objects.select_for_update().filter(pk=7)
    with atomic():
        assert not locked.all()
        assert "FOR UPDATE" in sql_of(locked)[0]
    with pytest.raises(TransactionManagementError):
        list(locked.all())


def test_a_condition_of_everybody_follows_its_rule(settings):
    unverified = TimeSlotFactory(doctor=DoctorFactory(license_verified=False))
    for is_required in (True, False, True):
        settings.DOCTOR_VERIFICATION_REQUIRED = is_required
        assert list(TimeSlot.objects.free()) == ([] if is_required else [unverified])


def test_a_condition_of_everybody_knows_its_rows_within_other_queries():
    held = an_appointment().time_slot
    free = TimeSlotFactory(doctor=held.doctor, starts_at=noon(9))
    slots = TimeSlot.objects.filter(doctor=OuterRef("pk"))
    doctors = Doctor.objects.annotate(
        first_free=Subquery(slots.filter(~is_held()).values("pk")[:1]),
        first_held=Subquery(slots.filter(~~is_held()).values("pk")[:1]),
    )
    for _ in range(2):
        [doctor] = doctors.filter(Exists(slots.free()))
        assert (doctor.first_free, doctor.first_held) == (free.pk, held.pk)
        visits = Appointment.objects.filter(time_slot__in=TimeSlot.objects.filter(is_held()))
        assert [visit.time_slot for visit in visits] == [held]


def test_a_condition_of_everybody_is_not_its_contrary():
    an_appointment()
    TimeSlotFactory(starts_at=noon(9))
    assert is_held() == is_held()
    assert is_held() != ~is_held()
    assert is_held() == ~~is_held()
    slots = TimeSlot.objects.annotate(held=is_held()).values_list("held", flat=True)
    assert list(slots.order_by(~is_held())) == [True, False]
    assert (
        TimeSlot.objects.annotate(x=Value(True)).filter(x__in=[is_held(), ~is_held()]).count() == 2
    )


def test_a_condition_of_everybody_is_said_of_its_own_rows():
    with pytest.raises(TypeError):
        Appointment.objects.filter(is_held())


COUNTED = {
    "rows": lambda rows: rows.filter(status="scheduled"),
    "with others joined": lambda rows: rows.with_people().order_by("doctor__last_name"),
    "joined to many": lambda rows: rows.filter(doctor__time_slots__withdrawn_at=None),
    "each once": lambda rows: rows.filter(doctor__time_slots__withdrawn_at=None).distinct(),
    "columns, each once": lambda rows: rows.order_by().values("doctor").distinct(),
    "a part": lambda rows: rows[1:3],
    "groups": lambda rows: rows.values("doctor").annotate(number=Count("pk")),
    "with an aggregate": lambda rows: rows.annotate(number=Count("doctor__time_slots")),
    "an annotation": lambda rows: rows.annotate(one=Value(1)).filter(one=1),
    "a window": lambda rows: rows.annotate(place=Window(RowNumber())).filter(place__lte=2),
    "two lists": lambda rows: rows.order_by().filter(pk=0).union(rows.order_by()),
    "locked": lambda rows: rows.select_for_update(),
    "nothing": lambda rows: rows.none(),
    "nothing in a list": lambda rows: rows.filter(pk__in=[]),
}


@pytest.mark.parametrize("asked", COUNTED.values(), ids=COUNTED)
def test_as_many_are_counted_as_there_are(asked):
    doctor = DoctorFactory()
    for day in (1, 2, 3):
        an_appointment(time_slot=TimeSlotFactory(doctor=doctor, starts_at=noon(day)))
    an_appointment()
    rows = asked(Appointment.objects.all())
    assert rows.count() == len(rows)


def test_a_queryset_that_is_asked_again_asks_with_the_same_statement():
    """Though what it joins is noted in lists that its copies share."""
    appointment = an_appointment()
    mine = Appointment.objects.with_names().visible_to(appointment.doctor)
    assert list(mine.all()) == [appointment]
    number = len(statements._kept)
    for _ in range(3):
        assert list(mine.all()) == [appointment]
    assert len(statements._kept) == number


def test_only_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(statements, "MOST", 3)
    for number in range(10):
        assert list(Appointment.objects.filter(pk__in=range(number + 1))) == []
    assert 0 < len(statements._kept) <= 3


def test_what_is_not_known_is_written_anew():
    one, other = PatientFactory(), PatientFactory()
    named = Patient.objects.order_by()
    for _ in range(2):
        both = named.filter(pk=one.pk).union(named.filter(pk=other.pk))
        assert set(both) == {one, other}
        assert list(named.values("gender").annotate(number=Count("pk"))) != []
    assert not any("UNION" in (one.sql or "") for one in statements._kept.values())
    assert not any("GROUP BY" in (one.sql or "") for one in statements._kept.values())


@pytest.mark.parametrize("model", FromRow.__subclasses__(), ids=str)
def test_a_record_from_a_row_is_the_one_django_makes(model):
    if model._meta.abstract:
        pytest.skip("has no rows")
    names = [field.attname for field in model._meta.concrete_fields]
    values = list(range(len(names)))
    for some in (len(names), len(names) // 2):
        ours = model.from_db("default", names[:some], values[:some])
        djangos = super(FromRow, model).from_db("default", names[:some], values[:some])
        assert _state(ours) == _state(djangos)
        assert ours.get_deferred_fields() == djangos.get_deferred_fields() == set(names[some:])


def _state(record):
    state = vars(record).copy()
    loaded = state.pop("_state")
    return state, loaded.adding, loaded.db, vars(loaded).get("fields_cache", {})
