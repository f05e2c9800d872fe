"""Facts about the current request, each computed once: its id, its client, whether it is API.

The functions take Django's or DRF's request.
"""

import re
from contextvars import ContextVar
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network

from rest_framework.throttling import BaseThrottle

# The forms that some proxies write: 192.0.2.1:4711, [2001:db8::1]:4711 or [2001:db8::1].
IP_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+|\[(.+)\](?::[0-9]+)?")

_request_id = ContextVar("request_id", default="-")


def current_request_id():
    """Return the id of the current request, or "-" outside a request."""
    return _request_id.get()


def set_request_id(request_id):
    _request_id.set(request_id)


def _once_per_request(function):
    """Keep the result in `request.META`, which Django's and DRF's request share."""
    key = f"clinic.{function.__name__}"

    @wraps(function)
    def result_of(request):
        if key not in request.META:
            request.META[key] = function(request)
        return request.META[key]

    return result_of


@_once_per_request
def is_api_path(request):
    return request.path_info.startswith("/api/")


@_once_per_request
def client_ip(request):
    """Return the client's IP address, or None without one, as behind a Unix socket.

    The setting NUM_PROXIES limits how far X-Forwarded-For is trusted.
    """
    text = BaseThrottle().get_ident(request) or ""
    if match := IP_WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address).partition("%")[0]  # a link-local address names its interface after "%"


@_once_per_request
def user_agent(request):
    """Return the printable characters of the User-Agent header."""
    return "".join(filter(str.isprintable, request.META.get("HTTP_USER_AGENT", "")))


def client_network(address):
    """Return an IPv4 address unchanged, and the /64 network of an IPv6 address.

    A provider usually gives one customer a whole /64 network.
    """
    if not isinstance(ip_address(address), IPv6Address):
        return address
    return str(ip_network(f"{address}/64", strict=False).network_address)
