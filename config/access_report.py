"""Who may do what, and who sees what, read off the code: the doors of the URL conf and the tables
of the apps. `manage.py access` writes it down as docs/access.md; the tests walk the same doors.
"""

import re
from typing import NamedTuple

from django.urls import get_resolver
from django.urls.resolvers import URLResolver

from accounts.models import AuditEvent, Doctor, Session
from accounts.permissions import SAME_AS
from accounts.roles import ANYONE, UNVERIFIED, UserType
from appointments.lifecycle import MOVES, always
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from config.db.querysets import ALL_ROWS
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from patients.models import EmergencyAccess, Patient

ROLES = [UserType.PATIENT.value, UserType.DOCTOR.value, UNVERIFIED, UserType.ADMIN.value]

RECORDS = [
    Session,
    Doctor,
    Patient,
    TimeSlot,
    Appointment,
    AppointmentHistory,
    Consultation,
    VitalSigns,
    Prescription,
    ConsultationNote,
    EmergencyAccess,
    AuditEvent,
]

INTRODUCTION = """\
# Access

Written by `python manage.py access > docs/access.md` from the tables the code itself goes by; a
test holds the page to them. Three questions, in this order: may this **role** do this at all (403
where not), is this **record** in its sight (404 where not, as if it did not exist), does the
record's **state** allow it (409 where not). A stranger is asked to sign in (401) before any of
them.

Open to anyone are `/`, `/api/`, `/api/docs/`, `/api/schema/`, `/api-auth/`, `/healthz`, `/readyz`,
static files and avatars; `/admin/` is open to active admins alone. Every address below `/api/` but
those of `/api/auth/` stands once more below its app (`/api/appointments/api/appointments/`), with
the same answers.
"""


OTHER_RECORDS = """\
Without a line for what is written, whoever reads a record writes it, where the first table has a
door for it. And of what has no line at all:
"""


class Endpoint(NamedTuple):
    address: str  # as /api/appointments/{pk}/cancel/
    view: type
    actions: dict

    @property
    def is_canonical(self):
        return "/api/" not in self.address.removeprefix("/api")

    @property
    def methods(self):
        """(method, action), without the HEAD that each GET brings along."""
        return [(m.upper(), action) for m, action in self.actions.items() if m != "head"]

    def roles(self, action):
        return self.view.access[SAME_AS.get(action, action)]


def iter_endpoints():
    """The doors of the viewsets, at both mounts."""
    return [
        Endpoint(address, callback.cls, callback.actions)
        for address, callback in iter_urls()
        if getattr(callback, "actions", None)
    ]


def iter_urls():
    """(address, view function) of the whole URL conf, the admin's too."""
    return list(_patterns(get_resolver(), "/"))


def endpoint_names(doors):
    """A mapping from (method, address) to (view name, action)."""
    return {
        (method, door.address): (door.view.__name__, action)
        for door in doors
        for method, action in door.methods
    }


def _patterns(resolver, prefix):
    for pattern in resolver.url_patterns:
        address = prefix + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, address)
        else:
            yield address, pattern.callback


def _readable(pattern):
    text = pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", text)


# --- The page -------------------------------------------------------------------------------


def render_report():
    """docs/access.md."""
    return f"{INTRODUCTION}\n{_permission_table()}\n{_visibility_table()}\n{_transition_table()}"


def _permission_table():
    rows = [
        [f"{method} {door.address}", *_marks(door.roles(action))]
        for door in iter_endpoints()
        if door.is_canonical
        for method, action in door.methods
    ]
    return _table("Who may do what", ["door", *map(_words, ROLES)], rows)


def _marks(roles):
    return ["anyone"] * len(ROLES) if roles == ANYONE else [_mark(role in roles) for role in ROLES]


def _mark(holds):
    return "yes" if holds else "-"


def _visibility_table():
    rows, elsewhere = [], []
    for model in RECORDS:
        name, records = model._meta.verbose_name, model._default_manager.all()
        if not records.owners:
            elsewhere.append(f"- {name}: {_phrase(type(records))}\n")
            continue
        for question, table in (("reads", records.owners), ("writes", records.writers)):
            if table is not None:
                rows.append(
                    [f"{name}: {question}", *(_scope_label(table.get(role)) for role in ROLES)]
                )
    table = _table("Whose records", ["record", *map(_words, ROLES)], rows)
    return f"{table}\n{OTHER_RECORDS}\n{''.join(elsewhere)}"


def _scope_label(whose):
    if whose is None:
        return "-"
    if whose is ALL_ROWS:
        return "all"
    return "their own" if isinstance(whose, str) else _phrase(whose)


def _phrase(documented):
    """What a docstring's first line says, to be read within a sentence."""
    line = documented.__doc__.splitlines()[0].removesuffix(".")
    return line[0].lower() + line[1:]


def _transition_table():
    rows = [
        [
            f"{name}, from {status.label.lower()}",
            move.target.label.lower(),
            *[_mark(role in roles) for role in ROLES],
            "" if move.condition is always else _words(move.condition.__name__),
        ]
        for name, move in MOVES.items()
        for status, roles in move.sources.items()
    ]
    return _table("Moves of an appointment", ["move", "to", *map(_words, ROLES), "only"], rows)


def _table(title, head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def _words(name):
    return name.replace("_", " ")
