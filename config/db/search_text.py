"""Texts in one spelling, so that people are found and sorted however their names are written.

A text and a query are reduced to lower-case ASCII letters and digits in the same way. Every word of
the query must then be a part of the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from anyascii import anyascii

# The apostrophe, and the quotation marks, accents and letters that are typed in its place.
APOSTROPHES = dict.fromkeys(
    map(ord, "'`\u00b4\u2018\u2019\u02b9\u02bb\u02bc\u02bd\u02bf\u02be\u2032\uff07")
)


def normalise(text: str) -> str:
    """Return the text in lower-case ASCII: without marks and apostrophes, transliterated.

    "O'Brien" becomes "obrien", "Großmann" becomes "grossmann", "Зоя" becomes "zoya". Runs of spaces
    become one space.
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold().translate(APOSTROPHES)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(anyascii(letters).casefold().translate(APOSTROPHES).split())


def letters(text: str) -> str:
    """Return the letters and digits of the text without spaces, for sorting: "devries"."""
    return "".join(_words(text))


def words_and_letters(text: str) -> str:
    """Return the words of the text, and the same words as one: "de vries devries"."""
    words = _words(text)
    return " ".join([*words, "".join(words)] if len(words) > 1 else words)


def _words(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", normalise(text))


def digits(text: str) -> str:
    """Return the digits of a phone number: "49301234567" of "+49 30 1234567"."""
    return "".join(re.findall("[0-9]", text))


def spellings_of_date(day: date) -> str:
    """Return the digits of a date as it is written: year, day or month first."""
    return f"{day:%Y%m%d} {day:%d%m%Y} {day:%m%d%Y}"


DATE = re.compile("([0-9]{1,4})[-./]([0-9]{1,2})[-./]([0-9]{1,4})")
NUMBER = re.compile("[-+()./0-9]*[0-9][-+()./0-9]*")


def split_query(query: str) -> list[str]:
    """Return the words of a query, and its phrases in double quotes."""
    return [phrase or word for phrase, word in re.findall(r'"([^"]+)"|([^\s,"]+)', query)]


def search_terms(word: str) -> Iterator[str]:
    """Yield what a text must contain for a word of a query.

    A date or a phone number is one term of digits; a hyphenated name has several terms.
    """
    if parts := DATE.fullmatch(word):
        yield "".join(part.zfill(2) for part in parts.groups())
    elif NUMBER.fullmatch(word):
        yield digits(word).lstrip("0") or digits(word)  # 030 123 is +49 30 123
    else:
        yield from _words(word)
