"""Opening, rotating and ending sessions. Each is one conditional UPDATE: nobody wins twice."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import log as audit
from accounts.auth import tokens
from accounts.models import MAX_USER_AGENT_LENGTH, Action, Session, User
from config.context import client_ip, user_agent
from config.errors import rule_error

RETENTION = timedelta(
    days=30
)  # after its end, for who asks at the desk where somebody was signed in


def open_session(user, *, request=None):
    """{access, refresh} of a new session; None where the account changed since it was checked.

    Where the `request` came from, and from what program, is written down for the person to see.

    The UPDATE is the check: an account deactivated, or a password changed, while the old password
    was being verified leaves no row to update, and locks out a change that comes after.
    """
    with transaction.atomic():
        unchanged = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not unchanged.update(last_login=timezone.now()):
            return None
        session = Session(user=user)
        if request is not None:
            session.address = client_ip(request)
            session.user_agent = user_agent(request)[:MAX_USER_AGENT_LENGTH]
        token = tokens.refresh_token(session.pk, user, opened_at=session.created_at)
        session.jti, session.expires_at = token["jti"], tokens.expiry(token)
        session.save(force_insert=True)
        audit.record_create("session.open", session, by=user)
    return tokens.token_pair(token)


def rotate(raw):
    """{access, refresh} for a live refresh token, which is dead from then on; None for any other.

    A token that was rotated within the grace is refused with the code `refresh_superseded`; one
    that comes back later has been copied, and its session ends.
    """
    session, presented = _session_of(raw)
    if session is None or not session.user.is_active:
        return None
    now = timezone.now()
    token = tokens.refresh_token(session.pk, session.user, opened_at=session.created_at)
    # No join: its condition would not be read again by an UPDATE that has waited for another one.
    won = Session.objects.live().filter(pk=session.pk, jti=presented["jti"])
    if won.update(
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
        raise rule_error("refresh", "Use the newer token.", "refresh_superseded")
    _end(session, "session.stolen")
    return None


def _within_grace(rotated, now):
    """Of the tokens rotated lately, those that two tabs may still be racing with."""
    oldest = now.timestamp() - settings.REFRESH_GRACE_SECONDS
    return {jti: moment for jti, moment in rotated.items() if moment > oldest}


def end_by_refresh_token(raw):
    """End the session a refresh token belongs to; False where it has ended already.

    Any genuine token of the session will do, a superseded one too: who wants out gets out.
    """
    session, _ = _session_of(raw)
    return session is not None and _end(session, "session.end") == 1


@transaction.atomic
def end(sessions):
    """End these sessions; how many there were."""
    of_whom = list(sessions.filter(ended_at=None))
    audit.record_change("session.end", *of_whom, action=Action.DELETE)
    return sessions.end()


@transaction.atomic
def end_all(user):
    """End every session of a person, the sign-ins by cookie too; how many had tokens."""
    User.objects.filter(pk=user.pk).update(sessions_ended_at=timezone.now())
    audit.record_change("session.end_all", user, action=Action.DELETE)
    return user.sessions.end()


@transaction.atomic
def delete_for(user):
    """End every session of a person, and keep no trace of where from and with what they were."""
    end_all(user)
    user.sessions.all().delete()


@transaction.atomic
def _end(session, event):
    ended = Session.objects.filter(pk=session.pk).live().end()
    if ended:
        audit.record_change(event, session, by=session.user, action=Action.DELETE)
    return ended


def prune():
    """Delete sessions that have long been over; how many there were."""
    before = timezone.now() - RETENTION
    return Session.objects.filter(Q(ended_at__lt=before) | Q(expires_at__lt=before)).delete()[0]


def _session_of(raw):
    """The live session of a genuine refresh token, with the token; (None, None) otherwise."""
    token = tokens.read_refresh_token(raw)
    session_id = tokens.read_session_id(token)
    if session_id is None:
        return None, None
    session = Session.objects.live().select_related("user").filter(pk=session_id).first()
    if session is None or str(session.user_id) != str(token.get("user_id")):
        return None, None
    return session, token
