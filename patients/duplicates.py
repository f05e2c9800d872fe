"""Patients who may be the same person: they have one name and one date of birth."""

from datetime import date

from accounts.models import User
from config.db.search_text import letters
from patients.models import Patient


def possible_duplicates(
    *, by: User, first_name: str, last_name: str, date_of_birth: date | None
) -> list[Patient]:
    """Return the patients whom `by` sees with the same names, in either order, and birth date.

    Names are compared without case, marks and spaces. Without a date of birth there are none.
    """
    if date_of_birth is None:
        return []
    names = {letters(first_name), letters(last_name)}
    same_day = Patient.objects.visible_to(by).filter(
        date_of_birth=date_of_birth, sort_last_name__in=names - {""}
    )
    return [one for one in same_day if {letters(one.first_name), letters(one.last_name)} == names]


def description(patient: Patient) -> dict[str, object]:
    """Return what tells a patient apart from others of the same name, as JSON."""
    return {
        "id": patient.pk,
        "display": patient.display,
        "full_name": patient.full_name,
        "date_of_birth": patient.date_of_birth,
        "phone": patient.phone,
        "email": patient.email,
    }
