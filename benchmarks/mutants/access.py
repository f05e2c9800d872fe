"""Who may do what and who sees what: each row of the tables opened and closed, each door unlocked.

The rows are read off the files of the apps, so that a new one is among the mutants by itself.
"""

import ast
import re
from itertools import product

from mutants.mutant import HOUSE, Edit, Mutant, mutants
from mutants.unlocked import LOCKS, OF_ACCESS, OF_MATRIX, OF_SIGHT

APPS = ["accounts", "patients", "appointments", "consultations"]
MODELS = [
    "accounts/models/people.py",
    "accounts/models/sign_in.py",
    *(f"{app}/models.py" for app in APPS[1:]),
]
# Each role, and how a scope names it.
ROLES = {
    "patient": "UserType.PATIENT",
    "doctor": "UserType.DOCTOR",
    "unverified_doctor": "UNVERIFIED",
    "admin": "UserType.ADMIN",
}

END = re.compile(r"\Z")
IMPORTED = "from django.db.models import Q\n\n"


def every_mutant():
    return [
        *rows_of_access(),
        *rows_of_sight(),
        *rows_of_moves(),
        *(
            one
            for (file, *tests), changes in LOCKS.items()
            for one in mutants(file, [*tests, OF_MATRIX], changes)
        ),
    ]


def rows_of_access():
    """Each row of each `access` table, closed, and opened where it is not."""
    for app in APPS:
        file = f"{app}/permissions.py"
        for table, action, roles in _rows(file):
            row = f'{table}["{action}"]'
            yield _with(f"{app}: {row} is closed", file, f"del {row}", OF_ACCESS)
            if roles != "ANYONE":
                yield _with(f"{app}: {row} is opened", file, f'{row} = "anyone"', OF_ACCESS)


def rows_of_sight():
    """What each role reads and writes of each model: all of it, and nothing."""
    for file in MODELS:
        for queryset, name, written in _scopes(file):
            table = f"{queryset}.{name}"
            for role, word in ROLES.items():
                if f"{word}: EVERYTHING" not in written:
                    row = f'{IMPORTED}{table} = {table} | {{"{role}": Q()}}'
                    yield _with(f"{table}: {role} gets all", file, row, OF_SIGHT, OF_ACCESS)
                if word in written or ("EVERYONE" in written and word.startswith("UserType")):
                    row = f'{table} = {{r: w for r, w in {table}.items() if r != "{role}"}}'
                    yield _with(f"{table}: {role} gets nothing", file, row, OF_SIGHT, OF_ACCESS)


def rows_of_moves():
    """Each move from each status: open to nobody where it is open, to everyone where it is not."""
    for action, status in product(MOVES, STATUSES):
        roles = MOVES[action].get(status)
        if roles:
            yield _move(action, status, "nobody", "frozenset()")
        if roles != "everyone":
            yield _move(action, status, "everyone", "EVERYONE")


def _move(action, status, whom, roles):
    row = f'MOVES["{action}"]'
    sources = f'{row}.sources | {{Status("{status}"): {roles}}}'
    return _with(
        f"{action} from {status} is open to {whom}",
        "appointments/lifecycle.py",
        f"{row} = {row}._replace(sources={sources})",
        "appointments/tests/test_lifecycle.py",
    )


STATUSES = ["scheduled", "confirmed", "in_progress", "completed", "cancelled", "no_show"]
AHEAD = {"scheduled": "clinicians", "confirmed": "clinicians"}
MOVES = {
    "confirm": {"scheduled": "clinicians"},
    "start": AHEAD,
    "complete": AHEAD | {"in_progress": "clinicians"},
    "no_show": AHEAD,
    "cancel": dict.fromkeys(AHEAD, "everyone") | {"in_progress": "clinicians"},
    "reschedule": dict.fromkeys(AHEAD, "everyone"),
}


def _with(name, file, line, *tests):
    """The file with a line more at its end."""
    return Mutant(name, (Edit(file, END, f"\n\n{line}\n"),), tests)


def _rows(file):
    """(table, action, whose) of each row of the file's tables; those made of MOVES too."""
    for node in ast.parse((HOUSE / file).read_text()).body:
        if not isinstance(node, ast.Assign) or node.targets[0].id == "SAME_AS":
            continue
        table = node.value.right if isinstance(node.value, ast.BinOp) else node.value
        if isinstance(table, ast.Dict):
            for key, roles in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield node.targets[0].id, key.value, ast.unparse(roles)
                else:
                    yield from ((node.targets[0].id, action, "of the move") for action in MOVES)


def _scopes(file):
    """(queryset, "owners" or "writers", as it is written) for each scope of the models."""
    for node in ast.parse((HOUSE / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and line.targets[0].id in ("owners", "writers"):
                    yield node.name, line.targets[0].id, ast.unparse(line.value)
