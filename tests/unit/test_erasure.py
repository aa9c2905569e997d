"""Erasing a person: nothing is left on disk, and everything that was proven stays proven."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scribe import FIRST_GIFT, NOON, Scribe, StepClock, audited, open_copy, stored_object
from tamper import Tamper

from ledger.backup.checking import list_backups
from ledger.backup.making import erasures_of, make_backup
from ledger.book import DATABASE, Book
from ledger.entry import base64url
from ledger.errors import ConflictError, CorruptionError, RejectedError
from ledger.records.request import Prepared
from ledger.store import Store
from ledger.vault import Vault, VaultRow
from ledger.verify import verify_receipt

SEALED = {
    "donor_name": "示例捐赠人丙丁",
    "contact": "示例联系方式丙丁",
    "order_number": "ERASE-ORDER-0001",
    "message": "请勿公开",
}
LAW = "个人信息保护法第四十七条：个人撤回同意"


def gift(scribe: Scribe, number: int = 1, **more: str) -> Prepared:
    """A gift whose donor asks to be forgotten later."""
    sealed = {**SEALED, "order_number": f"ERASE-ORDER-{number:04d}", **more}
    return scribe.gift(10_000 + number, sealed=sealed, key=f"erase-{number}")


def erase(scribe: Scribe, *entries: int) -> int:
    """Record that these entries' personal fields are erased."""
    return scribe.tell("privacy.erased", {"entries": list(entries), "legal_basis": LAW})


def ciphertext(book: Book, index: int) -> bytes:
    """The vault's row as it is stored."""
    with book.store.read() as reader:
        found = reader.vault(index)
    assert found is not None
    return found


def on_disk(folder: Path) -> bytes:
    """Every byte of the database's files: the file, its write-ahead log, its index."""
    files = sorted(one for one in folder.rglob("*") if one.is_file() and "key" not in one.name)
    assert {"ledger.sqlite3", "ledger.sqlite3-wal"} <= {one.name for one in files}
    return b"".join(one.read_bytes() for one in files)


def database(book: Book) -> Path:
    return book.store.path


@pytest.fixture
def erased(world: Scribe) -> Iterator[tuple[Scribe, int, bytes, bytes]]:
    """A gift that was erased: the scribe, its index, its old row and its old receipt."""
    done = world.submit([gift(world)])[0]
    row = ciphertext(world.book, done.index)
    if not world.book.store.shared:
        assert row in on_disk(database(world.book).parent)
    erase(world, done.index)
    yield world, done.index, row, done.receipt
    audited(world.book)


@pytest.mark.sqlite("what is left in its files")
def test_the_old_row_is_in_no_file(erased: tuple[Scribe, int, bytes, bytes]) -> None:
    world, index, row, _ = erased
    seen = on_disk(database(world.book).parent)
    # A part of it would be enough to ask for: no piece of 24 bytes is left.
    assert not [at for at in range(0, len(row) - 24, 8) if row[at : at + 24] in seen]
    assert ciphertext(world.book, index) in seen
    for text in SEALED.values():
        assert text.encode() not in seen


@pytest.mark.sqlite("what is left in its files")
def test_nor_after_vacuum(erased: tuple[Scribe, int, bytes, bytes], tmp_path: Path) -> None:
    world, _, row, _ = erased
    copy = tmp_path / "vacuum"
    shutil.copytree(database(world.book).parent, copy)
    connection = sqlite3.connect(copy / "ledger.sqlite3")
    connection.execute("VACUUM")
    seen = on_disk(copy)
    connection.close()
    assert row[16:48] not in seen
    assert row[-24:] not in seen


def test_no_copy_of_the_value_or_the_seed_is_anywhere_in_the_data_folder(
    erased: tuple[Scribe, int, bytes, bytes], tmp_path: Path
) -> None:
    """The stored rows one by one, opened with the vault's key: the seed is in none."""
    world, index, row, _ = erased
    book = world.book
    seed = book.vault.decrypt(index, row).seed
    assert seed is not None
    with book.store.read() as reader:
        for entry, stored in reader.scan("vault"):
            opened = book.vault.decrypt(entry, stored)
            assert opened.seed != seed
            assert not set(SEALED.values()) & set((opened.values or {}).values())
    files = [one for one in book.folder.rglob("*") if one.is_file()]
    forms = (seed, seed.hex().encode(), base64url(seed).encode())
    for form in (*forms, *(text.encode() for text in SEALED.values())):
        assert not [one for one in files if form in one.read_bytes()]


def test_a_new_backup_has_none_of_it_and_an_old_one_is_named(world: Scribe, tmp_path: Path) -> None:
    (done,) = world.submit([gift(world)])
    row = ciphertext(world.book, done.index)
    before, _ = make_backup(world.book.folder, tmp_path / "backups", retention_days=1)
    erase(world, done.index)
    after, _ = make_backup(world.book.folder, tmp_path / "backups", retention_days=1)
    assert row in (before / DATABASE).read_bytes()
    seen = (after / DATABASE).read_bytes()
    assert not [at for at in range(0, len(row) - 24, 8) if row[at : at + 24] in seen]
    with world.book.store.read() as reader:
        erasures = erasures_of(reader)
    day_after_next = datetime.now(UTC) + timedelta(days=2)
    old, new = list_backups(tmp_path / "backups", now=day_after_next, erasures=erasures)
    assert (old.path, old.over, old.holds) == (before, True, (done.index,))
    assert (new.path, new.over, new.holds) == (after, True, ())
    receipt = done.receipt
    assert verify_receipt(receipt, world.book.verifier_keys).values == SEALED
    audited(world.book)


def test_the_vault_keeps_only_what_stops_a_second_entry(
    erased: tuple[Scribe, int, bytes, bytes],
) -> None:
    world, index, row, _ = erased
    book = world.book
    before, now = (book.vault.decrypt(index, one) for one in (row, ciphertext(book, index)))
    assert (now.seed, now.values) == (None, None)
    assert before.seed is not None
    assert (now.key, now.request, now.order) == (before.key, before.request, before.order)
    assert len(ciphertext(book, index)) == len(row)
    assert book.opening(index) is None


def test_receipts_of_before_and_of_now_verify(erased: tuple[Scribe, int, bytes, bytes]) -> None:
    world, index, _, receipt = erased
    keys = world.book.verifier_keys
    assert verify_receipt(receipt, keys).values == SEALED
    again = verify_receipt(world.book.receipt(index, reveal="all"), keys)
    assert again.entry.index == index
    assert again.values == {}
    assert set(again.entry.sealed) == set(SEALED)


def test_an_erased_order_enters_no_second_time(erased: tuple[Scribe, int, bytes, bytes]) -> None:
    world, index, _, _ = erased
    with pytest.raises(ConflictError) as caught:
        world.submit([world.gift(10_001, sealed=SEALED)])
    assert caught.value.code == "order_number_recorded"
    assert caught.value.details == {"entry": index}


def test_a_repetition_is_answered_without_the_opening(
    erased: tuple[Scribe, int, bytes, bytes],
) -> None:
    world, index, _, _ = erased
    (again,) = world.submit([gift(world)])
    assert (again.index, again.replayed) == (index, True)
    assert verify_receipt(again.receipt, world.book.verifier_keys).values == {}
    with pytest.raises(ConflictError, match="another record"):
        world.submit([gift(world, message="另一个内容")])


def test_the_log_says_which_entry_erased_it(erased: tuple[Scribe, int, bytes, bytes]) -> None:
    world, index, _, _ = erased
    assert stored_object(world.book, f"erased/{index}") == {"entry": index + 1}
    with pytest.raises(RejectedError) as caught:
        erase(world, index)
    assert caught.value.code == "already_erased"


def test_what_came_in_the_same_batch_is_forgotten_too(world: Scribe) -> None:
    index = world.book.head().size
    body = {"entries": [index], "legal_basis": LAW}
    done = world.submit([gift(world), world.prepare("privacy.erased", body)])
    assert [one.index for one in done] == [index, index + 1]
    assert world.book.opening(index) is None
    audited(world.book)


@pytest.mark.sqlite("what is left in its files")
def test_many_erasures_leave_no_copy(world: Scribe) -> None:
    """Rows of other lengths around: no page that is arranged anew keeps an old row."""
    done = world.submit(
        gift(world, number, message="长" * (number * 37 % 600 + 1)) for number in range(400)
    )
    indices = [one.index for one in done]
    rows = {index: ciphertext(world.book, index) for index in indices}
    for start in (0, 1, 2):
        erase(world, *indices[start::3])
        seen = on_disk(database(world.book).parent)
        gone = {index for first in range(start + 1) for index in indices[first::3]}
        assert not [index for index in gone if rows[index][16:48] in seen]
        assert all(rows[index] in seen for index in indices if index not in gone)
    audited(world.book)


@pytest.mark.sqlite("what is left in its files")
def test_while_somebody_reads_it_waits_for_the_next_batch(world: Scribe) -> None:
    (done,) = world.submit([gift(world)])
    row = ciphertext(world.book, done.index)
    with world.book.store.read() as reader:
        assert reader.vault(done.index) == row
        erase(world, done.index)
        # The reader's snapshot needs the old page.
        assert reader.vault(done.index) == row
        assert row in on_disk(database(world.book).parent)
        assert not world.book.store.drop_old_pages()
    world.submit([world.gift(1)])
    assert row[16:48] not in on_disk(database(world.book).parent)
    audited(world.book)


@pytest.mark.sqlite("what is left in its files")
def test_a_new_start_does_what_a_crash_left_undone(
    world: Scribe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (done,) = world.submit([gift(world)])
    row = ciphertext(world.book, done.index)
    folder = tmp_path / "crashed"
    with monkeypatch.context() as patch:
        patch.setattr(Store, "drop_old_pages", lambda store: False)
        erase(world, done.index)
        # What a power cut would leave: the files as they are now.
        shutil.copytree(world.book.folder, folder)
    assert row in on_disk(folder)
    book = Book.open(folder, clock=StepClock(NOON))
    Scribe(book).submit([Scribe(book).gift(1)])
    assert row[16:48] not in on_disk(folder)
    audited(book)
    book.close()


def test_an_audit_finds_an_opening_that_was_not_erased(
    world_template: Path, tmp_path: Path
) -> None:
    book = open_copy(world_template, tmp_path / "book")
    kept = ciphertext(book, FIRST_GIFT)
    erase(Scribe(book), FIRST_GIFT)
    audited(book)
    book.close()
    with closing(Tamper(book.folder)) as tamper:
        tamper.change("vault", (FIRST_GIFT,), "ciphertext", kept)
    from ledger.audit.replay import audit

    book = Book.open(tmp_path / "book", clock=StepClock(NOON))
    report = audit(book.store, vault=book.vault, keys=book.verifier_keys)
    assert [one.code for one in report.findings] == ["not_erased"]
    book.close()


def test_a_row_without_opening_is_as_long_and_needs_the_key() -> None:
    vault = Vault(bytes(32))
    row = VaultRow("key", b"\1" * 32, b"\2" * 32, b"\3" * 16, {"donor_name": "示例"})
    stored = vault.encrypt(7, row)
    bare = vault.without_opening(7, stored)
    assert len(bare) == len(stored)
    assert vault.decrypt(7, bare) == VaultRow("key", b"\1" * 32, b"\2" * 32)
    assert vault.without_opening(7, bare) != bare
    with pytest.raises(CorruptionError):
        vault.without_opening(8, stored)
    with pytest.raises(CorruptionError):
        Vault(b"\1" * 32).without_opening(7, stored)
