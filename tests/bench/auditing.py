"""Audits of public data and of a database, beside SHA-256 of the same bytes and bulk recording."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bench.audit_at_size import audit
from bench.gifts import SLICE, open_book, record_all
from bench.measure import Row, Took, row, take_turns, timed
from bench.repeated import write_repeated
from served import write_served

HASHES_REACH = 0.25
TWO_REACH = 1.7
"""By the clock, on two cores that nobody else uses."""
TWO_NOTE = (
    "by the clock with the start of two processes; by cpu, which leaves that out, about 1 is right"
)
FULL_REACH = 2.0


def audits(folder: Path, gifts: int, hashed: int, runs: int, database: str | None) -> list[Row]:
    """The logs are made once; every audit is a process of its own, as an auditor runs it.

    Args:
        gifts: In the log that is audited with rules and units.
        hashed: Entries of the longer one of which the hashes are audited (``repeated``).
    """
    data = folder / "audit"
    book = open_book(data, database)
    try:
        record_all(book, gifts)
        served = write_served(book, folder / "served")
        with book.store.read() as reader:
            entries = [bytes(one) for _, one, _ in reader.scan("entry")]
        long = write_repeated(book, entries, hashed, folder / "long")
        size = len(entries)
        first = gifts

        def sha() -> Took:
            return timed(lambda: [hashlib.sha256(one).digest() for one in entries], size)

        def recording() -> Took:
            nonlocal first
            first += SLICE * 5
            return timed(lambda: record_all(book, SLICE * 5, first), SLICE * 5)

        one = take_turns(lambda: _audit(long, "--hashes", "--jobs", 1), sha, runs)
        two = take_turns(
            lambda: _audit(long, "--hashes", "--jobs", 2),
            lambda: _audit(long, "--hashes", "--jobs", 1),
            runs,
        )
        full = take_turns(lambda: _audit(served, "--jobs", 1), recording, runs)
        both = take_turns(lambda: _audit(served, "--jobs", 2), recording, runs)
        whole = take_turns(lambda: _audit("--data", data, "--jobs", 1), recording, runs)
    finally:
        book.close()
    recorded = "bulk recording"
    return [
        row("audit: hashes, 1 process", "SHA-256 of the same bytes", one, HASHES_REACH),
        row("audit: hashes, 2 processes", "1 process", two, TWO_REACH, note=TWO_NOTE),
        row("audit: rules and units, 1 process", recorded, full, FULL_REACH),
        row("audit: rules and units, 2 processes", recorded, both, FULL_REACH),
        row("audit: database with its vault, 1 process", recorded, whole, None),
    ]


def _audit(*arguments: object) -> Took:
    """What the audit itself took, without the start of its process."""
    speed: Any = audit(*arguments)["speed"]
    return Took(speed["entries"], speed["milliseconds"] / 1000, speed["cpu_milliseconds"] / 1000)
