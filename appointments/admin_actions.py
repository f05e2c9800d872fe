"""Actions, filters and colours of the admin pages about appointments."""

from datetime import timedelta
from functools import partial

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action

from appointments import clock, services
from appointments.forms import MoveForm, ReopenForm, RescheduleForm
from appointments.lifecycle import ACTION_TITLES, MOVES, Status

STATUS_COLOURS = {
    Status.SCHEDULED: "info",
    Status.CONFIRMED: "primary",
    Status.IN_PROGRESS: "warning",
    Status.COMPLETED: "success",
    Status.CANCELLED: "danger",
    Status.NO_SHOW: "danger",
}
# The action of the list, and the message about its result.
BULK_MOVES = {
    "confirm": (
        _("Confirm the selected appointments"),
        _("Appointments confirmed: %(count)d."),
    ),
    "start": (
        _("Start the selected appointments"),
        _("Appointments started: %(count)d."),
    ),
    "complete": (
        _("Complete the selected appointments"),
        _("Appointments completed: %(count)d."),
    ),
    "no_show": (
        _("Mark the selected appointments as no-show"),
        _("Appointments marked as no-show: %(count)d."),
    ),
    "cancel": (
        _("Cancel the selected appointments"),
        _("Appointments cancelled: %(count)d."),
    ),
}
PEOPLE_SEARCH_FIELDS = ["patient__search_text", "doctor__search_text"]


MOVE_FORMS = {"reschedule": RescheduleForm, "reopen": ReopenForm}  # MoveForm for all others


def is_autocomplete(request):
    """Whether the request comes from the search box of a form, not from a list."""
    return request.resolver_match.url_name == "autocomplete"


def detail_action(name, icon):
    """The button that makes the move `name` with the appointment on the page."""
    title, target = ACTION_TITLES[name], MOVES[name].target
    done = _("The status of the appointment is now: %(status)s.")

    @action(description=title, icon=icon)
    def make_move(model_admin, request, object_id):
        return model_admin.action_view(
            request,
            object_id,
            title=title,
            form=MOVE_FORMS.get(name, MoveForm),
            act=partial(services.move, action=name, by=request.user),
            done=done % {"status": target.label} if target else _("The appointment is reopened."),
        )

    make_move.__name__ = name
    return make_move


def bulk_action(name):
    """The action that makes the move `name` with every appointment selected in the list."""
    title, done = BULK_MOVES[name]

    @admin.action(description=title)
    def make_moves(model_admin, request, queryset):
        act = partial(services.move, action=name, by=request.user)
        model_admin.for_each_selected(request, queryset, act, done)

    make_moves.__name__ = f"{name}_chosen"
    return make_moves


class WhenFilter(DropdownFilter):
    """Days that receptionists ask for often. The date hierarchy has all others."""

    title = _("day")
    parameter_name = "when"

    def lookups(self, request, model_admin):
        return [
            ("today", _("Today")),
            ("tomorrow", _("Tomorrow")),
            ("week", _("Next 7 days")),
            ("ahead", _("From now on")),
            ("past", _("Past")),
        ]

    def queryset(self, request, queryset):
        today = clock.today()
        start, tomorrow = clock.day_bounds(today)
        match self.value():
            case "today":
                return queryset.filter(starts_at__gte=start, starts_at__lt=tomorrow)
            case "tomorrow":
                end = clock.day_bounds(today + timedelta(days=1))[1]
                return queryset.filter(starts_at__gte=tomorrow, starts_at__lt=end)
            case "week":
                end = clock.start_of_day(today + timedelta(days=7))
                return queryset.filter(starts_at__gte=start, starts_at__lt=end)
            case "ahead":
                return queryset.filter(starts_at__gt=clock.now())
            case "past":
                return queryset.filter(starts_at__lte=clock.now())
        return queryset


class SlotStateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [
            ("free", _("Free")),
            ("held", _("Booked")),
            ("withdrawn", _("Withdrawn")),
        ]

    def queryset(self, request, queryset):
        match self.value():
            case "free":
                return queryset.free()
            case "held":
                return queryset.filter(is_held=True)
            case "withdrawn":
                return queryset.filter(withdrawn_at__isnull=False)
        return queryset


class ActionFilter(DropdownFilter):
    title = _("action")
    parameter_name = "action"

    def lookups(self, request, model_admin):
        return ACTION_TITLES.items()

    def queryset(self, request, queryset):
        return queryset.filter(action=self.value()) if self.value() else queryset
