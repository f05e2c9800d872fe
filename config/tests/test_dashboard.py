"""The admin dashboard, and rules for all pages of the admin."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import Session
from accounts.services import invite
from accounts.tests.factories import UnverifiedDoctorFactory
from appointments import clock
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.clinical_records import clinical_records
from consultations.tests.factories import add_parts, make_consultation
from patients.emergency_access import grant_emergency_access
from patients.models import Patient

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
OWN_APPS = {"accounts", "patients", "appointments", "consultations"}
MODELS = [model for model in admin.site._registry if model._meta.app_label in OWN_APPS]
OUTSIDE = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//""")
INVALID_IDS = ["abc", "0", "-1", "9" * 30, "a/b", "%00"]


@pytest.fixture
def admin_client(client, ada):
    """A browser of the admin of an otherwise empty clinic."""
    client.force_login(ada)
    return client


def url_of(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def clinic_with_one_of_everything():
    """Adds a record to every list of the admin."""
    consultation = add_parts(make_consultation(started=True))
    open_session(consultation.patient)
    grant_emergency_access(
        consultation.patient, by=consultation.doctor, reason="Unconscious, no papers"
    )
    lockout.attempt_for(consultation.patient.username, "10.0.0.1").consume()
    UnverifiedDoctorFactory()
    invite(consultation.patient)


def test_every_model_has_an_admin_page():
    names = {model.__name__ for model in MODELS}

    clinical = {record.model.__name__ for record in clinical_records()}
    assert names - clinical == {
        "User",
        "Doctor",
        "Session",
        "TimeSlot",
        "LoginCounter",
        "OutgoingMessage",
        "AuditEvent",
    }
    assert clinical <= names
    assert {model.__name__ for model in admin.site._registry} == names


@pytest.mark.parametrize("model", MODELS)
def test_every_page_is_200_and_loads_nothing_from_other_hosts(admin_client, model):
    clinic_with_one_of_everything()
    record = model._default_manager.first()
    pages = [url_of(model, "changelist"), url_of(model, "change", record.pk)]
    if admin.site._registry[model].has_add_permission(admin_client.get(INDEX).wsgi_request):
        pages.append(url_of(model, "add"))
    pages.append(url_of(model, "history", record.pk))

    for page in pages:
        response = admin_client.get(page, follow=True)
        assert response.status_code == 200, page
        assert not OUTSIDE.search(response.content.decode()), page


@pytest.mark.parametrize("model", MODELS)
def test_no_invalid_url_is_a_server_error(admin_client, model):
    clinic_with_one_of_everything()
    pages = ["change/", "history/", "history/1/", "delete/"]
    pages += [f"{step}/" for step in admin.site._registry[model].actions_detail]

    for garbage in INVALID_IDS:
        for page in pages:
            response = admin_client.get(f"{url_of(model, 'changelist')}{garbage}/{page}")
            assert response.status_code in (302, 403, 404)
    for query in (
        "?q=x",
        "?e=1",
        "?p=99",
        "?nonsense=1",
        "?o=9.-9",
        "?when=x",
        "?created_at__year=x",
    ):
        response = admin_client.get(url_of(model, "changelist") + query)
        assert response.status_code in (200, 302, 400)


@pytest.mark.parametrize("model", MODELS)
def test_a_list_costs_the_same_queries_for_any_length(admin_client, model):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(url_of(model, "changelist")).status_code == 200
        return len(queries)

    clinic_with_one_of_everything()
    admin_client.get(url_of(model, "changelist"))  # fills caches of the process
    of_one = cost()
    clinic_with_one_of_everything()
    clinic_with_one_of_everything()

    assert cost() == of_one


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_deleted(admin_client, model):
    clinic_with_one_of_everything()
    record = model._default_manager.first()

    response = admin_client.post(url_of(model, "delete", record.pk), {"post": "yes"})

    assert response.status_code == 403
    assert model._default_manager.filter(pk=record.pk).exists()


def test_the_dashboard_shows_today(admin_client):
    now = clock.day_bounds(clock.today())[1] - timedelta(hours=1)
    with clock.frozen_at(now - timedelta(hours=20)):
        start = now - timedelta(hours=2)
        slot = TimeSlotFactory(starts_at=start, ends_at=start + timedelta(minutes=30))
        appointment = make_appointment("confirmed", time_slot=slot)
    make_appointment("cancelled")
    make_appointment()
    UnverifiedDoctorFactory()

    response = admin_client.get(INDEX)

    content = response.content.decode()
    cards = {card["title"]: card["count"] for card in response.context["cards"]}
    assert cards == {
        "Appointments today": 1,
        "Upcoming appointments": 1 + (appointment.starts_at > clock.now()),
        "Patients": Patient.objects.count(),
        "Doctors": 4,
        "Licences to verify": 1,
        "Emergency accesses to review": 0,
    }
    assert reverse("admin:appointments_appointment_change", args=[appointment.pk]) in content
    assert "Confirmed: 1" in content
    assert not OUTSIDE.search(content)


def test_the_dashboard_costs_the_same_queries_for_any_number_of_appointments(admin_client):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(INDEX)
        return len(queries)

    late = clock.day_bounds(clock.today())[1] - timedelta(hours=1)
    empty = cost()
    with clock.frozen_at(clock.start_of_day(clock.today()) - timedelta(days=1)):
        for minutes in (0, 10, 20):
            start = late + timedelta(minutes=minutes)
            make_appointment(
                time_slot=TimeSlotFactory(starts_at=start, ends_at=start + timedelta(minutes=9))
            )

    assert cost() == empty


def test_the_sidebar_links_to_existing_pages(admin_client):
    links = set(re.findall(r'href="(/admin/[a-z/]*)"', admin_client.get(INDEX).content.decode()))

    assert len(links) > 10
    for link in links - {"/admin/logout/"}:
        assert admin_client.get(link).status_code == 200, link


def test_session_tokens_are_not_searchable(admin_client):
    clinic_with_one_of_everything()
    session = Session.objects.first()

    assert admin_client.get(f"/admin/accounts/session/?jti={session.jti}").status_code in (302, 400)
