"""Emergency access: its grant to a doctor, the letters about it, and its review by an admin."""

from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import log as audit
from accounts.messages import outbox
from accounts.models import Doctor, User
from accounts.roles import ADMINS, UserType
from config.db.transactions import atomic_with_retry
from config.errors import rule_error
from patients.models import EmergencyAccess, Patient, ReviewOutcome

DURATION = timedelta(minutes=60)
PERIOD = timedelta(hours=1)  # of the limit EMERGENCY_ACCESS_PER_HOUR


@atomic_with_retry
def grant_emergency_access(patient: Patient, *, by: User, reason: str) -> EmergencyAccess:
    """Let a doctor read a patient's record for an hour, as doctors do who treat the patient.

    The patient and the admins get a letter. Raises ValidationError where `reason` has less than ten
    visible characters, where the record is closed, with the code `emergency_access_live` where the
    doctor has access already, and with `throttled` beyond EMERGENCY_ACCESS_PER_HOUR.
    """
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    if not patient.is_active:
        raise ValidationError({"patient": _("This patient's record is closed.")})
    doctor = Doctor.objects.select_for_update(no_key=True).get(pk=by.pk)
    now = timezone.now()
    access = EmergencyAccess(
        patient=patient,
        doctor=doctor,
        reason=reason,
        created_at=now,
        expires_at=now + DURATION,
    )
    access.full_clean(validate_constraints=False)
    _check_no_live_access(access, now)
    _check_limit(doctor, now)
    access.save(force_insert=True)
    audit.record_create("emergencyaccess.grant", access, by=by)
    _send_letters(access)
    return access


def _check_no_live_access(access: EmergencyAccess, now: datetime) -> None:
    live = EmergencyAccess.objects.live(now)
    if live.filter(doctor=access.doctor, patient=access.patient).exists():
        sentence = _("You have emergency access to this record already.")
        raise rule_error("patient", sentence, "emergency_access_live")


def _check_limit(doctor: Doctor, now: datetime) -> None:
    """Compare the doctor's grants of the last hour with the limit, under the doctor's lock."""
    limit = settings.EMERGENCY_ACCESS_PER_HOUR
    if limit <= 0:
        return
    recent = EmergencyAccess.objects.filter(doctor=doctor, created_at__gt=now - PERIOD)
    times = list(recent.order_by("-created_at").values_list("created_at", flat=True)[:limit])
    if len(times) == limit:
        sentence = _("The clinic allows %(limit)d emergency accesses in an hour.")
        wait = ceil((times[-1] + PERIOD - now).total_seconds())
        raise ValidationError(
            sentence % {"limit": limit}, code="throttled", params={"wait": max(wait, 1)}
        )


def _send_letters(access: EmergencyAccess) -> None:
    """Tell the patient and every admin. The letters name nobody and nothing clinical."""
    patient = access.patient
    if patient.letter_address:
        outbox.send("record_opened", to=patient.letter_address, user=patient)
    admins = User.objects.filter(user_type=UserType.ADMIN, is_active=True).exclude(email="")
    for admin in admins.order_by("pk"):
        ids = {"access": access.pk, "doctor": access.doctor_id}
        outbox.send("emergency_access", to=admin.email, user=admin, **ids)


@atomic_with_retry
def review_emergency_access(
    access: EmergencyAccess, *, by: User, outcome: ReviewOutcome | str
) -> EmergencyAccess:
    """Note what an admin found about an access.

    Raises ValidationError with the code `invalid_transition` where the access is reviewed already,
    and PermissionDenied for anybody but an admin.
    """
    if by.role not in ADMINS:
        raise PermissionDenied
    rows = EmergencyAccess.objects.select_for_update(of=("self",), no_key=True)
    access = rows.select_related("doctor", "patient").get(pk=access.pk)
    if access.reviewed_at is not None:
        sentence = _("Somebody else has reviewed this access already.")
        raise rule_error("outcome", sentence, "invalid_transition")
    access.reviewed_by, access.reviewed_at, access.outcome = by, timezone.now(), outcome
    access.full_clean(exclude=["reason"], validate_constraints=False)
    access.save()
    fields = ["reviewed_by", "reviewed_at", "outcome"]
    audit.record_change("emergencyaccess.review", access, by=by, fields=fields)
    return access
