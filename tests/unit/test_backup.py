"""Backups: whole while somebody writes, checked, restored once, and never a second history."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from log_keys import key_id
from scribe import FIRST_GIFT, LOG_KEY, NOON, ORIGIN, Scribe, StepClock, audited, open_copy
from typer.testing import CliRunner, Result

from ledger import cli
from ledger.audit.replay import audit
from ledger.backup.checking import check_backup, list_backups
from ledger.backup.making import PART_PREFIX, erasures_of, make_backup
from ledger.backup.manifest import (
    MANIFEST,
    format_manifest,
    hash_file,
    parse_manifest,
    read_manifest,
)
from ledger.backup.restoring import MARKER, erased_again, restore_backup
from ledger.book import DATABASE, Book
from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.known import FOLDER, write_known
from ledger.store import Store
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note
from ledger.verify import verify_receipt

LAW = "个人信息保护法第四十七条：个人撤回同意"
SEALED = {"donor_name": "示例捐赠人戊己", "order_number": "BACKUP-ORDER-1"}


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "restored"


def data_of(scribe: Scribe) -> Path:
    return scribe.book.folder


def give(scribe: Scribe) -> int:
    (done,) = scribe.submit([scribe.gift(7_700, sealed=SEALED)])
    return done.index


def erase(scribe: Scribe, *entries: int) -> int:
    return scribe.tell("privacy.erased", {"entries": list(entries), "legal_basis": LAW})


def opened(folder: Path) -> Book:
    return Book.open(folder, clock=StepClock(NOON))


def test_a_backup_is_the_log_as_it_stands(world: Scribe, backups: Path) -> None:
    made, manifest = make_backup(data_of(world), backups, retention_days=30)
    head = world.book.head()
    assert (manifest.size, manifest.root) == (head.size, head.root.hex())
    assert manifest.origin == world.book.origin
    assert manifest.checkpoint == head.checkpoint.decode()
    assert sorted(one.name for one in made.iterdir()) == [DATABASE, MANIFEST]
    assert made.stat().st_mode & 0o077 == 0
    check_backup(made, manifest, world.book.verifier_keys)
    # Looking leaves nothing beside it.
    assert sorted(one.name for one in made.iterdir()) == [DATABASE, MANIFEST]
    assert parse_manifest(format_manifest(manifest)) == manifest


def test_keys_go_with_it_only_where_it_is_asked(world: Scribe, backups: Path) -> None:
    without, _ = make_backup(data_of(world), backups)
    key = (data_of(world) / "keys" / "vault.key").read_bytes().strip()
    assert not any(key in one.read_bytes() for one in without.rglob("*") if one.is_file())
    made, manifest = make_backup(data_of(world), backups, with_keys=True)
    assert manifest.keys
    assert (made / "keys" / "vault.key").read_bytes().strip() == key


def test_while_somebody_writes_each_backup_is_of_one_moment(world: Scribe, backups: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set() and number < 2000:
            world.submit([world.gift(100 + number, key=f"beside-{number}")])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for _ in range(5):
            made, manifest = make_backup(data_of(world), backups)
            check_backup(made, manifest)
            sizes.append(manifest.size)
    finally:
        stop.set()
        writer.join()
    assert sizes == sorted(sizes)
    restored = restore_backup(made, backups.parent / "copy", keys=data_of(world) / "keys")
    assert restored.manifest.size == sizes[-1]
    book = opened(backups.parent / "copy")
    audited(book)
    book.close()


@pytest.mark.parametrize("damage", ["byte", "cut", "manifest", "size", "other tree"])
def test_a_damaged_backup_is_found(world: Scribe, backups: Path, place: Path, damage: str) -> None:
    made, manifest = make_backup(data_of(world), backups)
    database = made / DATABASE
    data = bytearray(database.read_bytes())
    if damage == "byte":
        data[len(data) // 2] ^= 1
        database.write_bytes(data)
    elif damage == "cut":
        database.write_bytes(data[:-4096])
    elif damage == "manifest":
        (made / MANIFEST).write_bytes(b'{"format":"another"}\n')
    else:
        with closing(sqlite3.connect(database)) as raw, raw:
            if damage == "size":
                raw.execute("UPDATE head SET size = size - 1")
            else:
                raw.execute("DROP TRIGGER entry_refuses_update")
                raw.execute("UPDATE entry SET data = x'00' WHERE \"index\" = 3")
        # Somebody who can write the database can write a manifest that fits it.
        length, digest = hash_file(database)
        changed = replace(manifest, database_bytes=length, database_sha256=digest)
        (made / MANIFEST).write_bytes(format_manifest(changed))
    (state,) = list_backups(backups, now=NOON)
    assert state.problem is not None
    with pytest.raises(LedgerError):
        restore_backup(made, place)
    assert not place.exists() or not any(place.iterdir())


def test_a_restored_log_is_the_log(world: Scribe, backups: Path, place: Path) -> None:
    gift = give(world)
    receipt = world.book.receipt(gift, reveal="all")
    made, manifest = make_backup(data_of(world), backups, with_keys=True)
    restored = restore_backup(made, place, nothing_newer=True)
    assert (restored.behind, restored.keys, restored.erased_again) == (False, True, ())
    book = opened(place)
    assert book.head() == world.book.head()
    assert book.receipt(gift, reveal="all") == receipt
    audited(book)
    # It goes on where it was.
    assert Scribe(book).tell("privacy.erased", {"entries": [gift], "legal_basis": LAW}) > gift
    audited(book)
    book.close()
    assert manifest.size == gift + 1


def test_nothing_is_overwritten(world: Scribe, backups: Path, place: Path) -> None:
    made, _ = make_backup(data_of(world), backups)
    place.mkdir()
    (place / "something").write_text("here first")
    for target in (place, data_of(world), place / "something"):
        with pytest.raises(ConflictError, match="is not empty") as refused:
            restore_backup(made, target)
        assert refused.value.code == "place_not_empty"
    assert (place / "something").read_text() == "here first"


def test_without_keys_it_is_said_and_cannot_be_written(
    world: Scribe, backups: Path, place: Path
) -> None:
    made, _ = make_backup(data_of(world), backups)
    assert not restore_backup(made, place).keys
    with pytest.raises(NotFoundError, match="key"):
        Book.open(place)


def test_keys_that_were_rotated_are_restored_and_outdated_ones_told(
    world: Scribe, backups: Path, place: Path, tmp_path: Path
) -> None:
    keys, outdated = data_of(world) / "keys", tmp_path / "outdated"
    shutil.copytree(keys, outdated)
    people = ("--person", "registrar-1", "--approved-by", "approver-1", "--data", data_of(world))
    run("keys", "rotate", *people)
    run("keys", "revoke", key_id(LOG_KEY, ORIGIN), "--reason", "superseded", *people)
    (keys / "log-key.pem").unlink()
    made, _ = make_backup(data_of(world), backups)
    assert not restore_backup(made, tmp_path / "unable", keys=outdated).keys
    assert restore_backup(made, place, keys=keys, nothing_newer=True).keys
    book = opened(place)
    try:
        assert give(Scribe(book)) == world.book.head().size
    finally:
        book.close()


# Retention and erasure


def test_what_an_old_backup_still_holds_is_named(world: Scribe, backups: Path) -> None:
    gift = give(world)
    before, _ = make_backup(data_of(world), backups, retention_days=30)
    erasure = erase(world, gift, FIRST_GIFT)
    with world.book.store.read() as reader:
        erasures = erasures_of(reader)
    assert erasures == {gift: erasure, FIRST_GIFT: erasure}
    (state,) = list_backups(backups, now=datetime.now(UTC), erasures=erasures)
    assert (state.path, state.holds, state.over) == (before, (FIRST_GIFT, gift), False)
    # A newer backup holds nothing of them, and tells of the older one without the log.
    after, _ = make_backup(data_of(world), backups, retention_days=30)
    later = datetime.now(UTC) + timedelta(days=31)
    old, new = list_backups(backups, now=later)
    assert (old.path, old.holds, old.over) == (before, (FIRST_GIFT, gift), True)
    assert (new.path, new.holds, new.over) == (after, (), True)


def test_a_restore_erases_again_what_was_erased_later(
    world: Scribe, backups: Path, place: Path
) -> None:
    gift = give(world)
    with world.book.store.read() as reader:
        row = reader.vault(gift)
    assert row is not None
    receipt = world.book.receipt(gift, reveal="all")
    made, _ = make_backup(data_of(world), backups, with_keys=True)
    erasure = erase(world, gift)
    restored = restore_backup(made, place, newer=[data_of(world)])
    assert restored.erased_again == ((gift, erasure),)
    assert (restored.behind, restored.prefix) == (True, "proven")
    seen = b"".join(one.read_bytes() for one in place.rglob("*") if one.is_file())
    assert row[16:48] not in seen
    assert row in (made / DATABASE).read_bytes()
    book = opened(place)
    assert book.opening(gift) is None
    # The entry that says so is not here: the audit is told, and else finds it.
    told = audit(book.store, vault=book.vault, erased_again=erased_again(place))
    assert told.findings == ()
    untold = audit(book.store, vault=book.vault)
    assert [one.code for one in untold.findings] == ["opening_missing"]
    assert verify_receipt(receipt, book.verifier_keys).values == SEALED
    book.close()


def test_a_list_of_erasures_does_too_and_needs_the_vaults_key(
    world: Scribe, backups: Path, place: Path, tmp_path: Path
) -> None:
    gift = give(world)
    made, _ = make_backup(data_of(world), backups)
    listed = tmp_path / "erasures.txt"
    listed.write_text(f"# erased on paper\n{gift}  # a donor\n\n999999\n")
    with pytest.raises(NotFoundError, match="give --keys") as refused:
        restore_backup(made, place, erasures=listed)
    assert refused.value.code == "vault_key_needed"
    assert not any(place.iterdir())
    keys = data_of(world) / "keys"
    restored = restore_backup(made, place, erasures=listed, keys=keys, nothing_newer=True)
    assert [entry for entry, _ in restored.erased_again] == [gift]
    # Not behind anything: it may be written, and the erasure recorded once more.
    book = opened(place)
    scribe = Scribe(book)
    erase(scribe, gift)
    audited(book)
    book.close()
    listed.write_text("one\n")
    with pytest.raises(MalformedError, match="on each line"):
        restore_backup(made, tmp_path / "other", erasures=listed, keys=data_of(world) / "keys")


def test_a_newer_backup_beside_it_tells_of_erasures_and_of_how_far_the_log_went(
    world: Scribe, backups: Path, place: Path
) -> None:
    gift = give(world)
    old, _ = make_backup(data_of(world), backups)
    erase(world, gift)
    make_backup(data_of(world), backups)
    restored = restore_backup(old, place, keys=data_of(world) / "keys")
    assert [entry for entry, _ in restored.erased_again] == [gift]
    assert restored.seen == world.book.head().size
    assert restored.prefix == "unproven"
    book = opened(place)
    with pytest.raises(NotReadyError):
        book.sequencer.ready()
    book.close()


# No second history


@pytest.fixture
def behind(world: Scribe, backups: Path, place: Path) -> Iterator[Book]:
    """A log restored from before its last entries, told of a checkpoint after them."""
    made, _ = make_backup(data_of(world), backups, with_keys=True)
    give(world)
    kept = backups / "kept.checkpoint"
    kept.write_bytes(world.book.checkpoint())
    restored = restore_backup(made, place, known=[kept])
    assert (restored.behind, restored.prefix) == (True, "unproven")
    book = opened(place)
    yield book
    book.close()


def test_behind_a_known_checkpoint_nothing_is_written(behind: Book) -> None:
    head = behind.head()
    with pytest.raises(NotReadyError, match="a second history would be signed") as refused:
        behind.sequencer.ready()
    assert refused.value.code == "behind_known_checkpoint"
    with pytest.raises(NotReadyError):
        Scribe(behind).submit([Scribe(behind).gift(5)])
    assert behind.head() == head
    marker = json.loads((behind.folder / MARKER).read_text())
    assert (marker["behind"], marker["size"]) == (True, head.size)
    # To read, it is a log as before.
    assert behind.receipt(FIRST_GIFT)
    audited(behind)


def test_a_checkpoint_that_is_heard_of_later_stops_it_too(world: Scribe, tmp_path: Path) -> None:
    book = open_copy(data_of(world), tmp_path / "other")
    scribe = Scribe(book)
    give(world)
    newer = world.book.checkpoint()
    write_known(book.folder, parse_checkpoint(split_note(newer)[0]), newer)
    with pytest.raises(NotReadyError):
        scribe.submit([scribe.gift(5)])
    for one in (book.folder / FOLDER).iterdir():
        one.unlink()
    # A person took it away, knowing better: the next record is taken.
    scribe.submit([scribe.gift(5)])
    # Both have as many entries now, and other ones: two histories.
    write_known(book.folder, parse_checkpoint(split_note(newer)[0]), newer)
    with pytest.raises(CorruptionError, match="two histories") as refused:
        scribe.submit([scribe.gift(6)])
    assert refused.value.code == "another_history"
    book.close()


def test_a_known_checkpoint_that_is_reached_is_no_hindrance(world: Scribe) -> None:
    give(world)
    known = world.book.checkpoint()
    write_known(data_of(world), parse_checkpoint(split_note(known)[0]), known)
    world.tell("entry.annotated", annotation())
    audited(world.book)


def annotation() -> dict[str, Any]:
    return {"entry": FIRST_GIFT, "field": "channel", "correct": "wechat", "reason": "登记有误"}


def test_what_is_no_checkpoint_of_this_log_is_refused(world: Scribe, tmp_path: Path) -> None:
    (data_of(world) / FOLDER).mkdir()
    (data_of(world) / FOLDER / "strange.checkpoint").write_bytes(b"no checkpoint")
    with pytest.raises(MalformedError, match="expected a checkpoint that this log's keys signed"):
        world.submit([world.gift(5)])
    stranger = Book.create(tmp_path / "stranger", origin="o.example/other", organisation="示例")
    (data_of(world) / FOLDER / "strange.checkpoint").write_bytes(stranger.checkpoint())
    stranger.close()
    with pytest.raises(MalformedError):
        world.submit([world.gift(5)])


def test_a_backup_of_another_history_is_not_restored(
    world: Scribe, backups: Path, place: Path, tmp_path: Path
) -> None:
    other = open_copy(data_of(world), tmp_path / "other")
    give(world)
    scribe = Scribe(other)
    for amount in (5, 6):
        scribe.submit([scribe.gift(amount)])
    made, _ = make_backup(data_of(world), backups)
    for more in ({"newer": [other.folder]}, {"known": [tmp_path / "kept"]}):
        (tmp_path / "kept").write_bytes(other.receipt(other.head().size - 2))
        with pytest.raises(CorruptionError, match="two histories") as refused:
            restore_backup(made, place, **more)
        assert refused.value.code == "another_history"
        assert not any(place.iterdir())
    other.close()


# Failures


def test_a_backup_that_fails_leaves_nothing(
    world: Scribe, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: Store, target: Path) -> None:
        target.write_bytes(b"half")
        raise FatalError("the disk is full")

    monkeypatch.setattr(Store, "copy_to", fail)
    with pytest.raises(FatalError):
        make_backup(data_of(world), backups)
    assert list(backups.iterdir()) == []


def test_one_that_was_cut_short_is_listed_as_none(world: Scribe, backups: Path) -> None:
    made, _ = make_backup(data_of(world), backups)
    shutil.copytree(made, backups / f"{PART_PREFIX}abc")
    (backups / f"{PART_PREFIX}abc" / MANIFEST).unlink()
    states = list_backups(backups, now=NOON)
    assert [one.problem is None for one in states] == [False, True]


def test_a_folder_that_cannot_be_written(world: Scribe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FatalError, match="could not be written"):
        make_backup(data_of(world), tmp_path / "file")
    with pytest.raises(MalformedError, match="no folder"):
        list_backups(tmp_path / "absent", now=NOON)
    with pytest.raises(MalformedError, match="retention"):
        make_backup(data_of(world), tmp_path / "b", retention_days=0)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b'{"format":"shanji-backup/v1"}\n', b"\xff"],
)
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(MalformedError, match="expected a manifest"):
        parse_manifest(data)


# The commands


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.build(), [str(one) for one in words])
    if isinstance(result.exception, LedgerError):
        assert cli.exit_code(result.exception) == code
    else:
        assert result.exit_code == code, (result.output, result.exception)
    return result


def test_the_commands_say_what_matters(world: Scribe, backups: Path, place: Path) -> None:
    gift = give(world)
    data = data_of(world)
    made = run("backup", backups, "--data", data, "--retention-days", 30, "--lang", "en").stdout
    assert "The keys are not in it" in made
    assert "It may be kept until" in made
    erase(world, gift)
    listed = run("backup", backups, "--check", "--data", data, "--lang", "en").stdout
    assert "verifies" in listed
    assert f"still holds personal fields that were erased later, of entries {gift}" in listed
    unknown = run("backup", backups, "--check", "--data", place, "--lang", "en").stdout
    assert "not compared with the living log" in unknown
    value = json.loads(run("backup", backups, "--check", "--data", data, "--json").stdout)
    (one,) = value["backups"]
    assert (one["verifies"], one["holds_erased"], one["keys"]) == (True, [gift], False)
    backup = backups / one["backup"]
    words = ["restore", backup, "--data", place, "--keys", data / "keys", "--newer", data]
    told = run(*words, "--lang", "en").stdout
    assert "were erased again" in told
    assert "This log was seen with" in told
    assert "Proven: the log here is the beginning" in told
    run(*words, code=1)
    # Behind what it knows was signed: the audit says so, with the evidence.
    audited_text = run("audit", "--data", place, "--lang", "en", code=1).stdout
    assert "history" in audited_text
    assert "opening_missing" not in audited_text
    with (backup / DATABASE).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        (last,) = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    broken = run("backup", backups, "--check", "--data", data, "--lang", "zh", code=1).stdout
    assert "核验不通过" in broken


def test_the_manifest_is_read_by_nobody_else(world: Scribe, backups: Path) -> None:
    made, manifest = make_backup(data_of(world), backups, retention_days=7)
    assert read_manifest(made) == manifest
    value = json.loads((made / MANIFEST).read_text())
    assert value["retention_days"] == 7
    assert manifest.keep_until() is not None
