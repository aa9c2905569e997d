"""The inspection: a flipped bit in any stored row or file is found, and never given out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from scribe import FIRST_GIFT, NOON, Scribe, StepClock, gifts, open_copy
from tamper import Tamper

from ledger.book import Book
from ledger.errors import CorruptionError, LedgerError, NotReadyError
from ledger.fitting import FittingTiles
from ledger.holds import DAMAGED
from ledger.inspection import Inspector, Pace
from ledger.keys.access import KeyAccess
from ledger.store.place import DATABASE_VARIABLE

SIZE = 300
"""A full tile and a partial one."""
LOOKED_AT = {
    "head": "root",
    "entry": "data",
    "tile": "hashes",
    "edge": "hashes",
    "checkpoint": "note",
    "vault": "ciphertext",
    "idempotency": "digest",
    "order_number": "entry",
}
"""What the slices compare themselves, and a column of it; the rest is the audit's."""
SECONDS_MAX = 300
"""A whole audit is another process, and gives way to everybody: on a busy machine it waits."""
PACE = Pace(rows_per_second=1_000_000, audit_seconds=0, round_seconds_min=0.05)


@pytest.fixture(scope="module")
def log_template(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspected") / "book"
    book = open_copy(world_template, folder)
    scribe = Scribe(book)
    sealed = {"donor_name": "示例捐赠人", "order_number": "INSPECTED-1"}
    scribe.submit([scribe.gift(100, sealed=sealed)])
    scribe.submit(gifts(scribe, SIZE - book.head().size, "inspected"))
    book.close()
    return folder


@pytest.fixture
def damaged(log_template: Path, tmp_path: Path) -> Iterator[Callable[..., Book]]:
    """Opens a copy of the log in which one bit of a table's first row is another."""
    opened: list[Book] = []

    def damage(table: str, column: str, place: int = 0) -> Book:
        folder = tmp_path / f"{table}-{column}"
        open_copy(log_template, folder).close()
        with closing(Tamper(folder)) as tamper:
            rows = tamper.rows(table)
            names = [one.name for one in _columns(table)]
            row = rows[place]
            tamper.change(table, tamper.key(table, row), column, flip(row[names.index(column)]))
        opened.append(Book.open(folder, clock=StepClock(NOON)))
        return opened[-1]

    yield damage
    for book in opened:
        book.close()


def _columns(table: str) -> Any:
    from ledger.store.tables import TABLES

    return TABLES[table].columns


def flip(value: Any) -> Any:
    """The value with one bit changed."""
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 4]) + value[middle + 1 :]
    return value ^ 4


def findings(book: Book) -> list[str]:
    inspector = Inspector(book, KeyAccess(), PACE)
    return [text for one in inspector.slices() for text in one.findings]


def test_nothing_is_found_in_a_good_log(log_template: Path, tmp_path: Path) -> None:
    book = open_copy(log_template, tmp_path / "good")
    try:
        inspector = Inspector(book, KeyAccess(), PACE)
        slices = list(inspector.slices())
        assert [text for one in slices for text in one.findings] == []
        assert sum(one.rows for one in slices) > SIZE
    finally:
        book.close()


@pytest.mark.fault
@pytest.mark.parametrize("table", LOOKED_AT)
def test_a_flipped_bit_is_found(table: str, damaged: Callable[..., Book]) -> None:
    column = LOOKED_AT[table]
    # The middle bit of entry 0 would be noticed at the start already.
    book = damaged(table, column, 5 if table in ("entry", "vault") else 0)
    found = findings(book)
    assert found, table
    said = {"head": "entries 0", "tile": "entries 0", "edge": "entries 0", "entry": "entry 5"}
    assert any(said.get(table, table) in one for one in found), found


@pytest.mark.fault
def test_it_is_never_given_out(damaged: Callable[..., Book]) -> None:
    entry = damaged("entry", "data", FIRST_GIFT)
    for ask in (
        lambda: entry.entry(FIRST_GIFT),
        lambda: entry.latest(SIZE),
        lambda: entry.receipt(FIRST_GIFT),
        lambda: fitting(entry, "bundle", 0, 256),
    ):
        refused(ask)
    tile = damaged("tile", "hashes")
    refused(lambda: fitting(tile, "tile", 0, 0, 256))
    refused(lambda: tile.inclusion(1))
    refused(lambda: tile.consistency(100))
    assert fitting(tile, "tile", 0, 1, SIZE - 256)
    head = damaged("head", "checkpoint")
    refused(lambda: fitting(head, "tile", 0, 0, 256))
    with head.store.read() as reader:
        newest = len(reader.checkpoints(0, 1000)) - 1
    note = damaged("checkpoint", "note", newest)
    refused(note.checkpoint)
    refused(lambda: note.receipt(SIZE - 1))
    vault = damaged("vault", "ciphertext", FIRST_GIFT)
    refused(lambda: vault.receipt(FIRST_GIFT, reveal="all"))
    # An erased entry keeps its row: one that is gone is no erasure.
    with closing(Tamper(vault.folder)) as tamper:
        tamper.delete("vault", (FIRST_GIFT + 1,))
    refused(lambda: vault.receipt(FIRST_GIFT + 1))


def fitting(book: Book, what: str, *place: int) -> bytes:
    with book.store.read() as reader:
        return getattr(FittingTiles(reader), what)(*place)


def refused(ask: Callable[[], Any]) -> None:
    # A flipped bit can also make text of it that is none: that is an error as well.
    with pytest.raises(LedgerError) as error:
        ask()
    assert isinstance(error.value, CorruptionError), error.value


def eventually(check: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def held(book: Book) -> bool:
    """Whether the damage holds the log: a file in its folder, or a row where it is shared."""
    return any(hold is DAMAGED for hold, _ in book.held.read())


@pytest.mark.fault
def test_the_thread_finds_it_and_holds_the_log(damaged: Callable[..., Book]) -> None:
    book = damaged("tile", "hashes")
    Scribe(book).submit([Scribe(book).gift(1)])
    inspector = Inspector(book, KeyAccess(), PACE)
    inspector.start()
    try:
        eventually(lambda: held(book))
        with pytest.raises(NotReadyError, match="does not fit the signed root") as refusal:
            Scribe(book).record("fund.opened", {"code": "x", "name": "x", "fund_class": "agency"})
        assert refusal.value.code == "damaged"
        eventually(lambda: inspector.standing().rounds > 1)
        assert len(inspector.standing().findings) >= 1
    finally:
        inspector.close()


@pytest.mark.fault
def test_the_audit_beside_it_finds_what_follows_from_the_entries(
    damaged: Callable[..., Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = damaged("account", "received")
    assert findings(book) == []
    # It audits the database of this book, not one that the environment names.
    monkeypatch.setenv(DATABASE_VARIABLE, str(book.folder / "another.sqlite3"))
    inspector = Inspector(book, KeyAccess(), Pace(1_000_000, 0.01, 0.05))
    inspector.start()
    try:
        eventually(lambda: inspector.standing().audits)
        assert any("account" in one for one in inspector.standing().findings)
        assert held(book)
    finally:
        inspector.close()


@pytest.mark.fault
@pytest.mark.parametrize("name", ["keys/vault.key", "keys/log-key.pem", "tokens.json"])
def test_a_damaged_file_is_found(name: str, log_template: Path, tmp_path: Path) -> None:
    book = open_copy(log_template, tmp_path / "files")
    try:
        (book.folder / "tokens.json").write_text("{}")
        assert findings(book) == []
        path = book.folder / name
        data = path.read_bytes()
        place = len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert any(name.rpartition("/")[0] in one for one in findings(book)), name
    finally:
        book.close()
