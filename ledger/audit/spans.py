"""Hashes only, on several processes: each reads its own part of the log.

To read and cut the bundles takes a third of what hashing them takes, and to hand their bytes
over as much again; done by one process for all the others, it leaves them waiting. So a
worker gets a `Span`, where it begins and ends, opens the source itself, and gives back hashes,
roots and problems. What it cannot read, or not in the memory that a chunk may take, is left to
the process that walks: that one reads it the usual way, and says what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ledger.audit.hashing import Checked, Chunk, check_chunk
from ledger.audit.source import LogSource, Opener
from ledger.errors import LedgerError
from ledger.tlog.tiles import TILE_WIDTH, parse_bundle, tile_width

SPAN_BYTES_MAX = 16 * 1024 * 1024
"""More than this in one span is left to the walk, whose chunks end sooner where entries are
large."""


@dataclass(frozen=True, slots=True)
class Span:
    """Entries that follow each other in the log, which their reader fetches himself.

    Attributes:
        number: Counts the spans of one run.
        start, end: The places of the first entry, and of the one after the last.
        size: The log's size, which gives the widths of its bundles.
        opener: Where they are.
    """

    number: int
    start: int
    end: int
    size: int
    opener: Opener

    @property
    def length(self) -> int:
        """How many entries it has."""
        return self.end - self.start

    def index(self, place: int) -> int:
        """The index of the entry at a place in the span."""
        return self.start + place


def spans(opener: Opener, start: int, size: int, entries: int) -> Iterator[Span]:
    """The log's entries from a place on, cut where whole numbers of `entries` end."""
    number = 0
    while start < size:
        end = min(size, start - start % entries + entries)
        yield Span(number, start, end, size, opener)
        start, number = end, number + 1


def check_span(span: Span) -> Checked | None:
    """Read and check a span's entries, without what needs all of them to be parsed.

    Returns:
        What was found; None where the entries cannot be read here.
    """
    started = time.thread_time()
    try:
        entries = _entries(span)
    except LedgerError:
        return None
    if entries is None:
        return None
    checked = check_chunk(Chunk(span.number, span.start, entries, None, parse=False))
    # Reading is a part of what it took here; a chunk's is its reader's.
    cost = replace(checked.cost, cpu_seconds=time.thread_time() - started)
    return replace(checked, cost=cost)


@lru_cache(maxsize=1)
def _opened(opener: Opener) -> LogSource:
    """The source, opened once in a process, and closed with it."""
    open_source, where = opener
    return open_source(where)


def _entries(span: Span) -> list[bytes] | None:
    """The span's entries; None where they are more than a chunk may hold."""
    source = _opened(span.opener)
    found: list[bytes] = []
    held, at = 0, span.start
    while at < span.end:
        number, place = divmod(at, TILE_WIDTH)
        width = tile_width(span.size, 0, number)
        data = source.bundle(number, width)
        held += len(data)
        if held > SPAN_BYTES_MAX:
            return None
        some = parse_bundle(data, width)[place : place + span.end - at]
        found += some
        at += len(some)
    return found
