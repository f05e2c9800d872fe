"""Addresses are looked for once: Django tries one pattern after the other, for each request."""

from functools import lru_cache

from django.urls import URLResolver

MOST = 500  # addresses that are known again, the latest; at most 2 MB


class KnowingResolver(URLResolver):
    """Knows again what it has found, which the resolver above it copies for each request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.resolve = lru_cache(maxsize=MOST)(self.resolve)
