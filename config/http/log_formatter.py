"""What the log may say: one JSON object a line, and never what a person wrote.

The lines of our own code say what their arguments are; those of any other library keep their
template and their numbers. An error is its class and where it happened: its sentence may quote a
row (`Key (email)=(…) already exists`), and the lines of source beside it a value.
"""

import json
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from traceback import walk_tb

import orjson

FIELDS = ("request_id", "user_id", "method", "route", "status", "ms")
NUMBERS = (bool, int, float, type(None))
TRUSTED_TYPES = (*NUMBERS, str)
REDACTED = "..."
PLACE_AND_KIND = re.compile(r"[^\n]*?:\d+: \w+")  # the head of a warning


class JSONFormatter(logging.Formatter):
    """`ours` are the packages whose lines are trusted with their words."""

    def __init__(self, *args, ours=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.ours = frozenset(ours)

    def format(self, record):
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message(record),
        }
        said = vars(record)
        line |= {name: redact(said[name], TRUSTED_TYPES) for name in FIELDS if name in said}
        if record.exc_info and record.exc_info[1]:
            line["errors"] = [
                format_exception(error) for error in exception_chain(record.exc_info[1])
            ]
        return to_json_line(line)

    def message(self, record):
        if record.name == "py.warnings":
            head = PLACE_AND_KIND.match(str(record.args[0] if record.args else ""))
            return head[0] if head else REDACTED
        is_ours = record.name.partition(".")[0] in self.ours
        if not (is_ours or record.args):  # it may have been put together out of anything
            return f"{REDACTED} ({record.module}:{record.lineno})"
        return format_args(str(record.msg), record.args, TRUSTED_TYPES if is_ours else NUMBERS)


def to_json_line(line):
    """In ASCII and without DEL: what some reader takes for the end of a line is none of its own."""
    with suppress(orjson.JSONEncodeError):  # half a letter, a number beyond 64 bits
        text = orjson.dumps(line)
        if text.isascii() and b"\x7f" not in text:
            return text.decode()
    return json.dumps(line, separators=(",", ":"))


def format_args(template, args, kept):
    """The template with its arguments, as far as they are of the types `kept`."""
    if isinstance(args, dict) and "%(" not in template:  # logging unpacks a sole dictionary
        args = (args,)
    if isinstance(args, dict):
        args = {name: redact(value, kept) for name, value in args.items()}
    else:
        args = tuple(redact(value, kept) for value in args or ())
    try:
        return template % args if args else template
    except (TypeError, ValueError, KeyError):  # a template that does not fit is still a line
        return template


def redact(value, kept):
    """As it is where of the types `kept`; else words are withheld, a thing is told by its kind."""
    if isinstance(value, kept):
        return value
    return REDACTED if isinstance(value, str) else type_name(value)


def type_name(value):
    """What a thing is, not what it holds."""
    return type(value).__qualname__


def exception_chain(error):
    """The errors that led to this one, the first one first, as in a traceback."""
    errors = []
    while error is not None and error not in errors:
        errors.insert(0, error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return errors


def format_exception(error):
    places = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {"type": f"{type(error).__module__}.{type_name(error)}", "trace": places}
