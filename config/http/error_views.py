"""Django's error handlers (`handler404` and others), and responses for the error middleware.

Errors below /api/ are answered in the envelope of `config.api.exceptions`, others with Django's
pages.
"""

import logging
import sys
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import csrf, defaults

from config.api.exceptions import (
    ERROR_CODES,
    log_server_error,
    problem_from,
    problem_without_fields,
)
from config.context import is_api_path
from config.db import outages

logger = logging.getLogger(__name__)


def _envelope(request, error, fallback):
    """Return the error envelope below /api/ and the response `fallback` elsewhere."""
    if not is_api_path(request):
        return fallback
    problem = problem_from(error)
    return JsonResponse(problem.body, status=problem.status, headers=problem.headers)


def rendering_failed(request, error):
    """Return a 500 in the envelope. The transaction of the request is already committed."""
    log_server_error(request, error, "rendering of a response")
    return error_envelope(HTTPStatus.INTERNAL_SERVER_ERROR)


def error_envelope(status, sentence=None):
    """Return the envelope for an error of which only the status is known."""
    code = next((name for name, one in ERROR_CODES.items() if one.status == status), "server_error")
    if status == HTTPStatus.BAD_REQUEST:
        code = "parse_error"
    problem = problem_without_fields(code, sentence or ERROR_CODES[code].meaning)
    return JsonResponse(problem.body, status=problem.status)


def bad_request(request, exception):
    if outage := outages.root_outage(exception):
        return unavailable(request, outage)
    return _envelope(request, exception, defaults.bad_request(request, exception))


def forbidden(request, exception):
    return _envelope(request, exception, defaults.permission_denied(request, exception))


def not_found(request, exception):
    return _envelope(request, exception, defaults.page_not_found(request, exception))


def server_error(request):
    error = sys.exc_info()[1] or RuntimeError()
    if outages.is_outage(error):
        return unavailable(request, error)
    return _envelope(request, error, _plain_server_error(request))


def unavailable(request, error):
    outages.log(error)
    problem = problem_from(error)
    page = HttpResponse(
        problem.body["message"], "text/plain", problem.status, headers=problem.headers
    )
    return _envelope(request, error, page)


def csrf_failure(request, reason=""):
    return _envelope(request, PermissionDenied(reason), csrf.csrf_failure(request, reason))


def _plain_server_error(request):
    try:
        return defaults.server_error(request)
    except Exception:  # the template may be broken; a response must be sent nevertheless
        logger.exception("The error page could not be rendered")
        return HttpResponse(_("Server error"), status=500)
