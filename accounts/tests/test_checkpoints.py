"""The commands that hash and verify the audit, and the file of checkpoints that they compare."""

import fcntl
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.audit import append_only, archive, hash_chain
from accounts.models import AuditEvent, AuditSeal
from accounts.tests.audit_tampering import truncate_chain, write_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def checkpoints(settings, tmp_path):
    settings.AUDIT_CHECKPOINTS = str(tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def run_seal_audit(*counts):
    """Runs seal_audit after each of these numbers of events."""
    for count in counts:
        write_events(count)
        call_command("seal_audit")


def cut_off(count):
    """Deletes the last links with their events, as the owner of the database can."""
    append_only.remove(connection)
    truncate_chain(None, hash_chain.head()[0] - count + 1)
    append_only.install(connection)


def without_last_line(file):
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def test_seal_audit_notes_checkpoints_and_verify_audit_compares_them(checkpoints, capsys):
    run_seal_audit(4)
    call_command("seal_audit")  # nothing new, so no checkpoint
    run_seal_audit(2)
    call_command("verify_audit")

    output = capsys.readouterr().out
    assert [line.split()[1] for line in checkpoints.read_text().splitlines()] == ["4", "6"]
    assert f"Valid up to link 6 ({hash_chain.head()[1]})" in output
    assert "Checkpoints compared: 2." in output
    assert "not hashed yet: 0" in output
    assert "New files of checkpoints" not in output

    cut_off(2)
    with pytest.raises(CommandError, match=r"Link 5 .* checkpoint of link 6"):
        call_command("verify_audit")


def test_the_last_link_of_each_run_names_the_number_of_its_checkpoint(checkpoints, monkeypatch):
    monkeypatch.setattr(
        hash_chain, "UNHASHED_EVENTS", hash_chain.UNHASHED_EVENTS.replace("LIMIT 5000", "LIMIT 3")
    )
    run_seal_audit(2, 4)

    links = AuditSeal.objects.order_by("n").values_list("n", "checkpoint")
    assert list(links) == [(1, None), (2, 1), (3, None), (4, None), (5, 2), (6, 3)]
    assert len(checkpoints.read_text().splitlines()) == 3
    call_command("verify_audit")


def test_without_a_file_the_number_is_zero(settings):
    settings.AUDIT_CHECKPOINTS = ""
    run_seal_audit(2, 2)

    assert list(AuditSeal.objects.order_by("n").values_list("checkpoint", flat=True)) == [
        None, 0, None, 0,
    ]  # fmt: skip
    call_command("verify_audit")


# --- A file that does not fit ---------------------------------------------------------------

DAMAGES = {
    "emptied": (lambda file: file.write_text(""), "demands"),
    "shortened": (
        lambda file: file.write_text("\n".join(file.read_text().splitlines()[:1]) + "\n"),
        "demands",
    ),
    "garbled": (lambda file: file.write_bytes(b"\xff\x00 nothing\n" * 3), "Unreadable"),
    "garbled at the end": (
        lambda file: file.write_text(file.read_text()[:-30]),
        "Unreadable",
    ),
    "deleted": (lambda file: file.unlink(), "missing"),
}


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_fails_the_verification_and_stops_the_hashing(checkpoints, kind, is_cut):
    damage, reason = DAMAGES[kind]
    run_seal_audit(60, 20, 30, 20)
    damage(checkpoints)
    if is_cut:
        cut_off(50)
    before = list(AuditSeal.objects.values_list("n", "hash"))
    write_events(3)

    with pytest.raises(CommandError, match=None if is_cut else reason):
        call_command("verify_audit")
    with pytest.raises(CommandError, match=r"Nothing was hashed: .* --new-checkpoints"):
        call_command("seal_audit")

    assert list(AuditSeal.objects.values_list("n", "hash")) == before


def test_one_run_and_an_emptied_file_are_noticed(checkpoints):
    run_seal_audit(100)
    checkpoints.write_text("")
    cut_off(50)

    with pytest.raises(CommandError, match="demands 1 checkpoint"):
        call_command("verify_audit")


def test_a_chain_that_ends_within_a_run_is_noticed_although_the_file_fits(checkpoints):
    run_seal_audit(4, 10)
    without_last_line(checkpoints)
    cut_off(5)

    with pytest.raises(CommandError, match=r"Link 10 is invalid\. It is missing: a run"):
        call_command("verify_audit")
    with pytest.raises(CommandError, match="links after 9 are missing"):
        call_command("seal_audit")


def test_the_owner_of_the_database_cannot_lower_the_demand(checkpoints):
    """The number is covered by the hash: it can be changed, but not unnoticed."""
    run_seal_audit(4, 4)
    append_only.remove(connection)

    for number in (None, 0, 1):
        AuditSeal.objects.filter(n=8).update(checkpoint=number)
        assert hash_chain.verify().broken == 8


def test_a_chain_of_an_earlier_release_demands_one_checkpoint(checkpoints, monkeypatch):
    """Its links name no number."""
    with_number = hash_chain._append_batch
    monkeypatch.setattr(
        hash_chain, "_append_batch", lambda after, checkpoint: with_number(after, None)
    )
    run_seal_audit(4, 4)
    monkeypatch.undo()
    call_command("verify_audit")
    content = checkpoints.read_text()

    checkpoints.write_text("")
    cut_off(4)
    with pytest.raises(CommandError, match="demands 1 checkpoint"):
        call_command("verify_audit")

    checkpoints.write_text(content.splitlines()[0] + "\n")
    run_seal_audit(2)
    call_command("verify_audit")
    assert hash_chain.end()[2] == 2


def test_a_chain_that_contradicts_its_checkpoint_is_not_continued(checkpoints):
    """Otherwise new hashes would confirm a truncated chain."""
    run_seal_audit(8)
    cut_off(4)
    write_events(4)

    with pytest.raises(CommandError, match="link 8 of the last checkpoint is missing"):
        call_command("seal_audit")

    assert hash_chain.head()[0] == 4
    with pytest.raises(CommandError, match="Link 5"):
        call_command("verify_audit")


# --- Runs at the same time, and a run that was interrupted ----------------------------------


def test_no_other_run_reads_the_file_between_the_hashes_and_their_checkpoint(
    checkpoints, monkeypatch
):
    run_seal_audit(3)
    append_hashes, refused = hash_chain.append_hashes, []

    def append_while_another_asks(noted):
        count = append_hashes(noted)
        with checkpoints.open() as other, pytest.raises(BlockingIOError) as error:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused.append(error.type)
        return count

    monkeypatch.setattr(hash_chain, "append_hashes", append_while_another_asks)
    run_seal_audit(3)

    assert refused == [BlockingIOError]


def test_a_missing_last_checkpoint_is_not_taken_for_an_interruption(checkpoints):
    run_seal_audit(3, 3)
    without_last_line(checkpoints)

    with pytest.raises(CommandError, match="demands 2 checkpoint"):
        call_command("verify_audit")
    with pytest.raises(CommandError, match="demands 2 checkpoint"):
        call_command("seal_audit")


def test_the_line_of_another_link_does_not_replace_the_last_checkpoint(checkpoints):
    run_seal_audit(3, 3)
    first, _second = checkpoints.read_text().splitlines()
    checkpoints.write_text(f"{first}\n{first.replace(' 3 ', ' 2 ')}\n")

    with pytest.raises(CommandError, match="checkpoint of link 6 is missing"):
        call_command("seal_audit")


def test_a_checkpoint_that_two_runs_note_counts_once(checkpoints):
    run_seal_audit(3)
    checkpoints.write_text(checkpoints.read_text() * 2)

    run_seal_audit(3)

    assert hash_chain.end()[2] == 2
    call_command("verify_audit")


def test_a_file_that_cannot_be_written_is_reported_and_the_next_run_continues(
    checkpoints, settings
):
    run_seal_audit(3)
    content = checkpoints.read_text()
    checkpoints.unlink()
    checkpoints.mkdir()
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("seal_audit")
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("verify_audit")

    checkpoints.rmdir()
    checkpoints.write_text(content)
    run_seal_audit(3)
    call_command("verify_audit")


# --- The way out for an operator who lost the file ------------------------------------------


def test_a_new_file_is_started_on_demand_and_leaves_a_trace(checkpoints, capsys):
    run_seal_audit(3, 3)
    checkpoints.unlink()

    call_command("seal_audit", "--new-checkpoints")

    trace = AuditEvent.objects.get(event="audit.new_checkpoints")
    assert AuditSeal.objects.get(event=trace.pk).n == 7
    assert [line.split()[1] for line in checkpoints.read_text().splitlines()] == ["7"]
    run_seal_audit(2)
    call_command("verify_audit")
    assert "New files of checkpoints: 1." in capsys.readouterr().out


def test_an_existing_file_is_not_replaced(checkpoints):
    run_seal_audit(3)
    checkpoints.write_text("garbled\n")

    with pytest.raises(CommandError, match=r"Move .* away first"):
        call_command("seal_audit", "--new-checkpoints")

    assert checkpoints.read_text() == "garbled\n"
    assert not AuditEvent.objects.filter(event="audit.new_checkpoints").exists()


def test_without_a_file_name_none_is_started(settings):
    settings.AUDIT_CHECKPOINTS = ""

    with pytest.raises(CommandError, match="AUDIT_CHECKPOINTS names no file"):
        call_command("seal_audit", "--new-checkpoints")


# --- Archives -------------------------------------------------------------------------------


def test_an_archive_keeps_the_numbers_and_the_rest_still_fits(checkpoints, tmp_path):
    write_events(3, at=timezone.now() - timedelta(days=3000))
    call_command("seal_audit")
    run_seal_audit(3)

    archive.archive(timezone.now() - timedelta(days=2192), tmp_path / "archive")

    assert archive.check_archive(tmp_path / "archive").broken is None
    call_command("seal_audit")
    call_command("verify_audit")
    assert hash_chain.end()[2] == 3
