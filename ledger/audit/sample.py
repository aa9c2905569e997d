"""A reproducible sample of a log: the same seed draws the same entries, for everybody.

An auditor announces a seed, draws entries from the log of one signed size, and compares
each with the paper behind it. Nobody can steer what is drawn once seed and root are
fixed: the key of an entry is

    HMAC-SHA-256(seed as UTF-8, "shanji/v1/sample/" + root in hex + "/" + index in decimal)

and the entries with the smallest keys, as unsigned big-endian numbers, are the sample.
Stratified, the entries are first put in order, the largest amounts first (then the smallest
index), and cut into that many parts; from each part the same number is drawn. What does not
divide, of entries and of draws, goes one each to the first parts.
"""

from __future__ import annotations

import heapq
import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.audit.source import LogSource
from ledger.audit.tree import Tree
from ledger.entry import Entry, parse_entry
from ledger.errors import MalformedError, VerificationError
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import leaf_hash, leaf_hashes
from ledger.tlog.tiles import TILE_WIDTH, parse_bundle, tile_width

Entries = Callable[[], Iterable[tuple[bytes, bytes]]]
Read = Callable[[Collection[int]], Mapping[int, bytes]]

PREFIX = "shanji/v1/sample/"
SAMPLE_MAX = 10_000
STRATA_MAX = 100
SEED_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries a sample is drawn from.

    Attributes:
        kind: Of this record kind only.
        fund: Those that move this fund's money only.
        amount_min: Those that move at least so many units of an asset (fen for money).
    """

    kind: str | None = None
    fund: str | None = None
    amount_min: int = 0

    def takes(self, entry: Entry) -> bool:
        """Whether the entry is one of them."""
        if self.kind is not None and entry.kind != self.kind:
            return False
        account = f"fund:{self.fund}"
        if self.fund is not None and not any(
            account in (one["from"], one["to"]) for one in entry.postings
        ):
            return False
        return amount_of(entry) >= self.amount_min


@dataclass(frozen=True, slots=True)
class Drawn:
    """One entry of a sample.

    Attributes:
        asset, amount: Of its largest posting; empty and 0 where nothing moves.
        leaf_hash: In hex.
        documents: SHA-256 in hex of the files that it names: the evidence.
    """

    index: int
    kind: str
    asset: str
    amount: int
    occurred_on: str
    recorded_by: str
    leaf_hash: str
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A drawn sample, by rising index, and all that it takes to draw it again."""

    origin: str
    size: int
    root: str
    seed: str
    asked: int
    strata: int
    wanted: Wanted
    population: int
    drawn: tuple[Drawn, ...]


def amount_of(entry: Entry) -> int:
    """The units of the entry's largest posting."""
    return max((one["amount"] for one in entry.postings), default=0)


def key_of(seed: str, root: str, index: int) -> bytes:
    """What an entry is drawn by: the smallest are the sample."""
    return hmac.digest(seed.encode(), f"{PREFIX}{root}/{index}".encode(), "sha256")


def verified_entries(source: LogSource, checkpoint: Checkpoint) -> Iterator[tuple[bytes, bytes]]:
    """All entries of a log with their leaf hashes; whoever reads to the end has them verified.

    Raises:
        VerificationError: what was served is not what was signed.
    """
    size = checkpoint.size
    tree = Tree(opinion=False)
    for number in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        width = tile_width(size, 0, number)
        entries = parse_bundle(source.bundle(number, width), width)
        leaves = leaf_hashes(entries)
        tree.grow(b"".join(leaves), {}, {})
        yield from zip(entries, leaves, strict=True)
    if tree.root() != checkpoint.root:
        raise VerificationError(
            f"the entries served give the root {tree.root().hex()}, signed is "
            f"{checkpoint.root.hex()}; run shanji audit"
        )


def draw(
    entries: Entries,
    checkpoint: Checkpoint,
    *,
    seed: str,
    count: int,
    wanted: Wanted,
    strata: int = 1,
) -> Sample:
    """Draw a sample.

    Args:
        entries: Gives ``(bytes, leaf hash)`` of the whole log, in order; asked for twice
            where there are strata.
        checkpoint: The signed checkpoint that they are of.
        seed: Any text; announce it before the log's size is known.
        count: How many are drawn; fewer where there are not so many.
        wanted: Which entries it is drawn from.
        strata: Parts by amount; 1: none.

    Raises:
        MalformedError: a number or the seed is out of range.
    """
    _check_asked(seed, count, strata)
    root = checkpoint.root.hex()
    if strata == 1:
        population, drawn = _smallest(entries(), seed, root, count, wanted)
    else:
        population, drawn = _stratified(entries, seed, root, count, wanted, strata)
    return Sample(
        checkpoint.origin,
        checkpoint.size,
        root,
        seed,
        count,
        strata,
        wanted,
        population,
        tuple(sorted(drawn, key=lambda one: one.index)),
    )


def draw_unfiltered(read: Read, checkpoint: Checkpoint, seed: str, count: int) -> Sample:
    """The sample that `draw` draws of all entries in one part; reads the drawn ones only.

    Args:
        read: Gives the bytes of the entries of these indices, trusted as they are.
        checkpoint, seed, count: As in `draw`.

    Raises:
        MalformedError: the count or the seed is out of range.
    """
    _check_asked(seed, count, 1)
    root, size = checkpoint.root.hex(), checkpoint.size
    indices = heapq.nsmallest(count, range(size), key=lambda index: key_of(seed, root, index))
    entries = read(indices)
    drawn = tuple(
        _drawn(parse_entry(entries[index]), leaf_hash(entries[index])) for index in sorted(indices)
    )
    return Sample(checkpoint.origin, size, root, seed, count, 1, Wanted(), size, drawn)


def _check_asked(seed: str, count: int, strata: int) -> None:
    if not 1 <= count <= SAMPLE_MAX or not 1 <= strata <= min(STRATA_MAX, count):
        raise MalformedError(
            f"expected 1 to {SAMPLE_MAX} entries in 1 to {STRATA_MAX} strata, at most one for "
            f"each entry; got {count} in {strata}"
        )
    if not 1 <= len(seed) <= SEED_CHARS_MAX:
        raise MalformedError(f"expected a seed of 1 to {SEED_CHARS_MAX} characters")


def _chosen(
    entries: Iterable[tuple[bytes, bytes]], wanted: Wanted
) -> Iterator[tuple[Entry, bytes]]:
    for data, leaf in entries:
        entry = parse_entry(data)
        if wanted.takes(entry):
            yield entry, leaf


def _smallest(
    entries: Iterable[tuple[bytes, bytes]], seed: str, root: str, count: int, wanted: Wanted
) -> tuple[int, list[Drawn]]:
    """In one pass, holding no more than the sample."""
    population = 0
    heap: list[tuple[int, int, Drawn]] = []
    for entry, leaf in _chosen(entries, wanted):
        population += 1
        # The heap gives the smallest first; what leaves it is the largest key.
        key = -int.from_bytes(key_of(seed, root, entry.index), "big")
        if len(heap) < count:
            heapq.heappush(heap, (key, entry.index, _drawn(entry, leaf)))
        elif key > heap[0][0]:
            heapq.heapreplace(heap, (key, entry.index, _drawn(entry, leaf)))
    return population, [one for _, _, one in heap]


def _stratified(
    entries: Entries, seed: str, root: str, count: int, wanted: Wanted, strata: int
) -> tuple[int, list[Drawn]]:
    """Holds an amount and a key for each entry, then reads the log again for the sample."""
    rows = [
        (-amount_of(entry), entry.index, key_of(seed, root, entry.index))
        for entry, _ in _chosen(entries(), wanted)
    ]
    rows.sort()
    indices: set[int] = set()
    start = 0
    for number in range(strata):
        size = len(rows) // strata + (number < len(rows) % strata)
        share = count // strata + (number < count % strata)
        part = sorted(rows[start : start + size], key=lambda row: row[2])
        indices.update(index for _, index, _ in part[:share])
        start += size
    chosen = _chosen(entries(), wanted)
    return len(rows), [_drawn(entry, leaf) for entry, leaf in chosen if entry.index in indices]


def _drawn(entry: Entry, leaf: bytes) -> Drawn:
    largest: Any = max(entry.postings, key=lambda one: one["amount"], default=None)
    return Drawn(
        entry.index,
        entry.kind,
        "" if largest is None else largest["asset"],
        0 if largest is None else largest["amount"],
        entry.occurred_on,
        entry.recorded_by,
        leaf.hex(),
        tuple(entry.documents),
    )
