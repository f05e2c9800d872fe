"""Whether a medication stands among a patient's allergies, as far as words can tell."""

import re
import unicodedata

SEPARATORS = re.compile(r"[,;\n\r]+")


def matches(medication, allergies):
    """The entries of the `allergies` text that name the medication, or are named by it.

    Entries are split at comma, semicolon and line. One matches where it stands as whole words in
    the medication or the other way round, whatever the case and accents: "Penicillin V" refuses
    Penicillin, and "aspirin" refuses "Aspirin 100 mg". Classes of drugs are not known here; the
    check supports the prescriber and does not replace him.
    """
    drug = _words(medication)
    entries = [entry.strip() for entry in SEPARATORS.split(allergies)]
    return [entry for entry in entries if _share(_words(entry), drug)]


def _share(one, other):
    return bool(one.strip() and other.strip()) and (one in other or other in one)


def _words(text):
    """The words in lower case without accents, each between single spaces."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in plain if not unicodedata.combining(char)).casefold()
    words = " ".join(re.findall(r"\w+", plain))
    return f" {words} "
