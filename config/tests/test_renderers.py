"""The orjson renderer gives the same output as DRF's renderer, with DRF as the fallback."""

import json
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db.models import FloatField
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.serializer_helpers import ReturnDict, ReturnList

from appointments.lifecycle import Status
from config.api.renderers import EnvelopeJSONRenderer, FastJSONRenderer
from config.tests.personas import build_clinic


class Pair(NamedTuple):
    one: str
    other: list


@dataclass
class Record:
    name: str


SPECIAL_VALUES = {
    "nothing": None,
    "truth": [True, False, None],
    "empty": [{}, [], "", ()],
    "numbers": [0, -0.0, 1.5, 0.1 + 0.2, 0.7813, 100.0, 2**53 + 1, -(2**63), 2**64 - 1],
    "decimals": [Decimal("36.6"), Decimal("70.0"), Decimal("100.0"), Decimal("-0.0"), Decimal(7)],
    "quotes": "He said \"no\" \\ </script> & 'yes'",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x85",
    "lines": "one\u2028two\u2029three\r\n",
    "letters": "Łódź Ĳ ß 中文 العربية e\u0301 \U0001f9d1\u200d\u2695\ufe0f \ufeff \ufffe",
    "keys": {"": 1, "Ü": 2, 'a"b': 3, "\u2028": 4, "\x00": 5},
    "safe": mark_safe("<b>"),
    "refusal": [ErrorDetail("Needed.", code="required")],
    "choice": [Status.NO_SHOW, {"of": Status.SCHEDULED}],
    "lazy": [lazystr("in time"), {"in": lazystr("deep")}],
    "ordered": OrderedDict([("b", 1), ("a", 2)]),
    "of a serializer": [ReturnDict({"a": 1}, serializer=None), ReturnList([1], serializer=None)],
    "uuid": UUID(int=7),
    "moments": [
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 0, 5),  # noqa: DTZ001
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 7, 1, tzinfo=ZoneInfo("Asia/Kathmandu")),
        datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/London")),
        datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/London")),
        datetime(2026, 7, 1, 0, 0, 0, 120_000, timezone(-timedelta(hours=3, minutes=30))),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "days": [date(2026, 3, 29), date.min, time(9, 30), time(9, 30, 0, 1), time.max],
    # rendered by DRF:
    "more than 64 bits": [2**64, -(2**70)],
    "other keys": {1: "a", None: "b", 1.5: "c", False: "d", Status.COMPLETED: 4},
    "how long": timedelta(minutes=90),
    "pair": Pair("1", [Decimal("1.5")]),
    "set": {7},
}


def both(data, **context):
    return [renderer().render(data, **context) for renderer in (FastJSONRenderer, JSONRenderer)]


@pytest.mark.parametrize("name", SPECIAL_VALUES)
def test_values_without_direct_orjson_support_are_rendered_as_by_drf(name):
    fast, drf = both({"value": SPECIAL_VALUES[name]})

    assert fast == drf


def test_iterators_are_rendered_completely():
    rows = (number for number in range(3))

    assert FastJSONRenderer().render({"rows": rows}) == b'{"rows":[0,1,2]}'


@pytest.mark.parametrize("number", [1e16, 1e22, 1.5e-5, 5e-324, sys.float_info.max])
def test_a_decimal_with_an_exponent_keeps_its_value(number):
    assert json.loads(FastJSONRenderer().render(number)) == number


def test_every_character_is_rendered_as_by_drf():
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]

    fast, drf = both(letters)

    assert fast == drf


@pytest.mark.parametrize("text", ["half a letter: \ud83d", "\udc80"])
def test_an_unpaired_surrogate_is_escaped_as_by_drf(text):
    class Answer:
        status_code, exception = 200, False

    written = EnvelopeJSONRenderer().render({"a": text}, None, {"response": Answer})

    assert json.loads(written)["data"] == {"a": text}
    assert json.dumps(text).encode() in written


@pytest.mark.parametrize("media_type", ["application/json; indent=4", "application/json"])
@pytest.mark.parametrize("context", [{}, {"indent": 4}])
def test_indented_output_is_available_on_request(media_type, context):
    data = {"a": [1, {"b": "Ü\u2028"}], "c": Decimal("36.6")}

    fast, drf = both(data, accepted_media_type=media_type, renderer_context=context)

    assert fast == drf


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_nan_is_refused(number):
    with pytest.raises(ValueError, match="JSON compliant"):
        FastJSONRenderer().render({"weight": number})


@pytest.mark.parametrize("thing", [object(), Record("a"), {"deep": [object()]}])
def test_unserializable_objects_are_refused(thing):
    with pytest.raises(TypeError, match="not JSON serializable"):
        FastJSONRenderer().render({"value": thing})


def test_circular_data_is_refused():
    circle = []
    circle.append(circle)

    with pytest.raises(ValueError, match="Circular"):
        FastJSONRenderer().render(circle)


def test_only_rates_are_floats():
    """The renderer would write null for a NaN in a float field."""
    in_models = {
        field
        for model in apps.get_models()
        for field in model._meta.fields
        if type(field) is FloatField
    }
    in_answers = {
        (serializer.__name__, name)
        for serializer in descendants(serializers.Serializer)
        if serializer.__module__.split(".")[0] not in ("rest_framework", "drf_spectacular")
        for name, field in serializer._declared_fields.items()
        if isinstance(field, serializers.FloatField)
    }

    assert in_models == set()
    assert in_answers == {
        ("StatisticsSerializer", "completion_rate"),
        ("StatisticsSerializer", "no_show_rate"),
    }


def descendants(kind):
    return {kind}.union(*map(descendants, kind.__subclasses__()))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "patients/",
        "patients/{jane}/",
        "appointments/",
        "time-slots/",
        "doctors/",
        "consultations/{visit}/",
        "consultations/{visit}/vital-signs/",
        "statistics/",
        "patients/nobody/",
    ],
)
def test_a_whole_response_is_rendered_as_by_drf(api, address, monkeypatch):
    clinic = build_clinic()
    client = api(clinic.ada)
    address = address.format(jane=clinic.jane.pk, visit=clinic.consultation.pk)

    fast = client.get(f"/api/{address}", HTTP_X_REQUEST_ID="the-same")
    monkeypatch.setattr(FastJSONRenderer, "render", JSONRenderer.render)
    drf = client.get(f"/api/{address}", HTTP_X_REQUEST_ID="the-same")

    assert fast.content == drf.content
