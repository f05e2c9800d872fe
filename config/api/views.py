"""Views that belong to no app."""

from functools import cache

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import override
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from config.api.renderers import NOT_FOUND_VIEW

FILE_NAME = settings.SPECTACULAR_SETTINGS["TITLE"]


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, in English whatever the language of the request.

    Each process makes it once in each format: it is the same for everybody.
    """

    @extend_schema(exclude=True)
    def get(self, request, *args, **kwargs):
        renderer = request.accepted_renderer
        return HttpResponse(
            rendered_schema(renderer.format),
            content_type=_content_type(request.accepted_media_type, renderer.charset),
            headers={"Content-Disposition": f'inline; filename="{FILE_NAME}.{renderer.format}"'},
        )


def _content_type(media_type, charset):
    return f"{media_type}; charset={charset}" if charset else media_type


@cache
def rendered_schema(name):
    with override(settings.LANGUAGE_CODE):
        schema = SchemaView.generator_class().get_schema(public=True)
    renderer = next(one for one in SchemaView.renderer_classes if one.format == name)
    return renderer().render(schema, renderer_context={})


class ApiNotFoundView(APIView):
    """Answers an unknown address below /api/ with 404 in the envelope, also when DEBUG is on."""

    name = NOT_FOUND_VIEW
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    schema = None

    def initial(self, request, *args, **kwargs):
        raise Http404

    def options(self, request, *args, **kwargs):
        raise Http404
