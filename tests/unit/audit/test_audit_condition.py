"""A database in any condition gives a report, and no other error."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from scribe import Scribe, audited, open_copy
from tamper import Tamper

from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.book import DATABASE, Book
from ledger.errors import FatalError, LedgerError, NotReadyError
from ledger.keys.history import KeyHistory
from ledger.store import Store
from ledger.store.tables import TABLES


@pytest.fixture
def copy(long_template: Path, tmp_path: Path) -> Iterator[Book]:
    """A copy of the long log, for one test to change."""
    book = open_copy(long_template, tmp_path / "copy")
    yield book
    book.close()


def execute(book: Book, *statements: str) -> None:
    """Run SQL behind the store's back."""
    with closing(Tamper(book.folder)) as tamper:
        for statement in statements:
            tamper.run(statement)


def said_of(book: Book, kind: str, name: str) -> str:
    """How a finding begins that is about a thing of the schema; on a server tables and views
    are told by their columns."""
    return f" of {name} " if book.store.shared and kind in ("table", "view") else f"{kind} {name} "


def found(book: Book) -> Report:
    """The audit of a log that somebody changed."""
    # The state, which also says them, may be what is broken.
    keys = KeyHistory().take(book.opened).keys
    report = audit(book.store, vault=book.vault, keys=keys)
    assert not report.clean
    return report


@pytest.mark.parametrize("table", [*TABLES, "alembic_version"])
def test_a_dropped_table(copy: Book, table: str) -> None:
    execute(copy, f"DROP TABLE {table}")
    said = said_of(copy, "table", table) if table in TABLES else f"table {table} "
    assert any(said in one.message for one in found(copy).findings)


@pytest.mark.parametrize("table", TABLES)
def test_a_renamed_column(copy: Book, table: str) -> None:
    column = list(TABLES[table].columns)[-1].name
    execute(copy, f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed")
    assert any(said_of(copy, "table", table) in one.message for one in found(copy).findings)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TRIGGER entry_refuses_update", "trigger entry_refuses_update"),
        ("DROP INDEX flow_by_source", "index flow_by_source"),
        ("CREATE TABLE notes (text TEXT)", "table notes"),
        ("CREATE VIEW sums AS SELECT 1", "view sums"),
        ("CREATE INDEX slow ON vault (ciphertext)", "index slow"),
        ("ALTER TABLE vault ADD COLUMN more TEXT", "table vault"),
        pytest.param(
            "CREATE TRIGGER forgets AFTER INSERT ON vault BEGIN SELECT 1; END",
            "trigger forgets",
            marks=pytest.mark.sqlite("a trigger in its words"),
        ),
    ],
)
def test_a_changed_schema(copy: Book, statement: str, name: str) -> None:
    on = " ON entry" if copy.store.shared and statement.startswith("DROP TRIGGER") else ""
    execute(copy, statement + on)
    messages = [one.message for one in found(copy).findings if one.code == "schema"]
    said = said_of(copy, *name.split())
    assert any(said in f"{message} " for message in messages), messages


def test_another_version(copy: Book) -> None:
    execute(copy, "UPDATE alembic_version SET version_num = '0000'")
    assert [one.place for one in found(copy).findings] == ["alembic_version"]


@pytest.mark.sqlite("its pages")
def test_an_index_that_misses_a_row(copy: Book) -> None:
    """The index is forgotten, the row changed, the index taken up again."""
    raw = sqlite3.connect(copy.folder / DATABASE, isolation_level=None)
    with closing(raw):
        run = raw.execute
        run("PRAGMA writable_schema = ON")
        rows = run("SELECT * FROM sqlite_master WHERE name = 'account_by_name'").fetchall()
        run("DELETE FROM sqlite_master WHERE name = 'account_by_name'")
    raw = sqlite3.connect(copy.folder / DATABASE, isolation_level=None)
    with closing(raw):
        run = raw.execute
        run("UPDATE account SET name = 'fund:hidden' WHERE id = 1")
        run("PRAGMA writable_schema = ON")
        run("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", rows[0])
    report = found(copy)
    assert any("account_by_name" in one.message for one in report.findings)


def test_a_log_without_a_first_entry(tmp_path: Path) -> None:
    with closing(Store.open(str(tmp_path / "empty.sqlite3"))) as store:
        report = audit(store)
    assert [(one.code, one.place) for one in report.findings] == [("head_rows", "head")]
    assert (report.size, report.second_opinion, report.origin) == (0, None, "")


def test_a_busy_database_is_no_finding(copy: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(store: Any) -> list[str]:
        raise NotReadyError("busy")

    monkeypatch.setattr(Store, "check", busy)
    with pytest.raises(NotReadyError):
        audit(copy.store)


def test_a_failing_disk_is_a_finding(copy: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> bytes:
        raise FatalError("the disk failed", code="database_failed")

    monkeypatch.setattr("ledger.store.Reader.tile", fail)
    report = found(copy)
    assert ("database_failed", "database") in [(one.code, one.place) for one in report.findings]
    assert "what comes after the failure" in report.not_checked


def test_a_log_is_audited_while_it_is_written(copy: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit reads one snapshot: entries that come meanwhile change nothing."""
    scribe = Scribe(copy)
    monkeypatch.setattr("ledger.audit.replay.PROGRESS_ENTRIES", 50)
    written: list[int] = []

    def write(done: int, size: int) -> None:
        written.append(scribe.submit([scribe.gift(done)])[0].index)

    report = audit(copy.store, vault=copy.vault, keys=copy.verifier_keys, progress=write)
    assert report.clean, report.findings
    assert report.size == 300
    assert len(written) == 7
    audited(copy)


# Bytes of the file itself


def dump(path: Path) -> list[list[tuple[Any, ...]]] | None:
    """All rows of all tables; None where they cannot be read."""
    try:
        with closing(sqlite3.connect(path)) as raw:
            raw.text_factory = bytes
            return [
                raw.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES
            ]
    except sqlite3.DatabaseError:
        return None


Damage = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, dice: random.Random) -> None:
    """One bit of the file."""
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def swap_pages(data: bytearray, dice: random.Random) -> None:
    """Two pages in each other's place."""
    size = 16_384
    one, other = (size * number for number in dice.sample(range(1, len(data) // size), 2))
    data[one : one + size], data[other : other + size] = (
        data[other : other + size],
        data[one : one + size],
    )


def blank(data: bytearray, dice: random.Random) -> None:
    """Some hundred bytes of nothing, where there was something."""
    start = dice.randrange(100, len(data) - 400)
    while not any(data[start : start + 400]):
        start = dice.randrange(100, len(data) - 400)
    data[start : start + 400] = bytes(400)


@pytest.mark.sqlite("bytes of its file")
@pytest.mark.parametrize(("damage", "times"), [(flip, 40), (swap_pages, 8), (blank, 12)])
def test_a_damaged_file_is_found_or_harmless(
    long_template: Path, tmp_path: Path, damage: Damage, times: int
) -> None:
    whole = (long_template / DATABASE).read_bytes()
    healthy = dump(long_template / DATABASE)
    assert healthy is not None
    book = open_copy(long_template, tmp_path / "book")
    vault, keys = book.vault, book.verifier_keys
    book.close()
    path = tmp_path / "damaged.sqlite3"
    dice = random.Random(20210909)
    harmful = 0
    for _ in range(times):
        data = bytearray(whole)
        damage(data, dice)
        for one in tmp_path.glob("damaged*"):
            one.unlink()
        path.write_bytes(data)
        changed = dump(path) != healthy
        try:
            store = Store.open(str(path), create=False)
        except LedgerError:
            harmful += 1
            continue
        with closing(store):
            report = audit(store, vault=vault, keys=keys)
        harmful += not report.clean
        assert not report.clean or not changed
    assert harmful > times // 4


def test_the_tamperer_of_these_tests_leaves_no_trace(copy: Book) -> None:
    with closing(Tamper(copy.folder)) as tamper:
        for table in TABLES:
            tamper.replace(table, tamper.rows(table))
    audited(copy)
