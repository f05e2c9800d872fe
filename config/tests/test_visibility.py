"""The rows that each role reads and writes, listed once for each model.

Jane is the patient of Dr. House, by her own booking, and Paul of Dr. Grey. Dr. Locum has booked an
appointment with Jane himself: he sees that appointment, and nothing else of Jane's record.
"""

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.auth.sessions import open_session
from accounts.models import Doctor
from accounts.tests.factories import DoctorFactory
from appointments import services, slot_services
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.access_report import reported_models
from config.clinical_records import record_of
from config.tests.personas import build_clinic
from consultations.models import Consultation, ConsultationNote
from patients.models import Patient
from patients.services import deactivate
from patients.tests.factories import PatientFactory

# model: {user: rows they read}, {user: rows they write}; `the_rows()` names the rows.
VISIBLE = {
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


@pytest.mark.parametrize("model", VISIBLE)
@pytest.mark.django_db
def test_each_user_reads_and_writes_exactly_these_rows(model):
    clinic = a_clinic_with_a_locum()
    rows = {row.pk: name for name, row in the_rows(clinic, model).items()}
    reads, writes = VISIBLE[model]
    ignored = _other_rows(clinic, model)

    for table, question in ((reads, "visible_to"), (writes, "writable_by")):
        for who, names in table.items():
            found = getattr(model.objects, question)(getattr(clinic, who))
            seen = {rows.get(pk, pk) for pk in found.values_list("pk", flat=True)} - ignored
            assert seen == set(names.split()), (who, question)


def _other_rows(clinic, model):
    """Rows that the clinic needs and the table does not name."""
    return {
        TimeSlot: {clinic.pauls.time_slot_id, clinic.locums.time_slot_id,
                   clinic.gone_before.time_slot_id},
        Appointment: {clinic.gone_before.pk},
    }.get(model, set())  # fmt: skip


@pytest.mark.parametrize("model", reported_models())
@pytest.mark.django_db
def test_anonymous_users_see_no_rows(model):
    clinic = a_clinic_with_a_locum()
    open_session(clinic.jane)
    assert model.objects.exists()

    for nobody in (AnonymousUser(), None):
        assert not model.objects.visible_to(nobody).exists()
    if hasattr(model.objects.all(), "writable_by") and model is not AppointmentHistory:
        assert not model.objects.writable_by(AnonymousUser()).exists()


@pytest.mark.parametrize("part", [record.model for record in record_of(Consultation).parts])
@pytest.mark.django_db
def test_a_part_is_visible_with_its_consultation(part):
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
def test_a_private_note_is_visible_to_all_but_the_patient():
    clinic = build_clinic()
    notes = ConsultationNote.objects.filter(consultation=clinic.consultation)
    assert notes.filter(is_private=True).exists()

    assert not notes.visible_to(clinic.jane).filter(is_private=True).exists()
    assert notes.visible_to(clinic.house).filter(is_private=True).exists()
    assert notes.visible_to(clinic.ada).filter(is_private=True).exists()


@pytest.mark.django_db
def test_records_of_others_and_missing_records_get_the_same_answer(api):
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
def test_hidden_and_missing_ids_in_a_body_get_the_same_error(api):
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
    counts = [model.objects.count() for model in VISIBLE]

    for actor, address, field, foreign, rest in tries:
        answers = [api(actor).post(address, rest | {field: pk}).json() for pk in (foreign, 999_999)]
        errors = [str(answer["errors"]) for answer in answers]
        assert errors[0].replace(str(foreign), "N") == errors[1].replace("999999", "N")
        assert list(answers[0]["errors"]) == [field]

    assert [model.objects.count() for model in VISIBLE] == counts
