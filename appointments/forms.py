"""What is typed about appointments and time slots in the staff admin."""

from django import forms
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTimeWidget,
)

from appointments.models import TimeSlot
from config.admin.forms import ActionForm, ServiceForm


def time_of(timed):
    """When it is, as one says it at the desk."""
    return f"{timed.date:%a %d %b %Y}, {timed.start_time:%H:%M}-{timed.end_time:%H:%M}"


class MoveForm(ActionForm):
    reason = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


class SlotChoice(forms.ModelChoiceField):
    widget = UnfoldAdminSelect2Widget
    default_error_messages = {"invalid_choice": "This time slot is not free any more."}

    def label_from_instance(self, slot):
        return time_of(slot)


class RescheduleForm(MoveForm):
    time_slot = SlotChoice(queryset=None, empty_label="Choose a free time", label="New time")
    field_order = ["time_slot", "reason"]

    def __init__(self, record, data=None):
        super().__init__(record, data)
        self.fields["time_slot"].queryset = TimeSlot.objects.free().filter(doctor=record.doctor_id)


class TimeSlotForm(ServiceForm):
    """A slot as the clinic's clock shows it."""

    date = forms.DateField(widget=UnfoldAdminDateWidget)
    start_time = forms.TimeField(widget=UnfoldAdminTimeWidget)
    end_time = forms.TimeField(widget=UnfoldAdminTimeWidget)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in ("date", "start_time", "end_time"):
                self.initial[name] = getattr(self.instance, name)
