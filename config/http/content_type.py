"""A Content-Type that Django itself stumbles over, before any code of ours runs.

To Django an unreadable one is then one it does not know (415). It reads the header while it makes
the request, outside every handler: a broken parameter (RFC 2231), or a charset that is none
(`hex`), would be a 500 of the bare server. And any other charset than UTF-8 would be used to read
the query string as well.
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
        sent = [value.decode("latin-1") for name, value in headers if name == NAME]
        if not is_readable(",".join(sent)):  # as Django joins those sent twice
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
