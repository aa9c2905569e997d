"""The rules and the units: every entry is recorded once more, from the entries alone.

The state is rebuilt by the very functions that recorded (`Kind.plan`, `State.transfer`,
`Kind.effects`), so every rule is checked again and the units are assigned again;
postings, flows, accounts, holdings and objects must come out as stored. Stored flows are
compared with the rebuilt ones before later entries look them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ledger.audit.report import Notes, Rows, words
from ledger.entry import Entry
from ledger.errors import LedgerError, NotFoundError, RetryableError
from ledger.flows import Flow, flows_of, is_world
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Draft, Kind, check_common
from ledger.sequencer import CHINA
from ledger.state import Move, Moved, State
from ledger.store import AccountRow, Reader


class _Past:
    """A `state.StateReader` for a replay: entries and flows from the store, state anew.

    Only those of entries below `size`: the later ones are still in the state's memory,
    until it is drained, and must not be met twice.
    """

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


class Rules:
    """Takes the entries one by one, in order; `finish` compares the state."""

    def __init__(self, reader: Reader, notes: Notes) -> None:
        self._reader = reader
        self._notes = notes
        self._past = _Past(reader)
        self._state = State(self._past)
        self._rows = Rows(reader, "flow", notes)
        self._replaying = True
        self._pools: dict[tuple[int, str], list[int]] = {}

    def stop(self, index: int) -> None:
        """Give up from an entry on that is missing or cannot be read."""
        if self._replaying:
            self._replaying = False
            self._notes.not_checked.append(f"rules, units and state from entry {index} on")

    def erased(self) -> set[int] | None:
        """The entries whose openings the log says were erased; None if it stopped before."""
        return self._state.numbers("erased/") if self._replaying else None

    def drain(self, size: int) -> None:
        """Empty the state's memory of recent entries and flows; the store has them."""
        for account, label, *amounts in self._state.drain().pools:
            pool = self._pools.setdefault((account, label), [0, 0, 0])
            for number, amount in enumerate(amounts):
                pool[number] += amount
        self._past.size = size

    def take(self, entry: Entry) -> None:
        """Record the entry once more: the same postings, references and flows must result."""
        if not self._replaying:
            return
        index = entry.index
        try:
            flows = self._replay(entry)
        except RetryableError:
            raise
        except Exception as error:
            # A forged entry can have any shape; the functions that record trust theirs.
            self._find(
                "rule_broken", index, f"the rules cannot read it ({type(error).__name__}: {error})"
            )
            self.stop(index)
            return
        self._pass_unexplained(index)
        rows: list[tuple[Any, ...]] = []
        while self._rows.row is not None and self._rows.row[0] == index:
            rows.append(self._rows.row)
            self._rows.next()
        if flows is not None:
            self._check_flows(index, flows, rows)

    def _find(self, code: str, index: int, message: str) -> None:
        self._notes.find(code, f"entry {index}", index, message)

    def _replay(self, entry: Entry) -> list[Flow] | None:
        """The flows that the entry must have; None where its rule is broken or unknown."""
        index = entry.index
        kind = KIND_BY_NAME.get(entry.kind)
        if kind is None:
            self._find("unknown_kind", index, f"no record kind {entry.kind} is known here")
            self._force(entry)
            return None
        try:
            plan = kind.plan(self._draft(kind, entry), self._state)
            moved = self._state.transfer(plan.moves)
        except ValidationError as error:
            first = error.errors()[0]
            self._find("fields", index, f"{first['loc']}: {first['msg']}")
            self._force(entry)
            return None
        except RetryableError:
            raise
        except LedgerError as error:
            self._find("rule_broken", index, f"{error.code}: {error.message}")
            self._force(entry)
            return None
        if moved.postings != list(entry.postings):
            self._find("units", index, "the rules assign other units than were recorded")
            self._state.take_back(moved)
            self._force(entry)
            return None
        if list(plan.references) != list(entry.references):
            self._find("references", index, "the rules give other references")
        flows = self._record(entry, moved)
        self._notes.count("rules")
        return flows

    def _draft(self, kind: Kind[Any], entry: Entry) -> Draft[Any]:
        """The record as it was when it was recorded, its common rules checked."""
        fields = kind.fields.model_validate(entry.fields)
        if fields.model_dump(exclude_none=True) != entry.fields:
            self._find("fields", entry.index, "the fields are not as their model writes them")
        unknown = set(entry.sealed) - set(kind.sealed.model_fields)
        if unknown:
            self._find("sealed", entry.index, f"{kind.name} has no sealed {sorted(unknown)}")
        recorded_at = datetime.fromisoformat(entry.recorded_at)
        draft: Draft[Any] = Draft(
            entry.index,
            fields,
            frozenset(entry.sealed),
            entry.occurred_on,
            recorded_at.astimezone(CHINA).date().isoformat(),
            entry.recorded_by,
            entry.approved_by,
            entry.documents,
        )
        check_common(kind, draft)
        return draft

    def _record(self, entry: Entry, moved: Moved) -> list[Flow]:
        self._state.note(entry, moved)
        if entry.kind in KIND_BY_NAME:
            KIND_BY_NAME[entry.kind].effects(entry, self._state, 1)
        return list(flows_of(entry.index, entry.postings, moved.runs))

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
            moved = self._state.transfer(moves)
        except RetryableError:
            raise
        except LedgerError:
            self.stop(entry.index)
            return
        self._record(entry, moved)

    # Flows

    def _check_flows(
        self, index: int, flows: Sequence[Flow], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        expected = [
            (
                flow.entry,
                flow.posting,
                flow.part,
                self._state.account_id(flow.asset, flow.source),
                flow.source_first,
                self._state.account_id(flow.asset, flow.target),
                flow.target_first,
                flow.length,
                flow.label,
            )
            for flow in flows
        ]
        self._notes.count("flows", len(expected))
        if rows != expected and not (self._rows.broken and rows == expected[: len(rows)]):
            self._notes.find(
                "flow",
                f"flow {index}",
                index,
                "the flow rows are not those of the entry's postings",
            )

    def _pass_unexplained(self, index: int) -> None:
        """Flow rows of entries below this one, which the entries there did not make."""
        while self._rows.row is not None and self._rows.row[0] < index:
            self._unexplained(self._rows.row)
            self._rows.next()

    def _unexplained(self, row: Sequence[Any]) -> None:
        self._notes.find("flow", f"flow {words(row[:3])}", row[0], "a flow row that no entry made")

    # The end of the log

    def finish(self) -> None:
        """Compare what is left over, and the whole state."""
        if not self._replaying:
            return
        for row in self._rows:
            self._unexplained(row)
        rebuilt = self._state.everything()
        self.drain(self._past.size)
        pools = [(*key, *amounts) for key, amounts in sorted(self._pools.items())]
        self._compare("account", rebuilt.accounts, 1)
        self._compare("holding", rebuilt.holdings_set, 2)
        self._compare("pool", pools, 2)
        self._compare("state_object", rebuilt.objects, 1)

    def _compare(self, table: str, rebuilt: Sequence[tuple[Any, ...]], keys: int) -> None:
        """One table's rows, as the entries give them and as stored."""
        expected = {row[:keys]: row for row in rebuilt}
        self._notes.count(table, len(rebuilt))
        stored = Rows(self._reader, table, self._notes)
        for row in stored:
            key = row[:keys]
            if expected.pop(key, None) != row:
                place = f"{table} {words(key)}"
                self._notes.find("state", place, None, "the row is not what the entries give")
        if not stored.broken:
            for key in expected:
                self._notes.find("state", f"{table} {words(key)}", None, "the row is missing")
