"""An answer that has been written is gone with all it was made of.

A view holds its request, the request its view; so do an answer and what it was rendered with, a
serializer and its fields. Left alone, all of it, with every record of a page, waits until the
garbage collector comes, which then costs a page a seventh of its time. (What was refused waits: an
error's traceback holds it too.)
"""


def let_go(view, response):
    """Of whatever holds each other; nobody asks any of it once the answer is written."""
    ours, serializer = view.request, serializer_of(response.data)
    for one in (getattr(serializer, "child", None), serializer, view):
        if one is not None:
            vars(one).clear()
    ours.parser_context.clear()
    response.renderer_context.clear()
    of_django = vars(ours._request)
    of_django.pop("auser", None)
    messages = of_django.get("_messages")
    if messages is not None and not (messages.added_new or messages.used):
        del of_django["_messages"]


def serializer_of(data):
    """Which made an answer, or the page that it has; None where none did."""
    rows = data["results"] if isinstance(data, dict) and "results" in data else data
    return getattr(rows, "serializer", None)
