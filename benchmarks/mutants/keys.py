"""A request sent twice is done once."""

import re

from mutants.constraints import KEYS, OF_KEYS
from mutants.mutant import POSTGRESQL, Edit, Mutant, mutants

MODULE = "accounts/idempotency.py"
DOORS = "accounts/doors.py"


def every_mutant():
    model, migration = KEYS
    return [
        *mutants(DOORS, [OF_KEYS], AT_THE_DOOR),
        *mutants(MODULE, [OF_KEYS], KEY),
        *mutants(MODULE, [OF_KEYS], WAITING, POSTGRESQL),
        *mutants("appointments/viewsets.py", [OF_KEYS], IN_BULK),
        Mutant(
            "a key is its person's",
            (
                Edit(model, 'fields=["user", "key"]', 'fields=["key"]'),
                Edit(migration, "fields=('user', 'key')", "fields=('key',)"),
            ),
            (OF_KEYS,),
            changes_tables=True,
        ),
    ]


AT_THE_DOOR = {
    "the key is looked up before the work": ("        if not is_new:\n", "        if False:\n"),
    "the key is written in the transaction of the work": (
        "    @atomic\n    def first_time",
        "    def first_time",
    ),
    "what came of the work is kept": (
        re.compile(r"^ +idempotency\.keep\(.*\)\n", re.MULTILINE),
        "",
    ),
    "an answer given again says so": (
        '    response["Idempotency-Replayed"] = "true"\n',
        "",
    ),
    "an answer given again has its status": (
        "    response.status_code = row.status_code\n",
        "",
    ),
    "an answer given again shows what is in sight": (
        "    response = view.show_again(row.made)\n",
        (
            "    view.get_queryset = type(view).queryset.all\n"
            "    response = view.show_again(row.made)\n"
        ),
    ),
    "an answer given again is a reading": (
        'clone_request(view.request, "GET")',
        "view.request",
    ),
}

IN_BULK = {
    "slots in bulk take a key": (
        "    @idempotent\n    def create_bulk_slots",
        "    def create_bulk_slots",
    ),
    "of slots in bulk those in sight are shown again": (
        "        opened = self.get_queryset().filter(",
        "        opened = self.queryset.filter(",
    ),
}

KEY = {
    "a key comes with one request": ("    if row.fingerprint != fingerprint:", "    if False:"),
    "the method tells requests apart": ("[method, path, body]", "[path, body]"),
    "the path tells requests apart": ("[method, path, body]", "[method, body]"),
    "the body tells requests apart": ("[method, path, body]", "[method, path]"),
    "the order of fields does not": ("sort_keys=True, ", ""),
    "a key is looked up with its person": (".filter(user=user, key=key)", ".filter(key=key)"),
    "a key has a character": ("if not 0 < len(key) <= LONGEST or", "if not len(key) <= LONGEST or"),
    "a key has no more than 255": ("if not 0 < len(key) <= LONGEST or", "if not len(key) > 0 or"),
    "a key is forgotten": ("    if row.created_at < timezone.now() - KEPT:", "    if False:"),
    "a key is kept for a day": ("timedelta(hours=24)", "timedelta(hours=23, minutes=59)"),
    "a key is kept for no more than a day": (
        "timedelta(hours=24)",
        "timedelta(hours=24, minutes=1)",
    ),
    "a key used again is kept from then on": (
        "row.fingerprint, row.created_at = fingerprint, timezone.now()",
        "row.fingerprint = fingerprint",
    ),
    "a key used again is of the new request": (
        "row.fingerprint, row.created_at = fingerprint, timezone.now()",
        "row.created_at = timezone.now()",
    ),
    "only old keys are deleted": (
        "filter(created_at__lt=timezone.now() - KEPT).delete()",
        "all().delete()",
    ),
}

WAITING = {
    "a first request that is not done is told of": (
        "if sqlstate(error) != LOCK_NOT_AVAILABLE:",
        "if True:",
    ),
    "another trouble is not taken for it": (
        "if sqlstate(error) != LOCK_NOT_AVAILABLE:",
        "if False:",
    ),
}
