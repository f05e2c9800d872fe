"""The CACHE_URL setting."""

import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from rest_framework.throttling import SimpleRateThrottle

from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import sign_in
from config.cache import FailOpenMixin, Pause
from config.cache_url import parse_cache_url

RATES = ("user", "login", "register", "register_network")
COUNT = """
import django
from django.conf import settings
from config.cache_url import parse_cache_url as cache_from
settings.configure(CACHES={"default": cache_from(%r)})
from django.core.cache import cache
cache.set("throttle", cache.get("throttle", 0) + 1, 60)
"""


def test_a_file_cache_is_shared_by_processes(settings, tmp_path):
    url = f"file://{tmp_path}/cache"

    for _ in range(3):
        subprocess.run([sys.executable, "-c", COUNT % url], check=True)  # noqa: S603

    settings.CACHES = {"default": parse_cache_url(url)}
    assert caches["default"].get("throttle") == 3
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("url", "backend", "location"),
    [
        ("", "django.core.cache.backends.locmem.LocMemCache", None),
        ("file:///srv/cache", "config.cache.FailOpenFileCache", "/srv/cache"),
        ("redis://h:6379/0", "config.cache.FailOpenRedisCache", "redis://h:6379/0"),
        ("rediss://h:6379/0", "config.cache.FailOpenRedisCache", "rediss://h:6379/0"),
    ],
)
def test_cache_urls_are_parsed(url, backend, location):
    entry = parse_cache_url(url)

    assert entry["BACKEND"] == backend
    assert entry.get("LOCATION") == location


@pytest.mark.parametrize("url", ["file://relative", "memcached://h", "redis", "redis://", "/srv"])
def test_an_invalid_cache_url_is_refused(url):
    with pytest.raises(ImproperlyConfigured):
        parse_cache_url(url)


def test_redis_without_its_package_is_refused(monkeypatch):
    """The server would start, and each request would fail."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ImproperlyConfigured, match="pip install redis"):
        parse_cache_url("redis://127.0.0.1:6379/0")


# --- A cache that does not work ------------------------------------------------------------


def refused():
    """A port at which nothing answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{free.getsockname()[1]}/0"


def silent():
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def full_disk():
    """A folder in which nothing can be written, as on a full disk."""
    yield "file:///proc/self/clinic"


@pytest.fixture(params=[refused, silent, full_disk])
def broken_cache(request, settings, monkeypatch):
    monkeypatch.setattr(FailOpenMixin, "paused", Pause())
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", dict.fromkeys(RATES, "1/min"))
    with contextmanager(request.param)() as url:
        settings.CACHES = {"default": parse_cache_url(url)}
        monkeypatch.setattr(SimpleRateThrottle, "cache", caches["default"])
        monkeypatch.setattr("accounts.audit.log.cache", caches["default"])
        yield


def test_requests_pass_while_the_cache_does_not_work(broken_cache, api, caplog, jane):
    client = api(jane)

    answers = [client.get("/api/auth/profile/") for _ in range(3)]
    sign_ins = [sign_in(api(), "jane", PASSWORD) for _ in range(3)]
    refusals = [api().get("/api/auth/profile/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.status_code for answer in sign_ins] == [200] * 3
    assert [answer.status_code for answer in refusals] == [401] * 3
    records = [*caplog.get_records("setup"), *caplog.records]
    logged = [record.message for record in records if record.name == "config.cache"]
    assert len(logged) == 1
    assert logged[0].startswith("The cache does not work: ")


def test_readyz_names_a_cache_that_does_not_work_and_stays_ready(broken_cache, client, db):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["checks"]["cache"]) == (200, "unreachable")


def test_a_cache_that_works_again_counts_again(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(FailOpenMixin, "paused", Pause())
    folder = tmp_path / "cache"
    folder.write_text("a file where the folder belongs")
    settings.CACHES = {"default": parse_cache_url(f"file://{folder}")}
    cache = caches["default"]

    cache.set("count", 1)
    folder.unlink()
    cache.set("count", 2)
    during = cache.get("count")
    cache.paused.until = 0.0  # the pause is over
    cache.set("count", 3)

    assert (during, cache.get("count")) == (None, 3)


@pytest.fixture
def file_cache(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(FailOpenMixin, "paused", Pause())
    settings.CACHES = {"default": parse_cache_url(f"file://{tmp_path}/cache")}
    return caches["default"]


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\x80\x05", b"N."])
def test_a_damaged_file_of_the_cache_counts_as_missing(file_cache, tmp_path, content):
    file_cache.set("count", 1)
    (file,) = (tmp_path / "cache").iterdir()

    file.write_bytes(content)
    assert file_cache.get("count", "missing") == "missing"
    file.write_bytes(content)
    assert file_cache.add("count", 2) is True

    assert file_cache.get("count") == 2
    assert file_cache.paused.until == 0.0  # the other callers are counted


def test_prune_does_its_work_without_the_cache(file_cache, tmp_path, caplog, db):
    (tmp_path / "cache" / "left.djcache").mkdir()  # cannot be deleted as a file

    call_command("prune")

    assert [one.message for one in caplog.records if one.name == "config.cache"] == [
        "The cache does not work: IsADirectoryError"
    ]


def test_prune_empties_a_cache_of_files(settings, tmp_path, db):
    settings.CACHES = {"default": parse_cache_url(f"file://{tmp_path}/cache")}
    caches["default"].set("count", 1)

    call_command("prune")

    assert list((tmp_path / "cache").iterdir()) == []
