"""Views that belong to no app."""

from django.conf import settings
from django.http import Http404
from django.utils.translation import override
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from config.api.renderers import NOT_FOUND_VIEW


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, in English whatever the language of the request."""

    @extend_schema(exclude=True)
    def get(self, request, *args, **kwargs):
        with override(settings.LANGUAGE_CODE):
            return super().get(request, *args, **kwargs)


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
