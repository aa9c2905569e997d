"""Bulk recording beside a durable insert of the same bytes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.gifts import SLICE, open_book, record_all
from bench.measure import Row, Took, row, take_turns, timed

BULK_REACH = 0.15


def insert_all(path: Path, rows: list[tuple[int, bytes]]) -> None:
    """The limit: the same bytes, durable, in batches of the same size."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, data BLOB)")
    for start in range(0, len(rows), SLICE):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry VALUES (?, ?)", rows[start : start + SLICE])
        connection.execute("COMMIT")
    connection.close()


def bulk(folder: Path, gifts: int, runs: int, database: str | None) -> list[Row]:
    """Each run goes on with the log of the one before."""
    book = open_book(folder / "bulk", database)
    try:
        record_all(book, SLICE)
        with book.store.read() as reader:
            one = bytes(reader.entry(2))
        rows = [(number, one) for number in range(gifts)]
        done = 0

        def ours(*, apart: bool) -> Took:
            nonlocal done
            first = SLICE + done * gifts
            done += 1
            return timed(lambda: record_all(book, gifts, first, apart=apart), gifts)

        def limit() -> Took:
            path = folder / f"limit-{done}.sqlite3"
            return timed(lambda: insert_all(path, rows), gifts)

        one = take_turns(lambda: ours(apart=False), limit, runs)
        two = take_turns(lambda: ours(apart=True), limit, runs)
    finally:
        book.close()
    beside, note = "durable batch insert", "with the other process's start"
    return [
        row("bulk recording, 1 process", beside, one, BULK_REACH),
        row("bulk recording, sealed by another", beside, two, BULK_REACH, note=note),
    ]
