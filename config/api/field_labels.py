"""The names of fields and parameters in the sentences that people read."""

from django.utils.text import capfirst
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

# The names of fields of models are translated already; see config.field_names.
OTHER_NAMES = [
    _("access"),
    _("break minutes"),
    _("chief complaint"),
    _("confirm new"),
    _("current password"),
    _("cursor"),
    _("date"),
    _("date after"),
    _("date before"),
    _("date from"),
    _("date of birth after"),
    _("date of birth before"),
    _("date to"),
    _("end time"),
    _("fields"),
    _("new password"),
    _("old password"),
    _("ordering"),
    _("page"),
    _("page size"),
    _("refresh"),
    _("search"),
    _("slot duration"),
    _("start time"),
    _("token"),
    _("uid"),
    _("weekdays"),
]


def label_of(name):
    """Return the name of a field for people, such as "Start time"."""
    return capfirst(gettext(name.replace("_", " ")))


def sentence_about(name, sentence):
    """Return a sentence that names its field, such as "Start time: this field is required".

    After a colon, a sentence begins with a small letter in English. In German it keeps its letter.
    """
    word = sentence.partition(" ")[0]
    if (get_language() or "").startswith("en") and word == word.capitalize() and word != "I":
        sentence = f"{sentence[:1].lower()}{sentence[1:]}"
    return f"{label_of(name)}: {sentence}"
