"""Base classes of the staff admin.

The admin deletes nothing. Its pages save through the services, and show what a service refuses on
the form, at the field at fault. They state which records they show (`config.admin.audited_pages`).
"""

import json
from collections.abc import Sequence

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import TextField
from django.http import HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from config.admin.audited_pages import (
    filtered_records,
    preselected_records,
    show_records,
    show_refused,
)
from config.admin.forms import ActionForm, ReadOnlyFormSet, RecordField, ServiceForm
from config.admin.parameters import is_known, list_error, refuse_bad_references
from config.api.pagination import DeferredJoinPaginator
from config.db import constraint_errors
from config.db.search import search
from config.db.transactions import atomic_with_retry


def run_atomically(work, *args, **kwargs):
    """Runs `work` in a transaction, and raises IntegrityError as the services' ValidationError."""
    try:
        return atomic_with_retry(work)(*args, **kwargs)
    except IntegrityError as error:
        raise constraint_errors.validation_error_for(error) or error from error


def coloured_label(text, colour):
    """The text as a coloured label; colours are "info", "success", "warning", "danger", "primary".

    The colour is chosen by a value, not by the text: the text depends on the active language.
    """
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


class ServiceModelAdmin(ModelAdmin):
    """Pages that save through the services, and state for the audit which records they show.

    A page that creates rows needs `create(form, by)`, one that changes them
    `update(record, form, by)`. Both return the row as the service leaves it.
    `named_by` lists the foreign keys to the people whom a row names instead of a `subject_id`.
    """

    form = ServiceForm
    named_by: Sequence[str] = ()
    change_form_template = "admin/service_change_form.html"
    formfield_overrides = {TextField: {"widget": UnfoldAdminExpandableTextareaWidget}}
    list_filter_submit = True
    list_per_page = 50
    paginator = DeferredJoinPaginator
    show_full_result_count = False  # saves a second count, of the rows without the filters
    warn_unsaved_form = True

    def save_model(self, request, obj, form, change):
        by = request.user
        saved = self.update(obj, form, by) if change else self.create(form, by)
        as_saved = self.get_queryset(request).get(pk=saved.pk)
        vars(obj).update(vars(as_saved))  # Django uses `obj` in its messages and links

    def log_addition(self, request, obj, message):
        return self._log(ADDITION, request, obj, message)

    def log_change(self, request, obj, message):
        """Django's message is empty if the form was saved without a change."""
        return self._log(CHANGE, request, obj, message) if message else None

    def _log(self, flag, request, record, message):
        """Names the record by number. Django would name people, and keep the names for ever."""
        with override(None):  # the log is not in the language of the request
            name = str(record._meta.verbose_name)
        return LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=ContentType.objects.get_for_model(record, for_concrete_model=False),
            object_id=record.pk,
            object_repr=f"{name} {record.pk}",
            action_flag=flag,
            change_message=json.dumps(message) if isinstance(message, list) else message,
        )

    def show(self, request, *rows):
        """States that the page shows these rows, and the people whom they name."""
        people = [getattr(row, name) for row in rows for name in self.named_by]
        show_records(request, *rows, *filter(None, people))

    def get_search_results(self, request, queryset, search_term):
        """Searches as the API does, so that people are found in every spelling of their names."""
        found = search(queryset, self.get_search_fields(request), search_term)
        if found.order:
            return found.rows.order_by(*found.order, *self.get_ordering(request)), False
        return found.rows, False

    def changelist_view(self, request, extra_context=None):
        if sentence := list_error(self, request):
            self.message_user(request, sentence, messages.WARNING)
            return HttpResponseRedirect(f"{request.path}?e=1")
        response = super().changelist_view(request, extra_context)
        if changelist := (getattr(response, "context_data", None) or {}).get("cl"):
            self.show(request, *changelist.result_list)
            show_records(request, *filtered_records(changelist))
        return response

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is None:
            show_records(request, *preselected_records(context["adminform"].form))
        else:
            self.show(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def history_view(self, request, object_id, extra_context=None):
        if record := self.get_object(request, object_id):
            self.show(request, record)
        return super().history_view(request, object_id, extra_context)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """Shows the form again, with the error, if the service refuses the change."""
        if request.method in ("GET", "HEAD"):  # reading takes no lock
            return super().changeform_view(request, object_id, form_url, extra_context)
        try:
            whole = super().changeform_view
            return run_atomically(whole, request, object_id, form_url, extra_context)
        except ValidationError as refusal:
            request.service_error = refusal
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, **kwargs)
        form.service_error = getattr(request, "service_error", None)
        return form

    def get_changeform_initial_data(self, request):
        initial = super().get_changeform_initial_data(request)
        refuse_bad_references(self.model, initial)
        return initial

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        return super().formfield_for_foreignkey(
            db_field, request, **{"form_class": RecordField} | kwargs
        )

    def get_inline_instances(self, request, obj=None):
        """A record that is not saved yet has no inlines."""
        return super().get_inline_instances(request, obj) if obj else []

    def has_delete_permission(self, request, obj=None):
        return False

    def lookup_allowed(self, lookup, value, request):
        """Refuses every lookup that is not one of the list's own filters, or has no such value."""
        return is_known(self, request, lookup, value)

    def get_actions_detail(self, request, object_id):
        """The buttons of a record: the actions that are possible now."""
        record = self.get_object(request, str(object_id))
        possible = self.possible_actions(request, record) if record else ()
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.path in possible]

    def possible_actions(self, request, record):
        """The names of those `actions_detail` that the state of the record allows."""
        return self.actions_detail

    def action_view(
        self,
        request,
        object_id,
        *,
        title,
        act,
        done,
        form=ActionForm,
        explanation="",
        facts=lambda record: (),
    ):
        """A page that asks for confirmation on GET and acts on POST.

        `act` is called with the record and the values of the form. `facts` is called with the
        record and returns the (label, text) pairs that the page shows.
        """
        record = self.get_object(request, object_id)
        if record is None:
            return self.missing_record_response(request)
        if not self.has_change_permission(request):
            raise PermissionDenied
        page = reverse(
            f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[record.pk]
        )
        form = form(record, request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                run_atomically(act, record, **form.cleaned_data)
            except ValidationError as refusal:
                form.add_error(None, refusal)
            else:
                self.message_user(request, done, messages.SUCCESS)
                return HttpResponseRedirect(page)
        self.show(request, record)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": record,
            "title": title,
            "form": form,
            "media": self.media + form.media,
            "explanation": explanation,
            "facts": list(facts(record)),
            "back": page,
        }
        return TemplateResponse(request, "admin/action.html", context)

    def missing_record_response(self, request):
        """A redirect to the start page with a warning, as Django's change page answers."""
        self.message_user(request, _("This record does not exist."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:index"))

    def for_each_selected(self, request, queryset, act, done):
        """Acts on each selected row and shows each refusal; `done` is a text with `%(count)d`."""
        count = 0
        for record in queryset:
            try:
                run_atomically(act, record)
            except ValidationError as refusal:
                self.message_user(request, f"{record}: {refusal.messages[0]}", messages.WARNING)
                show_refused(request, record)
            else:
                count += 1
        if count:
            self.message_user(request, done % {"count": count}, messages.SUCCESS)


class ReadOnlyAdmin(ServiceModelAdmin):
    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class ReadOnlyInline(TabularInline):
    formset = ReadOnlyFormSet
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
