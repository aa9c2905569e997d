"""One walk over a log, in the order in which it was written, in bounded memory.

Chunks of entries come from a database (``replay``) or from public data (``public``); the
hashing part checks them wherever the executor runs (``hashing``), and here its results
meet, in order: the chain between chunks, the tree, the checkpoints, the rules. What the
walk has done is saved from time to time (``standing``).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from ledger.audit.hashing import (
    Checked,
    Chunk,
    Cost,
    chain_problem,
    check_chunk,
    earlier_problem,
    follows,
    leaf_at,
)
from ledger.audit.history import History
from ledger.audit.pipeline import in_order
from ledger.audit.report import Notes
from ledger.audit.rules import Rules
from ledger.audit.shadow import Shadow
from ledger.audit.spans import Span, check_span
from ledger.audit.standing import Standing, save
from ledger.audit.tally import Tally
from ledger.audit.tree import Tree
from ledger.beside import rare_garbage
from ledger.entry import FIRST_PREVIOUS, Entry, parse_entry, read_checked_entry
from ledger.errors import CorruptionError, LedgerError, RetryableError
from ledger.tlog.merkle import HASH_SIZE, leaf_hash
from ledger.tlog.note import VerifierKey, parse_verifier_key
from ledger.tlog.tiles import TILE_HEIGHT, TILE_WIDTH

CHUNK_ENTRIES = 2048
"""Entries in a chunk: eight bundles."""
CHUNK_BYTES_MAX = 8 * 1024 * 1024
"""A chunk ends before its time when its entries are large."""
SAVE_SECONDS = 5.0
"""How often the state is made durable: what a kill costs at most."""

Progress = Callable[[int, int], None]


class Log(Protocol):
    """What a walk asks of the log that it walks over."""

    def chunks(self, walk: Walk) -> Iterator[Chunk]:
        """The entries from `walk.tree.size` on."""
        ...

    def spans(self, walk: Walk) -> Iterator[Span]:
        """The same, for processes that read them themselves; none where they cannot."""
        ...

    def begin_chunk(self, walk: Walk, chunk: Chunk | Span, checked: Checked) -> None:
        """Compare what stands beside the entries."""
        ...

    def take(self, index: int, entry: Entry | None) -> None:
        """One entry, None where it cannot be read; only where `reads_entries`."""
        ...

    def full_tile(self, level: int, number: int, hashes: bytes) -> None:
        """The entries gave this full tile."""
        ...

    def reach(self, walk: Walk, size: int) -> None:
        """The walk comes to this size: compare the checkpoints up to it (`walk.grow_to`)."""
        ...

    def batch_ended(self, size: int) -> None:
        """The entries say that a batch was signed at this size."""
        ...

    def keep(self, standing: Standing) -> None:
        """Put down what is needed to go on from here."""
        ...


@dataclass(slots=True)
class Costs:
    """What the chunks of a run took together."""

    entry_bytes: int = 0
    cpu_seconds: float = 0.0
    sha_bytes: int = 0
    sha_seconds: float = 0.0
    peaks: Counter[int] = field(default_factory=Counter)

    def add(self, cost: Cost) -> None:
        """Take up a chunk's."""
        self.entry_bytes += cost.entry_bytes
        self.cpu_seconds += cost.cpu_seconds
        self.sha_bytes += cost.sha_bytes
        self.sha_seconds += cost.sha_seconds
        self.peaks[cost.process] = max(self.peaks[cost.process], cost.peak_bytes)


class Walk:
    """The walk, and what it needs of the entries that it has passed.

    Args:
        shadow: The audit's own state, as `standing` says.
        standing: Where it begins.
        notes: Where findings go.
        rules: Records the entries again; None for hashes, chain and tree alone.
        history: What the auditor kept.

    Attributes:
        begun_at: The size at which this run begins.
        relied_on: The size of the earlier audit that it relies on, 0 for none. More than
            that lies behind where an audit was killed and goes on.
    """

    def __init__(
        self,
        log: Log,
        shadow: Shadow,
        standing: Standing,
        notes: Notes,
        tally: Tally,
        rules: Rules | None,
        history: History,
    ) -> None:
        self.shadow = shadow
        self.standing = standing
        self.notes = notes
        self.tally = tally
        self.rules = rules
        self.tree = Tree(standing.tree, opinion=rules is not None)
        self.costs = Costs()
        self.recorded_at = standing.recorded_at
        self.previous = standing.previous or FIRST_PREVIOUS
        self.begun_at = self.tree.size
        base = standing.relies_on()
        self.relied_on = 0 if base is None else base.size
        self._log = log
        self._history = history
        self._index = self.tree.size
        self._saved = time.monotonic()
        self._start = self.tree.size
        self._checked: Checked | None = None

    def run(
        self, executor: Executor | None, jobs: int, size: int, progress: Progress | None
    ) -> None:
        """Walk to the end.

        Args:
            executor: Where the hashing part runs; None: here.
            jobs: How many chunks it works on at once.
            size: The size that the log says it has, for the progress.
            progress: Told entries done and that size.
        """
        with rare_garbage():
            for chunk, checked in self._results(executor, jobs):
                self._take(chunk, checked)
                if self.rules is not None:
                    self.rules.drain(self._index)
                if time.monotonic() - self._saved >= SAVE_SECONDS:
                    self.save()
                if progress is not None:
                    progress(self.tree.size, max(size, self.tree.size))

    def _results(
        self, executor: Executor | None, jobs: int
    ) -> Iterator[tuple[Chunk | Span, Checked]]:
        """The parts of the log with what the hashing part says of them, in order."""
        for span, found in in_order(check_span, self._log.spans(self), executor, jobs):
            if found is None:
                break
            yield span, found
        # From where the spans ended; after all of them nothing is left.
        yield from in_order(check_chunk, self._log.chunks(self), executor, jobs)

    def save(self) -> None:
        """Keep what was done so far, as long as the state is whole."""
        if self.rules is None or not self.rules.replaying:
            return
        standing = self.standing
        standing.tree, standing.tally = self.tree.kept(), self.tally.kept()
        standing.previous, standing.recorded_at = self.previous, self.recorded_at
        self._log.keep(standing)
        standing.checked = dict(self.notes.checked)
        standing.findings = [
            {
                "code": one.code,
                "place": one.place,
                "index": one.index,
                "message": one.message,
                "evidence": list(one.evidence),
            }
            for one in self.notes.findings
        ]
        save(self.shadow, standing)
        self._saved = time.monotonic()

    def _find(self, code: str, index: int, message: str) -> None:
        self.notes.find(code, f"entry {index}", index, message)

    def _take(self, chunk: Chunk | Span, checked: Checked) -> None:
        self._start, self._checked = chunk.start, checked
        self.costs.add(checked.cost)
        if isinstance(chunk, Chunk) and chunk.indices is not None:
            self._check_gaps(chunk.indices)
        self._log.begin_chunk(self, chunk, checked)
        ends = list(checked.ends)
        if self.recorded_at and checked.first_at:
            if checked.first_at < self.recorded_at:
                problem = earlier_problem(0)
                self._find(problem.code, chunk.index(0), problem.message)
            if checked.first_at != self.recorded_at:
                ends.insert(0, 0)
        problems = list(checked.problems)
        if checked.first is not None and not follows(checked.first, self.previous):
            problems.insert(0, chain_problem(0))
        for problem in problems:
            self._find(problem.code, chunk.index(problem.place), problem.message)
        if isinstance(chunk, Chunk) and chunk.parse:
            self._read(chunk, checked)
        for place in ends:
            self._reach(chunk.start + place)
            self._log.batch_ended(chunk.start + place)
        self._reach(chunk.start + chunk.length)
        self.previous = checked.leaves[-HASH_SIZE:].hex()
        self.recorded_at = checked.last_at
        self._index = chunk.index(chunk.length - 1) + 1
        self._checked = None

    def _check_gaps(self, indices: Sequence[int]) -> None:
        expected = self._index
        for index in indices:
            if index > expected:
                count = index - expected
                self._find(
                    "entry_missing", expected, f"{count} entries from here on are not stored"
                )
                if self.rules is not None:
                    self.rules.stop(expected)
            expected = index + 1

    def _read(self, chunk: Chunk, checked: Checked) -> None:
        """The sequential part: each entry in turn."""
        rules, take = self.rules, self._log.take
        entries = checked.entries
        for place, data in enumerate(chunk.entries):
            index = chunk.index(place)
            if entries is not None:
                entry = entries[place]
            else:
                entry = None if place in checked.unreadable else read_checked_entry(data)
            take(index, entry)
            if rules is None:
                continue
            if entry is not None and entry.index == index:
                rules.take(entry, not chunk.apart or place in checked.careful)
            else:
                rules.stop(index)

    def grow_to(self, size: int) -> bytes:
        """Put the leaves up to a size into the tree; its root.

        Args:
            size: From the tree's size to the end of the chunk that is being taken.
        """
        checked = self._checked
        if size > self.tree.size and checked is not None:
            first, end = self.tree.size - self._start, size - self._start
            part = checked.leaves[first * HASH_SIZE : end * HASH_SIZE]
            for level, number, hashes in self.tree.grow(part, checked.roots, checked.opinions):
                self.notes.count("tiles")
                self._log.full_tile(level, number, hashes)
        return self.tree.root()

    def _reach(self, size: int) -> None:
        for kept in self._history.sizes(self.tree.size, size):
            self._log.reach(self, kept)
            self._history.reach(kept, self.grow_to(kept))
        self._log.reach(self, size)
        self.grow_to(size)

    def vouch(self, index: int, data: bytes) -> bytes:
        """The bytes, if they are those of the entry that the walk met, or an earlier one did.

        Raises:
            CorruptionError: they are others.
        """
        number, place = divmod(index, TILE_WIDTH)
        leaves = self.shadow.leaves(number)
        if leaves is None and number == self.tree.size >> TILE_HEIGHT:
            leaves = self.tree.edge
        if leaves is not None and leaf_at(leaves, place) != leaf_hash(data):
            raise CorruptionError(f"entry {index} is another one now than when it was audited")
        return data


def own_keys(first: Callable[[], bytes]) -> list[VerifierKey]:
    """The keys that a log's first entry names, if it can be read.

    Args:
        first: Gives the bytes of entry 0.
    """
    try:
        fields = parse_entry(first()).fields
        return [parse_verifier_key(key) for key in fields["keys"]]
    except RetryableError:
        raise
    except (LedgerError, KeyError, TypeError):
        return []
