"""Serializers of sign-in, tokens, sessions and passwords."""

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from accounts.auth.tokens import read_session_id
from accounts.models import Session
from accounts.serializers import DOCTOR_EXAMPLE, PROFILES, OwnProfile, PasswordField
from config.api.serializers import StrictSerializer


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
    example: dict[str, object] = {"access": "eyJhbGciOi…", "refresh": "eyJhbGciOi…"}


class LoginSerializer(StrictSerializer):
    username = serializers.CharField(max_length=254, help_text=_("The username or e-mail address."))
    password = PasswordField()
    example = {"username": "doctor1", "password": "securepassword"}


@extend_schema_serializer(component_name="LoginAnswer")  # the published name
class LoginResponseSerializer(TokensSerializer):
    user = serializers.SerializerMethodField()
    example = TokensSerializer.example | {"user": DOCTOR_EXAMPLE}

    @extend_schema_field(OwnProfile)
    def get_user(self, data):
        user = data["user"]
        return PROFILES[user.user_type](user, context=self.context).data


class SessionSerializer(serializers.ModelSerializer):
    """One of the caller's sessions, without its tokens."""

    last_used_at = serializers.DateTimeField(
        source="rotated_at",
        read_only=True,
        help_text=_("The time of the sign-in or the last refresh, not of single requests."),
    )
    expires_at = serializers.DateTimeField(
        source="deadline",
        read_only=True,
        help_text=_("When the session ends unless it is refreshed."),
    )
    address = serializers.IPAddressField(
        read_only=True, allow_null=True, help_text=_("The IP address of the sign-in.")
    )
    is_current = serializers.SerializerMethodField()
    example = {
        "id": "3f0c8a3e-6b0f-4d3a-9a55-0d9c1f6e2b71",
        "created_at": "2026-11-02T08:30:00+01:00",
        "last_used_at": "2026-11-02T11:15:00+01:00",
        "expires_at": "2026-11-09T11:15:00+01:00",
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "is_current": True,
    }

    class Meta:
        model = Session
        fields = ["id", "created_at", "last_used_at", "expires_at", "address", "user_agent",
                  "is_current"]  # fmt: skip

    def get_is_current(self, session) -> bool:
        return session.pk == read_session_id(self.context["request"].auth)


class EmptySerializer(StrictSerializer):
    """An empty body."""


class SessionsEndedSerializer(serializers.Serializer):
    ended = serializers.IntegerField(
        read_only=True, help_text=_("The number of ended sessions with tokens.")
    )
    example = {"ended": 3}


class RefreshSerializer(StrictSerializer):
    refresh = serializers.CharField(max_length=4096)
    example = {"refresh": "eyJhbGciOi…"}


class EmailVerificationSerializer(StrictSerializer):
    token = serializers.CharField(max_length=256)
    example = {"token": "WzcsIjNmMGM4YTNlNmIwZiJd:1wXyZa:…"}


class PasswordChangeSerializer(StrictSerializer):
    old_password = PasswordField()
    new_password = PasswordField()
    example = {"old_password": "securepassword", "new_password": "even-more-secure"}


class PasswordResetSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    example = {"email": "doctor@example.com"}


class PasswordResetConfirmSerializer(StrictSerializer):
    uid = serializers.CharField(max_length=64)
    token = serializers.CharField(max_length=128)
    new_password = PasswordField()
    example = {"uid": "Nw", "token": "cr4t5u-…", "new_password": "even-more-secure"}
