"""A clinic made at random, with a marker of its own in every text, and who may read which.

Said here once more, over plain rows and independently of the code, in plain words.
"""

from datetime import timedelta
from random import Random

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import clock, services, slot_services
from appointments.lifecycle import ConsultationType, Priority, Status
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.clinical_records import record_of
from consultations import services as consultations
from consultations.choices import ConsultationStatus
from consultations.models import Consultation
from patients.emergency_access import grant_emergency_access
from patients.models import EmergencyAccess, Patient
from patients.services import deactivate
from patients.tests.factories import PatientFactory


class World:
    """A clinic, and for each marker planted in it who may read it."""

    def __init__(self, seed):
        self.dice = Random(seed)  # noqa: S311  (the same worlds each time)
        self.marks = {}
        self.doctors = [
            *[DoctorFactory(username=f"doctor{n}") for n in range(3)],
            UnverifiedDoctorFactory(username="unverified"),
        ]
        self.admin = AdminFactory(username="ada")
        self.patients = [self.a_patient(n) for n in range(5)]
        self.appointments = [self.make_appointment() for _ in range(16)]
        self.rooms = [self.a_room(one) for one in self.appointments if self.dice.random() < 0.6]
        self.rooms += [self.a_walk_in() for _ in range(3)]
        for doctor in self.doctors:
            TimeSlotFactory(doctor=doctor)
            slot_services.withdraw(TimeSlotFactory(doctor=doctor))
        for _ in range(3):
            self.cancel_one()
        deactivate(self.patients[-1], by=self.admin)
        self.closed = self.patients.pop()
        self.grants = [self.an_emergency() for _ in range(2)]
        self.people = [*self.doctors, *self.patients, self.admin]
        self.rows = self.what_there_is()
        self.may_read = {
            mark: {one.pk for one in self.people if may(one)} for mark, may in self.marks.items()
        }

    def mark(self, may):
        """A new marker; `may` says of a person whether he may read it, once all is made."""
        name = f"mark{len(self.marks)}mark"
        self.marks[name] = may
        return name

    def a_patient(self, number):
        ids = []

        def reads_record(reader):
            return self.sees_record(reader, ids[0])

        def reads_name(reader):
            return reads_record(reader) or self.meets(reader, ids[0])

        patient = PatientFactory(
            username=f"patient{number}",
            first_name=self.mark(reads_name).capitalize(),
            last_name=self.mark(reads_name).capitalize(),
            **{
                field: self.mark(reads_record)
                for field in ("address", "medical_history", "allergies", "emergency_contact")
            },
        )
        ids.append(patient.pk)
        return patient

    def make_appointment(self):
        ids = []

        def reads(reader):
            return self.sees_appointment(reader, self.rows[Appointment][ids[0]])

        patient, doctor = self.dice.choice(self.patients), self.dice.choice(self.doctors[:3])
        appointment = make_appointment(
            self.dice.choice(["scheduled", "confirmed", "in_progress", "completed", "no_show"]),
            doctor=doctor,
            patient=patient,
            by=self.dice.choice([patient, doctor, self.admin]),
            reason_for_visit=self.mark(reads),
            symptoms=self.mark(reads),
            patient_notes=self.mark(reads),
        )
        ids.append(appointment.pk)
        secret = self.mark(lambda one: reads(one) and one.user_type != "patient")
        return services.update(appointment, by=doctor, doctor_notes=secret)

    def cancel_one(self):
        """Cancels an appointment, which may end a doctor's access to the patient."""
        open_ones = [one for one in self.appointments if one.status in ("scheduled", "confirmed")]
        if open_ones:
            chosen = self.dice.choice(open_ones)
            self.appointments.remove(chosen)
            may = lambda one: self.sees_appointment(one, self.rows[Appointment][chosen.pk])  # noqa: E731
            services.move(chosen, "cancel", by=self.admin, reason=self.mark(may))

    def a_room(self, appointment):
        with clock.frozen_at(appointment.starts_at):
            if appointment.status not in ("scheduled", "confirmed", "in_progress"):
                return self.a_walk_in()
            return self.furnished(
                lambda complaint: consultations.open_for(
                    appointment, by=appointment.doctor, chief_complaint=complaint
                )
            )

    def a_walk_in(self):
        patient, doctor = self.dice.choice(self.patients), self.dice.choice(self.doctors[:3])
        return self.furnished(
            lambda complaint: consultations.open_walk_in(
                patient=patient, doctor=doctor, chief_complaint=complaint, by=doctor
            )
        )

    def furnished(self, make):
        ids = []

        def reads(reader):
            return self.sees_consultation(reader, self.rows[Consultation][ids[0]])

        def reads_secrets(reader):
            return reads(reader) and reader.user_type != "patient"

        room = make(self.mark(reads))
        ids.append(room.pk)
        doctor = room.doctor
        texts = ("history_of_present_illness", "assessment", "diagnosis", "treatment_plan")
        written = {field: self.mark(reads) for field in texts}
        secret = self.mark(reads_secrets)
        consultations.update_text(room, by=doctor, **written, doctor_notes=secret)
        consultations.record_vital_signs(room, by=doctor, heart_rate=70)
        consultations.prescribe(
            room,
            by=doctor,
            medication_name=self.mark(reads),
            instructions=self.mark(reads),
            override_reason=self.mark(reads),
            dosage="5 mg",
            frequency="daily",
            duration="5 days",
        )
        for private, may in ((False, reads), (True, reads_secrets)):
            consultations.add_note(
                room,
                by=doctor,
                note_type="plan",
                title=self.mark(may),
                content=self.mark(may),
                is_private=private,
            )
        return room

    def an_emergency(self):
        """A verified doctor and any patient whose record is open."""
        ids = []

        def reads(reader):
            return self.sees_emergency(reader, self.rows[EmergencyAccess][ids[0]])

        doctor, patient = self.dice.choice(self.doctors[:3]), self.dice.choice(self.patients)
        access = grant_emergency_access(patient, by=doctor, reason=f"{self.mark(reads)}, no papers")
        ids.append(access.pk)
        return access

    def what_there_is(self):
        models = (Patient, Appointment, Consultation, TimeSlot, EmergencyAccess)
        parts = [record.model for record in record_of(Consultation).parts]
        return {
            model: {row["id"]: row for row in model.objects.values()} for model in (*models, *parts)
        }

    # --- Who may see what, in plain words ---------------------------------------------------

    def is_doctor(self, reader):
        return reader.user_type == "doctor" and reader.license_verified

    def sees_record(self, reader, patient):
        if patient == self.closed.pk:
            return False
        return reader.user_type == "admin" or self.is_doctor(reader) or reader.pk == patient

    def sees_appointment(self, reader, row):
        return (
            reader.user_type == "admin"
            or row["patient_id"] == reader.pk
            or (self.is_doctor(reader) and row["doctor_id"] == reader.pk)
        )

    def sees_consultation(self, reader, row):
        if reader.user_type == "admin" or row["patient_id"] == reader.pk:
            return True
        return self.is_doctor(reader) and (
            row["doctor_id"] == reader.pk or self.treats(reader, row["patient_id"])
        )

    def treats(self, doctor, patient):
        return any(
            row["booked_by_id"] in (patient, self.admin.pk)
            for row in self.rows[Appointment].values()
            if (row["doctor_id"], row["patient_id"]) == (doctor.pk, patient)
            and row["status"] != "cancelled"
        ) or any(
            (row["doctor_id"], row["patient_id"]) == (doctor.pk, patient)
            for row in self.rows[EmergencyAccess].values()
        )

    def sees_emergency(self, reader, row):
        if reader.user_type == "doctor":
            return self.is_doctor(reader) and row["doctor_id"] == reader.pk
        return reader.user_type == "admin" or row["patient_id"] == reader.pk

    def meets(self, reader, patient):
        """Returns whether a row that the reader sees names the patient."""
        return any(
            row["patient_id"] == patient and sees(reader, row)
            for model, sees in (
                (Appointment, self.sees_appointment),
                (Consultation, self.sees_consultation),
            )
            for row in self.rows[model].values()
        )

    def sees_slot(self, reader, row):
        if row["withdrawn_at"]:
            return False
        verified = {one.pk for one in self.doctors if one.license_verified}
        return {
            "admin": True,
            "doctor": row["doctor_id"] == reader.pk,
            "patient": row["doctor_id"] in verified,
        }[reader.user_type]

    def visible_ids(self, reader, address):
        """The ids that an answer at the address may hold."""
        words = address.strip("/").split("/")
        parts = {record.route: record.model for record in record_of(Consultation).parts}
        if len(words) > 3 and words[3] in parts:
            return {
                pk
                for pk, row in self.rows[parts[words[3]]].items()
                if self.sees_consultation(reader, self.rows[Consultation][row["consultation_id"]])
                and not (row.get("is_private") and reader.user_type == "patient")
            }
        of = {
            "patients": (Patient, lambda who, row: self.sees_record(who, row["id"])),
            "time-slots": (TimeSlot, self.sees_slot),
            "consultations": (Consultation, self.sees_consultation),
        }
        if words[-1] == "access-log":  # of people, without an id
            return None
        if "emergency-access" in words:
            model, sees = EmergencyAccess, self.sees_emergency
        elif {words[1], words[-1]} & {"appointments", "upcoming", "today"}:
            model, sees = Appointment, self.sees_appointment
        elif len(words) > 3:
            model, sees = of["consultations"]
        elif words[1] in of:
            model, sees = of[words[1]]
        else:
            return None
        return {pk for pk, row in self.rows[model].items() if sees(reader, row)}

    # --- Reading at random ------------------------------------------------------------------

    def an_id(self):
        kind = self.dice.choice(list(self.rows))
        return self.dice.choice([*self.rows[kind], *[one.pk for one in self.people], 999_999])

    def a_query(self, endpoint):
        view, asked = endpoint.view, {}
        if endpoint.actions["get"] != "list":
            return asked
        for name in getattr(getattr(view, "filterset_class", None), "base_filters", ()):
            if self.dice.random() < 0.25:
                asked[name] = self.a_value(name)
        if getattr(view, "search_fields", None) and self.dice.random() < 0.5:
            asked["search"] = self.dice.choice(list(self.marks))
        if getattr(view, "ordering_fields", None) and self.dice.random() < 0.3:
            asked["ordering"] = self.dice.choice(["", "-"]) + self.dice.choice(
                list(view.ordering_fields)
            )
        if view.pagination_class and self.dice.random() < 0.3:
            asked["page_size"] = self.dice.choice([1, 3, 100])
        if view.pagination_class and "ordering" not in asked and self.dice.random() < 0.2:
            asked["cursor"] = ""
        if "availability" in endpoint.address:
            asked["doctor"] = self.dice.choice(self.doctors).pk
        return asked

    def a_value(self, name):
        choices = {
            "status": [*Status.values, *ConsultationStatus.values],
            "consultation_type": ConsultationType.values,
            "priority": Priority.values,
            "gender": ["unknown", "female"],
            "available": ["true", "false"],
            "specialization": ["Cardiology"],
            "doctor": [one.pk for one in self.doctors],
            "patient": [one.pk for one in [*self.patients, self.closed]],
        }
        if name in choices:
            return self.dice.choice(choices[name])
        return (clock.today() + timedelta(days=self.dice.randrange(-5, 300))).isoformat()
