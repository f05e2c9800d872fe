"""The permission tables of accounts, and the class that checks such tables."""

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission

from accounts.roles import ADMINS, ANYONE, NOBODY, SIGNED_IN, UNVERIFIED, UserType

CHOOSING_A_PASSWORD = frozenset({"change_password", "profile"})
SAME_AS = {"partial_update": "update"}


class RoleAccess(BasePermission):
    """Checks the caller's role against the viewset's table `access`.

    An action that is missing in the table is refused. OPTIONS is allowed for everybody who may call
    any action at the address. Which rows an action finds is decided by `visible_to()`.
    """

    def has_permission(self, request, view):
        if view.action is None:  # the method does not exist: 405 for those who may use the address
            return request.user.is_authenticated or any(
                _roles(view, one) == ANYONE for one in view.action_map.values()
            )
        if view.action == "metadata":
            return any(allowed(request.user, view, one) for one in view.action_map.values())
        if allowed(request.user, view, view.action):
            _refuse_one_time_password(request.user, view)
            return True
        role = getattr(request.user, "role", None)
        if role == UNVERIFIED and UserType.DOCTOR in _roles(view, view.action):
            raise PermissionDenied(
                _("Your medical licence has not been verified yet."), code="license_not_verified"
            )
        return False


def _refuse_one_time_password(user, view):
    """Refuse a user whose password staff have set, until they have chosen their own."""
    if getattr(user, "must_change_password", False) and view.action not in CHOOSING_A_PASSWORD:
        sentence = _("Choose your own password first. The clinic has set the present one.")
        raise PermissionDenied(sentence, code="password_change_required")


def allowed(user, view, action):
    roles = _roles(view, action)
    return roles == ANYONE or (user.is_authenticated and user.role in roles)


def _roles(view, action):
    return view.access.get(SAME_AS.get(action, action), NOBODY)


def is_open(access, action):
    """Return whether the action needs no sign-in; it does not check credentials at all."""
    return access.get(action) == ANYONE


AUTH = {
    "register": ANYONE,
    "login": ANYONE,
    "refresh": ANYONE,
    "logout": ANYONE,  # the refresh token in the body is the credential
    "profile": SIGNED_IN,
    "update_profile": SIGNED_IN,
    "partial_update_profile": SIGNED_IN,
    "change_password": SIGNED_IN,
    "reset_password": ANYONE,
    "confirm_password_reset": ANYONE,
    "verify_email": ANYONE,  # the token in the body is the credential
    "resend_email": SIGNED_IN,
}

SESSIONS = {
    "list": SIGNED_IN,
    "destroy": SIGNED_IN,
    "end_all": SIGNED_IN,
}

CHANGE_EMAIL_OF_OTHERS = ADMINS  # accounts.services.update_profile
