"""The CACHE_URL setting."""

import subprocess
import sys

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured

from config.cache_url import parse_cache_url

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
        ("", "locmem.LocMemCache", None),
        ("file:///srv/cache", "filebased.FileBasedCache", "/srv/cache"),
        ("redis://h:6379/0", "redis.RedisCache", "redis://h:6379/0"),
        ("rediss://h:6379/0", "redis.RedisCache", "rediss://h:6379/0"),
    ],
)
def test_cache_urls_are_parsed(url, backend, location):
    entry = parse_cache_url(url)

    assert entry["BACKEND"] == f"django.core.cache.backends.{backend}"
    assert entry.get("LOCATION") == location


@pytest.mark.parametrize("url", ["file://relative", "memcached://h", "redis", "redis://", "/srv"])
def test_an_invalid_cache_url_is_refused(url):
    with pytest.raises(ImproperlyConfigured):
        parse_cache_url(url)
