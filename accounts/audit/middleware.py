"""Writes one audit event for each request: what it changed, what it showed, or that it was refused.

The viewsets of the API state what they show (`accounts.audit.mixins`). The pages of the staff admin
state it as `request.shown_records` and `request.refused_records` (`config.admin.audited_pages`).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse

from accounts.audit import log as audit
from accounts.models import Action, User
from config.db.outages import is_outage
from config.http.error_views import unavailable

DENIED_STATUSES = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
}


class AuditMiddleware:
    """Writes the audit event once the response is complete.

    A response whose event cannot be written is replaced by 503: nothing is shown unaudited.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with audit.audit_request(request) as request_audit:
            response = self.get_response(request)
            if _is_admin_page(request):
                _audit_admin_page(request, response)
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return response
            try:
                request_audit.end()
            except Error as error:
                if not is_outage(error):
                    raise
                return unavailable(request, error)
        return response


def _is_admin_page(request: HttpRequest) -> bool:
    """Whether the address is of the admin, or of the sign-in of the browsable API."""
    match = request.resolver_match
    return match is not None and match.route.startswith(("admin/", "api-auth/"))


def _audit_admin_page(request: HttpRequest, response: HttpResponseBase) -> None:
    event = f"desk.{getattr(request.resolver_match, 'url_name', None)}"
    if response.status_code in DENIED_STATUSES or _is_login_redirect(request, response):
        audit.record_denied(event, _record_tried(request))
    elif refused := getattr(request, "refused_records", None):
        audit.record_conflict(event, refused)
    elif response.status_code == HTTPStatus.OK and request.user.has_module_perms("admin"):
        shown = getattr(request, "shown_records", None)
        if shown is not None or isinstance(response, TemplateResponse):
            audit.record_read(event, shown or [])


def _record_tried(request: HttpRequest) -> list[audit.RecordReference]:
    """Return a reference to the record of the address, whether or not it exists."""
    match = request.resolver_match
    if match is None or "<path:object_id>" not in match.route:
        return []
    model = match.route.split("/")[2]  # admin/appointments/appointment/<path:object_id>/change/
    return audit.reference_to(model, match.kwargs["object_id"])


def _is_login_redirect(request: HttpRequest, response: HttpResponseBase) -> bool:
    location = response.headers.get("Location", "")
    return response.status_code == HTTPStatus.FOUND and location.startswith(
        f"{settings.LOGIN_URL}?"
    )


def on_login(sender: object, user: User, **kwargs: Any) -> None:
    """Receiver of `user_logged_in`, which Django sends for a sign-in by cookie."""
    audit.record_change("session.open", user, by=user, action=Action.CREATE)


def on_logout(sender: object, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        audit.record_change("session.end", user, by=user, action=Action.DELETE)


def on_login_failed(sender: object, **kwargs: Any) -> None:
    """Receiver of `user_login_failed`, which every sign-in sends; nobody is named."""
    audit.record_denied("session.open")
