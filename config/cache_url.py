"""Parses CACHE_URL."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

MAX_ENTRIES = 10_000  # one per caller; beyond, the cache drops entries
MAX_FILES = 2_000  # the cache lists its folder at each write
TIMEOUT = 0.25  # seconds for Redis to connect or answer

BACKENDS = "django.core.cache.backends"
PER_PROCESS = f"{BACKENDS}.locmem.LocMemCache"


def parse_cache_url(url):
    """Return the entry of CACHES for `file:///a/folder`, `redis://host:6379/0` or a blank text."""
    scheme, _, rest = url.partition("://")
    options = {"MAX_ENTRIES": MAX_ENTRIES}
    if not url:
        return {"BACKEND": PER_PROCESS, "OPTIONS": options}
    if scheme == "file" and rest.startswith("/"):
        return {
            "BACKEND": "config.cache.FailOpenFileCache",
            "LOCATION": rest,
            "OPTIONS": {"MAX_ENTRIES": MAX_FILES},
        }
    if scheme in ("redis", "rediss") and rest:
        if find_spec("redis") is None:
            raise ImproperlyConfigured(
                "CACHE_URL needs the package redis: pip install redis==8.1.0."
            )
        timeouts = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
        return {
            "BACKEND": "config.cache.FailOpenRedisCache",
            "LOCATION": url,
            "OPTIONS": timeouts,
        }
    raise ImproperlyConfigured("CACHE_URL must be file:///a/folder or redis://host:6379/0.")
