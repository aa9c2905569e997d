"""The audit: one walk over the log, in the order in which it was written.

Here are the bytes: hash chain, leaf hashes, tree, tiles, checkpoints, head. What the
entries mean is checked in ``rules``, what they seal in ``sealed``, what the auditor
kept from before in ``history``; all of them write down what they find in `Notes`.
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from orjson import loads

from ledger.audit.history import History
from ledger.audit.proposals import ProposalRows
from ledger.audit.report import Notes, Report, Rows
from ledger.audit.rules import Rules
from ledger.audit.sealed import SealedRows
from ledger.audit.second_opinion import PACKAGE, compute_root, package_version
from ledger.audit.signatures import NOT_VALID, Signatures, trust_in
from ledger.entry import FIRST_PREVIOUS, Entry, parse_entry
from ledger.errors import (
    LedgerError,
    NotFoundError,
    RetryableError,
)
from ledger.keys.history import KeyHistory, history_from_json
from ledger.records.keys import HISTORY
from ledger.store import Reader, Store
from ledger.tlog.merkle import EMPTY_ROOT, leaf_hash
from ledger.tlog.note import VerifierKey, parse_verifier_key
from ledger.tlog.policy import Policy
from ledger.tlog.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, TileWriter
from ledger.vault import Vault

PROGRESS_ENTRIES = 1000
"""How often progress is told, and the state's list of recent flows emptied."""

Progress = Callable[[int, int], None]


class _Audit:
    """The walk, and what it needs of the entries that it has passed."""

    def __init__(
        self,
        reader: Reader,
        keys: Sequence[VerifierKey],
        vault: Vault | None,
        known: Sequence[bytes],
        notes: Notes,
    ) -> None:
        self.reader = reader
        self.notes = notes
        own = self._own_keys()
        if keys and own and not set(own) & set(keys):
            notes.find(
                "log_keys", "entry 0", 0, "the log's first entry names none of the keys given"
            )
        self.keys = list(keys) or own
        self._signatures = Signatures(keys, notes)
        self.tree = TileWriter(0, [])
        self.leaves: list[bytes] = []
        self._unhashed: list[bytes] = []
        self._recorded_at = ""
        self._signed = 0
        self._checkpoints = Rows(reader, "checkpoint", notes)
        self._rules = Rules(reader, notes)
        self._sealed = None if vault is None else SealedRows(reader, vault, notes)
        self._proposals = None if vault is None else ProposalRows(reader, vault, notes)
        self._history = History(known, self._trust(keys), notes)
        if vault is None:
            what = "vault, idempotency keys, order numbers, proposals"
            notes.not_checked.append(f"{what} (no vault key)")

    def _own_keys(self) -> list[VerifierKey]:
        """The keys that the log's first entry names, if it can be read."""
        try:
            fields = parse_entry(self.reader.entry(0)).fields
            return [parse_verifier_key(key) for key in fields["keys"]]
        except RetryableError:
            raise
        except (LedgerError, KeyError, TypeError):
            return []

    def _trust(self, given: Sequence[VerifierKey]) -> Policy:
        """What a checkpoint that was kept is verified by, from before and after a rotation."""
        try:
            kept = self.reader.object(HISTORY)
            history = KeyHistory().take(parse_entry(self.reader.entry(0)))
            return trust_in(history if kept is None else history_from_json(loads(kept)), given)
        except RetryableError:
            raise
        except (LedgerError, ValueError, KeyError, TypeError):
            return trust_in(KeyHistory(), given)

    def run(self, progress: Progress | None) -> None:
        """Walk over the log from its first entry to its last."""
        heads = list(Rows(self.reader, "head", self.notes))
        size = heads[0][1] if heads else 0
        previous, expected = FIRST_PREVIOUS, 0
        for index, data, leaf in Rows(self.reader, "entry", self.notes):
            if index < 0:
                self.notes.find("entry_index", f"entry {index}", None, "no entry has that index")
                continue
            if index > expected:
                self._miss(expected, index)
            leaf_now = leaf_hash(data)
            if leaf_now != leaf:
                self._find("leaf_hash", index, "the leaf hash is not that of the bytes")
            entry = self._parse(index, data, previous)
            if self._sealed is not None:
                self._sealed.take(index, entry)
            if entry is not None and entry.index == index:
                self._rules.take(entry)
            else:
                self._rules.stop(index)
            self.leaves.append(leaf_now)
            self._unhashed.append(leaf_now)
            previous, expected = leaf_now.hex(), index + 1
            self._check_checkpoints(len(self.leaves))
            if len(self.leaves) % PROGRESS_ENTRIES == 0:
                self._rules.drain(expected)
                if progress is not None:
                    progress(len(self.leaves), max(size, len(self.leaves)))
        self.notes.count("entries", len(self.leaves))
        self._finish(heads)
        if progress is not None:
            progress(len(self.leaves), max(size, len(self.leaves)))

    def _find(self, code: str, index: int, message: str) -> None:
        self.notes.find(code, f"entry {index}", index, message)

    def _miss(self, first: int, end: int) -> None:
        count = end - first
        self._find("entry_missing", first, f"{count} entries from here on are not stored")
        self._rules.stop(first)

    # Chain, tree, checkpoints

    def _parse(self, index: int, data: bytes, previous: str) -> Entry | None:
        before, self._recorded_at = self._recorded_at, ""
        try:
            entry = parse_entry(data)
        except LedgerError as error:
            self._find("entry_format", index, error.message)
            return None
        self._recorded_at = entry.recorded_at
        self._signatures.take(entry)
        if entry.index != index:
            self._find("entry_index", index, f"it says index {entry.index}")
        if entry.previous != previous:
            self._find(
                "chain",
                index,
                "previous is not the leaf hash of the entry before; one of the two was changed",
            )
        if entry.recorded_at < before:
            self._find("recorded_at", index, "recorded earlier than the entry before")
        # The entries of one batch have one time, so another time begins another batch.
        if before and entry.recorded_at != before and not self._checkpoints.broken:
            self._expect_checkpoint(len(self.leaves))
        return entry

    def _expect_checkpoint(self, size: int) -> None:
        if self._signed != size:
            self.notes.find(
                "checkpoint_missing",
                f"checkpoint {size}",
                size - 1,
                "a batch ended at this size, and its checkpoint is not stored",
            )

    def _grow(self) -> bytes:
        """Put the hashes so far into the tree, and compare the tiles that became full."""
        for level, number, hashes in self.tree.extend(self._unhashed):
            self.notes.count("tiles")
            try:
                stored = self.reader.tile(level, number, TILE_WIDTH)
            except NotFoundError:
                stored = None
            if stored != hashes:
                what = "is not stored" if stored is None else "differs from the entries' hashes"
                index = number << TILE_HEIGHT * (level + 1)
                self.notes.find("tile", f"tile {level} {number}", index, f"the tile {what}")
        self._unhashed = []
        return self.tree.root() if self.leaves else EMPTY_ROOT

    def _check_checkpoints(self, size: int) -> None:
        """Compare the checkpoints that were signed at this size, or kept from it."""
        while self._checkpoints.row is not None and self._checkpoints.row[0] <= size:
            signed, row_root, note = self._checkpoints.row
            self._checkpoints.next()
            self.notes.count("checkpoints")
            now = self._grow() if signed == size else None
            self._check_checkpoint(signed, row_root, note, now)
            self._signed = signed
        if self._history.awaits(size):
            self._history.reach(size, self._grow())

    def _check_checkpoint(self, size: int, root: bytes, note: bytes, now: bytes | None) -> None:
        place = f"checkpoint {size}"
        try:
            checkpoint = self._signatures.open(note)
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

    def _finish(self, heads: Sequence[tuple[object, ...]]) -> None:
        size, root = len(self.leaves), self._grow()
        for signed, row_root, note in self._checkpoints:
            self._check_checkpoint(signed, row_root, note, None)
        if not self._checkpoints.broken:
            self._expect_checkpoint(size)
        self._check_head(heads, size, root)
        self._check_edges()
        for level, number, hashes in Rows(self.reader, "tile", self.notes):
            place = f"tile {level} {number}"
            if level < 0 or not 0 <= number < size >> TILE_HEIGHT * (level + 1):
                self.notes.find("tile", place, None, "the tree has no such full tile")
            elif len(hashes) != TILE_BYTES:
                self.notes.find("tile", place, None, f"expected {TILE_BYTES} bytes")
        if self._sealed is not None:
            self._sealed.finish(self._rules.erased())
        if self._proposals is not None:
            self._proposals.check()
        self._rules.finish()

    def _check_head(self, heads: Sequence[tuple[object, ...]], size: int, root: bytes) -> None:
        """The head row repeats what the last entry and the last checkpoint say."""
        if [row[0] for row in heads] != [0]:
            self._find_in_head("head_rows", f"expected one row with id 0, found {len(heads)}")
        newest: bytes | None = None
        for _, head_size, head_root, last_leaf, last_time, checkpoint in heads:
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
            if self.leaves and last_leaf != self.leaves[-1]:
                self._find_in_head("head", "the last leaf hash is not that of the last entry")
            if last_time != self._recorded_at:
                self._find_in_head("head", "the last time is not that of the last entry")
            try:
                stored = self.reader.checkpoint(size)
            except NotFoundError:
                stored = None
            if stored != checkpoint:
                self._find_in_head("head", "the checkpoint is not the last one signed")
        self._history.finish(size, newest)

    def _find_in_head(self, code: str, message: str) -> None:
        self.notes.find(code, "head", None, message)

    def _check_edges(self) -> None:
        expected = dict(enumerate(self.tree.edges))
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
    progress: Progress | None = None,
) -> Report:
    """Audit a whole log.

    Args:
        store: The log.
        vault: Opens the vault, to check sealed fields, keys and order numbers too.
        keys: The verifier keys that the auditor trusts; without any, those that the
            log's first entry names.
        known: Signed checkpoints and receipts that the auditor kept from before: the
            log must contain each of them (code ``history``).
        progress: Called with entries done and the log's size.

    Returns:
        The report; a log in any condition gives one.

    Raises:
        RetryableError: the database is busy; nothing can be said.
    """
    started = time.perf_counter()
    notes = Notes()
    leaves: list[bytes] = []
    root, origin = EMPTY_ROOT, ""
    try:
        for text in store.check():
            notes.find("schema", text.partition(":")[0], None, text)
        with store.read() as reader:
            walk = _Audit(reader, keys, vault, known, notes)
            leaves, origin = walk.leaves, walk.keys[0].name if walk.keys else ""
            walk.run(progress)
            root = walk.tree.root() if leaves else EMPTY_ROOT
    except RetryableError:
        raise
    except LedgerError as error:
        notes.find(error.code, "database", None, error.message)
        notes.not_checked.append("what comes after the failure")
    seconds = time.perf_counter() - started
    second = compute_root(leaves)
    if second is None:
        notes.not_checked.append(f"the root by {PACKAGE} (not installed, or no entries)")
    elif second != root:
        notes.find("second_opinion", "root", None, f"{PACKAGE} computes {second.hex()}")
    return Report(
        origin=origin,
        size=len(leaves),
        root=root.hex(),
        findings=tuple(notes.findings),
        truncated=notes.truncated,
        checked=notes.checked,
        not_checked=tuple(notes.not_checked),
        second_opinion=None if second is None else second.hex(),
        seconds=round(seconds, 3),
        entries_per_second=round(len(leaves) / seconds) if seconds else 0,
        versions={
            "shanji": version("shanji"),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            PACKAGE: package_version() or "absent",
        },
    )
