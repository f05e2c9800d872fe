"""Valid and invalid tokens, and the events that end a session."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from accounts import passwords
from accounts.auth import sessions
from accounts.auth.sessions import open_session
from accounts.auth.tokens import SessionAccessToken
from accounts.models import Session, User
from accounts.roles import UserType
from accounts.tests.factories import PASSWORD, AdminFactory, DoctorFactory, UserFactory
from accounts.tests.helpers import (
    TOKEN_INVALID,
    TOKEN_REFUSED,
    data,
    decode_claims,
    profile,
    refresh,
    sign_token,
    status_and_code,
)

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"
NEW = "an-even-better-battery"
OTHER_KEY = "a key of somebody else, long enough for every check of anybody"


def encode_part(value):
    """Encodes a part of a token as base64url without padding."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def forge_token(header, claims, key, digest=hashlib.sha256):
    """Signs a token by hand, for tokens that no library would sign."""
    body = f"{encode_part(header)}.{encode_part(claims)}"
    signature = hmac.new(key.encode(), body.encode(), digest).digest()
    return f"{body}.{encode_part(signature)}"


def unsigned_token(header, claims):
    return f"{encode_part(header)}.{encode_part(claims)}."


def token_header(token):
    return jwt.get_unverified_header(token)


FORGERIES = {
    "no algorithm": lambda token, claims: unsigned_token({"alg": "none", "typ": "JWT"}, claims),
    "None": lambda token, claims: unsigned_token({"alg": "None"}, claims),
    "an empty algorithm": lambda token, claims: unsigned_token({"alg": ""}, claims),
    "an algorithm that is null": lambda token, claims: unsigned_token({"alg": None}, claims),
    "algorithms": lambda token, claims: unsigned_token({"alg": ["HS256", "none"]}, claims),
    "no header": lambda token, claims: unsigned_token({}, claims),
    "a header that is a list": lambda token, claims: unsigned_token([], claims),
    "no signature": lambda token, claims: token.rsplit(".", 1)[0] + ".",
    "the signature cut short": lambda token, claims: token[:-10],
    "two parts": lambda token, claims: token.rsplit(".", 1)[0],
    "four parts": lambda token, claims: token + ".x",
    "another key": lambda token, claims: forge_token(token_header(token), claims, OTHER_KEY),
    "an empty key": lambda token, claims: forge_token(token_header(token), claims, ""),
    "a key in the header": lambda token, claims: forge_token(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": encode_part(OTHER_KEY.encode())}},
        claims,
        OTHER_KEY,
    ),
    "a key from a URL": lambda token, claims: forge_token(
        {"alg": "HS256", "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/x"},
        claims,
        OTHER_KEY,
    ),
    "a key from a file": lambda token, claims: forge_token(
        {"alg": "HS256", "kid": "../../../dev/null"}, claims, ""
    ),
    "our key, another algorithm": lambda token, claims: forge_token(
        {"alg": "RS256", "typ": "JWT"}, claims, settings.SECRET_KEY
    ),
    "our key, a longer hash": lambda token, claims: forge_token(
        {"alg": "HS512", "typ": "JWT"}, claims, settings.SECRET_KEY, hashlib.sha512
    ),
    "claims changed under the old signature": lambda token, claims: ".".join(
        [token.split(".")[0], encode_part(claims | {"exp": claims["exp"] + 1}), token.split(".")[2]]
    ),
    "claims that are a list": lambda token, claims: forge_token(
        token_header(token), [claims], settings.SECRET_KEY
    ),
    "claims that are no JSON": lambda token, claims: forge_token(
        token_header(token), b"\xff\xfe{", settings.SECRET_KEY
    ),
    "deep claims": lambda token, claims: forge_token(
        token_header(token), b"[" * 2000, settings.SECRET_KEY
    ),
    "a deep header": lambda token, claims: f"{encode_part(b'[' * 2000)}.{encode_part(claims)}.x",
    "letters": lambda token, claims: "letters",
    "dots": lambda token, claims: "..",
    "accents": lambda token, claims: "é.é.é",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_access_token_is_refused(api, forgery):
    tokens = open_session(UserFactory())
    token = forgery(tokens["access"], decode_claims(tokens["access"]))

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID
    assert profile(api(), tokens["access"]).status_code == 200


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_refresh_token_is_refused_and_ends_nothing(api, forgery):
    tokens = open_session(UserFactory())
    token = forgery(tokens["refresh"], decode_claims(tokens["refresh"]))

    refreshed = refresh(api(), token)
    signed_out = api().post("/api/auth/logout/", {"refresh": token})

    assert status_and_code(refreshed) == status_and_code(signed_out) == TOKEN_INVALID
    assert refresh(api(), tokens["refresh"]).status_code == 200


UNKNOWN_SESSION = "5405aad7-59af-4862-8843-50595bafa323"


def in_seconds(seconds):
    return int(timezone.now().timestamp()) + seconds


# Invalid claims signed with our own key; `...` removes a claim.
WRONG_CLAIMS = [
    ("user_id", value)
    for value in (
        ["abc", "", None, {}, [1], ["1"], True, -1, 0, 1.5, "1\0", " 1", "\u0661", 2**63, 10**30]
    )
] + [
    ("sid", value)
    for value in (
        [..., None, "", "x", 1, True, {}, [], "' OR 1=1 --", "0" * 32, "\0", UNKNOWN_SESSION]
    )
] + [
    ("token_type", value) for value in [..., None, "", "sliding", 1, ["access", "refresh"], {}]
] + [
    ("iss", value) for value in [..., "", "elsewhere"]
] + [
    ("jti", ...),
    ("jti", None),
    ("jti", 1),
    ("jti", {}),
    ("jti", []),
    ("user_id", ...),
    ("exp", ...),
    ("exp", "soon"),
    ("exp", None),
    ("exp", {}),
    ("exp", 0),
    ("exp", -1),
    ("exp", 10**12),
    ("exp", 10**30),
    ("exp", 1e308),
    ("iat", "now"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "value"), WRONG_CLAIMS)
def test_an_access_token_with_an_invalid_claim_is_refused(api, claim, value):
    tokens = open_session(UserFactory())
    token = sign_token(decode_claims(tokens["access"]), **{claim: value})

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID
    assert profile(api(), sign_token(decode_claims(tokens["access"]))).status_code == 200


@pytest.mark.parametrize(("claim", "value"), WRONG_CLAIMS)
def test_a_refresh_token_with_an_invalid_claim_is_refused(api, claim, value):
    tokens = open_session(UserFactory())
    token = sign_token(decode_claims(tokens["refresh"]), **{claim: value})

    assert status_and_code(refresh(api(), token)) == TOKEN_INVALID
    assert refresh(api(), sign_token(decode_claims(tokens["refresh"]))).status_code == 200


def test_an_unknown_refresh_token_is_treated_as_reused(api):
    tokens = open_session(UserFactory())

    response = refresh(api(), sign_token(decode_claims(tokens["refresh"]), jti="of-old"))

    assert status_and_code(response) == TOKEN_INVALID
    assert not Session.objects.live().exists()


@pytest.mark.parametrize(
    ("claim", "seconds", "status"),
    [
        ("exp", 60, 200),
        ("exp", -15, 200),
        ("exp", -60, 401),
        ("iat", 15, 200),
        ("iat", 120, 401),
        ("nbf", 15, 200),
        ("nbf", 120, 401),
    ],
)
def test_clocks_may_differ_by_thirty_seconds(api, claim, seconds, status):
    tokens = open_session(UserFactory())
    access = sign_token(decode_claims(tokens["access"]), **{claim: in_seconds(seconds)})
    renewing = sign_token(decode_claims(tokens["refresh"]), **{claim: in_seconds(seconds)})

    assert profile(api(), access).status_code == status
    assert refresh(api(), renewing).status_code == status


def test_a_cached_token_is_checked_for_expiry_again(api, monkeypatch):
    access = open_session(UserFactory())["access"]
    in_time = profile(api(), access)

    last = timezone.now() + settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]
    too_late = last + timedelta(seconds=settings.SIMPLE_JWT["LEEWAY"] + 1)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: too_late)

    assert in_time.status_code == 200
    assert status_and_code(profile(api(), access)) == TOKEN_INVALID


def test_decoded_claims_are_not_shared_between_requests():
    access = open_session(UserFactory())["access"]
    sid = decode_claims(access)["sid"]

    SessionAccessToken(access)["sid"] = UNKNOWN_SESSION

    assert SessionAccessToken(access)["sid"] == sid


def test_access_and_refresh_tokens_are_not_interchangeable(api):
    tokens = open_session(UserFactory())

    as_access = profile(api(), tokens["refresh"])
    as_refresh = refresh(api(), tokens["access"])

    assert status_and_code(as_access) == TOKEN_INVALID
    assert status_and_code(as_refresh) == TOKEN_INVALID
    assert Session.objects.live().count() == 1


@pytest.mark.parametrize("which", ["user_id", "sid"])
def test_a_token_with_the_session_of_another_user_is_refused(api, which):
    janes, pauls = open_session(UserFactory()), open_session(UserFactory())
    stolen = {which: decode_claims(pauls["access"])[which]}

    access = sign_token(decode_claims(janes["access"]), **stolen)
    renewing = sign_token(decode_claims(janes["refresh"]), **stolen)

    assert status_and_code(profile(api(), access)) == TOKEN_INVALID
    assert status_and_code(refresh(api(), renewing)) == TOKEN_INVALID
    assert Session.objects.live().count() == 2


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "not_authenticated"),
        ("Bearer", "token_invalid"),
        ("Bearer ", "token_invalid"),
        ("Bearer a b", "token_invalid"),
        ("Bearer \x00", "token_invalid"),
        ("Bearer \xff\xfe", "token_invalid"),
        ("Bearer " + "x" * 100_000, "token_invalid"),
        ("Bearer " + "." * 8000, "token_invalid"),
        ("Token {access}", "not_authenticated"),
        ("{access}", "not_authenticated"),
        ("Basic amFuZTpwYXNzd29yZA==", "not_authenticated"),
        ("Bearer, {access}", "not_authenticated"),
        ("Bearer {access} {access}", "token_invalid"),
        ('Bearer "{access}"', "token_invalid"),
    ],
)
def test_a_malformed_authorization_header_is_401(api, header, code):
    access = open_session(UserFactory())["access"]

    response = api().get(PROFILE, HTTP_AUTHORIZATION=header.format(access=access))

    assert status_and_code(response) == (401, code)
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("where", ["?access={}", "?token={}", "?access_token={}"])
def test_a_token_in_the_query_string_is_ignored(api, where):
    access = open_session(UserFactory())["access"]

    response = api().get(PROFILE + where.format(access))

    assert status_and_code(response) == (401, "not_authenticated")


def expire(session):
    session.update(expires_at=timezone.now() - timedelta(seconds=1))


def end(session):
    session.end()


def remove(session):
    session.delete()


@pytest.mark.parametrize("event", [expire, end, remove])
def test_a_token_is_invalid_as_soon_as_its_session_has_ended(api, event):
    jane = UserFactory()
    tokens, elsewhere = open_session(jane), open_session(jane)
    event(Session.objects.filter(pk=decode_claims(tokens["access"])["sid"]))

    response = profile(api(), tokens["access"])

    assert status_and_code(response) == TOKEN_INVALID
    assert profile(api(), elsewhere["access"]).status_code == 200


def test_a_deactivation_applies_to_the_next_request(api):
    jane = UserFactory()
    tokens, pauls = open_session(jane), open_session(UserFactory())
    before = profile(api(), tokens["access"])
    User.objects.filter(pk=jane.pk).update(is_active=False)

    assert before.status_code == 200
    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID
    assert profile(api(), pauls["access"]).status_code == 200


def test_tokens_of_a_deleted_account_are_invalid(api):
    jane = UserFactory()
    tokens = open_session(jane)
    jane.delete()

    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID


def test_a_change_of_role_applies_to_the_next_request(api):
    person = UserFactory(medical_license_number="MD-7", specialization="Surgery")
    client = api(person)
    as_patient = client.get("/api/patients/")

    User.objects.update(user_type=UserType.DOCTOR)
    as_new_doctor = client.get("/api/patients/")
    User.objects.update(license_verified=True)
    as_doctor = client.get("/api/patients/")

    assert status_and_code(as_patient) == (403, "permission_denied")
    assert status_and_code(as_new_doctor) == (403, "license_not_verified")
    assert as_doctor.status_code == 200


def test_a_change_by_an_admin_applies_to_the_next_request(api):
    house = DoctorFactory()
    client = api(house)
    before = client.get("/api/patients/")
    User.objects.filter(pk=house.pk).update(license_verified=False)

    assert before.status_code == 200
    assert status_and_code(client.get("/api/patients/")) == (403, "license_not_verified")


def set_by_endpoint(jane, monkeypatch):
    passwords.change_password(jane, old_password=PASSWORD, new_password=NEW)


def set_and_save(jane, monkeypatch):
    jane.set_password(NEW)
    jane.save()


def set_and_save_the_field(jane, monkeypatch):
    jane.set_password(NEW)
    jane.save(update_fields=["password"])


def set_by_command(jane, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: NEW)
    call_command("changepassword", jane.username, stdout=StringIO())


@pytest.mark.parametrize(
    "way", [set_by_endpoint, set_and_save, set_and_save_the_field, set_by_command]
)
def test_setting_a_password_by_any_means_ends_all_sessions(api, monkeypatch, way):
    jane = UserFactory()
    tokens, pauls = open_session(jane), open_session(UserFactory())

    way(jane, monkeypatch)

    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID
    assert profile(api(), pauls["access"]).status_code == 200


def test_a_password_change_ends_browsable_api_logins(api):
    jane = AdminFactory()
    client = api()
    client.force_login(jane)
    before = client.get(PROFILE)

    passwords.change_password(jane, old_password=PASSWORD, new_password=NEW)

    assert before.status_code == 200
    assert status_and_code(client.get(PROFILE)) == (401, "not_authenticated")


def test_a_cookie_without_csrf_token_cannot_write(api):
    jane = UserFactory(phone="030 1")
    client = api(enforce_csrf_checks=True)
    client.force_login(jane)

    response = client.patch(PROFILE, {"phone": "030 2"})

    assert status_and_code(response) == (403, "permission_denied")
    assert User.objects.get().phone == "030 1"


def test_other_changes_end_no_session(api):
    jane = UserFactory()
    tokens = open_session(jane)

    jane.first_name = "Janet"
    jane.save()

    assert data(profile(api(), tokens["access"]))["first_name"] == "Janet"


def test_every_refused_token_gets_the_same_response(api):
    jane = UserFactory()
    ended, expired = open_session(jane), open_session(jane)
    sessions.end_by_refresh_token(ended["refresh"])
    Session.objects.filter(pk=decode_claims(expired["access"])["sid"]).update(
        expires_at=timezone.now()
    )
    foreign = sign_token(decode_claims(open_session(jane)["access"]), sid=str(uuid4()))

    bodies = [
        profile(api(), token).json() | {"request_id": ""}
        for token in (ended["access"], expired["access"], foreign)
    ]

    assert bodies == [bodies[0]] * 3
    assert (401, bodies[0]["code"], bodies[0]["errors"]) == TOKEN_REFUSED
