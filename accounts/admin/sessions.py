"""Sign-in sessions and failed sign-ins in the staff admin."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from accounts.auth import lockout, sessions
from accounts.models import LoginCounter, Session
from config.admin.base import ReadOnlyAdmin


class SessionStateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("live", _("Signed in")), ("over", _("Ended"))]

    def queryset(self, request, queryset):
        live = queryset.live().values("pk")
        match self.value():
            case "live":
                return queryset.filter(pk__in=live)
            case "over":
                return queryset.exclude(pk__in=live)
        return queryset


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions of tokens, which are not shown, and the action that ends them.

    A sign-in by cookie (this admin, the browsable API) has no session here. "End all sessions" on
    the page of a person ends it too.
    """

    named_by = ["user"]

    fields = [
        "user", "created_at", "rotated_at", "deadline", "ended_at", "address", "user_agent",
    ]  # fmt: skip
    list_display = fields[:-1]
    list_filter = [SessionStateFilter, ("user", AutocompleteSelectFilter)]
    list_select_related = ["user"]
    search_fields = ["user__search_text", "user__username"]
    date_hierarchy = "created_at"
    actions = ["end_sessions"]

    @admin.action(description=_("End the selected sessions"))
    def end_sessions(self, request, queryset):
        ended = sessions.end(queryset)
        self.message_user(request, _("Sessions ended: %(count)d.") % {"count": ended})


@admin.register(LoginCounter)
class LoginCounterAdmin(ReadOnlyAdmin):
    """Recent failed sign-ins, and the action that lifts a lockout."""

    named_by = ["user"]

    list_display = ["of", "address", "failures", "expires_at", "locked"]
    list_select_related = ["user"]
    search_fields = ["user__search_text", "user__username"]
    actions = ["lift"]

    @admin.action(description=_("Forget these failures and lift the lockout"))
    def lift(self, request, queryset):
        count = lockout.unlock(queryset)
        self.message_user(request, _("Failures forgotten: %(count)d.") % {"count": count})

    @display(description=_("account"))
    def of(self, counter):
        return str(counter)

    @display(description=_("locked"), boolean=True)
    def locked(self, counter):
        return lockout.is_locked(counter)
