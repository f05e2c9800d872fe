"""Which representation is asked for, and in which a body comes."""

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation


class Negotiation(DefaultContentNegotiation):
    """A media type that cannot even be read fits nothing."""

    def select_renderer(self, request, renderers, format_suffix=None):
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (ValueError, TypeError) as error:  # Django's reader of parameters (RFC 2231) raises
            raise NotAcceptable(available_renderers=renderers) from error
