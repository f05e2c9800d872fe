"""One id per request: in the answer, in the error body and in every log line."""

import logging
import re
from contextvars import ContextVar
from http import HTTPStatus
from uuid import uuid4

from django.forms import BaseForm

ACCEPTABLE = re.compile(r"[A-Za-z0-9-]{8,64}")

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
