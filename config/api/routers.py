"""One router made of the apps' own, so that no address is written twice."""

from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.routers import APIRootView, DefaultRouter, SimpleRouter


class ApiRootView(APIRootView):
    """Everything the API offers. Sign in at auth/login/ and send the access token along.

    With a parameter in their address, and so not listed here: the records themselves, their moves
    (appointments/{id}/cancel/ …) and their parts (consultations/{id}/notes/ …).
    """

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
    """The sum of the apps' routers, with an index that lists every address without a parameter."""

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
