"""DRF's throttles, for which a subscriber is one caller: as with the lockout, a /64 of IPv6."""

from rest_framework.throttling import ScopedRateThrottle, UserRateThrottle

from config.api.addresses import address_of, network_of


class PerNetwork:
    def get_ident(self, request):
        address = address_of(request)
        return network_of(address) if address else super().get_ident(request)


class PersonThrottle(PerNetwork, UserRateThrottle):
    pass


class DoorThrottle(PerNetwork, ScopedRateThrottle):
    pass
