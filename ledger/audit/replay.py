"""The audit: one walk over the log, in the order in which it was written.

The state is rebuilt by the very functions that recorded (`Kind.plan`, `State.transfer`,
`Kind.effects`), so every rule is checked again from the entries alone and the units are
assigned again; postings, flows, accounts, holdings and objects must come out as stored.
Stored flows are compared with the rebuilt ones before later entries look them up.
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError

from ledger.audit.report import FINDINGS_MAX, Finding, Report
from ledger.audit.sealed import SealedRows
from ledger.audit.second_opinion import PACKAGE, compute_root, package_version
from ledger.entry import FIRST_PREVIOUS, Entry, parse_entry
from ledger.errors import LedgerError, NotFoundError
from ledger.flows import Flow, flows_of, is_world
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Draft, check_common
from ledger.sequencer import CHINA
from ledger.state import Move, State
from ledger.store import AccountRow, Head, Reader, Store
from ledger.tlog.merkle import EMPTY_ROOT, leaf_hash
from ledger.tlog.note import VerifierKey, parse_verifier_key
from ledger.tlog.tiles import TILE_WIDTH, TileWriter
from ledger.vault import Vault
from ledger.verify import verify_checkpoint

PROGRESS_ENTRIES = 1000
"""How often progress is told, and the state's list of recent flows emptied."""

Progress = Callable[[int, int], None]


class _Past:
    """A `state.StateReader` for a replay: entries and flows from the store, state anew."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.size = 0

    def object(self, key: str) -> bytes | None:
        return None

    def account(self, asset: str, name: str) -> AccountRow | None:
        return None

    def account_count(self) -> int:
        return 0

    def entry(self, index: int) -> bytes:
        if index >= self.size:
            raise NotFoundError(f"entry {index} comes later")
        return self._reader.entry(index)

    def entry_flows(self, index: int) -> list[Flow]:
        return self._reader.entry_flows(index) if index < self.size else []

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        return self._before(self._reader.arrivals(asset, account, first, end))

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        return self._before(self._reader.departures(asset, account, first, end))

    def _before(self, flows: Sequence[Flow]) -> list[Flow]:
        return [flow for flow in flows if flow.entry < self.size]


class _Audit:
    """The findings, the counts, and the walk."""

    def __init__(self, reader: Reader, keys: Sequence[VerifierKey], vault: Vault | None) -> None:
        self.reader = reader
        self.keys = list(keys)
        self.findings: list[Finding] = []
        self.truncated = False
        self.checked: dict[str, int] = {}
        self.not_checked: list[str] = []
        self.past = _Past(reader)
        self.state = State(self.past)
        self.tree = TileWriter(0, [])
        self.leaves: list[bytes] = []
        self.unhashed: list[bytes] = []
        self.replaying = True
        self.sealed = None if vault is None else SealedRows(reader, vault, self.find)
        self.flow_rows = _Ahead(reader.scan("flow"))
        self.checkpoints = _Ahead(reader.scan("checkpoint"))
        self.recorded_at = ""

    def find(self, code: str, place: str, index: int | None, message: str) -> None:
        """Note a finding."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code, place, index, message))
        else:
            self.truncated = True

    def count(self, what: str, number: int = 1) -> None:
        self.checked[what] = self.checked.get(what, 0) + number

    def run(self, progress: Progress | None) -> None:
        head = self._check_head()
        size = head.size if head else 0
        previous, expected = FIRST_PREVIOUS, 0
        for index, data, leaf in self.reader.scan("entry"):
            while expected < index:
                self.find("entry_missing", f"entry {expected}", expected, "the row is not stored")
                self._stop_replay(expected)
                expected += 1
            leaf_now = leaf_hash(data)
            if leaf_now != leaf:
                self.find(
                    "leaf_hash", f"entry {index}", index, "the leaf hash is not that of the bytes"
                )
            entry = self._parse(index, data, previous)
            self.leaves.append(leaf_now)
            self.unhashed.append(leaf_now)
            self.past.size = index
            if entry is not None:
                self._replay(entry)
                if self.sealed is not None:
                    self.sealed.take(entry)
            else:
                self._stop_replay(index)
            self._check_flows_passed(index)
            previous, expected = leaf_now.hex(), index + 1
            self._check_checkpoints(expected)
            if expected % PROGRESS_ENTRIES == 0:
                self.state.drain()
                if progress is not None:
                    progress(expected, max(size, expected))
        self.past.size = expected
        self.count("entries", expected)
        self._finish(head, expected)
        if progress is not None:
            progress(expected, max(size, expected))

    # Head, chain, tree, checkpoints

    def _check_head(self) -> Head | None:
        rows = list(self.reader.scan("head"))
        if [row[0] for row in rows] != [0]:
            self.find("head_rows", "head", None, f"expected one row with id 0, found {len(rows)}")
        head = self.reader.head()
        try:
            data = self.reader.entry(0)
            entry = parse_entry(data)
            own = [parse_verifier_key(key) for key in entry.fields["keys"]]
        except (LedgerError, KeyError, TypeError):
            own = []
        if not self.keys:
            self.keys = own
        elif own and not set(map(repr, own)) & set(map(repr, self.keys)):
            self.find(
                "log_keys", "entry 0", 0, "the log's first entry names none of the keys given"
            )
        return head

    def _parse(self, index: int, data: bytes, previous: str) -> Entry | None:
        try:
            entry = parse_entry(data)
        except LedgerError as error:
            self.find("entry_format", f"entry {index}", index, error.message)
            return None
        if entry.index != index:
            self.find("entry_index", f"entry {index}", index, f"it says index {entry.index}")
        if entry.previous != previous:
            self.find(
                "chain",
                f"entry {index}",
                index,
                "previous is not the leaf hash of the entry before; one of the two was changed",
            )
        if entry.recorded_at < self.recorded_at:
            self.find(
                "recorded_at", f"entry {index}", index, "recorded earlier than the entry before"
            )
        self.recorded_at = max(self.recorded_at, entry.recorded_at)
        return entry

    def _grow(self) -> None:
        """Put the hashes so far into the tree, and compare the tiles that became full."""
        for level, number, hashes in self.tree.extend(self.unhashed):
            self.count("tiles")
            try:
                stored = self.reader.tile(level, number, TILE_WIDTH)
            except NotFoundError:
                stored = None
            if stored != hashes:
                what = "is not stored" if stored is None else "differs from the entries' hashes"
                index = number << 8 * (level + 1)
                self.find("tile", f"tile {level}/{number}", index, f"the tile {what}")
        self.unhashed = []

    def _check_checkpoints(self, size: int) -> None:
        """Compare the checkpoints that were signed at this size."""
        while self.checkpoints.row is not None and self.checkpoints.row[0] <= size:
            signed, root, note = self.checkpoints.row
            self.checkpoints.next()
            self._grow()
            self.count("checkpoints")
            now = self.tree.root() if signed == size else None
            self._check_checkpoint(signed, root, note, now)

    def _check_checkpoint(self, size: int, root: bytes, note: bytes, now: bytes | None) -> None:
        place = f"checkpoint {size}"
        try:
            checkpoint, _ = verify_checkpoint(note, self.keys)
        except LedgerError as error:
            self.find("checkpoint_signature", place, None, error.message)
            return
        if checkpoint.size != size or checkpoint.root != root:
            self.find("checkpoint_row", place, None, "size or root differ from the signed note's")
        if now is None:
            self.find("checkpoint_size", place, None, "no entry ends at the size that was signed")
        elif checkpoint.root != now:
            self.find(
                "root_mismatch",
                place,
                size - 1,
                f"signed root {checkpoint.root.hex()}, the entries give {now.hex()}",
            )

    # Rules and units

    def _replay(self, entry: Entry) -> None:
        """Record the entry once more: the same postings, references and flows must result."""
        if not self.replaying:
            return
        place, index = f"entry {entry.index}", entry.index
        kind = KIND_BY_NAME.get(entry.kind)
        if kind is None:
            self.find("unknown_kind", place, index, f"no record kind {entry.kind} is known here")
            self._force(entry)
            return
        try:
            fields = kind.fields.model_validate(entry.fields)
            if fields.model_dump(exclude_none=True) != entry.fields:
                self.find("fields", place, index, "the fields are not as their model writes them")
            unknown = set(entry.sealed) - set(kind.sealed.model_fields)
            if unknown:
                self.find("sealed", place, index, f"{kind.name} has no sealed {sorted(unknown)}")
            draft: Draft[Any] = Draft(
                index,
                fields,
                frozenset(entry.sealed),
                entry.occurred_on,
                _day(entry.recorded_at),
                entry.recorded_by,
                entry.approved_by,
                entry.documents,
            )
            check_common(kind, draft)
            plan = kind.plan(draft, self.state)
            moved = self.state.transfer(plan.moves)
        except ValidationError as error:
            self.find(
                "fields", place, index, f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
            )
            self._force(entry)
            return
        except LedgerError as error:
            self.find("rule_broken", place, index, f"{error.code}: {error.message}")
            self._force(entry)
            return
        if moved.postings != list(entry.postings):
            self.find("units", place, index, "the rules assign other units than were recorded")
            self.state.take_back(moved)
            self._force(entry)
            return
        if list(plan.references) != list(entry.references):
            self.find("references", place, index, "the rules give other references")
        self.state.note(entry, moved.runs)
        kind.effects(entry, self.state, 1)
        self.count("rules")
        self._check_flows(index, flows_of(index, entry.postings, moved.runs))

    def _force(self, entry: Entry) -> None:
        """Take an entry's postings as they stand, so that the walk can go on after it."""
        moves = [
            Move(
                one["asset"],
                one["amount"],
                one["from"],
                one["to"],
                exact=None if is_world(one["from"]) else [(a, b) for a, b in one["takes"]],
            )
            for one in entry.postings
        ]
        try:
            moved = self.state.transfer(moves)
            self.state.note(entry, moved.runs)
            if entry.kind in KIND_BY_NAME:
                KIND_BY_NAME[entry.kind].effects(entry, self.state, 1)
        except (LedgerError, KeyError, TypeError, ValueError):
            self._stop_replay(entry.index)

    def _stop_replay(self, index: int) -> None:
        if self.replaying:
            self.replaying = False
            self.not_checked.append(f"rules, units and state from entry {index} on")

    def _check_flows(self, index: int, flows: Sequence[Flow]) -> None:
        rows: list[Any] = []
        while self.flow_rows.row is not None and self.flow_rows.row[0] == index:
            rows.append(tuple(self.flow_rows.row))
            self.flow_rows.next()
        expected = [
            (
                flow.entry,
                flow.posting,
                flow.part,
                self.state.account_id(flow.asset, flow.source),
                flow.source_first,
                self.state.account_id(flow.asset, flow.target),
                flow.target_first,
                flow.length,
                flow.label,
            )
            for flow in flows
        ]
        self.count("flows", len(expected))
        if rows != expected:
            self.find(
                "flow",
                f"flow {index}",
                index,
                "the flow rows are not those of the entry's postings",
            )

    def _check_flows_passed(self, index: int) -> None:
        """Flow rows up to here that no entry explains."""
        while self.flow_rows.row is not None and self.flow_rows.row[0] <= index:
            if self.replaying:
                self.find(
                    "flow", f"flow {self.flow_rows.row[0]}", index, "a flow row that no entry made"
                )
            self.flow_rows.next()

    # The end of the log

    def _finish(self, head: Head | None, size: int) -> None:
        self._grow()
        root = self.tree.root() if size else EMPTY_ROOT
        if head is not None and head.size != size:
            self.find(
                "size",
                "head",
                None,
                f"the head says {head.size} entries, {size} are stored: the tail was cut or added",
            )
        while self.checkpoints.row is not None:
            signed, row_root, note = self.checkpoints.row
            self._check_checkpoint(signed, row_root, note, None)
            self.checkpoints.next()
        if self.flow_rows.row is not None:
            self.find("flow", "flow", None, "flow rows of entries that the log has not")
        self._check_last(head, root)
        edges = [(level, data) for level, data in self.reader.scan("edge")]
        if edges != list(enumerate(self.tree.edges)):
            self.find("edge", "edge", None, "the partial tiles differ from the entries' hashes")
        tiles = sum(1 for _ in self.reader.scan("tile"))
        if tiles != self.checked.get("tiles", 0):
            self.find(
                "tile",
                "tile",
                None,
                f"{tiles} full tiles are stored, the tree has {self.checked.get('tiles', 0)}",
            )
        if self.sealed is not None:
            self.sealed.finish(self.state.numbers("erased/") if self.replaying else None)
            self.checked.update(self.sealed.checked)
        else:
            self.not_checked.append("vault, idempotency keys, order numbers (no vault key)")
        if self.replaying:
            self._check_state()

    def _check_last(self, head: Head | None, root: bytes) -> None:
        """The head row repeats what the last entry and the last checkpoint say."""
        if head is None:
            self.find("head_missing", "head", None, "the log has no head")
            return
        if head.root != root:
            self.find("root_mismatch", "head", None, "the head's root is not that of the entries")
        if self.leaves and head.last_leaf_hash != self.leaves[-1]:
            self.find("head", "head", None, "the last leaf hash is not that of the last entry")
        if head.last_recorded_at != self.recorded_at:
            self.find("head", "head", None, "the last time is not that of the last entry")
        try:
            stored = self.reader.checkpoint(head.size)
        except NotFoundError:
            stored = None
        if stored != head.checkpoint:
            self.find("head", "head", None, "the head's checkpoint is not the last one signed")

    def _check_state(self) -> None:
        """Accounts, holdings and objects, as the entries give them and as stored."""
        rebuilt = self.state.everything()
        tables: tuple[tuple[str, list[Any], int], ...] = (
            ("account", list(rebuilt.accounts), 1),
            ("holding", list(rebuilt.holdings_set), 2),
            ("state_object", list(rebuilt.objects), 1),
        )
        for table, rows, keys in tables:
            expected = {row[:keys]: row for row in rows}
            self.count(table, len(rows))
            for stored in map(tuple, self.reader.scan(table)):
                key = stored[:keys]
                if expected.pop(key, None) != stored:
                    self.find(
                        "state",
                        f"{table} {_words(key)}",
                        None,
                        "the row is not what the entries give",
                    )
            for key in expected:
                self.find("state", f"{table} {_words(key)}", None, "the row is missing")


def _words(key: tuple[Any, ...]) -> str:
    return " ".join(str(one) for one in key)


def _day(recorded_at: str) -> str:
    return datetime.fromisoformat(recorded_at).astimezone(CHINA).date().isoformat()


class _Ahead:
    """An iterator with the next row in view."""

    def __init__(self, rows: Iterator[Sequence[Any]]) -> None:
        self._rows = rows
        self.row: Sequence[Any] | None = next(rows, None)

    def next(self) -> None:
        self.row = next(self._rows, None)


def audit(
    store: Store,
    *,
    vault: Vault | None = None,
    keys: Sequence[VerifierKey] = (),
    progress: Progress | None = None,
) -> Report:
    """Audit a whole log.

    Args:
        store: The log.
        vault: Opens the vault, to check sealed fields, keys and order numbers too.
        keys: The verifier keys that the auditor trusts; without any, those that the
            log's first entry names.
        progress: Called with entries done and the log's size.

    Returns:
        The report; a log in any condition gives one.
    """
    started = time.perf_counter()
    schema = store.check()
    with store.read() as reader:
        found = _Audit(reader, keys, vault)
        for text in schema:
            found.find("schema", text.partition(":")[0], None, text)
        try:
            found.run(progress)
        except LedgerError as error:
            found.find(error.code, "database", None, error.message)
            found.not_checked.append("what comes after the failure")
    seconds = time.perf_counter() - started
    size = found.past.size
    root = found.tree.root() if found.leaves else EMPTY_ROOT
    second = compute_root(found.leaves)
    if second is None:
        found.not_checked.append(f"the root by {PACKAGE} (not installed, or no entries)")
    elif second != root:
        found.find("second_opinion", "root", None, f"{PACKAGE} computes {second.hex()}")
    return Report(
        origin=found.keys[0].name if found.keys else "",
        size=size,
        root=root.hex(),
        findings=tuple(found.findings),
        truncated=found.truncated,
        checked=found.checked,
        not_checked=tuple(found.not_checked),
        second_opinion=None if second is None else second.hex(),
        seconds=round(seconds, 3),
        entries_per_second=round(size / seconds) if seconds else 0,
        versions={
            "shanji": version("shanji"),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            PACKAGE: package_version() or "absent",
        },
    )
