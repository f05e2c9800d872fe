"""Compares the name of a medication with the text of a patient's allergies."""

import re
import unicodedata

SEPARATORS = re.compile(r"[,;\n\r]+")


def matches(medication, allergies):
    """Return the entries of the `allergies` text that match the medication.

    Commas, semicolons and line breaks separate entries. An entry matches where it occurs as whole
    words in the name of the medication, or the name in the entry; case and accents do not count.
    The entry "Penicillin V" matches Penicillin, and "aspirin" matches "Aspirin 100 mg".

    The comparison does not know drug classes: the entry "Penicillin" does not match Amoxicillin.
    The check supports prescribers and does not replace their own.
    """
    name = _words(medication)
    entries = [entry.strip() for entry in SEPARATORS.split(allergies)]
    return [entry for entry in entries if _contains_either(_words(entry), name)]


def _contains_either(entry, name):
    return bool(entry.strip() and name.strip()) and (entry in name or name in entry)


def _words(text):
    """Return the words in lower case without accents, with a space before and after each."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in plain if not unicodedata.combining(char)).casefold()
    words = " ".join(re.findall(r"\w+", plain))
    return f" {words} "
