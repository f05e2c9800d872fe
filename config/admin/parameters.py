"""Checks of what the address of an admin page asks for, before the page reads the database.

A list knows the parameters of its filters and of its date hierarchy. Django would accept any lookup
of the model: a regular expression, a year that overflows, a filter that the audit does not see.
"""

import re

from django.core.exceptions import BadRequest, ValidationError
from django.db.models import IntegerField
from django.utils.translation import gettext as _

from config.api.fields import EARLIEST, LARGEST_ID, LATEST, parse_id
from config.api.filters import MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS

DIGITS = re.compile(r"[0-9]{1,4}")
PAGE = re.compile(r"[0-9]{1,9}")
ORDERING = re.compile(r"-?[0-9]{1,2}(\.-?[0-9]{1,2})*")
DATE_PARTS = {
    "year": range(EARLIEST.year, LATEST.year + 1),
    "month": range(1, 13),
    "day": range(1, 32),
}
IS_NULL = {"", "True", "False", "1", "0"}
YES_OR_NO = {"", "1", "0"}


def refuse_null_characters(request):
    """Raises BadRequest for a NUL in the query string, which PostgreSQL cannot compare."""
    for name, values in request.GET.lists():
        if "\x00" in name or any("\x00" in value for value in values):
            raise BadRequest("The query string contains a null character.")


def is_known(model_admin, request, name, value):
    """Whether a parameter is one of the list's date hierarchy or filters, with a possible value."""
    for part, numbers in DATE_PARTS.items():
        if model_admin.date_hierarchy and name == f"{model_admin.date_hierarchy}__{part}":
            return bool(DIGITS.fullmatch(value)) and int(value) in numbers
    for one in model_admin.get_list_filter(request):
        if isinstance(one, type):
            if name == one.parameter_name:
                choices = one(request, {}, model_admin.model, model_admin).lookup_choices
                return not choices or value in {"", *(str(choice) for choice, _title in choices)}
        else:
            path = one if isinstance(one, str) else one[0]
            if name.startswith(f"{path}__"):
                lookup = name.removeprefix(f"{path}__")
                return _is_value_of(_field(model_admin.model, path), lookup, value)
    return False


def _field(model, path):
    """The field at the end of a path such as consultation__patient."""
    for name in path.split("__"):
        field = model._meta.get_field(name)
        model = field.related_model
    return field


def _is_value_of(field, lookup, value):
    if lookup == "isnull":
        return value in IS_NULL
    if field.is_relation:
        return lookup == f"{field.target_field.name}__exact" and (not value or is_id(value))
    if lookup == "icontains":
        return len(value) <= MAX_SEARCH_LENGTH
    choices = {"", *(str(choice) for choice, _label in field.flatchoices)}
    return lookup == "exact" and value in (choices if field.choices else YES_OR_NO)


def is_id(value):
    """Whether a text or number can be the id of a row."""
    return parse_id(value) is not None and int(value) <= LARGEST_ID


def refuse_bad_references(model, initial):
    """Raises BadRequest where the address of an empty form names a related record by no id."""
    relations = {field.name for field in model._meta.fields if field.is_relation}
    for name, value in initial.items():
        if name in relations and value and not is_id(value):
            raise BadRequest(f"{name} is not an id.")


def search_error(text):
    """Why a list or a search box does not search for a text, or an empty text."""
    if len(text) <= MAX_SEARCH_LENGTH and len(text.split()) <= MAX_SEARCH_WORDS:
        return ""
    limits = {"words": MAX_SEARCH_WORDS, "length": MAX_SEARCH_LENGTH}
    return _("Search for at most %(words)d words and %(length)d characters.") % limits


def list_error(model_admin, request):
    """Why a list does not answer a request, as a sentence for its user, or an empty text."""
    if sentence := search_error(request.GET.get("q", "")):
        return sentence
    page, order = request.GET.get("p", "1"), request.GET.get("o", "")
    columns = len(model_admin.get_list_display(request))
    is_order = not order or ORDERING.fullmatch(order)
    if not PAGE.fullmatch(page) or not is_order or order.count(".") >= columns:
        return _("The list has no such page or column. It shows its beginning.")
    if request.method == "POST" and not _are_ids(model_admin, request):
        return _("The list has no such row. Nothing has been changed.")
    return ""


def _are_ids(model_admin, request):
    """Whether the rows that are selected for an action are named by ids."""
    pk, values = model_admin.opts.pk, request.POST.getlist("_selected_action")
    if isinstance(pk, IntegerField):
        return all(map(is_id, values))
    try:
        list(map(pk.to_python, values))
    except ValidationError:
        return False
    return not any("\x00" in value for value in values)
