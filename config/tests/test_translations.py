"""The language of responses, and the completeness of the translations."""

import pytest
from babel.messages.mofile import read_mo
from django.utils import translation

from config.management.commands.messages import load_catalog, po_files

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


@pytest.mark.parametrize("path", po_files(), ids=lambda path: path.parents[1].name)
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
