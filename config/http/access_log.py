"""Writes one log line per request.

The line contains the route's template and the caller's id, because a path may contain a name and a
query string a diagnosis.
"""

import logging
import re
from functools import lru_cache
from time import perf_counter

from django.utils.functional import SimpleLazyObject

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SERVER_ERROR = 500

access = logging.getLogger("config.requests")


class AccessLogMiddleware:
    """Replaces the server's access log, which would contain paths and query strings."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        start = perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        fields = {
            "user_id": _user_id(request),
            "method": request.method if request.method in METHODS else "other",
            "route": route_template(match.route) if match else None,
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
    """Return the caller's id, or None if the view has not loaded the user; this costs no query.

    DRF sets its user on Django's request. The user of a browser session is lazy.
    """
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)


GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
REST = re.compile(r"\(/\|\$\)|\^|\$|\\Z")


@lru_cache(maxsize=512)
def route_template(route):
    """Convert a URL pattern to a readable template: /api/appointments/{pk}/."""
    return "/" + REST.sub("", CONVERTER.sub(r"{\1}", GROUP.sub(r"{\1}", route)))
