"""Caches whose failure does not fail a request: they answer like an empty cache.

The throttles then let requests pass, and the lockout counts in the database. A failure is logged
once a minute, and the cache is not asked again for a few seconds: a silent server would otherwise
delay every request.
"""

import logging
import pickle  # nosec B403  # only its exception
import time
import zlib

from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.redis import RedisCache

PAUSE = 5  # seconds without another attempt after a failure
LOG_INTERVAL = 60  # seconds

logger = logging.getLogger(__name__)


class Pause:
    """The time after a failure, in which the cache is not asked."""

    def __init__(self):
        self.until = self.next_log_at = 0.0

    def is_on(self):
        return time.monotonic() < self.until

    def begin(self, error):
        now = time.monotonic()
        self.until = now + PAUSE
        if now >= self.next_log_at:
            self.next_log_at = now + LOG_INTERVAL
            logger.error("The cache does not work: %s", type(error).__name__)


class FailOpenMixin:
    """Answers like an empty cache if the cache does not work (`failures`)."""

    paused = Pause()  # of the process: Django makes a cache for each thread

    @property
    def failures(self):
        return (OSError,)

    def get(self, key, default=None, version=None):
        return self._attempt(default, super().get, key, default, version)

    def set(self, key, value, *args, **kwargs):
        return self._attempt(None, super().set, key, value, *args, **kwargs)

    def add(self, key, value, *args, **kwargs):
        return self._attempt(True, super().add, key, value, *args, **kwargs)

    def clear(self):
        return self._attempt(None, super().clear)

    def is_working(self):
        """Write and read a value, even during the pause."""
        try:
            super().set("health", 1, 10)
            return super().get("health") == 1
        except self.failures:
            return False

    def _attempt(self, otherwise, work, *args, **kwargs):
        if self.paused.is_on():
            return otherwise
        try:
            return work(*args, **kwargs)
        except self.failures as error:
            self.paused.begin(error)
            return otherwise


# The exceptions for the content of a file that a power cut left empty, cut short or full of zeros.
DAMAGE = (pickle.UnpicklingError, zlib.error, EOFError, LookupError, TypeError, ValueError)


class FailOpenFileCache(FailOpenMixin, FileBasedCache):
    """A damaged file is deleted and counts as missing."""

    def __init__(self, *args, **kwargs):
        try:
            super().__init__(*args, **kwargs)
        except OSError as error:  # the folder cannot be created
            self.paused.begin(error)

    def get(self, key, default=None, version=None):
        try:
            return super().get(key, default, version)
        except DAMAGE:
            self._attempt(None, self.delete, key, version)
            return default

    def add(self, key, value, *args, **kwargs):
        self.get(key)  # deletes a damaged file
        return super().add(key, value, *args, **kwargs)


class FailOpenRedisCache(FailOpenMixin, RedisCache):
    @property
    def failures(self):
        from redis.exceptions import RedisError  # noqa: PLC0415  # the package is optional

        return OSError, RedisError
