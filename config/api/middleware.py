"""One id and one log line per request.

The id stands in the answer, in the error body and in every log line. The line names the address by
its template and the caller by number: a path may hold a name, a query string a diagnosis.
"""

import logging
import re
from contextvars import ContextVar
from functools import lru_cache
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

from django.forms import BaseForm
from django.utils.functional import SimpleLazyObject

ACCEPTABLE = re.compile(r"[A-Za-z0-9-]{8,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SERVER_ERROR = 500

access = logging.getLogger("config.requests")

_request_id = ContextVar("request_id", default="-")


def current_request_id():
    return _request_id.get()


class RequestIdMiddleware:
    """Takes a caller's own `X-Request-ID` where it is short and plain, and makes one otherwise."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        offered = request.headers.get("X-Request-ID", "")
        # Not reset afterwards: Django logs a refusal once the middleware is through.
        _request_id.set(offered if ACCEPTABLE.fullmatch(offered) else uuid4().hex)
        response = self.get_response(request)
        response["X-Request-ID"] = current_request_id()
        return response


class RequestIdFilter(logging.Filter):
    """Puts `request_id` on each log record."""

    def filter(self, record):
        record.request_id = current_request_id()
        return True


class AccessLogMiddleware:
    """Stands in for the server's access log, which would write paths and query strings."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        start = perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        fields = {
            "user_id": _user_id(request),
            "method": request.method if request.method in METHODS else "other",
            "route": template(match.route) if match else None,
            "status": response.status_code,
            "ms": round((perf_counter() - start) * 1000, 1),
        }
        level = logging.ERROR if response.status_code >= SERVER_ERROR else logging.INFO
        access.log(
            level,
            "%s %s %s",
            fields["method"],
            fields["route"] or "-",
            fields["status"],
            extra=fields,
        )
        return response


def _user_id(request):
    """Who called, as far as anybody asked: the line costs no query.

    DRF leaves its caller on Django's request; a session's is lazy until a view looks.
    """
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)


GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
REST = re.compile(r"\(/\|\$\)|\^|\$|\\Z")


@lru_cache(maxsize=512)
def template(route):
    """A pattern of the URL conf as people write it: /api/appointments/{pk}/."""
    return "/" + REST.sub("", CONVERTER.sub(r"{\1}", GROUP.sub(r"{\1}", route)))


class LockedOutMiddleware:
    """429 where the form of a page (the admin's sign-in, that of the browsable API) says so."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_template_response(self, request, response):
        page = response.context_data or {}
        form = getattr(page.get("adminform"), "form", page.get("form"))
        for error in _refusals(form):
            if error.code == "throttled":
                response.status_code = HTTPStatus.TOO_MANY_REQUESTS
                response["Retry-After"] = str(error.params["wait"])
        return response


def _refusals(form):
    """What a form that was sent says is wrong, whichever field it belongs to."""
    if not isinstance(form, BaseForm) or not form.is_bound:
        return []
    return [error for errors in form.errors.as_data().values() for error in errors]
