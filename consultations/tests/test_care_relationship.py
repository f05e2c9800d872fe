"""Doctors read the records of the patients they treat, and no others.

An appointment booked by the patient or an admin establishes a care relationship. One booked by
the doctor does not, so that doctors cannot give themselves access.
"""

import pytest

from accounts.models import User
from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.tests.factories import make_appointment, on_the_day
from appointments.tests.helpers import all_rows, data, ids, status_and_code
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.models import consultations as models
from consultations.tests.factories import MEDICATION, add_parts, make_consultation

LIST = "/api/consultations/"
MISSING_ID = 999_999
RECORDS = (Consultation, VitalSigns, Prescription, ConsultationNote)
PARTS = {"vital-signs": "vital_signs", "prescriptions": "prescriptions", "notes": "notes"}


@pytest.fixture
def record(visit):
    """Jane's consultation with Dr. Smith, with one of each part."""
    return add_parts(visit)


def readable_urls(visit):
    """Returns every URL at which data of the consultation can be read."""
    detail = f"{LIST}{visit.pk}/"
    addresses = [detail]
    for name, relation in PARTS.items():
        part = getattr(visit, relation).first()
        addresses += [f"{detail}{name}/", f"{detail}{name}/{part.pk}/"]
    return addresses


def write_requests(visit):
    """Returns every request that would change the consultation, as (method, URL, body)."""
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


def assert_readable(client, visit):
    assert ids(client.get(LIST)) == [visit.pk]
    assert ids(client.get(f"/api/patients/{visit.patient_id}/consultations/")) == [visit.pk]
    assert [client.get(address).status_code for address in readable_urls(visit)] == [200] * 7


def assert_not_readable(client, visit):
    assert ids(client.get(LIST)) == []
    assert ids(client.get(f"/api/patients/{visit.patient_id}/consultations/")) == []
    assert [status_and_code(client.get(address)) for address in readable_urls(visit)] == [
        (404, "not_found")
    ] * 7


# --- Care relationship ----------------------------------------------------------------------


def test_the_doctor_of_the_consultation_can_read_it(api, smith, jane, record):
    appointments.move(record.appointment, "cancel", by=smith)

    assert_readable(api(smith), record)


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
def test_an_appointment_booked_by_the_patient_or_an_admin_establishes_care(
    api, record, booker, status, request
):
    meyer, by = (request.getfixturevalue(name) for name in ("meyer", booker))
    make_appointment(status, patient=record.patient, doctor=meyer, by=by)

    assert_readable(api(meyer), record)


@pytest.mark.parametrize("few", [1, 2, 3])
def test_visibility_does_not_depend_on_the_number_of_treated_patients(
    api, record, meyer, monkeypatch, few
):
    """Covers both forms of the query: the IN list and, beyond its limit, EXISTS."""
    monkeypatch.setattr(models, "LIST_LIMIT", few)
    treated = [make_consultation(started=True) for _ in range(3)]
    for visit in treated:
        make_appointment(patient=visit.patient, doctor=meyer, by=visit.patient)

    assert set(ids(api(meyer).get(LIST))) == {visit.pk for visit in treated}
    assert Consultation.objects.visible_to(meyer).count() == len(treated)


def test_an_appointment_booked_by_the_doctor_does_not_establish_care(api, meyer, jane, record):
    make_appointment(patient=jane, doctor=meyer, by=meyer)

    assert_not_readable(api(meyer), record)


def test_a_reschedule_by_the_doctor_does_not_establish_care(api, meyer, jane, record):
    own = make_appointment(patient=jane, doctor=meyer, by=meyer)
    free = make_appointment(Status.CANCELLED, doctor=meyer).time_slot

    appointments.move(own, "reschedule", by=jane, time_slot=free)

    assert_not_readable(api(meyer), record)


@pytest.mark.parametrize("booker", ["jane", "ada"])
def test_a_cancelled_appointment_does_not_establish_care(api, meyer, record, booker, request):
    booked = make_appointment(
        patient=record.patient, doctor=meyer, by=request.getfixturevalue(booker)
    )
    client = api(meyer)
    assert_readable(client, record)

    appointments.move(booked, "cancel", by=record.patient)

    assert_not_readable(client, record)


def test_an_appointment_of_another_patient_or_doctor_does_not_establish_care(
    api, meyer, jane, omar, record
):
    make_appointment(patient=omar, doctor=meyer)
    make_appointment(patient=jane)

    assert_not_readable(api(meyer), record)


def test_a_consultation_opened_by_the_doctor_does_not_establish_care(api, meyer, jane, record):
    body = {"patient": jane.pk, "chief_complaint": "Curious"}
    own = data(api(meyer).post(LIST, body), 201)

    assert ids(api(meyer).get(LIST)) == [own["id"]]
    assert [api(meyer).get(address).status_code for address in readable_urls(record)] == [404] * 7


def test_a_doctor_whose_verification_is_withdrawn_reads_nothing(api, meyer, jane, record):
    make_appointment(patient=jane, doctor=meyer)
    client = api(meyer)
    assert_readable(client, record)

    User.objects.filter(pk=meyer.pk).update(license_verified=False)

    for address in [LIST, f"/api/patients/{jane.pk}/consultations/", *readable_urls(record)]:
        assert status_and_code(client.get(address)) == (403, "license_not_verified")


# --- Permissions of a treating doctor -------------------------------------------------------


def test_a_treating_doctor_reads_private_notes_and_doctor_notes(api, meyer, jane, record):
    make_appointment(patient=jane, doctor=meyer)

    shown = data(api(meyer).get(f"{LIST}{record.pk}/"))

    assert [note["is_private"] for note in shown["notes"]] == [False, True]
    assert shown["doctor_notes"] == record.doctor_notes


@pytest.mark.parametrize("treats", [True, False])
def test_only_the_consultation_doctor_can_write(api, meyer, jane, record, treats):
    if treats:
        make_appointment(patient=jane, doctor=meyer)
    client = api(meyer)
    assert len(ids(client.get(LIST))) == treats
    before = all_rows(*RECORDS)

    answers = [
        status_and_code(getattr(client, how)(at, body)) for how, at, body in write_requests(record)
    ]

    assert answers == [(404, "not_found")] * 8
    assert all_rows(*RECORDS) == before


def test_the_consultation_doctor_and_an_admin_can_write(api, smith, ada):
    """Shows that the requests refused above are otherwise valid."""
    for writer in (smith, ada):
        for number in range(8):
            consultation = add_parts(make_consultation(doctor=smith))
            how, at, body = write_requests(consultation)[number]

            with on_the_day(consultation.appointment):
                assert getattr(api(writer), how)(at, body).status_code in (200, 201)


def test_another_patient_reads_nothing(api, omar, record):
    client = api(omar)

    assert ids(client.get(LIST)) == []
    assert [status_and_code(client.get(address)) for address in readable_urls(record)] == [
        (404, "not_found")
    ] * 7


# --- Nested URLs ----------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["smith", "ada", "jane"])
def test_a_part_is_404_below_another_consultation(api, jane, smith, reader, request):
    one, other = (
        add_parts(make_consultation(patient=jane, doctor=smith, started=True)) for _ in range(2)
    )
    client = api(request.getfixturevalue(reader))

    for name, relation in PARTS.items():
        part = getattr(one, relation).first()
        right, wrong = (f"{LIST}{visit.pk}/{name}/{part.pk}/" for visit in (one, other))
        assert data(client.get(right))["id"] == part.pk
        assert status_and_code(client.get(wrong)) == (404, "not_found")
        assert part.pk not in ids(client.get(f"{LIST}{other.pk}/{name}/"))


def test_a_prescription_cannot_be_stopped_below_another_consultation(api, smith, jane):
    one, other = (add_parts(make_consultation(patient=jane, doctor=smith)) for _ in range(2))
    before = all_rows(Prescription)
    address = f"{LIST}{other.pk}/prescriptions/{one.prescriptions.get().pk}/"

    assert status_and_code(api(smith).patch(address, {"is_active": False})) == (404, "not_found")
    assert all_rows(Prescription) == before


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("consultation", [MISSING_ID, 10**30])
def test_parts_of_a_missing_consultation_are_404(api, ada, record, part, consultation):
    own = getattr(record, PARTS[part]).first()
    body = {"heart_rate": 70} | MEDICATION | {"note_type": "general", "content": "x"}
    before = all_rows(*RECORDS)
    address = f"{LIST}{consultation}/{part}/"

    answers = [
        status_and_code(api(ada).get(address)),
        status_and_code(api(ada).get(f"{address}{own.pk}/")),
        status_and_code(api(ada).get(f"{LIST}{record.pk}/{part}/{10**30}/")),
        status_and_code(api(ada).post(address, body)),
    ]

    assert answers == [(404, "not_found")] * 4
    assert all_rows(*RECORDS) == before


def test_options_contains_no_user_data(api, smith, jane, record):
    client = api(smith)

    for address in [LIST, *readable_urls(record)]:
        text = client.options(address).content.decode()

        for name in (jane.last_name, jane.username, smith.username, "Ramipril"):
            assert name not in text


def test_visibility_is_computed_for_each_request(api, meyer, jane, record, wednesday):
    with clock.frozen_at(wednesday.replace(year=2024)):
        long_ago = make_appointment(patient=jane, doctor=meyer)

    with clock.frozen_at(wednesday):
        assert long_ago.starts_at < clock.now()
        assert_readable(api(meyer), record)
