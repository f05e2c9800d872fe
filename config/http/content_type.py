"""Replaces a Content-Type that Django cannot read, so that the response is 415.

Django reads the header while it creates the request, outside every error handler: a broken
parameter (RFC 2231) or a charset that does not decode text (`hex`) would cause a 500 without the
envelope. Django would also decode the query string with a charset other than UTF-8.
"""

import codecs

from django.utils.http import parse_header_parameters

NAME, UNKNOWN = b"content-type", "application/octet-stream"


def wsgi_content_type_check(application):
    def serve(environ, start_response):
        if not is_readable(environ.get("CONTENT_TYPE", "")):
            environ["CONTENT_TYPE"] = UNKNOWN
        return application(environ, start_response)

    return serve


def asgi_content_type_check(application):
    async def serve(scope, receive, send):
        headers = scope.get("headers", [])
        values = [value.decode("latin-1") for name, value in headers if name == NAME]
        if not is_readable(",".join(values)):  # as Django joins repeated headers
            others = [(name, value) for name, value in headers if name != NAME]
            scope = scope | {"headers": [*others, (NAME, UNKNOWN.encode())]}
        await application(scope, receive, send)

    return serve


def is_readable(content_type):
    try:
        _, parameters = parse_header_parameters(content_type)
        return codecs.lookup(parameters.get("charset", "utf-8")).name == "utf-8"
    except (ValueError, TypeError, LookupError):
        return False
