"""DRF's throttles, which count an IPv6 /64 network as one anonymous caller, like the lockout."""

from ipaddress import ip_address, ip_network

from rest_framework.throttling import ScopedRateThrottle, SimpleRateThrottle, UserRateThrottle

from config.context import client_ip, client_network


class NetworkIdentMixin:
    def get_ident(self, request):
        address = client_ip(request)
        return client_network(address) if address else super().get_ident(request)


class CallerThrottle(NetworkIdentMixin, UserRateThrottle):
    pass


class EndpointThrottle(NetworkIdentMixin, ScopedRateThrottle):
    pass


class NetworkThrottle(SimpleRateThrottle):
    """Counts the requests of a whole network: an IPv4 /24, or an IPv6 /56.

    One customer of a provider can have such a network, and with it many addresses.
    """

    prefix_lengths = {4: 24, 6: 56}

    def get_cache_key(self, request, view):
        address = client_ip(request)
        if address is None:
            return None
        length = self.prefix_lengths[ip_address(address).version]
        network = ip_network(f"{address}/{length}", strict=False)
        return self.cache_format % {"scope": self.scope, "ident": network}


class RegistrationNetworkThrottle(NetworkThrottle):
    scope = "register_network"
