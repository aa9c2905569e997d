"""The rules and the units: every entry is recorded once more, from the entries alone.

The state is rebuilt by the very functions that recorded (`Kind.plan`, `State.transfer`,
`Kind.effects`), so every rule is checked again and the units are assigned again; what
comes out lies in the audit's own file (``shadow``). Where a database is audited, its
flows, accounts, holdings and objects must be the same. Stored flows are compared with
the rebuilt ones before later entries look them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ledger.audit.draft import draft_of, unknown_sealed, written_otherwise
from ledger.audit.report import Notes, Rows, words
from ledger.audit.shadow import Shadow, flow_row
from ledger.audit.tally import Tally
from ledger.entry import Entry
from ledger.errors import LedgerError, RetryableError
from ledger.flows import Flow, is_world
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Draft, Kind, check_common
from ledger.state import Move, Moved, State

if TYPE_CHECKING:
    from ledger.store import Reader

TOUCHED_MAX = 60_000
"""Changed rows of the state that are remembered (a gift has three); over it, the whole state
is compared."""

TABLES = {
    "account": 1,
    "holding": 2,
    "pool": 2,
    "asset": 1,
    "entry_reference": 2,
    "entry_kind": 2,
    "movement": 2,
    "state_object": 1,
}
"""The tables of the derived state, and how many columns their keys have."""


class _Ids:
    """The ids of accounts, asked of the state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __getitem__(self, key: tuple[str, str]) -> int:
        return self._state.account_id(*key)


class Rules:
    """Takes the entries one by one, in order; `compare` compares the state.

    Args:
        shadow: The audit's own state, as of the entries before.
        notes: Where findings go.
        tally: What is summed up.
        flows: The database's flow rows from here on; None where there is no database.
        remember: Keep which rows change, so that `compare` can look at those alone.
    """

    def __init__(
        self,
        shadow: Shadow,
        notes: Notes,
        tally: Tally,
        flows: Rows | None,
        *,
        remember: bool = False,
    ) -> None:
        self._shadow = shadow
        self._notes = notes
        self._tally = tally
        self._state = State(shadow)
        self._ids = _Ids(self._state)
        self._rows = flows
        self.replaying = True
        self._touched: dict[str, set[tuple[Any, ...]]] = {table: set() for table in TABLES}
        self.touched_all = not remember
        """Whether more rows changed than are remembered."""

    def stop(self, index: int) -> None:
        """Give up from an entry on that is missing or cannot be read."""
        if self.replaying:
            self.replaying = False
            self._notes.not_checked.append(f"rules, units and state from entry {index} on")

    def erased(self) -> set[int] | None:
        """The entries whose openings the log says were erased; None if it stopped before."""
        return self._shadow.numbers("erased/") if self.replaying else None

    def drain(self, size: int) -> None:
        """Write what the entries below `size` changed; memory forgets what it can read again."""
        if not self.replaying:
            return
        changes = self._state.drain()
        self._shadow.write(changes, size)
        self._state.trim()
        if not self.touched_all:
            touched = self._touched
            touched["account"].update((row[0],) for row in changes.accounts)
            touched["holding"].update(row[:2] for row in changes.holdings_set)
            touched["holding"].update(changes.holdings_gone)
            touched["pool"].update(row[:2] for row in changes.pools)
            touched["asset"].update(row[:1] for row in changes.assets)
            touched["entry_reference"].update(changes.references)
            touched["entry_kind"].update(changes.kinds)
            touched["movement"].update(row[:2] for row in changes.movements)
            touched["state_object"].update((key,) for key, _ in changes.objects)
            if sum(map(len, touched.values())) > TOUCHED_MAX:
                self.touched_all = True
                for keys in touched.values():
                    keys.clear()

    def take(self, entry: Entry, careful: bool = True) -> None:
        """Record the entry once more: the same postings, references and flows must result.

        Args:
            entry: The next entry.
            careful: False where `draft.is_plain` said that the entry alone is right.
        """
        if not self.replaying:
            return
        index = entry.index
        try:
            flows = self._replay(entry, careful)
        except RetryableError:
            raise
        except Exception as error:
            # A forged entry can have any shape; the functions that record trust theirs.
            self._find(
                "rule_broken", index, f"the rules cannot read it ({type(error).__name__}: {error})"
            )
            self.stop(index)
            return
        if self._rows is None:
            return
        self._pass_unexplained(self._rows, index)
        rows: list[tuple[Any, ...]] = []
        while self._rows.row is not None and self._rows.row[0] == index:
            rows.append(self._rows.row)
            self._rows.next()
        if flows is not None:
            self._check_flows(index, flows, rows, self._rows.broken)

    def _find(self, code: str, index: int, message: str) -> None:
        self._notes.find(code, f"entry {index}", index, message)

    def _replay(self, entry: Entry, careful: bool) -> list[Flow] | None:
        """The flows that the entry must have; None where its rule is broken or unknown."""
        index = entry.index
        kind = KIND_BY_NAME.get(entry.kind)
        if kind is None:
            self._find("unknown_kind", index, f"no record kind {entry.kind} is known here")
            self._force(entry)
            return None
        try:
            plan = kind.plan(self._draft(kind, entry, careful), self._state)
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

    def _draft(self, kind: Kind[Any], entry: Entry, careful: bool) -> Draft[Any]:
        """The record as it was when it was recorded, its common rules checked."""
        fields = kind.fields.model_validate(entry.fields)
        if not careful:
            return draft_of(entry, fields)
        if written_otherwise(entry, fields):
            self._find("fields", entry.index, "the fields are not as their model writes them")
        unknown = unknown_sealed(kind, entry)
        if unknown:
            self._find("sealed", entry.index, f"{kind.name} has no sealed {unknown}")
        draft = draft_of(entry, fields)
        check_common(kind, draft)
        return draft

    def _record(self, entry: Entry, moved: Moved) -> list[Flow]:
        flows = self._state.note(entry, moved)
        if entry.kind in KIND_BY_NAME:
            KIND_BY_NAME[entry.kind].effects(entry, self._state, 1)
        self._tally.take(entry, self._state)
        return flows

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
        self, index: int, flows: Sequence[Flow], rows: Sequence[tuple[Any, ...]], broken: bool
    ) -> None:
        expected = [flow_row(flow, self._ids) for flow in flows]
        self._notes.count("flows", len(expected))
        if rows != expected and not (broken and rows == expected[: len(rows)]):
            self._notes.find(
                "flow",
                f"flow {index}",
                index,
                "the flow rows are not those of the entry's postings",
            )

    def _pass_unexplained(self, rows: Rows, index: int) -> None:
        """Flow rows of entries below this one, which the entries there did not make."""
        while rows.row is not None and rows.row[0] < index:
            self._unexplained(rows.row)
            rows.next()

    def _unexplained(self, row: Sequence[Any]) -> None:
        self._notes.find("flow", f"flow {words(row[:3])}", row[0], "a flow row that no entry made")

    # The end of the log

    def compare(self, reader: Reader, *, touched: bool) -> None:
        """Compare what is left over, and the state, with a database's.

        Args:
            touched: Only the rows that this run changed; False: every row.
        """
        if not self.replaying:
            # What cannot be compared is read all the same: a row that is damaged is named.
            for table in TABLES:
                for _ in Rows(reader, table, self._notes):
                    pass
            return
        for row in self._rows or ():
            self._unexplained(row)
        for table, keys in TABLES.items():
            if touched and not self.touched_all:
                self._compare_touched(reader, table)
            else:
                self._compare(reader, table, keys)

    def _compare(self, reader: Reader, table: str, keys: int) -> None:
        """One table's rows, as the entries give them and as stored: two ordered scans."""
        self._notes.count(table, self._shadow.count(table))
        rebuilt = self._shadow.scan(table)
        expected = next(rebuilt, None)
        stored = Rows(reader, table, self._notes)
        for row in stored:
            key = row[:keys]
            while expected is not None and expected[:keys] < key:
                self._missing(table, expected[:keys])
                expected = next(rebuilt, None)
            if expected is None or expected != row:
                self._differs(table, key)
            if expected is not None and expected[:keys] == key:
                expected = next(rebuilt, None)
        while expected is not None and not stored.broken:
            self._missing(table, expected[:keys])
            expected = next(rebuilt, None)

    def _compare_touched(self, reader: Reader, table: str) -> None:
        """The rows that this run changed."""
        self._notes.count(table, len(self._touched[table]))
        for key in sorted(self._touched[table]):
            expected, stored = self._shadow.row(table, key), reader.row(table, key)
            if expected is not None and stored is None:
                self._missing(table, key)
            elif expected != stored:
                self._differs(table, key)

    def _differs(self, table: str, key: Sequence[Any]) -> None:
        self._find_row(table, key, "the row is not what the entries give")

    def _missing(self, table: str, key: Sequence[Any]) -> None:
        self._find_row(table, key, "the row is missing")

    def _find_row(self, table: str, key: Sequence[Any], message: str) -> None:
        place = f"{table} {words(key)}"
        if table == "entry_reference":
            self._notes.find("reference_row", place, key[1], message)
        else:
            self._notes.find("state", place, None, message)
