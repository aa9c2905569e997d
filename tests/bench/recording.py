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

        def ours(*, apart: bool) -> Took:
            nonlocal done
            first = SLICE + done * gifts
            done += 1
            return timed(lambda: record_all(book, gifts, first, apart=apart), gifts)

        beside = place.fresh(database)

        def limit() -> Took:
            target = beside or folder / f"limit-{done}.sqlite3"
            return timed(lambda: place.insert_all(target, rows, SLICE), gifts)

        one = take_turns(lambda: ours(apart=False), limit, runs)
        two = take_turns(lambda: ours(apart=True), limit, runs)
    finally:
        book.close()
    beside, note = "durable batch insert", "with the other process's start"
    return [
        row("bulk recording, 1 process", beside, one, BULK_REACH),
        row("bulk recording, sealed by another", beside, two, BULK_REACH, note=note),
    ]
