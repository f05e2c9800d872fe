"""A doctor reads the records of the patients he treats, and nobody else's.

He treats by an appointment that the patient or an admin booked: he cannot give himself the sight.
"""

import pytest

from accounts.models import User
from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.tests.factories import an_appointment
from appointments.tests.helpers import code, data, ids, snapshot
from consultations.models import consultations as models
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION, a_consultation, with_parts

LIST = "/api/consultations/"
NOBODY = 999_999
RECORDS = (Consultation, VitalSigns, Prescription, ConsultationNote)
PARTS = {"vital-signs": "vital_signs", "prescriptions": "prescriptions", "notes": "notes"}


@pytest.fixture
def record(visit):
    """Jane's visit with Dr. Smith, with one of each part."""
    return with_parts(visit)


def reads(visit):
    """Every address at which something of the visit is read."""
    detail = f"{LIST}{visit.pk}/"
    addresses = [detail]
    for name, relation in PARTS.items():
        part = getattr(visit, relation).first()
        addresses += [f"{detail}{name}/", f"{detail}{name}/{part.pk}/"]
    return addresses


def writes(visit):
    """Every call that would change something of the visit, as (method, address, body)."""
    detail = f"{LIST}{visit.pk}/"
    return [
        ("put", detail, {"diagnosis": "Gout"}),
        ("patch", detail, {"diagnosis": "Gout"}),
        ("post", f"{detail}start_consultation/", {}),
        ("post", f"{detail}complete_consultation/", {"diagnosis": "Gout"}),
        ("post", f"{detail}vital-signs/", {"heart_rate": 70}),
        ("post", f"{detail}prescriptions/", MEDICATION),
        ("patch", f"{detail}prescriptions/{visit.prescriptions.get().pk}/", {"is_active": False}),
        ("post", f"{detail}notes/", {"note_type": "general", "content": "I was here"}),
    ]


def assert_in_sight(client, visit):
    assert ids(client.get(LIST)) == [visit.pk]
    assert ids(client.get(f"/api/patients/{visit.patient_id}/consultations/")) == [visit.pk]
    assert [client.get(address).status_code for address in reads(visit)] == [200] * 7


def assert_out_of_sight(client, visit):
    assert ids(client.get(LIST)) == []
    assert ids(client.get(f"/api/patients/{visit.patient_id}/consultations/")) == []
    assert [code(client.get(address)) for address in reads(visit)] == [(404, "not_found")] * 7


# --- Who treats -----------------------------------------------------------------------------


def test_the_consultation_s_own_doctor_needs_no_more(api, smith, jane, record):
    appointments.move(record.appointment, "cancel", by=smith)

    assert_in_sight(api(smith), record)


@pytest.mark.parametrize("booker", ["jane", "ada"])
@pytest.mark.parametrize(
    "status",
    [
        Status.SCHEDULED,
        Status.CONFIRMED,
        Status.IN_PROGRESS,
        Status.COMPLETED,
        Status.NO_SHOW,
    ],
)
def test_an_appointment_the_patient_or_an_admin_booked_makes_treat(
    api, record, booker, status, request
):
    meyer, by = (request.getfixturevalue(name) for name in ("meyer", booker))
    an_appointment(status, patient=record.patient, doctor=meyer, by=by)

    assert_in_sight(api(meyer), record)


@pytest.mark.parametrize("few", [1, 2, 3])
def test_it_is_all_the_same_how_many_a_doctor_treats(api, record, meyer, monkeypatch, few):
    """Some of them he may find in a list, of others each record is asked."""
    monkeypatch.setattr(models, "LIST_LIMIT", few)
    treated = [a_consultation(started=True) for _ in range(3)]
    for visit in treated:
        an_appointment(patient=visit.patient, doctor=meyer, by=visit.patient)

    assert set(ids(api(meyer).get(LIST))) == {visit.pk for visit in treated}
    assert Consultation.objects.visible_to(meyer).count() == len(treated)


def test_one_he_booked_himself_does_not(api, meyer, jane, record):
    an_appointment(patient=jane, doctor=meyer, by=meyer)

    assert_out_of_sight(api(meyer), record)


def test_nor_does_moving_the_patient_into_another_slot_of_his(api, meyer, jane, record):
    own = an_appointment(patient=jane, doctor=meyer, by=meyer)
    free = an_appointment(Status.CANCELLED, doctor=meyer).time_slot

    appointments.move(own, "reschedule", by=jane, time_slot=free)

    assert_out_of_sight(api(meyer), record)


@pytest.mark.parametrize("booker", ["jane", "ada"])
def test_a_cancelled_one_does_not_or_no_longer(api, meyer, record, booker, request):
    booked = an_appointment(
        patient=record.patient, doctor=meyer, by=request.getfixturevalue(booker)
    )
    client = api(meyer)
    assert_in_sight(client, record)

    appointments.move(booked, "cancel", by=record.patient)

    assert_out_of_sight(client, record)


def test_one_with_another_patient_or_another_doctor_does_not(api, meyer, jane, omar, record):
    an_appointment(patient=omar, doctor=meyer)
    an_appointment(patient=jane)

    assert_out_of_sight(api(meyer), record)


def test_a_consultation_he_opened_himself_does_not_show_him_the_others(api, meyer, jane, record):
    body = {"patient": jane.pk, "chief_complaint": "Curious"}
    own = data(api(meyer).post(LIST, body), 201)

    assert ids(api(meyer).get(LIST)) == [own["id"]]
    assert [api(meyer).get(address).status_code for address in reads(record)] == [404] * 7


def test_a_doctor_whose_licence_is_doubted_again_sees_nothing(api, meyer, jane, record):
    an_appointment(patient=jane, doctor=meyer)
    client = api(meyer)
    assert_in_sight(client, record)

    User.objects.filter(pk=meyer.pk).update(license_verified=False)

    for address in [LIST, f"/api/patients/{jane.pk}/consultations/", *reads(record)]:
        assert code(client.get(address)) == (403, "license_not_verified")


# --- What he may ----------------------------------------------------------------------------


def test_who_treats_reads_the_private_and_the_doctor_s_notes_too(api, meyer, jane, record):
    an_appointment(patient=jane, doctor=meyer)

    shown = data(api(meyer).get(f"{LIST}{record.pk}/"))

    assert [note["is_private"] for note in shown["notes"]] == [False, True]
    assert shown["doctor_notes"] == record.doctor_notes


@pytest.mark.parametrize("treats", [True, False])
def test_no_other_doctor_writes_anything(api, meyer, jane, record, treats):
    if treats:
        an_appointment(patient=jane, doctor=meyer)
    client = api(meyer)
    assert len(ids(client.get(LIST))) == treats
    before = snapshot(*RECORDS)

    answers = [code(getattr(client, how)(at, body)) for how, at, body in writes(record)]

    assert answers == [(404, "not_found")] * 8
    assert snapshot(*RECORDS) == before


def test_its_doctor_and_an_admin_make_the_same_calls_with_success(api, smith, ada):
    """So that the refusals above are not for another reason."""
    for writer in (smith, ada):
        for number in range(8):
            how, at, body = writes(with_parts(a_consultation(doctor=smith)))[number]

            assert getattr(api(writer), how)(at, body).status_code in (200, 201)


def test_another_patient_reads_nothing(api, omar, record):
    client = api(omar)

    assert ids(client.get(LIST)) == []
    assert [code(client.get(address)) for address in reads(record)] == [(404, "not_found")] * 7


# --- Only through its own consultation ------------------------------------------------------


@pytest.mark.parametrize("reader", ["smith", "ada", "jane"])
def test_a_part_is_reached_through_its_own_consultation_only(api, jane, smith, reader, request):
    one, other = (
        with_parts(a_consultation(patient=jane, doctor=smith, started=True)) for _ in range(2)
    )
    client = api(request.getfixturevalue(reader))

    for name, relation in PARTS.items():
        part = getattr(one, relation).first()
        right, wrong = (f"{LIST}{visit.pk}/{name}/{part.pk}/" for visit in (one, other))
        assert data(client.get(right))["id"] == part.pk
        assert code(client.get(wrong)) == (404, "not_found")
        assert part.pk not in ids(client.get(f"{LIST}{other.pk}/{name}/"))


def test_a_prescription_is_stopped_through_its_own_consultation_only(api, smith, jane):
    one, other = (with_parts(a_consultation(patient=jane, doctor=smith)) for _ in range(2))
    before = snapshot(Prescription)
    address = f"{LIST}{other.pk}/prescriptions/{one.prescriptions.get().pk}/"

    assert code(api(smith).patch(address, {"is_active": False})) == (404, "not_found")
    assert snapshot(Prescription) == before


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("consultation", [NOBODY, 10**30])
def test_below_a_consultation_that_does_not_exist_is_nothing(api, ada, record, part, consultation):
    own = getattr(record, PARTS[part]).first()
    body = {"heart_rate": 70} | MEDICATION | {"note_type": "general", "content": "x"}
    before = snapshot(*RECORDS)
    address = f"{LIST}{consultation}/{part}/"

    answers = [
        code(api(ada).get(address)),
        code(api(ada).get(f"{address}{own.pk}/")),
        code(api(ada).get(f"{LIST}{record.pk}/{part}/{10**30}/")),
        code(api(ada).post(address, body)),
    ]

    assert answers == [(404, "not_found")] * 4
    assert snapshot(*RECORDS) == before


def test_options_name_nobody(api, smith, jane, record):
    client = api(smith)

    for address in [LIST, *reads(record)]:
        text = client.options(address).content.decode()

        for name in (jane.last_name, jane.username, smith.username, "Ramipril"):
            assert name not in text


def test_the_sight_is_that_of_now(api, meyer, jane, record, wednesday):
    with clock.frozen_at(wednesday.replace(year=2024)):
        long_ago = an_appointment(patient=jane, doctor=meyer)

    with clock.frozen_at(wednesday):
        assert long_ago.starts_at < clock.now()
        assert_in_sight(api(meyer), record)
