"""Rotation of the token signing key: each token names its key."""

import builtins
import hashlib

import jwt
import pytest
from django.contrib.auth import get_user
from django.core import signing
from django.test import Client

from accounts.auth.sessions import open_session
from accounts.tests.factories import AdminFactory, UserFactory
from accounts.tests.helpers import (
    TOKEN_INVALID,
    data,
    decode_claims,
    profile,
    refresh,
    sign_token,
    status_and_code,
)
from accounts.tests.test_sessions import forge_token

pytestmark = pytest.mark.django_db

OLD = "the key of last year, long enough for every check of ours and others"
NEW = "the key of this year, long enough for every check of ours and others"


def name_of(key):
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def kid(token):
    return jwt.get_unverified_header(token).get("kid")


@pytest.fixture
def set_signing_key(settings):
    def use(first, *fallbacks):
        settings.TOKEN_KEY, settings.TOKEN_KEY_FALLBACKS = first, list(fallbacks)

    return use


def test_a_token_names_the_key_that_signed_it(set_signing_key):
    set_signing_key(NEW, OLD)

    tokens = open_session(UserFactory())

    assert kid(tokens["access"]) == kid(tokens["refresh"]) == name_of(NEW)
    names = {"issuer": "medical-platform", "audience": "medical-platform-api"}
    assert jwt.decode(tokens["access"], NEW, ["HS256"], **names)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(tokens["access"], OLD, ["HS256"])


def test_a_new_key_keeps_tokens_valid_until_the_old_key_is_dropped(api, set_signing_key):
    jane = UserFactory()
    set_signing_key(OLD)
    before, unused = open_session(jane), open_session(jane)

    set_signing_key(NEW, OLD)
    opened = profile(api(), before["access"])
    renewed = data(refresh(api(), before["refresh"]))
    set_signing_key(NEW)

    assert opened.status_code == 200
    assert kid(renewed["access"]) == kid(renewed["refresh"]) == name_of(NEW)
    assert profile(api(), renewed["access"]).status_code == 200
    assert status_and_code(profile(api(), unused["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), unused["refresh"])) == TOKEN_INVALID
    assert refresh(api(), renewed["refresh"]).status_code == 200


@pytest.mark.parametrize(("first", "status"), [("same", 200), ("another", 401)])
def test_a_token_without_a_key_id_is_verified_with_the_first_key(
    api, set_signing_key, settings, first, status
):
    set_signing_key(
        *([settings.SECRET_KEY, OLD] if first == "same" else [NEW, settings.SECRET_KEY])
    )
    tokens = open_session(UserFactory())
    access, renewing = (
        sign_token(decode_claims(one)) for one in (tokens["access"], tokens["refresh"])
    )
    assert kid(access) is None

    assert profile(api(), access).status_code == status
    assert refresh(api(), renewing).status_code == status


UNKNOWN = [
    "", " ", "deadbeef", name_of(OLD).upper(), "../../../dev/null", "/dev/zero", "k" * 2_000,
    "' OR 1=1 --", "http://127.0.0.1:9/key", "0", "\0", "Ⅷ",
]  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_key_id_is_refused_without_any_lookup(
    api, set_signing_key, name, django_assert_num_queries, monkeypatch
):
    set_signing_key(NEW, OLD)
    claims = decode_claims(open_session(UserFactory())["access"])
    token = jwt.encode(claims, NEW, "HS256", headers={"kid": name})
    client = api()

    def no_file(*args, **kwargs):
        raise AssertionError("a file was opened")

    with django_assert_num_queries(2):  # the audit events of the denials
        monkeypatch.setattr(builtins, "open", no_file)
        monkeypatch.setattr("io.open", no_file)
        response = profile(client, token)
        renewing = refresh(client, token)

    assert status_and_code(response) == status_and_code(renewing) == TOKEN_INVALID


@pytest.mark.parametrize("value", [None, 1, True, [], {}, [name_of(NEW)]])
def test_a_key_id_that_is_no_string_is_refused(api, set_signing_key, value):
    set_signing_key(NEW, OLD)
    claims = decode_claims(open_session(UserFactory())["access"])
    token = forge_token({"alg": "HS256", "typ": "JWT", "kid": value}, claims, NEW)

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID


def test_a_token_signed_with_another_key_than_it_names_is_refused(api, set_signing_key):
    set_signing_key(NEW, OLD)
    claims = decode_claims(open_session(UserFactory())["access"])

    crossed = jwt.encode(claims, OLD, "HS256", headers={"kid": name_of(NEW)})
    forged = jwt.encode(claims, "k" * 50, "HS256", headers={"kid": name_of(OLD)})
    genuine = jwt.encode(claims, OLD, "HS256", headers={"kid": name_of(OLD)})

    assert status_and_code(profile(api(), crossed)) == TOKEN_INVALID
    assert status_and_code(profile(api(), forged)) == TOKEN_INVALID
    assert profile(api(), genuine).status_code == 200


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_right_key_with_another_algorithm_is_refused(api, set_signing_key, algorithm):
    set_signing_key(NEW, OLD)
    claims = decode_claims(open_session(UserFactory())["access"])

    token = jwt.encode(claims, NEW, algorithm, headers={"kid": name_of(NEW)})

    assert status_and_code(profile(api(), token)) == TOKEN_INVALID


def test_django_signatures_survive_a_key_rotation(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    ada = AdminFactory()
    client = Client()
    client.force_login(ada)
    link = signing.dumps("a link")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    kept = client.get("/admin/")
    settings.SECRET_KEY_FALLBACKS = []

    assert kept.status_code == 200
    assert get_user(kept.wsgi_request) == ada
    assert client.get("/admin/").status_code == 200  # signed again with the new key
    with pytest.raises(signing.BadSignature):
        signing.loads(link)


@pytest.mark.parametrize("audience", [..., "another-service"])
def test_a_token_for_another_audience_is_refused(api, audience):
    tokens = open_session(UserFactory())
    claims = decode_claims(tokens["access"])

    assert profile(api(), sign_token(claims)).status_code == 200
    assert profile(api(), sign_token(claims, aud=audience)).status_code == 401
