"""Signing in and out, and one's own account."""

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response

from accounts import permissions, services
from accounts.audit.mixins import AuditedMixin
from accounts.auth import sessions
from accounts.auth.lockout import counting_password_attempt
from accounts.models import Session, User
from accounts.serializers import (
    PROFILES,
    EmptySerializer,
    LoginResponseSerializer,
    LoginSerializer,
    OwnProfile,
    PasswordChangeSerializer,
    PasswordResetConfirmSerializer,
    PasswordResetSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    SessionsEndedSerializer,
    SessionSerializer,
    TokensSerializer,
)
from config.api.etags import IfMatchMixin, VersionedMixin
from config.api.parsers import BoundedMultiPartParser, StrictJSONParser
from config.api.viewsets import ApiViewSet
from config.db.versioning import check_version

# For what a stranger may do, credentials are not looked at: a stale token must not bar the way in.
OPEN = {"methods": ["post"], "detail": False, "authentication_classes": []}


class AuthViewSet(VersionedMixin, AuditedMixin, ApiViewSet):
    """Accounts from the outside: registration, tokens, passwords and the own profile."""

    queryset = User.objects.none()
    serializer_class = ProfileSerializer
    throttle_scope = None
    access = permissions.AUTH
    if_match = frozenset({"update_profile", "partial_update_profile"})
    if_none_match = frozenset({"profile"})
    messages = {
        "register": "Account created.",
        "login": "Signed in.",
        "refresh": "Token refreshed.",
        "logout": "Signed out.",
        "update_profile": "Profile updated.",
        "partial_update_profile": "Profile updated.",
        "change_password": "Password changed. Every other session has ended.",
        "reset_password": "If that address has an account, a letter is on its way.",
        "confirm_password_reset": "Password changed. Sign in with it.",
    }

    @extend_schema(responses={201: OwnProfile})
    @action(**OPEN, serializer_class=RegistrationSerializer, throttle_scope="register")
    def register(self, request):
        form = self.valid_serializer()
        user = services.register(**form.validated_data)
        return Response(form.to_representation(user), status=status.HTTP_201_CREATED)

    @extend_schema(responses=LoginResponseSerializer)
    @action(**OPEN, serializer_class=LoginSerializer, throttle_scope="login")
    def login(self, request):
        user = authenticate(request._request, **self.valid_serializer().validated_data)
        # No tokens either where the account changed while the password was being checked.
        tokens = sessions.open_session(user, request=request) if user else None
        if tokens is None:
            raise AuthenticationFailed(
                "No account matches these credentials.", code="invalid_credentials"
            )
        answer = LoginResponseSerializer(tokens | {"user": user}, context={"request": request})
        return Response(answer.data)

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
        passwords = self.valid_serializer().validated_data
        with counting_password_attempt(request, "old_password"):
            user = services.change_password(request.user, **passwords)
        return Response(self.accepted(sessions.open_session(user, request=request)))

    @extend_schema(responses=None)
    @action(
        **OPEN,
        url_path="password/reset",
        serializer_class=PasswordResetSerializer,
        throttle_scope="login",
    )
    def reset_password(self, request):
        services.request_password_reset(self.valid_serializer().validated_data["email"])
        return Response(None)

    @extend_schema(responses=None)
    @action(
        **OPEN,
        url_path="password/reset/confirm",
        serializer_class=PasswordResetConfirmSerializer,
        throttle_scope="login",
    )
    def confirm_password_reset(self, request):
        services.reset_password(**self.valid_serializer().validated_data)
        return Response(None)

    def get_parsers(self):
        if self.action_map.get("put"):  # the profile, where a picture may travel
            return [StrictJSONParser(), BoundedMultiPartParser()]
        return super().get_parsers()

    def get_serializer_class(self):
        if self.action_map.get("get") == "profile" and self.request.user.is_authenticated:
            return PROFILES[self.request.user.user_type]
        return super().get_serializer_class()

    def get_object(self):
        return self.request.user

    def is_clinical(self):
        """A patient's own profile shows the medical history."""
        return self.action == "profile" and self.request.user.subject_id is not None

    def profile_serializer(self, user, **kwargs):
        return PROFILES[user.user_type](user, context=self.get_serializer_context(), **kwargs)

    def accepted(self, outcome):
        if not outcome:
            raise AuthenticationFailed("The token is invalid, expired or revoked.")
        return outcome


class SessionViewSet(
    mixins.ListModelMixin, mixins.DestroyModelMixin, IfMatchMixin, AuditedMixin, ApiViewSet
):
    """The caller's own sessions, of an admin too: those of others are ended in the admin.

    Sign-ins by cookie (the admin, the browsable API) are not listed; `end_all` ends them too.
    """

    queryset = Session.objects.all()
    serializer_class = SessionSerializer
    access = permissions.SESSIONS
    lookup_url_kwarg = "session"
    lookup_value_regex = "-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
    filter_backends = []
    messages = {"end_all": "Signed out everywhere."}

    def get_queryset(self):
        mine = super().get_queryset().live().filter(user_id=self.request.user.pk)
        return mine.order_by("-created_at", "-pk")

    def perform_destroy(self, session):
        sessions.end(self.get_queryset().filter(pk=session.pk))

    @extend_schema(request=None, responses=SessionsEndedSerializer)
    @action(detail=False, methods=["post"], serializer_class=EmptySerializer)
    def end_all(self, request):
        self.valid_serializer()
        return Response({"ended": sessions.end_all(request.user)})
