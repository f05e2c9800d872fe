"""Views that belong to no app."""

from django.http import Http404
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView


class ApiNotFoundView(APIView):
    """Answers an unknown address below /api/ with 404 in the envelope, also when DEBUG is on."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    schema = None

    def initial(self, request, *args, **kwargs):
        raise Http404

    def options(self, request, *args, **kwargs):
        raise Http404
