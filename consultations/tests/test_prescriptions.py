"""Prescriptions, and the check against the patient's allergies."""

import pytest

from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    status_and_code,
)
from consultations import allergy_check, services
from consultations.models import Prescription
from consultations.tests.factories import MEDICATION, make_consultation
from patients.models import Patient

MISSING_ID = 999_999


def url(visit):
    return f"/api/consultations/{visit if isinstance(visit, int) else visit.pk}/prescriptions/"


@pytest.mark.parametrize("actor", ["smith", "ada"])
@pytest.mark.usefixtures("wednesday")
def test_the_doctor_and_admins_prescribe_as_themselves(api, visit, actor, request):
    actor = request.getfixturevalue(actor)
    body = MEDICATION | {
        "instructions": "In the morning",
        "medication_type": "capsule",
        "quantity": 30,
    }

    response = api(actor).post(url(visit), body)

    shown = data(response, 201)
    row = Prescription.objects.get()
    assert response.json()["message"] == "Prescription added."
    assert shown == body | {
        "id": row.pk,
        "is_active": True,
        "override_reason": "",
        "prescribed_by": actor.pk,
        "prescribed_by_name": actor.full_name,
        "created_at": "2026-12-02T10:00:00+01:00",
    }
    assert row.consultation == visit
    assert data(api(actor).get(url(visit)))["results"] == [shown]
    assert data(api(actor).get(f"{url(visit)}{row.pk}/")) == shown


def test_the_seed_path_prescribes(api, smith, visit):
    address = f"/api/consultations/api/consultations/{visit.pk}/prescriptions/"

    shown = data(api(smith).post(address, MEDICATION), 201)

    assert data(api(smith).get(f"{address}{shown['id']}/")) == shown
    assert (shown["medication_type"], shown["quantity"]) == ("tablet", None)


@pytest.mark.parametrize("field", MEDICATION)
def test_medication_dosage_frequency_and_duration_are_required(api, smith, visit, field):
    client = api(smith)
    without = {name: value for name, value in MEDICATION.items() if name != field}

    assert error_details(client.post(url(visit), without))[2] == {
        field: ["This field is required."]
    }
    assert list(error_details(client.post(url(visit), without | {field: " "}))[2]) == [field]
    assert Prescription.objects.count() == 0


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"medication_type": "pill"}, "validation_error"),
        ({"quantity": 0}, "validation_error"),
        ({"quantity": 100_001}, "validation_error"),
        ({"quantity": 1.5}, "validation_error"),
        ({"is_active": "perhaps"}, "validation_error"),
        ({"dosage": "5" * 101}, "validation_error"),
        ({"prescribed_by": 1}, "validation_error"),
        ({"id": 1}, "validation_error"),
        ({"consultation": 1}, "unknown_field"),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, smith, visit, wrong, expected):
    status, word, errors = error_details(api(smith).post(url(visit), MEDICATION | wrong))

    assert (status, word, list(errors)) == (400, expected, list(wrong))
    assert Prescription.objects.count() == 0


# --- Allergies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("medication", "listed", "found"),
    [
        # the allergy within the medication, and the medication within the allergy
        ("Penicillin", "Penicillin", ["Penicillin"]),
        ("Penicillin V 500 mg", "Penicillin", ["Penicillin"]),
        ("Penicillin", "Penicillin V", ["Penicillin V"]),
        ("Aspirin 100 mg", "aspirin", ["aspirin"]),
        ("Acetylsalicylic acid 100", "acetylsalicylic acid", ["acetylsalicylic acid"]),
        # case, accents, hyphens, spaces
        ("PENICILLIN", "penicillin", ["penicillin"]),
        ("P\u00e9nicilline", "penicilline", ["penicilline"]),
        ("Penicilline", "P\u00c9NICILLINE", ["P\u00c9NICILLINE"]),
        ("Pe\u0301nicilline", "p\u00e9nicilline", ["p\u00e9nicilline"]),
        ("Co-trimoxazole", "co trimoxazole", ["co trimoxazole"]),
        ("Amoxicillin/clavulanic acid", "Clavulanic  acid", ["Clavulanic  acid"]),
        ("Penicillin (oral)", "penicillin oral", ["penicillin oral"]),
        # separators
        ("Latex", "Penicillin, latex", ["latex"]),
        ("Latex", "Penicillin;latex", ["latex"]),
        ("Latex", "Penicillin\nlatex", ["latex"]),
        ("Latex", "Penicillin\r\nlatex\r\n", ["latex"]),
        ("Penicillin V", "penicillin; Penicillin V, nuts", ["penicillin", "Penicillin V"]),
        # parts of words do not match
        ("Ramipril", "ram", []),
        ("Penicillinase", "Penicillin", []),
        ("Amoxicillin", "cillin", []),
        ("Ibuprofen", "profen", []),
        ("Iron", "Ironweed", []),
        ("Ironweed", "Iron", []),
        ("Penicillin V", "Penicillin G", []),
        ("Clavulanic acid", "acid clavulanic", []),
        # entries are matched separately, and an empty entry matches nothing
        ("Folic acid", "folic, acid rain", ["folic"]),
        ("Bee venom", "bee, sting", ["bee"]),
        ("Peanut oil", "nut\noil paint", []),
        ("Ramipril", "", []),
        ("Ramipril", " , ;\n-", []),
        ("-", "Penicillin", []),
    ],
)
def test_an_allergy_matches_a_medication_by_whole_words(medication, listed, found):
    assert allergy_check.matches(medication, listed) == found


def test_a_listed_allergy_refuses_the_medication_and_is_named(api, smith, visit):
    Patient.objects.filter(pk=visit.patient_id).update(allergies="Nuts, penicillin; Penicillin V")

    response = api(smith).post(url(visit), MEDICATION | {"medication_name": "P\u00e9nicillin V"})

    status, word, errors = error_details(response)
    assert (status, word, list(errors)) == (409, "allergy_conflict", ["medication_name"])
    assert response.json()["details"] == {"matches": ["penicillin", "Penicillin V"]}
    assert Prescription.objects.count() == 0


def test_the_current_allergies_are_checked(api, smith, ada, visit):
    client = api(smith)
    body = MEDICATION | {"medication_name": "Penicillin"}
    assert status_and_code(client.post(url(visit), body)) == (409, "allergy_conflict")

    data(api(ada).patch(f"/api/patients/{visit.patient_id}/", {"allergies": "Nuts"}))

    data(client.post(url(visit), body), 201)


def test_an_override_reason_allows_the_medication_and_is_stored(api, smith, visit):
    client = api(smith)
    body = MEDICATION | {"medication_name": "Penicillin"}

    refused = status_and_code(client.post(url(visit), body | {"override_reason": "  "}))
    invisible = status_and_code(client.post(url(visit), body | {"override_reason": "\u200b" * 12}))
    assert invisible == (409, "allergy_conflict")
    shown = data(client.post(url(visit), body | {"override_reason": "No alternative"}), 201)

    assert refused == (409, "allergy_conflict")
    assert shown["override_reason"] == "No alternative"
    assert Prescription.objects.get().override_reason == "No alternative"


def test_an_override_reason_cannot_be_removed(api, smith, visit):
    body = MEDICATION | {"medication_name": "Penicillin", "override_reason": "No alternative"}
    shown = data(api(smith).post(url(visit), body), 201)

    answer = error_details(api(smith).patch(f"{url(visit)}{shown['id']}/", {"override_reason": ""}))

    sentence = "Send this only when you resume a prescription, with is_active: true."
    assert answer == (400, "validation_error", {"override_reason": [sentence]})
    assert Prescription.objects.get().override_reason == "No alternative"


# --- Changes --------------------------------------------------------------------------------


@pytest.fixture
def prescription(visit):
    """Ramipril, prescribed in `visit`."""
    return services.prescribe(visit, by=visit.doctor, **MEDICATION)


def one(prescription):
    return f"{url(prescription.consultation)}{prescription.pk}/"


@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_a_prescription_is_stopped_and_resumed(api, prescription, actor, request):
    client = api(request.getfixturevalue(actor))
    before = data(client.get(one(prescription)))

    for is_active in (False, True):
        response = client.patch(one(prescription), {"is_active": is_active})

        assert response.json()["message"] == "Prescription updated."
        assert data(response) == before | {"is_active": is_active}
        assert data(client.get(one(prescription))) == before | {"is_active": is_active}


def test_a_patch_without_changes_changes_nothing(api, smith, prescription):
    client = api(smith)
    before = data(client.get(one(prescription)))

    for body in ({}, before):
        assert data(client.patch(one(prescription), body)) == before


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"medication_name": "Penicillin"}, "validation_error"),
        ({"dosage": "10 mg"}, "validation_error"),
        ({"quantity": 60}, "validation_error"),
        ({"prescribed_by": MISSING_ID}, "validation_error"),
        ({"id": MISSING_ID}, "validation_error"),
        ({"consultation": 1}, "unknown_field"),
        ({"is_active": None}, "validation_error"),
        ({"is_active": "perhaps"}, "validation_error"),
    ],
)
def test_other_fields_cannot_be_changed(api, smith, prescription, wrong, expected):
    before = all_rows(Prescription)

    answer = error_details(api(smith).patch(one(prescription), {"is_active": False} | wrong))

    assert (answer[0], answer[1], list(answer[2])) == (400, expected, list(wrong))
    assert all_rows(Prescription) == before


@pytest.mark.parametrize("caller", ["smith", "ada", "jane", "meyer"])
def test_a_prescription_cannot_be_replaced_or_deleted(api, prescription, caller, request):
    client = api(request.getfixturevalue(caller))
    before = all_rows(Prescription)

    for method in (client.put, client.delete):
        assert status_and_code(method(one(prescription), MEDICATION)) == (405, "method_not_allowed")
    assert all_rows(Prescription) == before


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_other_users_cannot_write_prescriptions_or_learn_if_one_exists(
    api, prescription, caller, expected, request
):
    client = api(caller and request.getfixturevalue(caller))
    before = all_rows(Prescription)
    visit = prescription.consultation

    prescribed = [status_and_code(client.post(url(pk), MEDICATION)) for pk in (visit, MISSING_ID)]
    stopped = [
        status_and_code(client.patch(address, {"is_active": False}))
        for address in (one(prescription), f"{url(visit)}{MISSING_ID}/")
    ]

    assert prescribed + stopped == [expected] * 4
    assert all_rows(Prescription) == before


def test_the_patient_reads_prescriptions(api, jane, prescription):
    assert data(api(jane).get(one(prescription)))["medication_name"] == "Ramipril"


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, smith, visit, count):
    for _ in range(count):
        services.prescribe(visit, by=smith, **MEDICATION)
    services.prescribe(make_consultation(doctor=smith), by=smith, **MEDICATION)
    client = api(smith)

    with assert_data_queries(4):
        response = client.get(url(visit))

    assert data(response)["count"] == count
