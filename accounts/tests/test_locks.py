"""The second of two transactions waits for the first and then reads what the first committed."""

from datetime import timedelta

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import idempotency, passwords, services
from accounts.auth import sessions
from accounts.models import IdempotencyKey, User
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UserFactory,
)
from config.tests.lock_waiting import requires_row_locks, run_behind_lock

pytestmark = [requires_row_locks, pytest.mark.django_db(transaction=True)]

NEW, NEWER = "a-new-password-of-hers", "a-newer-password-of-hers"


def now(person):
    return User.objects.get(pk=person.pk)


def set_password(person, password):
    passwords.change_password(person, old_password=PASSWORD, new_password=password)


def test_concurrent_profile_changes_are_both_kept():
    jane = UserFactory()

    outcome = run_behind_lock(
        lambda: services.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.update_profile(jane, by=jane, address="Main Street 1"),
    )

    assert outcome == (True, "done")
    assert (now(jane).phone, now(jane).address, now(jane).version) == ("030 1", "Main Street 1", 3)


def test_if_match_is_compared_after_waiting_for_the_lock():
    jane = UserFactory()

    outcome = run_behind_lock(
        lambda: services.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.update_profile(jane, by=jane, phone="030 2", if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert now(jane).phone == "030 1"


def test_a_password_check_sees_a_concurrent_password_change():
    jane = UserFactory()

    outcome = run_behind_lock(lambda: set_password(jane, NEW), lambda: set_password(jane, NEWER))

    assert outcome == (True, "This is not the current password.")
    assert now(jane).check_password(NEW)


def test_a_reset_link_cannot_be_used_twice_concurrently():
    jane = UserFactory()
    link = {
        "uid": urlsafe_base64_encode(force_bytes(jane.pk)),
        "token": default_token_generator.make_token(now(jane)),
    }

    outcome = run_behind_lock(
        lambda: passwords.reset_password(**link, new_password=NEW),
        lambda: passwords.reset_password(**link, new_password=NEWER),
    )

    assert outcome == (True, "This link is invalid or has expired.")
    assert now(jane).check_password(NEW)


def test_a_concurrently_deactivated_user_gets_no_session():
    doctor = DoctorFactory()
    opened = []

    waited, _ = run_behind_lock(
        lambda: services.update_profile(doctor, by=AdminFactory(), is_active=False),
        lambda: opened.append(sessions.open_session(doctor)),
    )

    assert (waited, opened) == (True, [None])
    assert not doctor.sessions.exists()


def test_a_concurrently_changed_password_opens_no_session():
    jane = UserFactory()
    opened = []

    waited, _ = run_behind_lock(
        lambda: set_password(jane, NEW), lambda: opened.append(sessions.open_session(jane))
    )

    assert (waited, opened) == (True, [None])
    assert not jane.sessions.exists()


def test_the_second_rotation_of_a_token_is_refused_as_superseded():
    pair = sessions.open_session(UserFactory())

    outcome = run_behind_lock(
        lambda: sessions.rotate(pair["refresh"]), lambda: sessions.rotate(pair["refresh"])
    )

    assert outcome == (True, "refresh_superseded")


# --- The idempotency key --------------------------------------------------------------------


def test_a_second_claim_of_a_key_waits_and_is_not_new():
    jane, new = UserFactory(), []

    outcome = run_behind_lock(lambda: claim(jane, new), lambda: claim(jane, new))

    assert outcome == (True, "done")
    assert new == [True, False]


def test_an_expired_key_is_new_to_only_one_of_two_claims():
    jane, new = UserFactory(), []
    claim(jane, new)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    outcome = run_behind_lock(lambda: claim(jane, new), lambda: claim(jane, new))

    assert outcome == (True, "done")
    assert new == [True, True, False]


def test_a_reclaimed_expired_key_stays_locked_until_the_work_is_done():
    jane, new, taken = UserFactory(), [], []
    claim(jane, new)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    def take_over():
        taken.append(idempotency.claim(user=jane, key="key", fingerprint="mark"))

    def finish():
        [(row, is_new)] = taken
        assert is_new
        idempotency.store_result(row, made=8, status_code=201)

    outcome = run_behind_lock(take_over, lambda: claim(jane, new), while_waiting=finish)

    assert outcome == (True, "done")
    assert new == [True, False]


def test_a_key_pruned_while_a_claim_waits_is_new():
    jane, new = UserFactory(), []
    claim(jane, new)
    keys = IdempotencyKey.objects.filter(user=jane)
    keys.update(created_at=timezone.now() - timedelta(hours=25))

    outcome = run_behind_lock(
        keys.select_for_update().get, lambda: claim(jane, new), while_waiting=idempotency.prune
    )

    assert outcome == (True, "done")
    assert new == [True, True]
    assert keys.get().created_at > timezone.now() - timedelta(hours=1)


def claim(person, new):
    """Claims the key as a request does and appends to `new` whether the key was new."""
    with transaction.atomic():
        row, is_new = idempotency.claim(user=person, key="key", fingerprint="mark")
        new.append(is_new)
        if is_new:
            idempotency.store_result(row, made=7, status_code=201)
