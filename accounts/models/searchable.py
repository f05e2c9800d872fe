"""The texts by which people are found and sorted. The model maintains them."""

from django.db import models
from django.db.models import DateField

from config.db.search_text import digits, letters, spellings_of_date, words_and_letters
from config.db.text import MAX_NAME_LENGTH

MAX_SEARCH_TEXT = 1_500  # names, addresses, numbers and dates of the longest allowed lengths

SEARCHED_FIELDS = [
    "first_name", "last_name", "username", "email", "contact_email", "phone", "date_of_birth",
]  # fmt: skip


class SearchablePerson(models.Model):
    """A person who is found by name, address, phone number or date of birth in any spelling.

    `sort_last_name` is never empty: a person with one name is sorted by it, and a person without a
    name by the username. It also finds people by name only, where a caller may not search for
    phone numbers and dates of birth.
    """

    search_text = models.CharField(
        max_length=MAX_SEARCH_TEXT, default="", db_default="", editable=False
    )
    sort_last_name = models.CharField(
        max_length=MAX_NAME_LENGTH, default="", db_default="", editable=False
    )
    sort_first_name = models.CharField(
        max_length=MAX_NAME_LENGTH, default="", db_default="", editable=False
    )

    class Meta:
        abstract = True

    def save(self, *args, update_fields=None, **kwargs):
        self.update_search_text()
        if update_fields is not None and set(update_fields) & set(SEARCHED_FIELDS):
            update_fields = {*update_fields, *SEARCH_COLUMNS}
        super().save(*args, update_fields=update_fields, **kwargs)

    def update_search_text(self):
        for name, text in search_columns(self).items():
            setattr(self, name, text)


SEARCH_COLUMNS = ["search_text", "sort_last_name", "sort_first_name"]


def search_columns(person):
    """Return {column: text} of a person, or of a row with SEARCHED_FIELDS."""
    last_name = person.last_name or person.first_name or person.username
    born = DateField().to_python(person.date_of_birth)  # a new row may have its text
    addresses = [one for one in (person.email, person.contact_email) if isinstance(one, str)]
    found_by = [
        words_and_letters(person.first_name),
        words_and_letters(person.last_name),
        *map(words_and_letters, addresses),  # a column may have the database's default
        digits(person.phone),
        spellings_of_date(born) if born else "",
    ]
    return {
        "search_text": " ".join(filter(None, found_by))[:MAX_SEARCH_TEXT],
        "sort_last_name": letters(last_name)[:MAX_NAME_LENGTH],
        "sort_first_name": letters(person.first_name)[:MAX_NAME_LENGTH],
    }
