"""A Content-Type that Django itself stumbles over, before any code of ours runs."""

import codecs

from django.utils.http import parse_header_parameters


def with_readable_content_type(application):
    """The WSGI `application`, to which an unreadable Content-Type is one it does not know (415).

    Django reads the header while it makes the request, outside every handler: a broken parameter
    (RFC 2231), or a charset that is none (`hex`), would be a 500 of the bare server. And any other
    charset than UTF-8 would be used to read the query string as well.
    """

    def serve(environ, start_response):
        if not is_readable(environ.get("CONTENT_TYPE", "")):
            environ["CONTENT_TYPE"] = "application/octet-stream"
        return application(environ, start_response)

    return serve


def is_readable(content_type):
    try:
        _, parameters = parse_header_parameters(content_type)
        return codecs.lookup(parameters.get("charset", "utf-8")).name == "utf-8"
    except (ValueError, TypeError, LookupError):
        return False
