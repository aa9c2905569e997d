"""The audit of a database: everything is rebuilt from the entries alone and compared.

Here are the rows: entries with their leaf hashes, tiles, checkpoints, head, edges. The
walk over the entries is ``walk``; what they mean is checked in ``rules``, what they seal
in ``sealed``, what the auditor kept from before in ``history``; all of them write down
what they find in `Notes`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ledger.audit.anchored import check_anchors
from ledger.audit.cosignatures import CosignatureRows
from ledger.audit.hashing import Checked, Chunk, leaf_at
from ledger.audit.history import History
from ledger.audit.past import check_past
from ledger.audit.pipeline import processes
from ledger.audit.proposals import ProposalRows
from ledger.audit.report import Notes, Report, Rows
from ledger.audit.result import Run, carry_out
from ledger.audit.rules import Rules
from ledger.audit.sealed import SealedRows
from ledger.audit.shadow import Shadow
from ledger.audit.signatures import NOT_VALID, Signatures, trust_in
from ledger.audit.spans import Span
from ledger.audit.standing import Standing, load
from ledger.audit.tally import Tally
from ledger.audit.walk import CHUNK_BYTES_MAX, CHUNK_ENTRIES, Progress, Walk
from ledger.book import read_key_history
from ledger.day import Clock, utc_now
from ledger.entry import Entry
from ledger.errors import (
    LedgerError,
    NotFoundError,
    RetryableError,
)
from ledger.keys.history import KeyHistory
from ledger.store import Reader, Store
from ledger.store.log_reader import NUMBER_MAX
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.policy import Policy
from ledger.tlog.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH
from ledger.vault import Vault

PROGRESS_ENTRIES = CHUNK_ENTRIES
"""Entries in a chunk, after which progress is told."""
OVER = "database"


class _Database:
    """A `walk.Log`: the rows of one snapshot."""

    def __init__(
        self,
        reader: Reader,
        keys: Sequence[VerifierKey],
        vault: Vault | None,
        notes: Notes,
        apart: bool,
    ) -> None:
        self.reader = reader
        self.notes = notes
        self._apart = apart
        self.stated = stated_history(reader)
        if keys and self.stated.terms and not set(self.stated.keys) & set(keys):
            notes.find("log_keys", "entry 0", 0, "the log names none of the keys given")
        self.keys = list(keys) or list(self.stated.keys)
        self.signatures = Signatures(keys, self.stated, notes)
        self._vault = vault
        self._columns: deque[list[bytes]] = deque()
        self._signed = 0
        self.heads: list[tuple[object, ...]] = []
        self.sealed: SealedRows | None = None
        self.flows: Rows

    @property
    def origin(self) -> str:
        """The log's name; empty where no key is known."""
        return self.keys[0].name if self.keys else ""

    def begin(self, standing: Standing) -> None:
        """Take the rows in view from where the walk begins."""
        size = standing.size
        notes, reader = self.notes, self.reader
        self.heads = list(Rows(reader, "head", notes))
        self._signed = standing.signed
        self.signatures.begin(standing.keys, size)
        self._checkpoints = Rows(reader, "checkpoint", notes, (size,) if size else ())
        after = (size - 1, NUMBER_MAX, NUMBER_MAX)
        self.flows = Rows(reader, "flow", notes, after if size else ())
        if self._vault is not None:
            self.sealed = SealedRows(reader, self._vault, notes, size, standing.sealed)
        else:
            what = "vault, idempotency keys, order numbers, proposals"
            notes.not_checked.append(f"{what} (no vault key)")

    def chunks(self, walk: Walk) -> Iterator[Chunk]:
        """See `walk.Log`."""
        size = walk.tree.size
        start, previous, number = size, walk.previous, 0
        rows = Rows(self.reader, "entry", self.notes, (size - 1,) if size else ())
        data: list[bytes] = []
        indices: list[int] = []
        column: list[bytes] = []
        held = 0
        for index, entry, leaf in rows:
            if index < 0:
                self.notes.find("entry_index", f"entry {index}", None, "no entry has that index")
                continue
            data.append(entry)
            indices.append(index)
            column.append(leaf)
            held += len(entry)
            end = start + len(data)
            if end % PROGRESS_ENTRIES == 0 or held >= CHUNK_BYTES_MAX:
                self._columns.append(column)
                yield Chunk(number, start, data, previous, indices, apart=self._apart)
                previous = leaf_hash(entry).hex()
                start, number, held = end, number + 1, 0
                data, indices, column = [], [], []
        if data:
            self._columns.append(column)
            yield Chunk(number, start, data, previous, indices, apart=self._apart)

    def spans(self, walk: Walk) -> Iterator[Span]:
        """The rows of one snapshot are read by one process."""
        return iter(())

    def begin_chunk(self, walk: Walk, chunk: Chunk | Span, checked: Checked) -> None:
        """Compare the column of leaf hashes."""
        column = self._columns.popleft()
        if b"".join(column) == checked.leaves and set(map(len, column)) == {len(column[0])}:
            return
        for place, leaf in enumerate(column):
            if leaf != leaf_at(checked.leaves, place):
                index = chunk.index(place)
                message = "the leaf hash is not that of the bytes"
                self.notes.find("leaf_hash", f"entry {index}", index, message)

    def take(self, index: int, entry: Entry | None) -> None:
        """See `walk.Log`."""
        if entry is not None:
            self.signatures.take(entry)
        if self.sealed is not None:
            self.sealed.take(index, entry)

    def full_tile(self, level: int, number: int, hashes: bytes) -> None:
        """See `walk.Log`."""
        try:
            stored = self.reader.tile(level, number, TILE_WIDTH)
        except NotFoundError:
            stored = None
        if stored != hashes:
            what = "is not stored" if stored is None else "differs from the entries' hashes"
            index = number << TILE_HEIGHT * (level + 1)
            self.notes.find("tile", f"tile {level} {number}", index, f"the tile {what}")

    # Checkpoints

    def reach(self, walk: Walk, size: int) -> None:
        """See `walk.Log`."""
        while self._checkpoints.row is not None and self._checkpoints.row[0] <= size:
            signed, row_root, note = self._checkpoints.row
            self._checkpoints.next()
            self.notes.count("checkpoints")
            now = walk.grow_to(signed) if signed >= max(1, walk.tree.size) else None
            self._check_checkpoint(signed, row_root, note, now)
            self._signed = signed

    def batch_ended(self, size: int) -> None:
        """See `walk.Log`."""
        if self._signed != size and not self._checkpoints.broken:
            self.notes.find(
                "checkpoint_missing",
                f"checkpoint {size}",
                size - 1,
                "a batch ended at this size, and its checkpoint is not stored",
            )

    def keep(self, standing: Standing) -> None:
        """See `walk.Log`."""
        standing.signed = self._signed
        standing.keys = self.signatures.kept()
        if self.sealed is not None:
            standing.sealed = self.sealed.kept()

    def _check_checkpoint(self, size: int, root: bytes, note: bytes, now: bytes | None) -> None:
        place = f"checkpoint {size}"
        try:
            checkpoint = self.signatures.open(note)
        except LedgerError as error:
            code = NOT_VALID if error.code == NOT_VALID else "checkpoint_signature"
            self.notes.find(code, place, None, error.message)
            return
        if checkpoint.size != size or checkpoint.root != root:
            self.notes.find(
                "checkpoint_row", place, None, "size or root differ from the signed note's"
            )
        if now is None:
            self.notes.find(
                "checkpoint_size", place, None, "no entry ends at the size that was signed"
            )
        elif checkpoint.root != now:
            self.notes.find(
                "root_mismatch",
                place,
                size - 1,
                f"signed root {checkpoint.root.hex()}, the entries give {now.hex()}",
                [note.decode("utf-8", "replace")],
            )

    # The end of the log

    def finish(self, walk: Walk, history: History) -> str:
        """Compare the rows that are of the whole log; the newest checkpoint, as text."""
        size, root = walk.tree.size, walk.tree.root()
        for signed, row_root, note in self._checkpoints:
            self._check_checkpoint(signed, row_root, note, None)
        self.batch_ended(size)
        newest = self._check_head(walk, root)
        history.finish(size, newest)
        self._check_edges(walk.tree.edges)
        begun = walk.relied_on >> TILE_HEIGHT
        for level, number, hashes in Rows(
            self.reader, "tile", self.notes, (0, begun - 1) if begun else ()
        ):
            place = f"tile {level} {number}"
            if level < 0 or not 0 <= number < size >> TILE_HEIGHT * (level + 1):
                self.notes.find("tile", place, None, "the tree has no such full tile")
            elif len(hashes) != TILE_BYTES:
                self.notes.find("tile", place, None, f"expected {TILE_BYTES} bytes")
        return "" if newest is None else newest.decode("utf-8", "replace")

    def finish_state(self, walk: Walk, rules: Rules, erased_again: Set[int]) -> None:
        """Compare what the vault explains, the proposals, time stamps, and the state."""
        part = walk.relied_on > 0
        if self.sealed is not None and self._vault is not None:
            self.sealed.finish(rules.erased(), erased_again, part=part)
            ProposalRows(self.reader, self._vault, self.notes).check()
        check_anchors(self.reader, self._vault, self.notes)
        # What a killed run changed is not remembered.
        rules.compare(self.reader, touched=part and walk.begun_at == walk.relied_on)
        if part:
            self.notes.not_checked.append(
                f"the rows of the first {walk.relied_on} entries, which the earlier audit "
                "compared, and the file's structure"
            )

    def _check_head(self, walk: Walk, root: bytes) -> bytes | None:
        """The head row repeats what the last entry and the last checkpoint say."""
        size = walk.tree.size
        if [row[0] for row in self.heads] != [0]:
            self._find_in_head("head_rows", f"expected one row with id 0, found {len(self.heads)}")
        newest: bytes | None = None
        for _, head_size, head_root, last_leaf, last_time, checkpoint in self.heads:
            newest = checkpoint if isinstance(checkpoint, bytes) else None
            if head_size != size:
                self.notes.find(
                    "size",
                    "head",
                    size,
                    f"the head says {head_size} entries, {size} are stored: the tail was cut "
                    "or added",
                )
            if head_root != root:
                self._find_in_head("root_mismatch", "the root is not that of the entries")
            if size and isinstance(last_leaf, bytes) and last_leaf.hex() != walk.previous:
                self._find_in_head("head", "the last leaf hash is not that of the last entry")
            if last_time != walk.recorded_at:
                self._find_in_head("head", "the last time is not that of the last entry")
            try:
                stored = self.reader.checkpoint(size)
            except NotFoundError:
                stored = None
            if stored != checkpoint:
                self._find_in_head("head", "the checkpoint is not the last one signed")
        return newest

    def _find_in_head(self, code: str, message: str) -> None:
        self.notes.find(code, "head", None, message)

    def _check_edges(self, edges: Sequence[bytes]) -> None:
        expected = dict(enumerate(edges))
        stored = Rows(self.reader, "edge", self.notes)
        for level, hashes in stored:
            if expected.pop(level, None) != hashes:
                self.notes.find(
                    "edge", f"edge {level}", None, "the row differs from the entries' hashes"
                )
        if not stored.broken:
            for level in expected:
                self.notes.find("edge", f"edge {level}", None, "the row is missing")


def audit(
    store: Store,
    *,
    vault: Vault | None = None,
    keys: Sequence[VerifierKey] = (),
    known: Sequence[bytes] = (),
    erased_again: Set[int] = frozenset(),
    policy: Policy | None = None,
    progress: Progress | None = None,
    state: Path | None = None,
    full: bool = False,
    jobs: int = 1,
    executor: Executor | None = None,
    clock: Clock = utc_now,
) -> Report:
    """Audit a database.

    Args:
        store: The log.
        vault: Opens the vault, to check sealed fields, keys and order numbers too.
        keys: The verifier keys that the auditor trusts; without any, those that the
            log's first entry names.
        known: Signed checkpoints and receipts that the auditor kept from before: the
            log must contain each of them (code ``history``).
        erased_again: Entries whose openings a restore erased, since the log had erased them
            after the backup was made (``ledger.backup``); the entry that says so may be
            missing here.
        policy: The auditor's policy: the report says which witnesses it trusts.
        progress: Called with entries done and the log's size.
        state: A folder that keeps the audit's state: an audit that was killed goes on
            there, and the next one reads only what is new.
        full: Read everything again, whatever the state says.
        jobs: Processes for the hashing part; 1: all in this one.
        executor: Runs the hashing part instead; `jobs` chunks at once.
        clock: Gives the times in the report.

    Returns:
        The report; a log in any condition gives one.

    Raises:
        RetryableError: the database is busy; nothing can be said.
        CorruptionError, ConflictError: the state was altered, or is another log's or
            program's (``shadow``, ``standing``).
    """
    notes = Notes()
    run = Run(OVER, jobs, clock)
    shadow = Shadow.temporary() if state is None else Shadow.open(state)

    def steps() -> None:
        _audit(store, vault, keys, known, progress, shadow, executor, notes, run, erased_again)
        run.witnesses = _witnesses(store, notes, policy)

    return carry_out(run, notes, shadow, steps, place=OVER, full=full, must_begin=False)


def _audit(
    store: Store,
    vault: Vault | None,
    keys: Sequence[VerifierKey],
    known: Sequence[bytes],
    progress: Progress | None,
    shadow: Shadow,
    executor: Executor | None,
    notes: Notes,
    run: Run,
    erased_again: Set[int],
) -> None:
    """The steps of an audit, one after the other; what it comes to lies in `run`."""
    with store.read() as reader:
        apart = run.jobs > 1 or executor is not None
        log = _Database(reader, keys, vault, notes, apart=apart)
        standing = run.begin(load(shadow, log.origin, OVER), notes)
        if standing.base is None:
            for text in store.check():
                notes.find("schema", text.partition(":")[0], None, text)
        log.begin(standing)
        tally = Tally(standing.tally)
        part = standing.relies_on() is not None
        rules = Rules(shadow, notes, tally, log.flows, remember=part)
        history = History(known, trust_in(log.stated, keys), notes)
        walk = run.walk = Walk(log, shadow, standing, notes, tally, rules, history)
        shadow.attach(
            lambda index: walk.vouch(index, reader.entry(index)),
            reader if shadow.folder is None else None,
        )
        size = log.heads[0][1] if log.heads else 0
        assert isinstance(size, int)
        if check_past(walk, size, reader.tile, history, notes):
            with processes(run.jobs if executor is None else 1) as pool:
                walk.run(executor or pool, run.jobs, size, progress)
            notes.count("entries", walk.tree.size - walk.relied_on)
            run.checkpoint = log.finish(walk, history)
            log.finish_state(walk, rules, erased_again)
        if progress is not None:
            progress(walk.tree.size, max(size, walk.tree.size))


def _witnesses(store: Store, notes: Notes, policy: Policy | None) -> list[dict[str, Any]]:
    """Check every cosignature; who cosigned what last."""
    with store.read() as reader:
        return CosignatureRows(reader, notes, policy).check()


def stated_history(reader: Reader) -> KeyHistory:
    """The keys that a database says its log has had; empty where it cannot be read.

    Only a hint: the walk finds them again in the entries, and compares the row.
    """
    try:
        return read_key_history(reader)
    except RetryableError:
        raise
    except (LedgerError, ValueError, KeyError, TypeError):
        return KeyHistory()
