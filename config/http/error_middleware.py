"""Handles errors outside DRF: in middleware, and while a response is rendered."""

from http import HTTPStatus

from django.conf import settings
from django.http import JsonResponse
from django.utils.translation import gettext as _
from rest_framework.response import Response

from config.context import is_api_path
from config.db.outages import is_outage
from config.http.error_views import error_envelope, rendering_failed, unavailable


class ErrorEnvelopeMiddleware:
    """Wraps every error response below /api/ in the error envelope, also when DEBUG is on.

    The errors of other middleware (an unknown host) do not pass DRF's exception handler. With DEBUG
    Django would answer a crash with a page of settings and source code.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not is_api_path(request):
            return self.get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            # A redirect would hide that the client has just sent its token without TLS.
            return error_envelope(HTTPStatus.FORBIDDEN, _("Use HTTPS."))
        if "Transfer-Encoding" in request.headers:  # Django would read such a body as empty
            sentence = _("Send the body with its Content-Length.")
            return error_envelope(HTTPStatus.BAD_REQUEST, sentence)
        response = self.get_response(request)
        if response.status_code >= HTTPStatus.BAD_REQUEST and not _has_envelope(response):
            return error_envelope(response.status_code)
        return response

    def process_exception(self, request, error):
        return rendering_failed(request, error) if is_api_path(request) else None


def _has_envelope(response):
    """Whether DRF's exception handler or a view of `error_views` created the response."""
    return isinstance(response, (Response, JsonResponse))


class ServiceUnavailableMiddleware:
    """Answers 503 if the database or disk fails in a Django view or while a response is rendered.

    This also holds when DEBUG is on. `handler500` answers the same for errors in middleware.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        return unavailable(request, error) if is_outage(error) else None
