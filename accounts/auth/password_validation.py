"""The password rule for words that everybody at the clinic knows."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import User

WORDS = ["appointment", "clinic", "doctor", "health", "hospital", "medical", "patient", "platform"]
MIN_OTHER_LETTERS = 4


class OwnWordsValidator:
    """Refuses a password of the clinic's own words with fewer than four other letters.

    `words` are added to WORDS, for example the clinic's name and town (PASSWORD_WORDS).
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = sorted({word.lower() for word in [*WORDS, *words] if word}, key=len)[::-1]

    def validate(self, password: str, user: User | None = None) -> None:
        rest = password.lower()
        for word in self.words:
            rest = rest.replace(word, "")
        is_shorter = len(rest) < len(password)
        if is_shorter and sum(map(str.isalpha, rest)) < MIN_OTHER_LETTERS:
            raise ValidationError(
                _("This password has too few letters besides words like “clinic” or “doctor”."),
                code="password_own_words",
            )

    def get_help_text(self) -> str:
        return _("Your password cannot consist of words like “clinic” or “doctor” alone.")
