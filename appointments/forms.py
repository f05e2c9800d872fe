"""Forms of the admin for appointments and time slots."""

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTimeWidget,
)

from appointments.booking_rules import DATE_FORMAT
from appointments.models import TimeSlot
from config.admin.forms import ActionForm, ServiceForm
from config.api.fields import EARLIEST, LATEST
from config.db.text import MAX_REASON_LENGTH


def format_time(row):
    """Format date and times of a slot or appointment: Mon 07 Dec 2026, 09:00-09:30."""
    day = date_format(row.date, DATE_FORMAT)
    return f"{day}, {row.start_time:%H:%M}-{row.end_time:%H:%M}"


class MoveForm(ActionForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MAX_REASON_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class ReopenForm(ActionForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class TimeSlotField(forms.ModelChoiceField):
    widget = UnfoldAdminSelect2Widget
    default_error_messages = {"invalid_choice": _("This time slot is not free any more.")}

    def label_from_instance(self, slot):
        return format_time(slot)


class RescheduleForm(MoveForm):
    time_slot = TimeSlotField(
        queryset=None, empty_label=_("Choose a free time"), label=_("New time")
    )
    field_order = ["time_slot", "reason"]

    def __init__(self, record, data=None):
        super().__init__(record, data)
        self.fields["time_slot"].queryset = TimeSlot.objects.free().filter(doctor=record.doctor_id)


class TimeSlotForm(ServiceForm):
    """A slot, as date and times in the clinic's time zone."""

    date = forms.DateField(
        label=_("Date"),
        widget=UnfoldAdminDateWidget,
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )
    start_time = forms.TimeField(label=_("Start time"), widget=UnfoldAdminTimeWidget)
    end_time = forms.TimeField(label=_("End time"), widget=UnfoldAdminTimeWidget)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in ("date", "start_time", "end_time"):
                self.initial[name] = getattr(self.instance, name)
