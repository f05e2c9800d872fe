"""The registry of clinical records: one row for each model that holds data about a patient.

Each app lists its rows as `CLINICAL_RECORDS` in a module `records`. The routes, the sidebar of the
admin, the patient export, anonymisation and the tests read them from here.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db.models import Model, TextChoices
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class Section(TextChoices):
    """The sections of the admin's sidebar, in their order."""

    CLINIC = "clinic", _("Clinic")
    PEOPLE = "people", _("People")
    RECORDS = "records", _("Records")
    AUDIT = "audit", _("Audit")


@dataclass(frozen=True)
class ClinicalRecord:
    """How the platform treats the rows of `model`.

    `patient`   lookup from a row to its patient, such as "consultation__patient"
    `section`   section of the admin's sidebar that has a link to its list
    `title`     text of that link
    `icon`      Material symbol of that link
    `part_of`   foreign key to the record that the row is a part of; "" for a record of its own
    `route`     last segment of its address; a part's address begins with that of its whole
    `viewset`   import path of its viewset; "" where it has no address of its own
    `basename`  name of its routes; that of the whole and the `route` for a part, unless given
    `export`    file of the patient export with its rows; "" for a part that stands in its whole
    `exported`  description of that file
    `versions`  file of the patient export with its versions; "" where it keeps none
    `personal`  text fields that anonymisation empties; all other text is kept
    """

    model: type[Model]
    patient: str
    section: Section
    title: str | Promise
    icon: str
    part_of: str = ""
    route: str = ""
    viewset: str = ""
    basename: str = ""
    export: str = ""
    exported: str | Promise = ""
    versions: str = ""
    personal: tuple[str, ...] = ()

    @property
    def name(self):
        """The name of its rows in the row they are a part of, such as "vital_signs"."""
        related_objects = self.whole.model._meta.related_objects
        parent = self.model._meta.get_field(self.part_of)
        return next(one for one in related_objects if one.field is parent).get_accessor_name()

    @property
    def whole(self):
        """The registered record that this one is a part of."""
        return record_of(self.model._meta.get_field(self.part_of).related_model)

    @property
    def parts(self):
        """The registered records that are a part of this one."""
        return [one for one in clinical_records() if one.part_of and one.whole is self]

    def of_patient(self, pk):
        """Every row about the patient, whoever may see it."""
        return self.model._base_manager.filter(**{self.patient: pk})


@cache
def clinical_records():
    """The rows of all apps, in the order of the apps."""
    return tuple(
        record
        for app in apps.get_app_configs()
        if find_spec(f"{app.name}.records")
        for record in import_module(f"{app.name}.records").CLINICAL_RECORDS
    )


def record_of(model):
    """The row of a model; LookupError where the model is not registered."""
    for record in clinical_records():
        if record.model is model:
            return record
    raise LookupError(f"{model.__name__} is not registered as a clinical record.")


def register_routes(router, app_label):
    """Registers the viewsets of an app's clinical records with its router."""
    for record in clinical_records():
        if record.viewset and record.model._meta.app_label == app_label:
            prefix, basename = _address(record)
            router.register(prefix, import_string(record.viewset), basename=basename)


def _address(record):
    """(prefix, basename) of a record's routes."""
    if not record.part_of:
        return record.route, record.basename
    whole, below = record.whole, rf"(?P<{record.part_of}>[0-9]+)/{record.route}"
    return f"{whole.route}/{below}", record.basename or f"{whole.basename}-{record.route}"
