"""The product code uses the frameworks' documented interfaces, apart from the names listed here.

A private name is one that begins with a single underscore. The test reads the product files as
syntax trees, and asks the classes themselves which names of a framework they override.
"""

import ast
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "patients", "appointments", "consultations", "config")
FRAMEWORKS = {
    "corsheaders",
    "django",
    "django_filters",
    "drf_spectacular",
    "gunicorn",
    "psycopg2",
    "rest_framework",
    "rest_framework_simplejwt",
    "simple_history",
    "unfold",
    "whitenoise",
}

# The undocumented names in use: what they are needed for, and why nothing documented does it.
ALLOWED = {
    "accounts/base_viewsets.py: rest_framework.request.clone_request": (
        "A repeated request is answered by the GET of the record; DRF documents no way to give a "
        "view a request with another method and the same caller."
    ),
    "config/access_report.py: django.urls.get_resolver": (
        "The report and the tests list every address; Django documents no walk of the URL conf."
    ),
    "config/admin/audited_pages.py: django.contrib.admin.views.autocomplete.AutocompleteJsonView": (
        "The search boxes of the admin must state for the audit what they offer; AdminSite has no "
        "other hook for one row of their answer."
    ),
    "config/api/cursor_pagination.py: query": (
        "Reads QuerySet.query.order_by: a cursor needs the order of the list, and a queryset has "
        "no documented attribute that names it."
    ),
    "config/api/exceptions.py: django.http.multipartparser.MultiPartParserError": (
        "Django raises this exception for a damaged form and exports it from nowhere else."
    ),
    "config/api/serializers.py: _declared_fields": (
        "DRF copies each declared field by making it anew, for every request; a shallow copy of "
        "the simple fields is several times as fast."
    ),
    "config/db/expressions.py: query": (
        "Reads compiler.query.is_sliced: the documented as_sql() learns of a LIMIT nowhere else."
    ),
    "config/health.py: django.db.migrations.executor.MigrationExecutor": (
        "`migrate --check` ends the process and prints; the readiness check needs the number."
    ),
    "config/http/access_log.py: _cached_user": (
        "The log line names a browser's user only if a view has read them; reading `request.user` "
        "would cost every request two queries."
    ),
}

# Names that begin with an underscore and are documented, with the page that names them.
DOCUMENTED = {
    "_asdict": "Python, collections.namedtuple",
    "_base_manager": "Django, Managers: Model._base_manager",
    "_db": "Django, Multiple databases: Using managers with multiple databases",
    "_default_manager": "Django, Managers: Model._default_manager",
    "_make": "Python, collections.namedtuple",
    "_fields": "Python, collections.namedtuple",
    "_history_date": "django-simple-history, Historical model: Custom history_date",
    "_history_user": "django-simple-history, User tracking",
    "_meta": "Django, Model _meta API",
    "_request": "DRF, Requests: Standard HttpRequest attributes",
    "_state": "Django, Model instance reference: _state",
}

# The modules that the frameworks' documentation names as places to import from.
DOCUMENTED_MODULES = {
    "django.contrib.postgres.search",
    "corsheaders.defaults",
    "django.apps",
    "django.conf",
    "django.contrib",
    "django.contrib.admin",
    "django.contrib.admin.apps",
    "django.contrib.admin.models",
    "django.contrib.auth",
    "django.contrib.auth.backends",
    "django.contrib.auth.hashers",
    "django.contrib.auth.models",
    "django.contrib.auth.password_validation",
    "django.contrib.auth.signals",
    "django.contrib.auth.tokens",
    "django.contrib.auth.validators",
    "django.contrib.auth.views",
    "django.contrib.contenttypes.models",
    "django.contrib.postgres.operations",
    "django.contrib.sessions.backends",
    "django.core",
    "django.core.asgi",
    "django.core.cache",
    "django.core.cache.backends.filebased",
    "django.core.cache.backends.redis",
    "django.core.checks",
    "django.core.exceptions",
    "django.core.files.base",
    "django.core.files.storage",
    "django.core.mail",
    "django.core.management",
    "django.core.management.base",
    "django.core.paginator",
    "django.core.serializers.json",
    "django.core.signals",
    "django.core.signing",
    "django.core.validators",
    "django.core.wsgi",
    "django.db",
    "django.db.models",
    "django.db.models.functions",
    "django.db.models.lookups",
    "django.db.models.signals",
    "django.db.utils",
    "django.dispatch",
    "django.forms",
    "django.http",
    "django.middleware.locale",
    "django.shortcuts",
    "django.template.loader",
    "django.template.response",
    "django.templatetags.static",
    "django.test",
    "django.test.utils",
    "django.urls",
    "django.utils",
    "django.utils.cache",
    "django.utils.crypto",
    "django.utils.dateparse",
    "django.utils.decorators",
    "django.utils.encoding",
    "django.utils.formats",
    "django.utils.functional",
    "django.utils.html",
    "django.utils.module_loading",
    "django.utils.http",
    "django.utils.safestring",
    "django.utils.text",
    "django.utils.timezone",
    "django.utils.translation",
    "django.views",
    "django.views.decorators.cache",
    "django.views.decorators.csrf",
    "django.views.decorators.debug",
    "django.views.decorators.http",
    "django.views.generic",
    "django.views.static",
    "django_filters",
    "django_filters.rest_framework",
    "drf_spectacular.contrib.rest_framework_simplejwt",
    "drf_spectacular.extensions",
    "drf_spectacular.openapi",
    "drf_spectacular.utils",
    "drf_spectacular.views",
    "gunicorn.glogging",
    "rest_framework",
    "rest_framework.authentication",
    "rest_framework.decorators",
    "rest_framework.exceptions",
    "rest_framework.filters",
    "rest_framework.generics",
    "rest_framework.metadata",
    "rest_framework.negotiation",
    "rest_framework.pagination",
    "rest_framework.parsers",
    "rest_framework.permissions",
    "rest_framework.renderers",
    "rest_framework.request",
    "rest_framework.response",
    "rest_framework.reverse",
    "rest_framework.routers",
    "rest_framework.serializers",
    "rest_framework.settings",
    "rest_framework.status",
    "rest_framework.throttling",
    "rest_framework.views",
    "rest_framework.viewsets",
    "rest_framework_simplejwt.authentication",
    "rest_framework_simplejwt.backends",
    "rest_framework_simplejwt.exceptions",
    "rest_framework_simplejwt.settings",
    "rest_framework_simplejwt.tokens",
    "simple_history.admin",
    "simple_history.models",
    "unfold.admin",
    "unfold.contrib.filters.admin",
    "unfold.decorators",
    "unfold.forms",
    "unfold.paginator",
    "unfold.sites",
    "unfold.widgets",
}

# Undocumented names without an underscore: in a documented module, or on a documented object.
UNDOCUMENTED_IMPORTS = {
    "django.http.multipartparser",
    "django.urls.get_resolver",
    "django.utils.module_loading.module_has_submodule",
    "rest_framework.request.clone_request",
    "rest_framework.views.set_rollback",
}
UNDOCUMENTED_ATTRIBUTES = {"features", "introspection", "ops", "query", "remote_field"}


def test_only_documented_names_of_the_frameworks_are_used():
    assert used_names() == set(ALLOWED)


def test_the_list_is_short():
    assert len(ALLOWED) < 10


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from django.db.models.sql import Query", ["django.db.models.sql.Query"]),
        ("import django.db.models.sql", ["django.db.models.sql"]),
        ("from rest_framework.views import set_rollback", ["rest_framework.views.set_rollback"]),
        ("from django.utils.translation import _trans", ["django.utils.translation._trans"]),
        ("from django import forms, db", []),
        ("if TYPE_CHECKING:\n    from django.db.models.sql import Query", []),
    ],
)
def test_an_undocumented_import_is_found(source, names):
    assert list(undocumented_imports(ast.parse(source))) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("self._ours, row._meta, request._request", []),
        ("user._password", ["_password"]),
        ("getattr(request, '_cached_user', None)", ["_cached_user"]),
        ("rows.query.order_by", ["query"]),
    ],
)
def test_an_undocumented_attribute_is_found(source, names):
    assert list(undocumented_attributes(ast.parse(source), own={"_ours"})) == names


def used_names():
    files = {path: ast.parse(path.read_text()) for path in product_files()}
    own = {name for tree in files.values() for name in _defined_names(tree)}
    found = {
        (path, name)
        for path, tree in files.items()
        for name in (*undocumented_imports(tree), *undocumented_attributes(tree, own))
    }
    found |= overridden_names(files)
    return {f"{path.relative_to(ROOT)}: {name}" for path, name in found}


def product_files():
    packages = [
        path
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.parts)
    ]
    return [*packages, ROOT / "gunicorn.conf.py", ROOT / "manage.py"]


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_"


def undocumented_imports(tree):
    """Framework modules that no documentation names, and private or undocumented names in them.

    What is imported only for the type checker does not count: it does not run.
    """
    for node in _running_nodes(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if _is_of_framework(alias.name)]
            yield from (name for name in names if name not in DOCUMENTED_MODULES | FRAMEWORKS)
        elif isinstance(node, ast.ImportFrom) and _is_of_framework(node.module):
            for alias in node.names:
                full_name = f"{node.module}.{alias.name}"
                if full_name in DOCUMENTED_MODULES:
                    continue
                if (
                    node.module not in DOCUMENTED_MODULES
                    or full_name in UNDOCUMENTED_IMPORTS
                    or is_private(alias.name)
                ):
                    yield full_name


def undocumented_attributes(tree, own):
    """Private attributes that no product code defines, and those of UNDOCUMENTED_ATTRIBUTES."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = node.attr
            if name in UNDOCUMENTED_ATTRIBUTES and ast.unparse(node.value) == "self":
                continue
        elif isinstance(node, ast.Call) and _is_access_by_name(node):
            name = node.args[1].value
        else:
            continue
        if name in UNDOCUMENTED_ATTRIBUTES or (
            is_private(name) and name not in own and name not in DOCUMENTED
        ):
            yield name


def overridden_names(files):
    """Private names that a class of the product shares with a framework class it inherits from."""
    defined = {}
    for path, tree in files.items():
        bodies = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        if not bodies or path.parent == ROOT:
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for body in bodies:
            defined[getattr(module, body.name)] = path, _defined_names(body)
    return {
        (defined[owner][0], name)
        for cls in defined
        for owner in set(cls.__mro__) & set(defined)
        for name in defined[owner][1]
        if is_private(name) and name not in DOCUMENTED
        for base in cls.__mro__
        if _is_of_framework(base.__module__)
        if name in vars(base) or f"self.{name}" in _source(base.__module__)
    }


def _running_nodes(tree):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for alternative in node.orelse:
                yield alternative
                yield from _running_nodes(alternative)
        else:
            yield node
            yield from _running_nodes(node)


def _is_of_framework(module):
    return module.split(".")[0] in FRAMEWORKS


def _is_access_by_name(call):
    return (
        isinstance(call.func, ast.Name)
        and call.func.id in {"getattr", "setattr", "hasattr", "delattr"}
        and isinstance(call.args[1], ast.Constant)
    )


def _defined_names(tree):
    """Names that functions, classes and assignments define, on `self` too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            names.add(node.attr)
    return names


@cache
def _source(module):
    return Path(sys.modules[module].__file__).read_text()
