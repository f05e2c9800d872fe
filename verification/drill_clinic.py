"""Steps of the restore drill inside the platform; `manage.py shell` runs them."""

from http import HTTPStatus
from itertools import cycle

from django.db.models import Max
from rest_framework.test import APIClient

from accounts.models import Doctor
from accounts.roles import UserType
from appointments import clock, services
from appointments.models import Appointment, TimeSlot
from consultations.demo import SIGN_INS
from patients.models import Patient
from patients.services import create_patient


def keep_writing():
    """Books a slot and cancels the one before, until the process is stopped.

    All slots are of one doctor and for one new patient, so that no booking is refused.
    """
    doctor = Doctor.objects.order_by("pk").first()
    slots = TimeSlot.objects.filter(
        starts_at__gt=clock.now(),
        withdrawn_at=None,
        appointments=None,
        doctor=doctor,
    ).order_by("pk")
    patient = create_patient(by=doctor, first_name="Drew", last_name="Ill")
    before = None
    for slot in cycle(slots[:50]):
        booked = services.book(
            patient=patient, time_slot=slot, by=patient, reason_for_visit="The restore drill"
        )
        if before:
            services.move(before, "cancel", by=patient)
        before = booked


def sign_in_and_book():
    """Signs in as a demo patient, reads and books; raises ValueError if a step fails."""
    username = next(
        person.username
        for person in Patient.objects.filter(username__in=SIGN_INS, user_type=UserType.PATIENT)
    )
    client = APIClient(SERVER_NAME="localhost")
    signed_in = _ask(
        client.post("/api/auth/login/", {"username": username, "password": SIGN_INS[username]}),
        HTTPStatus.OK,
    )
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {signed_in['access']}")
    _ask(client.get("/api/appointments/"), HTTPStatus.OK)
    newest = Appointment.objects.aggregate(pk=Max("pk"))["pk"]
    slots = _ask(client.get("/api/time-slots/?available=true"), HTTPStatus.OK)["results"]
    for slot in slots:
        body = {"time_slot": slot["id"], "reason_for_visit": "The restore drill"}
        answer = client.post("/api/appointments/", body)
        if (
            answer.status_code != HTTPStatus.CONFLICT
        ):  # another appointment of the patient may overlap
            break
    if _ask(answer, HTTPStatus.CREATED)["id"] <= newest:
        raise ValueError("The new appointment has an id that was used before.")


def _ask(answer, status):
    if answer.status_code != status:
        raise ValueError(f"{answer.status_code}: {answer.content.decode()}")
    return answer.json()["data"]
