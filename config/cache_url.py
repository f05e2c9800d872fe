"""Parses CACHE_URL."""

from django.core.exceptions import ImproperlyConfigured

MAX_ENTRIES = 10_000  # one per caller; beyond, the cache drops entries

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
            "BACKEND": f"{BACKENDS}.filebased.FileBasedCache",
            "LOCATION": rest,
            "OPTIONS": options,
        }
    if scheme in ("redis", "rediss") and rest:
        return {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": url}
    raise ImproperlyConfigured("CACHE_URL must be file:///a/folder or redis://host:6379/0.")
