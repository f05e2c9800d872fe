"""The history of an appointment."""

from itertools import combinations

from django.contrib import admin
from django.db import models
from django.db.models import PROTECT
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from appointments import clock
from appointments.lifecycle import ACTION_TITLES, Status
from appointments.models.appointments import Appointment
from config.db.querysets import ScopedQuerySet, hidden_fields


class AppointmentHistoryQuerySet(ScopedQuerySet):
    """Visible with the appointment, except changes of nothing but fields hidden from the role."""

    def visible_to(self, user):
        entries = self.filter(appointment__in=Appointment.objects.visible_to(user))
        hidden = sorted(hidden_fields(Appointment, getattr(user, "role", None)))
        for count in range(1, len(hidden) + 1):
            for names in combinations(hidden, count):
                entries = entries.exclude(changes=list(names))
        return entries


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
    reason = models.TextField(blank=True)
    changed_by = models.ForeignKey(User, PROTECT, related_name="appointment_changes")
    created_at = models.DateTimeField(default=clock.now)

    objects = AppointmentHistoryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = gettext_lazy("appointment history")

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
