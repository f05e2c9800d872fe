"""Mixins and conditions that slots, appointments and consultations share."""

from datetime import datetime

from django.contrib import admin
from django.db import models
from django.db.models import Case, Q, Value, When
from django.utils.translation import gettext_lazy as _

from appointments import clock
from appointments.lifecycle import Status

NOT_CANCELLED = ~Q(status=Status.CANCELLED)  # holds its slot and its patient's time


def choice_order(field, choices):
    """Return an expression that sorts by the position of a value in `choices`."""
    positions = [
        When(**{field: value}, then=Value(position)) for position, value in enumerate(choices)
    ]
    return Case(*positions, output_field=models.IntegerField())


def overlaps(starts_at, ends_at):
    """Return the condition that a row overlaps the interval; adjacent intervals do not overlap."""
    return Q(starts_at__lt=ends_at, ends_at__gt=starts_at)


class TimeStampedModel(models.Model):
    """Adds the times of creation and of the last change, from the clinic's clock."""

    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args, **kwargs):
        self.updated_at = clock.now()
        super().save(*args, **kwargs)


class LocalTimesMixin:
    """Adds `starts_at` and `ends_at` as date and times in the clinic's time zone."""

    starts_at: datetime
    ends_at: datetime

    @property
    @admin.display(description=_("date"))
    def date(self):
        return clock.to_clinic_time(self.starts_at).date()

    @property
    @admin.display(description=_("start time"))
    def start_time(self):
        return clock.to_clinic_time(self.starts_at).time()

    @property
    @admin.display(description=_("end time"))
    def end_time(self):
        return clock.to_clinic_time(self.ends_at).time()

    @property
    def duration_minutes(self):
        return int((self.ends_at - self.starts_at).total_seconds() // 60)
