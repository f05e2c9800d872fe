"""Forms of the staff admin. A form parses its input; the services hold the rules."""

from django import forms
from django.utils.functional import cached_property

from config.admin.parameters import is_id
from config.db.versioning import VersionedModel


class AnyFieldErrorsMixin:
    """Shows errors of fields that the form does not have as errors of the whole form."""

    def add_error(self, field, error):
        if field is None and hasattr(error, "error_dict"):
            for name, errors in error.error_dict.items():
                super().add_error(name if name in self.fields else None, errors)
        else:
            super().add_error(field, error)


class ServiceForm(AnyFieldErrorsMixin, forms.ModelForm):
    """A model form without rules of its own: `service_error` is what the service answered.

    The form of a versioned record carries the version that the page shows in a hidden field.
    """

    service_error = None

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
        """Left to the service, which names the field at fault."""

    def validate_constraints(self):
        """Left to the service, which names the field at fault."""

    @cached_property
    def changed_data(self):
        return [name for name in super().changed_data if name != "if_version"]

    @property
    def changes(self):
        """The arguments of a service: the changed fields, and the version they were read in."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data}
        shown = self.cleaned_data.get("if_version")
        return changes if shown is None else changes | {"if_version": {shown}}


class RecordField(forms.ModelChoiceField):
    """A choice of a record by its id.

    A page that refuses a text that is no id does not look the text up, to show the chosen record.
    """

    def prepare_value(self, value):
        value = super().prepare_value(value)
        return value if is_id(value) else None


class ReadOnlyFormSet(forms.BaseInlineFormSet):
    """The rows of an inline that nobody changes. It reads nothing of what a browser sends."""

    def __init__(self, data=None, files=None, **kwargs):
        super().__init__(**kwargs)

    def is_valid(self):
        return True

    def save(self, commit=True):
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        return []


class ActionForm(AnyFieldErrorsMixin, forms.Form):
    """The input of an action on `record`. Without fields it only asks for confirmation."""

    def __init__(self, record, data=None):
        self.record = record
        super().__init__(data)
