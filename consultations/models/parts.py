"""The parts of a consultation: vital signs, prescriptions and notes, with their versions."""

from datetime import datetime
from decimal import Decimal

from django.contrib import admin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import PROTECT, Count, F, Q, Sum, Value, Window
from django.db.models.functions import Length, RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.models import HistoricalRecords

from accounts.models import User
from accounts.roles import UserType
from appointments import clock
from config.db.querysets import ScopedQuerySet
from config.db.text import (
    MAX_CLINICAL_TEXT_LENGTH,
    MAX_REASON_LENGTH,
    BoundedTextField,
    LineField,
    length_checks,
    text_names,
)
from consultations.choices import MedicationType, NoteType
from consultations.models.consultations import Consultation

MAX_PARTS = 100
MAX_PART_CHARACTERS = 200_000


class ConsultationPart(models.Model):
    """A record that belongs to a consultation, and through it to a patient."""

    consultation: "models.ForeignKey[Consultation, Consultation]"
    consultation_id: int
    _history_user: User
    _history_date: datetime

    class Meta:
        abstract = True

    @property
    def subject_id(self):
        return self.consultation.patient_id

    @property
    def reference(self):
        """The name of this row in the audit log."""
        return f"consultation/{self.consultation_id}/{self._meta.model_name}/{self.pk}"


class ConsultationPartQuerySet(ScopedQuerySet):
    """Visible with the consultation."""

    def newest(self):
        """The newest parts of each consultation, as many as its JSON object and page show.

        These are at most MAX_PARTS rows with at most MAX_PART_CHARACTERS in all their texts. Each
        row has the number of all parts of its kind as `number_of_parts`.
        """
        whole, order = "consultation", F("pk").desc()
        characters = sum(map(Length, text_names(self.model)), start=Value(0))
        return self.annotate(
            number_of_parts=Window(Count("pk"), partition_by=whole),
            place=Window(RowNumber(), partition_by=whole, order_by=order),
            characters=Window(Sum(characters), partition_by=whole, order_by=order),
        ).filter(place__lte=MAX_PARTS, characters__lte=MAX_PART_CHARACTERS)

    def visible_to(self, user):
        return self.filter(consultation__in=Consultation.objects.visible_to(user))

    def writable_by(self, user):
        return self.filter(consultation__in=Consultation.objects.writable_by(user))


def _limits(lowest, highest):
    """Return validators for a plausible measurement.

    The limits catch typing errors. They are wider than any clinical reference range.
    """
    return [MinValueValidator(Decimal(lowest)), MaxValueValidator(Decimal(highest))]


def measurement(lowest, highest, digits=None, places=1):
    """Return an optional field: an integer, or with `digits` a decimal."""
    options = {"null": True, "blank": True, "validators": _limits(lowest, highest)}
    if digits is None:
        return models.PositiveSmallIntegerField(**options)
    return models.DecimalField(max_digits=digits, decimal_places=places, **options)


class VitalSigns(ConsultationPart):
    """Measurements taken at one time.

    Blood pressure in mmHg, heart rate and respiratory rate per minute, temperature in °C, oxygen
    saturation in percent, weight in kg, height in cm.
    """

    consultation = models.ForeignKey(Consultation, PROTECT, related_name="vital_signs")
    systolic_bp = measurement("40", "300")
    diastolic_bp = measurement("20", "200")
    heart_rate = measurement("20", "300")
    temperature = measurement("25", "45", digits=3)
    respiratory_rate = measurement("2", "80")
    oxygen_saturation = measurement("30", "100")
    weight = measurement("0.3", "500", digits=6, places=3)  # grams of a newborn
    height = measurement("20", "260", digits=4)
    recorded_by = models.ForeignKey(User, PROTECT, related_name="recorded_vital_signs")
    recorded_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ConsultationPartQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = gettext_lazy("vital signs")
        constraints = [
            models.CheckConstraint(
                condition=Q(systolic_bp=None)
                | Q(diastolic_bp=None)
                | Q(diastolic_bp__lt=F("systolic_bp")),
                name="diastolic_below_systolic",
                violation_error_message=gettext_lazy(
                    "The diastolic pressure lies below the systolic."
                ),
            ),
        ]

    def __str__(self):
        return _("Vital signs %(number)s of consultation %(consultation)s") % {
            "number": self.pk,
            "consultation": self.consultation_id,
        }

    @property
    @admin.display(description=gettext_lazy("BMI"))
    def bmi(self):
        """The body mass index: weight in kg / (height in m)², to one decimal.

        None without weight and height. The formula is that of the WHO.
        """
        if not (self.weight and self.height):
            return None
        metres = Decimal(self.height) / 100
        return round(Decimal(self.weight) / metres**2, 1)


class Prescription(ConsultationPart):
    """A prescribed medication. Only `is_active` changes after creation."""

    consultation = models.ForeignKey(Consultation, PROTECT, related_name="prescriptions")
    medication_name = LineField(max_length=200)
    dosage = LineField(max_length=100)
    frequency = LineField(max_length=100)
    duration = LineField(max_length=100)
    instructions = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    medication_type = models.CharField(
        max_length=20, choices=MedicationType, default=MedicationType.TABLET
    )
    quantity = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    is_active = models.BooleanField(default=True)
    override_reason = BoundedTextField(
        max_length=MAX_REASON_LENGTH,
        blank=True,
        help_text=gettext_lazy("Why it was prescribed against a listed allergy."),
    )
    prescribed_by = models.ForeignKey(User, PROTECT, related_name="prescribed")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ConsultationPartQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]
        constraints = length_checks(
            "prescription",
            medication_name=200,
            dosage=100,
            frequency=100,
            duration=100,
            instructions=MAX_CLINICAL_TEXT_LENGTH,
            override_reason=MAX_REASON_LENGTH,
        )

    def __str__(self):
        return f"{self.medication_name} {self.dosage}"


class ConsultationNoteQuerySet(ConsultationPartQuerySet):
    """Visible with the consultation; patients do not see private notes."""

    def visible_to(self, user):
        return super().visible_to(user).readable_by(user)

    def readable_by(self, user):
        """Filter notes of visible consultations by those that the user may read."""
        hidden = ConsultationNote.hidden_rows.get(getattr(user, "role", None))
        return self if hidden is None else self.filter(~hidden)


class ConsultationNote(ConsultationPart):
    consultation = models.ForeignKey(Consultation, PROTECT, related_name="notes")
    note_type = models.CharField(max_length=20, choices=NoteType)
    title = LineField(max_length=200, blank=True)
    content = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH)
    is_private = models.BooleanField(
        default=False, help_text=gettext_lazy("Never shown to the patient.")
    )
    created_by = models.ForeignKey(User, PROTECT, related_name="written_notes")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    hidden_rows: dict[str | None, Q] = {UserType.PATIENT: Q(is_private=True)}

    objects = ConsultationNoteQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]
        constraints = length_checks(
            "consultation_note", title=200, content=MAX_CLINICAL_TEXT_LENGTH
        )

    def __str__(self):
        return self.title or _("Note: %(type)s") % {"type": self.get_note_type_display()}
