"""One log line per request.

The line names the route by its template and the caller by number: a path may contain a name, a
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
def route_template(route):
    """A pattern of the URL conf as people write it: /api/appointments/{pk}/."""
    return "/" + REST.sub("", CONVERTER.sub(r"{\1}", GROUP.sub(r"{\1}", route)))
