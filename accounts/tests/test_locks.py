"""Who comes second waits, and then decides on what the first has left."""

from datetime import timedelta

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import idempotency, services
from accounts.auth import sessions
from accounts.models import IdempotencyKey, User
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from config.tests.lock_waiting import on_row_locks, second_in_line

pytestmark = [on_row_locks, pytest.mark.django_db(transaction=True)]

NEW, NEWER = "a-new-password-of-hers", "a-newer-password-of-hers"


def now(person):
    return User.objects.get(pk=person.pk)


def set_password(person, password):
    services.change_password(person, old_password=PASSWORD, new_password=password)


def test_of_two_changes_of_a_profile_neither_is_lost():
    jane = UserFactory()

    outcome = second_in_line(
        lambda: services.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.update_profile(jane, by=jane, address="Main Street 1"),
    )

    assert outcome == (True, "done")
    assert (now(jane).phone, now(jane).address, now(jane).version) == ("030 1", "Main Street 1", 3)


def test_a_version_is_compared_with_what_the_change_before_it_left():
    jane = UserFactory()

    outcome = second_in_line(
        lambda: services.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.update_profile(jane, by=jane, phone="030 2", if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert now(jane).phone == "030 1"


def test_a_licence_number_changed_a_moment_ago_is_what_gets_verified():
    doctor = UnverifiedDoctorFactory()

    outcome = second_in_line(
        lambda: services.update_profile(doctor, by=doctor, medical_license_number="MD-NEW"),
        lambda: services.verify_licence(doctor),
    )

    assert outcome == (True, "done")
    assert (now(doctor).medical_license_number, now(doctor).license_verified) == ("MD-NEW", True)


def test_a_password_changed_a_moment_ago_proves_nothing_any_more():
    jane = UserFactory()

    outcome = second_in_line(lambda: set_password(jane, NEW), lambda: set_password(jane, NEWER))

    assert outcome == (True, "This is not the current password.")
    assert now(jane).check_password(NEW)


def test_a_link_used_a_moment_ago_is_used_up():
    jane = UserFactory()
    link = {
        "uid": urlsafe_base64_encode(force_bytes(jane.pk)),
        "token": default_token_generator.make_token(now(jane)),
    }

    outcome = second_in_line(
        lambda: services.reset_password(**link, new_password=NEW),
        lambda: services.reset_password(**link, new_password=NEWER),
    )

    assert outcome == (True, "This link is invalid or has expired.")
    assert now(jane).check_password(NEW)


def test_who_was_deactivated_a_moment_ago_gets_no_session():
    doctor = DoctorFactory()
    opened = []

    waited, _ = second_in_line(
        lambda: services.update_profile(doctor, by=AdminFactory(), is_active=False),
        lambda: opened.append(sessions.open_session(doctor)),
    )

    assert (waited, opened) == (True, [None])
    assert not doctor.sessions.exists()


def test_a_password_changed_while_it_was_checked_opens_no_session():
    jane = UserFactory()
    opened = []

    waited, _ = second_in_line(
        lambda: set_password(jane, NEW), lambda: opened.append(sessions.open_session(jane))
    )

    assert (waited, opened) == (True, [None])
    assert not jane.sessions.exists()


def test_of_two_who_rotate_one_token_the_second_is_told_of_the_newer():
    pair = sessions.open_session(UserFactory())

    outcome = second_in_line(
        lambda: sessions.rotate(pair["refresh"]), lambda: sessions.rotate(pair["refresh"])
    )

    assert outcome == (True, "refresh_superseded")


# --- The idempotency key --------------------------------------------------------------------


def test_the_second_with_a_key_waits_for_the_first_and_is_not_new():
    jane, new = UserFactory(), []

    outcome = second_in_line(lambda: claim(jane, new), lambda: claim(jane, new))

    assert outcome == (True, "done")
    assert new == [True, False]


def test_a_key_whose_day_is_over_is_new_to_one_of_two():
    jane, new = UserFactory(), []
    claim(jane, new)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    outcome = second_in_line(lambda: claim(jane, new), lambda: claim(jane, new))

    assert outcome == (True, "done")
    assert new == [True, True, False]


def test_a_key_whose_day_is_over_is_held_by_who_took_it_over_until_the_work_is_done():
    jane, new, taken = UserFactory(), [], []
    claim(jane, new)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    def take_over():
        taken.append(idempotency.claim(user=jane, key="key", fingerprint="mark"))

    def finish():
        [(row, is_new)] = taken
        assert is_new
        idempotency.store_result(row, made=8, status_code=201)

    outcome = second_in_line(take_over, lambda: claim(jane, new), while_it_waits=finish)

    assert outcome == (True, "done")
    assert new == [True, False]


def test_a_key_pruned_while_somebody_waits_for_it_is_new():
    jane, new = UserFactory(), []
    claim(jane, new)
    keys = IdempotencyKey.objects.filter(user=jane)
    keys.update(created_at=timezone.now() - timedelta(hours=25))

    outcome = second_in_line(
        keys.select_for_update().get, lambda: claim(jane, new), while_it_waits=idempotency.prune
    )

    assert outcome == (True, "done")
    assert new == [True, True]
    assert keys.get().created_at > timezone.now() - timedelta(hours=1)


def claim(person, new):
    """As a request does it; notes whether the key was new."""
    with transaction.atomic():
        row, is_new = idempotency.claim(user=person, key="key", fingerprint="mark")
        new.append(is_new)
        if is_new:
            idempotency.store_result(row, made=7, status_code=201)
