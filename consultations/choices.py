"""The choices of consultations, prescriptions and notes."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ConsultationStatus(TextChoices):
    """The status that models.Consultation.status derives."""

    SCHEDULED = "scheduled", _("Scheduled")
    IN_PROGRESS = "in_progress", _("In progress")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


class MedicationType(TextChoices):
    TABLET = "tablet", _("Tablet")
    CAPSULE = "capsule", _("Capsule")
    SYRUP = "syrup", _("Syrup")
    INJECTION = "injection", _("Injection")
    CREAM = "cream", _("Cream")
    DROPS = "drops", _("Drops")
    OTHER = "other", _("Other")


class NoteType(TextChoices):
    ASSESSMENT = "assessment", _("Assessment")
    PLAN = "plan", _("Plan")
    FOLLOW_UP = "follow_up", _("Follow-up")
    LAB_RESULTS = "lab_results", _("Lab results")
    IMAGING = "imaging", _("Imaging")
    REFERRAL = "referral", _("Referral")
    GENERAL = "general", _("General")
    ADDENDUM = "addendum", _("Addendum")
