"""The access report (docs/access.md): who may do what, and who sees which records.

`manage.py access` writes the report from the URL configuration and the permission tables of the
apps. The tests of access walk the same endpoints.
"""

import re
from typing import NamedTuple

from django.urls import get_resolver

from accounts.models import AuditEvent, Doctor, Session
from accounts.permissions import SAME_AS
from accounts.roles import ANYONE, UNVERIFIED, UserType
from appointments.lifecycle import MOVES, always
from appointments.models import TimeSlot
from config.api.viewsets import ApiViewSet
from config.clinical_records import clinical_records
from config.db.querysets import ALL_ROWS

ROLES = [UserType.PATIENT.value, UserType.DOCTOR.value, UNVERIFIED, UserType.ADMIN.value]

NOT_CLINICAL = [Session, Doctor, TimeSlot, AuditEvent]

INTRODUCTION = """\
# Access

`python manage.py access > docs/access.md` writes this page from the permission tables of the code.
A test compares the page with the tables.

Three questions are answered in this order:

1. May this **role** do this at all? If not, the answer is 403.
2. May the caller see this **record**? If not, the answer is 404, as if the record did not exist.
3. Does the **state** of the record allow it? If not, the answer is 409.

A caller who is not signed in gets 401 before any of these.

Open to anyone are `/`, `/api/`, `/api/docs/`, `/api/schema/`, `/api-auth/`, `/healthz`, `/readyz`,
static files and avatars. `/admin/` is open to active admins only. Every address below `/api/`,
except those of `/api/auth/`, also exists below its app (`/api/appointments/api/appointments/`) and
gives the same answers.
"""


OTHER_RECORDS = """\
A record without a "writes" row is written by those who read it, where the first table allows the
request. These records have no row:
"""


class Endpoint(NamedTuple):
    address: str  # as /api/appointments/{pk}/cancel/
    view: type[ApiViewSet]
    actions: dict

    @property
    def is_canonical(self):
        return "/api/" not in self.address.removeprefix("/api")

    @property
    def methods(self):
        """Pairs of method and action, without HEAD, which every GET implies."""
        return [(m.upper(), action) for m, action in self.actions.items() if m != "head"]

    def roles(self, action):
        return self.view.access[SAME_AS.get(action, action)]


def iter_endpoints():
    """The endpoints of the viewsets, at both mounts."""
    return [
        Endpoint(address, callback.cls, callback.actions)
        for address, callback in iter_urls()
        if getattr(callback, "actions", None)
    ]


def iter_urls():
    """Pairs of address and view function of the whole URL configuration, with the admin."""
    return list(_patterns(get_resolver(), "/"))


def endpoint_names(endpoints):
    """A mapping from (method, address) to (view name, action)."""
    return {
        (method, endpoint.address): (endpoint.view.__name__, action)
        for endpoint in endpoints
        for method, action in endpoint.methods
    }


def _patterns(resolver, prefix):
    for pattern in resolver.url_patterns:
        address = prefix + _readable(str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern, address)
        else:
            yield address, pattern.callback


def _readable(pattern):
    text = pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", text)


# --- The page -------------------------------------------------------------------------------


def reported_models():
    """Every model whose rows are visible to some people and not to others."""
    return [*NOT_CLINICAL, *(record.model for record in clinical_records())]


def render_report():
    """The text of docs/access.md."""
    return f"{INTRODUCTION}\n{_permission_table()}\n{_visibility_table()}\n{_transition_table()}"


def _permission_table():
    rows = [
        [f"{method} {endpoint.address}", *_marks(endpoint.roles(action))]
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        for method, action in endpoint.methods
    ]
    return _table("Who may do what", ["request", *map(_words, ROLES)], rows)


def _marks(roles):
    return ["anyone"] * len(ROLES) if roles == ANYONE else [_mark(role in roles) for role in ROLES]


def _mark(holds):
    return "yes" if holds else "-"


def _visibility_table():
    rows, without_table = [], []
    for model in reported_models():
        name, records = model._meta.verbose_name, model._default_manager.all()
        if not records.readable_rows:
            without_table.append(f"- {name}: {_phrase(type(records))}\n")
            continue
        for verb, table in (("reads", records.readable_rows), ("writes", records.writable_rows)):
            if table is not None:
                rows.append([f"{name}: {verb}", *(_scope_label(table.get(role)) for role in ROLES)])
    table = _table("Whose records", ["record", *map(_words, ROLES)], rows)
    return f"{table}\n{OTHER_RECORDS}\n{''.join(without_table)}"


def _scope_label(whose):
    if whose is None:
        return "-"
    if whose is ALL_ROWS:
        return "all"
    return "their own" if isinstance(whose, str) else _phrase(whose)


def _phrase(documented):
    """The first line of a docstring, for use within a sentence."""
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
