"""Which representation is asked for, and in which a body comes."""

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation


class StrictContentNegotiation(DefaultContentNegotiation):
    """What is not served is 406: by `?format=` too, which DRF answers with 404."""

    def select_renderer(self, request, renderers, format_suffix=None):
        """A media type that cannot even be read fits nothing."""
        first = renderers[0]
        asks_format = format_suffix or self.settings.URL_FORMAT_OVERRIDE in request.query_params
        if not asks_format and request.headers.get("Accept", "*/*") in ("*/*", first.media_type):
            return first, first.media_type  # nothing to weigh
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (ValueError, TypeError) as error:  # Django's reader of parameters (RFC 2231) raises
            raise NotAcceptable(available_renderers=renderers) from error

    def filter_renderers(self, renderers, format):  # noqa: A002  DRF's name for it
        found = [one for one in renderers if one.format == format]
        if not found:
            raise NotAcceptable(available_renderers=renderers)
        return found
