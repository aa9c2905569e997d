"""The hashing part of an audit: bytes of entries in, a small result out.

`check_chunk` is pure: it hashes, follows the chain inside the chunk, checks each entry's
canonical form and what its record kind says of it alone, and computes the roots of the
256-entry blocks. So it runs anywhere: in this process, in others, on other machines
(``pipeline``). What needs the entries before is checked by ``walk``, in order.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from binascii import hexlify
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.audit.second_opinion import compute_root
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError
from ledger.tlog.merkle import HASH_SIZE, leaf_hashes, root_of
from ledger.tlog.tiles import TILE_WIDTH

SHA_EVERY = 32
"""Plain SHA-256 of the same bytes is timed on one chunk in so many, and scaled by bytes."""

CHAIN_CODE = "chain"
FORMAT_CODE = "entry_format"

_PREVIOUS = b'"previous":"'
_RECORDED_AT = b'","recorded_at":"'
"""It stands behind `previous`. After it, an entry has no such text but with the name of a
sealed field: keys are sorted, and a quotation mark inside a text is escaped. So the last one
is the entry's own."""
_NAMED_CHARS = len(_PREVIOUS) + 2 * HASH_SIZE


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries that follow each other in the log.

    Attributes:
        number: Counts the chunks of one run.
        start: The place of the first entry in the tree.
        entries: Their bytes.
        indices: The index that each is stored under; None: `start` and on.
        previous: The leaf hash in hex of the entry before the first; None where only the walk
            knows it, and has to look whether the first entry names it.
        parse: Whether to read the entries; otherwise hashes and chain only.
        apart: Whether the result goes to another process. Then the entries are checked
            against their kinds here, and read once more there, which is the cheapest way to
            hand them over; otherwise they are handed over as they are.
    """

    number: int
    start: int
    entries: Sequence[bytes]
    previous: str | None
    indices: Sequence[int] | None = None
    parse: bool = True
    apart: bool = False

    @property
    def length(self) -> int:
        """How many entries it has."""
        return len(self.entries)

    def index(self, place: int) -> int:
        """The index of the entry at a place in the chunk."""
        return self.start + place if self.indices is None else self.indices[place]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry of a chunk."""

    place: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a chunk took, and where: for the report."""

    process: int
    peak_bytes: int
    entry_bytes: int
    cpu_seconds: float
    sha_bytes: int
    sha_seconds: float


@dataclass(frozen=True, slots=True)
class Checked:
    """What the hashing part says of a chunk.

    Attributes:
        leaves: The leaf hashes, 32 bytes each.
        roots: The root of each whole 256-entry block, by its number.
        opinions: The same by merkletools; empty where it is not installed.
        problems: By rising place.
        unreadable: The places of entries that are none.
        careful: The places of entries that are not as their kind writes them; whoever
            records them again finds out what it is.
        ends: The places of entries that were recorded at another time than the one before.
        first_at, last_at: `recorded_at` of the first and the last; empty if unreadable.
        entries: The entries, None for one that is none; only where they stay in the process.
        first: The first entry, where the walk has to look what it names as the one before.
    """

    leaves: bytes
    roots: dict[int, bytes]
    opinions: dict[int, bytes]
    problems: Sequence[Problem]
    unreadable: frozenset[int]
    careful: frozenset[int]
    ends: Sequence[int]
    first_at: str
    last_at: str
    cost: Cost
    entries: Sequence[Entry | None] | None
    first: bytes | None = None


@dataclass(slots=True)
class _Reading:
    """What reading the entries of a chunk gives."""

    problems: list[Problem] = field(default_factory=list)
    unreadable: set[int] = field(default_factory=set)
    careful: set[int] = field(default_factory=set)
    ends: list[int] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    entries: list[Entry | None] = field(default_factory=list)


def check_chunk(chunk: Chunk) -> Checked:
    """Hash and check the entries of a chunk; depends on nothing but its argument.

    Args:
        chunk: At least one entry.

    Returns:
        What was found; whatever the bytes are, no error is raised.
    """
    started = time.thread_time()
    leaves = leaf_hashes(chunk.entries)
    reading = _Reading()
    if chunk.parse:
        _read(chunk, leaves, reading)
    else:
        _follow_chain(chunk, leaves, reading)
    roots: dict[int, bytes] = {}
    opinions: dict[int, bytes] = {}
    first = -chunk.start % TILE_WIDTH
    for at in range(first, len(leaves) - TILE_WIDTH + 1, TILE_WIDTH):
        block = leaves[at : at + TILE_WIDTH]
        number = (chunk.start + at) // TILE_WIDTH
        roots[number] = root_of(block)
        opinion = compute_root(block) if chunk.parse else None
        if opinion is not None:
            opinions[number] = opinion
    return Checked(
        b"".join(leaves),
        roots,
        opinions,
        reading.problems,
        frozenset(reading.unreadable),
        frozenset(reading.careful),
        reading.ends,
        reading.times[0] if reading.times else "",
        reading.times[-1] if reading.times else "",
        _cost(chunk, time.thread_time() - started),
        reading.entries if chunk.parse and not chunk.apart else None,
        chunk.entries[0] if chunk.previous is None else None,
    )


def _read(chunk: Chunk, leaves: Sequence[bytes], reading: _Reading) -> None:
    """Parse each entry and compare what it says of its place."""
    # Here, since it loads all record kinds: processes that only hash start without.
    from ledger.audit.draft import is_plain

    previous, before = chunk.previous, ""
    find = reading.problems.append
    for place, data in enumerate(chunk.entries):
        recorded_at, entry = "", None
        try:
            entry = parse_entry(data)
        except LedgerError as error:
            find(Problem(place, FORMAT_CODE, error.message))
            reading.unreadable.add(place)
        else:
            recorded_at = entry.recorded_at
            if entry.index != chunk.index(place):
                find(Problem(place, "entry_index", f"it says index {entry.index}"))
            if entry.previous != previous:
                find(chain_problem(place))
            if recorded_at < before:
                find(earlier_problem(place))
            # The entries of one batch have one time: another time begins another batch.
            if before and recorded_at != before:
                reading.ends.append(place)
            if chunk.apart and not is_plain(entry):
                reading.careful.add(place)
        if not chunk.apart:
            reading.entries.append(entry)
        previous, before = leaves[place].hex(), recorded_at
        reading.times.append(recorded_at)


def _follow_chain(chunk: Chunk, leaves: Sequence[bytes], reading: _Reading) -> None:
    """The chain without reading the entries."""
    text, marker, chars = _PREVIOUS, _RECORDED_AT, _NAMED_CHARS
    entries, first = iter(chunk.entries), 0
    if chunk.previous is None:
        next(entries)
        first, before = 1, leaves
    else:
        before = [bytes.fromhex(chunk.previous), *leaves]
    for place, (data, leaf) in enumerate(zip(entries, before, strict=False), first):
        previous = hexlify(leaf)
        end = data.rfind(marker)
        if data[end - chars : end] != text + previous and not _names(data, previous.decode()):
            reading.problems.append(chain_problem(place))


def follows(data: bytes, previous: str) -> bool:
    """Whether an entry names the leaf hash in hex of the one before; see `_follow_chain`."""
    end = data.rfind(_RECORDED_AT)
    named = data[end - _NAMED_CHARS : end]
    return named == _PREVIOUS + previous.encode() or _names(data, previous)


def _names(data: bytes, previous: str) -> bool:
    """Whether an entry, read in full, names the one before."""
    try:
        return parse_entry(data).previous == previous
    except LedgerError:
        return False


def chain_problem(place: int) -> Problem:
    """An entry that does not name the one before it."""
    message = "previous is not the leaf hash of the entry before; one of the two was changed"
    return Problem(place, CHAIN_CODE, message)


def earlier_problem(place: int) -> Problem:
    """An entry with an earlier time than the one before it."""
    return Problem(place, "recorded_at", "recorded earlier than the entry before")


def _cost(chunk: Chunk, cpu_seconds: float) -> Cost:
    entry_bytes = sum(map(len, chunk.entries))
    sha_bytes, sha_seconds = 0, 0.0
    if chunk.number % SHA_EVERY == 0:
        started = time.thread_time()
        for data in chunk.entries:
            hashlib.sha256(data).digest()
        sha_bytes, sha_seconds = entry_bytes, time.thread_time() - started
    return Cost(os.getpid(), peak_bytes(), entry_bytes, cpu_seconds, sha_bytes, sha_seconds)


_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes; 0 where it cannot be told."""
    if sys.platform == "linux":
        # The kernel's getrusage would count what the parent had when it forked.
        match = _PEAK.search(_STATUS.read_text("ascii"))
        return int(match[1]) * 1024 if match else 0
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def leaf_at(leaves: bytes, place: int) -> bytes:
    """One of joined leaf hashes."""
    return leaves[place * HASH_SIZE : (place + 1) * HASH_SIZE]
