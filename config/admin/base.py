"""What the pages of the staff admin have in common.

Nothing is deleted at the desk. Whatever changes is changed by a service, and what the service
refuses is said on the form, at the field it speaks of.
"""

import json
from itertools import pairwise

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import TextField
from django.http import HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from config.api.pagination import DeferredJoinPaginator
from config.db import constraint_errors
from config.db.transactions import atomic_with_retry
from config.db.versioning import VersionedModel

SECRETS = ("password", "jti")


class AnyFieldErrorsMixin:
    """A form on which any refusal can be shown, also one that names a field it does not have."""

    def add_error(self, field, error):
        if field is None and hasattr(error, "error_dict"):
            for name, errors in error.error_dict.items():
                super().add_error(name if name in self.fields else None, errors)
        else:
            super().add_error(field, error)


class ServiceForm(AnyFieldErrorsMixin, forms.ModelForm):
    """Reads what was typed; whether it may be so, the service decides.

    The page of a record with versions says, unseen, which of them it shows.
    """

    service_error = None  # what the service said to this very input

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if isinstance(self.instance, VersionedModel) and self.instance.pk:
            self.fields["if_version"] = forms.IntegerField(
                initial=self.instance.version, required=False, widget=forms.HiddenInput
            )

    def is_valid(self):
        if super().is_valid() and self.service_error is not None:
            self.add_error(None, self.service_error)
        return super().is_valid()

    def validate_unique(self):
        """The service's business: it says which field is at fault."""

    def validate_constraints(self):
        """As `validate_unique`."""

    @cached_property
    def changed_data(self):
        return [name for name in super().changed_data if name != "if_version"]

    @property
    def changes(self):
        """What a service takes: the fields that were changed, and the version they were read in."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data}
        shown = self.cleaned_data.get("if_version")
        return changes if shown is None else changes | {"if_version": {shown}}


class ActionForm(AnyFieldErrorsMixin, forms.Form):
    """What a step asks for; without fields, only whether one is sure."""

    def __init__(self, record, data=None):
        self.record = record
        super().__init__(data)


def run_atomically(work, *args, **kwargs):
    """Do it all or not at all; what the database refuses is raised as what the services raise."""
    try:
        return atomic_with_retry(work)(*args, **kwargs)
    except IntegrityError as error:
        raise constraint_errors.validation_error_for(error) or error from error


class ServiceModelAdmin(ModelAdmin):
    """Pages that save through the services.

    A page on which rows are made has `create(form, by)`, one on which they are changed
    `update(record, form, by)`; each gives the row as the service leaves it.
    """

    form = ServiceForm
    change_form_template = "admin/desk.html"
    formfield_overrides = {TextField: {"widget": UnfoldAdminExpandableTextareaWidget}}
    list_filter_submit = True
    list_per_page = 50
    paginator = DeferredJoinPaginator
    show_full_result_count = False  # how many there are without the filters is a second count
    warn_unsaved_form = True

    def save_model(self, request, obj, form, change):
        by = request.user
        saved = self.update(obj, form, by) if change else self.create(form, by)
        as_saved = self.get_queryset(request).get(pk=saved.pk)
        vars(obj).update(vars(as_saved))  # Django goes on to speak of `obj`

    def log_addition(self, request, obj, message):
        return self._log(ADDITION, request, obj, message)

    def log_change(self, request, obj, message):
        return self._log(CHANGE, request, obj, message)

    def _log(self, flag, request, record, message):
        """By number: Django would keep the names of people for ever, beside the record's own."""
        return LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=ContentType.objects.get_for_model(record, for_concrete_model=False),
            object_id=record.pk,
            object_repr=f"{record._meta.verbose_name} {record.pk}",
            action_flag=flag,
            change_message=json.dumps(message) if isinstance(message, list) else message,
        )

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """Django's; where the service refuses, the form comes back with what it said."""
        if request.method in ("GET", "HEAD"):  # to look at it takes no lock
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

    def get_inline_instances(self, request, obj=None):
        """None yet for what is about to be made."""
        return super().get_inline_instances(request, obj) if obj else []

    def has_delete_permission(self, request, obj=None):
        return False

    def lookup_allowed(self, lookup, value, request):
        """A secret is not to be guessed letter by letter in the address of a list."""
        return not lookup.startswith(SECRETS) and super().lookup_allowed(lookup, value, request)

    def get_actions_detail(self, request, object_id):
        """The buttons of a record: those of its steps that are open now."""
        record = self.get_object(request, str(object_id))
        steps = self.open_steps(request, record) if record else ()
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.path in steps]

    def open_steps(self, request, record):
        """Names among `actions_detail`."""
        return self.actions_detail

    def action_view(
        self, request, object_id, *, title, act, form=ActionForm, done="Done.", explanation=""
    ):
        """A page that asks, and acts when the answer is sent: a GET changes nothing.

        `act` is called with the record and the form's values.
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
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": record,
            "title": title,
            "form": form,
            "media": self.media + form.media,
            "explanation": explanation,
            "back": page,
        }
        return TemplateResponse(request, "admin/step.html", context)

    def missing_record_response(self, request):
        """A redirect to the start page with a warning, as Django's change page answers."""
        self.message_user(request, _("This record does not exist."), messages.WARNING)
        return HttpResponseRedirect(reverse("admin:index"))

    def for_each_selected(self, request, queryset, act, done):
        """Act on every row chosen; each refusal is shown, and stops only its own row."""
        count = 0
        for record in queryset:
            try:
                run_atomically(act, record)
            except ValidationError as refusal:
                self.message_user(request, f"{record}: {refusal.messages[0]}", messages.WARNING)
            else:
                count += 1
        if count:
            self.message_user(request, f"{done}: {count}.", messages.SUCCESS)


class ReadOnlyAdmin(ServiceModelAdmin):
    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class HistoryAdminMixin(SimpleHistoryAdmin):
    """A record's versions, to be looked at and never to be brought back."""

    object_history_list_template = "admin/versions.html"
    history_list_per_page = 25

    def history_view(self, request, object_id, extra_context=None):
        record = self.get_object(request, object_id)
        if record is None:
            return self.missing_record_response(request)
        request.page = {"object": record}
        return super().history_view(request, object_id, extra_context)

    def history_form_view(self, request, object_id, version_id, extra_context=None):
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        record = self.get_object(request, object_id)
        if record is None or not version_id.isdecimal():
            return self.missing_record_response(request)
        request.is_version = True
        request.page = {"object": record}
        return super().history_form_view(request, object_id, version_id, extra_context)

    def set_history_delta_changes(self, request, versions, foreign_keys_are_objs=True):
        """What each version on the page changed, the stamps of the services too."""
        for newer, older in pairwise(versions):
            newer.history_delta_changes = [
                {
                    "field": field.verbose_name,
                    "old": _display_value(older, field),
                    "new": _display_value(newer, field),
                }
                for field in newer.tracked_fields
                if getattr(newer, field.attname) != getattr(older, field.attname)
            ]

    def get_readonly_fields(self, request, obj=None):
        if getattr(request, "is_version", False):
            return _field_names(self.get_fieldsets(request, obj))
        return super().get_readonly_fields(request, obj)


def _field_names(fieldsets):
    """The names in the fieldsets of a page; a tuple among them is a line with several fields."""
    entries = [entry for _name, options in fieldsets for entry in options["fields"]]
    return [name for entry in entries for name in ([entry] if isinstance(entry, str) else entry)]


def _display_value(version, field):
    value = getattr(version, field.name)
    if value in ("", None):
        return "-"
    return Truncator(value).chars(200) if isinstance(value, str) else value
