"""The chain finds out what was done to the audit by somebody whom no trigger stops."""

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
from accounts.tests.audit_tampering import COUNT, KINDS, cut_the_end_off, write


@pytest.fixture
def chain(db):
    write()
    hash_chain.append_hashes()


def broken(checkpoints=()):
    return hash_chain.verify(checkpoints).broken


def test_a_chain_nobody_touched_is_whole(chain):
    checked = hash_chain.verify()

    assert (checked.n, checked.hash, checked.broken) == (*hash_chain.head(), None)
    assert checked.n == COUNT


def test_an_empty_chain_is_whole(db):
    assert hash_chain.verify() == (0, hash_chain.GENESIS, None, "")


def test_sealing_takes_up_where_it_left_off_and_finds_what_was_committed_late(chain):
    late = AuditEvent.objects.order_by("pk").first().pk - 5
    AuditEvent.objects.create(pk=late, event="appointment.book", action=Action.CREATE)
    write(3)

    assert hash_chain.append_hashes() == 4
    assert hash_chain.append_hashes() == 0
    assert hash_chain.verify().n == COUNT + 4
    assert hash_chain.count_unhashed(before=timezone.now()) == 0


def test_batches_make_one_chain(db, monkeypatch):
    monkeypatch.setattr(
        hash_chain, "UNHASHED_EVENTS", hash_chain.UNHASHED_EVENTS.replace("LIMIT 5000", "LIMIT 3")
    )
    write(10)

    assert hash_chain.append_hashes() == 10
    assert hash_chain.verify().n == 10


def test_another_key_makes_another_chain(chain, settings):
    settings.AUDIT_KEY = "another key"

    assert broken() == 1


# --- Tampering ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_first_seal_that_does_not_hold_is_named(chain, kind, seed):
    dice = Random(f"{kind.__name__} {seed}")  # noqa: S311
    checkpoint = hash_chain.head()
    append_only.remove(connection)

    first = kind(dice, dice.randrange(1, COUNT + 1))

    assert broken([checkpoint]) == first


def test_an_end_that_was_cut_off_is_missed_only_by_the_checkpoint(chain):
    checkpoint = hash_chain.head()
    append_only.remove(connection)
    cut_the_end_off(Random(1), 11)  # noqa: S311

    assert broken() is None
    assert broken([checkpoint]) == 11


def test_a_chain_sealed_anew_by_whoever_has_the_key_is_not_that_of_the_checkpoint(chain):
    checkpoint = hash_chain.head()
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=5).update(actor=6)
    AuditSeal.objects.all().delete()
    hash_chain.append_hashes()

    assert broken() is None
    assert broken([checkpoint]) == COUNT


# --- Several sealers ------------------------------------------------------------------------


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_sealers_at_once_make_one_chain(monkeypatch):
    monkeypatch.setattr(
        hash_chain, "UNHASHED_EVENTS", hash_chain.UNHASHED_EVENTS.replace("LIMIT 5000", "LIMIT 7")
    )
    write(200)

    def seal(_):
        try:
            return hash_chain.append_hashes()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(seal, range(4)))

    assert sum(sealed) == 200
    assert hash_chain.verify()[:1] == (200,)
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
    assert f"Valid up to link 6 ({hash_chain.head()[1]})" in said
    assert "Checkpoints compared: 2." in said
    assert "not hashed yet: 0" in said

    append_only.remove(connection)
    cut_the_end_off(None, 5)
    with pytest.raises(CommandError, match=r"Link 5 .* checkpoint of link 6"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_half_a_line_is_told_of_and_bars_nothing(checkpoints, capsys):
    write(2)
    call_command("seal_audit")
    checkpoints.write_text(checkpoints.read_text() + "2026-11-25T10:00 3 0f\n")

    call_command("verify_audit")

    said = capsys.readouterr()
    assert "Checkpoints compared: 1." in said.out
    assert "Unreadable checkpoints: 1" in said.err


@pytest.mark.django_db
def test_a_file_of_checkpoints_that_is_gone_is_told_and_begun_again(checkpoints):
    write(2)
    call_command("seal_audit")
    checkpoints.unlink()

    with pytest.raises(CommandError, match="AUDIT_CHECKPOINTS is missing"):
        call_command("verify_audit")
    call_command("seal_audit")  # nothing new, and yet noted

    call_command("verify_audit")
    assert len(checkpoints.read_text().splitlines()) == 1


@pytest.mark.django_db
def test_a_chain_that_is_not_the_noted_one_is_not_sealed_on(checkpoints):
    """Or our own sealer would sign what somebody has left of it."""
    write(8)
    call_command("seal_audit")
    append_only.remove(connection)
    cut_the_end_off(None, 5)
    write(4)

    with pytest.raises(CommandError, match="link 8 of the last checkpoint is missing"):
        call_command("seal_audit")

    assert hash_chain.head()[0] == 4
    with pytest.raises(CommandError, match="Link 5"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_of_two_checkpoints_of_one_seal_neither_is_passed_over(chain):
    n, digest = hash_chain.head()

    assert broken([(n, "0" * 64), (n, digest)]) == n
    assert broken([(n, digest), (n, "0" * 64)]) == n


@pytest.mark.django_db
def test_events_that_nobody_seals_are_told_of(chain):
    write(3, at=timezone.now() - timedelta(minutes=61))

    with pytest.raises(CommandError, match="not been hashed for an hour or more: 3"):
        call_command("verify_audit")


@pytest.mark.django_db
def test_an_event_of_a_number_far_off_stops_no_sealing(chain, monkeypatch):
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


# --- Another key ----------------------------------------------------------------------------


def test_a_new_key_goes_on_where_the_old_one_left_off(chain, settings):
    settings.AUDIT_KEY, settings.AUDIT_KEY_FALLBACKS = "the new one", [settings.AUDIT_KEY]
    write(5)
    hash_chain.append_hashes()

    assert hash_chain.verify()[:3] == (COUNT + 5, hash_chain.head()[1], None)
    settings.AUDIT_KEY_FALLBACKS = []
    assert broken() == 1


def test_after_everything_was_archived_the_old_key_may_go(chain, settings, tmp_path):
    old = settings.AUDIT_KEY
    settings.AUDIT_KEY, settings.AUDIT_KEY_FALLBACKS = "the new one", [old]
    tomorrow = f"{timezone.localdate() + timedelta(days=1)}"
    call_command("archive_audit", str(tmp_path / "all"), "--before", tomorrow)
    write(3)
    hash_chain.append_hashes()

    settings.AUDIT_KEY_FALLBACKS = []

    assert broken() is None
    assert archive.check_archive(tmp_path / "all").broken == 1  # which the old key made
    settings.AUDIT_KEY_FALLBACKS = [old]
    assert archive.check_archive(tmp_path / "all").broken is None


# --- Archives -------------------------------------------------------------------------------


@pytest.fixture
def years(db):
    """Five old events and five new ones, sealed."""
    write(5, at=timezone.now() - timedelta(days=3000))
    write(5)
    hash_chain.append_hashes()


def test_what_is_old_moves_to_a_file_and_both_parts_stay_verifiable(years, tmp_path, capsys):
    file = tmp_path / "audit.jsonl"
    end = hash_chain.head()

    call_command("archive_audit", str(file))

    assert AuditEvent.objects.exclude(event="audit.archive").count() == 5
    assert AuditEvent.objects.filter(event="audit.archive").count() == 1
    assert append_only.missing(connection) == []
    hash_chain.append_hashes()
    assert hash_chain.verify([end]).n == 11
    assert broken([end]) is None
    call_command("verify_audit", "--archive", str(file))
    assert "Valid up to link 5" in capsys.readouterr().out
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_a_second_archive_follows_upon_the_first(years, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    archive.archive(timezone.now() - timedelta(days=2192), first)
    hash_chain.append_hashes()

    moved = archive.archive(timezone.now() + timedelta(days=1), second)
    write(2)
    hash_chain.append_hashes()

    assert moved.n == 11
    assert archive.check_archive(first)[:2] == tuple(
        json.loads(second.read_text().splitlines()[0])["after"]
    )
    assert archive.check_archive(second).broken is None
    assert hash_chain.verify().broken is None


def test_nothing_old_is_nothing_moved(chain, tmp_path, capsys):
    call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == COUNT
    assert not (tmp_path / "audit.jsonl").exists()
    assert "There are no hashed events" in capsys.readouterr().out


def test_a_broken_chain_is_not_tidied_away(years, tmp_path):
    append_only.remove(connection)
    AuditEvent.objects.filter(actor=3).update(actor=4)
    append_only.install(connection)

    with pytest.raises(CommandError, match="Link 4"):
        call_command("archive_audit", str(tmp_path / "audit.jsonl"))

    assert AuditEvent.objects.count() == 10
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text("precious")

    with pytest.raises(CommandError, match="already exists"):
        call_command("archive_audit", str(file))
    with pytest.raises(FileExistsError):
        archive.archive(timezone.now() - timedelta(days=2192), file)

    assert file.read_text() == "precious"
    assert AuditEvent.objects.count() == 10


def test_an_archive_stays_when_the_events_cannot_be_taken_out(years, tmp_path, monkeypatch):
    def fails(connection):
        raise OperationalError("no")

    monkeypatch.setattr(append_only, "remove", fails)
    with pytest.raises(OperationalError):
        archive.archive(timezone.now() - timedelta(days=2192), tmp_path / "audit.jsonl")

    assert archive.check_archive(tmp_path / "audit.jsonl").n == 5
    assert AuditEvent.objects.count() == 10


def test_many_events_are_taken_out_piece_by_piece(years, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK_SIZE", 2)
    taken, one = [], archive._delete_through
    monkeypatch.setattr(
        archive, "_delete_through", lambda n, **last: (taken.append(n), one(n, **last))
    )

    archive.archive(timezone.now() - timedelta(days=2192), tmp_path / "audit.jsonl")

    assert taken == [3, 5]
    assert archive.check_archive(tmp_path / "audit.jsonl").n == 5
    assert broken() is None


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
def test_what_was_cut_out_of_an_archive_is_missed(years, tmp_path, lines, found):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    file.write_text("\n".join(lines(file.read_text().splitlines())))

    with pytest.raises(CommandError, match=found):
        call_command("verify_audit", "--archive", str(file))


def test_an_archive_that_pretends_to_begin_later_is_found_out(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    head, first, *rest = file.read_text().splitlines()
    made_up = json.loads(head) | {"after": [1, json.loads(first)["hash"]], "proof": "0" * 64}
    file.write_text("\n".join([json.dumps(made_up), *rest]))

    with pytest.raises(CommandError, match="proof of the earlier links is invalid"):
        call_command("verify_audit", "--archive", str(file))


def test_an_end_made_up_for_an_archive_is_found_out(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    *lines, _last, foot = file.read_text().splitlines()
    before = json.loads(lines[-1])
    made_up = json.loads(foot) | {"end": [before["n"], before["hash"]]}
    file.write_text("\n".join([*lines, json.dumps(made_up)]))

    with pytest.raises(CommandError, match="proof of the last link is invalid"):
        call_command("verify_audit", "--archive", str(file))


def test_an_archive_that_was_changed_is_found_out(years, tmp_path):
    file = tmp_path / "audit.jsonl"
    call_command("archive_audit", str(file))
    file.write_text(file.read_text().replace("consultation/3", "consultation/9"))

    with pytest.raises(CommandError, match="Link 4"):
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
