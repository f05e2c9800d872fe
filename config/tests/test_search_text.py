"""One spelling for search and order: config.db.search_text."""

import unicodedata

import pytest

from config.db.search_text import normalise

SPELLINGS = {
    "Bélanger": "belanger",
    "O'Brien": "obrien",
    "O\u2019Brien": "obrien",
    "O`Brien": "obrien",
    "İlker": "ilker",
    "ilker": "ilker",
    "Großmann": "grossmann",
    "Müller": "muller",
    "Зоя": "zoya",
    "ЗОЯ": "zoya",
    "Łukasz Ørsted": "lukasz orsted",
    "Ångström": "angstrom",
    "李": "li",
    "  de   Vries ": "de vries",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_a_text_has_one_spelling(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_composed_and_decomposed_texts_are_the_same(form):
    assert normalise(unicodedata.normalize(form, "Zoë Ångström")) == "zoe angstrom"
