"""Renders successful responses in the envelope; `exceptions.py` builds the error envelope."""

from decimal import Decimal
from http import HTTPStatus

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from config.api.narrowed_fields import narrowed
from config.api.serializers import example_body

DEFAULT_MESSAGE = _("Operation completed successfully")
SEPARATOR_BYTE = b"\xe2"  # the first byte of U+2028 and U+2029, which DRF escapes
STATUSES_WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


NOT_FOUND_VIEW = "Not Found"  # the name of the view behind unknown addresses


class FastJSONRenderer(JSONRenderer):
    """Renders with orjson, and with DRF's renderer what orjson cannot encode.

    The output differs from DRF's in three cases that no response contains: 1e-05 becomes 1e-5, NaN
    becomes null, and seconds in a UTC offset (used before 1973) are cut off.
    """

    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z

    def render(self, data, accepted_media_type=None, renderer_context=None):
        context = renderer_context or {}
        if data is None or self.get_indent(accepted_media_type, context) is not None:
            return super().render(data, accepted_media_type, context)
        try:
            text = orjson.dumps(data, default=to_json_type, option=self.options)
        except orjson.JSONEncodeError:
            return super().render(data, accepted_media_type, context)
        if SEPARATOR_BYTE not in text:
            return text
        return text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def to_json_type(value):
    """Convert the types of Django that orjson does not know."""
    if isinstance(value, Decimal) and value.is_finite():
        return float(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(value)


class EnvelopeJSONRenderer(FastJSONRenderer):
    """Wraps the data of a view in the envelope.

    The view's table `messages` maps an action to the message; `message` replaces it.
    """

    def render(self, data, accepted_media_type=None, renderer_context=None):
        context = renderer_context or {}
        response = context["response"]
        if response.status_code in STATUSES_WITHOUT_BODY:
            return b""
        if not response.exception:
            view = context.get("view")
            messages = getattr(view, "messages", {})
            message = getattr(view, "message", None) or messages.get(
                getattr(view, "action", None), DEFAULT_MESSAGE
            )
            data = narrowed(data, getattr(view, "only_fields", None))
            data = {"status": "success", "data": data, "message": message}
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:  # a lone surrogate
            self.ensure_ascii = True
            return super().render(data, accepted_media_type, renderer_context)


class EnvelopeBrowsableAPIRenderer(BrowsableAPIRenderer):
    """The browsable API with the raw data form only; an HTML form would list all patients."""

    def render(self, *args, **kwargs):
        return super().render(*args, **kwargs).encode(errors="backslashreplace")

    def render_form_for_serializer(self, serializer):
        return ""

    def get_breadcrumbs(self, request):
        """Return the links to existing pages; the root page appears once."""
        crumbs = super().get_breadcrumbs(request)
        return [(name, url) for name, url in crumbs if name != NOT_FOUND_VIEW and url != "/"]


class ExampleBodyRenderer(JSONRenderer):
    """Fills the raw data form of a POST with the serializer's example instead of nulls."""

    def render(self, data, accepted_media_type=None, renderer_context=None):
        view = renderer_context["view"]
        if view.request.method == "POST":
            data = example_body(view.get_serializer())
        return super().render(data, accepted_media_type, renderer_context)
