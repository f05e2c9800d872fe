"""Every text that a user reads is marked for translation.

The tests read the product files as syntax trees, and look where such texts stand: in errors,
messages, labels, titles, the labels of choices and the templates.
"""

import ast
import re
from functools import cache

import pytest
from django.conf import settings

from config.management.commands.messages import our_files

MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext_lazy"}

# The positions of the text among the arguments of a call.
CALLS = {
    "ValidationError": 0,
    "FormValidationError": 0,
    "rule_error": 1,
    "add_error": 1,
    "message_user": 1,
    "ErrorDetail": 0,
    "ParseError": 0,
    "PermissionDenied": 0,
    "AuthenticationFailed": 0,
    "NotFound": 0,
    "RegexValidator": 1,
    "error_envelope": 1,
}
KEYWORDS = {
    "help_text",
    "verbose_name",
    "verbose_name_plural",
    "violation_error_message",
    "label",
    "description",
    "title",
    "empty_label",
    "explanation",
    "done",
    "subject",
}
ATTRIBUTES = {"verbose_name", "verbose_name_plural", "title", "short_description"}
DOCUMENTATION = {"OpenApiParameter", "OpenApiExample", "extend_schema"}  # in English only

# Operators read these, and developers the OpenAPI document.
NOT_FOR_USERS = ("config/checks.py", "config/api/schema", "/management/", "config/settings.py")

BRANDS = ["Medical Platform API", "Medical Platform"]


def files(suffix):
    paths = [path.relative_to(settings.BASE_DIR) for path in our_files()]
    names = [str(path) for path in paths if path.suffix == suffix]
    return [name for name in names if not any(part in name for part in NOT_FOR_USERS)]


@pytest.mark.parametrize("name", files(".py"))
def test_a_text_for_users_is_marked(name):
    tree = ast.parse((settings.BASE_DIR / name).read_text())
    assert unmarked(tree) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise ValidationError('No such slot.')", ["No such slot."]),
        ("raise ValidationError({'slot': ['No such slot.']})", ["No such slot."]),
        ("raise ValidationError(_('No such slot.'))", []),
        ("raise rule_error('slot', f'No slot {pk}.', 'slot_taken')", ["No slot "]),
        ("def f():\n  sentence = 'No such slot.'\n  raise ParseError(sentence)", ["No such slot."]),
        ("def f():\n  sentence = _('No such %s.')\n  raise ParseError(sentence % 'slot')", []),
        ("messages = {'book': 'Booked.'}", ["Booked."]),
        ("messages = {'book': _('Booked.')}", []),
        ("class Status(TextChoices):\n  NEW = 'new'", ["new"]),
        ("class Status(TextChoices):\n  NEW = 'new', 'New'", ["New"]),
        ("class Status(TextChoices):\n  NEW = 'new', _('New')", []),
        ("CharField(help_text='Digits only.')", ["Digits only."]),
        ("fieldsets = [('Names', {'fields': ['name']}), (None, {'fields': []})]", ["Names"]),
        ("class Filter:\n  title = 'doctor'", ["doctor"]),
    ],
)
def test_an_unmarked_text_is_found(source, found):
    assert unmarked(ast.parse(source)) == found


@pytest.mark.parametrize("name", files(".html"))
def test_a_text_in_a_template_is_marked(name):
    source = (settings.BASE_DIR / name).read_text()
    for pattern in (
        r"\{%\s*comment.*?endcomment\s*%\}",
        r"\{%\s*block bodyclass.*?endblock\s*%\}",
        r'<span class="material-symbols-outlined">.*?</span>',  # the name of an icon
        r"\{%\s*blocktranslate.*?endblocktranslate\s*%\}",
        r"\{%.*?%\}",
        r"\{\{.*?\}\}",
        r"\{#.*?#\}",
        r"<(script|style)\b.*?</\1>",
        r"<[^>]*>",
        *BRANDS,
    ):
        source = re.sub(pattern, " ", source, flags=re.DOTALL)
    assert re.findall(r"\w+", source) == []


def unmarked(tree):
    """Return the texts of a module that are for users and not marked."""
    texts = [text for node in ast.walk(tree) for text in _texts_of(node, tree)]
    return [text for text in texts if re.search(r"[A-Za-z]", text)]


def _texts_of(node, tree):
    match node:
        case ast.Call() if _name(node.func) not in DOCUMENTATION:
            return _texts_of_call(node, tree)
        case ast.Assign(targets=[ast.Name("messages")], value=ast.Dict(values=values)):
            return [text for value in values for text in _plain(value)]
        case ast.ClassDef() if any(_name(base) == "TextChoices" for base in node.bases):
            return [text for line in node.body for text in _label(line)]
        case ast.ClassDef():
            return [text for line in node.body for text in _attribute(line)]
        case ast.Tuple(
            elts=[ast.Constant(str(title)), ast.Dict(keys=[ast.Constant("fields"), *_])]
        ):
            return [title]
    return []


def _texts_of_call(call, tree):
    index = CALLS.get(_name(call.func))
    # The `label` of unfold's `display` is a colour.
    keywords = KEYWORDS - {"label"} if _name(call.func) == "display" else KEYWORDS
    values = [one.value for one in call.keywords if one.arg in keywords]
    if index is not None and len(call.args) > index:
        values.append(call.args[index])
    texts = []
    for value in values:
        texts += _plain(value)
        if isinstance(value, ast.Name):
            texts += [text for given in _assigned(tree, call, value.id) for text in _plain(given)]
    return texts


def _assigned(tree, call, name):
    """Return what the innermost function around the call assigns to a name."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _holds(node, call)
    ]
    if not functions:
        return []
    innermost = min(functions, key=lambda node: node.end_lineno - node.lineno)
    return [
        node.value
        for node in ast.walk(innermost)
        if isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == [name]
    ]


def _holds(function, node):
    return function.lineno <= node.lineno <= function.end_lineno


def _plain(value):
    """Return the texts in a value that are not the argument of a mark."""
    match value:
        case ast.Constant(str(text)):
            return [text]
        case ast.JoinedStr(values=parts) | ast.Dict(values=parts):
            pass
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            pass
        case ast.BinOp(left=part) | ast.Attribute(value=part):
            parts = [part]
        case ast.Call(func=part):
            parts = [] if _name(part) in MARKS else [part]
        case ast.IfExp(body=body, orelse=orelse):
            parts = [body, orelse]
        case _:
            parts = []
    return [text for part in parts for text in _plain(part)]


def _label(line):
    """Return the label of a member of TextChoices where it is not marked."""
    match line:
        case ast.Assign(value=ast.Tuple(elts=[_, label])):
            return _plain(label)
        case ast.Assign(value=ast.Constant(str(value))):
            return [value]
    return []


def _attribute(line):
    match line:
        case ast.Assign(targets=[ast.Name(name)], value=value) if name in ATTRIBUTES:
            return _plain(value)
    return []


@cache
def _name(node):
    return getattr(node, "id", None) or getattr(node, "attr", None)
