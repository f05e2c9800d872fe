"""Every text on the pages of the admin is translated into German, or is data.

The German translations are marked ⟦so⟧, and the data contains no Latin letters. A Latin letter
outside the marks therefore belongs to a text without a German translation.
"""

import re
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import django
import pytest
from babel.messages import Catalog
from babel.messages.mofile import read_mo, write_mo
from django.apps import apps
from django.conf import settings as project
from django.contrib import admin
from django.db.models import CharField, TextField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from django.urls import resolve, reverse

from accounts import licences
from accounts import services as accounts
from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import AuditEvent, User
from appointments import services as appointments
from appointments.tests.factories import make_appointment, on_the_day
from consultations import services as consultations

MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
NOT_TRANSLATED = re.compile(r"\b(Medical Platform|Dr\.|[0-9a-f-]{32,64})")  # the last are ids
# Text fields without choices, though not free text.
NAMES_OF_CODES = {"action", "jti", "language", "password", "template"}
AUDIT = {"auditevent", "auditseal"}  # append-only, and in English
VOID_TAGS = {"area", "br", "col", "hr", "img", "input", "link", "meta", "path", "source", "wbr"}
SHOWN_ATTRIBUTES = {"title", "placeholder", "aria-label", "alt"}


class Page(HTMLParser):
    """The texts that a page shows, and the addresses of its links."""

    def __init__(self, source):
        super().__init__()
        self.texts, self.links, self.open_tags = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        self.texts += [attrs[name] for name in SHOWN_ATTRIBUTES & attrs.keys()]
        if tag == "a":
            self.links.append(urlsplit(attrs.get("href", "")).path)
        if tag not in VOID_TAGS:
            is_icon = "material-symbols" in attrs.get("class", "")
            self.open_tags.append((tag, is_icon or tag in {"script", "style", "kbd"}))

    def handle_endtag(self, tag):
        while self.open_tags and self.open_tags.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not any(is_no_text for _tag, is_no_text in self.open_tags):
            self.texts.append(" ".join(data.split()))


@pytest.fixture
def marked_german(settings, tmp_path):
    """Marks the German translations of the product and the libraries."""
    packages = [Path(django.__file__).parent / "conf"]
    packages += [Path(config.path) for config in apps.get_app_configs()]
    marked = Catalog("de")
    for folder in [*packages, project.BASE_DIR]:
        path = folder / "locale/de/LC_MESSAGES/django.mo"
        if path.exists():
            with path.open("rb") as file:
                for message in read_mo(file):
                    _add_marked(marked, message)
    compiled = tmp_path / "de/LC_MESSAGES/django.mo"
    compiled.parent.mkdir(parents=True)
    with compiled.open("wb") as file:
        write_mo(file, marked)
    settings.LOCALE_PATHS = [tmp_path]


def _add_marked(catalog, message):
    if not message.id:
        return  # the header
    if isinstance(message.id, str):
        catalog.add(message.id, f"⟦{message.string}⟧", context=message.context)
    else:
        forms = [f"⟦{form}⟧" for form in message.string]
        catalog.add(tuple(message.id), forms, context=message.context)


@pytest.fixture
def busy_clinic(clinic):
    """A clinic with a row of every kind, and versions that differ in a boolean and a choice."""
    licences.verify_licence(clinic.new)
    accounts.update_profile(clinic.jane, by=clinic.ada, gender="other")
    prescription = clinic.consultation.prescriptions.first()
    consultations.set_active(prescription, by=clinic.house, is_active=False)
    with on_the_day(clinic.appointment):
        consultations.complete(clinic.consultation, by=clinic.house)
    appointment = make_appointment(doctor=clinic.grey, patient=clinic.paul)
    appointments.update(appointment, by=clinic.paul, symptoms="Fever")
    open_session(clinic.jane)
    accounts.invite(clinic.jane)
    lockout.LoginAttempt("jane", clinic.jane.pk, "127.0.0.1").consume()
    for app in ("accounts", "patients", "appointments", "consultations"):
        for model in apps.get_app_config(app).get_models():
            _replace_free_texts(model)
    return clinic


def _replace_free_texts(model):
    texts = [
        field.name
        for field in model._meta.fields
        if isinstance(field, (CharField, TextField))
        and not (field.choices or field.primary_key or field.name in NAMES_OF_CODES)
    ]
    if texts and model._meta.model_name not in AUDIT:
        number = Concat(Value("Ωμέγα Ωμέγα "), Cast("pk", CharField()))
        model._base_manager.update(**dict.fromkeys(texts, number))


@pytest.fixture
def browser():
    return Client(headers={"Accept-Language": "de"})


def untranslated(address, page):
    """Return the texts of the page that are neither translated nor data."""
    codes = _audit_codes() if "/auditevent/" in address else []
    found = set()
    for text in page.texts:
        rest = text
        while (without := MARKED.sub(" ", rest)) != rest:  # marks inside marks
            rest = without
        for code in codes:
            rest = re.sub(re.escape(code), " ", rest, flags=re.IGNORECASE)
        if re.search("[A-Za-z]", NOT_TRANSLATED.sub(" ", rest)):
            found.add(text)
    return found


def _audit_codes():
    """Return what the audit stores, the longest first: a code may be a part of another one."""
    rows = AuditEvent.objects.values_list("event", "role", "records", "changed")
    codes = {code for event, role, *lists in rows for code in [event, role, *chain(*lists)]}
    return sorted(codes - {""}, key=len, reverse=True)


def _events_but_one():
    events = AuditEvent.objects.values_list("pk", flat=True)[1:]
    return [reverse("admin:accounts_auditevent_change", args=[pk]) for pk in events]


def test_no_page_of_the_admin_has_a_text_without_a_german_translation(
    busy_clinic, marked_german, browser, settings
):
    settings.AUDIT_READS = "off"  # each page would add a page
    found, names = {}, set()
    login = reverse("admin:login")
    found[login] = untranslated(login, Page(browser.get(login).text))
    browser.force_login(User.objects.get(pk=busy_clinic.ada.pk))
    start = reverse("admin:index")
    waiting, seen = [start], {start, *_events_but_one()}
    while waiting:
        address = waiting.pop()
        response = browser.get(address, follow=True)
        assert response.status_code == 200, address
        names.add(resolve(address).url_name)
        page = Page(response.text)
        found[address] = untranslated(address, page)
        new = {link for link in page.links if link.startswith(start)} - seen
        seen |= new
        waiting += new
    assert {address: texts for address, texts in found.items() if texts} == {}
    models = [f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry]
    assert names >= {f"{model}_{page}" for model in models for page in ("changelist", "change")}
