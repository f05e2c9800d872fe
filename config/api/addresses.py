"""Where a request comes from, as far as that can be believed."""

import re
from ipaddress import IPv6Address, ip_address, ip_network

from rest_framework.throttling import BaseThrottle

# As some proxies write it: 192.0.2.1:4711, [2001:db8::1]:4711 or [2001:db8::1].
DRESSED = re.compile(r"([0-9.]+):[0-9]+|\[(.+)\](?::[0-9]+)?")


def address_of(request):
    """The caller's IP address; None where there is none, as behind a socket.

    X-Forwarded-For counts only as far as NUM_PROXIES says.
    """
    text = BaseThrottle().get_ident(request) or ""
    if dressed := DRESSED.fullmatch(text):
        text = dressed[1] or dressed[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    plain = getattr(address, "ipv4_mapped", None) or address
    return str(plain).partition("%")[0]  # a link's own address names the interface too


def network_of(address):
    """What one subscriber holds: an IPv4 address, or 64 bits of IPv6."""
    if not isinstance(ip_address(address), IPv6Address):
        return address
    return str(ip_network(f"{address}/64", strict=False).network_address)


def user_agent_of(request):
    """What the caller's program calls itself, as far as that can be printed."""
    return "".join(filter(str.isprintable, request.META.get("HTTP_USER_AGENT", "")))
