"""What the store refuses, what it says of damaged rows, and what failures leave behind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from batches import Batches, digest, put
from postgresql_server import wanted

from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.flows import Flow
from ledger.store import Reader, Store
from ledger.store.failures import translated
from ledger.store.log_reader import PAGE_ROWS_MAX, SCAN_ROWS

FUND = ("CNY", "fund:a")
ACCOUNTS = [(0, "CNY", "world:donor", 0), (1, *FUND, 100), (2, "CNY", "fund:b", 0)]
GIFT = Flow(0, 0, 0, "CNY", "world:donor", None, "fund:a", 0, 100)
BEYOND = (2**63, 2**64 + 1, 10**30)


# Numbers and text that nothing stored can have


@pytest.mark.parametrize("number", [*BEYOND, *(-one for one in BEYOND), -1])
def test_a_number_that_no_column_holds_is_not_there(
    store: Store, batches: Batches, number: int
) -> None:
    put(store, batches.make(3, accounts=ACCOUNTS, flows=[GIFT]))
    asks: list[Callable[[Reader], object]] = [
        lambda reader: reader.entry(number),
        lambda reader: reader.leaf_hash(number),
        lambda reader: reader.tile(number, 0, 1),
        lambda reader: reader.tile(0, number, 1),
        lambda reader: reader.tile(0, 0, number),
        lambda reader: reader.bundle(number, 1),
        lambda reader: reader.bundle(0, number),
        lambda reader: reader.checkpoint(number),
    ]
    with store.read() as reader:
        for ask in asks:
            with pytest.raises(NotFoundError):
                ask(reader)
        assert reader.vault(number) is None
        assert reader.entry_flows(number) == []
        assert len(reader.checkpoints(number, 9)) == (number < 0)
        assert len(reader.accounts(number, 9)) == (3 if number < 0 else 0)
        low, high = min(0, number), max(1, number)
        assert reader.arrivals(*FUND, low, high) == [GIFT]
        assert reader.arrivals(*FUND, 100, high) == []
        assert reader.departures(*FUND, low, high) == []


def test_entries_beyond_the_log_are_missing(store: Store, batches: Batches) -> None:
    put(store, batches.make(3))
    with store.read() as reader:
        for first, end in ((0, 2**70), (-1, 2), (-(2**70), 1)):
            with pytest.raises(CorruptionError, match="are stored; run shanji audit"):
                reader.entries(first, end)
        assert reader.entries(3, 1) == []


def test_text_that_is_not_unicode_is_malformed(store: Store, batches: Batches) -> None:
    bad = "fund/\ud800"
    with store.read() as reader:
        asks: list[Callable[[], object]] = [
            lambda: reader.object(bad),
            lambda: reader.objects(bad, limit=1),
            lambda: reader.account("CNY", bad),
            lambda: reader.arrivals(bad, "fund:a", 0, 1),
            lambda: reader.idempotency([bad]),
        ]
        for ask in asks:
            with pytest.raises(MalformedError, match="surrogate") as caught:
                ask()
            assert caught.value.code == "not_unicode"
    with store.append() as appender:
        with pytest.raises(MalformedError, match="surrogate"):
            appender.write(batches.make(1, objects=[(bad, b"{}")]))
        assert appender.head() is None


def test_any_text_and_bytes_come_back(store: Store, batches: Batches) -> None:
    keys = [
        "",
        *([] if wanted() else ["\0", "a\0b"]),
        "慈善 🧧",
        "'; DROP TABLE head; --",
        "%",
        "_",
        "a" * 200,
    ]
    objects = [(f"x/{key}", key.encode()) for key in keys]
    put(store, batches.make(1, objects=objects))
    with store.read() as reader:
        assert reader.objects("x/", limit=99) == sorted(objects)
        for key, value in objects:
            assert reader.object(key) == value


@pytest.mark.parametrize("limit", [0, -1, PAGE_ROWS_MAX + 1, 10**30])
def test_a_page_has_a_size(store: Store, limit: int) -> None:
    with store.read() as reader:
        for ask in (
            lambda: reader.objects("", limit=limit),
            lambda: reader.checkpoints(0, limit),
            lambda: reader.accounts(-1, limit),
        ):
            with pytest.raises(MalformedError, match=f"limit of 1 to {PAGE_ROWS_MAX}"):
                ask()
        assert reader.objects("", limit=PAGE_ROWS_MAX) == []


def test_a_table_that_is_none(store: Store) -> None:
    with store.read() as reader:
        for ask in (reader.scan, reader.count):
            with pytest.raises(NotFoundError, match="no table 'sqlite_master'"):
                ask("sqlite_master")


# Accounts, counts and scans


def test_accounts_are_listed_with_what_is_in_them(store: Store, batches: Batches) -> None:
    held = [(2, 5, 5, "b"), (1, 0, 60, ""), (1, 60, 40, "flood"), (2, 0, 5, "")]
    put(store, batches.make(1, accounts=ACCOUNTS, holdings_set=held))
    with store.read() as reader:
        one, two, three = reader.accounts(-1, 9)
        assert [row.id for row in (one, two, three)] == [0, 1, 2]
        assert one.segments == []
        assert two.segments == [(0, 60, ""), (60, 100, "flood")]
        assert three.segments == [(0, 5, ""), (5, 10, "b")]
        assert (two.asset, two.name, two.received) == (*FUND, 100)
        assert reader.accounts(0, 1) == [two]
        assert reader.accounts(2, 9) == []
        for row in (one, two, three):
            assert reader.account(row.asset, row.name) == row
        assert reader.count("account") == reader.account_count() == 3
        assert reader.count("holding") == 4
        assert reader.count("entry") == 1


def test_a_scan_begins_behind_a_key(store: Store, batches: Batches) -> None:
    flows = [
        Flow(entry, posting, 0, "CNY", "world:donor", None, "fund:a", 10 * entry + posting, 1)
        for entry in range(3)
        for posting in range(2)
    ]
    put(store, batches.make(3, accounts=ACCOUNTS, flows=flows))
    with store.read() as reader:
        rows = list(reader.scan("flow"))
        assert rows[3] == (1, 1, 0, 0, None, 1, 11, 1, "")
        assert list(reader.scan("flow", after=(1, 0, 0))) == rows[3:]
        assert list(reader.scan("flow", after=(2, 1, 0))) == []
        assert [key for key, *_ in reader.scan("idempotency", after=("key-0",))] == [
            "key-1",
            "key-2",
        ]


def test_scans_and_reads_go_on_side_by_side(store: Store, batches: Batches) -> None:
    count = 2 * SCAN_ROWS + 3
    put(store, batches.make(count))
    with store.read() as reader:
        entries, vault = reader.scan("entry"), reader.scan("vault")
        for index in range(count):
            assert next(entries)[0] == next(vault)[0] == index
            if index % 500 == 0:
                assert reader.entry(index) == b"entry %d" % index
        assert next(entries, None) is None


def test_a_scan_left_open_does_not_hold_on_to_its_snapshot(store: Store, batches: Batches) -> None:
    put(store, batches.make(2 * SCAN_ROWS))
    with store.read() as reader:
        left = reader.scan("entry")
        next(left)
    later = batches.make(1)
    put(store, later)
    # The pool gives the same connection again.
    with store.read() as reader:
        assert reader.head() == later.head
    del left


# Damaged rows


@pytest.mark.parametrize(
    ("table", "column", "ask"),
    [
        ("entry", "data", lambda reader: reader.entry(0)),
        ("entry", "leaf_hash", lambda reader: reader.leaf_hash(0)),
        ("entry", "data", lambda reader: reader.bundle(0, 1)),
        ("head", "root", lambda reader: reader.head()),
        ("head", "size", lambda reader: reader.head()),
        ("edge", "hashes", lambda reader: reader.edges()),
        ("checkpoint", "note", lambda reader: reader.checkpoints(0, 1)),
        ("vault", "ciphertext", lambda reader: reader.vault(0)),
        ("idempotency", "entry", lambda reader: reader.idempotency(["key-0"])),
        ("order_number", "entry", lambda reader: reader.order_numbers([digest(0)])),
        ("account", "received", lambda reader: reader.account(*FUND)),
        ("holding", "label", lambda reader: reader.accounts(-1, 9)),
        ("flow", "length", lambda reader: reader.entry_flows(0)),
        ("flow", "length", lambda reader: reader.arrivals(*FUND, 0, 1)),
        ("state_object", "value", lambda reader: reader.object("fund/a")),
        ("state_object", "value", lambda reader: list(reader.scan("state_object"))),
    ],
)
@pytest.mark.parametrize("value", ["NULL", "1.5"])
def test_a_value_of_another_type_is_corruption(
    path: Path,
    batches: Batches,
    table: str,
    column: str,
    ask: Callable[[Reader], object],
    value: str,
) -> None:
    with closing(Store.open(str(path))) as store:
        put(
            store,
            batches.make(
                1,
                accounts=ACCOUNTS,
                flows=[GIFT],
                holdings_set=[(1, 0, 100, "")],
                objects=[("fund/a", b"{}")],
            ),
        )
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT', ''), 'ROWID,', 'ROWID')"
            " WHERE type = 'table'"
        )
        raw.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ? || ' NOT NULL', ?)"
            " WHERE type = 'table' AND name = ?",
            (*_column(raw, table, column), table),
        )
        raw.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(f'UPDATE "{table}" SET "{column}" = {value}')
    with (
        closing(Store.open(str(path))) as store,
        store.read() as reader,
        pytest.raises(CorruptionError, match=f"{column} to be ") as caught,
    ):
        ask(reader)
    assert caught.value.code == "database_damaged"


def _column(raw: sqlite3.Connection, table: str, column: str) -> tuple[str, str]:
    """A column's definition, and the same without any type."""
    rows = raw.execute(f'PRAGMA table_info("{table}")').fetchall()
    (kind,) = [row[2] for row in rows if row[1] == column]
    return f"{column} {kind}", column


# Batches that do not fit


def test_a_batch_that_contradicts_itself(store: Store, batches: Batches) -> None:
    put(store, batches.make(2))
    batch = batches.make(2)
    gap = [(index + 1, data, leaf) for index, data, leaf in batch.entries]
    for wrong in (replace(batch, entries=[]), replace(batch, entries=gap)):
        with store.append() as appender, pytest.raises(FatalError, match="do not end at the head"):
            appender.write(wrong)
    put(store, batch)


def test_a_batch_that_contradicts_what_is_stored(store: Store, batches: Batches) -> None:
    put(store, batches.make(2, accounts=ACCOUNTS, flows=[GIFT]))
    batch = batches.make(1)
    ids = {(asset, name): number for number, asset, name, _ in ACCOUNTS}
    twice = Flow(2, 0, 0, "CNY", "world:donor", None, "fund:a", 0, 5)
    out = Flow(2, 0, 0, "CNY", "fund:a", 3, "fund:b", 0, 5)
    out_again = Flow(2, 0, 1, "CNY", "fund:a", 3, "fund:b", 5, 5)
    for wrong in (
        replace(batch, idempotency=[("key-1", digest(2), 2)]),
        replace(batch, idempotency=[("new", digest(2), 1)]),
        replace(batch, order_numbers=[(digest(1), 2)]),
        replace(batch, accounts=[(9, *FUND, 1)]),
        replace(batch, flows=[twice], account_ids=ids),
        replace(batch, flows=[out, out_again], account_ids=ids),
        replace(batch, tiles=[(0, 0, b"")] * 2),
    ):
        with store.append() as appender:
            with pytest.raises(FatalError, match="refused the rows") as caught:
                appender.write(wrong)
            assert caught.value.code == "rows_refused"
            # Nothing of it is left that a commit could make durable by mistake.
            with pytest.raises(FatalError, match="none is written"):
                appender.commit()
    put(store, replace(batch, flows=[out], account_ids=ids))
    with store.read() as reader:
        assert reader.count("entry") == reader.count("idempotency") == 3
        assert reader.departures(*FUND, 0, 9) == [out]


def test_nothing_to_commit(store: Store) -> None:
    with store.append() as appender:
        appender.commit()
        with pytest.raises(FatalError, match="none is written"):
            appender.commit()


def test_an_erasure_replaces_a_vault_row(store: Store, batches: Batches) -> None:
    put(store, batches.make(3))
    put(store, batches.make(1, vault=[(3, b"of the erasure"), (1, b"erased")]))
    with store.read() as reader:
        assert [reader.vault(index) for index in range(4)] == [
            b"sealed 0",
            b"erased",
            b"sealed 2",
            b"of the erasure",
        ]


@pytest.mark.sqlite("what REPLACE does")
def test_the_stores_own_connections_replace_nothing(store: Store, batches: Batches) -> None:
    """Not even by a second unique index, which the row's own trigger does not look at."""
    put(store, batches.make(1, accounts=ACCOUNTS, flows=[GIFT]))
    with store.append() as appender:
        for statement in (
            "INSERT OR REPLACE INTO flow SELECT 7, posting, part, source, source_first, target, "
            "target_first, length, label FROM flow",
            "INSERT OR REPLACE INTO idempotency SELECT 'other', digest, entry FROM idempotency",
            "REPLACE INTO head SELECT * FROM head",
        ):
            with pytest.raises(sa.exc.IntegrityError, match="nothing recorded ever changes"):
                appender._connection.exec_driver_sql(statement)


# Several at once


def test_readers_see_whole_batches_while_a_writer_writes(store: Store, batches: Batches) -> None:
    made = [batches.make(3, objects=[("n", b"%d" % number)]) for number in range(40)]
    sizes = {batch.head.size: batch for batch in made}
    done = threading.Event()
    problems: list[str] = []
    looks: list[int] = []

    def look() -> None:
        try:
            last = False
            while not last:
                last = done.is_set()
                with store.read() as reader:
                    head = reader.head()
                    size = head.size if head else 0
                    wanted = sizes[size].objects[0][1] if size else None
                    counts = [reader.count(one) for one in ("entry", "vault", "order_number")]
                    if counts != [size] * 3 or reader.object("n") != wanted:
                        problems.append(f"{size}: {counts}, {reader.object('n')!r}")
                    looks.append(size)
        except LedgerError as error:
            problems.append(error.message)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for batch in made:
        put(store, batch)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert looks[-1] == made[-1].head.size


def test_writers_in_turn_lose_nothing(url: str) -> None:
    """Two stores race batch by batch; who finds the head elsewhere tries the next one."""
    made = Batches()
    queue = [made.make(2) for _ in range(30)]
    Store.open(url).close()
    wins: list[list[int]] = [[], []]

    def run(mine: list[int]) -> None:
        with closing(Store.open(url)) as store:
            for number, batch in enumerate(queue):
                try:
                    put(store, batch)
                except ConflictError:
                    continue
                mine.append(number)

    threads = [threading.Thread(target=run, args=(mine,)) for mine in wins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins[0] + wins[1]) == list(range(30))
    with closing(Store.open(url)) as store, store.read() as reader:
        assert reader.entries(0, 60) == [b"entry %d" % index for index in range(60)]
        assert reader.head() == queue[-1].head


# The database's failures


def _failure(name: str, text: str = "it failed") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (_failure("SQLITE_BUSY"), NotReadyError, "database_busy"),
        (_failure("SQLITE_BUSY_SNAPSHOT"), NotReadyError, "database_busy"),
        (_failure("SQLITE_LOCKED"), NotReadyError, "database_busy"),
        (_failure("SQLITE_FULL"), FatalError, "disk_full"),
        (_failure("SQLITE_IOERR_FSYNC"), FatalError, "database_failed"),
        (_failure("SQLITE_READONLY"), FatalError, "database_unwritable"),
        (_failure("SQLITE_CANTOPEN"), FatalError, "database_unwritable"),
        (_failure("SQLITE_CORRUPT"), CorruptionError, "database_damaged"),
        (_failure("SQLITE_NOTADB"), MalformedError, "not_a_database"),
        (_failure("SQLITE_CONSTRAINT_TRIGGER"), FatalError, "rows_refused"),
        (sqlite3.ProgrammingError("closed"), FatalError, "database_failed"),
        (sqlite3.OperationalError("Could not decode to UTF-8"), CorruptionError, None),
    ],
)
def test_each_failure_says_what_to_do(
    error: sqlite3.Error, kind: type[LedgerError], code: str | None
) -> None:
    with pytest.raises(kind) as caught, translated():
        raise sa.exc.DBAPIError("SELECT secret", {"name": "secret"}, error)
    assert type(caught.value) is kind
    assert caught.value.code == (code or "database_damaged")
    assert str(error) in caught.value.message
    assert "secret" not in caught.value.message


def test_a_failed_statement_tells_no_values(store: Store, batches: Batches) -> None:
    """Neither the error nor what it was raised from: both may come to a log."""
    put(store, batches.make(1))
    wrong = replace(batches.make(1), idempotency=[("secret", digest(1), 1)] * 2)
    with store.append() as appender, pytest.raises(FatalError) as caught:
        appender.write(wrong)
    assert "idempotency" in str(caught.value.__cause__)
    assert "secret" not in repr(caught.value.__cause__) + str(caught.value.__cause__)
