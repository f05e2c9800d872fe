"""Formats log records as JSON lines without personal data.

Records of our own packages keep their arguments. Records of other libraries keep their template and
their numbers. An exception is logged as its class and its stack, because its message may quote a
row (`Key (email)=(…) already exists`) and a line of source code may contain a value.
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
WARNING_HEAD = re.compile(r"[^\n]*?:\d+: \w+")  # file, line and class of a warning


class JSONFormatter(logging.Formatter):
    """`ours` are the packages whose records keep the text of their arguments."""

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
        values = vars(record)
        line |= {name: redact(values[name], TRUSTED_TYPES) for name in FIELDS if name in values}
        if record.exc_info and record.exc_info[1]:
            line["errors"] = [
                format_exception(error) for error in exception_chain(record.exc_info[1])
            ]
        return to_json_line(line)

    def message(self, record):
        if record.name == "py.warnings":
            head = WARNING_HEAD.match(str(record.args[0] if record.args else ""))
            return head[0] if head else REDACTED
        is_ours = record.name.partition(".")[0] in self.ours
        if not (is_ours or record.args):  # the message may contain any value
            return f"{REDACTED} ({record.module}:{record.lineno})"
        return format_args(str(record.msg), record.args, TRUSTED_TYPES if is_ours else NUMBERS)


def to_json_line(line):
    """Return `line` as JSON in ASCII without DEL, so that no reader splits it into two lines."""
    with suppress(orjson.JSONEncodeError):  # a lone surrogate, an integer of more than 64 bits
        text = orjson.dumps(line)
        if text.isascii() and b"\x7f" not in text:
            return text.decode()
    return json.dumps(line, separators=(",", ":"))


def format_args(template, args, kept):
    """Insert the arguments into the template; those not of the types `kept` are redacted."""
    if isinstance(args, dict) and "%(" not in template:  # logging unpacks a sole dictionary
        args = (args,)
    if isinstance(args, dict):
        args = {name: redact(value, kept) for name, value in args.items()}
    else:
        args = tuple(redact(value, kept) for value in args or ())
    try:
        return template % args if args else template
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the template
        return template


def redact(value, kept):
    """Return a value of the types `kept` unchanged, "..." for text, else the type's name."""
    if isinstance(value, kept):
        return value
    return REDACTED if isinstance(value, str) else type_name(value)


def type_name(value):
    return type(value).__qualname__


def exception_chain(error):
    """Return the exception and its causes, the first cause first, as in a traceback."""
    errors = []
    while error is not None and error not in errors:
        errors.insert(0, error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return errors


def format_exception(error):
    stack = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {"type": f"{type(error).__module__}.{type_name(error)}", "trace": stack}
