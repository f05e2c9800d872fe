"""Vital signs: limits of the values, permissions, and immutability."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    status_and_code,
)
from consultations import services
from consultations.models import VitalSigns
from consultations.tests.factories import make_consultation

MISSING_ID = 999_999
KEYS = [
    "id",
    "systolic_bp",
    "diastolic_bp",
    "heart_rate",
    "temperature",
    "respiratory_rate",
    "oxygen_saturation",
    "weight",
    "height",
    "bmi",
    "recorded_by",
    "recorded_by_name",
    "recorded_at",
]
# field: the values just below, at the lower limit, at the upper limit, and just above
LIMITS = {
    "systolic_bp": (39, 40, 300, 301),
    "diastolic_bp": (19, 20, 200, 201),
    "heart_rate": (19, 20, 300, 301),
    "temperature": (24.9, 25, 45, 45.1),
    "respiratory_rate": (1, 2, 80, 81),
    "oxygen_saturation": (29, 30, 100, 101),
    "weight": (0.2, 0.3, 500, 500.1),
    "height": (19.9, 20, 260, 260.1),
}


def url(visit):
    return f"/api/consultations/{visit if isinstance(visit, int) else visit.pk}/vital-signs/"


@pytest.mark.parametrize("actor", ["smith", "ada"])
@pytest.mark.usefixtures("wednesday")
def test_the_doctor_and_admins_record_vital_signs_as_themselves(api, visit, actor, request):
    actor = request.getfixturevalue(actor)
    measured = {
        "systolic_bp": 128,
        "diastolic_bp": 82,
        "heart_rate": 71,
        "temperature": 36.7,
        "respiratory_rate": 14,
        "oxygen_saturation": 98,
        "weight": 68.5,
        "height": 171,
    }

    response = api(actor).post(url(visit), measured)

    shown = data(response, 201)
    row = VitalSigns.objects.get()
    assert response.json()["message"] == "Vital signs recorded."
    assert list(shown) == KEYS
    assert shown == measured | {
        "id": row.pk,
        "bmi": 23.4,
        "recorded_by": actor.pk,
        "recorded_by_name": actor.full_name,
        "recorded_at": "2026-12-02T10:00:00+01:00",
    }
    assert row.consultation == visit
    assert data(api(actor).get(url(visit)))["results"] == [shown]
    assert data(api(actor).get(f"{url(visit)}{row.pk}/")) == shown


def test_the_seed_path_records_vital_signs(api, smith, visit):
    address = f"/api/consultations/api/consultations/{visit.pk}/vital-signs/"

    shown = data(api(smith).post(address, {"heart_rate": 70}), 201)

    assert data(api(smith).get(f"{address}{shown['id']}/")) == shown


@pytest.mark.parametrize("field", LIMITS)
def test_values_outside_the_limits_are_refused(api, smith, visit, field):
    client = api(smith)
    below, lowest, highest, above = LIMITS[field]

    for value in (below, above, -1):
        status, word, errors = error_details(client.post(url(visit), {field: value}))

        assert (status, word, list(errors)) == (400, "validation_error", [field])
    assert VitalSigns.objects.count() == 0
    for value in (lowest, highest):
        assert data(client.post(url(visit), {field: value}), 201)[field] == value


@pytest.mark.parametrize("field", LIMITS)
def test_the_services_enforce_the_same_limits(smith, visit, field):
    below, lowest, highest, above = (Decimal(str(value)) for value in LIMITS[field])

    for value in (below, above):
        with pytest.raises(ValidationError) as refused:
            services.record_vital_signs(visit, by=smith, **{field: value})

        assert list(refused.value.error_dict) == [field]
    for value in (lowest, highest):
        services.record_vital_signs(visit, by=smith, **{field: value})
    assert list(VitalSigns.objects.values_list(field, flat=True)) == [lowest, highest]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("heart_rate", 70.5),
        ("heart_rate", "seventy"),
        ("heart_rate", True),
        ("heart_rate", [70]),
        ("heart_rate", 2**70),
        ("temperature", 36.75),
        ("temperature", "warm"),
        ("temperature", "NaN"),
        ("weight", 1e30),
    ],
)
def test_an_invalid_number_is_refused(api, smith, visit, field, value):
    status, word, errors = error_details(api(smith).post(url(visit), {field: value}))

    assert (status, word, list(errors)) == (400, "validation_error", [field])
    assert VitalSigns.objects.count() == 0


@pytest.mark.parametrize("grams", [3.457, 68.5, 0.3])
def test_the_weight_has_three_decimals(api, smith, visit, grams):
    assert data(api(smith).post(url(visit), {"weight": grams}), 201)["weight"] == grams
    assert data(api(smith).get(url(visit)))["results"][0]["weight"] == grams


def test_a_fourth_decimal_is_refused(api, smith, visit):
    refused = api(smith).post(url(visit), {"weight": 3.4571})

    assert error_details(refused)[:2] == (400, "validation_error")


def test_one_measurement_is_required_and_sufficient(api, smith, visit):
    client = api(smith)

    for nothing in ({}, dict.fromkeys(LIMITS)):
        status, word, errors = error_details(client.post(url(visit), nothing))

        assert (status, word) == (400, "validation_error")
        assert errors == {"non_field_errors": ["Give at least one measurement."]}
    assert VitalSigns.objects.count() == 0
    shown = data(client.post(url(visit), dict.fromkeys(LIMITS) | {"heart_rate": 70}), 201)
    assert {name: shown[name] for name in LIMITS} == dict.fromkeys(LIMITS) | {"heart_rate": 70}


# --- Blood pressure -------------------------------------------------------------------------


@pytest.mark.parametrize("diastolic", [120, 121])
def test_the_diastolic_pressure_must_be_below_the_systolic(api, smith, visit, diastolic):
    body = {"systolic_bp": 120, "diastolic_bp": diastolic}
    sentence = "The diastolic pressure lies below the systolic."

    answer = error_details(api(smith).post(url(visit), body))
    with pytest.raises(ValidationError, match=sentence):
        services.record_vital_signs(visit, by=smith, **body)

    assert answer == (400, "validation_error", {"diastolic_bp": [sentence]})
    assert VitalSigns.objects.count() == 0
    data(api(smith).post(url(visit), body | {"diastolic_bp": 119}), 201)


def test_the_database_enforces_the_blood_pressure_rule(smith, visit):
    def insert(systolic, diastolic):
        with transaction.atomic():
            VitalSigns.objects.create(
                consultation=visit, recorded_by=smith, systolic_bp=systolic, diastolic_bp=diastolic
            )

    for diastolic in (120, 121):
        with pytest.raises(IntegrityError, match="diastolic_below_systolic"):
            insert(120, diastolic)
    insert(120, 119)
    insert(120, None)
    insert(None, 120)

    assert VitalSigns.objects.count() == 3


# --- Body mass index ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "bmi"),
    [
        ({"weight": 68.5, "height": 171}, 23.4),
        ({"weight": 80, "height": 200}, 20.0),
        ({"weight": 500, "height": 20}, 12500.0),
        ({"weight": 0.3, "height": 260}, 0.0),
        ({"weight": 68.5}, None),
        ({"height": 171}, None),
    ],
)
def test_the_bmi_is_computed_from_weight_and_height(api, smith, visit, measured, bmi):
    shown = data(api(smith).post(url(visit), measured), 201)

    assert shown["bmi"] == bmi
    detail = data(api(smith).get(f"/api/consultations/{visit.pk}/"))
    assert detail["vital_signs"] == [shown]


def test_the_bmi_is_read_only(api, smith, visit):
    body = {"weight": 68.5, "height": 171, "bmi": 23.4}

    answer = error_details(api(smith).post(url(visit), body))

    assert answer == (400, "validation_error", {"bmi": ["This field is read-only."]})
    assert VitalSigns.objects.count() == 0


def test_decimals_are_json_numbers(api, smith, visit):
    body = {"temperature": "36.7", "weight": 68.5, "height": 171}

    response = api(smith).post(url(visit), body)

    text = response.content.decode()
    for member in ('"temperature":36.7', '"weight":68.5', '"height":171.0', '"bmi":23.4'):
        assert text.count(member) == 1


# --- Permissions and immutability -----------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_other_users_cannot_record_vital_signs_or_learn_if_the_consultation_exists(
    api, visit, caller, expected, request
):
    client = api(caller and request.getfixturevalue(caller))

    answers = [
        status_and_code(client.post(url(one), {"heart_rate": 70})) for one in (visit, MISSING_ID)
    ]

    assert answers == [expected, expected]
    assert VitalSigns.objects.count() == 0


@pytest.mark.parametrize("field", ["id", "consultation", "recorded_by", "recorded_at"])
def test_a_body_cannot_set_the_consultation_or_the_author(api, smith, visit, field):
    other = make_consultation()
    theirs = services.record_vital_signs(other, by=other.doctor, heart_rate=60)
    value = {"id": theirs.pk, "consultation": other.pk}.get(field, other.doctor_id)
    before = all_rows(VitalSigns)

    status, _, errors = error_details(api(smith).post(url(visit), {"heart_rate": 70, field: value}))

    assert (status, list(errors)) == (400, [field])
    assert all_rows(VitalSigns) == before


@pytest.mark.parametrize("caller", ["smith", "ada", "jane"])
def test_vital_signs_cannot_be_changed_or_deleted(api, visit, caller, request):
    taken = services.record_vital_signs(visit, by=visit.doctor, heart_rate=60)
    client = api(request.getfixturevalue(caller))
    before = all_rows(VitalSigns)

    for method in (client.put, client.patch, client.delete):
        answer = status_and_code(method(f"{url(visit)}{taken.pk}/", {"heart_rate": 70}))

        assert answer == (405, "method_not_allowed")
    assert all_rows(VitalSigns) == before


def test_a_correction_is_recorded_as_a_new_entry(api, smith, jane, visit):
    for rate in (600, 60, 62):
        api(smith).post(url(visit), {"heart_rate": rate})

    rows = data(api(jane).get(url(visit)))["results"]

    assert [row["heart_rate"] for row in rows] == [60, 62]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, smith, visit, count):
    for _ in range(count):
        services.record_vital_signs(visit, by=smith, heart_rate=60)
    client = api(smith)

    with assert_data_queries(4):
        response = client.get(url(visit))

    assert data(response)["count"] == count
