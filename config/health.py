"""Health checks for monitoring: /healthz (the process runs), /readyz (it can serve requests).

They are public, have no envelope and reveal nothing about the clinic.
"""

from datetime import timedelta

from django.core.cache import cache
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.models import OutgoingMessage
from config.api.exceptions import RETRY_SECONDS
from config.checks import missing_database_objects

LETTER_DELAY = timedelta(minutes=5)  # of a due letter that nobody delivers


def database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def migrations():
    executor = MigrationExecutor(connection)
    unapplied = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(unapplied)} unapplied" if unapplied else "ok"


def database_constraints():
    missing = missing_database_objects(connection)
    return f"{len(missing)} missing" if missing else "ok"


def letters():
    count = OutgoingMessage.objects.overdue(LETTER_DELAY).count()
    return f"{count} waiting" if count else "ok"


def throttle_cache():
    """Throttles let requests pass while the cache does not work, so this check fails nothing."""
    is_working = getattr(cache, "is_working", None)
    return "ok" if is_working is None or is_working() else "unreachable"


# Each function returns "ok" or a short description of the problem.
CHECKS = {
    "database": database,
    "migrations": migrations,
    "guards": database_constraints,
    "letters": letters,
}
# These only inform: the platform serves requests without them.
INFORMATION = {"cache": throttle_cache}


@csrf_exempt  # so that a POST is answered with 405
@never_cache
@require_safe
def healthz(request):
    return JsonResponse({"status": "ok"})


@csrf_exempt
@never_cache
@require_safe
def readyz(request):
    checks = {name: _outcome(check) for name, check in CHECKS.items()}
    is_ready = all(outcome == "ok" for outcome in checks.values())
    checks |= {name: _outcome(check) for name, check in INFORMATION.items()}
    if is_ready:
        return JsonResponse({"status": "ok", "checks": checks})
    return JsonResponse(
        {"status": "unavailable", "checks": checks},
        status=503,
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def _outcome(check):
    try:
        return check()
    except Error:
        return "unreachable"
