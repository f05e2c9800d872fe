"""The import rules of the apps and of config, read from the source."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ["accounts", "patients", "appointments", "consultations"]  # each imports those before it

# A module imports from lower layers, and within its layer from those named before it. "auth" and
# "audit" are packages; their modules stand in PACKAGES.
LAYERS = [
    ["roles", "lifecycle", "clock", "signals", "choices", "validators", "allergy_check"],
    ["overlap_constraints"],
    ["models"],
    ["records"],
    [
        "permissions",
        "closing",
        "statistics",
        "auth",
        "audit",
        "licences",
        "idempotency",
        "avatars",
        "messages",
        "letters",
        "email_addresses",
        "slot_services",
        "booking_rules",
        "move_rules",
        "output",
        "passwords",
        "locks",
        "reopening",
        "duplicates",
        "emergency_access",
        "changes",
        "services",
        "jobs",
        "record_closing",
    ],
    [
        "documentation",
        "filters",
        "prepared_queries",
        "slot_serializers",
        "serializers",
        "sign_in_serializers",
        "forms",
        "demo",
        "patient_export",
    ],
    ["base_viewsets", "slot_viewsets", "viewsets", "admin_actions", "admin", "management"],
    ["urls"],
    ["apps"],
]
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}

# accounts.auth and accounts.audit need each other: a lockout is audited, and an audit event names
# the session of its token. Within the two packages a module imports those before it.
PACKAGES = [
    "auth.hashers",
    "auth.password_validation",
    "auth.tokens",
    "auth.email_tokens",
    "audit.append_only",
    "audit.read_log",
    "audit.log",
    "audit.checkpoints",
    "audit.hash_chain",
    "audit.archive",
    "audit.middleware",
    "auth.sessions",
    "auth.lockout",
    "auth.session_store",
    "auth.backends",
    "auth.authentication",
    "audit.mixins",
]

# Only these of the lower layers import DRF; accounts.auth.tokens imports SimpleJWT.
DRF_IN_LOWER_LAYERS = {"permissions", "auth.authentication", "auth.tokens", "audit.mixins"}

# The packages of config, the lowest first. A package imports those before it.
CONFIG = [
    "context",
    "errors",
    "files",
    "clinical_records",
    "cache",
    "db",
    "worker",
    "api",
    "http",
    "admin",
]
CONFIG_ENTRY_POINTS = {"settings", "urls", "checks", "admin.dashboard", "health", "access_report"}


def files(folder):
    return [
        path
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.parts)
    ]


def imports(path):
    """Return every module that a file imports, at any place in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from {node.module} | {
                name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()
            }


def is_in(module, package):
    return module == package or module.startswith(package + ".")


def every_file():
    return [
        pytest.param(app, path, id=str(path.relative_to(ROOT)))
        for app in APPS
        for path in files(app)
        if path.name != "__init__.py"
    ]


def module_of(path, package):
    """Return the module's name below the package, as `auth.tokens`."""
    return ".".join(path.relative_to(ROOT / package).with_suffix("").parts)


def top_of(module):
    return module.split(".")[0]


@pytest.mark.parametrize(("app", "path"), every_file())
def test_an_app_imports_only_the_apps_before_it(app, path):
    later = APPS[APPS.index(app) + 1 :]

    assert not [m for m in imports(path) if any(is_in(m, other) for other in later)]


@pytest.mark.parametrize(("app", "path"), every_file())
def test_an_app_imports_only_the_library_part_of_config(app, path):
    of_config = {m.removeprefix("config.") for m in imports(path) if is_in(m, "config")}

    assert not {m for m in of_config - {"config"} if top_of(m) not in CONFIG}
    assert not of_config & CONFIG_ENTRY_POINTS


@pytest.mark.parametrize(("app", "path"), every_file())
def test_a_module_imports_lower_layers(app, path):
    here = module_of(path, app)
    layer = LAYER[top_of(here)]

    for module in imports(path):
        other = module.removeprefix(app + ".")
        if not is_in(module, app) or module == app or top_of(other) == top_of(here):
            continue
        if (here in PACKAGES and other in PACKAGES) or other in {"auth", "audit"}:
            continue
        before = LAYERS[layer][: LAYERS[layer].index(top_of(here))]
        assert LAYER[top_of(other)] < layer or top_of(other) in before, f"{here} imports {other}"


def test_the_modules_of_auth_and_audit_import_those_before_them():
    for path in [*files("accounts/auth"), *files("accounts/audit")]:
        here = module_of(path, "accounts")
        if path.name != "__init__.py":
            modules = {m.removeprefix("accounts.") for m in imports(path)} & set(PACKAGES)
            assert modules <= set(PACKAGES[: PACKAGES.index(here)]), here


@pytest.mark.parametrize(("app", "path"), every_file())
def test_the_lower_layers_do_not_import_drf(app, path):
    here = module_of(path, app)

    if LAYER[top_of(here)] <= LAYER["services"] and here not in DRF_IN_LOWER_LAYERS:
        assert not any(is_in(module, "rest_framework") for module in imports(path))


@pytest.mark.parametrize("package", CONFIG)
def test_a_package_of_config_imports_no_app_and_no_package_above_it(package):
    folder = ROOT / "config" / package
    paths = files(f"config/{package}") if folder.is_dir() else [folder.with_suffix(".py")]

    for path in paths:
        if module_of(path, "config") in CONFIG_ENTRY_POINTS:
            continue
        for module in imports(path):
            assert not any(is_in(module, app) for app in APPS), f"{path} imports {module}"
            if is_in(module, "config") and module != "config":
                other = top_of(module.removeprefix("config."))
                assert other in CONFIG[: CONFIG.index(package) + 1], f"{path} imports {module}"


def test_only_the_services_assign_a_status():
    assigned = {
        str(path.relative_to(ROOT))
        for app in APPS
        for path in files(app)
        if re.search(r"\.status\s*=[^=]|update\([^)]*\bstatus=", path.read_text())
    }

    assert assigned == {"appointments/services.py", "accounts/messages/outbox.py"}  # of letters


def test_the_domain_reads_the_time_from_appointments_clock():
    """Only sessions (accounts) and emergency access (patients) use the time of the server."""
    reads_time = re.compile(
        r"timezone\.(now|local)|\b(date|datetime)\.(now|utcnow|today)|\bNow\(|auto_now|time\.time\("
    )

    found = {
        str(path.relative_to(ROOT))
        for app in APPS
        if app != "accounts"
        for path in files(app)
        if reads_time.search(path.read_text())
    }

    assert found == {"appointments/clock.py", "patients/models.py", "patients/emergency_access.py"}


def test_transactions_are_opened_with_atomic_with_retry():
    """The listed modules use `transaction.atomic` for a savepoint or for a single UPDATE."""
    found = {
        str(path.relative_to(ROOT))
        for folder in [*APPS, "config"]
        for path in files(folder)
        if "transaction.atomic" in path.read_text()
    }

    assert found == {
        "accounts/idempotency.py",
        "accounts/auth/sessions.py",
        "config/db/transactions.py",
    }


def test_serializers_list_their_fields_and_viewsets_use_the_common_queryset():
    viewsets = {path for app in APPS for path in files(app) if path.name.endswith("viewsets.py")}

    all_fields = re.compile(r"""["']__all__["']|\bALL_FIELDS\b""")
    assert not [p for app in APPS for p in files(app) if all_fields.search(p.read_text())]
    for path in viewsets:
        for line in re.findall(r"def get_queryset\(self\):\n\s+return (.*)", path.read_text()):
            assert line.startswith("super().get_queryset()"), path
