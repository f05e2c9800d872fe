"""The language of responses, and the completeness of the translations."""

import re

import pytest
from babel.messages.mofile import read_mo
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from accounts.tests.factories import AdminFactory
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


def test_errors_of_fields_are_translated(db, api):
    body = {"username": "jane", "password": "12345678", "user_type": "doctor", "room": 1}
    response = api().post("/api/auth/register/", body, headers={"Accept-Language": "de"})
    errors = response.json()["errors"]
    assert errors["room"] == ["Dieser Vorgang kennt dieses Feld nicht."]  # ours
    assert errors["email"] == ["Dieses Feld ist erforderlich."]  # DRF's
    assert response.json()["code"] == "unknown_field"


def test_the_openapi_document_is_in_english(db, api):
    documents = [
        api().get("/api/schema/", headers={"Accept-Language": language}).content
        for language in ("en", "de")
    ]
    assert documents[0] == documents[1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "model",
    [model for model in apps.get_models() if admin.site.is_registered(model)],
    ids=lambda model: model._meta.label,
)
@pytest.mark.parametrize("page", ["changelist", "add"])
def test_an_admin_page_in_german(client, model, page):
    client.force_login(AdminFactory())
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")
    response = client.get(address, headers={"Accept-Language": "de"})
    if response.status_code != 403:  # what nobody adds
        assert response.status_code == 200
        assert '<html lang="de"' in response.text
        with translation.override("de"):
            assert str(model._meta.verbose_name_plural).lower() in response.text.lower()


@pytest.mark.django_db
def test_the_log_of_the_admin_is_in_english(client):
    admin_user = AdminFactory()
    client.force_login(admin_user)
    body = {"first_name": "Jane", "last_name": "Doe", "username": "jane", "user_type": "admin"}
    body |= {"email": "jane@example.com", "gender": "unknown", "password": "", "password_again": ""}
    page = client.post("/admin/accounts/user/add/", body, headers={"Accept-Language": "de"})
    assert page.status_code == 302, page.content
    assert LogEntry.objects.get().object_repr == f"user {User.objects.get(username='jane').pk}"


def test_the_names_that_django_derives_are_translated():
    field = User._meta.get_field("date_of_birth")
    assert str(field.verbose_name) == "date of birth"
    with translation.override("de"):
        assert str(field.verbose_name) == "Geburtsdatum"
        assert str(User._meta.verbose_name_plural) == "Konten"
