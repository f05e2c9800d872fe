"""DRF's throttles, for which a subscriber is one caller: as with the lockout, a /64 of IPv6."""

from rest_framework.throttling import ScopedRateThrottle, UserRateThrottle

from config.context import client_ip, client_network


class NetworkIdentMixin:
    def get_ident(self, request):
        address = client_ip(request)
        return client_network(address) if address else super().get_ident(request)


class CallerThrottle(NetworkIdentMixin, UserRateThrottle):
    pass


class EndpointThrottle(NetworkIdentMixin, ScopedRateThrottle):
    pass
