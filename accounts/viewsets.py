"""The viewsets for sign-in, sessions, passwords and the user's own profile."""

from typing import Any

from django.contrib.auth import authenticate
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts import documentation, email_addresses, passwords, permissions, services
from accounts.audit.mixins import AuditedMixin
from accounts.auth import sessions
from accounts.auth.lockout import counting_password_attempt
from accounts.auth.tokens import read_session_id
from accounts.models import Session, User
from accounts.models.user import EMAIL_LOST
from accounts.serializers import PROFILES, OwnProfile, ProfileSerializer, RegistrationSerializer
from accounts.sign_in_serializers import (
    EmailVerificationSerializer,
    EmptySerializer,
    LoginResponseSerializer,
    LoginSerializer,
    PasswordChangeSerializer,
    PasswordResetConfirmSerializer,
    PasswordResetSerializer,
    RefreshSerializer,
    SessionsEndedSerializer,
    SessionSerializer,
    TokensSerializer,
)
from config.api.etags import IfMatchMixin, VersionedMixin
from config.api.parsers import BoundedMultiPartParser, StrictJSONParser
from config.api.throttling import RegistrationNetworkThrottle
from config.api.viewsets import ApiViewSet
from config.db.versioning import check_version
from config.http.security_headers import CLEAR_SITE_DATA

# Actions without sign-in do not check credentials, so that an expired token does not prevent them.
OPEN: dict[str, Any] = {"methods": ["post"], "detail": False, "authentication_classes": []}

PROFILE_ACTIONS = {"profile", "update_profile", "partial_update_profile"}


class AuthViewSet(VersionedMixin, AuditedMixin, ApiViewSet):
    """Registration, sign-in, tokens, passwords and the user's own profile."""

    queryset = User.objects.none()
    serializer_class = ProfileSerializer
    throttle_scope = None
    access = permissions.AUTH
    documentation = documentation.ACCOUNT
    if_match = frozenset({"update_profile", "partial_update_profile"})
    if_none_match = frozenset({"profile"})
    messages = {
        "register": _("Account created."),
        "login": _("Signed in."),
        "refresh": _("Token refreshed."),
        "logout": _("Signed out."),
        "update_profile": _("Profile updated."),
        "partial_update_profile": _("Profile updated."),
        "change_password": _("Password changed. All other sessions have ended."),
        "reset_password": _("If this address has an account, an e-mail has been sent to it."),
        "confirm_password_reset": _("Password changed. Sign in with the new password."),
        "verify_email": _("E-mail address confirmed."),
        "resend_email": _("If your address is not confirmed yet, an e-mail has been sent to it."),
    }

    @extend_schema(responses={201: OwnProfile})
    @action(
        **OPEN,
        serializer_class=RegistrationSerializer,
        throttle_scope="register",
        throttle_classes=[*api_settings.DEFAULT_THROTTLE_CLASSES, RegistrationNetworkThrottle],
    )
    def register(self, request):
        form = self.valid_serializer()
        user = services.register(**form.validated_data)
        return Response(form.to_representation(user), status=status.HTTP_201_CREATED)

    @extend_schema(responses=LoginResponseSerializer)
    @action(**OPEN, serializer_class=LoginSerializer, throttle_scope="login")
    def login(self, request):
        user = authenticate(request._request, **self.valid_serializer().validated_data)
        # There are no tokens if the account has changed while the password was checked.
        tokens = sessions.open_session(user, request=request) if user else None
        if tokens is None:
            raise AuthenticationFailed(
                _("The username or the password is wrong."), code="invalid_credentials"
            )
        if user.must_change_password:
            self.message = _("Signed in. Choose your own password now.")
        elif user.email_lost_at:
            self.message = EMAIL_LOST
        serializer = LoginResponseSerializer(tokens | {"user": user}, context={"request": request})
        return Response(serializer.data)

    @extend_schema(responses=TokensSerializer)
    @action(**OPEN, serializer_class=RefreshSerializer)
    def refresh(self, request):
        return Response(
            self.accepted(sessions.rotate(self.valid_serializer().validated_data["refresh"]))
        )

    @extend_schema(responses=None)
    @action(**OPEN, serializer_class=RefreshSerializer)
    def logout(self, request):
        self.accepted(
            sessions.end_by_refresh_token(self.valid_serializer().validated_data["refresh"])
        )
        return Response(None)

    @extend_schema(responses=OwnProfile)
    @action(detail=False)
    def profile(self, request):
        return self.answer(request.user, self.profile_serializer)

    @extend_schema(request=OwnProfile, responses=OwnProfile)
    @profile.mapping.put
    def update_profile(self, request, partial=False):
        self.throttle_as_login(request)
        check_version(request.user, self.if_version)
        form = self.profile_serializer(request.user, data=request.data, partial=partial)
        form.is_valid(raise_exception=True)
        with counting_password_attempt(request, "current_password"):
            changed = services.update_profile(
                request.user, by=request.user, if_version=self.if_version, **form.validated_data
            )
        return Response(self.profile_serializer(changed).data)

    @extend_schema(request=OwnProfile, responses=OwnProfile)
    @profile.mapping.patch
    def partial_update_profile(self, request):
        return self.update_profile(request, partial=True)

    @extend_schema(responses=TokensSerializer)
    @action(
        detail=False,
        methods=["post"],
        url_path="password/change",
        serializer_class=PasswordChangeSerializer,
        throttle_scope="login",
    )
    def change_password(self, request):
        old_and_new = self.valid_serializer().validated_data
        with counting_password_attempt(request, "old_password"):
            user = passwords.change_password(request.user, **old_and_new)
        return Response(self.accepted(sessions.open_session(user, request=request)))

    @extend_schema(responses=None)
    @action(
        **OPEN,
        url_path="password/reset",
        serializer_class=PasswordResetSerializer,
        throttle_scope="login",
    )
    def reset_password(self, request):
        passwords.request_password_reset(self.valid_serializer().validated_data["email"])
        return Response(None)

    @extend_schema(responses=None)
    @action(
        **OPEN,
        url_path="password/reset/confirm",
        serializer_class=PasswordResetConfirmSerializer,
        throttle_scope="login",
    )
    def confirm_password_reset(self, request):
        passwords.reset_password(**self.valid_serializer().validated_data)
        return Response(None)

    @extend_schema(responses=None)
    @action(
        **OPEN,
        url_path="email/verify",
        serializer_class=EmailVerificationSerializer,
        throttle_scope="login",
    )
    def verify_email(self, request):
        email_addresses.verify(self.valid_serializer().validated_data["token"])
        return Response(None)

    @extend_schema(request=None, responses=None)
    @action(
        detail=False,
        methods=["post"],
        url_path="email/resend",
        serializer_class=EmptySerializer,
        throttle_scope="login",
    )
    def resend_email(self, request):
        self.valid_serializer()
        email_addresses.resend(request.user)
        return Response(None)

    def get_parsers(self):
        if self.action_map.get("put"):  # the profile, which may contain a picture
            return [StrictJSONParser(), BoundedMultiPartParser()]
        return super().get_parsers()

    def get_serializer_class(self):
        if self.action_map.get("get") == "profile" and self.request.user.is_authenticated:
            return PROFILES[self.request.user.user_type]
        return super().get_serializer_class()

    def get_object(self):
        return self.request.user

    def is_clinical(self):
        """Return whether the response contains the medical history of a patient."""
        return self.action in PROFILE_ACTIONS and self.request.user.subject_id is not None

    def profile_serializer(self, user, **kwargs):
        return PROFILES[user.user_type](user, context=self.get_serializer_context(), **kwargs)

    def accepted(self, outcome):
        if not outcome:
            raise AuthenticationFailed(_("The token is invalid, expired or revoked."))
        return outcome


class SessionViewSet(
    mixins.ListModelMixin, mixins.DestroyModelMixin, IfMatchMixin, AuditedMixin, ApiViewSet
):
    """The caller's own sessions. Admins end the sessions of other users in the admin.

    Browser sessions (the admin, the browsable API) are not listed, but `end_all` ends them too.
    """

    queryset = Session.objects.all()
    serializer_class = SessionSerializer
    access = permissions.SESSIONS
    documentation = documentation.SESSIONS
    lookup_url_kwarg = "session"
    lookup_value_regex = "-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
    filter_backends = []
    messages = {"end_all": _("Signed out everywhere.")}

    def get_queryset(self):
        own = super().get_queryset().live().filter(user_id=self.request.user.pk)
        return own.order_by("-created_at", "-pk")

    def destroy(self, request, *args, **kwargs):
        response = super().destroy(request, *args, **kwargs)
        if kwargs[self.lookup_url_kwarg] == str(read_session_id(request.auth)):
            response["Clear-Site-Data"] = CLEAR_SITE_DATA  # the caller has signed out
        return response

    def perform_destroy(self, session):
        sessions.end(self.get_queryset().filter(pk=session.pk))

    @extend_schema(request=None, responses=SessionsEndedSerializer)
    @action(detail=False, methods=["post"], serializer_class=EmptySerializer)
    def end_all(self, request):
        self.valid_serializer()
        return Response({"ended": sessions.end_all(request.user)})
