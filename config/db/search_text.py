"""Texts in one spelling, so that people are found and sorted however their names are written."""

import unicodedata

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
