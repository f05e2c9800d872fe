"""The measured requests, as bytes, with access tokens of people of the made clinic.

Many people send each request in turn.
"""

import json
from datetime import timedelta

from benchmarks.dataset import SLOT

PATIENTS = 200  # signed in; a multiple of the number of doctors
WEEKS = 8  # per doctor, searched for free slots
DETAILS = 50  # appointments per doctor that are read one by one


class Calls:
    """Signs people in; needs configured Django and the database filled by `plan`."""

    def __init__(self, plan):
        from accounts.auth.sessions import open_session
        from accounts.models import User

        self.plan = plan
        every = len(plan.patients) // PATIENTS
        self.doctors = list(plan.doctors)
        self.patients = plan.patients[:: max(1, every)][:PATIENTS]
        people = User.objects.filter(pk__in=[*self.doctors, *self.patients])
        self.tokens = {person.pk: open_session(person)["access"] for person in people}
        self.turns = plan.later_turns()

    def reads(self):
        """Returns {call: requests} of the reads that all variants answer."""
        return {
            "list": [self.get(doctor, "/api/appointments/") for doctor in self.doctors],
            "list by cursor": [
                self.get(doctor, "/api/appointments/?cursor=") for doctor in self.doctors
            ],
            "detail": [
                self.get(doctor, f"/api/appointments/{pk}/")
                for doctor, pk in self._some_appointments()
            ],
            "slots": [
                self.get(patient, f"/api/time-slots/?{week}")
                for patient, week in zip(self.patients, self._weeks(), strict=False)
            ],
            "profile": [self.get(patient, "/api/auth/profile/") for patient in self.patients],
        }

    def reads_of_the_product(self):
        """Returns {call: requests} of lists that only the product has."""
        pages = {
            "upcoming": (self.doctors, "/api/upcoming/"),
            "doctors": (self.patients, "/api/doctors/"),
            "patients": (self.doctors, "/api/patients/"),
            "consultations": (self.doctors, "/api/consultations/"),
        }
        return {
            name: [self.get(person, path) for person in people]
            for name, (people, path) in pages.items()
        }

    def bookings(self, batch=500, with_keys=False):
        """Yields bookings without end, each of a new slot after the plan's last week."""
        while True:
            for patient, slot in self.slots(batch):
                headers = {"Idempotency-Key": f"slot-{slot}"} if with_keys else {}
                yield self.book(patient, slot, **headers)

    def slots(self, number):
        """Opens slots and returns (patient, slot id) pairs without overlaps for a patient."""
        from appointments.models import TimeSlot

        turns = [next(self.turns) for _ in range(number)]
        opened = TimeSlot.objects.bulk_create(
            TimeSlot(
                doctor_id=self.plan.doctor(one),
                starts_at=self.plan.starts_at(one),
                ends_at=self.plan.starts_at(one) + SLOT,
            )
            for one in map(self.plan.slot, turns)
        )
        people = [self.patients[turn % len(self.patients)] for turn in turns]
        return [(patient, slot.pk) for patient, slot in zip(people, opened, strict=True)]

    def get(self, person, path):
        return self.request(person, "GET", path)

    def book(self, patient, slot, **headers):
        body = {"time_slot": slot, "reason_for_visit": "A cough", "symptoms": "Since last week"}
        return self.request(patient, "POST", "/api/appointments/", body, **headers)

    def request(self, person, method, path, body=None, **headers):
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            headers |= {"Content-Type": "application/json", "Content-Length": len(content)}
        headers = {"Host": "localhost", "Authorization": f"Bearer {self.tokens[person]}"} | headers
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {one}" for name, one in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + content

    def _some_appointments(self):
        from appointments.models import Appointment

        rows = Appointment.objects.order_by("pk")
        step = max(1, rows.count() // (DETAILS * len(self.doctors)))
        return list(rows.values_list("doctor", "pk"))[::step]

    def _weeks(self):
        """Returns the query of each doctor and coming week within the plan."""
        last_day = self.plan.starts_at(self.plan.slots).date()
        coming = [self.plan.monday + timedelta(weeks=week) for week in range(1, WEEKS + 1)]
        whole = [monday for monday in coming if monday + timedelta(days=4) <= last_day]
        return [
            f"doctor={doctor}&date_after={monday}&date_before={monday + timedelta(days=6)}"
            for doctor in self.doctors
            for monday in whole
        ]
