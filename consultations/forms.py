"""What is typed about consultations in the staff admin."""

from config.admin.forms import ServiceForm


class ConsultationCreateForm(ServiceForm):
    """An appointment that takes a consultation, or who comes without one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False
        self.fields[
            "appointment"
        ].help_text = (
            "Scheduled, confirmed or in progress; it tells the patient, the doctor and the reason."
        )
        self.fields["chief_complaint"].help_text = "If left empty, the appointment's reason."

    def clean(self):
        super().clean()
        walk_in = ("patient", "doctor", "chief_complaint")
        if self.cleaned_data.get("appointment"):
            for name in ("patient", "doctor"):
                if self.cleaned_data.get(name):
                    self.add_error(name, "The appointment says who it is.")
        else:
            for name in walk_in:
                if not self.cleaned_data.get(name) and name not in self.errors:
                    self.add_error(name, "Needed where there is no appointment.")
        return self.cleaned_data
