"""Receipts beside an Ed25519 verification, traces beside a look-up by key."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.gifts import open_book, record_all
from bench.measure import Row, Took, row, take_turns, timed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.book import Book
from ledger.recorded import Recorded, recall
from ledger.store import Reader
from ledger.trace import trace
from ledger.verify import verify_receipt

RECEIPT_REACH = 3.0
TRACE_REACH = 2.0
REPEATS = 5


def receipts(folder: Path, sample: int, runs: int, database: str | None) -> list[Row]:
    """A receipt is built from what recording answers, built again from the store, verified."""
    book = open_book(folder / "receipts", database)
    try:
        record_all(book, sample)
        numbers = range(2, 2 + sample)
        files = [book.receipt(index, reveal="all") for index in numbers]
        answers = [_recorded(book, index) for index in numbers]
        keys = book.verifier_keys
        key, message = Ed25519PrivateKey.generate(), b"a checkpoint" * 10
        signature, public = key.sign(message), key.public_key()
        count = sample * REPEATS

        def limit() -> Took:
            return timed(lambda: [public.verify(signature, message) for _ in range(count)], count)

        def build() -> Took:
            return timed(lambda: [one.receipt for _ in range(REPEATS) for one in answers], count)

        def again() -> Took:
            return timed(lambda: [book.receipt(index, reveal="all") for index in numbers], sample)

        def verify() -> Took:
            return timed(
                lambda: [verify_receipt(one, keys) for _ in range(REPEATS) for one in files], count
            )

        built = take_turns(build, limit, runs)
        read = take_turns(again, limit, runs)
        verified = take_turns(verify, limit, runs)
    finally:
        book.close()
    beside = "one Ed25519 verification"
    return [
        row("receipt: build", beside, built, RECEIPT_REACH, at_most=True),
        row("receipt: verify", beside, verified, RECEIPT_REACH, at_most=True),
        row("receipt: read from the store and build", beside, read, None, at_most=True),
    ]


def _recorded(book: Book, index: int) -> Recorded:
    with book.store.read() as reader:
        return recall(reader, book.vault, index)


def _look_up(reader: Reader, places: Sequence[int]) -> Took:
    return timed(lambda: [reader.entry(one) for one in places], len(places))


def _follow(reader: Reader, places: Sequence[int]) -> Took:
    return timed(lambda: [trace(reader, one, "forward") for one in places], len(places))


def traces(
    folder: Path, small: int, large: int, sample: int, runs: int, database: str | None
) -> list[Row]:
    """The growth of a trace's time over that of a look-up by key, in the same two logs."""
    ratios: list[tuple[list[float], list[float]]] = []
    rates: list[float] = []
    book = open_book(folder / "traces", database)
    try:
        record_all(book, small)
        for size in (small, large):
            record_all(book, size - small, small)
            places = [2 + at * (size - 4) // sample for at in range(sample)]
            with book.store.read() as reader:
                follow = partial(_follow, reader, places)
                look_up = partial(_look_up, reader, places)
                pairs = take_turns(follow, look_up, max(runs, REPEATS) + 1)[1:]
            wall = [beside.rate / ours.rate for ours, beside in pairs]
            cpu = [beside.cpu_rate / ours.cpu_rate for ours, beside in pairs]
            ratios.append((wall, cpu))
            rates.append(statistics.median(ours.rate for ours, _ in pairs))
    finally:
        book.close()
    (wall, cpu), (wall_large, cpu_large) = ratios
    return [
        Row(
            f"trace: {large:,} entries against {small:,}",
            "the same for a look-up by key",
            rates[1],
            rates[0],
            statistics.median(wall_large) / statistics.median(wall),
            statistics.median(cpu_large) / statistics.median(cpu),
            TRACE_REACH,
            at_most=True,
            note="ours/s: traces in the large log, limit/s: in the small one; the ratio is the "
            "growth of trace time over look-up time",
        )
    ]
