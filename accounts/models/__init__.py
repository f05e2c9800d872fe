"""The models of users, sessions and the audit."""

from accounts.models.audit import Action, AuditEvent, AuditSeal, Outcome
from accounts.models.doctor import Doctor, DoctorManager
from accounts.models.managers import UserManager
from accounts.models.message import Channel, MessageStatus, OutgoingMessage
from accounts.models.names import NAME_FIELDS
from accounts.models.session import (
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_USER_AGENT_LENGTH,
    IdempotencyKey,
    LoginCounter,
    Session,
)
from accounts.models.user import (
    BOOKABLE_FIELDS,
    User,
    avatar_path,
)

__all__ = [
    "BOOKABLE_FIELDS",
    "MAX_IDEMPOTENCY_KEY_LENGTH",
    "MAX_USER_AGENT_LENGTH",
    "NAME_FIELDS",
    "Action",
    "AuditEvent",
    "AuditSeal",
    "Channel",
    "Doctor",
    "DoctorManager",
    "IdempotencyKey",
    "LoginCounter",
    "MessageStatus",
    "Outcome",
    "OutgoingMessage",
    "Session",
    "User",
    "UserManager",
    "avatar_path",
]
