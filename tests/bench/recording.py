"""Bulk recording beside a durable insert of the same bytes."""

from __future__ import annotations

from pathlib import Path

from bench import place
from bench.gifts import SLICE, open_book, record_all
from bench.measure import Row, Took, row, take_turns, timed

BULK_REACH = 0.15


def bulk(folder: Path, gifts: int, runs: int, database: str | None) -> list[Row]:
    """Each run goes on with the log of the one before."""
    book = open_book(folder / "bulk", database)
    try:
        record_all(book, SLICE)
        with book.store.read() as reader:
            one = bytes(reader.entry(2))
        rows = [(number, one) for number in range(gifts)]
        done = 0

        def ours() -> Took:
            nonlocal done
            first = SLICE + done * gifts
            done += 1
            return timed(lambda: record_all(book, gifts, first), gifts)

        beside = place.fresh(database)

        def limit() -> Took:
            target = beside or folder / f"limit-{done}.sqlite3"
            return timed(lambda: place.insert_all(target, rows, SLICE), gifts)

        pairs = take_turns(ours, limit, runs)
    finally:
        book.close()
    return [row("bulk recording", "durable batch insert", pairs, BULK_REACH)]
