"""Gives each request an id that the response, the error body and every log line carry."""

import logging
import re
from uuid import uuid4

from config.context import current_request_id, set_request_id

ACCEPTABLE = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestIdMiddleware:
    """Accepts the caller's `X-Request-ID` if it is short and plain, and creates one otherwise."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        offered = request.headers.get("X-Request-ID", "")
        # The id is not reset afterwards: Django logs a refused request after the middleware.
        set_request_id(offered if ACCEPTABLE.fullmatch(offered) else uuid4().hex)
        response = self.get_response(request)
        response["X-Request-ID"] = current_request_id()
        return response


class RequestIdFilter(logging.Filter):
    """Puts `request_id` on each log record."""

    def filter(self, record):
        record.request_id = current_request_id()
        return True
