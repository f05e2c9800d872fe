"""Addresses are looked for once: Django tries one pattern after the other, for each request."""

from functools import lru_cache

from django.urls import URLResolver

MOST = 500  # addresses that are known again, the latest
LONGEST = 200  # characters; a number may have as many digits as somebody likes to send


class KnowingResolver(URLResolver):
    """Knows again what it has found, of which the resolver above it copies the arguments."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._known = lru_cache(maxsize=MOST)(self._found)

    def resolve(self, path):
        return self._known(path) if len(path) <= LONGEST else self._found(path)

    def _found(self, path):
        match = super().resolve(path)
        match.tried = []  # the patterns before it, each of which would be copied, too
        return match
