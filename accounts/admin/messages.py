"""Letters in the staff admin: what is waiting, what was sent, and what could not be delivered."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from accounts.messages import outbox
from accounts.messages.templates import templates
from accounts.models import MessageStatus, OutgoingMessage
from config.admin.base import ReadOnlyAdmin, coloured_label

STATUS_COLOURS = {
    MessageStatus.WAITING: "info",
    MessageStatus.SENT: "success",
    MessageStatus.FAILED: "danger",
    MessageStatus.CANCELLED: "default",
}


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(ReadOnlyAdmin):
    """The outbox. A letter that failed for a day can be sent again."""

    named_by = ["user"]

    fields = [
        "recipient", "user", "title", "status", "created_at", "due_at", "attempts",
        "next_attempt_at", "ended_at", "last_error",
    ]  # fmt: skip
    list_display = ["recipient", "title", "state", "created_at", "attempts", "ended_at"]
    list_filter = [("status", ChoicesDropdownFilter), ("user", AutocompleteSelectFilter)]
    list_select_related = ["user"]
    search_fields = ["recipient"]
    date_hierarchy = "created_at"
    actions = ["send_again"]

    @admin.action(description=_("Send the selected letters again, if they failed"))
    def send_again(self, request, queryset):
        failed = queryset.filter(status=MessageStatus.FAILED)
        self.for_each_selected(
            request, failed, outbox.send_again, _("Letters to send again: %(count)d.")
        )

    @display(description=_("letter"), ordering="template")
    def title(self, message):
        template = templates().get(message.template)
        return template.title if template else message.template

    @display(description=_("status"), ordering="status")
    def state(self, message):
        return coloured_label(message.get_status_display(), STATUS_COLOURS[message.status])
