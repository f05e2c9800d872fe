"""The prepared query of the directory of patients. See config.db.prepared."""

from datetime import date, datetime
from typing import NamedTuple

from accounts.models.names import full_name_of, patient_display
from config.api.filters import narrow, order_by
from config.db.prepared import PreparedQuery
from config.db.querysets import Viewer
from patients.filters import PatientFilter
from patients.models import Patient

PATIENT_ORDER = ["sort_last_name", "sort_first_name", "pk"]
PATIENT_ORDERING_FIELDS = {
    "last_name": "sort_last_name",
    "first_name": "sort_first_name",
    "created_at": "created_at",
}


class PatientRow(NamedTuple):
    """A patient in the directory, without the fields that only the record shows."""

    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    user_type: str
    phone: str
    date_of_birth: date | None
    gender: str
    email_verified: bool
    contact_email: str
    emergency_contact: str
    emergency_contact_phone: str
    emergency_contact_relation: str
    created_at: datetime
    updated_at: datetime

    @property
    def full_name(self):
        return full_name_of(self.first_name, self.last_name, self.username)

    @property
    def display(self):
        return patient_display(self.full_name, self.date_of_birth, self.id)


def _patients(key, user_id, *arguments):
    rows = Patient.objects.visible_to(Viewer(user_id, key.role))
    rows = narrow(rows, PatientFilter, key.filters, arguments)
    return rows.order_by(*order_by(key.ordering, PATIENT_ORDERING_FIELDS, PATIENT_ORDER))


PATIENTS = PreparedQuery(_patients, columns=PatientRow._fields)
