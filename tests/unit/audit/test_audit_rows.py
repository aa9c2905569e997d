"""Any changed, missing or added row of any table is found, and named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scribe import audited
from tamper import REFUSED, Row, Tamper, names, other_values

from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.book import Book
from ledger.store.tables import OUTSIDE, TABLES

INSIDE = [table for table in TABLES if table not in OUTSIDE]
"""What the entries and the vault give: a row that is missing there is found too."""
COLUMNS = [(table, column.name) for table in TABLES for column in TABLES[table].columns]
PLACES = {"first": 0, "middle": 0.5, "last": 1}
TURNS = 2 if os.environ.get("SHANJI_SOAK") else 1
"""How many of a value's other values each row of a column gets; more with ``SHANJI_SOAK=1``."""
FLIPS = 400 if os.environ.get("SHANJI_SOAK") else 40


@contextmanager
def undone(tamper: Tamper, table: str) -> Iterator[list[Row]]:
    """The table's rows, which are put back at the end."""
    before = tamper.rows(table)
    try:
        yield before
    finally:
        tamper.replace(table, before)


def found(book: Book) -> Report:
    """The audit of a log that somebody tampered with."""
    report = audit(book.store, vault=book.vault, keys=book.verifier_keys)
    assert not report.clean
    assert report.as_json()["clean"] is False
    return report


def at(rows: list[Row], place: str) -> Row:
    """The first, middle or last row."""
    return rows[round((len(rows) - 1) * PLACES[place])]


def test_the_log_is_clean_and_has_everything(long_book: Book, tamper: Tamper) -> None:
    report = audited(long_book)
    for table in TABLES:
        rows = tamper.rows(table)
        assert rows, table
        checked = {"head": None, "edge": None, "entry": "entries", "tile": "tiles"}
        checked |= {"checkpoint": "checkpoints", "flow": "flows", "anchor": "anchors"}
        name = checked.get(table, table)
        assert name is None or report.checked[name] == len(rows)
    assert report.checked["rules"] == report.size == 300
    assert report.second_opinion == report.root == long_book.head().root.hex()


def each_is_found(
    book: Book, tamper: Tamper, table: str, doings: Iterable[tuple[Row, Callable[[], None]]]
) -> int:
    """Do things to rows of a table and demand that the audit names each; how many were done.

    All are done at once, for an audit takes long. One that is not named then, because another
    one hides it, is done again alone. What the database itself refuses does not count.
    """
    with undone(tamper, table) as rows:
        done = [(row, do) for row, do in doings if _possible(do)]
        named = found(book).findings if done else ()
        for row, do in done:
            if any(names(one, table, row) for one in named):
                continue
            tamper.replace(table, rows)
            do()
            alone = found(book).findings
            assert any(names(one, table, row) for one in alone), (row, alone)
    return len(done)


def _possible(do: Callable[[], None]) -> bool:
    try:
        do()
    except REFUSED:
        return False
    return True


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_value_is_found(long_book: Book, tamper: Tamper, table: str, column: str) -> None:
    number = [one.name for one in TABLES[table].columns].index(column)
    rows = tamper.rows(table)
    changed = 0
    for turn in range(TURNS):
        doings: list[tuple[Row, Callable[[], None]]] = []
        for row in {at(rows, place): None for place in PLACES}:
            # Another value at each place and in each column, so that all kinds come up.
            values = other_values(row[number])
            value = values[(len(doings) + turn * len(PLACES) + number) % len(values)]
            change = partial(tamper.change, table, tamper.key(table, row), column, value)
            doings.append((row, change))
        changed += each_is_found(long_book, tamper, table, doings)
    assert changed >= 1


@pytest.mark.parametrize("column", ["source_first", "target_first"])
def test_a_number_that_becomes_nothing_is_found(
    long_book: Book, tamper: Tamper, column: str
) -> None:
    number = [one.name for one in TABLES["flow"].columns].index(column)
    with undone(tamper, "flow") as rows:
        row = next(one for one in rows if one[number] is not None)
        tamper.change("flow", tamper.key("flow", row), column, None)
        assert any(names(one, "flow", row) for one in found(long_book).findings)


@pytest.mark.parametrize("table", INSIDE)
def test_a_missing_row_is_found(long_book: Book, tamper: Tamper, table: str) -> None:
    rows = tamper.rows(table)
    chosen = {at(rows, place): None for place in PLACES}
    doings = [(row, partial(tamper.delete, table, tamper.key(table, row))) for row in chosen]
    assert each_is_found(long_book, tamper, table, doings) == len(chosen)


@pytest.mark.parametrize("table", INSIDE)
def test_an_empty_table_is_found(long_book: Book, tamper: Tamper, table: str) -> None:
    with undone(tamper, table):
        tamper.replace(table, [])
        report = found(long_book)
        place = "head" if table == "entry" else table
        assert any(one.place.startswith(place) for one in report.findings)


def added_rows(table: str, rows: list[Row]) -> Iterator[Row]:
    """Rows like stored ones, with another key."""
    keys = len(TABLES[table].primary_key.columns)
    fresh = count(10**9)
    for row in (rows[0], rows[-1]):
        *before, last = row[:keys]
        for value in other_values(last):
            yield (*before, value, *row[keys:])
            if isinstance(value, int):
                yield (*before, next(fresh), *row[keys:])
        whole = [next(fresh) if isinstance(one, int) else one for one in row]
        yield tuple(whole)
        yield tuple(
            one + "x" if isinstance(one, str) else one[::-1] if isinstance(one, bytes) else one
            for one in whole
        )


@pytest.mark.parametrize("table", TABLES)
def test_an_added_row_is_found(long_book: Book, tamper: Tamper, table: str) -> None:
    rows = added_rows(table, tamper.rows(table))
    assert (
        each_is_found(
            long_book, tamper, table, [(row, partial(tamper.add, table, row)) for row in rows]
        )
        >= 2
    )


@settings(
    max_examples=FLIPS,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_flipped_bit_is_found(long_book: Book, tamper: Tamper, data: st.DataObject) -> None:
    table, column = data.draw(st.sampled_from(COLUMNS))
    number = [one.name for one in TABLES[table].columns].index(column)
    with undone(tamper, table) as rows:
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        value = row[number]
        if isinstance(value, int):
            changed: object = value ^ (1 << data.draw(st.integers(0, 62)))
        elif value is None:
            changed = data.draw(st.integers(0, 2**62))
        else:
            whole = bytearray(value.encode() if isinstance(value, str) else value or b"\0")
            if not value:
                return
            bit = data.draw(st.integers(0, 8 * len(whole) - 1))
            whole[bit // 8] ^= 1 << bit % 8
            try:
                changed = whole.decode() if isinstance(value, str) else bytes(whole)
            except UnicodeDecodeError:
                return
        try:
            tamper.change(table, tamper.key(table, row), column, changed)
        except REFUSED:
            return
        report = found(long_book)
        assert any(names(one, table, row) for one in report.findings), report.findings
