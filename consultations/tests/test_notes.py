"""Notes: private notes, which patients never see, and addenda to completed consultations."""

import pytest

from appointments import clock
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    ids,
    status_and_code,
)
from consultations import services
from consultations.choices import NoteType
from consultations.models import ConsultationNote

MISSING_ID = 999_999
PLAN = {"note_type": "plan", "title": "Next steps", "content": "Blood pressure diary"}
PRIVATE = {"note_type": "general", "content": "Worried about her marriage", "is_private": True}


def detail(visit):
    return f"/api/consultations/{visit if isinstance(visit, int) else visit.pk}/"


def url(visit):
    return f"{detail(visit)}notes/"


@pytest.mark.parametrize("actor", ["smith", "ada"])
@pytest.mark.usefixtures("wednesday")
def test_the_doctor_and_admins_write_notes_as_themselves(api, visit, actor, request):
    actor = request.getfixturevalue(actor)

    response = api(actor).post(url(visit), PLAN)

    shown = data(response, 201)
    row = ConsultationNote.objects.get()
    assert response.json()["message"] == "Note added."
    assert shown == PLAN | {
        "id": row.pk,
        "is_private": False,
        "created_by": actor.pk,
        "created_by_name": actor.full_name,
        "created_at": "2026-12-02T10:00:00+01:00",
    }
    assert row.consultation == visit
    assert data(api(actor).get(url(visit)))["results"] == [shown]
    assert data(api(actor).get(f"{url(visit)}{row.pk}/")) == shown


@pytest.mark.parametrize(
    "note_type",
    [
        "assessment",
        "plan",
        "follow_up",
        "lab_results",
        "imaging",
        "referral",
        "general",
        "addendum",
    ],
)
def test_the_note_type_is_one_of_the_choices(api, smith, visit, note_type):
    address = f"/api/consultations/api/consultations/{visit.pk}/notes/"

    shown = data(api(smith).post(address, {"note_type": note_type, "content": "Well"}), 201)

    assert (shown["note_type"], shown["title"]) == (note_type, "")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"note_type": "diary"}, "validation_error"),
        ({"note_type": None}, "validation_error"),
        ({"content": " "}, "validation_error"),
        ({"content": None}, "validation_error"),
        ({"title": "x" * 201}, "validation_error"),
        ({"is_private": "perhaps"}, "validation_error"),
        ({"created_by": 1}, "validation_error"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "validation_error"),
        ({"consultation": 1}, "unknown_field"),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, smith, visit, wrong, expected):
    status, word, errors = error_details(api(smith).post(url(visit), PLAN | wrong))

    assert (status, word, list(errors)) == (400, expected, list(wrong))
    assert ConsultationNote.objects.count() == 0


@pytest.mark.parametrize("field", ["note_type", "content"])
def test_type_and_content_are_required(api, smith, visit, field):
    body = {name: value for name, value in PLAN.items() if name != field}

    assert error_details(api(smith).post(url(visit), body))[2] == {
        field: ["This field is required."]
    }
    assert ConsultationNote.objects.count() == 0


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_other_users_cannot_write_notes_or_learn_if_the_consultation_exists(
    api, visit, caller, expected, request
):
    client = api(caller and request.getfixturevalue(caller))

    assert [status_and_code(client.post(url(one), PLAN)) for one in (visit, MISSING_ID)] == [
        expected,
        expected,
    ]
    assert ConsultationNote.objects.count() == 0


@pytest.mark.parametrize("caller", ["smith", "ada", "jane"])
def test_a_note_cannot_be_changed_or_deleted(api, visit, caller, request):
    note = services.add_note(visit, by=visit.doctor, **PLAN)
    client = api(request.getfixturevalue(caller))
    before = all_rows(ConsultationNote)

    for method in (client.put, client.patch, client.delete):
        assert status_and_code(method(f"{url(visit)}{note.pk}/", PLAN)) == (
            405,
            "method_not_allowed",
        )
    assert all_rows(ConsultationNote) == before


# --- Private notes --------------------------------------------------------------------------


def test_a_private_note_is_never_shown_to_the_patient(api, smith, jane, visit):
    shared = services.add_note(visit, by=smith, **PLAN)
    private = services.add_note(visit, by=smith, **PRIVATE)
    client = api(jane)

    listed, whole = client.get(url(visit)), client.get(detail(visit))
    by_id, missing = (client.get(f"{url(visit)}{pk}/") for pk in (private.pk, MISSING_ID))

    assert ids(listed) == [shared.pk]
    assert data(listed)["count"] == 1
    assert [note["id"] for note in data(whole)["notes"]] == [shared.pk]
    assert status_and_code(by_id) == (404, "not_found")
    assert by_id.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    for answer in (listed, whole, by_id):
        assert PRIVATE["content"] not in answer.content.decode()


def test_the_patient_gets_an_empty_list_if_all_notes_are_private(api, smith, jane, visit):
    services.add_note(visit, by=smith, **PRIVATE)

    assert ids(api(jane).get(url(visit))) == []
    assert data(api(jane).get(detail(visit)))["notes"] == []


@pytest.mark.parametrize("is_closed", [False, True])
def test_no_response_to_the_patient_reveals_a_private_note(api, smith, jane, visit, is_closed):
    client = api(jane)
    if is_closed:
        services.complete(visit, by=smith)

    def all_responses():
        answers = [
            client.get(address)
            for address in (
                detail(visit),
                url(visit),
                "/api/consultations/",
                f"/api/patients/{jane.pk}/consultations/",
                f"/api/appointments/{visit.appointment_id}/",
                f"/api/appointments/{visit.appointment_id}/history/",
            )
        ]
        return [(data(one), dict(one.items()) | {"X-Request-ID": ""}) for one in answers]

    before = all_responses()
    services.add_note(visit, by=smith, **PRIVATE | {"note_type": "addendum"})
    assert all_responses() == before

    services.add_note(visit, by=smith, **PLAN | {"note_type": "addendum"})
    assert all_responses() != before


@pytest.mark.parametrize("reader", ["smith", "ada"])
def test_staff_read_private_notes(api, visit, reader, request):
    private = services.add_note(visit, by=visit.doctor, **PRIVATE)
    client = api(request.getfixturevalue(reader))

    assert ids(client.get(url(visit))) == [private.pk]
    assert data(client.get(f"{url(visit)}{private.pk}/"))["is_private"] is True
    assert [note["id"] for note in data(client.get(detail(visit)))["notes"]] == [private.pk]


def test_write_responses_to_staff_contain_private_notes(api, smith, visit):
    private = services.add_note(visit, by=smith, **PRIVATE)

    for answer in (
        api(smith).patch(detail(visit), {"diagnosis": "Gout"}),
        api(smith).post(f"{detail(visit)}start_consultation/"),
        api(smith).post(f"{detail(visit)}complete_consultation/"),
    ):
        assert [note["id"] for note in data(answer)["notes"]] == [private.pk]


# --- Addenda --------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["smith", "ada"])
@pytest.mark.usefixtures("wednesday")
def test_a_completed_consultation_accepts_an_addendum_with_author_and_time(
    api, visit, actor, request
):
    actor = request.getfixturevalue(actor)
    services.complete(visit, by=visit.doctor)
    before = data(api(actor).get(detail(visit)))

    with clock.frozen_at(clinic_time("2026-12-05 08:30")):
        response = api(actor).post(url(visit), PLAN | {"note_type": "addendum"})

    shown = data(response, 201)
    assert (shown["created_by"], shown["created_at"]) == (actor.pk, "2026-12-05T08:30:00+01:00")
    assert data(api(actor).get(detail(visit))) == before | {"notes": [shown]}


@pytest.mark.parametrize("note_type", [kind for kind in NoteType if kind != "addendum"])
def test_a_completed_consultation_accepts_no_other_note(api, smith, visit, note_type):
    services.complete(visit, by=smith)

    response = api(smith).post(url(visit), PLAN | {"note_type": note_type})

    assert status_and_code(response) == (409, "consultation_closed")
    assert ConsultationNote.objects.count() == 0


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("reader", ["jane", "smith"])
def test_the_list_costs_the_same_queries_for_any_length(api, visit, reader, count, request):
    for _ in range(count):
        services.add_note(visit, by=visit.doctor, **PLAN)
    client = api(request.getfixturevalue(reader))

    with assert_data_queries(4):
        response = client.get(url(visit))

    assert data(response)["count"] == count
