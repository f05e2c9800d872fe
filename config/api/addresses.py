"""Where a request comes from, as far as that can be believed."""

from ipaddress import ip_address

from rest_framework.throttling import BaseThrottle


def address_of(request):
    """The caller's IP address; None where there is none, as behind a socket.

    X-Forwarded-For counts only as far as NUM_PROXIES says, as with DRF's throttles.
    """
    try:
        address = ip_address(BaseThrottle().get_ident(request) or "")
    except ValueError:
        return None
    plain = getattr(address, "ipv4_mapped", None) or address
    return str(plain).partition("%")[0]  # a link's own address names the interface too


def user_agent_of(request):
    """What the caller's program calls itself, as far as that can be printed."""
    return "".join(filter(str.isprintable, request.META.get("HTTP_USER_AGENT", "")))
