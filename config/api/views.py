"""Addresses that belong to no app."""

from django.http import Http404
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView


class ApiNotFoundView(APIView):
    """A wrong address under /api/: 404 in the envelope, with DEBUG too, and never a redirect."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []
    schema = None

    def initial(self, request, *args, **kwargs):
        raise Http404

    def options(self, request, *args, **kwargs):
        raise Http404
