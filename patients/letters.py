"""The letters about patients' records. See accounts.messages.templates."""

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.messages.templates import Letter, Template, letter
from accounts.models import OutgoingMessage
from accounts.roles import ADMINS


def record_opened(message: OutgoingMessage) -> Letter | None:
    """To the patient, at the address that the record has now."""
    if message.user is None or not (message.user.is_active and message.user.letter_address):
        return None
    return letter(
        message.user.letter_address,
        _("Your record was opened"),
        _(
            "A doctor opened your record at the clinic outside of an appointment with you. "
            "Sign in to see when and why: %(link)s"
        )
        % {"link": settings.FRONTEND_URL},
    )


def emergency_access(message: OutgoingMessage) -> Letter | None:
    """To an admin; `values` has the ids of the access and the doctor."""
    admin = message.user
    if admin is None or not (admin.is_active and admin.role in ADMINS and admin.email):
        return None
    page = reverse("admin:patients_emergencyaccess_change", args=[message.values["access"]])
    return letter(
        admin.email,
        _("Emergency access %(access)d to review") % message.values,
        _(
            "Doctor number %(doctor)d opened a record in an emergency. Please review the "
            "access in the administration: %(page)s"
        )
        % {**message.values, "page": page},
    )


LETTERS = {
    "record_opened": Template(gettext_lazy("Opened record"), record_opened),
    "emergency_access": Template(gettext_lazy("Emergency access to review"), emergency_access),
}
