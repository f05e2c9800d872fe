"""One id per request: in the answer, in the error body and in every log line."""

import logging
import re
from contextvars import ContextVar
from uuid import uuid4

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
