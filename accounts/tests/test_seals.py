"""The chain finds out what was done to the audit by somebody whom no trigger stops."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts import append_only, seals
from accounts.models import Action, AuditEvent, AuditSeal
from accounts.tests.tampering import COUNT, KINDS, cut_the_end_off, write


@pytest.fixture
def chain(db):
    write()
    seals.seal()


def broken(checkpoints=()):
    return seals.verify(checkpoints).broken


def test_a_chain_nobody_touched_is_whole(chain):
    checked = seals.verify()

    assert (checked.n, checked.hash, checked.broken) == (*seals.end(), None)
    assert checked.n == COUNT


def test_an_empty_chain_is_whole(db):
    assert seals.verify() == (0, seals.GENESIS, None, "")


def test_sealing_takes_up_where_it_left_off_and_finds_what_was_committed_late(chain):
    late = AuditEvent.objects.order_by("pk").first().pk - 5
    AuditEvent.objects.create(pk=late, event="appointment.book", action=Action.CREATE)
    write(3)

    assert seals.seal() == 4
    assert seals.seal() == 0
    assert seals.verify().n == COUNT + 4
    assert seals.unsealed() == 0


def test_batches_make_one_chain(db, monkeypatch):
    monkeypatch.setattr(seals, "UNSEALED", seals.UNSEALED.replace("LIMIT 5000", "LIMIT 3"))
    write(10)

    assert seals.seal() == 10
    assert seals.verify().n == 10


def test_another_key_makes_another_chain(chain, settings):
    settings.AUDIT_KEY = "another key"

    assert broken() == 1


# --- Tampering ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_first_seal_that_does_not_hold_is_named(chain, kind, seed):
    dice = Random(f"{kind.__name__} {seed}")  # noqa: S311
    checkpoint = seals.end()
    append_only.remove(connection)

    first = kind(dice, dice.randrange(1, COUNT + 1))

    assert broken([checkpoint]) == first


def test_an_end_that_was_cut_off_is_missed_only_by_the_checkpoint(chain):
    checkpoint = seals.end()
    append_only.remove(connection)
    cut_the_end_off(Random(1), 11)  # noqa: S311

    assert broken() is None
    assert broken([checkpoint]) == 11


def test_a_chain_sealed_anew_by_whoever_has_the_key_is_not_that_of_the_checkpoint(chain):
    checkpoint = seals.end()
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=5).update(actor=6)
    AuditSeal.objects.all().delete()
    seals.seal()

    assert broken() is None
    assert broken([checkpoint]) == COUNT


# --- Several sealers ------------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_sealers_at_once_make_one_chain(monkeypatch):
    monkeypatch.setattr(seals, "UNSEALED", seals.UNSEALED.replace("LIMIT 5000", "LIMIT 7"))
    write(200)

    def seal(_):
        try:
            return seals.seal()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(seal, range(4)))

    assert sum(sealed) == 200
    assert seals.verify()[:1] == (200,)
    assert broken() is None


# --- The commands ---------------------------------------------------------------------------


@pytest.fixture
def checkpoints(settings, tmp_path):
    settings.AUDIT_CHECKPOINTS = str(tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


@pytest.mark.django_db
def test_sealing_notes_the_end_and_verifying_holds_the_chain_to_it(checkpoints, capsys):
    write(4)
    call_command("seal_audit")
    call_command("seal_audit")  # nothing new: nothing to note
    write(2)
    call_command("seal_audit")
    call_command("verify_audit")

    said = capsys.readouterr().out
    assert [line.split()[1] for line in checkpoints.read_text().splitlines()] == ["4", "6"]
    assert f"Whole, up to seal 6 ({seals.end()[1]})" in said
    assert "not sealed yet: 0" in said

    append_only.remove(connection)
    cut_the_end_off(None, 5)
    with pytest.raises(CommandError, match=r"Seal 5 .* checkpoint knows seal 6"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_a_checkpoint_that_cannot_be_read_is_no_checkpoint(checkpoints):
    checkpoints.write_text("yesterday 4\n")

    with pytest.raises(CommandError, match="Not a checkpoint"):
        call_command("verify_audit")


@pytest.fixture
def years(db):
    """Five old events and five new ones, sealed."""
    write(5, at=timezone.now() - timedelta(days=3000))
    write(5)
    seals.seal()


def test_what_is_old_moves_to_a_file_and_both_parts_stay_verifiable(years, tmp_path, capsys):
    file = tmp_path / "audit.jsonl"
    end = seals.end()

    call_command("archive_audit", str(file))

    assert AuditEvent.objects.exclude(event="audit.archive").count() == 5
    assert AuditEvent.objects.filter(event="audit.archive").count() == 1
    assert append_only.missing(connection) == []
    seals.seal()
    assert seals.verify([end]).n == 11
    assert broken([end]) is None
    call_command("verify_audit", "--archive", str(file))
    assert "Whole, up to seal 5" in capsys.readouterr().out
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_a_second_archive_follows_upon_the_first(years, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    seals.archive(timezone.now() - timedelta(days=2192), first)
    seals.seal()

    moved = seals.archive(timezone.now() + timedelta(days=1), second)
    write(2)
    seals.seal()

    assert moved.n == 11
    assert seals.check_archive(first)[:2] == tuple(
        json.loads(second.read_text().splitlines()[0])["after"]
    )
    assert seals.check_archive(second).broken is None
    assert seals.verify().broken is None


def test_nothing_old_is_nothing_moved(chain, tmp_path, capsys):
    call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == COUNT
    assert not (tmp_path / "audit.jsonl").exists()
    assert "Nothing sealed" in capsys.readouterr().out


def test_a_broken_chain_is_not_tidied_away(years, tmp_path):
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=3).update(actor=4)
    append_only.install(connection)

    with pytest.raises(CommandError, match="Seal 4"):
        call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == 10
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text("precious")

    with pytest.raises(CommandError, match="there already"):
        call_command("archive_audit", str(file))

    assert file.read_text() == "precious"


def test_an_archive_that_was_changed_is_found_out(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    file.write_text(file.read_text().replace("consultation/3", "consultation/9"))

    with pytest.raises(CommandError, match="Seal 4"):
        call_command("verify_audit", "--archive", str(file))


def test_events_taken_away_do_not_pass_for_archived(years, tmp_path):
    """Whoever takes the beginning away must leave an anchor, and has not the key to make one."""
    append_only.remove(connection)
    AuditEvent.objects.filter(
        pk__in=[seal.event for seal in AuditSeal.objects.filter(n__lte=5)]
    ).delete()
    AuditSeal.objects.filter(n__lt=5).delete()
    AuditSeal.objects.filter(n=5).update(event=None, proof="0" * 64)

    assert broken() == 5
