"""The success half of the envelope; `exceptions.py` makes the other."""

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from config.api.serializers import example_body

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
