"""Content negotiation."""

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation


class StrictContentNegotiation(DefaultContentNegotiation):
    """Answers 406 for an unknown representation, also for `?format=`, where DRF answers 404."""

    def select_renderer(self, request, renderers, format_suffix=None):
        """Choose the renderer; an Accept header that cannot be parsed is answered with 406."""
        first = renderers[0]
        asks_format = format_suffix or self.settings.URL_FORMAT_OVERRIDE in request.query_params
        if not asks_format and request.headers.get("Accept", "*/*") in ("*/*", first.media_type):
            return first, first.media_type  # the usual case, without parsing
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (ValueError, TypeError) as error:  # Django's parser of parameters (RFC 2231)
            raise NotAcceptable(available_renderers=renderers) from error

    def filter_renderers(self, renderers, format):  # noqa: A002  DRF's name
        found = [one for one in renderers if one.format == format]
        if not found:
            raise NotAcceptable(available_renderers=renderers)
        return found
