"""The pages of the staff admin are audited like the API."""

import pytest
from django.urls import reverse

from accounts import services
from accounts.auth import lockout
from accounts.models import Action, AuditEvent, LoginCounter
from accounts.tests.factories import PASSWORD
from appointments import clock
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.admin.audited_pages import show_records
from config.clinical_records import clinical_records, record_of
from consultations.models import Consultation

pytestmark = pytest.mark.django_db

NEW = "another-horse-battery-9"


@pytest.fixture
def new(admin_client):
    """The events written since it was asked last."""
    last = [AuditEvent.objects.latest("pk").pk]

    def events():
        found = list(AuditEvent.objects.filter(pk__gt=last[0]).order_by("pk"))
        last[0] = found[-1].pk if found else last[0]
        return found

    return events


def page(name, *args):
    return reverse(f"admin:{name}", args=args)


def only(events):
    (event,) = events
    return event


def test_a_list_names_the_records_on_the_page(admin_client, clinic, new):
    admin_client.get(page("appointments_appointment_changelist"))

    event = only(new())
    assert (event.event, event.action) == ("desk.appointments_appointment_changelist", Action.READ)
    assert (event.actor, event.role) == (clinic.ada.pk, "admin")
    assert set(event.records) == {
        f"appointment/{clinic.appointment.pk}",
        f"appointment/{clinic.pauls.pk}",
    }
    assert event.patients == sorted([clinic.jane.pk, clinic.paul.pk])


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("patients_patient_change", "jane"),
        ("appointments_appointment_change", "appointment"),
        ("consultations_consultation_change", "consultation"),
        ("consultations_consultation_history", "consultation"),
        ("patients_emergencyaccess_change", "emergency"),
    ],
)
def test_opening_a_record_names_the_record(admin_client, clinic, new, name, record):
    admin_client.get(page(name, getattr(clinic, record).pk))

    event = only(new())
    assert event.event == f"desk.{name}"
    assert event.patients == [clinic.jane.pk]


@pytest.mark.parametrize(
    "part", [record.model._meta.model_name for record in record_of(Consultation).parts]
)
def test_reading_a_part_names_its_patient(admin_client, clinic, new, part):
    admin_client.get(page(f"consultations_{part}_changelist"))

    assert only(new()).patients == sorted([clinic.jane.pk, clinic.paul.pk])


def test_the_dashboard_names_the_patients_of_the_day(admin_client, clinic, new):
    today = make_appointment(
        patient=clinic.jane,
        time_slot=TimeSlotFactory(doctor=clinic.grey, starts_at=clock.day_bounds(clock.today())[1]),
    )
    new()

    with clock.frozen_at(today.starts_at):
        admin_client.get(page("index"))

    event = only(new())
    assert event.event == "desk.index"
    assert event.patients == [clinic.jane.pk]


def test_autocomplete_names_the_records_it_offers(admin_client, clinic, new):
    query = {"app_label": "appointments", "model_name": "appointment", "field_name": "patient"}

    found = admin_client.get(page("autocomplete"), query | {"term": "jane"}).json()["results"]

    assert [row["id"] for row in found] == [str(clinic.jane.pk)]
    event = only(new())
    assert (event.event, event.patients) == ("desk.autocomplete", [clinic.jane.pk])


@pytest.mark.parametrize(
    "address",
    [
        "appointments/appointment/add/?patient={jane}",
        "consultations/consultation/add/?patient={jane}",
        "consultations/consultation/add/?appointment={appointment}",
        "consultations/consultation/?patient__id__exact={jane}&status=cancelled",
        "accounts/session/?user__id__exact={jane}&state=over",
        "accounts/auditevent/?patient={jane}&outcome__exact=refused",
        "accounts/logincounter/?q=jane",
    ],
)
def test_patients_named_by_a_page_are_audited_whatever_the_page(admin_client, clinic, new, address):
    lockout.attempt_for("jane", "10.0.0.1").consume()
    ids = {name: getattr(clinic, name).pk for name in ("jane", "appointment")}

    text = admin_client.get(f"/admin/{address.format(**ids)}").content.decode()

    assert "Jane" in text or str(clinic.jane.pk) in text
    assert only(new()).patients == [clinic.jane.pk]


def test_a_refused_form_names_its_record(admin_client, clinic, new):
    answer = admin_client.post(
        page("consultations_consultation_add"), {"patient": clinic.jane.pk, "doctor": ""}
    )

    assert answer.status_code == 200
    assert only(new()).patients == [clinic.jane.pk]


def test_unlocking_an_account_is_audited(admin_client, clinic, new):
    lockout.attempt_for("jane", "10.0.0.1").consume()
    counter = LoginCounter.objects.get(user=clinic.jane)

    admin_client.post(
        page("accounts_logincounter_changelist"),
        {"action": "lift", "_selected_action": [counter.pk]},
    )

    event = only(new())
    assert (event.event, event.patients) == ("lockout.lift", [clinic.jane.pk])


@pytest.mark.parametrize("who", ["jane", "house", None])
def test_a_denied_request_to_the_admin_is_audited(client, clinic, who):
    person = who and getattr(clinic, who)
    if person:
        client.force_login(person)
    before = AuditEvent.objects.order_by("pk").last().pk

    answer = client.get(page("patients_patient_change", clinic.jane.pk))

    assert answer.status_code == 302
    event = only(AuditEvent.objects.filter(pk__gt=before))
    assert (event.event, event.outcome) == ("desk.patients_patient_change", "refused")
    assert event.actor == (person.pk if person else None)


def test_closing_and_changing_an_account_is_one_event(admin_client, clinic, new):
    address = page("accounts_user_change", clinic.grey.pk)
    form = admin_client.get(address).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields} | {"phone": "030 12345"}
    del sent["is_active"]
    new()

    assert admin_client.post(address, sent).status_code == 302

    event = only(new())
    assert (event.event, event.action) == ("account.update", Action.UPDATE)
    assert event.changed == ["is_active", "phone"]
    clinic.grey.refresh_from_db()
    assert not clinic.grey.is_active


def test_a_new_licence_number_ends_the_verification_in_the_same_event(admin_client, clinic, new):
    services.update_profile(clinic.house, by=clinic.ada, medical_license_number="MD-777")

    assert only(new()).changed == ["license_verified", "medical_license_number"]


@pytest.mark.parametrize(
    ("address", "body", "event"),
    [
        ("appointments/appointment/{pauls}/cancel/", {}, "appointment.cancel"),
        ("patients/patient/{jane}/deactivate/", {}, "patient.close"),
        ("patients/patient/{jane}/end_all_sessions/", {}, "session.end_all"),
        ("accounts/doctor/{new}/verify_licence/", {"if_version": 1}, "account.verify_licence"),
        (
            "patients/patient/{jane}/set_password/",
            {"password": NEW, "password_again": NEW},
            "account.set_password",
        ),
    ],
)
def test_an_action_is_one_event(admin_client, clinic, new, address, body, event):
    ids = {name: getattr(clinic, name).pk for name in ("pauls", "jane", "new")}

    answer = admin_client.post(f"/admin/{address.format(**ids)}", body)

    assert answer.status_code == 302
    written = only(new())
    assert (written.event, written.actor) == (event, clinic.ada.pk)


def test_a_bulk_action_writes_one_event_for_each_row(admin_client, clinic, new):
    chosen = [clinic.jane.pk, clinic.paul.pk]

    admin_client.post(
        page("patients_patient_changelist"),
        {"action": "deactivate_patients", "_selected_action": chosen},
    )

    assert [event.event for event in new()] == ["patient.close"] * 2


def test_changing_the_own_password_is_audited(admin_client, clinic, new):
    admin_client.post(
        page("password_change"),
        {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW},
    )

    events = new()
    clinic.ada.refresh_from_db()
    assert clinic.ada.check_password(NEW)
    assert [(event.event, event.changed) for event in events] == [
        ("account.change_password", ["password"])
    ]


def test_saving_a_form_is_one_event_with_the_changed_fields(admin_client, clinic, new):
    address = page("patients_patient_change", clinic.jane.pk)
    form = admin_client.get(address).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields}
    new()

    answer = admin_client.post(address, sent | {"allergies": "Latex"})

    assert answer.status_code == 302
    event = only(new())
    assert (event.event, event.changed) == ("account.update", ["allergies"])


@pytest.mark.parametrize("name", ["accounts_auditevent", "patients_emergencyaccess"])
def test_the_audit_is_read_only_in_the_admin(admin_client, clinic, name):
    record = AuditEvent.objects.first() if "audit" in name else clinic.emergency

    assert admin_client.get(page(f"{name}_changelist")).status_code == 200
    assert admin_client.get(page(f"{name}_change", record.pk)).status_code == 200
    assert admin_client.get(page(f"{name}_add")).status_code == 403
    assert admin_client.post(page(f"{name}_change", record.pk), {"reason": "x"}).status_code == 403
    assert admin_client.post(page(f"{name}_delete", record.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient={jane}", True),
        ("patient={paul}", False),
        ("actor={house}", True),
        ("actor={grey}", False),
        ("action__exact=C", True),
        ("action__exact=D", False),
        ("outcome__exact=success", True),
        ("outcome__exact=refused", False),
        ("event__icontains=grant", True),
        ("event__icontains=book", False),
        ("patient=9999999999999999999999", False),
        ("patient=x", False),
        (f"patient={'9' * 5000}", False),
        ("q=emergencyaccess", True),
    ],
)
def test_the_audit_can_be_filtered(admin_client, clinic, query, found):
    ids = {name: getattr(clinic, name).pk for name in ("jane", "paul", "house", "grey")}

    shown = admin_client.get(f"{page('accounts_auditevent_changelist')}?{query.format(**ids)}")

    events = {event.event for event in shown.context["cl"].result_list}
    assert ("emergencyaccess.grant" in events) == found


@pytest.mark.parametrize("count", [1, 3])
def test_the_audit_list_takes_the_same_number_of_queries_for_any_length(
    admin_client, clinic, count, django_assert_num_queries
):
    for _ in range(count):
        AuditEvent.objects.create(event="x.y", action="R", actor=clinic.house.pk)

    with django_assert_num_queries(4):
        shown = admin_client.get(f"{page('accounts_auditevent_changelist')}?event__icontains=x.y")

    assert len(shown.context["cl"].result_list) == count


@pytest.mark.parametrize("model", [record.model for record in clinical_records()])
def test_every_page_of_a_clinical_record_states_its_patient(admin_client, clinic, new, model):
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    rows = record_of(model).of_patient(clinic.jane.pk)
    pages = [page(f"{name}_changelist"), page(f"{name}_change", rows.first().pk)]
    pages.append(page(f"{name}_history", rows.first().pk))

    for address in pages:
        if admin_client.get(address).status_code == 200:  # the history of a person is elsewhere
            assert clinic.jane.pk in only(new()).patients, address


def test_a_page_states_records_one_after_the_other(rf, clinic):
    request = rf.get("/admin/")

    show_records(request, clinic.jane)
    show_records(request, clinic.paul, clinic.house)

    assert request.shown_records == [clinic.jane, clinic.paul, clinic.house]


def test_a_record_that_a_filter_names_is_stated_for_parts_too(admin_client, clinic, new):
    query = f"consultation__patient__id__exact={clinic.jane.pk}&is_active__exact=0"

    admin_client.get(f"{page('consultations_prescription_changelist')}?{query}")

    assert only(new()).patients == [clinic.jane.pk]
