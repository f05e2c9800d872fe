"""The part of the product's API contract that floor and FastAPI share, in plain Python.

Times are in UTC, which is the product's default. The optional booking rules of the clinic are off.
"""

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime

import jwt

SECRET_KEY = os.environ["SECRET_KEY"]
PAGE_SIZE = 20
DONE, BOOKED = "Operation completed successfully", "Appointment booked."

CLINICIANS = {"doctor", "admin"}
OPEN = {"scheduled", "confirmed"}

PERSON = [
    *("id", "username", "email", "first_name", "last_name", "user_type", "phone", "date_of_birth"),
    *("gender", "address", "avatar", "created_at", "updated_at"),
]
OF_ROLE = {
    "admin": [],
    "doctor": ["medical_license_number", "specialization", "license_verified"],
    "patient": [
        *("medical_history", "allergies", "emergency_contact"),
        *("emergency_contact_phone", "emergency_contact_relation"),
    ],
}


class Refused(Exception):  # noqa: N818
    def __init__(self, status, code):
        self.status, self.body = status, {"status": "error", "code": code}


def now():
    return datetime.now(UTC)


def claims_of(authorization):
    """Returns (session, user) of a valid access token, as strings."""
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            SECRET_KEY,
            algorithms=["HS256"],
            issuer="medical-platform",
            leeway=30,
        )
    except jwt.InvalidTokenError:
        raise Refused(401, "token_invalid") from None
    if claims["token_type"] != "access":  # noqa: S105
        raise Refused(401, "token_invalid")
    return claims["sid"], claims["user_id"]


def check_session(ended_at, expires_at, is_active, user_type, license_verified):
    """Raises Refused unless the session is open and its user may use the API."""
    if ended_at or expires_at <= now() or not is_active:
        raise Refused(401, "token_invalid")
    if user_type == "doctor" and not license_verified:
        raise Refused(403, "license_not_verified")


def allowed(status, starts_at, role):
    """Returns the moves that a role may make now.

    The made rows do not know their last move, so none of them can be reopened.
    """
    begun, its_day = starts_at <= now(), starts_at.astimezone(UTC).date() <= now().date()
    if status == "in_progress":
        moves = [*(["complete"] if its_day else []), "cancel"]
        return moves if role in CLINICIANS else []
    if status not in OPEN:
        return []
    if role not in CLINICIANS:
        return [] if begun else ["cancel", "reschedule"]
    moves = [*(["start", "complete"] if its_day else []), *(["no_show"] if begun else [])]
    moves += ["cancel", "reschedule"]
    return ["confirm", *moves] if status == "scheduled" else moves


def full_name(person):
    return f"{person['first_name']} {person['last_name']}".strip() or person["username"]


def profile(person):
    """Returns the answer of profile/ from a row as a dict."""
    shown = {name: person[name] for name in PERSON + OF_ROLE[person["user_type"]]}
    return shown | {"full_name": full_name(person), "avatar": person["avatar"] or None}


def success(data, message=DONE):
    return {"status": "success", "data": data, "message": message}


def page_link(host, path, query, page):
    """Returns the URL of another page, with the parameters in DRF's order."""
    query = {name: value for name, value in query.items() if name != "page"}
    query |= {"page": page} if page > 1 else {}
    told = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
    return f"http://{host}{path}" + (f"?{told}" if told else "")


def paged(*, host, path, query, page, count, results):
    return {
        "count": count,
        "next": page_link(host, path, query, page + 1) if page * PAGE_SIZE < count else None,
        "previous": page_link(host, path, query, page - 1) if page > 1 else None,
        "results": results,
    }


def fingerprint(method, path, body):
    """Returns the HMAC that the product stores with an Idempotency-Key."""
    key = hashlib.sha256(f"accounts.idempotency{SECRET_KEY}".encode()).digest()
    text = json.dumps([method, path, body], sort_keys=True, default=str)
    return hmac.new(key, text.encode(), "sha256").hexdigest()
