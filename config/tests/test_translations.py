"""The language of responses, and the completeness of the translations."""

import re

import pytest
from babel.messages.mofile import read_mo
from django.utils import translation

from config.management.commands.messages import (
    extract_catalog,
    load_catalog,
    po_files,
    untranslated,
)

ADDRESS = "/api/appointments/"


@pytest.mark.parametrize(
    ("accepted", "language", "sentence"),
    [
        ("de", "de", "Anmeldedaten fehlen."),
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Anmeldedaten fehlen."),
        ("en-GB,de;q=0.5", "en", "Authentication credentials were not provided."),
        ("fr", "en", "Authentication credentials were not provided."),
        ("", "en", "Authentication credentials were not provided."),
    ],
)
def test_the_language_of_a_message_follows_accept_language(db, api, accepted, language, sentence):
    response = api().get(ADDRESS, headers={"Accept-Language": accepted})
    assert response.json()["message"] == sentence
    assert response.headers["Content-Language"] == language
    assert "Accept-Language" in response.headers["Vary"]


def test_the_language_of_a_request_does_not_reach_the_next_one(db, api):
    api().get(ADDRESS, headers={"Accept-Language": "de"})
    response = api().get(ADDRESS)
    assert response.json()["message"] == "Authentication credentials were not provided."


def test_an_error_of_the_middleware_is_in_the_language_of_its_request(db, api):
    headers = {"Accept-Language": "de", "Host": "foreign.example"}
    response = api().get(ADDRESS, headers=headers)
    assert response.status_code == 400
    assert response.headers["Content-Language"] == "de"


@pytest.fixture(scope="module")
def extracted():
    return {(message.id, message.context) for message in extract_catalog() if message.id}


every_language = pytest.mark.parametrize("path", po_files(), ids=lambda path: path.parents[1].name)


@every_language
def test_the_po_file_has_every_string(path, extracted):
    written = {(one.id, one.context) for one in load_catalog(path) if one.id}
    assert written == extracted, "run `make messages`"


@every_language
def test_every_string_is_translated(path):
    assert untranslated(load_catalog(path)) == []


@every_language
def test_a_translation_has_the_placeholders_of_its_string(path):
    for message in load_catalog(path):
        if message.id:
            used = set().union(*map(_placeholders, _forms(message.string)))
            assert used == set().union(*map(_placeholders, _forms(message.id))), message.id


def _forms(text):
    return (text,) if isinstance(text, str) else text


def _placeholders(text):
    return re.findall(r"%\(\w+\)[sd]|\{\w*\}", text)


@every_language
def test_the_compiled_translations_are_those_of_the_po_file(path):
    with path.with_suffix(".mo").open("rb") as file:
        compiled = _strings(read_mo(file))
    assert compiled == _strings(load_catalog(path)), "run `make messages`"


def _strings(catalog):
    """Return (message id, translation) of each message; those with plural forms are tuples."""
    return {
        tuple(tuple(part) if isinstance(part, list) else part for part in (one.id, one.string))
        for one in catalog
        if one.id and not one.fuzzy
    }


def test_a_translation_is_found():
    with translation.override("de"):
        assert translation.gettext("No results found") == "Keine Ergebnisse gefunden"
