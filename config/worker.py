"""The background jobs of all apps, which `manage.py work` runs.

Each app lists its jobs as `JOBS` in a module `jobs`. A job does one unit of work in its own
transactions and returns False if there is nothing to do. Several processes may run it at once.
"""

import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Event

from django.apps import apps
from django.db import Error, close_old_connections

PAUSE = 1.0  # seconds between two looks for work
PAUSE_AFTER_ERROR = 10.0

logger = logging.getLogger(__name__)


@cache
def jobs() -> tuple[Callable[[], bool], ...]:
    return tuple(
        job
        for app in apps.get_app_configs()
        if find_spec(f"{app.name}.jobs")
        for job in import_module(f"{app.name}.jobs").JOBS
    )


def work_until(stop: Event) -> None:
    """Run the jobs in turn until `stop` is set. A database that does not answer is waited for."""
    while not stop.is_set():
        close_old_connections()
        try:
            pause = 0.0 if work() else PAUSE
        except Error:
            logger.exception("The database does not answer")
            pause = PAUSE_AFTER_ERROR
        stop.wait(pause)


def work() -> bool:
    """Run each job once; return False if none has anything to do."""
    return any([job() for job in jobs()])  # noqa: C419  # every job, not only the first
