"""Who sees and who may write which row: pinned once per model, by name.

Jane is Dr. House's patient, by her own booking; Paul is Dr. Grey's. Dr. Locum has an appointment
with Jane that he booked himself, which lets him see that appointment and nothing else of hers.
"""

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.auth.sessions import open_session
from accounts.models import Doctor, Session
from accounts.tests.factories import DoctorFactory
from appointments import services, slot_services
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.tests.personas import build_clinic
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from patients.models import Patient
from patients.services import deactivate
from patients.tests.factories import PatientFactory

# model: {who: what they read}, {who: what they may write}; rows are named in `the_rows()`.
SIGHT = {
    Patient: (
        {"jane": "jane", "paul": "paul", "house": "jane paul", "grey": "jane paul",
         "locum": "jane paul", "new": "", "ada": "jane paul"},
        {"jane": "jane", "paul": "paul", "house": "jane paul", "grey": "jane paul",
         "locum": "jane paul", "new": "", "ada": "jane paul"},
    ),
    Doctor: (
        dict.fromkeys(["jane", "paul", "house", "grey", "locum", "new", "ada"],
                      "house grey locum"),
        {"jane": "", "paul": "", "house": "house", "grey": "grey", "locum": "locum",
         "new": "new", "ada": "house grey locum new"},
    ),
    TimeSlot: (
        {"jane": "house-free grey-free house-held", "paul": "house-free grey-free house-held",
         "house": "house-free house-held", "grey": "grey-free", "locum": "", "new": "new-free",
         "ada": "house-free grey-free new-free house-held"},
        {"jane": "house-free grey-free house-held", "paul": "house-free grey-free house-held",
         "house": "house-free house-held", "grey": "grey-free", "locum": "", "new": "new-free",
         "ada": "house-free grey-free new-free house-held"},
    ),
    Appointment: (
        {"jane": "janes locums", "paul": "pauls", "house": "janes", "grey": "pauls",
         "locum": "locums", "new": "", "ada": "janes pauls locums"},
        {"jane": "janes locums", "paul": "pauls", "house": "janes", "grey": "pauls",
         "locum": "locums", "new": "", "ada": "janes pauls locums"},
    ),
    Consultation: (
        {"jane": "janes", "paul": "pauls", "house": "janes", "grey": "pauls", "locum": "",
         "new": "", "ada": "janes pauls"},
        {"jane": "", "paul": "", "house": "janes", "grey": "pauls", "locum": "", "new": "",
         "ada": "janes pauls"},
    ),
}  # fmt: skip


def a_clinic_with_a_locum():
    clinic = build_clinic()
    clinic.locum = DoctorFactory(username="locum")
    clinic.locums = make_appointment(doctor=clinic.locum, patient=clinic.jane, by=clinic.locum)
    clinic.gone = PatientFactory(username="gone")
    clinic.gone_before = make_appointment(patient=clinic.gone, doctor=clinic.grey)
    services.move(clinic.gone_before, "cancel", by=clinic.grey)
    deactivate(clinic.gone, by=clinic.ada)
    slot_services.withdraw(TimeSlotFactory(doctor=clinic.house))
    return clinic


def the_rows(clinic, model):
    return {
        Patient: {"jane": clinic.jane, "paul": clinic.paul},
        Doctor: {name: getattr(clinic, name) for name in ("house", "grey", "locum", "new")},
        TimeSlot: {
            "house-free": clinic.free,
            "grey-free": clinic.greys_free,
            "new-free": clinic.news_free,
            "house-held": clinic.appointment.time_slot,
        },
        Appointment: {
            "janes": clinic.appointment,
            "pauls": clinic.pauls,
            "locums": clinic.locums,
        },
        Consultation: {"janes": clinic.consultation, "pauls": clinic.pauls_consultation},
    }[model]


@pytest.mark.parametrize("model", SIGHT)
@pytest.mark.django_db
def test_everybody_reads_and_writes_exactly_these_rows(model):
    clinic = a_clinic_with_a_locum()
    rows = {row.pk: name for name, row in the_rows(clinic, model).items()}
    reads, writes = SIGHT[model]
    ignored = _rows_beside_the_story(clinic, model)

    for table, question in ((reads, "visible_to"), (writes, "writable_by")):
        for who, names in table.items():
            found = getattr(model.objects, question)(getattr(clinic, who))
            seen = {rows.get(pk, pk) for pk in found.values_list("pk", flat=True)} - ignored
            assert seen == set(names.split()), (who, question)


def _rows_beside_the_story(clinic, model):
    """Held slots and the cancelled appointment that the story needs but no row above names."""
    return {
        TimeSlot: {clinic.pauls.time_slot_id, clinic.locums.time_slot_id,
                   clinic.gone_before.time_slot_id},
        Appointment: {clinic.gone_before.pk},
    }.get(model, set())  # fmt: skip


@pytest.mark.parametrize(
    "model", [*SIGHT, Session, AppointmentHistory, VitalSigns, Prescription, ConsultationNote]
)
@pytest.mark.django_db
def test_a_stranger_and_a_role_that_is_not_named_see_nothing(model):
    clinic = a_clinic_with_a_locum()
    open_session(clinic.jane)
    assert model.objects.exists()

    for nobody in (AnonymousUser(), None):
        assert not model.objects.visible_to(nobody).exists()
    if hasattr(model.objects.all(), "writable_by") and model is not AppointmentHistory:
        assert not model.objects.writable_by(AnonymousUser()).exists()


@pytest.mark.parametrize("part", [VitalSigns, Prescription, ConsultationNote])
@pytest.mark.django_db
def test_a_part_is_in_sight_where_its_consultation_is(part):
    clinic = a_clinic_with_a_locum()

    for who in ("jane", "paul", "house", "grey", "locum", "new", "ada"):
        person = getattr(clinic, who)
        for question in ("visible_to", "writable_by"):
            consultations = getattr(Consultation.objects, question)(person)
            found = getattr(part.objects, question)(person)
            assert set(found.values_list("consultation", flat=True)) == set(
                consultations.values_list("pk", flat=True)
            )


@pytest.mark.django_db
def test_a_private_note_is_in_sight_of_everybody_but_the_patient():
    clinic = build_clinic()
    notes = ConsultationNote.objects.filter(consultation=clinic.consultation)
    assert notes.filter(is_private=True).exists()

    assert not notes.visible_to(clinic.jane).filter(is_private=True).exists()
    assert notes.visible_to(clinic.house).filter(is_private=True).exists()
    assert notes.visible_to(clinic.ada).filter(is_private=True).exists()


@pytest.mark.django_db
def test_another_persons_record_and_a_missing_one_are_answered_alike(api):
    clinic = build_clinic()
    theirs = {
        f"/api/appointments/{clinic.pauls.pk}/": "/api/appointments/999999/",
        f"/api/appointments/{clinic.pauls.pk}/history/": "/api/appointments/999999/history/",
        f"/api/consultations/{clinic.pauls_consultation.pk}/": "/api/consultations/999999/",
        f"/api/consultations/{clinic.pauls_consultation.pk}/notes/": (
            "/api/consultations/999999/notes/"
        ),
    }

    for client in (api(clinic.jane), api(clinic.house)):
        for address, nowhere in theirs.items():
            answers = [client.get(address), client.get(nowhere)]
            bodies = [answer.json() | {"request_id": ""} for answer in answers]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert bodies[0] == bodies[1]


@pytest.mark.django_db
def test_an_id_out_of_sight_in_a_body_and_a_missing_one_are_refused_alike(api):
    clinic = build_clinic()
    body = {"reason_for_visit": "A cough"}
    tries = [
        (clinic.jane, "/api/appointments/", "patient", clinic.paul.pk,
         body | {"time_slot": clinic.free.pk}),
        (clinic.jane, "/api/appointments/", "time_slot", clinic.news_free.pk, body),
        (clinic.house, "/api/appointments/", "time_slot", clinic.greys_free.pk,
         body | {"patient": clinic.jane.pk}),
        (clinic.house, "/api/consultations/", "appointment", clinic.pauls.pk, {}),
        (clinic.house, "/api/time-slots/", "doctor", clinic.grey.pk,
         {"date": "2027-05-05", "start_time": "09:00", "end_time": "10:00"}),
    ]  # fmt: skip
    counts = [model.objects.count() for model in SIGHT]

    for actor, address, field, foreign, rest in tries:
        answers = [api(actor).post(address, rest | {field: pk}).json() for pk in (foreign, 999_999)]
        errors = [str(answer["errors"]) for answer in answers]
        assert errors[0].replace(str(foreign), "N") == errors[1].replace("999999", "N")
        assert list(answers[0]["errors"]) == [field]

    assert [model.objects.count() for model in SIGHT] == counts
