"""Nobody overwrites what he has not seen: versions, `ETag` and `If-Match`."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import connection

from accounts import services as accounts
from accounts.models import Action, AuditEvent, Session
from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments import services as appointments
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    status_and_code,
)
from config.access_report import iter_endpoints
from config.tests.lock_waiting import run_behind_lock
from config.tests.personas import build_clinic
from consultations import services as consultations
from consultations.models import Consultation, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION, make_consultation
from patients import services as patients
from patients.models import Patient
from patients.tests.factories import PatientFactory

PROFILE = "/api/auth/profile/"
ON_THREADS = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite's test database is one connection's"
)


def appointment_at(appointment, move=""):
    return f"/api/appointments/{appointment.pk}/{move}"


def consultation_at(consultation, step=""):
    return f"/api/consultations/{consultation.pk}/{step}"


def patient_at(patient):
    return f"/api/patients/{patient.pk}/"


def version(record):
    return type(record).objects.values_list("version", flat=True).get(pk=record.pk)


# --- What counts as a change ----------------------------------------------------------------


def make_move(name):
    return lambda appointment, by: appointments.move(appointment, name, by=by)


def reschedule(appointment, by):
    slot = TimeSlotFactory(doctor=appointment.doctor)
    appointments.move(appointment, "reschedule", by=by, time_slot=slot)


CHANGES_OF_AN_APPOINTMENT = {
    "confirm": (make_move("confirm"), 1),
    "start": (make_move("start"), 1),
    "complete": (make_move("complete"), 1),
    "cancel": (make_move("cancel"), 1),
    "reschedule": (reschedule, 1),
    "amend": (lambda it, by: appointments.update(it, by=by, symptoms="Fever", priority="low"), 1),
    "amend to a status": (lambda it, by: appointments.update(it, by=by, status="confirmed"), 1),
    "amend and move": (
        lambda it, by: appointments.update(it, by=by, symptoms="Fever", status="confirmed"),
        2,  # two steps, as in the history
    ),
    "amend nothing": (lambda it, by: appointments.update(it, by=by, symptoms=it.symptoms), 0),
    "cancel_upcoming": (lambda it, by: appointments.cancel_upcoming(it.patient, by=by), 1),
    "the start of its consultation": (
        lambda it, by: consultations.start(make_consultation(appointment=it), by=by),
        1,
    ),
    "the opening of its consultation": (lambda it, by: consultations.open_for(it, by=by), 0),
}


@pytest.mark.parametrize("change", CHANGES_OF_AN_APPOINTMENT)
@pytest.mark.django_db
def test_each_step_of_an_appointment_counts_once(change):
    appointment = make_appointment()
    act, steps = CHANGES_OF_AN_APPOINTMENT[change]

    act(appointment, appointment.doctor)

    assert version(appointment) == 1 + steps


CHANGES_OF_A_CONSULTATION = {
    "start": (lambda it, by: consultations.start(it, by=by), 1),
    "complete": (lambda it, by: consultations.complete(it, by=by, assessment="Well"), 1),
    "write": (lambda it, by: consultations.update_text(it, by=by, diagnosis="Gout"), 1),
    "vital signs": (lambda it, by: consultations.record_vital_signs(it, by=by, heart_rate=70), 1),
    "prescribe": (lambda it, by: consultations.prescribe(it, by=by, **MEDICATION), 1),
    "prescribe and stop": (
        lambda it, by: consultations.set_active(
            consultations.prescribe(it, by=by, **MEDICATION), by=by, is_active=False
        ),
        2,
    ),
    "note": (
        lambda it, by: consultations.add_note(it, by=by, note_type="plan", content="Rest"),
        1,
    ),
    "private note": (
        lambda it, by: consultations.add_note(
            it, by=by, note_type="general", content="Worried", is_private=True
        ),
        0,  # its patient reads the version
    ),
    "a move of its appointment": (
        lambda it, by: appointments.move(it.appointment, "confirm", by=by),
        0,
    ),
    "the end of its appointment": (
        lambda it, by: appointments.move(it.appointment, "cancel", by=by),
        0,
    ),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_CONSULTATION)
@pytest.mark.django_db
def test_each_change_of_a_consultation_and_each_part_counts_once(change):
    consultation = make_consultation()
    act, steps = CHANGES_OF_A_CONSULTATION[change]

    act(consultation, consultation.doctor)

    assert version(consultation) == 1 + steps


CHANGES_OF_A_PERSON = {
    "update_profile": (lambda it, by: accounts.update_profile(it, by=by, phone="030 1"), 1),
    "deactivate": (lambda it, by: patients.deactivate(it, by=by), 1),
    "reactivate": (lambda it, by: patients.reactivate(it), 1),
    "verify_licence": (lambda it, by: accounts.verify_licence(it), 1),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_PERSON)
@pytest.mark.django_db
def test_each_change_of_a_person_counts_once(change):
    person = PatientFactory()
    act, steps = CHANGES_OF_A_PERSON[change]

    act(person, AdminFactory())

    assert version(person) == 1 + steps


@pytest.mark.django_db
def test_a_refused_change_does_not_count():
    consultation = make_consultation(completed=True)
    before = all_rows(Appointment, Consultation)

    with pytest.raises(ValidationError):
        consultations.prescribe(consultation, by=consultation.doctor, **MEDICATION)

    assert all_rows(Appointment, Consultation) == before


@pytest.mark.django_db
def test_signing_in_does_not_count(api, client):
    patient = PatientFactory()

    api(patient)
    client.force_login(patient)

    assert (version(patient), patient.version) == (1, 1)


# --- ETag -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_record_carries_its_version_as_etag(api):
    clinic = build_clinic()
    doctor, admin = api(clinic.house), api(clinic.ada)
    accounts.update_profile(clinic.jane, by=clinic.ada, phone="030 1")

    tags = {
        address: client.get(address).headers.get("ETag")
        for client, address in [
            (doctor, appointment_at(clinic.appointment)),
            (doctor, consultation_at(clinic.consultation)),
            (doctor, patient_at(clinic.jane)),
            (admin, PROFILE),
            (admin, "/api/appointments/"),
            (admin, f"/api/doctors/{clinic.house.pk}/"),
            (admin, f"/api/time-slots/{clinic.free.pk}/"),
            (admin, "/api/appointments/0/"),
        ]
    }

    assert list(tags.values()) == ['"2"', '"5"', '"2"', '"1"', None, None, None, None]


@pytest.mark.django_db
def test_a_get_after_a_write_has_the_etag_of_its_answer(api):
    clinic = build_clinic()
    doctor, admin, jane = api(clinic.house), api(clinic.ada), api(clinic.jane)
    slot = TimeSlotFactory(doctor=clinic.house)
    appointment, consultation = clinic.appointment, clinic.pauls_consultation
    booked = admin.post(
        "/api/appointments/",
        {"time_slot": slot.pk, "patient": clinic.paul.pk, "reason_for_visit": "A cough"},
    )
    booked_at = f"/api/appointments/{data(booked, 201)['id']}/"
    assert booked["ETag"] == admin.get(booked_at)["ETag"] == '"1"'

    for client, method, written, read, body in [
        (admin, "post", f"{booked_at}confirm/", booked_at, {}),
        (admin, "patch", booked_at, booked_at, {"symptoms": "Fever", "status": "cancelled"}),
        (doctor, "patch", appointment_at(appointment), None, {"doctor_notes": "Calm"}),
        (admin, "patch", consultation_at(consultation), None, {"diagnosis": "Gout"}),
        (
            admin,
            "post",
            consultation_at(consultation, "complete_consultation/"),
            consultation_at(consultation),
            {},
        ),
        (doctor, "patch", patient_at(clinic.jane), None, {"phone": "030 1"}),
        (jane, "patch", PROFILE, None, {"phone": "030 2"}),
    ]:
        before = client.get(read or written)["ETag"]

        answer = getattr(client, method)(written, body)

        assert answer.status_code == 200, answer.content
        assert answer["ETag"] != before
        assert answer["ETag"] == client.get(read or written)["ETag"]


@pytest.mark.django_db
def test_the_profile_and_the_patient_s_record_have_one_version(api):
    patient = PatientFactory()
    client = api(patient)

    client.patch(PROFILE, {"phone": "030 1"})

    assert client.get(PROFILE)["ETag"] == client.get(patient_at(patient))["ETag"] == '"2"'


@pytest.mark.parametrize("if_version", [None, {1}])
@pytest.mark.django_db
def test_asking_for_a_version_costs_nothing_and_a_part_one_statement(if_version):
    consultation = make_consultation()
    doctor = consultation.doctor

    with assert_data_queries(5):  # two locks, the row, its history and the audit's
        consultations.update_text(consultation, by=doctor, diagnosis="Gout", if_version=if_version)
    with assert_data_queries(6):  # the consultation's version too
        consultations.add_note(consultation, by=doctor, note_type="plan", content="Rest")


# --- If-Match -------------------------------------------------------------------------------


def every_change(clinic):
    """(who, method, address, body) of each operation that heeds If-Match, and would succeed."""
    appointment, consultation = clinic.fresh, clinic.fresh_consultation
    free = TimeSlotFactory(doctor=clinic.house)
    profile = {"first_name": "Jane", "last_name": "D.", "email": clinic.jane.email}
    return [
        (clinic.jane, "put", appointment_at(appointment), {"reason_for_visit": "Worse"}),
        (clinic.jane, "patch", appointment_at(appointment), {"symptoms": "Fever"}),
        (clinic.house, "post", appointment_at(appointment, "confirm/"), {}),
        (clinic.house, "post", appointment_at(appointment, "start/"), {}),
        (clinic.house, "post", appointment_at(appointment, "complete/"), {}),
        (clinic.house, "post", appointment_at(appointment, "no_show/"), {}),
        (clinic.jane, "post", appointment_at(appointment, "cancel/"), {}),
        (clinic.jane, "post", appointment_at(appointment, "reschedule/"), {"time_slot": free.pk}),
        (clinic.house, "put", consultation_at(consultation), {"diagnosis": "Gout"}),
        (clinic.house, "patch", consultation_at(consultation), {"diagnosis": "Gout"}),
        (clinic.house, "post", consultation_at(consultation, "start_consultation/"), {}),
        (clinic.house, "post", consultation_at(consultation, "complete_consultation/"), {}),
        (clinic.house, "put", patient_at(clinic.jane), profile),
        (clinic.house, "patch", patient_at(clinic.jane), {"phone": "030 1"}),
        (clinic.ada, "delete", patient_at(clinic.jane), {}),
        (clinic.jane, "put", PROFILE, profile),
        (clinic.jane, "patch", PROFILE, {"phone": "030 1"}),
    ]


@pytest.fixture
def clinic(db):
    clinic = build_clinic()
    clinic.fresh = make_appointment(patient=clinic.jane, doctor=clinic.house)
    clinic.fresh_consultation = make_consultation(patient=clinic.jane, doctor=clinic.house)
    return clinic


def rows():
    return all_rows(Appointment, AppointmentHistory, Consultation, Patient)


def test_a_stale_or_unknown_tag_is_412_and_changes_nothing(api, clinic):
    for who, method, address, body in every_change(clinic):
        client, before = api(who), rows_without_sign_ins()
        for tags in ('"99"', 'W/"1"', '"01"', '"one"', '""', '"2","99999999999999999999"'):
            response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)

            assert status_and_code(response) == (412, "stale_version"), (method, address, tags)
            assert "ETag" not in response
        assert rows_without_sign_ins() == before


def rows_without_sign_ins():
    """Every row, but for when its person was seen last."""
    return [[row | {"last_login": None} for row in table] for table in rows()]


@pytest.mark.parametrize("tags", ['"1"', '"7", "1"', '"7",W/"8" ,"1"', "*", None])
@pytest.mark.parametrize("number", range(17))
def test_with_the_right_tag_any_tag_or_none_it_proceeds(api, clinic, number, tags):
    who, method, address, body = every_change(clinic)[number]
    extra = {} if tags is None else {"HTTP_IF_MATCH": tags}

    response = getattr(api(who), method)(address, body, **extra)

    if address.endswith("no_show/"):  # it is too early for that, whatever the tag
        assert status_and_code(response) == (409, "invalid_transition")
    else:
        assert response.status_code in (200, 204), response.content


@pytest.mark.parametrize("tags", ["", "7", '"7', '"7" "8"', '*, "7"', '"7",', "w/7", "'7'"])
def test_a_malformed_if_match_is_refused_by_name(api, clinic, tags):
    for who, method, address, body in every_change(clinic):
        client, before = api(who), rows_without_sign_ins()

        response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)

        status, name, errors = error_details(response)
        assert (status, name, list(errors)) == (400, "validation_error", ["If-Match"])
        assert rows_without_sign_ins() == before


def test_every_change_of_a_record_with_a_version_heeds_if_match(clinic):
    """Walks the doors: an unsafe operation on one such record is in the list above."""
    heeded = {
        (method, door.address)
        for door in iter_endpoints()
        if door.is_canonical
        for method, action in door.actions.items()
        if action in getattr(door.view, "if_match", ())
    }
    tested = {
        (method, "/".join("{pk}" if part.isdigit() else part for part in address.split("/")))
        for _, method, address, _ in every_change(clinic)
    }
    unsafe = {
        (method, door.address)
        for door in iter_endpoints()
        if door.is_canonical and getattr(door.view, "if_match", None) and "{pk}" in door.address
        for method in door.actions
        if method not in ("get", "head")
    }

    assert heeded == tested
    assert unsafe <= heeded


def test_reading_does_not_ask_for_a_version(api, clinic):
    client = api(clinic.jane)

    for address in (appointment_at(clinic.fresh), "/api/appointments/", PROFILE):
        assert client.get(address, HTTP_IF_MATCH='"99"').status_code == 200


def changes_of_what_has_no_version(clinic):
    """(who, method, address, body) of operations that would succeed, and have no tag to match."""
    visit = consultation_at(clinic.fresh_consultation)
    prescription = consultations.prescribe(clinic.fresh_consultation, by=clinic.house, **MEDICATION)
    slot = f"/api/time-slots/{clinic.free.pk}/"
    booking = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}
    session = Session.objects.filter(user=clinic.jane).latest("created_at")
    return [
        (clinic.house, "patch", slot, {"end_time": "23:59"}),
        (clinic.house, "delete", slot, {}),
        (clinic.jane, "post", "/api/appointments/", booking),
        (clinic.house, "post", f"{visit}vital-signs/", {"heart_rate": 70}),
        (clinic.house, "patch", f"{visit}prescriptions/{prescription.pk}/", {"is_active": False}),
        (clinic.jane, "delete", f"/api/auth/sessions/{session.pk}/", {}),
        (clinic.jane, "post", "/api/auth/sessions/end_all/", {}),
    ]


@pytest.mark.parametrize("number", range(7))
def test_where_nothing_has_a_version_no_tag_is_right_and_a_star_is(api, clinic, number):
    """A tag is a promise to change nothing but what was read; it is not passed over in silence."""
    api(clinic.jane)
    who, method, address, body = changes_of_what_has_no_version(clinic)[number]
    tables = (TimeSlot, Appointment, Prescription, VitalSigns, Session)
    client = api(who)
    before = all_rows(*tables)

    for tags in ('"1"', 'W/"1"', '"1", "2"'):
        response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)
        assert status_and_code(response) == (412, "stale_version"), (method, address, tags)
    assert error_details(getattr(client, method)(address, body, HTTP_IF_MATCH="7"))[0] == 400
    assert all_rows(*tables) == before
    assert getattr(client, method)(address, body, HTTP_IF_MATCH="*").status_code in (200, 201, 204)
    assert all_rows(*tables) != before


def test_what_was_read_before_another_s_change_cannot_be_put_back(api, clinic):
    """Its stamps are old too; it is told of the version, not blamed for them."""
    client, address = api(clinic.jane), appointment_at(clinic.fresh)
    read = client.get(address)
    appointments.move(clinic.fresh, "confirm", by=clinic.house)

    response = client.put(address, data(read) | {"symptoms": "Fever"}, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (412, "stale_version")
    assert data(client.get(address))["symptoms"] == ""


def test_a_stale_profile_is_told_of_the_version_and_not_of_its_other_fields(api, clinic):
    client = api(clinic.jane)
    tag = client.get(PROFILE)["ETag"]
    accounts.update_profile(clinic.jane, by=clinic.ada, phone="030 1")

    response = client.patch(PROFILE, {"phone": "none"}, HTTP_IF_MATCH=tag)

    assert status_and_code(response) == (412, "stale_version")
    assert status_and_code(client.patch(PROFILE, {"phone": "none"})) == (400, "validation_error")


def test_a_new_part_makes_what_was_read_of_the_consultation_stale(api, clinic):
    client, address = api(clinic.house), consultation_at(clinic.fresh_consultation)
    read = client.get(address)
    data(client.post(f"{address}vital-signs/", {"heart_rate": 70}), 201)

    response = client.patch(address, {"diagnosis": "Gout"}, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (412, "stale_version")


def test_a_private_note_makes_nothing_stale_and_nothing_overwrites_it(api, clinic):
    client, address = api(clinic.house), consultation_at(clinic.fresh_consultation)
    read = client.get(address)
    note = {"note_type": "general", "content": "Worried", "is_private": True}
    written = data(client.post(f"{address}notes/", note), 201)

    response = client.put(address, data(read) | {"diagnosis": "Gout"}, HTTP_IF_MATCH=read["ETag"])

    assert data(response)["notes"] == [written]
    assert response["ETag"] == '"2"'


@pytest.mark.parametrize(
    ("method", "step", "body"),
    [
        ("put", "", {"diagnosis": "Gout"}),
        ("patch", "", {"diagnosis": "Gout"}),
        ("post", "start_consultation/", {}),
        ("post", "complete_consultation/", {"diagnosis": "Gout"}),
    ],
)
def test_a_consultation_whose_visit_was_cancelled_has_its_tag_and_takes_no_change_with_it(
    *, method, step, body, api, clinic
):
    """Its status follows the appointment, which is no change of the consultation."""
    client, address = api(clinic.house), consultation_at(clinic.fresh_consultation)
    read = client.get(address)
    appointments.move(clinic.fresh_consultation.appointment, "cancel", by=clinic.house)
    before = rows()

    response = getattr(client, method)(f"{address}{step}", body, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (409, "invalid_transition")
    assert rows() == before
    now = client.get(address)
    assert (now["ETag"], data(now)["status"]) == (read["ETag"], "cancelled")


def test_out_of_sight_is_404_whatever_the_tag(api, clinic):
    client = api(clinic.paul)

    for tags in ('"1"', '"99"', "*"):
        response = client.patch(appointment_at(clinic.fresh), {}, HTTP_IF_MATCH=tags)
        assert status_and_code(response) == (404, "not_found")


# --- At the desk ----------------------------------------------------------------------------


def pages_of(clinic):
    """(the page of a record, a text field on it, the record, what another does meanwhile)."""
    return {
        "appointment": (
            "appointments/appointment",
            "symptoms",
            clinic.fresh,
            lambda it: appointments.update(it, by=clinic.jane, symptoms="Fever"),
        ),
        "consultation": (
            "consultations/consultation",
            "diagnosis",
            clinic.fresh_consultation,
            lambda it: consultations.update_text(it, by=clinic.house, diagnosis="Gout"),
        ),
        "a part of it": (
            "consultations/consultation",
            "diagnosis",
            clinic.fresh_consultation,
            lambda it: consultations.record_vital_signs(it, by=clinic.house, heart_rate=70),
        ),
        "patient": (
            "patients/patient",
            "allergies",
            clinic.jane,
            lambda it: accounts.update_profile(it, by=clinic.house, allergies="Penicillin"),
        ),
        "account": (
            "accounts/user",
            "allergies",
            clinic.jane,
            lambda it: accounts.update_profile(it, by=clinic.house, allergies="Penicillin"),
        ),
        "doctor": (
            "accounts/doctor",
            "specialization",
            clinic.house,
            lambda it: accounts.update_profile(it, by=clinic.ada, phone="030 1"),
        ),
    }


def as_sent_by_a_browser(page):
    """What the fields of a page's form hold, the unseen ones only as far as they stand in it."""
    form, html = page.context["adminform"].form, page.content.decode()
    sent = {field.html_name: field.value() for field in form.visible_fields()}
    for field in form.hidden_fields():
        assert str(field) in html
        sent[field.html_name] = field.value()
    for formset in page.context["inline_admin_formsets"]:
        management = formset.formset.management_form
        sent |= {field.html_name: field.value() for field in management}
    return {name: value for name, value in sent.items() if value is not None}


@pytest.mark.parametrize(
    "which", ["appointment", "consultation", "a part of it", "patient", "account", "doctor"]
)
def test_at_the_desk_nobody_overwrites_what_came_in_meanwhile(client, clinic, which):
    client.force_login(clinic.ada)
    page, field, record, another_changes = pages_of(clinic)[which]
    address = f"/admin/{page}/{record.pk}/change/"
    typed = as_sent_by_a_browser(client.get(address)) | {field: "As it was told at the desk"}
    another_changes(record)
    before = rows()

    refused = client.post(address, typed)

    assert refused.status_code == 200
    [sentence] = refused.context["adminform"].form.non_field_errors()
    assert sentence.startswith("Somebody has changed this record in the meantime.")
    assert sentence in refused.content.decode()
    assert "As it was told at the desk" in refused.content.decode()
    assert rows() == before
    assert client.post(address, typed).status_code == 200  # sent again, it is as stale as before
    assert rows() == before
    again = as_sent_by_a_browser(client.get(address)) | {field: "As it was told at the desk"}
    assert client.post(address, again).status_code == 302
    record.refresh_from_db()
    assert getattr(record, field) == "As it was told at the desk"


@pytest.mark.parametrize("version", ["two", "1.5", '{"a": 1}'])
def test_at_the_desk_a_version_that_is_none_changes_nothing(client, clinic, version):
    client.force_login(clinic.ada)
    address = f"/admin/patients/patient/{clinic.jane.pk}/change/"
    typed = as_sent_by_a_browser(client.get(address)) | {"phone": "030 1"}
    before = rows()

    refused = client.post(address, typed | {"if_version": version})

    assert refused.status_code == 200
    assert list(refused.context["adminform"].form.errors) == ["if_version"]
    assert rows() == before


def test_at_the_desk_the_version_is_no_change_of_its_own(client, clinic):
    """As without `If-Match`, whoever sends none overwrites; and no log speaks of it."""
    client.force_login(clinic.ada)
    address = f"/admin/patients/patient/{clinic.jane.pk}/change/"
    typed = as_sent_by_a_browser(client.get(address))
    del typed["if_version"]

    assert client.post(address, typed | {"phone": "030 1"}).status_code == 302

    assert "Phone" in LogEntry.objects.get().get_change_message()
    assert "ersion" not in LogEntry.objects.get().get_change_message()


# --- Under the lock -------------------------------------------------------------------------


CHANGES_FROM_A_VERSION = {
    "move": lambda clinic, known: appointments.move(
        clinic.fresh, "confirm", by=clinic.house, if_version=known
    ),
    "amend": lambda clinic, known: appointments.update(
        clinic.fresh, by=clinic.jane, symptoms="Fever", if_version=known
    ),
    "start": lambda clinic, known: consultations.start(
        clinic.fresh_consultation, by=clinic.house, if_version=known
    ),
    "complete": lambda clinic, known: consultations.complete(
        clinic.fresh_consultation, by=clinic.house, if_version=known
    ),
    "write": lambda clinic, known: consultations.update_text(
        clinic.fresh_consultation, by=clinic.house, diagnosis="Gout", if_version=known
    ),
    "update_profile": lambda clinic, known: accounts.update_profile(
        clinic.jane, by=clinic.ada, phone="030 1", if_version=known
    ),
    "deactivate": lambda clinic, known: patients.deactivate(
        clinic.jane, by=clinic.ada, if_version=known
    ),
}


@pytest.mark.parametrize("change", CHANGES_FROM_A_VERSION)
def test_a_service_looks_at_the_row_and_not_at_the_record_in_hand(clinic, change):
    """The record in hand is of the version named; the row went on while nobody looked."""
    for model in (Appointment, Consultation, Patient):
        model.objects.update(version=2)
    before = rows()

    with pytest.raises(ValidationError) as refused:
        CHANGES_FROM_A_VERSION[change](clinic, {1})

    assert [error.code for error in refused.value.error_dict["version"]] == ["stale_version"]
    assert rows() == before
    CHANGES_FROM_A_VERSION[change](clinic, {2})
    assert rows() != before


@ON_THREADS
@pytest.mark.django_db(transaction=True)
def test_every_door_hands_its_version_to_the_service(api, clinic):
    """The version is right when the door looks, and another's by the time the lock is had."""
    for number, (who, method, address, body) in enumerate(every_change(clinic), start=1):
        client, answers = api(who), []

        def another_changes(number=number):
            for model in (Appointment, Consultation, Patient):
                model.objects.update(version=number + 1)

        def send(number=number, request=(method, address, body), client=client, to=answers):
            name, *sent = request
            to.append(getattr(client, name)(*sent, HTTP_IF_MATCH=f'"{number}"'))

        waited, _ = run_behind_lock(another_changes, send)

        assert (waited, status_and_code(answers[0])) == (True, (412, "stale_version")), (
            method,
            address,
        )


@ON_THREADS
@pytest.mark.django_db(transaction=True)
def test_of_eight_who_start_from_one_version_exactly_one_wins(api):
    doctor, patient = DoctorFactory(), PatientFactory()
    consultation = make_consultation(doctor=doctor, patient=patient)
    appointment = consultation.appointment
    client = api(doctor)

    for address, body in [
        (appointment_at(appointment), {"doctor_notes": "Calm {}"}),
        (consultation_at(consultation), {"diagnosis": "Gout {}"}),
        (patient_at(patient), {"phone": "030 {}"}),
    ]:
        tag, gate = client.get(address)["ETag"], Barrier(8)

        def change(number, address=address, body=body, tag=tag, gate=gate):
            other = api(doctor)
            mine = {name: text.format(number) for name, text in body.items()}
            gate.wait(30)
            try:
                return other.patch(address, mine, HTTP_IF_MATCH=tag)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(change, range(8)))

        [won] = [answer for answer in answers if answer.status_code == 200]
        lost = [status_and_code(answer) for answer in answers if answer.status_code != 200]
        assert lost == [(412, "stale_version")] * 7
        now = client.get(address)
        assert now["ETag"] == won["ETag"] != tag
        field = next(iter(body))
        assert data(now)[field] == data(won)[field]


# --- If-None-Match --------------------------------------------------------------------------


def reads_of(record):
    return AuditEvent.objects.filter(action=Action.READ, patients=[record.pk])


@pytest.mark.django_db
@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"7", "1"'])
def test_who_has_the_record_as_it_is_gets_no_body(api, tags):
    patient = PatientFactory()
    client = api(patient)
    for address in (patient_at(patient), PROFILE):
        told = client.get(address, HTTP_IF_NONE_MATCH=tags)
        assert (told.status_code, told.content) == (304, b"")
        assert told["ETag"] == client.get(address)["ETag"] == '"1"'
        assert "Content-Type" not in told
    assert reads_of(patient).count() == 4  # a 304 says what the reader knows: it is a read


@pytest.mark.django_db
@pytest.mark.parametrize("tags", ['"2"', "*", "1", '"01"', "nonsense", '"one"', ""])
def test_who_has_another_version_gets_the_record(api, tags):
    patient = PatientFactory()
    for address in (patient_at(patient), PROFILE):
        assert data(api(patient).get(address, HTTP_IF_NONE_MATCH=tags))["id"] == patient.pk


@pytest.mark.django_db
def test_whatever_the_record_shows_leaves_the_old_version(api):
    patient, admin = PatientFactory(), AdminFactory()
    client = api(patient)
    shown = data(client.get(PROFILE))
    for field, value in {
        "first_name": "Maud",
        "phone": "+49 30 1",
        "allergies": "Latex",
        "gender": "female",
        "address": "Elsewhere 1",
    }.items():
        tag = client.get(PROFILE)["ETag"]
        data(api(admin).patch(patient_at(patient), {field: value}))
        now = data(client.get(PROFILE, HTTP_IF_NONE_MATCH=tag))
        assert now[field] == value != shown[field]


@pytest.mark.django_db
def test_who_may_not_read_the_record_is_told_nothing_of_its_version(api):
    patient = PatientFactory()
    for user, status in ((PatientFactory(), 404), (None, 401)):
        told = api(user).get(patient_at(patient), HTTP_IF_NONE_MATCH='"1"')
        assert told.status_code == status
        assert "ETag" not in told


@pytest.mark.django_db
def test_what_follows_the_clock_or_other_records_is_always_sent(api):
    consultation = make_consultation()
    visit = consultation.appointment
    client = api(visit.doctor)
    for address in (appointment_at(visit), consultation_at(consultation)):
        tag = client.get(address)["ETag"]
        assert client.get(address, HTTP_IF_NONE_MATCH=tag).status_code == 200


@pytest.mark.django_db
def test_a_post_that_is_answered_again_has_its_body(api):
    doctor, key = DoctorFactory(), {"HTTP_IDEMPOTENCY_KEY": "a-new-patient"}
    body = {"first_name": "Ada", "last_name": "Byron"}
    made = data(api(doctor).post("/api/patients/", body, **key), 201)
    again = api(doctor).post("/api/patients/", body, **key, HTTP_IF_NONE_MATCH='"1"')
    assert data(again, 201) == made
