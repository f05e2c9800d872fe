"""What every change of a consultation begins and ends with: locks, checks, version and audit."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.audit import log as audit
from accounts.models import Action, User
from appointments import clock, move_rules
from appointments import services as appointments
from config.db.versioning import check_version
from config.errors import rule_error
from consultations.models import DID_NOT_TAKE_PLACE, Consultation, ConsultationPart

RecordT = TypeVar("RecordT", bound=Consultation | ConsultationPart)
PartT = TypeVar("PartT", bound=ConsultationPart)


def lock(consultation: Consultation, if_version: AbstractSet[int] | None = None) -> Consultation:
    """Return the current row of the consultation, locked after its appointment.

    Raises `record_anonymised` where the patient is anonymised, which closes all consultations.
    """
    if consultation.appointment is not None:
        appointments.lock(consultation.appointment)
    rows = Consultation.objects.select_for_update(of=("self",), no_key=True).with_people()
    consultation = rows.get(pk=consultation.pk)
    if consultation.is_closed and consultation.appointment is None:
        appointments.check_not_anonymised(consultation.patient_id)
    check_version(consultation, if_version)
    return consultation


def check_not_completed(consultation: Consultation) -> None:
    if consultation.is_closed:
        sentence = _(
            "This consultation is completed. Reopen it, or add a note of type addendum instead."
        )
        raise rule_error("status", sentence, "consultation_closed")


def check_not_cancelled(consultation: Consultation, by: User) -> None:
    appointment = consultation.appointment
    if appointment and appointment.status in DID_NOT_TAKE_PLACE:
        sentence = _(
            "This consultation cannot take place. The status of its appointment is %(status)s."
        )
        raise move_rules.invalid_transition(appointment, by, sentence)


def save(record: RecordT, by: User, operation: str, changed: Sequence[str] = ()) -> RecordT:
    """Save the record and write the audit entry.

    Version and audit entry name `by` as the author, also outside a request.
    """
    record._history_user, record._history_date = by, clock.now()
    action = Action.CREATE if record._state.adding else Action.UPDATE
    record.save()
    event = f"{record._meta.model_name}.{operation}"
    audit.record_change(event, record, by=by, fields=changed, action=action)
    return record


def save_part(part: PartT, by: User, operation: str, changed: Sequence[str] = ()) -> PartT:
    """Save a part, and increment the version of its consultation, which the caller has locked."""
    Consultation.objects.filter(pk=part.consultation_id).update(version=F("version") + 1)
    return save(part, by, operation, changed)
