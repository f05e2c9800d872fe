"""DRF's throttles, which count an IPv6 /64 network as one anonymous caller, like the lockout."""

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
