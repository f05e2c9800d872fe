"""No user is shown an invisible record in any list, filter, search, count or nested object.

Random users read random URLs of the clinics of config.tests.random_world: 5,000 times on each
database engine. More reads: READS_PER_WORLD=10000 pytest config/tests/test_random_worlds.py
"""

import os
import re

import pytest
from django.core.cache import cache

from accounts.models import Doctor
from appointments.lifecycle import Status
from appointments.models import Appointment
from config.access_report import iter_endpoints
from config.tests.random_world import World

WORLDS = range(10)
READS = int(os.environ.get("READS_PER_WORLD", "500"))

MARK = re.compile(r"mark[0-9]+mark", re.IGNORECASE)
ENDPOINTS = sorted(
    (
        endpoint
        for endpoint in iter_endpoints()
        if "get" in endpoint.actions and endpoint.is_canonical
    ),
    key=lambda endpoint: endpoint.address,
)


@pytest.fixture
def without_throttles(settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {}}


def ids_in(body):
    data = body.get("data") or {}
    if "results" in data:
        return {row["id"] for row in data["results"] if "id" in row}
    if "slots" in data:
        return {row["id"] for row in data["slots"]}
    return {data["id"]} if "id" in data else set()


def ids_by_cursor(client, address):
    """Returns the ids on all pages of a list, following `next`; checks that none is repeated."""
    found, following = [], f"{address}?cursor=&page_size=3"
    while following:
        body = client.get(following).json()
        found += ids_in(body)
        following = body["data"]["next"]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.usefixtures("without_throttles")
@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.django_db
def test_no_user_reads_an_invisible_record(api, seed):
    world = World(seed)
    clients = {one.pk: api(one) for one in world.people}
    shown, hidden = 0, 0

    for _ in range(READS):
        reader, endpoint = world.dice.choice(world.people), world.dice.choice(ENDPOINTS)
        address = endpoint.address.format(
            pk=world.an_id(), patient=world.an_id(), consultation=world.an_id()
        )
        query = world.a_query(endpoint)
        accept = "text/html" if world.dice.random() < 0.01 else "application/json"
        answer = clients[reader.pk].get(address, query, headers={"Accept": accept})
        text = answer.content.decode()
        sent = set(MARK.findall(query.get("search", "")))
        found = {mark.lower() for mark in MARK.findall(text)} - sent

        leaked = {mark for mark in found if reader.pk not in world.may_read[mark]}
        assert leaked == set(), (reader.username, address, query)
        if answer.status_code != 200 or accept == "text/html":
            hidden += answer.status_code in (403, 404)
            continue
        body, visible = answer.json(), world.visible_ids(reader, address)
        if visible is not None and "history" not in address:
            assert ids_in(body) <= visible, (reader.username, address, query)
            count = (body["data"] or {}).get("count", 0)
            secret = any(reader.pk not in world.may_read[mark] for mark in sent)
            assert count == 0 if secret else count <= len(visible), (
                reader.username,
                address,
                query,
            )
            shown += len(found)

    assert min(shown, hidden) > READS / 20  # both visible and invisible records were involved
    cache.clear()


@pytest.mark.usefixtures("without_throttles")
@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.django_db
def test_lists_and_counts_of_every_user_are_complete(api, seed):
    world = World(seed)

    for reader in world.people:
        client = api(reader)
        visible = world.visible_ids(reader, "/api/appointments/")
        for address in ("/api/appointments/", "/api/consultations/", "/api/patients/"):
            answer = client.get(address, {"page_size": 100})
            if answer.status_code == 200:
                assert ids_in(answer.json()) == world.visible_ids(reader, address), reader.username
                assert ids_by_cursor(client, address) == ids_in(answer.json()), reader.username
        if (answer := client.get("/api/statistics/")).status_code == 200:
            numbers = answer.json()["data"]
            statuses = [world.rows[Appointment][pk]["status"] for pk in visible]
            assert numbers["total"] == len(visible)
            assert numbers["by_status"] == {one: statuses.count(one) for one in Status.values}


@pytest.mark.django_db
def test_the_detector_finds_an_invisible_record(api):
    world = World(0)
    stranger = world.patients[0]
    of_another = next(
        mark for mark, readers in world.may_read.items() if stranger.pk not in readers
    )

    Doctor.objects.filter(pk=world.doctors[0].pk).update(last_name=of_another)
    text = api(stranger).get("/api/doctors/").content.decode()

    found = {mark.lower() for mark in MARK.findall(text)}
    assert any(stranger.pk not in world.may_read[mark] for mark in found)
