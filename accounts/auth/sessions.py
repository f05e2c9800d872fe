"""Opens, rotates and ends sessions. Conditional UPDATEs make concurrent calls safe."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework_simplejwt.tokens import Token

from accounts.audit import log as audit
from accounts.auth import tokens
from accounts.models import MAX_USER_AGENT_LENGTH, Action, Session, User
from accounts.models.session import SessionQuerySet
from config.context import client_ip, user_agent
from config.errors import rule_error

RETENTION = timedelta(days=30)  # after the end, so that staff can look up former sign-ins


def open_session(user: User, *, request: HttpRequest | None = None) -> dict[str, str] | None:
    """Open a session and return {access, refresh}; None if the account has changed since login.

    The oldest sessions beyond MAX_SESSIONS end. The session stores the address and user agent of
    `request`, so that the user can see them.

    The conditional UPDATE finds no row if the account was deactivated or its password changed while
    the old password was checked. It also locks the row against later changes.
    """
    with transaction.atomic():
        if not _note_login(user):
            return None
        _end_oldest(user)
        session = Session(user=user)
        if request is not None:
            session.address = client_ip(request)
            session.user_agent = user_agent(request)[:MAX_USER_AGENT_LENGTH]
        token = tokens.refresh_token(session.pk, user, opened_at=session.created_at)
        session.jti, session.expires_at = token["jti"], tokens.expiry(token)
        session.save(force_insert=True)
        audit.record_create("session.open", session, by=user)
    return tokens.token_pair(token)


def _note_login(user: User) -> bool:
    """Set `last_login` and lock the row; False if the account has changed since login.

    A row with a text from before the limit of its length cannot be written on PostgreSQL. It is
    locked alone, so that its user can sign in.
    """
    unchanged = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
    try:
        with transaction.atomic():
            return unchanged.update(last_login=timezone.now()) == 1
    except IntegrityError:
        return unchanged.select_for_update(no_key=True).exists()


def _end_oldest(user: User) -> None:
    """Leave room for one more session. The caller holds the lock on the user."""
    limit = settings.MAX_SESSIONS
    if limit <= 0:
        return
    live = Session.objects.live().filter(user=user).order_by("-created_at", "-pk")
    oldest = list(live[limit - 1 :])
    if oldest:
        Session.objects.filter(pk__in=[session.pk for session in oldest]).end()
        audit.record_change("session.end", *oldest, by=user, action=Action.DELETE)


def rotate(refresh_token: str) -> dict[str, str] | None:
    """Replace a valid refresh token; return {access, refresh}, or None if it is not valid.

    A token that was replaced within REFRESH_GRACE_SECONDS is refused with the code
    `refresh_superseded`. An older one has been stolen, and its session ends.
    """
    session, presented = _session_of(refresh_token)
    if session is None or presented is None or not session.user.is_active:
        return None
    now = timezone.now()
    token = tokens.refresh_token(session.pk, session.user, opened_at=session.created_at)
    # Without a join, because an UPDATE that waited for a lock would not recheck its condition.
    current = Session.objects.live().filter(pk=session.pk, jti=presented["jti"])
    if current.update(
        jti=token["jti"],
        rotated=_within_grace(session.rotated, now) | {presented["jti"]: now.timestamp()},
        rotated_at=now,
        expires_at=tokens.expiry(token),
    ):
        return tokens.token_pair(token)
    session = Session.objects.live().filter(pk=session.pk).first()
    if session is None:
        return None
    if presented["jti"] in _within_grace(session.rotated, now):
        raise rule_error("refresh", _("Use the newer token."), "refresh_superseded")
    _end(session, "session.stolen")
    return None


def _within_grace(rotated: dict[str, float], now: datetime) -> dict[str, float]:
    """Return the rotated tokens that a concurrent request may still send."""
    oldest = now.timestamp() - settings.REFRESH_GRACE_SECONDS
    return {jti: moment for jti, moment in rotated.items() if moment > oldest}


def end_by_refresh_token(refresh_token: str) -> bool:
    """End the session of a refresh token; return False if it had ended already.

    Any genuine token of the session is accepted, also a replaced one.
    """
    session, _ = _session_of(refresh_token)
    return session is not None and _end(session, "session.end") == 1


@transaction.atomic
def end(sessions: SessionQuerySet) -> int:
    """End the sessions; return their number."""
    ended = list(sessions.filter(ended_at=None))
    audit.record_change("session.end", *ended, action=Action.DELETE)
    return sessions.end()


@transaction.atomic
def end_all(user: User) -> int:
    """End all sessions of a user, including browser sessions; return the number with tokens."""
    User.objects.filter(pk=user.pk).update(sessions_ended_at=timezone.now())
    audit.record_change("session.end_all", user, action=Action.DELETE)
    return user.sessions.end()


@transaction.atomic
def delete_for(user: User) -> None:
    """End and delete all sessions of a user, with their addresses and user agents."""
    end_all(user)
    user.sessions.all().delete()


@transaction.atomic
def _end(session: Session, event: str) -> int:
    ended = Session.objects.filter(pk=session.pk).live().end()
    if ended:
        audit.record_change(event, session, by=session.user, action=Action.DELETE)
    return ended


def prune() -> int:
    """Delete sessions that ended more than RETENTION ago; return their number."""
    before = timezone.now() - RETENTION
    return Session.objects.filter(Q(ended_at__lt=before) | Q(expires_at__lt=before)).delete()[0]


def _session_of(refresh_token: str) -> tuple[Session, Token] | tuple[None, None]:
    """Return (live session, token) of a genuine refresh token, else (None, None)."""
    token = tokens.read_refresh_token(refresh_token)
    session_id = tokens.read_session_id(token)
    if token is None or session_id is None:
        return None, None
    session = Session.objects.live().select_related("user").filter(pk=session_id).first()
    if session is None or str(session.user_id) != str(token.get("user_id")):
        return None, None
    return session, token
