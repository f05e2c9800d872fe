"""What the pages about appointments are put together from: steps of MOVES, filters, words."""

from datetime import timedelta
from functools import partial

from django.contrib import admin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action

from appointments import clock, services
from appointments.forms import MoveForm, RescheduleForm
from appointments.lifecycle import MOVES, Status

STATUS_COLOURS = {
    Status.SCHEDULED.label: "info",
    Status.CONFIRMED.label: "primary",
    Status.IN_PROGRESS.label: "warning",
    Status.COMPLETED.label: "success",
    Status.CANCELLED.label: "danger",
    Status.NO_SHOW.label: "danger",
}
PEOPLE_SEARCH_FIELDS = [
    "patient__first_name", "patient__last_name", "patient__phone", "patient__email",
    "doctor__first_name", "doctor__last_name",
]  # fmt: skip


def is_autocomplete(request):
    """Whether the rows are asked for by a form's search box, not by a list."""
    return request.resolver_match.url_name == "autocomplete"


def detail_action(name, icon):
    """The button that makes the move `name` with the appointment on the page."""
    title = name.replace("_", "-").capitalize()

    @action(description=title, icon=icon)
    def step(model_admin, request, object_id):
        return model_admin.action_view(
            request,
            object_id,
            title=title,
            form=RescheduleForm if name == "reschedule" else MoveForm,
            act=partial(services.move, action=name, by=request.user),
            done=f"The appointment is now {MOVES[name].target.label.lower()}.",
        )

    step.__name__ = name
    return step


def bulk_action(name):
    """The action that makes the move `name` with every appointment chosen in the list."""
    title = name.replace("_", "-").capitalize()

    @admin.action(description=f"{title} the appointments chosen")
    def step(model_admin, request, queryset):
        act = partial(services.move, action=name, by=request.user)
        model_admin.for_each_selected(
            request, queryset, act, done=f"Moved to {MOVES[name].target.label}"
        )

    step.__name__ = f"{name}_chosen"
    return step


class WhenFilter(DropdownFilter):
    """The days a desk asks about; for any other there is the date hierarchy."""

    title = "day"
    parameter_name = "when"

    def lookups(self, request, model_admin):
        return [
            ("today", "Today"),
            ("tomorrow", "Tomorrow"),
            ("week", "The coming 7 days"),
            ("ahead", "From now on"),
            ("past", "Past"),
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
    title = "state"
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("free", "Free"), ("held", "Held by an appointment"), ("withdrawn", "Withdrawn")]

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
    title = "action"
    parameter_name = "action"

    def lookups(self, request, model_admin):
        return [(name, name.replace("_", "-")) for name in ("book", "updated", *MOVES)]

    def queryset(self, request, queryset):
        return queryset.filter(action=self.value()) if self.value() else queryset
