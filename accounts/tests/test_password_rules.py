"""Passwords that many people use, or that name the clinic, are refused."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.auth.password_validation import OwnWordsValidator


@pytest.mark.parametrize("password", ["password123", "Liverpool1", "iloveyou2", "qwerty123"])
def test_a_password_from_published_breaches_is_refused(password):
    with pytest.raises(ValidationError, match="too common"):
        validate_password(password)


@pytest.mark.parametrize(
    "password", ["clinic-2026", "Doctor!doctor!", "hospital123", "medicalplatform", "patient+abc"]
)
def test_a_password_of_the_clinics_own_words_is_refused(password):
    with pytest.raises(ValidationError) as refusal:
        validate_password(password)

    assert "password_own_words" in [error.code for error in refusal.value.error_list]


@pytest.mark.parametrize(
    "password", ["securepassword", "clinic-demo-2026", "correct-horse-battery"]
)
def test_other_passwords_are_accepted(password):
    validate_password(password)


def test_a_clinic_adds_its_own_words():
    validator = OwnWordsValidator(["Riverside", ""])

    with pytest.raises(ValidationError):
        validator.validate("riverside1999")
    validator.validate("mountain1999")
