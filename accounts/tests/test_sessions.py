"""What opens a session's doors, and what closes them, whatever is asked behind them."""

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

from accounts import services
from accounts.auth import sessions
from accounts.auth.sessions import open_session
from accounts.auth.tokens import SessionAccessToken
from accounts.models import Session, User
from accounts.roles import UserType
from accounts.tests.factories import PASSWORD, AdminFactory, DoctorFactory, UserFactory
from accounts.tests.helpers import (
    TOKEN_INVALID,
    TOKEN_REFUSED,
    claims_of,
    data,
    profile,
    refresh,
    signed,
    status_and_code,
)

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"
NEW = "an-even-better-battery"
OTHER_KEY = "a key of somebody else, long enough for every check of anybody"


def part(value):
    """A part of a token, spelled as the standard says."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def forged(header, claims, key, digest=hashlib.sha256):
    """A token signed by hand, for what no library would sign."""
    body = f"{part(header)}.{part(claims)}"
    signature = hmac.new(key.encode(), body.encode(), digest).digest()
    return f"{body}.{part(signature)}"


def unsigned(header, claims):
    return f"{part(header)}.{part(claims)}."


def head(token):
    return jwt.get_unverified_header(token)


FORGERIES = {
    "no algorithm": lambda token, claims: unsigned({"alg": "none", "typ": "JWT"}, claims),
    "None": lambda token, claims: unsigned({"alg": "None"}, claims),
    "an empty algorithm": lambda token, claims: unsigned({"alg": ""}, claims),
    "an algorithm that is null": lambda token, claims: unsigned({"alg": None}, claims),
    "algorithms": lambda token, claims: unsigned({"alg": ["HS256", "none"]}, claims),
    "no header": lambda token, claims: unsigned({}, claims),
    "a header that is a list": lambda token, claims: unsigned([], claims),
    "no signature": lambda token, claims: token.rsplit(".", 1)[0] + ".",
    "the signature cut short": lambda token, claims: token[:-10],
    "two parts": lambda token, claims: token.rsplit(".", 1)[0],
    "four parts": lambda token, claims: token + ".x",
    "another key": lambda token, claims: forged(head(token), claims, OTHER_KEY),
    "an empty key": lambda token, claims: forged(head(token), claims, ""),
    "a key that comes along": lambda token, claims: forged(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": part(OTHER_KEY.encode())}}, claims, OTHER_KEY
    ),
    "a key from elsewhere": lambda token, claims: forged(
        {"alg": "HS256", "jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/x"},
        claims,
        OTHER_KEY,
    ),
    "a key from a file": lambda token, claims: forged(
        {"alg": "HS256", "kid": "../../../dev/null"}, claims, ""
    ),
    "our key, another algorithm": lambda token, claims: forged(
        {"alg": "RS256", "typ": "JWT"}, claims, settings.SECRET_KEY
    ),
    "our key, a longer hash": lambda token, claims: forged(
        {"alg": "HS512", "typ": "JWT"}, claims, settings.SECRET_KEY, hashlib.sha512
    ),
    "claims changed under the old signature": lambda token, claims: ".".join(
        [token.split(".")[0], part(claims | {"exp": claims["exp"] + 1}), token.split(".")[2]]
    ),
    "claims that are a list": lambda token, claims: forged(
        head(token), [claims], settings.SECRET_KEY
    ),
    "claims that are no JSON": lambda token, claims: forged(
        head(token), b"\xff\xfe{", settings.SECRET_KEY
    ),
    "deep claims": lambda token, claims: forged(head(token), b"[" * 2000, settings.SECRET_KEY),
    "a deep header": lambda token, claims: f"{part(b'[' * 2000)}.{part(claims)}.x",
    "letters": lambda token, claims: "letters",
    "dots": lambda token, claims: "..",
    "accents": lambda token, claims: "é.é.é",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_access_token_opens_nothing(api, forgery):
    tokens = open_session(UserFactory())
    token = forgery(tokens["access"], claims_of(tokens["access"]))

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID
    assert profile(api(), tokens["access"]).status_code == 200


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_refresh_token_opens_nothing_and_ends_nothing(api, forgery):
    tokens = open_session(UserFactory())
    token = forgery(tokens["refresh"], claims_of(tokens["refresh"]))

    refreshed = refresh(api(), token)
    signed_out = api().post("/api/auth/logout/", {"refresh": token})

    assert status_and_code(refreshed) == status_and_code(signed_out) == TOKEN_INVALID
    assert refresh(api(), tokens["refresh"]).status_code == 200


NOBODYS = "5405aad7-59af-4862-8843-50595bafa323"


def in_seconds(seconds):
    return int(timezone.now().timestamp()) + seconds


# Claims under our own key that must not be believed all the same; `...` stands for none.
WRONG_CLAIMS = [
    ("user_id", value)
    for value in (
        ["abc", "", None, {}, [1], ["1"], True, -1, 0, 1.5, "1\0", " 1", "\u0661", 2**63, 10**30]
    )
] + [
    ("sid", value)
    for value in (
        [..., None, "", "x", 1, True, {}, [], "' OR 1=1 --", "0" * 32, "\0", NOBODYS]
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
def test_a_genuine_access_token_with_a_wrong_claim_opens_nothing(api, claim, value):
    tokens = open_session(UserFactory())
    token = signed(claims_of(tokens["access"]), **{claim: value})

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID
    assert profile(api(), signed(claims_of(tokens["access"]))).status_code == 200


@pytest.mark.parametrize(("claim", "value"), WRONG_CLAIMS)
def test_a_genuine_refresh_token_with_a_wrong_claim_opens_nothing(api, claim, value):
    tokens = open_session(UserFactory())
    token = signed(claims_of(tokens["refresh"]), **{claim: value})

    assert status_and_code(refresh(api(), token)) == TOKEN_INVALID
    assert refresh(api(), signed(claims_of(tokens["refresh"]))).status_code == 200


def test_a_token_the_session_never_had_is_taken_for_a_copy_of_an_old_one(api):
    tokens = open_session(UserFactory())

    response = refresh(api(), signed(claims_of(tokens["refresh"]), jti="of-old"))

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
def test_two_clocks_may_differ_by_half_a_minute(api, claim, seconds, status):
    tokens = open_session(UserFactory())
    access = signed(claims_of(tokens["access"]), **{claim: in_seconds(seconds)})
    renewing = signed(claims_of(tokens["refresh"]), **{claim: in_seconds(seconds)})

    assert profile(api(), access).status_code == status
    assert refresh(api(), renewing).status_code == status


def test_a_token_that_opened_the_door_before_is_asked_again_whether_it_has_expired(
    api, monkeypatch
):
    access = open_session(UserFactory())["access"]
    in_time = profile(api(), access)

    last = timezone.now() + settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]
    too_late = last + timedelta(seconds=settings.SIMPLE_JWT["LEEWAY"] + 1)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: too_late)

    assert in_time.status_code == 200
    assert status_and_code(profile(api(), access)) == TOKEN_INVALID


def test_what_one_reader_of_a_token_writes_into_it_no_other_reads():
    access = open_session(UserFactory())["access"]
    sid = claims_of(access)["sid"]

    SessionAccessToken(access)["sid"] = NOBODYS

    assert SessionAccessToken(access)["sid"] == sid


def test_a_refresh_token_is_no_access_token_and_the_reverse(api):
    tokens = open_session(UserFactory())

    as_access = profile(api(), tokens["refresh"])
    as_refresh = refresh(api(), tokens["access"])

    assert status_and_code(as_access) == TOKEN_INVALID
    assert status_and_code(as_refresh) == TOKEN_INVALID
    assert Session.objects.live().count() == 1


@pytest.mark.parametrize("which", ["user_id", "sid"])
def test_nobody_rides_in_the_session_of_another(api, which):
    janes, pauls = open_session(UserFactory()), open_session(UserFactory())
    stolen = {which: claims_of(pauls["access"])[which]}

    access = signed(claims_of(janes["access"]), **stolen)
    renewing = signed(claims_of(janes["refresh"]), **stolen)

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
def test_a_damaged_header_is_a_stranger(api, header, code):
    access = open_session(UserFactory())["access"]

    response = api().get(PROFILE, HTTP_AUTHORIZATION=header.format(access=access))

    assert status_and_code(response) == (401, code)
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("where", ["?access={}", "?token={}", "?access_token={}"])
def test_a_token_in_the_address_is_not_looked_at(api, where):
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
def test_a_token_outlives_its_session_by_no_request(api, event):
    jane = UserFactory()
    tokens, elsewhere = open_session(jane), open_session(jane)
    event(Session.objects.filter(pk=claims_of(tokens["access"])["sid"]))

    response = profile(api(), tokens["access"])

    assert status_and_code(response) == TOKEN_INVALID
    assert profile(api(), elsewhere["access"]).status_code == 200


def test_a_deactivation_acts_on_the_next_request(api):
    jane = UserFactory()
    tokens, pauls = open_session(jane), open_session(UserFactory())
    before = profile(api(), tokens["access"])
    User.objects.filter(pk=jane.pk).update(is_active=False)

    assert before.status_code == 200
    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID
    assert profile(api(), pauls["access"]).status_code == 200


def test_the_tokens_of_a_deleted_account_open_nothing(api):
    jane = UserFactory()
    tokens = open_session(jane)
    jane.delete()

    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID


def test_a_change_of_role_acts_on_the_next_request(api):
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


def test_what_an_admin_takes_away_is_gone_on_the_next_request(api):
    house = DoctorFactory()
    client = api(house)
    before = client.get("/api/patients/")
    User.objects.filter(pk=house.pk).update(license_verified=False)

    assert before.status_code == 200
    assert status_and_code(client.get("/api/patients/")) == (403, "license_not_verified")


def change(jane, monkeypatch):
    services.change_password(jane, old_password=PASSWORD, new_password=NEW)


def set_and_save(jane, monkeypatch):
    jane.set_password(NEW)
    jane.save()


def set_and_save_that_field(jane, monkeypatch):
    jane.set_password(NEW)
    jane.save(update_fields=["password"])


def at_the_console(jane, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: NEW)
    call_command("changepassword", jane.username, stdout=StringIO())


@pytest.mark.parametrize("way", [change, set_and_save, set_and_save_that_field, at_the_console])
def test_a_password_set_anywhere_ends_the_sessions_of_that_person(api, monkeypatch, way):
    jane = UserFactory()
    tokens, pauls = open_session(jane), open_session(UserFactory())

    way(jane, monkeypatch)

    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID
    assert profile(api(), pauls["access"]).status_code == 200


def test_a_sign_in_at_the_browsable_api_ends_with_the_password_too(api):
    jane = AdminFactory()
    client = api()
    client.force_login(jane)
    before = client.get(PROFILE)

    services.change_password(jane, old_password=PASSWORD, new_password=NEW)

    assert before.status_code == 200
    assert status_and_code(client.get(PROFILE)) == (401, "not_authenticated")


def test_a_cookie_alone_changes_nothing(api):
    jane = UserFactory(phone="030 1")
    client = api(enforce_csrf_checks=True)
    client.force_login(jane)

    response = client.patch(PROFILE, {"phone": "030 2"})

    assert status_and_code(response) == (403, "permission_denied")
    assert User.objects.get().phone == "030 1"


def test_a_change_of_anything_else_ends_no_session(api):
    jane = UserFactory()
    tokens = open_session(jane)

    jane.first_name = "Janet"
    jane.save()

    assert data(profile(api(), tokens["access"]))["first_name"] == "Janet"


def test_every_refusal_of_a_token_reads_the_same(api):
    jane = UserFactory()
    ended, expired = open_session(jane), open_session(jane)
    sessions.end_by_refresh_token(ended["refresh"])
    Session.objects.filter(pk=claims_of(expired["access"])["sid"]).update(expires_at=timezone.now())
    foreign = signed(claims_of(open_session(jane)["access"]), sid=str(uuid4()))

    bodies = [
        profile(api(), token).json() | {"request_id": ""}
        for token in (ended["access"], expired["access"], foreign)
    ]

    assert bodies == [bodies[0]] * 3
    assert (401, bodies[0]["code"], bodies[0]["errors"]) == TOKEN_REFUSED
