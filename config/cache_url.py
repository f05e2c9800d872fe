"""Where the cache lies, from one line: CACHE_URL."""

from django.core.exceptions import ImproperlyConfigured

MOST_ENTRIES = 10_000  # each who calls is one; past that, counts are dropped

BACKENDS = "django.core.cache.backends"
PER_PROCESS = f"{BACKENDS}.locmem.LocMemCache"


def parse_cache_url(url):
    """The entry of CACHES for `file:///a/folder`, `redis://host:6379/0`, or nothing."""
    scheme, _, rest = url.partition("://")
    options = {"MAX_ENTRIES": MOST_ENTRIES}
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
    raise ImproperlyConfigured("CACHE_URL is file:///a/folder or redis://host:6379/0.")
