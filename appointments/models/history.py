"""The history of an appointment."""

from itertools import combinations

from django.contrib import admin
from django.db import models
from django.db.models import PROTECT, F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from appointments import clock
from appointments.lifecycle import ACTION_TITLES, Status
from appointments.models.appointments import Appointment
from config.db.querysets import ScopedQuerySet, hidden_fields
from config.db.text import MAX_REASON_LENGTH, BoundedTextField, length_checks

MAX_ENTRIES = 100  # on the page of an appointment in the admin


class AppointmentHistoryQuerySet(ScopedQuerySet):
    """Visible with the appointment, except changes of nothing but fields hidden from the role."""

    def visible_to(self, user):
        entries = self.filter(appointment__in=Appointment.objects.visible_to(user))
        hidden = sorted(hidden_fields(Appointment, getattr(user, "role", None)))
        for count in range(1, len(hidden) + 1):
            for names in combinations(hidden, count):
                entries = entries.exclude(changes=list(names))
        return entries

    def newest(self):
        """The newest MAX_ENTRIES of each appointment."""
        place = Window(RowNumber(), partition_by="appointment", order_by=F("pk").desc())
        return self.annotate(place=place).filter(place__lte=MAX_ENTRIES)


class AppointmentHistory(models.Model):
    """One change of an appointment. The services write the row in the change's transaction."""

    appointment = models.ForeignKey(Appointment, PROTECT, related_name="history")
    action = models.CharField(max_length=20)
    from_status = models.CharField(max_length=20, blank=True, choices=Status)
    to_status = models.CharField(max_length=20, choices=Status)
    from_starts_at = models.DateTimeField(null=True, blank=True)
    to_starts_at = models.DateTimeField()
    changes = models.JSONField(
        default=list, help_text=gettext_lazy("Names of the fields, never their values.")
    )
    reason = BoundedTextField(max_length=MAX_REASON_LENGTH, blank=True)
    changed_by = models.ForeignKey(User, PROTECT, related_name="appointment_changes")
    created_at = models.DateTimeField(default=clock.now)

    objects = AppointmentHistoryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = gettext_lazy("appointment history")
        constraints = length_checks("appointment_history", reason=MAX_REASON_LENGTH)

    def __str__(self):
        return _("Appointment %(number)s: %(action)s") % {
            "number": self.appointment_id,
            "action": self.action_title,
        }

    @property
    @admin.display(description=gettext_lazy("action"), ordering="action")
    def action_title(self):
        return ACTION_TITLES.get(self.action, self.action)

    @property
    def subject_id(self):
        return self.appointment.patient_id

    @property
    def reference(self):
        """The name of this row in the audit log."""
        return f"appointment/{self.appointment_id}/history/{self.pk}"
