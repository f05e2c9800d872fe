"""The success half of the envelope; `exceptions.py` makes the other."""

from decimal import Decimal
from http import HTTPStatus

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from config.api.serializers import example_body

DEFAULT_MESSAGE = "Operation completed successfully"
FIRST_OF_SEPARATORS = b"\xe2"  # of U+2028 and U+2029, which DRF escapes
WITHOUT_A_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class FastJSONRenderer(JSONRenderer):
    """What DRF would write, by orjson; what orjson does not write at all is left to DRF.

    Three things it does its own way: 1e-05 is spelled 1e-5, a float that is no number becomes null,
    where DRF would fail, and the seconds of a zone that was such a time apart (before 1973) are cut
    off. No answer has any of them.
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
        if FIRST_OF_SEPARATORS not in text:
            return text
        return text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def to_json_type(value):
    """Of what orjson does not know, what answers are full of."""
    if isinstance(value, Decimal) and value.is_finite():
        return float(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(value)


class EnvelopeJSONRenderer(FastJSONRenderer):
    """Wraps what a view returned, at the last moment; views return bare data.

    `messages = {action: sentence}` on the view chooses the sentence.
    """

    def render(self, data, accepted_media_type=None, renderer_context=None):
        context = renderer_context or {}
        response = context["response"]
        if response.status_code in WITHOUT_A_BODY:
            return b""
        if not response.exception:
            view = context.get("view")
            messages = getattr(view, "messages", {})
            message = messages.get(getattr(view, "action", None), DEFAULT_MESSAGE)
            data = {"status": "success", "data": data, "message": message}
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:  # half a letter (a lone surrogate), which UTF-8 cannot hold
            self.ensure_ascii = True
            return super().render(data, accepted_media_type, renderer_context)


class EnvelopeBrowsableAPIRenderer(BrowsableAPIRenderer):
    """The browsable API, with the raw form only: a form of fields would list people."""

    def render(self, *args, **kwargs):
        return super().render(*args, **kwargs).encode(errors="backslashreplace")

    def render_form_for_serializer(self, serializer):
        return ""

    def get_breadcrumbs(self, request):
        """Only addresses that answer, the index once."""
        crumbs = super().get_breadcrumbs(request)
        return [(name, url) for name, url in crumbs if name != "No Such Path" and url != "/"]


class ExampleBodyRenderer(JSONRenderer):
    """What the raw form of a POST begins with: a body that would do, not a list of nulls."""

    def render(self, data, accepted_media_type=None, renderer_context=None):
        view = renderer_context["view"]
        if view.request.method == "POST":
            data = example_body(view.get_serializer())
        return super().render(data, accepted_media_type, renderer_context)
