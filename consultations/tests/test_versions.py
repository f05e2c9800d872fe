"""Versions of consultations and their parts, each with its author."""

import pytest

from appointments.tests.factories import make_appointment
from appointments.tests.helpers import data, status_and_code
from consultations import services
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION

LIST = "/api/consultations/"
NOTE = {"note_type": "plan", "content": "Rest"}


def versions(record):
    """Returns (kind, author) of each version, oldest first."""
    rows = record.history.order_by("history_id")
    return [(row.history_type, row.history_user) for row in rows]


@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_each_api_write_creates_one_version_by_the_caller(api, appointment, actor, request):
    actor = request.getfixturevalue(actor)
    client = api(actor)

    shown = data(client.post(LIST, {"appointment": appointment.pk}), 201)
    detail = f"{LIST}{shown['id']}/"
    data(client.patch(detail, {"diagnosis": "Gout"}))
    data(client.put(detail, {"diagnosis": "None"}))
    data(client.post(f"{detail}start_consultation/"))
    data(client.post(f"{detail}vital-signs/", {"heart_rate": 70}), 201)
    stopped = data(client.post(f"{detail}prescriptions/", MEDICATION), 201)
    data(client.patch(f"{detail}prescriptions/{stopped['id']}/", {"is_active": False}))
    data(client.post(f"{detail}notes/", NOTE), 201)
    data(client.post(f"{detail}complete_consultation/", {"assessment": "Well"}))

    visit = Consultation.objects.get()
    assert versions(visit) == [("+", actor), *[("~", actor)] * 4]
    assert versions(VitalSigns.objects.get()) == [("+", actor)]
    assert versions(Prescription.objects.get()) == [("+", actor), ("~", actor)]
    assert versions(ConsultationNote.objects.get()) == [("+", actor)]


@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_each_service_call_outside_a_request_creates_one_version_by_its_user(
    appointment, actor, request
):
    by = request.getfixturevalue(actor)

    visit = services.open_for(appointment, by=by)
    services.update_text(visit, by=by, diagnosis="Gout")
    services.start(visit, by=by)
    taken = services.record_vital_signs(visit, by=by, heart_rate=70)
    prescription = services.prescribe(visit, by=by, **MEDICATION)
    services.set_active(prescription, by=by, is_active=False)
    note = services.add_note(visit, by=by, **NOTE)
    services.complete(visit, by=by)

    assert versions(visit) == [("+", by), *[("~", by)] * 3]
    assert versions(taken) == [("+", by)]
    assert versions(prescription) == [("+", by), ("~", by)]
    assert versions(note) == [("+", by)]


def test_a_walk_in_has_a_first_version(smith, ada, jane):
    visit = services.open_walk_in(patient=jane, doctor=smith, chief_complaint="A cut", by=ada)

    assert versions(visit) == [("+", ada)]


def test_each_version_keeps_its_texts(api, smith, ada, visit):
    first = visit.history.get()

    data(api(smith).patch(f"{LIST}{visit.pk}/", {"diagnosis": "Gout"}))
    data(api(ada).patch(f"{LIST}{visit.pk}/", {"diagnosis": "None", "doctor_notes": "Wrong"}))

    rows = visit.history.order_by("history_id").values_list("diagnosis", "doctor_notes")
    assert list(rows) == [(first.diagnosis, ""), ("Gout", ""), ("None", "Wrong")]
    assert versions(visit) == [("+", smith), ("~", smith), ("~", ada)]


def test_the_author_of_an_earlier_version_is_not_used_for_a_later_one(smith, ada, visit):
    services.update_text(visit, by=ada, diagnosis="Gout")
    services.update_text(visit, by=smith, diagnosis="None")

    assert versions(visit) == [("+", smith), ("~", ada), ("~", smith)]


def test_a_refused_change_creates_no_version(api, smith, meyer, jane, visit):
    closed = services.complete(visit, by=smith)
    make_appointment(patient=jane, doctor=meyer)
    start = versions(closed)
    detail = f"{LIST}{visit.pk}/"

    assert status_and_code(api(smith).patch(detail, {"diagnosis": "Gout"}))[0] == 409
    assert status_and_code(api(smith).post(f"{detail}prescriptions/", MEDICATION))[0] == 409
    assert status_and_code(api(meyer).patch(detail, {"diagnosis": "Gout"}))[0] == 404
    assert versions(closed) == start
    assert Prescription.history.count() == 0


def test_a_transition_of_the_appointment_creates_no_version(api, smith, visit):
    start = versions(visit)

    data(api(smith).post(f"/api/appointments/{visit.appointment_id}/confirm/"))

    assert versions(visit) == start
