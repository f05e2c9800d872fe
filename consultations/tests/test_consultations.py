"""Endpoints that open, retrieve, change, filter and search consultations."""

from datetime import timedelta

import pytest

from appointments import clock
from appointments.lifecycle import Status
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    ids,
    status_and_code,
)
from config.clinical_records import record_of
from consultations import services
from consultations.models import Consultation
from consultations.tests.factories import CONSULTATION_TEXTS, add_parts, make_consultation
from patients.services import deactivate

LIST = "/api/consultations/"


MISSING_ID = 999_999
PARTS = {record.name: record.route for record in record_of(Consultation).parts}


def url(consultation):
    return f"{LIST}{consultation if isinstance(consultation, int) else consultation.pk}/"


# --- Reading --------------------------------------------------------------------------------


@pytest.mark.usefixtures("wednesday")
def test_a_consultation_is_returned_with_all_fields(api, smith, jane, appointment):
    visit = make_consultation(appointment=appointment, started=True)
    with clock.frozen_at(visit.started_at + timedelta(minutes=20, seconds=59)):
        services.complete(visit, by=smith, **CONSULTATION_TEXTS | {"follow_up_date": None})

    shown = data(api(smith).get(url(visit)))

    assert shown == CONSULTATION_TEXTS | {
        "id": visit.pk,
        "appointment": appointment.pk,
        "patient": jane.pk,
        "patient_name": "Jane Doe",
        "doctor": smith.pk,
        "doctor_name": "John Smith",
        "status": "completed",
        "started_at": "2026-12-02T10:00:00+01:00",
        "ended_at": "2026-12-02T10:20:59+01:00",
        "duration_minutes": 20,
        "follow_up_date": None,
        "created_at": "2026-12-02T10:00:00+01:00",
        "updated_at": "2026-12-02T10:20:59+01:00",
        **{name: [] for name in PARTS},
        "more_parts": [],
    }


def test_the_detail_adds_parts_to_the_list_fields(api, smith, visit):
    add_parts(visit)

    row = data(api(smith).get(LIST))["results"][0]
    whole = data(api(smith).get(url(visit)))

    parts = {name: whole.pop(name) for name in PARTS}
    assert whole.pop("more_parts") == []
    assert whole == row
    assert {name: len(rows) for name, rows in parts.items()} == dict.fromkeys(PARTS, 1) | {
        "notes": 2
    }
    for name, rows in parts.items():
        below = data(api(smith).get(f"{url(visit)}{PARTS[name]}/"))
        assert below["results"] == rows


def test_both_mounts_return_the_same(api, smith, visit):
    seeds = "/api/consultations/api/consultations/"

    assert data(api(smith).get(seeds)) == data(api(smith).get(LIST))
    assert data(api(smith).get(f"{seeds}{visit.pk}/")) == data(api(smith).get(url(visit)))


def test_the_patient_never_sees_doctor_notes(api, smith, jane, visit):
    services.update_text(visit, by=smith, **CONSULTATION_TEXTS | {"follow_up_date": None})

    listed = api(jane).get(LIST)
    detail = api(jane).get(url(visit))

    for shown in (data(listed)["results"][0], data(detail)):
        assert "doctor_notes" not in shown
        assert shown["assessment"] == CONSULTATION_TEXTS["assessment"]
    assert (
        CONSULTATION_TEXTS["doctor_notes"] not in listed.content.decode() + detail.content.decode()
    )


def test_users_see_their_own_consultations_and_admins_see_all(api, smith, meyer, ada, jane):
    janes = make_consultation(patient=jane, doctor=smith)
    anothers = make_consultation(doctor=meyer)

    seen = {
        reader: ids(api(reader).get(LIST)) for reader in (jane, anothers.patient, smith, meyer, ada)
    }

    assert seen == {
        jane: [janes.pk],
        anothers.patient: [anothers.pk],
        smith: [janes.pk],
        meyer: [anothers.pk],
        ada: [anothers.pk, janes.pk],
    }


@pytest.mark.parametrize("reader", ["omar", "meyer"])
def test_an_invisible_consultation_and_a_missing_one_are_both_404(api, visit, reader, request):
    client = api(request.getfixturevalue(reader))

    other, missing, huge = (client.get(url(one)) for one in (visit, MISSING_ID, 10**30))

    assert error_details(other) == (404, "not_found", {"detail": ["Not found."]})
    assert other.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert huge.json() | {"request_id": ""} == missing.json() | {"request_id": ""}


def test_anonymous_users_and_unverified_doctors_are_refused(api, nils, visit):
    for one in (LIST, url(visit), url(MISSING_ID)):
        assert status_and_code(api().get(one)) == (401, "not_authenticated")
        assert status_and_code(api(nils).get(one)) == (403, "license_not_verified")


def test_the_list_is_ordered_newest_first(api, ada, wednesday):
    written = []
    for hours in (2, 5, 1):
        with clock.frozen_at(wednesday - timedelta(hours=hours)):
            written.append(make_consultation().pk)

    assert ids(api(ada).get(LIST)) == [written[2], written[0], written[1]]
    assert ids(api(ada).get(LIST, {"ordering": "created_at"})) == [
        written[1],
        written[0],
        written[2],
    ]


@pytest.mark.usefixtures("wednesday")
def test_consultations_of_the_same_time_are_ordered_by_id(api, ada):
    written = [make_consultation().pk for _ in range(3)]

    assert ids(api(ada).get(LIST)) == written[::-1]


# --- Opening --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.CONFIRMED, Status.IN_PROGRESS])
def test_a_doctor_opens_the_consultation_of_their_active_appointment(api, smith, jane, status):
    appointment = make_appointment(
        status, patient=jane, doctor=smith, reason_for_visit="Chest pain"
    )

    response = api(smith).post(LIST, {"appointment": appointment.pk})

    shown = data(response, 201)
    visit = Consultation.objects.get()
    assert response.json()["message"] == "Consultation opened."
    assert shown == data(api(smith).get(url(visit)))
    assert (visit.appointment, visit.patient, visit.doctor) == (appointment, jane, smith)
    assert (visit.chief_complaint, shown["status"]) == ("Chest pain", "scheduled")
    appointment.refresh_from_db()
    assert appointment.status == status


def test_an_admin_opens_a_consultation_for_the_doctor_of_the_appointment(api, ada, smith, visit):
    appointment = make_appointment(patient=visit.patient, doctor=smith)
    body = {"appointment": appointment.pk, "chief_complaint": "In other words"}

    shown = data(api(ada).post("/api/consultations/api/consultations/", body), 201)

    assert (shown["doctor"], shown["patient"]) == (smith.pk, visit.patient_id)
    assert shown["chief_complaint"] == "In other words"


def test_patient_and_doctor_must_match_the_appointment(api, ada, meyer, omar, appointment):
    client = api(ada)
    right = {
        "appointment": appointment.pk,
        "patient": appointment.patient_id,
        "doctor": appointment.doctor_id,
    }

    for name, other in (("patient", omar.pk), ("doctor", meyer.pk)):
        status, word, errors = error_details(client.post(LIST, right | {name: other}))

        assert (status, word, list(errors)) == (400, "validation_error", [name])
        assert Consultation.objects.count() == 0
    data(client.post(LIST, right), 201)


def test_an_appointment_has_one_consultation(api, smith, ada, visit):
    before = all_rows(Consultation)

    for author in (smith, ada):
        response = api(author).post(LIST, {"appointment": visit.appointment_id})

        sentence = ["This appointment already has a consultation."]
        assert error_details(response) == (409, "consultation_exists", {"appointment": sentence})
        assert all_rows(Consultation) == before


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW])
def test_a_finished_appointment_cannot_get_a_consultation(api, smith, status):
    appointment = make_appointment(status, doctor=smith)

    response = api(smith).post(LIST, {"appointment": appointment.pk})

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": ["reopen"]}
    assert Consultation.objects.count() == 0


def test_the_appointment_of_another_doctor_is_refused_as_missing(api, meyer, appointment):
    client = api(meyer)

    other, missing = (client.post(LIST, {"appointment": pk}) for pk in (appointment.pk, MISSING_ID))

    sentence = "There is no such record, or you may not use it. Choose another one."
    assert error_details(other) == (400, "validation_error", {"appointment": [sentence]})
    assert error_details(missing) == error_details(other)
    assert Consultation.objects.count() == 0


def test_a_walk_in_belongs_to_the_doctor_who_opens_it(api, smith, jane):
    body = {"patient": jane.pk, "chief_complaint": "A cut finger"}

    shown = data(api(smith).post(LIST, body), 201)

    visit = Consultation.objects.get()
    assert (visit.appointment, visit.patient, visit.doctor) == (None, jane, smith)
    assert (shown["appointment"], shown["status"]) == (None, "scheduled")
    assert data(api(jane).get(url(visit)))["chief_complaint"] == "A cut finger"


def test_an_admin_must_send_the_doctor_of_a_walk_in(api, ada, smith, jane):
    body = {"patient": jane.pk, "chief_complaint": "A cut finger"}

    without = error_details(api(ada).post(LIST, body))

    assert (without[0], list(without[2]), Consultation.objects.count()) == (400, ["doctor"], 0)
    assert data(api(ada).post(LIST, body | {"doctor": smith.pk}), 201)["doctor"] == smith.pk


def test_a_doctor_can_send_only_their_own_id(api, smith, meyer, jane):
    body = {"patient": jane.pk, "chief_complaint": "A cut finger"}

    status, _, errors = error_details(api(smith).post(LIST, body | {"doctor": meyer.pk}))

    assert (status, list(errors), Consultation.objects.count()) == (400, ["doctor"], 0)
    assert data(api(smith).post(LIST, body | {"doctor": smith.pk}), 201)["doctor"] == smith.pk


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["patient", "chief_complaint"]),
        ({"patient": "jane"}, ["chief_complaint"]),
        ({"chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": "jane", "chief_complaint": " "}, ["chief_complaint"]),
        ({"patient": "smith", "chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": "closed", "chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": None, "chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": 1.9, "chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": True, "chief_complaint": "A cut finger"}, ["patient"]),
        ({"patient": 2**63, "chief_complaint": "A cut finger"}, ["patient"]),
        ({"appointment": " 1 "}, ["appointment"]),
        ({"appointment": None}, ["appointment"]),
        ({"appointment": {"id": 1}}, ["appointment"]),
    ],
)
def test_an_invalid_body_is_refused_by_field_name(api, body, fields, request):
    people = {name: request.getfixturevalue(name) for name in ("smith", "jane", "omar")}
    deactivate(people["omar"], by=people["smith"])
    people["closed"] = people["omar"]
    named = people.get(body.get("patient")) if isinstance(body.get("patient"), str) else None

    response = api(people["smith"]).post(LIST, body | ({"patient": named.pk} if named else {}))

    status, word, errors = error_details(response)
    assert (status, word, list(errors)) == (400, "validation_error", fields)
    assert Consultation.objects.count() == 0


@pytest.mark.parametrize("field", ["status", "started_at", "ended_at", "diagnosis", "id"])
def test_unknown_and_read_only_fields_are_refused(api, smith, appointment, field):
    body = {"appointment": appointment.pk, field: "completed"}

    status, word, errors = error_details(api(smith).post(LIST, body))

    assert (status, word, list(errors)) == (400, "unknown_field", [field])
    assert Consultation.objects.count() == 0


def test_other_roles_cannot_open_a_consultation(api, nils, jane, appointment):
    body = {"appointment": appointment.pk}

    answers = [status_and_code(api(caller).post(LIST, body)) for caller in (None, jane, nils)]

    assert answers == [
        (401, "not_authenticated"),
        (403, "permission_denied"),
        (403, "license_not_verified"),
    ]
    assert Consultation.objects.count() == 0


# --- Changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("writer", ["smith", "ada"])
def test_the_doctor_and_admins_change_the_texts(api, visit, method, writer, request):
    client = api(request.getfixturevalue(writer))
    before = data(client.get(url(visit)))

    response = getattr(client, method)(url(visit), CONSULTATION_TEXTS)

    shown = data(response)
    assert response.json()["message"] == "Consultation updated."
    assert shown == before | CONSULTATION_TEXTS | {"updated_at": shown["updated_at"]}
    assert shown == data(client.get(url(visit)))


def test_omitted_fields_keep_their_values(api, smith, visit):
    client = api(smith)
    before = data(client.patch(url(visit), CONSULTATION_TEXTS))

    data(client.patch(url(visit), {"diagnosis": "Gout", "follow_up_date": None}))
    data(client.put(url(visit), {"assessment": ""}))
    data(client.put(url(visit), {}))

    changed = {"diagnosis": "Gout", "follow_up_date": None, "assessment": ""}
    after = data(client.get(url(visit)))
    assert after == before | changed | {"updated_at": after["updated_at"]}


def test_a_get_response_can_be_put_back(api, smith, visit):
    add_parts(visit)
    client = api(smith)
    shown = data(client.get(url(visit)))

    after = data(client.put(url(visit), shown | {"diagnosis": "Gout"}))

    assert after == shown | {"diagnosis": "Gout", "updated_at": after["updated_at"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", MISSING_ID),
        ("appointment", None),
        ("patient", MISSING_ID),
        ("patient_name", "Joe"),
        ("doctor", MISSING_ID),
        ("doctor_name", "Joe"),
        ("status", "completed"),
        ("started_at", "2026-12-02T10:00:00+01:00"),
        ("ended_at", "2026-12-02T10:00:00+01:00"),
        ("duration_minutes", 5),
        ("created_at", "2026-12-02T10:00:00+01:00"),
        ("updated_at", "2026-12-02T10:00:00+01:00"),
        ("notes", None),
    ],
)
def test_a_changed_read_only_field_is_refused_by_name(api, ada, visit, field, value):
    before = all_rows(Consultation)
    body = {"diagnosis": "Gout", field: value}

    answers = [error_details(write(url(visit), body)) for write in (api(ada).put, api(ada).patch)]

    expected = (400, "validation_error", {field: ["This field is read-only."]})
    assert answers == [expected, expected]
    assert all_rows(Consultation) == before


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"chief_complaint": ""}, "validation_error"),
        ({"chief_complaint": None}, "validation_error"),
        ({"diagnosis": None}, "validation_error"),
        ({"diagnosis": ["Gout"]}, "validation_error"),
        ({"follow_up_date": "21.12.2026"}, "validation_error"),
        ({"follow_up_date": "2026-02-30"}, "validation_error"),
        ({"prescription": "Ramipril"}, "unknown_field"),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, smith, visit, wrong, expected):
    before = all_rows(Consultation)

    status, word, errors = error_details(
        api(smith).patch(url(visit), {"assessment": "Well"} | wrong)
    )

    assert (status, word, list(errors)) == (400, expected, list(wrong))
    assert all_rows(Consultation) == before


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_other_users_cannot_change_a_consultation_or_learn_if_it_exists(
    api, visit, caller, expected, request
):
    client = api(caller and request.getfixturevalue(caller))
    before = all_rows(Consultation)
    body = {"diagnosis": "None of your business"}

    answers = [
        status_and_code(write(url(one), body))
        for write in (client.put, client.patch)
        for one in (visit, MISSING_ID)
    ]

    assert answers == [expected] * 4
    assert all_rows(Consultation) == before


def test_a_consultation_cannot_be_deleted(api, smith, ada, jane, visit):
    for caller in (smith, ada, jane):
        assert status_and_code(api(caller).delete(url(visit))) == (405, "method_not_allowed")

    assert Consultation.objects.get() == visit


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("reader", ["jane", "smith", "ada"])
def test_the_list_costs_the_same_queries_for_any_length(api, jane, reader, count, request):
    smith = request.getfixturevalue("smith")
    for _ in range(count):
        add_parts(make_consultation(patient=jane, doctor=smith))
    client = api(request.getfixturevalue(reader))

    with assert_data_queries(4):
        response = client.get(LIST)

    assert data(response)["count"] == count


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("reader", ["jane", "smith"])
def test_a_detail_costs_the_same_queries_for_any_number_of_parts(
    api, visit, reader, count, request
):
    for _ in range(count):
        add_parts(visit)
    client = api(request.getfixturevalue(reader))

    with assert_data_queries(3 + len(PARTS)):
        response = client.get(url(visit))

    assert len(data(response)["prescriptions"]) == count
