import secrets

from django.db import transaction

from accounts import services as accounts
from accounts.roles import UserType
from patients.models import Patient
from patients.signals import patient_deactivated


@transaction.atomic
def create_patient(*, username="", email="", password=None, **fields):
    """A new patient, registered at the desk.

    The username defaults to the e-mail address, or to one nobody has. With an address and no
    password, a letter invites the patient to choose one.
    """
    username = username or email or f"patient-{secrets.token_hex(4)}"
    user = accounts.register(
        username=username, email=email, password=password, user_type=UserType.PATIENT, **fields
    )
    if email and password is None:
        accounts.invite(user)
    return Patient.objects.get(pk=user.pk)


@transaction.atomic
def deactivate(patient, *, by):
    """Close a record: it leaves every list and its coming appointments are cancelled.

    No clinical row is deleted, and the e-mail address stays taken.
    """
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    patient.is_active = False
    patient.save()
    patient.sessions.live().end()
    patient_deactivated.send(sender=Patient, patient=patient, by=by)
    return patient


@transaction.atomic
def reactivate(patient):
    """Open a closed record again; its cancelled appointments stay cancelled."""
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    patient.is_active = True
    patient.save()
    return patient
