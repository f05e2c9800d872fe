"""What the lists and forms of the admin do not know, and how they refuse it."""

import pytest
from django.urls import reverse

from config.tests.admin_forms import filled_form

pytestmark = pytest.mark.django_db

APPOINTMENTS = reverse("admin:appointments_appointment_changelist")
BOX = {"app_label": "consultations", "model_name": "consultation", "field_name": "patient"}
HUGE = "9" * 20


@pytest.mark.parametrize(
    ("term", "status"),
    [("jane", 200), ("word " * 10, 200), ("word " * 11, 400), ("x" * 201, 400), ("\x00", 400)],
)
def test_a_search_box_searches_for_as_much_as_the_api(browser, term, status):
    assert browser.get(reverse("admin:autocomplete"), BOX | {"term": term}).status_code == status


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("patient__id__exact={jane}", 200),
        ("patient__id__exact=&status__exact=&when=", 200),  # the form of the filters, left empty
        ("starts_at__year=2026&starts_at__month=12", 200),
        ("patient__id__exact=9999999", 200),
        ("_popup=1&_to_field=id", 200),
        ("_to_field=contact_phone", 400),
        ("patient__id__exact=abc", 400),
        (f"patient__id__exact={HUGE}", 400),
        ("patient={jane}", 400),
        ("patient__id={jane}", 400),
        ("patient__id__in={jane}", 400),
        ("patient__first_name__startswith=J", 400),
        ("consultation__diagnosis__contains=x", 400),
        ("reason_for_visit__regex=(", 400),
        ("starts_at__gte=2026-12-01", 400),
        ("starts_at__year=%2B9999", 400),
        ("status__exact=nonsense", 400),
        ("status__in=scheduled", 400),
        ("when=nonsense", 400),
        ("nothing=1", 400),
        ("q=%00", 400),
        ("p=-1", 302),
        (f"p={HUGE}", 302),
        ("o=abc", 302),
        ("o=" + ".".join(["1"] * 50), 302),
        ("q=" + "x" * 201, 302),
        ("q=" + "word+" * 1500, 302),
    ],
)
def test_a_list_knows_its_own_filters_and_nothing_else(browser, clinic, query, status):
    answer = browser.get(f"{APPOINTMENTS}?{query.format(jane=clinic.jane.pk)}")

    assert answer.status_code == status
    if status == 302:
        assert answer.url == f"{APPOINTMENTS}?e=1"


def test_a_long_search_says_how_much_can_be_searched_for(browser):
    page = browser.get(APPOINTMENTS, {"q": "word " * 1500}, follow=True)

    assert "Search for at most 10 words and 200 characters." in page.content.decode()


def test_a_row_that_no_id_names_is_reported(browser):
    body = {"action": "confirm_chosen", "_selected_action": "abc"}

    page = browser.post(APPOINTMENTS, body, follow=True)

    assert "The list has no such row. Nothing has been changed." in page.content.decode()


@pytest.mark.parametrize("value", ["abc", HUGE, "1_0"])
def test_a_form_does_not_look_up_what_is_no_id(browser, value):
    page = reverse("admin:consultations_consultation_add")
    posted = browser.post(page, {"patient": value, "doctor": "", "chief_complaint": "A cough"})

    assert browser.get(page, {"patient": value}).status_code == 400
    assert posted.status_code == 200
    assert "patient" in posted.context["adminform"].form.errors


def test_the_rows_of_a_history_are_not_read_from_the_form(browser, clinic):
    page = reverse("admin:appointments_appointment_change", args=[clinic.pauls.pk])
    body = filled_form(browser, page, doctor_notes="A cough")
    body |= {name: "50" for name in body if name.endswith("_FORMS")}

    assert browser.post(page, body).status_code == 302

    clinic.pauls.refresh_from_db()
    assert clinic.pauls.doctor_notes == "A cough"


def test_a_page_of_the_search_that_does_not_exist_is_refused(browser):
    search = reverse("admin:search")

    statuses = [
        browser.get(search, {"s": "a", "page": page}).status_code for page in ("1", "abc", "0", "9")
    ]

    assert statuses == [200, 400, 400, 400]
