"""Emergency access: one live grant, a limit per hour, letters, and the review by an admin."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, MessageStatus, OutgoingMessage, User
from accounts.tests.factories import AdminFactory, DoctorFactory
from accounts.tests.helpers import data, sent_mail, status_and_code
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from patients.emergency_access import grant_emergency_access, review_emergency_access
from patients.models import EmergencyAccess
from patients.services import deactivate
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

WHY = {"reason": "Unconscious, no papers"}
LIST = reverse("admin:patients_emergencyaccess_changelist")


def url_of(patient):
    return f"/api/patients/{patient.pk}/emergency-access/"


def review_of(access):
    return f"/admin/patients/emergencyaccess/{access.pk}/review/"


@pytest.fixture
def access(jane, grey):
    return grant_emergency_access(jane, by=grey, **WHY)


# --- Limits ---------------------------------------------------------------------------------


def test_a_second_live_access_of_a_doctor_to_a_patient_is_refused(api, jane, grey):
    client = api(grey)
    data(client.post(url_of(jane), WHY), 201)

    assert status_and_code(client.post(url_of(jane), WHY)) == (409, "emergency_access_live")
    assert EmergencyAccess.objects.count() == 1
    data(api(DoctorFactory()).post(url_of(jane), WHY), 201)
    data(client.post(url_of(PatientFactory()), WHY), 201)


def test_an_expired_access_can_be_followed_by_another(api, jane, grey, access):
    EmergencyAccess.objects.update(expires_at=timezone.now())

    data(api(grey).post(url_of(jane), WHY), 201)


def test_a_doctor_has_a_limit_for_an_hour(api, settings, grey):
    settings.EMERGENCY_ACCESS_PER_HOUR = 2
    client = api(grey)
    for _ in range(2):
        data(client.post(url_of(PatientFactory()), WHY), 201)

    refused = client.post(url_of(PatientFactory()), WHY)

    assert status_and_code(refused) == (429, "throttled")
    assert "2 emergency accesses in an hour" in refused.json()["message"]
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert EmergencyAccess.objects.count() == 2
    data(api(DoctorFactory()).post(url_of(PatientFactory()), WHY), 201)


def test_the_limit_counts_the_last_hour(api, settings, grey, access):
    settings.EMERGENCY_ACCESS_PER_HOUR = 1
    EmergencyAccess.objects.update(created_at=timezone.now() - timedelta(minutes=61))

    data(api(grey).post(url_of(PatientFactory()), WHY), 201)


def test_0_sets_no_limit(settings, grey):
    settings.EMERGENCY_ACCESS_PER_HOUR = 0

    for _ in range(11):
        grant_emergency_access(PatientFactory(), by=grey, **WHY)

    assert EmergencyAccess.objects.count() == 11


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_two_accesses_at_once_are_one(jane, grey):
    outcome = run_behind_lock(
        lambda: grant_emergency_access(jane, by=grey, **WHY),
        lambda: grant_emergency_access(jane, by=grey, **WHY),
    )

    assert outcome == (True, "emergency_access_live")
    assert EmergencyAccess.objects.count() == 1


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_accesses_at_once_do_not_exceed_the_limit(settings, jane, omar, grey):
    settings.EMERGENCY_ACCESS_PER_HOUR = 1

    outcome = run_behind_lock(
        lambda: grant_emergency_access(jane, by=grey, **WHY),
        lambda: refused_sentence(omar, grey),
    )

    assert outcome == (True, "throttled")
    assert EmergencyAccess.objects.count() == 1


def refused_sentence(patient, doctor):
    """As the service, with a refusal that names a field."""
    try:
        grant_emergency_access(patient, by=doctor, **WHY)
    except ValidationError as error:
        raise ValidationError({"patient": error}) from error


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_an_access_that_waits_for_the_closing_of_the_record_is_refused(jane, grey):
    ada = AdminFactory()

    outcome = run_behind_lock(
        lambda: deactivate(jane, by=ada),
        lambda: grant_emergency_access(jane, by=grey, **WHY),
    )

    assert outcome == (True, "This patient's record is closed.")
    assert not EmergencyAccess.objects.exists()


# --- Letters --------------------------------------------------------------------------------


def test_the_patient_and_every_admin_get_a_letter_that_names_nobody(
    api, jane, grey, django_capture_on_commit_callbacks
):
    admins = AdminFactory.create_batch(2)
    AdminFactory(is_active=False)
    AdminFactory(email="")
    client = api(grey)

    with django_capture_on_commit_callbacks(execute=True):
        access = data(client.post(url_of(jane), WHY), 201)

    letters = {letter.to[0]: letter for letter in sent_mail()}
    assert set(letters) == {jane.email, *(admin.email for admin in admins)}
    texts = "\n".join(f"{one.subject}\n{one.body}" for one in letters.values())
    for word in ("Jane", "Doe", "Meredith", "Grey", "Unconscious"):
        assert word not in texts
    assert f"number {grey.pk}" in letters[admins[0].email].body
    page = f"/admin/patients/emergencyaccess/{access['id']}/change/"
    assert page in letters[admins[0].email].body


def test_a_refused_access_sends_no_letter(api, jane, grey, access):
    before = len(sent_mail())

    api(grey).post(url_of(jane), WHY)

    assert before > 0
    assert len(sent_mail()) == before


def test_a_patient_without_an_address_gets_no_letter(grey, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        grant_emergency_access(PatientFactory(email=""), by=grey, **WHY)

    assert sent_mail() == []


# --- Review ---------------------------------------------------------------------------------


def test_an_admin_reviews_an_access_once(admin_client, ada, access):
    asked = admin_client.get(review_of(access)).content.decode()
    done = admin_client.post(review_of(access), {"outcome": "justified"})
    again = admin_client.post(review_of(access), {"outcome": "unjustified"})

    access.refresh_from_db()
    assert WHY["reason"] in asked
    assert (done.status_code, again.status_code) == (302, 200)
    assert "reviewed this access already" in again.content.decode()
    assert (access.reviewed_by_id, access.outcome) == (ada.pk, "justified")
    assert access.reviewed_at is not None
    event = AuditEvent.objects.get(event="emergencyaccess.review")
    assert (event.actor, event.changed) == (ada.pk, ["outcome", "reviewed_at", "reviewed_by"])


@pytest.mark.parametrize("body", [{}, {"outcome": ""}, {"outcome": "perhaps"}])
def test_a_review_needs_an_outcome(admin_client, access, body):
    response = admin_client.post(review_of(access), body)

    assert list(response.context["form"].errors) == ["outcome"]
    access.refresh_from_db()
    assert access.reviewed_at is None


def test_the_list_shows_the_open_reviews(admin_client, ada, access):
    reviewed = grant_emergency_access(PatientFactory(), by=DoctorFactory(), **WHY)
    review_emergency_access(reviewed, by=ada, outcome="unjustified")

    found = {
        state: [row.pk for row in admin_client.get(LIST, {"review": state}).context["cl"].queryset]
        for state in ("open", "done")
    }

    assert found == {"open": [access.pk], "done": [reviewed.pk]}


def test_only_an_admin_reviews(client, grey, access):
    client.force_login(grey)

    assert client.post(review_of(access), {"outcome": "justified"}).status_code == 302
    with pytest.raises(PermissionDenied):
        review_emergency_access(access, by=grey, outcome="justified")
    access.refresh_from_db()
    assert access.reviewed_at is None


@pytest.mark.parametrize("half", [{"outcome": "justified"}, {"reviewed_at": timezone.now()}])
def test_the_database_refuses_half_a_review(access, half):
    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.update(**half)


def test_a_former_admin_gets_no_letter(jane, grey, ada):
    OutgoingMessage.objects.all().delete()
    grant_emergency_access(jane, by=grey, **WHY)
    User.objects.filter(pk=ada.pk).update(is_active=False)

    assert ada.email not in [message.to[0] for message in sent_mail()]
    assert OutgoingMessage.objects.filter(user=ada.pk).get().status == MessageStatus.CANCELLED


def test_the_letter_goes_to_the_patients_present_address(jane, grey):
    OutgoingMessage.objects.all().delete()
    grant_emergency_access(jane, by=grey, **WHY)
    User.objects.filter(pk=jane.pk).update(email="new@example.com")

    assert [message.to for message in sent_mail()] == [["new@example.com"]]
