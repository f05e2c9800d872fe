"""What fails where DRF does not look: before a view, after it, or while its answer is rendered."""

from http import HTTPStatus

from django.http import JsonResponse
from rest_framework.response import Response

from config.context import is_api_path
from config.db.outages import is_outage
from config.http.error_views import error_envelope, rendering_failed, unavailable


class ErrorEnvelopeMiddleware:
    """Whatever error is about to leave under /api/ leaves in the envelope, with DEBUG too.

    Near the outside, because what the other middleware refuses (a foreign host) and what Django
    makes of a crash there (with DEBUG, a page with settings and source) passes no handler of ours.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not is_api_path(request):
            return self.get_response(request)
        if "Transfer-Encoding" in request.headers:  # Django would take the body for an empty one
            return error_envelope(HTTPStatus.BAD_REQUEST, "Send the body with its Content-Length.")
        response = self.get_response(request)
        if response.status_code >= HTTPStatus.BAD_REQUEST and not _wrap_in_envelope(response):
            return error_envelope(response.status_code)
        return response

    def process_exception(self, request, error):
        return rendering_failed(request, error) if is_api_path(request) else None


def _wrap_in_envelope(response):
    """Made by DRF, whose errors are all ours, or by Django's handlers of `exceptions.py`."""
    return isinstance(response, (Response, JsonResponse))


class ServiceUnavailableMiddleware:
    """503 for what fails in a plain view (the admin) or while an answer is rendered.

    With DEBUG too. What fails in the middleware itself comes to `handler500`, which answers alike.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, error):
        return unavailable(request, error) if is_outage(error) else None
