"""The success half of the envelope; `exceptions.py` makes the other."""

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

DEFAULT_MESSAGE = "Operation completed successfully"


class EnvelopeJSONRenderer(JSONRenderer):
    """Wraps what a view returned, at the last moment; views return bare data.

    `messages = {action: sentence}` on the view chooses the sentence.
    """

    def render(self, data, accepted_media_type=None, renderer_context=None):
        context = renderer_context or {}
        response = context["response"]
        if response.status_code == 204:  # noqa: PLR2004
            return b""
        if not response.exception:
            view = context.get("view")
            messages = getattr(view, "messages", {})
            message = messages.get(getattr(view, "action", None), DEFAULT_MESSAGE)
            data = {"status": "success", "data": data, "message": message}
        return super().render(data, accepted_media_type, renderer_context)


class EnvelopeBrowsableAPIRenderer(BrowsableAPIRenderer):
    """The browsable API, with the raw form only: a form of fields would list people."""

    def render_form_for_serializer(self, serializer):
        return ""
