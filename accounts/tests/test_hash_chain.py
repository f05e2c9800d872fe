"""The hash chain detects tampering by somebody who can disable the triggers."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.audit import append_only, archive, hash_chain
from accounts.models import Action, AuditEvent, AuditSeal
from accounts.tests.audit_tampering import COUNT, TAMPERINGS, truncate_chain, write_events


@pytest.fixture
def chain(db):
    write_events()
    hash_chain.append_hashes()


def first_broken(checkpoints=()):
    return hash_chain.verify(checkpoints).broken


def test_an_untouched_chain_verifies(chain):
    checked = hash_chain.verify()

    assert (checked.n, checked.hash, checked.broken) == (*hash_chain.head(), None)
    assert checked.n == COUNT


def test_an_empty_chain_verifies(db):
    assert hash_chain.verify() == (0, hash_chain.GENESIS, None, "", None)


def test_hashing_continues_the_chain_and_includes_late_commits(chain):
    late = AuditEvent.objects.order_by("pk").first().pk - 5
    AuditEvent.objects.create(pk=late, event="appointment.book", action=Action.CREATE)
    write_events(3)

    assert hash_chain.append_hashes() == 4
    assert hash_chain.append_hashes() == 0
    assert hash_chain.verify().n == COUNT + 4
    assert hash_chain.count_unhashed(before=timezone.now()) == 0


def test_batches_form_one_chain(db, monkeypatch):
    monkeypatch.setattr(
        hash_chain, "UNHASHED_EVENTS", hash_chain.UNHASHED_EVENTS.replace("LIMIT 5000", "LIMIT 3")
    )
    write_events(10)

    assert hash_chain.append_hashes() == 10
    assert hash_chain.verify().n == 10


def test_another_key_does_not_verify(chain, settings):
    settings.AUDIT_KEY = "another key"

    assert first_broken() == 1


# --- Tampering ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TAMPERINGS)
@pytest.mark.parametrize("seed", range(3))
def test_tampering_is_reported_at_the_first_broken_entry(chain, kind, seed):
    rng = Random(f"{kind.__name__} {seed}")  # noqa: S311
    checkpoint = hash_chain.head()
    append_only.remove(connection)

    first = kind(rng, rng.randrange(1, COUNT + 1))

    assert first_broken([checkpoint]) == first


def test_a_truncated_chain_is_detected_only_by_a_checkpoint(chain):
    checkpoint = hash_chain.head()
    append_only.remove(connection)
    truncate_chain(Random(1), 11)  # noqa: S311

    assert first_broken() is None
    assert first_broken([checkpoint]) == 11


def test_a_chain_rebuilt_with_the_key_differs_from_the_checkpoint(chain):
    checkpoint = hash_chain.head()
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=5).update(actor=6)
    AuditSeal.objects.all().delete()
    hash_chain.append_hashes()

    assert first_broken() is None
    assert first_broken([checkpoint]) == COUNT


# --- Concurrent hashing ---------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_concurrent_runs_form_one_chain(monkeypatch):
    monkeypatch.setattr(
        hash_chain, "UNHASHED_EVENTS", hash_chain.UNHASHED_EVENTS.replace("LIMIT 5000", "LIMIT 7")
    )
    write_events(200)

    def append_hashes(_):
        try:
            return hash_chain.append_hashes()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(append_hashes, range(4)))

    assert sum(counts) == 200
    assert hash_chain.verify()[:1] == (200,)
    assert first_broken() is None


# --- The commands ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_contradicting_checkpoints_of_one_entry_are_both_compared(chain):
    n, digest = hash_chain.head()

    assert first_broken([(n, "0" * 64), (n, digest)]) == n
    assert first_broken([(n, digest), (n, "0" * 64)]) == n


@pytest.mark.django_db
def test_events_that_stay_unhashed_are_reported(chain):
    write_events(3, at=timezone.now() - timedelta(minutes=61))

    with pytest.raises(CommandError, match="not been hashed for an hour or more: 3"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_an_event_with_a_distant_id_does_not_stop_hashing(chain, monkeypatch):
    monkeypatch.setattr(hash_chain, "MAX_OUT_OF_ORDER", 5)
    monkeypatch.setattr(hash_chain, "FIRST_LINK", hash_chain.FIRST_LINK.replace("100000", "5"))
    AuditEvent.objects.create(pk=9_000_000_000, event="x.y", action=Action.READ)
    assert hash_chain.append_hashes() == 1
    with_lower_numbers = [
        AuditEvent(pk=number, event="x.y", action=Action.READ)
        for number in range(AuditEvent.objects.order_by("pk")[COUNT - 1].pk + 1, 10**6, 200_000)
    ]
    AuditEvent.objects.bulk_create(with_lower_numbers)

    assert hash_chain.append_hashes() == len(with_lower_numbers)


# --- Key rotation ---------------------------------------------------------------------------


def test_a_new_key_continues_the_chain_of_the_old_one(chain, settings):
    settings.AUDIT_KEY, settings.AUDIT_KEY_FALLBACKS = "the new one", [settings.AUDIT_KEY]
    write_events(5)
    hash_chain.append_hashes()

    assert hash_chain.verify()[:3] == (COUNT + 5, hash_chain.head()[1], None)
    settings.AUDIT_KEY_FALLBACKS = []
    assert first_broken() == 1


def test_the_old_key_can_be_dropped_after_all_its_entries_are_archived(chain, settings, tmp_path):
    old = settings.AUDIT_KEY
    settings.AUDIT_KEY, settings.AUDIT_KEY_FALLBACKS = "the new one", [old]
    tomorrow = f"{timezone.localdate() + timedelta(days=1)}"
    call_command("archive_audit", str(tmp_path / "all"), "--before", tomorrow)
    write_events(3)
    hash_chain.append_hashes()

    settings.AUDIT_KEY_FALLBACKS = []

    assert first_broken() is None
    assert archive.check_archive(tmp_path / "all").broken == 1  # hashed with the old key
    settings.AUDIT_KEY_FALLBACKS = [old]
    assert archive.check_archive(tmp_path / "all").broken is None


# --- Archives -------------------------------------------------------------------------------


@pytest.fixture
def old_and_new_events(db):
    """Five old events and five new ones, all hashed."""
    write_events(5, at=timezone.now() - timedelta(days=3000))
    write_events(5)
    hash_chain.append_hashes()


def test_old_events_move_to_a_file_and_both_parts_verify(old_and_new_events, tmp_path, capsys):
    file = tmp_path / "audit.jsonl"
    end = hash_chain.head()

    call_command("archive_audit", str(file))

    assert AuditEvent.objects.exclude(event="audit.archive").count() == 5
    assert AuditEvent.objects.filter(event="audit.archive").count() == 1
    assert append_only.missing(connection) == []
    hash_chain.append_hashes()
    assert hash_chain.verify([end]).n == 11
    assert first_broken([end]) is None
    call_command("verify_audit", "--archive", str(file))
    assert "Valid up to link 5" in capsys.readouterr().out
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_a_second_archive_continues_the_first(old_and_new_events, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    archive.archive(timezone.now() - timedelta(days=2192), first)
    hash_chain.append_hashes()

    moved = archive.archive(timezone.now() + timedelta(days=1), second)
    write_events(2)
    hash_chain.append_hashes()

    assert moved.n == 11
    assert archive.check_archive(first)[:2] == tuple(
        json.loads(second.read_text().splitlines()[0])["after"]
    )
    assert archive.check_archive(second).broken is None
    assert hash_chain.verify().broken is None


def test_without_old_events_nothing_is_archived(chain, tmp_path, capsys):
    call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == COUNT
    assert not (tmp_path / "audit.jsonl").exists()
    assert "There are no hashed events" in capsys.readouterr().out


def test_a_broken_chain_is_not_archived(old_and_new_events, tmp_path):
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=3).update(actor=4)
    append_only.install(connection)

    with pytest.raises(CommandError, match="Link 4"):
        call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == 10
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_overwritten(old_and_new_events, tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text("precious")

    with pytest.raises(CommandError, match="already exists"):
        call_command("archive_audit", str(file))
    with pytest.raises(FileExistsError):
        archive.archive(timezone.now() - timedelta(days=2192), file)

    assert file.read_text() == "precious"
    assert AuditEvent.objects.count() == 10


def test_the_archive_is_kept_when_deleting_the_events_fails(
    old_and_new_events, tmp_path, monkeypatch
):
    def fail(connection):
        raise OperationalError("no")

    monkeypatch.setattr(append_only, "remove", fail)
    with pytest.raises(OperationalError):
        archive.archive(timezone.now() - timedelta(days=2192), tmp_path / "audit.jsonl")

    assert archive.check_archive(tmp_path / "audit.jsonl").n == 5
    assert AuditEvent.objects.count() == 10


def test_many_events_are_deleted_in_chunks(old_and_new_events, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK_SIZE", 2)
    taken, one = [], archive._delete_through
    monkeypatch.setattr(
        archive, "_delete_through", lambda n, **last: (taken.append(n), one(n, **last))
    )

    archive.archive(timezone.now() - timedelta(days=2192), tmp_path / "audit.jsonl")

    assert taken == [3, 5]
    assert archive.check_archive(tmp_path / "audit.jsonl").n == 5
    assert first_broken() is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (lambda lines: lines[:-2] + lines[-1:], "Link 5"),
        (lambda lines: lines[:-1], "not a complete archive"),
        (lambda lines: lines[:1], "not a complete archive"),
        (lambda lines: lines[:2] + lines[3:], "Link 2"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "not a complete archive"),
        (lambda lines: [], "not a complete archive"),
        (lambda lines: ["something else"], "not a complete archive"),
        (lambda lines: ["[]", *lines[1:]], "not a complete archive"),
    ],
)
def test_missing_archive_lines_are_detected(old_and_new_events, tmp_path, lines, found):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    file.write_text("\n".join(lines(file.read_text().splitlines())))

    with pytest.raises(CommandError, match=found):
        call_command("verify_audit", "--archive", str(file))


def test_an_archive_with_a_forged_start_is_detected(old_and_new_events, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    head, first, *rest = file.read_text().splitlines()
    made_up = json.loads(head) | {"after": [1, json.loads(first)["hash"]], "proof": "0" * 64}
    file.write_text("\n".join([json.dumps(made_up), *rest]))

    with pytest.raises(CommandError, match="proof of the earlier links is invalid"):
        call_command("verify_audit", "--archive", str(file))


def test_an_archive_with_a_forged_end_is_detected(old_and_new_events, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    *lines, _last, foot = file.read_text().splitlines()
    before = json.loads(lines[-1])
    made_up = json.loads(foot) | {"end": [before["n"], before["hash"]]}
    file.write_text("\n".join([*lines, json.dumps(made_up)]))

    with pytest.raises(CommandError, match="proof of the last link is invalid"):
        call_command("verify_audit", "--archive", str(file))


def test_a_changed_archive_is_detected(old_and_new_events, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    file.write_text(file.read_text().replace("consultation/3", "consultation/9"))

    with pytest.raises(CommandError, match="Link 4"):
        call_command("verify_audit", "--archive", str(file))


def test_deleted_events_do_not_pass_as_archived(old_and_new_events, tmp_path):
    """An archived beginning leaves a signed anchor, which cannot be forged without the key."""
    append_only.remove(connection)
    AuditEvent.objects.filter(
        pk__in=[append_hashes.event for append_hashes in AuditSeal.objects.filter(n__lte=5)]
    ).delete()
    AuditSeal.objects.filter(n__lt=5).delete()
    AuditSeal.objects.filter(n=5).update(event=None, proof="0" * 64)

    assert first_broken() == 5
