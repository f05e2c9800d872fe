"""Nonsense in each field of a body that would do: refused without a trace, or kept and shown."""

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

NONSENSE = [
    None, True, 1.9, " 1 ", -1, 0, 2**31, 2**63, 10**30, 10**4000, 1e308, "", "\x00", "a\x00b",
    "a\r\nb: c", "\N{RIGHT-TO-LEFT OVERRIDE}x", {}, {"a": {}}, [], [[]], ["x"], "1_0",
    "\N{ARABIC-INDIC DIGIT ONE}", "2026-13-45", "0000-01-01", "0001-01-01", "9999-12-31",
    "9999-12-31T23:59:59-12:00", "24:00", "25:61", "09:00:00+05:00", "nan", "Infinity", "1e400",
    "x" * 70_000,
]  # fmt: skip

# What Python reads as a number, or strptime as a day, and nobody else does.
ODDLY_WRITTEN = [
    "7_0", "7_0.5", " 70 ", "70\n", "\N{NO-BREAK SPACE}70", "\u0667\u0660", "\uff17\uff10",
    "\u0663", "\u0662\u0660\u0663\u0660-12-01", "\uff12\uff10\uff13\uff10-12-01",
]  # fmt: skip

CALLERS = {"ada": "admin", "house": "doctor", "jane": "patient"}


def callers_of(door, method):
    roles = door.roles(door.actions[method])
    return [name for name, role in CALLERS.items() if roles == ANYONE or role in roles]


def fields_of(door, method, user):
    """What a door's body may hold for this caller: its fields by name."""
    view = door.view(action_map=door.actions, action=door.actions[method], detail=True)
    request = APIRequestFactory().generic(method.upper(), "/")
    request.user = user
    view.request, view.kwargs, view.format_kwarg = request, {}, None
    handler = getattr(door.view, door.actions[method])
    own = getattr(handler, "kwargs", {}).get("serializer_class")
    view.serializer_class = own or view.serializer_class
    serializer = view.get_serializer_class()(context={"request": request})
    return {name: field for name, field in serializer.fields.items() if not field.read_only}


def good_body(door, method, asked):
    of_a_stranger = door.address.removeprefix("/api/auth/").strip("/")
    body = bodies(asked).get(f"{method.upper()} {door.address}")
    return body or good_bodies().get(of_a_stranger, {})


def shown_at(door, address):
    """Where a GET shows what a writing door has written."""
    if "get" in door.actions:
        return address
    if address.startswith("/api/auth/"):
        return "/api/auth/profile/"
    return f"{address.rstrip('/').rsplit('/', 1)[0]}/"


def probes(fields):
    """(name, value): all the nonsense at each field, half of it at each that is plain text."""
    for place, (name, field) in enumerate(fields.items()):
        is_text = type(field) is CharField
        for value in NONSENSE[place % 2 :: 2] if is_text else NONSENSE:
            yield name, value


@pytest.mark.parametrize(
    ("door", "method"), WRITING, ids=[f"{method} {door.address}" for door, method in WRITING]
)
@pytest.mark.usefixtures("quiet")
def test_nonsense_in_a_field_of_a_good_body_is_refused_or_kept(api, world, door, method):
    """The callers take turns, so that each field meets each of them."""
    at_the_door = []
    for name in callers_of(door, method):
        client = api(getattr(world, name))
        profile = client.get("/api/auth/profile/").json()["data"]
        asked = Asked(world, name, "j", profile)
        fields = fields_of(door, method, getattr(world, name))
        at_the_door.append((client, asked, good_body(door, method, asked), fields))
    moment = noon(400) if "no_show" in door.address else None
    every = {name: field for *_, fields in at_the_door for name, field in fields.items()}
    shows = 401 if "password/change" in door.address else 200  # which ends the session
    before = database_digest()

    for (name, value), (client, asked, good, fields) in zip(
        probes(every), cycle(at_the_door), strict=False
    ):
        if name not in fields:
            continue
        cache.clear()
        where = (asked.actor, name, repr(value)[:40])
        address = asked.url(door.address)
        sent = json.dumps(good | {name: value})
        late = clock.frozen_at(moment) if moment else nullcontext()
        with transaction.atomic(), record_writes() as written, late:
            answer = client.generic(method.upper(), address, sent, "application/json")
            if answer.status_code < 400:
                assert client.get(shown_at(door, address)).status_code == shows, where
            else:
                assert_refused(answer, where=where)
                assert not written or database_digest() == before, where
            transaction.set_rollback(True)


@pytest.mark.usefixtures("quiet")
def test_a_number_or_a_day_is_written_in_plain_digits_at_every_door(api, world):
    met = set()
    for door, method in WRITING:
        name = next(iter(callers_of(door, method)), "ada")
        client = api(getattr(world, name))
        asked = Asked(world, name, "j", client.get("/api/auth/profile/").json()["data"])
        for field, kind in fields_of(door, method, getattr(world, name)).items():
            is_list = isinstance(kind, ListField)
            if not isinstance(kind.child if is_list else kind, CANONICAL_FIELDS):
                continue
            met.add(field)
            for value in ODDLY_WRITTEN:
                cache.clear()
                body = good_body(door, method, asked) | {field: [value] if is_list else value}
                with transaction.atomic():
                    answer = getattr(client, method)(asked.url(door.address), body)
                    transaction.set_rollback(True)

                where = (method, door.address, field, value)
                assert answer.status_code == 400, where
                assert field in answer.json()["errors"], where

    assert met == {
        "date", "start_time", "end_time", "date_from", "date_to", "weekdays", "slot_duration",
        "break_minutes", "date_of_birth", "follow_up_date", "systolic_bp", "diastolic_bp",
        "heart_rate", "temperature", "respiratory_rate", "oxygen_saturation", "weight", "height",
        "quantity",
    }  # fmt: skip


def test_every_writing_door_but_two_has_callers_and_fields(world):
    without = {
        door.address
        for door, method in WRITING
        if not any(
            fields_of(door, method, getattr(world, name)) for name in callers_of(door, method)
        )
    }

    assert without == {
        "/api/consultations/{pk}/start_consultation/",
        "/api/auth/sessions/end_all/",
    }
