"""The names of people, as texts for people."""

from django.utils.formats import date_format
from django.utils.translation import gettext

NAME_FIELDS = ["first_name", "last_name", "username"]  # the fields that `full_name` uses


def full_name_of(first_name, last_name, username):
    return f"{first_name} {last_name}".strip() or username


def patient_display(full_name, date_of_birth, pk):
    """Return "Blair Conroy, born Oct. 26, 1975, no. 12", in the language of the request."""
    if date_of_birth is None:
        return gettext("%(name)s, no. %(number)d") % {"name": full_name, "number": pk}
    return gettext("%(name)s, born %(date)s, no. %(number)d") % {
        "name": full_name,
        "date": date_format(date_of_birth),
        "number": pk,
    }
