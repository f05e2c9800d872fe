"""Follows each request, and has written down what it showed or refused once the answer stands."""

import json
from http import HTTPStatus

from django.apps import apps
from django.conf import settings
from django.db import Error
from django.forms import ModelChoiceField

from accounts.audit import log as audit
from accounts.models import Action, User
from accounts.validators import is_number
from config.db.outages import is_outage
from config.http.error_views import unavailable

DENIED_STATUSES = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
}
PERSON_FILTERS = {"patient", "doctor", "user"}  # by whom the desk's lists can be narrowed down


class AuditMiddleware:
    """The API's doors say themselves what they show; of a page of the desk, its template's context
    says it, or the answer of its search boxes.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with audit.audit_request(request) as trail:
            response = self.get_response(request)
            if _is_admin_page(request):
                _audit_admin_page(request, response)
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return response
            try:
                trail.end()
            except Error as error:  # what nobody would have written down is not shown
                if not is_outage(error):
                    raise
                return unavailable(request, error)
        return response

    def process_template_response(self, request, response):
        request.page = response.context_data or {}
        return response


def _is_admin_page(request):
    """The admin, and the sign-in of the browsable API."""
    match = request.resolver_match
    return match is not None and match.route.startswith(("admin/", "api-auth/"))


def _audit_admin_page(request, response):
    name = request.resolver_match.url_name
    event = f"desk.{name}"
    if response.status_code in DENIED_STATUSES or _is_login_redirect(request, response):
        audit.record_denied(event)
    elif response.status_code == HTTPStatus.OK and request.user.is_staff:
        if name == "autocomplete":
            audit.record_read(event, _autocomplete_records(request, response))
        elif hasattr(request, "page"):
            audit.record_read(event, [*_records_on_page(request.page), *_filtered_people(request)])


def _is_login_redirect(request, response):
    return response.status_code == HTTPStatus.FOUND and response.url.startswith(
        f"{settings.LOGIN_URL}?"
    )


def _records_on_page(page):
    """The records a page is about: a list's, the day sheet's, or the one that is open."""
    if "cl" in page:
        records = page["cl"].result_list
    elif "day_sheet" in page:
        records = page["day_sheet"]["records"]
    else:
        record = page.get("original") or page.get("object")
        records = [record] if record is not None else _preselected(page)
    # A sign-in, or a count of failed ones, shows whose it is.
    return [*records, *filter(None, (getattr(one, "user", None) for one in records))]


def _preselected(page):
    """Whom the form for a new record names already."""
    form = getattr(page.get("adminform"), "form", None)
    fields = form.fields.items() if form else []
    return [
        record
        for name, field in fields
        if isinstance(field, ModelChoiceField) and (value := form[name].value())
        for record in field.queryset.filter(pk=value)
    ]


def _filtered_people(request):
    """The people a list is of, also where nothing of theirs is in it: their names are above it."""
    asked = [
        value
        for name, value in request.GET.items()
        if name.partition("__")[0] in PERSON_FILTERS and is_number(value)
    ]
    return User.objects.filter(pk__in=asked) if asked else []


def _autocomplete_records(request, response):
    """What a search box offers: the records of its ids."""
    asked = [request.GET[name] for name in ("app_label", "model_name", "field_name")]
    field = apps.get_model(*asked[:2])._meta.get_field(asked[2])
    ids = [row["id"] for row in json.loads(response.content)["results"]]
    return field.related_model._base_manager.filter(pk__in=ids)


def on_login(sender, user, **kwargs):
    """Receiver of what Django sends where somebody signs in by cookie."""
    audit.record_change("session.open", user, by=user, action=Action.CREATE)


def on_logout(sender, user, **kwargs):
    if user is not None:
        audit.record_change("session.end", user, by=user, action=Action.DELETE)


def on_login_failed(sender, **kwargs):
    """Receiver of the same for every door: who it was is not known."""
    audit.record_denied("session.open")
