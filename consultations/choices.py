"""The words of a consultation, and what its derived status is."""

from django.db.models import TextChoices


class ConsultationStatus(TextChoices):
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class MedicationType(TextChoices):
    TABLET = "tablet"
    CAPSULE = "capsule"
    SYRUP = "syrup"
    INJECTION = "injection"
    CREAM = "cream"
    DROPS = "drops"
    OTHER = "other"


class NoteType(TextChoices):
    ASSESSMENT = "assessment"
    PLAN = "plan"
    FOLLOW_UP = "follow_up", "Follow-up"
    LAB_RESULTS = "lab_results", "Lab results"
    IMAGING = "imaging"
    REFERRAL = "referral"
    GENERAL = "general"
    ADDENDUM = "addendum"
