"""Who is signed in, who has failed to, and the means to put either right."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from accounts.auth import lockout, sessions
from accounts.models import LoginCounter, Session
from config.admin.base import ReadOnlyAdmin


class SessionStateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("live", "Signed in"), ("over", "Over")]

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
    """Who is signed in with tokens, which are not shown, and the means to sign somebody out.

    A sign-in by cookie (this admin, the browsable API) has no row here; "End all sessions" at the
    person ends it too.
    """

    fields = [
        "user", "created_at", "rotated_at", "deadline", "ended_at", "address", "user_agent",
    ]  # fmt: skip
    list_display = fields[:-1]
    list_filter = [SessionStateFilter, ("user", AutocompleteSelectFilter)]
    list_select_related = ["user"]
    search_fields = ["user__first_name", "user__last_name", "user__username", "user__email"]
    date_hierarchy = "created_at"
    actions = ["end_sessions"]

    @admin.action(description="End the sessions chosen")
    def end_sessions(self, request, queryset):
        ended = sessions.end(queryset)
        self.message_user(request, f"Sessions ended: {ended}.")


@admin.register(LoginCounter)
class LoginCounterAdmin(ReadOnlyAdmin):
    """Who has failed to sign in lately, and the means to let somebody try again."""

    list_display = ["of", "address", "failures", "expires_at", "locked"]
    list_select_related = ["user"]
    search_fields = ["user__first_name", "user__last_name", "user__username", "user__email"]
    actions = ["lift"]

    @admin.action(description="Forget these failures, and lift the lockout")
    def lift(self, request, queryset):
        self.message_user(request, f"Failures forgotten: {lockout.unlock(queryset)}.")

    @display(description="account")
    def of(self, counter):
        return str(counter)

    @display(description="locked", boolean=True)
    def locked(self, counter):
        return lockout.is_locked(counter)
