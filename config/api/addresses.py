"""Where a request comes from, as far as that can be believed."""

from ipaddress import ip_address

from rest_framework.throttling import BaseThrottle

LONGEST_USER_AGENT = 200


def address_of(request):
    """The caller's IP address; None where there is none, as behind a socket.

    X-Forwarded-For counts only as far as NUM_PROXIES says, as with DRF's throttles.
    """
    try:
        address = ip_address(BaseThrottle().get_ident(request) or "")
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def user_agent_of(request):
    """What the caller's program calls itself, cut to what a row keeps."""
    name = request.META.get("HTTP_USER_AGENT", "")
    return "".join(filter(str.isprintable, name))[:LONGEST_USER_AGENT]
