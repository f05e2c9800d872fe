"""No value that a browser can send makes a page of the admin fail, on either engine.

A list answers an address that it does not know with 400, or goes to its beginning (`?e=1`). A form
is shown again. The tests send the values to every address of the admin.
"""

import pytest
from django import forms
from django.contrib import admin
from django.db import transaction
from django.urls import reverse

from accounts.models import Action, AuditEvent
from appointments.models import Appointment
from config.tests.admin_forms import filled_form

pytestmark = pytest.mark.django_db

MODELS = list(admin.site._registry)
HUGE = "9" * 20
NUMBERS = ["abc", "-1", "1_0", "٣", HUGE, "9" * 5000, ""]
DATES = ["9999-12-31", "0001-01-01", "2030-02-31", "9999", "+9999"]
TEXTS = ["\x00", "(", "\r\nx", "x" * 10_000]
VALUES = [*NUMBERS, *DATES, *TEXTS, "word " * 1500]
IDS = ["abc", "0", "-1", HUGE, "%00", "a%00b", "٣", "1_0", "9" * 5000, "%ff", "_00"]
UNTYPED = (forms.CharField, forms.TypedChoiceField, forms.BooleanField)
FLAGS = ["e", "all", "_facets", "_popup", "_to_field"]


def list_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def parameters(browser, model):
    """The parameters of a list: those of its filters and dates, and some that no list has."""
    filters = browser.get(list_of(model)).context["cl"].filter_specs
    day = admin.site._registry[model].date_hierarchy
    return [
        *(name for one in filters for name in one.expected_parameters()),
        *(f"{day}__{part}" for part in ("year", "month", "day") if day),
        *(f"{day}__{lookup}" for lookup in ("gte", "regex", "week_day") if day),
        "q", "p", "o", "id__regex", "pk__in", "pk", "nothing", "a\x00b",
    ]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_no_parameter_of_a_list_is_a_server_error(browser, model):
    wrong = {}
    asked = [(name, value) for name in parameters(browser, model) for value in VALUES]
    asked += [(name, value) for name in FLAGS for value in ("\x00", "abc", "1")]

    for name, value in asked:
        answer = browser.get(list_of(model), {name: value})
        is_start = getattr(answer, "url", "") == f"{list_of(model)}?e=1"
        if answer.status_code not in (200, 400) and not is_start:
            wrong[name, value[:20]] = answer.status_code

    assert wrong == {}


@pytest.mark.parametrize(
    "model", [one for one in MODELS if admin.site._registry[one].date_hierarchy]
)
def test_no_day_of_the_date_hierarchy_is_a_server_error(browser, model):
    name = admin.site._registry[model].date_hierarchy
    statuses = {}

    for year, month, day in [
        ("9999", "12", "31"), ("2200", "12", "31"), ("1800", "1", "1"), ("0", "1", "1"),
        ("2026", "0", "1"), ("2026", "13", "1"), ("2026", "2", "31"), ("2026", "12", "0"),
        ("2026", "12", "٣"), ("2026", "12", "31"),
    ]:  # fmt: skip
        query = {f"{name}__year": year, f"{name}__month": month, f"{name}__day": day}
        statuses[year, month, day] = browser.get(list_of(model), query).status_code

    assert statuses == {
        ("9999", "12", "31"): 400,
        ("2200", "12", "31"): 200,
        ("1800", "1", "1"): 200,
        ("0", "1", "1"): 400,
        ("2026", "0", "1"): 400,
        ("2026", "13", "1"): 400,
        ("2026", "2", "31"): 302,
        ("2026", "12", "0"): 400,
        ("2026", "12", "٣"): 400,
        ("2026", "12", "31"): 200,
    }


# --- Every address --------------------------------------------------------------------------


def routes(patterns, before=""):
    for one in patterns:
        here = before + str(one.pattern)
        yield from routes(one.url_patterns, here) if hasattr(one, "url_patterns") else [here]


def address_of(route):
    """The address of a route, with {pk} for the id of a row and the first of the named apps."""
    route = route.replace("^([^/]+)/history/([^/]+)/$", "{pk}/history/1/")
    route = route.replace("<path:object_id>", "{pk}").replace("^(?P<app_label>", "")
    return f"/admin/{route.partition('|')[0]}"


def pages():
    """The addresses of all pages by the model whose page it is, or by None."""
    found = {model: [] for model in [*MODELS, None]}
    for address in map(address_of, routes(admin.site.get_urls())):
        model = next((one for one in MODELS if address.startswith(list_of(one))), None)
        if "(?P<url>" not in address:  # any other address, which is 404
            found[model].append(address)
    return found


PAGES = pages()


def test_the_addresses_are_those_of_all_pages():
    assert {page.rpartition("{pk}/")[2] for page in PAGES[admin.site._registry and MODELS[0]]} >= {
        "change/", "history/", "delete/",
    }  # fmt: skip
    assert {"/admin/login/", "/admin/autocomplete/", "/admin/search/"} <= set(PAGES[None])
    assert sum(map(len, PAGES.values())) > 100


@pytest.mark.parametrize("model", PAGES)
def test_no_id_and_no_query_of_an_address_is_a_server_error(browser, model):
    failed = {}
    for page in PAGES[model]:
        addresses = [page.format(pk=pk) for pk in IDS] if "{pk}" in page else [page]
        addresses += [f"{addresses[0]}?{name}=%00" for name in ("a", "_to_field", "next", "s")]
        for address in addresses:
            answer = browser.get(address)
            if answer.status_code >= 500:
                failed[address[:80]] = answer.status_code

    assert failed == {}


# --- Every form -----------------------------------------------------------------------------


def bodies(browser, address):
    """What the form at the address may receive: one value in all its fields, or in one field.

    A value in all fields does not reach the service. A date, a number or a reference alone does.
    """
    page = browser.get(address)
    context = page.context or {}
    if page.status_code != 200 or not ("adminform" in context or "form" in context):
        return
    shown = context["adminform"].form if "adminform" in context else context["form"]
    body = filled_form(browser, address) if b'_form"' in page.content else {}
    for value in VALUES:
        yield value[:20], dict.fromkeys(body, value)
    typed = [name for name, field in shown.fields.items() if not isinstance(field, UNTYPED)]
    for name in [*typed, *(name for name in body if name.endswith("_FORMS"))]:
        for value in ("\x00", "abc", "-1", "50", HUGE, "9999-12-31", "0001-01-01"):
            yield f"{name}={value}", body | {name: value}


@pytest.mark.parametrize("model", MODELS)
def test_no_value_of_a_form_is_a_server_error(browser, model):
    record, failed = model._default_manager.first(), {}
    for page in PAGES[model]:
        address = page.format(pk=record.pk)
        for label, body in bodies(browser, address):
            with transaction.atomic():
                answer = browser.post(address, body)
                transaction.set_rollback(True)
            if answer.status_code >= 500:
                failed[address, label] = answer.status_code

    assert failed == {}


def test_no_value_of_a_sign_in_or_a_new_password_is_a_server_error(browser):
    fields = ["username", "password", "next", "old_password", "new_password1", "new_password2"]
    failed = {}
    for value in VALUES:
        for page in ("password_change", "login", "logout"):
            with transaction.atomic():
                answer = browser.post(reverse(f"admin:{page}"), dict.fromkeys(fields, value))
                transaction.set_rollback(True)
            if answer.status_code >= 500:
                failed[page, value] = answer.status_code

    assert failed == {}


@pytest.mark.parametrize("model", MODELS)
def test_a_row_that_no_id_names_is_not_acted_upon(browser, model):
    before = AuditEvent.objects.latest("pk").pk
    statuses = set()

    for value in set(VALUES) - {"9999"}:  # which can be an id
        for action in [*admin.site._registry[model].actions, "nothing"]:
            body = {"action": action, "_selected_action": value}
            statuses.add(browser.post(list_of(model), body).status_code)

    assert statuses <= {200, 302}
    changes = AuditEvent.objects.filter(pk__gt=before).exclude(action=Action.READ)
    assert [event.event for event in changes if event.records] == []


@pytest.mark.parametrize("name", ["action", "index", "select_across", "_save"])
def test_no_value_of_an_action_is_a_server_error(browser, clinic, name):
    body = {"action": "confirm_chosen", "_selected_action": clinic.pauls.pk, "index": "0"}

    answers = [browser.post(list_of(Appointment), body | {name: value}) for value in VALUES]

    assert {answer.status_code for answer in answers} <= {200, 302}


# --- The search boxes of forms --------------------------------------------------------------

BOX = {"app_label": "consultations", "model_name": "consultation", "field_name": "patient"}


@pytest.mark.parametrize("model", MODELS)
def test_no_search_box_of_a_relation_is_a_server_error(browser, model):
    """Relations from other models are asked for too, although no form has them."""
    relations = [field.name for field in model._meta.get_fields() if field.is_relation]
    box = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}

    answers = [
        browser.get(reverse("admin:autocomplete"), box | {"field_name": relation, name: value})
        for relation in relations
        for name, values in {"term": VALUES, "page": NUMBERS}.items()
        for value in values
    ]

    assert {answer.status_code for answer in answers} <= {200, 400, 403, 404}


@pytest.mark.parametrize("name", BOX)
def test_no_name_of_a_search_box_is_a_server_error(browser, name):
    answers = [browser.get(reverse("admin:autocomplete"), BOX | {name: one}) for one in VALUES]

    assert {answer.status_code for answer in answers} <= {400, 403, 404}
