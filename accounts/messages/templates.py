"""What a letter is made of, and the letters of all apps.

A function makes the letter of an OutgoingMessage when the message is delivered. The function
returns None if the letter is no longer needed, for example because the address has changed. Letters
contain no name: an address may belong to somebody else.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import OutgoingMessage


class Letter(NamedTuple):
    to: str
    subject: str
    body: str


class Template(NamedTuple):
    """How a kind of letter is called in the admin, and the function that makes it."""

    title: str | Promise
    make: Callable[[OutgoingMessage], Letter | None]


def letter(to: str, subject: str, *paragraphs: str) -> Letter:
    return Letter(to, subject, "\n\n".join([_("Hello,"), *paragraphs]) + "\n")


@cache
def templates() -> dict[str, Template]:
    """Return the templates by name. Each app lists its own as `LETTERS` in a module `letters`."""
    return {
        name: template
        for app in apps.get_app_configs()
        if find_spec(f"{app.name}.letters")
        for name, template in import_module(f"{app.name}.letters").LETTERS.items()
    }
