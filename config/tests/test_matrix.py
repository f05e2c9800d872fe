"""The whole matrix: every endpoint by method, caller and record (own, other's, missing).

Two literal tables give the expected status: who may do what (`test_access.MATRIX`), and whose
records each caller sees (below). Each cell is a real request that would succeed where it is allowed
and that is rolled back. There are two sides: Jane with Dr. House, and Paul with Dr. Grey.
"""

import json
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.test import APIClient

from accounts.auth.sessions import open_session
from accounts.models import AuditEvent, Outcome
from accounts.tests.factories import PASSWORD, DoctorFactory
from appointments import clock
from appointments.tests.factories import TimeSlotFactory, make_appointment, noon
from config.access_report import iter_endpoints
from config.api.serializers import example_body
from config.tests.personas import NESTED, make_person
from config.tests.test_access import AGREED
from consultations.tests.factories import add_parts, make_consultation
from patients.emergency_access import grant_emergency_access
from patients.models import EmergencyAccess
from patients.tests.factories import PatientFactory

ACTORS = {"jane": "P", "paul": "P", "house": "D", "grey": "D", "new": "U", "ada": "A"}
STRANGERS = ["anonymous", "gone"]  # gone is a doctor who treated Jane and was deactivated
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
SIDES = {"j": "jane", "p": "paul"}
MISSING = 999_999

EVERYBODY = dict.fromkeys(ACTORS, "jp")
THE_INVOLVED = {"jane": "j", "paul": "p", "house": "j", "grey": "p", "ada": "jp"}
THE_DIRECTORY = {"jane": "j", "paul": "p", "house": "jp", "grey": "jp", "ada": "jp"}
WHOSE_SLOTS = {"house": "j", "grey": "p", "new": "", "ada": "jp"}

# The sides whose records each caller gets, where the first table allows the request at all, by the
# first word of the address. A POST to a list names its record in the body, and an availability in
# the query.
READS = {
    "patients": THE_DIRECTORY,
    "doctors": EVERYBODY,
    "time-slots": WHOSE_SLOTS | {"jane": "jp", "paul": "jp"},
    "appointments": THE_INVOLVED,
    "consultations": THE_INVOLVED,
    "doctor-availability": EVERYBODY,
}
WRITES = {
    "auth": {"jane": "j", "paul": "p"},  # a session is ended by its own user
    "patients": THE_DIRECTORY,
    "time-slots": WHOSE_SLOTS,
    "appointments": THE_INVOLVED,
    "consultations": {"house": "j", "grey": "p", "ada": "jp"},
}
NAMES_ITS_RECORD = {
    "POST /api/time-slots/": WHOSE_SLOTS,
    "POST /api/time-slots/create_bulk_slots/": WHOSE_SLOTS,
    "POST /api/appointments/": WHOSE_SLOTS | {"jane": "jp", "paul": "jp"},
    "POST /api/consultations/": WRITES["consultations"],
    "GET /api/doctor-availability/": EVERYBODY,
    "GET /api/patients/{patient}/emergency-access/{pk}/": THE_INVOLVED,
}
ON_THE_DAY = {"start", "complete", "no_show", "start_consultation", "complete_consultation"}
NOT_CLINICAL = ("doctors", "time-slots", "doctor-availability")
HOURS = {"date": "2027-05-05", "start_time": "09:00:00", "end_time": "09:30:00"}


def bodies(asked):
    """The bodies of the requests; `asked` has the name of the caller, the records and the world."""
    by_the_desk = {"patient": asked.world.ann.pk} if asked.actor in ("house", "grey", "ada") else {}
    password = {"old_password": PASSWORD, "new_password": "another-horse-battery"}
    return {
        "POST /api/auth/password/change/": password,
        "PUT /api/auth/profile/": asked.profile,
        "PATCH /api/auth/profile/": {"phone": "030 12345"},
        "POST /api/patients/": {"first_name": "Ann", "last_name": "Lee"},
        "PUT /api/patients/{pk}/": {"first_name": "Ann", "last_name": "Lee"},
        "PATCH /api/patients/{pk}/": {"allergies": "Penicillin"},
        "POST /api/time-slots/": HOURS | {"doctor": asked.ids["doctors"]},
        "POST /api/time-slots/create_bulk_slots/": (
            HOURS | {"doctor": asked.ids["doctors"], "slot_duration": 10}
        ),
        "PUT /api/time-slots/{pk}/": HOURS,
        "PATCH /api/time-slots/{pk}/": HOURS,
        "POST /api/appointments/": (
            {"time_slot": asked.ids["time-slots"], "reason_for_visit": "A cough"} | by_the_desk
        ),
        "PUT /api/appointments/{pk}/": {"reason_for_visit": "A fever"},
        "PATCH /api/appointments/{pk}/": {"symptoms": "Shivers"},
        "POST /api/appointments/{pk}/reschedule/": {"time_slot": asked.ids["other slot"]},
        "POST /api/appointments/{pk}/reopen/": {"reason": "A slip"},
        "POST /api/consultations/{pk}/reopen/": {"reason": "A slip"},
        "POST /api/consultations/": {"appointment": asked.ids["appointments"]},
        "PUT /api/consultations/{pk}/": {"diagnosis": "Flu"},
        "PATCH /api/consultations/{pk}/": {"diagnosis": "Flu"},
        **{
            f"POST {address}": example_body(import_string(record.viewset).serializer_class)
            for address, record in NESTED.items()
        },
        "PATCH /api/consultations/{consultation}/prescriptions/{pk}/": {"is_active": False},
    }


@pytest.fixture
def world(db, settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {}}
    return two_sides()


def two_sides():
    people = SimpleNamespace(
        **{name: make_person(name) for name in ACTORS},
        ann=PatientFactory(username="ann"),
        gone=DoctorFactory(username="gone"),
    )
    make_appointment(patient=people.jane, doctor=people.gone)
    people.ids = {
        "j": records_of(people.jane, people.house, people.ada),
        "p": records_of(people.paul, people.grey, people.ada),
    }
    EmergencyAccess.objects.update(expires_at=timezone.now())  # a doctor may have one live access
    people.ids["missing"] = dict.fromkeys(people.ids["j"], MISSING) | {"sessions": UUID(int=1)}
    return people


def records_of(patient, doctor, admin):
    """One record of each kind. The admin books, so that the doctor treats the patient."""
    room = add_parts(make_consultation(patient=patient, doctor=doctor, by=admin))
    open_session(patient)
    grant_emergency_access(patient, by=doctor, reason="Unconscious")
    visible = {
        record.route: record.model.objects.visible_to(patient) & record.of_patient(patient.pk)
        for record in NESTED.values()
    }
    return {
        "sessions": patient.sessions.get().pk,
        "patients": patient.pk,
        "doctors": doctor.pk,
        "time-slots": TimeSlotFactory(doctor=doctor, starts_at=noon(310)).pk,
        "other slot": TimeSlotFactory(doctor=doctor, starts_at=noon(311)).pk,
        "appointments": make_appointment(patient=patient, doctor=doctor, by=admin).pk,
        "consultations": room.pk,
        "ended appointments": make_appointment(
            "cancelled", patient=patient, doctor=doctor, by=admin
        ).pk,
        "ended consultations": make_consultation(
            patient=patient, doctor=doctor, by=admin, completed=True
        ).pk,
        **{route: rows.first().pk for route, rows in visible.items()},
    }


# --- The expectation --------------------------------------------------------------------------


def cells(actor):
    """(method, address, which record, expected status) for every endpoint of the API."""
    addresses = {address: set() for _, address in AGREED}
    for method, address in AGREED:
        addresses[address].add(method)
    for address, methods in addresses.items():
        for method in METHODS:
            for record in records_at(method, address):
                yield method, address, record, expected(actor, method, address, methods, record)


def records_at(method, address):
    if "{" not in address and f"{method} {address}" not in NAMES_ITS_RECORD:
        return ["none"]
    crossed = ["crossed"] if address.count("{") > 1 else []
    return ["j", "p", "missing", *crossed]


def expected(actor, method, address, methods, record):
    does = "GET" if method == "HEAD" else method
    open_to_all = any(AGREED[one, address] == "*" for one in methods)
    letter = ACTORS.get(actor)
    if method == "OPTIONS":
        allowed = any(letter and letter in AGREED[one, address] for one in methods)
        return 200 if open_to_all or allowed else 403 if letter else 401
    if does not in methods:
        return 405 if letter or open_to_all else 401
    if AGREED[does, address] == "*":
        return 400  # an empty body
    if letter is None:
        return 401
    if letter not in AGREED[does, address]:
        return 403
    return success(does, address) if is_visible(actor, does, address, record) else (
        404 if "{" in address else 400
    )  # fmt: skip


def is_visible(actor, method, address, record):
    named = NAMES_ITS_RECORD.get(f"{method} {address}")
    if record == "none":
        return True
    family = address.split("/")[2]
    if named is None:
        named = (READS if method == "GET" else WRITES)[family]
    return record in named.get(actor, "")


def success(method, address):
    if method == "DELETE":
        return 204
    lists = ("patients", "time-slots", "create_bulk_slots", "appointments", "consultations")
    creates = address in NESTED or address.rstrip("/").rsplit("/", 1)[-1] in lists
    return 201 if method == "POST" and creates else 200


# --- The requests -----------------------------------------------------------------------------


class Asked:
    """One caller and one record: fills in addresses and gives the bodies."""

    def __init__(self, world, actor, record, profile):
        self.world, self.actor, self.profile = world, actor, profile
        self.last_event = AuditEvent.objects.latest("pk").pk
        self.ids = world.ids["j" if record in ("none", "crossed") else record]
        self.part_ids = world.ids[
            "p" if record == "crossed" else record if record != "none" else "j"
        ]

    def url(self, address):
        query = f"?doctor={self.ids['doctors']}" if "availability" in address else ""
        return address.format(**self.path_ids(address)) + query

    def path_ids(self, address):
        words = address.strip("/").split("/")
        is_part = address.count("{") > 1 and words[-1] == "{pk}"
        whole = f"ended {words[1]}" if words[-1] == "reopen" else words[1]
        return {
            "pk": self.part_ids[words[-2]] if is_part else self.ids.get(whole),
            "patient": self.ids["patients"],
            "consultation": self.ids["consultations"],
            "session": self.ids["sessions"],
        }


def ask(client, method, asked, address):
    """The response, with the audit events of the request as `events`."""
    body = bodies(asked).get(f"{method} {address}", {})
    step = address.rstrip("/").rsplit("/", 1)[-1]
    late = clock.frozen_at(noon(400)) if step in ON_THE_DAY else nullcontext()
    with transaction.atomic(), late:
        answer = client.generic(
            method, asked.url(address), json.dumps(body), content_type="application/json"
        )
        done = AuditEvent.objects.filter(outcome=Outcome.SUCCESS, pk__gt=asked.last_event)
        answer.events = list(done)
        transaction.set_rollback(True)
    cache.clear()
    return answer


def expected_events(method, address, status):
    """The number of audit events: one for a change, and one for a response about patients."""
    if not 200 <= status < 300 or method == "OPTIONS":
        return 0
    is_shown = method in ("GET", "HEAD")
    return int(not is_shown or address.split("/")[2] not in NOT_CLINICAL)


@pytest.mark.parametrize("actor", [*ACTORS, *STRANGERS])
def test_every_cell_matches_the_access_and_visibility_tables(api, world, actor):
    client = api() if actor == "anonymous" else api(getattr(world, actor))
    profile = client.get("/api/auth/profile/").json().get("data")
    if actor == "gone":
        type(world.gone).objects.filter(pk=world.gone.pk).update(is_active=False)
    deviations, bodies_at, miscounted = [], {}, []

    for method, address, record, status in cells(actor):
        asked = Asked(world, actor, record, profile)
        answer = ask(client, method, asked, address)
        if answer.status_code != status:
            deviations.append((method, address, record, status, answer.status_code))
        events = [event.event for event in answer.events]
        if "/auth/" not in address and len(events) != expected_events(
            method, address, answer.status_code
        ):
            miscounted.append((method, address, record, events))
        if method not in ("HEAD", "OPTIONS") and status in (400, 404):
            body = answer.json() | {"request_id": ""}
            text = json.dumps(body)
            for pk in asked.ids.values():
                text = text.replace(f'\\"{pk}\\"', "N")
            bodies_at.setdefault((method, address), set()).add(text)

    assert deviations == []
    assert miscounted == []
    assert {one: texts for one, texts in bodies_at.items() if len(texts) > 1} == {}


@pytest.mark.parametrize("actor", ["jane", "house", "ada"])
def test_callers_with_a_cookie_get_the_same_answers(world, actor):
    browser = APIClient(raise_request_exception=False)
    browser.force_login(getattr(world, actor))
    profile = browser.get("/api/auth/profile/").json()["data"]
    deviations = {}

    for method, address, record, status in cells(actor):
        if record in ("none", "j") and method not in ("HEAD", "OPTIONS"):
            answer = ask(browser, method, Asked(world, actor, record, profile), address)
            if answer.status_code != status:
                deviations[method, address] = answer.status_code

    assert deviations == {}


def test_the_matrix_is_large_and_has_every_endpoint():
    known = {(method, one.address) for one in iter_endpoints() for method, _ in one.methods}

    assert set(AGREED) == {one for one in known if "/api/" not in one[1].removeprefix("/api")}
    assert sum(1 for actor in [*ACTORS, *STRANGERS] for _ in cells(actor)) >= 4000


def test_an_ended_session_gives_access_to_nothing(api, world):
    client = api()
    tokens = open_session(world.ada)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    world.ada.sessions.end()

    for method, address, record, status in cells("gone"):
        answer = ask(client, method, Asked(world, "gone", record, {}), address)
        assert answer.status_code == status, (method, address)
