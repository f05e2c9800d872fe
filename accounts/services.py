"""The services of accounts. They raise Django's ValidationError with field names."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, Value
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import closing, email_addresses, idempotency, licences, passwords, permissions
from accounts.audit import log as audit
from accounts.auth import lockout, sessions
from accounts.messages import outbox
from accounts.models import LoginCounter, User
from accounts.roles import UserType
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version

UserT = TypeVar("UserT", bound=User)

# The fields that identify a person, besides the username, with their anonymous values.
PERSONAL_FIELDS = {
    "first_name": "",
    "last_name": "",
    "email": "",
    "pending_email": "",
    "phone": "",
    "date_of_birth": None,
    "address": "",
    "avatar": "",
    "medical_license_number": "",
    "contact_email": "",
    "emergency_contact": "",
    "emergency_contact_phone": "",
    "emergency_contact_relation": "",
}


@atomic_with_retry
def register(*, password: str | None = None, by_clinic: bool = False, **fields: Any) -> User:
    """Create an account, and send the link that proves its e-mail address.

    Without a password, nobody can sign in to the account yet, and no link is sent: an invitation
    proves the address. If another account has the address unproven, staff (`by_clinic`) take the
    address over, and anybody else waits for the proof. A password of staff is for one sign-in.
    """
    if by_clinic and password is not None:
        fields = {"must_change_password": True, **fields}
    user = User(**fields)
    if by_clinic:
        email_addresses.take_over(user, user.email)
    else:
        email_addresses.wait_for_proof(user)
    passwords.set_password(user, password)
    _clean(user)
    _check_has_name(user)
    user.save(force_insert=True)
    audit.record_create("account.register", user)
    if password is not None:  # an invitation follows otherwise
        email_addresses.request_proof(user)
    return user


@atomic_with_retry
def update_profile(
    user: User,
    *,
    by: User,
    current_password: str | None = None,
    if_version: AbstractSet[int] | None = None,
    **changes: Any,
) -> User:
    """Change the fields of a user. Without a difference nothing is written.

    The e-mail address allows sign-in: its owner may change it with `current_password`, and an admin
    without. The owner's new address waits as `pending_email` for its proof; an admin's is used at
    once. A username equal to the e-mail address changes with it. A licence must be verified again
    after a change of licences.VERIFIED_FIELDS or of the role. Closing the account ends its sessions
    and removes its picture. The last active admin keeps account and role (`last_admin`).
    """
    if closing.CLOSING_FIELDS & changes.keys():
        closing.lock_admins()
    # `request.user` may be a SimpleLazyObject; its `__class__` is the model class.
    user = user.__class__.objects.select_for_update(no_key=True).get(pk=user.pk)
    closing.check_not_anonymised(user)
    check_version(user, if_version)
    # The fields that others change with them.
    followers = ["username", "license_verified", "avatar", "email_verified", "pending_email"]
    before = {name: getattr(user, name) for name in [*changes, *followers]}
    if "email" in changes and changes["email"] != user.email:
        _authorise_email_change(user, by, current_password)
        changes = _plan_email_change(user, by, changes)
    old_avatar = user.avatar.name if user.avatar else None
    _apply(user, changes)
    _clean(user)
    # A missing avatar is null or an empty name.
    changed = [n for n, value in before.items() if (getattr(user, n) or None) != (value or None)]
    if not changed:
        return user
    if {"first_name", "last_name"} & set(changed):
        _check_has_name(user)
    user._history_user = by
    try:
        user.save()
    except Exception:  # raised again: no row refers to the new picture
        if "avatar" in changes and user.avatar.name:  # a retry writes another file
            user.avatar.storage.delete(user.avatar.name)
        raise
    if {"email", "pending_email"} & set(changed):
        email_addresses.request_proof(user)
    if before.get("is_active") and not user.is_active:
        sessions.end_all(user)
    audit.record_change("account.update", user, by=by, fields=changed)
    if old_avatar and "avatar" in changes:
        storage = user.avatar.storage
        transaction.on_commit(lambda: storage.delete(old_avatar))
    return user


def _plan_email_change(user: User, by: User, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes with those that a new e-mail address entails."""
    email = changes["email"]
    if by.pk == user.pk and email:
        email_addresses.check_available(user, email)
        return {name: value for name, value in changes.items() if name != "email"} | {
            "pending_email": email
        }
    if user.email and user.email_verified:
        outbox.send("email_changed", to=user.email, user=user)
    email_addresses.take_over(user, email)
    if user.username.lower() == user.email.lower():
        changes = changes | {"username": email}
    return changes | {
        "pending_email": "",
        "email_verified": False,
        "email_set_at": timezone.now(),
        "email_lost_at": None,
    }


def _apply(user: User, changes: dict[str, Any]) -> None:
    """Set the fields, and those that follow from them."""
    was_active, was_admin = user.is_active, closing.is_active_admin(user)
    if licences.must_verify_again(user, changes):
        user.license_verified = False
    for field, value in changes.items():
        setattr(user, field, value)
    if was_admin and not closing.is_active_admin(user):
        closing.check_admin_remains(user)
    if changes.get("avatar"):
        closing.check_open(user, "avatar")
    if was_active and not user.is_active:
        closing.remove_picture(user)


def _clean(user: User) -> None:
    """Run the model's validation; errors of a username that is the e-mail address go to `email`.

    The database checks the constraints; config.db.constraint_errors converts their errors.
    """
    try:
        user.full_clean(exclude=["password"], validate_constraints=False)
    except ValidationError as error:
        errors = error.error_dict
        if user.username == user.email and "username" in errors:
            errors.setdefault("email", errors["username"])
            del errors["username"]
        raise ValidationError(errors) from error


def _check_has_name(user: User) -> None:
    """Raise ValidationError for a person without any name; only an admin may have none.

    Some people have one name only.
    """
    if not (user.first_name or user.last_name or user.user_type == UserType.ADMIN):
        sentence = _("Enter a first name or a last name.")
        raise ValidationError({"first_name": sentence, "last_name": sentence})


def _authorise_email_change(user: User, by: User, current_password: str | None) -> None:
    if by.pk == user.pk:
        if not current_password:
            sentence = _("Enter your current password to change the e-mail address.")
            raise ValidationError({"current_password": sentence})
        passwords.verify_password(user, current_password, field="current_password")
    elif by.role not in permissions.CHANGE_EMAIL_OF_OTHERS:
        sentence = _("Only the user or an administrator can change the e-mail address.")
        raise ValidationError({"email": sentence})


def invite(user: User) -> None:
    """Send an e-mail with a link to choose a password."""
    outbox.send("invitation", to=user.email, user=user)


@atomic_with_retry
def anonymise(user: UserT, *, by: User) -> UserT:
    """Remove all personal data from an account and its history.

    Raises ValidationError for an active account, whose user could enter new data meanwhile.
    """
    user = type(user).objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.is_active:
        raise ValidationError({"is_active": _("Close the account first.")})
    closing.remove_picture(user)
    outbox.delete_for(user)
    anonymous = PERSONAL_FIELDS | {"username": closing.anonymous_username(user.pk)}
    for field, value in anonymous.items():
        setattr(user, field, value)
    user.set_unusable_password()
    user._history_user = by
    user.save()
    User.history.filter(id=user.pk).update(**anonymous)
    sessions.delete_for(user)
    idempotency.delete_for(user)
    lockout.unlock(LoginCounter.objects.filter(user=user))
    models: set[type[Model]] = {User, type(user)}
    for model in models:
        redact_admin_log(model, [user.pk])
    audit.record_change("account.anonymise", user, by=by, fields=[*anonymous, "password"])
    return user


def redact_admin_log(model: type[Model], ids: Iterable[int]) -> None:
    """Remove the names of these records from the admin's log."""
    entries = LogEntry.objects.filter(
        content_type__app_label=model._meta.app_label,
        content_type__model=model._meta.model_name,
        object_id__in=[str(pk) for pk in ids],
    )
    with override(None):  # the log is not in the language of the request
        name = str(model._meta.verbose_name)
    entries.update(object_repr=Concat(Value(f"{name} "), "object_id"))
