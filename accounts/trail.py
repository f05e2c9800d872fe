"""Follows each request, and has written down what it showed or refused once the answer stands."""

import json
from http import HTTPStatus

from django.apps import apps

from accounts import audit
from accounts.models import Action
from config.api.handlers import unavailable
from config.api.outages import DATABASE_FAULTS

REFUSALS = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
}


class AuditMiddleware:
    """The API's doors say themselves what they show; of a page of the desk, its template's context
    says it, or the answer of its search boxes.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with audit.following(request) as trail:
            response = self.get_response(request)
            if _is_at_the_desk(request):
                _look_at(request, response)
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return response
            try:
                trail.end()
            except DATABASE_FAULTS as error:  # what nobody would have written down is not shown
                return unavailable(request, error)
        return response

    def process_template_response(self, request, response):
        request.page = response.context_data or {}
        return response


def _is_at_the_desk(request):
    return request.resolver_match is not None and request.resolver_match.app_name == "admin"


def _look_at(request, response):
    event = f"desk.{request.resolver_match.url_name}"
    if response.status_code in REFUSALS:
        audit.refused(event)
    elif response.status_code == HTTPStatus.OK and request.user.is_staff:
        if request.resolver_match.url_name == "autocomplete":
            audit.shown(event, _found(request, response))
        elif hasattr(request, "page"):
            audit.shown(event, _on(request.page))


def _on(page):
    """The records a page is about: a list's, the day sheet's, or the one that is open."""
    if "cl" in page:
        return page["cl"].result_list
    if "day_sheet" in page:
        return page["day_sheet"]["records"]
    record = page.get("original") or page.get("object")
    return [record] if record is not None else []


def _found(request, response):
    """What a search box offers: the records of its ids."""
    asked = [request.GET[name] for name in ("app_label", "model_name", "field_name")]
    field = apps.get_model(*asked[:2])._meta.get_field(asked[2])
    ids = [row["id"] for row in json.loads(response.content)["results"]]
    return field.remote_field.model._base_manager.filter(pk__in=ids)


def signed_in(sender, user, **kwargs):
    """Receiver of what Django sends where somebody signs in by cookie."""
    audit.changed("session.open", user, by=user, action=Action.CREATE)


def signed_out(sender, user, **kwargs):
    if user is not None:
        audit.changed("session.end", user, by=user, action=Action.DELETE)


def failed_to_sign_in(sender, **kwargs):
    """Receiver of the same for every door: who it was is not known."""
    audit.refused("session.open")
