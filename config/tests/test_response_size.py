"""No response is larger than 5 MB, with the longest texts that the limits allow."""

import pytest
from django.urls import reverse
from rest_framework.test import APIRequestFactory

from accounts.tests.helpers import data, error_details
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from config.access_report import iter_endpoints
from config.api.pagination import MAX_BYTES_PER_CHARACTER, MAX_ROWS_BYTES, PagePagination
from config.db.text import text_names
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.tests.factories import make_consultation

MAX_BYTES = 5_000_000
WORST = "\x01"  # six bytes in JSON
WORST_IN_HTML = "'"  # six bytes


def longest(model, character=WORST):
    """The longest texts of a row, each character as long as possible."""
    return {
        name: character * model._meta.get_field(name).max_length
        for name in text_names(model)
        if name != "contact_phone"
    }


@pytest.fixture
def visit(smith, jane):
    """A consultation with the longest texts, and 105 of the longest parts of each kind."""
    visit = make_consultation(doctor=smith, patient=jane)
    Consultation.objects.filter(pk=visit.pk).update(**longest(Consultation))
    whole = {"consultation": visit}
    VitalSigns.objects.bulk_create(
        VitalSigns(**whole, recorded_by=smith, heart_rate=60) for _ in range(105)
    )
    Prescription.objects.bulk_create(
        Prescription(**whole, prescribed_by=smith, **longest(Prescription)) for _ in range(105)
    )
    ConsultationNote.objects.bulk_create(
        ConsultationNote(**whole, created_by=smith, note_type="plan", **longest(ConsultationNote))
        for _ in range(105)
    )
    return visit


def ids_of(rows):
    return [row["id"] for row in rows]


@pytest.mark.django_db
def test_a_consultation_shows_its_newest_parts_and_links_to_the_rest(api, smith, visit):
    address = f"/api/consultations/{visit.pk}/"

    answer = api(smith).get(address)
    shown = data(answer)

    assert len(answer.content) <= MAX_BYTES
    assert ids_of(shown["vital_signs"]) == ids_of(VitalSigns.objects.values()[5:])
    assert ids_of(shown["prescriptions"]) == ids_of(Prescription.objects.values("id")[102:])
    assert ids_of(shown["notes"]) == ids_of(ConsultationNote.objects.values("id")[102:])
    assert shown["more_parts"] == [
        f"http://testserver{address}vital-signs/",
        f"http://testserver{address}prescriptions/",
        f"http://testserver{address}notes/",
    ]
    rest = data(api(smith).get(shown["more_parts"][2], {"page_size": 5}))
    assert (rest["count"], ids_of(rest["results"])) == (
        105,
        ids_of(ConsultationNote.objects.values("id")[:5]),
    )


@pytest.mark.django_db
def test_the_count_of_parts_is_that_of_the_reader(api, smith, jane):
    visit = make_consultation(doctor=smith, patient=jane)
    note = {"consultation": visit, "created_by": smith, "note_type": "plan", "content": "Rest"}
    ConsultationNote.objects.bulk_create(
        ConsultationNote(**note, is_private=number < 50) for number in range(110)
    )
    address = f"/api/consultations/{visit.pk}/"

    of_doctor, of_patient = data(api(smith).get(address)), data(api(jane).get(address))

    assert (len(of_doctor["notes"]), len(of_doctor["more_parts"])) == (100, 1)
    assert (len(of_patient["notes"]), of_patient["more_parts"]) == (60, [])


@pytest.mark.django_db
@pytest.mark.parametrize("page", [{}, {"cursor": ""}])
def test_a_page_that_is_too_large_is_refused_with_a_size_that_fits(page, api, smith, jane):
    for _ in range(3):
        make_consultation(doctor=smith, patient=jane)
    Consultation.objects.update(**longest(Consultation))

    for address in ("/api/consultations/", f"/api/patients/{jane.pk}/consultations/"):
        refused = api(smith).get(address, page)
        assert error_details(refused)[:2] == (400, "page_too_large")
        assert list(refused.json()["errors"]) == ["page_size"]
        assert refused.json()["details"] == {"page_size": 2}
        answer = api(smith).get(address, page | {"page_size": 2})
        assert (len(data(answer)["results"]), len(answer.content) <= MAX_BYTES) == (2, True)
        assert data(answer)["next"]


@pytest.mark.django_db
def test_texts_of_a_patient_alone_never_make_a_default_page_too_large(api, smith, jane):
    for _ in range(20):
        make_appointment(doctor=smith, patient=jane)
    Appointment.objects.update(**longest(Appointment) | {"doctor_notes": ""})

    for address in ("/api/appointments/", "/api/upcoming/"):
        answer = api(smith).get(address)
        assert len(data(answer)["results"]) == 20
        assert len(answer.content) <= MAX_BYTES


@pytest.mark.django_db
def test_texts_in_ordinary_size_fit_on_the_largest_page(api, smith, jane):
    visit = make_consultation(doctor=smith, patient=jane)
    note = {"consultation": visit, "created_by": smith, "note_type": "plan"}
    ConsultationNote.objects.bulk_create(
        ConsultationNote(**note, content="A line of text. " * 600) for _ in range(100)
    )
    address = f"/api/consultations/{visit.pk}/notes/"

    assert len(data(api(smith).get(address, {"page_size": 100}))["results"]) == 100


def lists():
    """(view class, names of its rows' fields, model) of every paginated list."""
    for endpoint in iter_endpoints():
        view = endpoint.view
        if "list" in endpoint.actions.values() and view.pagination_class is not None:
            yield endpoint.address, view


@pytest.mark.django_db
def test_every_list_fits_or_checks_the_size_of_its_page(ada):
    checked = {}
    for address, view_class in lists():
        request = APIRequestFactory().get("/")
        request.user = ada
        view = view_class(action="list", request=request, format_kwarg=None, kwargs={})
        view.detail = False
        fields = view.get_serializer_class()(context={"request": request}).fields
        model = view_class.queryset.model
        lengths = {
            name: model._meta.get_field(name).max_length
            for name in text_names(model)
            if name in fields
        }
        long_texts = getattr(view_class, "long_texts", ())
        rest = sum(length for name, length in lengths.items() if name not in long_texts)
        worst = PagePagination.max_page_size * rest * MAX_BYTES_PER_CHARACTER
        assert worst < MAX_ROWS_BYTES / 2, address
        checked[address] = set(long_texts) & lengths.keys()

    assert checked["/api/appointments/"] >= {"reason_for_visit", "doctor_notes"}
    assert len(checked["/api/consultations/"]) == 8
    assert checked["/api/patients/"] == set()


def test_the_pages_of_the_admin_show_the_newest_rows(client, ada, visit):
    client.force_login(ada)
    entry = visit.appointment.history.get()
    for model in (Consultation, Prescription, ConsultationNote):
        model.objects.update(**longest(model, WORST_IN_HTML))
    AppointmentHistory.objects.bulk_create(
        AppointmentHistory(
            appointment=visit.appointment,
            changed_by=ada,
            action="reschedule",
            to_status=entry.to_status,
            to_starts_at=entry.to_starts_at,
            reason=f"{number:04}" + WORST_IN_HTML * 1996,
        )
        for number in range(450)
    )

    page = client.get(reverse("admin:consultations_consultation_change", args=[visit.pk]))
    assert (page.status_code, len(page.content) <= MAX_BYTES) == (200, True)
    assert [len(one.formset.queryset) for one in page.context["inline_admin_formsets"]] == [
        100,
        3,
        3,
    ]
    page = client.get(reverse("admin:appointments_appointment_change", args=[entry.appointment_id]))
    assert (page.status_code, len(page.content) <= MAX_BYTES) == (200, True)
    assert b">0449" in page.content
    assert b">0349" not in page.content
