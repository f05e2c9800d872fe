"""What is typed about accounts in the staff admin."""

from django import forms
from django.contrib.auth.password_validation import validate_password
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget

from accounts.audit import log as audit
from accounts.auth import lockout
from accounts.services import MAX_PASSWORD_LENGTH
from config.admin.forms import ActionForm, ServiceForm
from config.db.transactions import atomic_with_retry


class PasswordField(forms.CharField):
    def __init__(self, *, autocomplete="new-password", **kwargs):
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": autocomplete})
        super().__init__(widget=widget, strip=False, max_length=MAX_PASSWORD_LENGTH, **kwargs)


class RepeatedPasswordMixin:
    """A new password, which nobody can read while typing it."""

    def clean(self):
        super().clean()
        typed = self.cleaned_data
        if typed.get("password") != typed.pop("password_again", None):
            self.add_error("password_again", "The two passwords differ.")
        return typed


class UserCreateForm(RepeatedPasswordMixin, ServiceForm):
    """An account that does not exist yet."""

    password = PasswordField(
        required=False,
        help_text="Without one, a letter to the e-mail address invites the person to choose it.",
    )
    password_again = PasswordField(required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in ("first_name", "last_name"):
            self.fields[name].required = True

    @property
    def values(self):
        """What a service that opens an account takes."""
        return self.cleaned_data | {"password": self.cleaned_data["password"] or None}


class UserChangeForm(ServiceForm):
    current_password = PasswordField(
        required=False,
        autocomplete="current-password",
        help_text="Needed to change your own e-mail address.",
    )


class PasswordForm(RepeatedPasswordMixin, ActionForm):
    password = PasswordField()
    password_again = PasswordField()

    def clean_password(self):
        password = self.cleaned_data["password"]
        validate_password(password, self.record)
        return password


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """The page where staff change their own password; the old one could be guessed there too."""

    def clean_old_password(self):
        guess = lockout.LoginAttempt(self.user.username, self.user.pk, address=None)
        guess.consume()
        password = super().clean_old_password()
        guess.refund()
        return password

    @atomic_with_retry
    def save(self, commit=True):
        user = super().save(commit)
        audit.record_change("account.change_password", user, by=user, fields=["password"])
        return user
