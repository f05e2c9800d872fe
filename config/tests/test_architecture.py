"""Who may import whom: the house's rule, and the floors within each app."""

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
APPS = ["accounts", "patients", "appointments", "consultations"]  # each knows those before it

# A file imports from floors below its own, and from those LEFT_OF it.
FLOORS = {
    0: ["roles", "lifecycle", "clock", "signals", "states", "validators", "allergies", "hashers"],
    1: ["scoping", "mail", "guards", "versions", "append_only"],
    2: ["models"],
    3: [
        "permissions",
        "statistics",
        "tokens",
        "read_events",
        "audit",
        "seals",
        "archives",
        "checkpoints",
        "sessions",
        "idempotency",
        "lockout",
        "avatars",
        "slots",
        "policy",
        "services",
    ],
    4: [
        "slot_serializers",
        "serializers",
        "filters",
        "authentication",
        "trail",
        "doors",
        "demo",
        "export",
        "desk",
        "forms",
    ],
    5: ["viewsets", "admin", "management"],
    6: ["urls"],
    7: ["apps"],
}
FLOOR = {room: number for number, rooms in FLOORS.items() for room in rooms}
LEFT_OF = {  # within a floor, whom a file may import
    **{room: FLOORS[3][:place] for place, room in enumerate(FLOORS[3])},
    "serializers": ["slot_serializers"],
    "doors": ["trail"],
    "desk": ["forms"],  # in appointments, where a step has a form
    "forms": ["desk"],  # in accounts, where a form has its manners from the desk
}

# Where DRF is at home below the serializers: permissions. Tokens know SimpleJWT.
WITHOUT_DRF = {room for number in range(4) for room in FLOORS[number]} - {"permissions"}


def files(folder):
    return [
        path
        for path in sorted((HOUSE / folder).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.parts)
    ]


def imports(path):
    """Every module a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from {node.module} | {
                name for name in names if (HOUSE / (name.replace(".", "/") + ".py")).exists()
            }


def is_in(module, package):
    return module == package or module.startswith(package + ".")


def every_file():
    return [
        pytest.param(app, path, id=str(path.relative_to(HOUSE)))
        for app in APPS
        for path in files(app)
        if path.name != "__init__.py"
    ]


@pytest.mark.parametrize(("app", "path"), every_file())
def test_an_app_knows_only_those_before_it(app, path):
    later = APPS[APPS.index(app) + 1 :]

    wrong = {
        module
        for module in imports(path)
        if any(is_in(module, other) for other in later)
        or (is_in(module, "config") and not is_in(module, "config.api") and module != "config")
    }

    assert wrong == set()


@pytest.mark.parametrize(("app", "path"), every_file())
def test_a_file_imports_from_the_floors_below(app, path):
    room = path.relative_to(HOUSE / app).parts[0].removesuffix(".py")
    floor = FLOOR[room]

    for module in imports(path):
        if not is_in(module, app) or module == app:
            continue
        other = module.removeprefix(app + ".").split(".")[0]
        if other == room:
            continue
        assert FLOOR[other] < floor or other in LEFT_OF.get(room, []), f"{room} imports {other}"


@pytest.mark.parametrize(("app", "path"), every_file())
def test_the_rules_do_not_know_the_api(app, path):
    room = path.relative_to(HOUSE / app).parts[0].removesuffix(".py")

    if room in WITHOUT_DRF:
        assert not any(is_in(module, "rest_framework") for module in imports(path))


def test_the_manners_of_the_api_know_no_app():
    wrong = {
        (path.name, module)
        for path in files("config/api")
        for module in imports(path)
        if any(is_in(module, app) for app in APPS)
        or (is_in(module, "config") and not is_in(module, "config.api") and module != "config")
    }

    assert wrong == set()


def test_only_the_services_assign_a_status():
    assigned = {
        str(path.relative_to(HOUSE))
        for app in APPS
        for path in files(app)
        if re.search(r"\.status\s*=[^=]|update\([^)]*\bstatus=", path.read_text())
    }

    assert assigned == {"appointments/services.py"}


def test_the_clinic_asks_one_clock_what_time_it_is():
    """Who may come in, and until when, goes by the server's own: signing in, and an emergency."""
    told = re.compile(
        r"timezone\.(now|local)|\b(date|datetime)\.(now|utcnow|today)|\bNow\(|auto_now|time\.time\("
    )

    asking = {
        str(path.relative_to(HOUSE))
        for app in APPS
        if app != "accounts"
        for path in files(app)
        if told.search(path.read_text())
    }

    assert asking == {"appointments/clock.py", "patients/models.py", "patients/services.py"}


def test_transactions_are_opened_by_the_one_that_is_tried_again():
    """`config.db.transactions.atomic`; what opens one by hand has its savepoint or one UPDATE."""
    by_hand = {
        str(path.relative_to(HOUSE))
        for folder in [*APPS, "config"]
        for path in files(folder)
        if "transaction.atomic" in path.read_text()
    }

    assert by_hand == {
        "accounts/idempotency.py",
        "accounts/sessions.py",
        "config/api/transactions.py",
    }


def test_no_serializer_takes_all_fields_and_no_queryset_is_scoped_by_hand():
    viewsets = {path for app in APPS for path in files(app) if path.name == "viewsets.py"}

    every_field = re.compile(r"""["']__all__["']|\bALL_FIELDS\b""")  # as DRF says it
    assert not [p for app in APPS for p in files(app) if every_field.search(p.read_text())]
    for path in viewsets:
        for line in re.findall(r"def get_queryset\(self\):\n\s+return (.*)", path.read_text()):
            assert line.startswith("super().get_queryset()"), path
