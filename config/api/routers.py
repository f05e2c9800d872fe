"""The root router, which combines the routers of the apps."""

from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.routers import APIRootView, DefaultRouter, SimpleRouter


class ApiRootView(APIRootView):
    """The addresses of the API. Sign in at auth/login/ and send the access token.

    Addresses with a parameter are not listed here: single records, their actions
    (appointments/{id}/cancel/ …) and nested records (consultations/{id}/notes/ …).
    """

    name = "Medical Platform"
    permission_classes = [AllowAny]
    schema = None

    def get(self, request, *args, **kwargs):
        return Response(
            {
                address: reverse(name, request=request, format=kwargs.get("format"))
                for address, name in self.api_root_dict.items()
            }
        )


class RootRouter(DefaultRouter):
    """Combines routers, with a root view that lists all addresses without a parameter."""

    APIRootView = ApiRootView
    include_format_suffixes = False

    def __init__(self, *routers):
        super().__init__()
        for router in routers:
            self.registry.extend(router.registry)

    def get_api_root_view(self, api_urls=None):
        listed = {
            str(url.pattern).strip("^$").removesuffix("/"): url.name
            for url in SimpleRouter.get_urls(self)
            if "(?P<" not in str(url.pattern)
        }
        return self.APIRootView.as_view(api_root_dict=listed)
