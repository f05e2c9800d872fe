"""Opening, rotating and ending sessions. Each is one conditional UPDATE: nobody wins twice."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import tokens
from accounts.models import Session, User


def open_session(user):
    """{access, refresh} of a new session; None where the account changed since it was checked.

    The UPDATE is the check: an account deactivated, or a password changed, while the old password
    was being verified leaves no row to update, and locks out a change that comes after.
    """
    with transaction.atomic():
        unchanged = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not unchanged.update(last_login=timezone.now()):
            return None
        session = Session(user=user)
        token = tokens.refresh_token(session.pk, user)
        session.jti, session.expires_at = token["jti"], tokens.expiry(token)
        session.save(force_insert=True)
    return tokens.as_pair(token)


def rotate(raw):
    """{access, refresh} for a live refresh token, which is dead from then on; None for any other.

    A token that was rotated within the grace is refused with the code `refresh_superseded`; one
    that comes back later has been copied, and its session ends.
    """
    session, presented = _session_of(raw)
    if session is None:
        return None
    now = timezone.now()
    token = tokens.refresh_token(session.pk, session.user)
    won = Session.objects.live().filter(pk=session.pk, jti=presented["jti"], user__is_active=True)
    if won.update(
        jti=token["jti"],
        previous_jti=presented["jti"],
        rotated_at=now,
        expires_at=tokens.expiry(token),
    ):
        return tokens.as_pair(token)
    session = Session.objects.live().filter(pk=session.pk, user__is_active=True).first()
    if session is None:
        return None
    raced = constant_time_compare(session.previous_jti, presented["jti"])
    if raced and not tokens.grace_ends_before(session.rotated_at, now):
        raise ValidationError(
            {"refresh": ValidationError("Use the newer token.", code="refresh_superseded")}
        )
    Session.objects.filter(pk=session.pk).live().end()
    return None


def close(raw):
    """End the session a refresh token belongs to; False where it has ended already.

    Any genuine token of the session will do, a superseded one too: who wants out gets out.
    """
    session, _ = _session_of(raw)
    return session is not None and Session.objects.filter(pk=session.pk).live().end() == 1


def _session_of(raw):
    """The live session of a genuine refresh token, with the token; (None, None) otherwise."""
    token = tokens.read_refresh_token(raw)
    session_id = read_session_id(token)
    if session_id is None:
        return None, None
    session = Session.objects.live().select_related("user").filter(pk=session_id).first()
    if session is None or str(session.user_id) != str(token.get("user_id")):
        return None, None
    return session, token


def read_session_id(token):
    """The session a token names, as a UUID; None where it names none."""
    claim = token.get(tokens.SESSION_CLAIM) if token is not None else None
    try:
        return UUID(claim) if isinstance(claim, str) else None
    except ValueError:
        return None
