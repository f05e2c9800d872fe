"""The browsable API: session login, the same envelope, and no lists of people in forms."""

import html
import json
import re

import pytest
from django.test import Client

from accounts.tests.factories import PASSWORD
from config.access_report import iter_endpoints

# Choices such as the statuses of a filter; never people.
CHOICE_FIELDS = {"_content_type", "status", "consultation_type", "priority", "gender", "available"}


def signed_in(person):
    browser = Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})
    page = browser.get("/api-auth/login/")
    token = page.context["csrf_token"]
    browser.post(
        "/api-auth/login/",
        {"username": person.username, "password": PASSWORD, "csrfmiddlewaretoken": str(token)},
    )
    return browser


def test_a_user_signs_in_and_books(clinic):
    browser = signed_in(clinic.jane)
    page = browser.get("/api/appointments/")
    assert page.status_code == 200
    body = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}

    answer = browser.post(
        "/api/appointments/",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": str(page.context["csrf_token"]), "Accept": "application/json"},
    )

    assert answer.status_code == 201
    assert clinic.jane.appointments.filter(time_slot=clinic.free).count() == 1


def test_a_write_without_the_csrf_token_is_403_and_writes_nothing(clinic):
    browser = signed_in(clinic.jane)
    body = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}

    answer = browser.post(
        "/api/appointments/",
        body,
        content_type="application/json",
        headers={"Accept": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert not clinic.free.appointments.exists()


def test_no_form_lists_people(clinic):
    browser = signed_in(clinic.house)

    for address in [
        "/api/appointments/",
        f"/api/appointments/{clinic.appointment.pk}/",
        "/api/consultations/",
        f"/api/consultations/{clinic.consultation.pk}/notes/",
        "/api/time-slots/",
        "/api/patients/",
        "/api/auth/profile/",
    ]:
        page = browser.get(address)
        text = page.content.decode()
        assert page.status_code == 200, address
        assert set(re.findall('<select name="([^"]*)"', text)) <= CHOICE_FIELDS, address
        assert 'name="_content"' in text, address
        if address != "/api/patients/":
            assert "Paul" not in text, address


# The labels of the filter form of each list, in German.
DATES = ["Datum", "Datum von", "Datum bis"]
OF_APPOINTMENTS = [*DATES, "Status", "Arzt", "Patient", "Art der Konsultation", "Priorität"]
OF_OVERVIEWS = ["Status", "Arzt", "Patient"]
FILTER_LABELS = {
    "/api/appointments/": OF_APPOINTMENTS,
    "/api/patients/{patient}/appointments/": OF_APPOINTMENTS,
    "/api/today/": OF_OVERVIEWS,
    "/api/upcoming/": OF_OVERVIEWS,
    "/api/consultations/": [*DATES, "Status", "Termin", "Patient", "Arzt"],
    "/api/doctors/": ["Fachgebiet"],
    "/api/patients/": ["Geschlecht", "Geburtsdatum", "Geburtsdatum von", "Geburtsdatum bis"],
    "/api/time-slots/": [*DATES, "Arzt", "Fachgebiet", "Verfügbar"],
}  # fmt: skip


def test_each_filter_in_a_form_has_a_translated_label(clinic):
    browser = signed_in(clinic.ada)
    lists = {
        endpoint.address
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        and endpoint.actions.get("get") == "list"
        and getattr(endpoint.view, "filterset_class", None)
    }
    assert lists == FILTER_LABELS.keys()
    for pattern, labels in FILTER_LABELS.items():
        address = pattern.format(patient=clinic.jane.pk)
        page = browser.get(address, headers={"Accept-Language": "de"}).content.decode()
        form = re.search(r'<div class="modal-body">.*?</form>', page, re.DOTALL)[0]
        shown = re.findall(r"<label[^>]*>\s*([^<]*?):?\s*</label>", form)
        assert shown == labels, address


def test_the_breadcrumbs_lead_to_addresses_that_answer(clinic):
    page = signed_in(clinic.jane).get(f"/api/appointments/{clinic.appointment.pk}/")

    crumbs = re.search(r'<ul class="breadcrumb">(.*?)</ul>', page.content.decode(), re.DOTALL)[1]
    assert re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', crumbs) == [
        ("/api/", "Medical Platform"),
        ("/api/appointments/", "Appointment List"),
        (f"/api/appointments/{clinic.appointment.pk}/", "Appointment Instance"),
    ]


def test_the_raw_data_form_starts_with_a_valid_body(clinic):
    page = signed_in(clinic.jane).get("/api/appointments/").content.decode()

    form = json.loads(
        html.unescape(re.search(r'name="_content"[^>]*>(.*?)</textarea>', page, re.DOTALL)[1])
    )

    assert form["reason_for_visit"] == "Chest pain when climbing stairs"
    assert None not in form.values()


def test_errors_are_shown_in_the_envelope(clinic):
    page = signed_in(clinic.jane).get(f"/api/appointments/{clinic.pauls.pk}/")

    assert page.status_code == 404
    assert "&quot;not_found&quot;" in page.content.decode()


@pytest.mark.django_db
def test_the_index_is_public():
    page = Client(headers={"Accept": "text/html"}).get("/")

    assert page.status_code == 200
    assert "api-auth/login" in page.content.decode()
