"""Forms of the admin for consultations."""

from django.utils.translation import gettext_lazy as _

from config.admin.forms import ServiceForm


class ConsultationCreateForm(ServiceForm):
    """A new consultation: of an appointment, or of a patient who comes without one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False
        self.fields["appointment"].help_text = _(
            "A scheduled, confirmed or started appointment. The consultation takes its patient, "
            "doctor and reason."
        )
        self.fields["chief_complaint"].help_text = _(
            "If left empty, the reason of the appointment."
        )

    def clean(self):
        super().clean()
        walk_in = ("patient", "doctor", "chief_complaint")
        if self.cleaned_data.get("appointment"):
            for name in ("patient", "doctor"):
                if self.cleaned_data.get(name):
                    self.add_error(
                        name, _("Leave this empty: the appointment already names the person.")
                    )
        else:
            for name in walk_in:
                if not self.cleaned_data.get(name) and name not in self.errors:
                    self.add_error(name, _("Required when there is no appointment."))
        return self.cleaned_data
