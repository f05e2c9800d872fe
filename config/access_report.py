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

`python manage.py access > docs/access.md` writes this page from the code. Checks, in this order:

| question | if not |
| --- | --- |
| Is the caller signed in? | 401 |
| May this **role** do this? | 403 |
| May the caller see this **record**? | 404, as if the record did not exist |
| Does the **state** of the record allow it? | 409 |

Anyone may open `/`, `/api/`, `/api/docs/`, `/api/schema/`, `/api-auth/`, `/healthz`, `/readyz`,
static files and avatars; only active admins `/admin/`. Every address below `/api/`, except
`/api/auth/`, also exists below its app (`/api/appointments/api/appointments/`).
"""


OTHER_RECORDS = """\
Without a "writes" row, those who read a record write it, where the first table allows the request.
Other records:
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
    methods = {}
    for endpoint in iter_endpoints():
        if endpoint.is_canonical:
            for method, action in endpoint.methods:
                row = endpoint.address, _role_names(endpoint.roles(action))
                methods.setdefault(row, []).append(method)
    rows = [[f"{', '.join(used)} {address}", roles] for (address, roles), used in methods.items()]
    return _table("Who may do what", ["request", "roles"], rows)


def _role_names(roles):
    if roles == ANYONE:
        return "anyone"
    names = [_words(role) for role in ROLES if role in roles]
    return "all roles" if len(names) == len(ROLES) else ", ".join(names)


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
    rows = []
    for name, move in MOVES.items():
        condition = "" if move.condition is always else _words(move.condition.__name__)
        target = move.target.label.lower() if move.target else "the status before"
        sources = {}
        for status, roles in move.sources.items():
            sources.setdefault(_role_names(roles), []).append(status.label.lower())
        rows += [
            [name, ", ".join(labels), target, roles, condition] for roles, labels in sources.items()
        ]
    return _table("Moves of an appointment", ["move", "from", "to", "roles", "only"], rows)


def _table(title, head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def _words(name):
    return name.replace("_", " ")
