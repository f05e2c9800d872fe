"""Invalid values in each field of an otherwise valid body are refused, or stored and returned."""

import json
from contextlib import nullcontext
from itertools import cycle

import pytest
from django.core.cache import cache
from django.db import transaction
from rest_framework.serializers import CharField, ListField
from rest_framework.test import APIRequestFactory

from accounts.roles import ANYONE
from accounts.tests.test_bad_bodies import good_bodies
from appointments import clock
from appointments.tests.factories import noon
from config.api.serializers import CANONICAL_FIELDS
from config.tests.test_bad_input import WRITING, assert_refused, quiet
from config.tests.test_matrix import Asked, bodies, world
from config.tests.unchanged import database_digest, record_writes

__all__ = ["quiet", "world"]  # fixtures

INVALID_VALUES = [
    None, True, 1.9, " 1 ", -1, 0, 2**31, 2**63, 10**30, 10**4000, 1e308, "", "\x00", "a\x00b",
    "a\r\nb: c", "\N{RIGHT-TO-LEFT OVERRIDE}x", {}, {"a": {}}, [], [[]], ["x"], "1_0",
    "\N{ARABIC-INDIC DIGIT ONE}", "2026-13-45", "0000-01-01", "0001-01-01", "9999-12-31",
    "9999-12-31T23:59:59-12:00", "24:00", "25:61", "09:00:00+05:00", "nan", "Infinity", "1e400",
    "x" * 70_000,
]  # fmt: skip

# Accepted by Python's number parsing or by strptime, but not by other parsers.
NON_CANONICAL = [
    "7_0", "7_0.5", " 70 ", "70\n", "\N{NO-BREAK SPACE}70", "\u0667\u0660", "\uff17\uff10",
    "\u0663", "\u0662\u0660\u0663\u0660-12-01", "\uff12\uff10\uff13\uff10-12-01",
]  # fmt: skip

CALLERS = {"ada": "admin", "house": "doctor", "jane": "patient"}


def callers_of(endpoint, method):
    roles = endpoint.roles(endpoint.actions[method])
    return [name for name, role in CALLERS.items() if roles == ANYONE or role in roles]


def fields_of(endpoint, method, user):
    """Returns the fields of the endpoint's body for this caller, by name."""
    view = endpoint.view(action_map=endpoint.actions, action=endpoint.actions[method], detail=True)
    request = APIRequestFactory().generic(method.upper(), "/")
    request.user = user
    view.request, view.kwargs, view.format_kwarg = request, {}, None
    handler = getattr(endpoint.view, endpoint.actions[method])
    own = getattr(handler, "kwargs", {}).get("serializer_class")
    view.serializer_class = own or view.serializer_class
    serializer = view.get_serializer_class()(context={"request": request})
    return {name: field for name, field in serializer.fields.items() if not field.read_only}


def good_body(endpoint, method, asked):
    path = endpoint.address.removeprefix("/api/auth/").strip("/")
    body = bodies(asked).get(f"{method.upper()} {endpoint.address}")
    return body or good_bodies().get(path, {})


def readable_url(endpoint, address):
    """Returns the URL at which a GET shows what the endpoint has written."""
    if "get" in endpoint.actions:
        return address
    if address.startswith("/api/auth/"):
        return "/api/auth/profile/"
    return f"{address.rstrip('/').rsplit('/', 1)[0]}/"


def probes(fields):
    """Returns (name, value) pairs: all invalid values for each field, half of them for plain
    text.
    """
    for place, (name, field) in enumerate(fields.items()):
        is_text = type(field) is CharField
        for value in INVALID_VALUES[place % 2 :: 2] if is_text else INVALID_VALUES:
            yield name, value


@pytest.mark.parametrize(
    ("endpoint", "method"),
    WRITING,
    ids=[f"{method} {endpoint.address}" for endpoint, method in WRITING],
)
@pytest.mark.usefixtures("quiet")
def test_an_invalid_value_in_a_valid_body_is_refused_or_stored(api, world, endpoint, method):
    """The callers alternate, so that each caller sends each field."""
    prepared = []
    for name in callers_of(endpoint, method):
        client = api(getattr(world, name))
        profile = client.get("/api/auth/profile/").json()["data"]
        asked = Asked(world, name, "j", profile)
        fields = fields_of(endpoint, method, getattr(world, name))
        prepared.append((client, asked, good_body(endpoint, method, asked), fields))
    moment = noon(400) if "no_show" in endpoint.address else None
    every = {name: field for *_, fields in prepared for name, field in fields.items()}
    shows = 401 if "password/change" in endpoint.address else 200  # ends the session
    before = database_digest()

    for (name, value), (client, asked, good, fields) in zip(
        probes(every), cycle(prepared), strict=False
    ):
        if name not in fields:
            continue
        cache.clear()
        where = (asked.actor, name, repr(value)[:40])
        address = asked.url(endpoint.address)
        sent = json.dumps(good | {name: value})
        late = clock.frozen_at(moment) if moment else nullcontext()
        with transaction.atomic(), record_writes() as written, late:
            answer = client.generic(method.upper(), address, sent, "application/json")
            if answer.status_code < 400:
                assert client.get(readable_url(endpoint, address)).status_code == shows, where
            else:
                assert_refused(answer, where=where)
                assert not written or database_digest() == before, where
            transaction.set_rollback(True)


@pytest.mark.usefixtures("quiet")
def test_numbers_and_dates_must_be_canonical(api, world):
    met = set()
    for endpoint, method in WRITING:
        name = next(iter(callers_of(endpoint, method)), "ada")
        client = api(getattr(world, name))
        asked = Asked(world, name, "j", client.get("/api/auth/profile/").json()["data"])
        for field, kind in fields_of(endpoint, method, getattr(world, name)).items():
            is_list = isinstance(kind, ListField)
            if not isinstance(kind.child if is_list else kind, CANONICAL_FIELDS):
                continue
            met.add(field)
            for value in NON_CANONICAL:
                cache.clear()
                body = good_body(endpoint, method, asked) | {field: [value] if is_list else value}
                with transaction.atomic():
                    answer = getattr(client, method)(asked.url(endpoint.address), body)
                    transaction.set_rollback(True)

                where = (method, endpoint.address, field, value)
                assert answer.status_code == 400, where
                assert field in answer.json()["errors"], where

    assert met >= {
        "date", "start_time", "end_time", "date_from", "date_to", "weekdays", "slot_duration",
        "break_minutes", "date_of_birth", "follow_up_date", "systolic_bp", "diastolic_bp",
        "heart_rate", "temperature", "respiratory_rate", "oxygen_saturation", "weight", "height",
        "quantity",
    }  # fmt: skip


def test_all_writing_endpoints_but_three_have_callers_and_fields(world):
    without = {
        endpoint.address
        for endpoint, method in WRITING
        if not any(
            fields_of(endpoint, method, getattr(world, name))
            for name in callers_of(endpoint, method)
        )
    }

    assert without == {
        "/api/consultations/{pk}/start_consultation/",
        "/api/auth/sessions/end_all/",
        "/api/auth/email/resend/",
    }
