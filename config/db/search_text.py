"""Texts in one spelling, so that people are found and sorted however their names are written."""

import unicodedata

from anyascii import anyascii

# Apostrophes and the letters and accents that are typed in their place.
APOSTROPHES = dict.fromkeys(map(ord, "'’‘`´ʹʻʼʽʿʾ′＇"))


def normalise(text: str) -> str:
    """Return the text in lower-case ASCII: without marks and apostrophes, transliterated.

    "O’Brien" becomes "obrien", "Großmann" becomes "grossmann", "Зоя" becomes "zoya". Runs of spaces
    become one space.
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold().translate(APOSTROPHES)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(anyascii(letters).casefold().translate(APOSTROPHES).split())
