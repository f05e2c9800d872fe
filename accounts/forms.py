"""The forms for accounts in the admin."""

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget

from accounts.audit import log as audit
from accounts.auth import lockout
from accounts.passwords import MAX_PASSWORD_LENGTH, check_is_own
from config.admin.forms import ActionForm, ServiceForm
from config.db.transactions import atomic_with_retry


class PasswordField(forms.CharField):
    def __init__(self, *, autocomplete="new-password", **kwargs):
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": autocomplete})
        super().__init__(widget=widget, strip=False, max_length=MAX_PASSWORD_LENGTH, **kwargs)


class RepeatedPasswordMixin:
    """Requires a new password to be entered twice, because the input is hidden."""

    def clean(self):
        super().clean()
        values = self.cleaned_data
        if values.get("password") != values.pop("password_again", None):
            self.add_error("password_again", _("The two passwords are not the same."))
        return values


class UserCreateForm(RepeatedPasswordMixin, ServiceForm):
    """The form for a new account."""

    password = PasswordField(
        label=_("Password"),
        required=False,
        help_text=_("If this is blank, an e-mail invites the user to choose a password."),
    )
    password_again = PasswordField(label=_("Password (again)"), required=False)

    @property
    def values(self):
        """The keyword arguments of the service that creates the account."""
        return self.cleaned_data | {"password": self.cleaned_data["password"] or None}


class UserChangeForm(ServiceForm):
    current_password = PasswordField(
        label=_("Current password"),
        required=False,
        autocomplete="current-password",
        help_text=_("Required to change your own e-mail address."),
    )


class PasswordForm(RepeatedPasswordMixin, ActionForm):
    password = PasswordField(label=_("Password"))
    password_again = PasswordField(label=_("Password (again)"))

    def clean_password(self):
        password = self.cleaned_data["password"]
        validate_password(password, self.record)
        return password


class VerifyLicenceForm(ActionForm):
    """Confirms what the page shows: a later version of the account is refused."""

    if_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, record, data=None):
        super().__init__(record, data)
        self.fields["if_version"].initial = record.version

    def clean_if_version(self):
        return {self.cleaned_data["if_version"]}


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """The form with which staff change their own password; counts attempts at the old one."""

    def clean_old_password(self):
        attempt = lockout.LoginAttempt(self.user.username, self.user.pk, address=None)
        attempt.consume()
        password = super().clean_old_password()
        attempt.refund()
        return password

    def clean_new_password1(self):
        password = self.cleaned_data["new_password1"]
        check_is_own(self.user, password)
        return password

    @atomic_with_retry
    def save(self, commit=True):
        self.user.must_change_password = False
        user = super().save(commit)
        audit.record_change("account.change_password", user, by=user, fields=["password"])
        return user
