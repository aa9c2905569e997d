"""The state that records read and change: accounts, units, and named objects.

It is derived: the entries alone give it (``audit`` rebuilds it and compares). In one
process it is a cache over the store, read when first needed and written back with
the batch that changed it; the writer drops it whole when a commit fails.

- *accounts* hold numbered units (`units.Holdings`); ``world:*`` accounts hold none;
- *objects* are plain JSON values under a text key, ``<family>/<code>``: a fund, a
  rule, a claim on a source, a running total. What a key means is the business of the
  record kind that writes it (``records``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn, Protocol

import orjson

from ledger.entry import TAKES_MAX, Entry, parse_entry
from ledger.errors import InsufficientError, NotFoundError, RejectedError
from ledger.flows import REVERSAL, Flow, Runs, flows_of, is_world, takes_back
from ledger.frozen import frozen
from ledger.movements import MovementReader, MovementRow, Movements, Row
from ledger.units import UNITS_MAX, Holdings, Range, Rank, Segment, joined, oldest_first

CACHED_OBJECTS_MAX = 100_000
CACHED_ACCOUNTS_MAX = 20_000
"""After a batch, a cache that holds more than this is emptied: memory stays flat."""
HOT_MAX = 64
"""Objects, and accounts, read again at once when another process has written."""


class StoredAccount(Protocol):
    """An account as the store has it."""

    @property
    def id(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def segments(self) -> Sequence[Segment]: ...


class StateReader(MovementReader, Protocol):
    """Where the state is read from: a snapshot of the store."""

    def object(self, key: str) -> bytes | None:
        """The stored object's canonical JSON."""
        ...

    def account(self, asset: str, name: str) -> StoredAccount | None:
        """An account with what is still in it; None when it is new."""
        ...

    def account_count(self) -> int:
        """How many accounts there are; ids are 0 to that, less one."""
        ...

    def entry(self, index: int) -> bytes:
        """An entry's bytes; NotFoundError past the end."""
        ...

    def entry_flows(self, index: int) -> Sequence[Flow]:
        """The flows of one entry, in order."""
        ...

    def arrivals(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """As in `flows.FlowSource`."""
        ...

    def departures(self, asset: str, account: str, first: int, end: int) -> Sequence[Flow]:
        """As in `flows.FlowSource`."""
        ...


class NamedAccount(StoredAccount, Protocol):
    """A stored account with its name."""

    @property
    def asset(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Hot:
    """Keys of objects, ids of accounts, and days of accounts, that are likely to be needed next."""

    objects: Sequence[str]
    accounts: Sequence[int]
    days: Sequence[tuple[int, str]]


@frozen
class Move:
    """Units that a record wants to move; the ledger chooses which (`rank`, or `exact`).

    Attributes:
        amount: Units, over 0.
        rank: Which labels may leave, and in which order.
        exact: The very units, in order; `rank` does not count then.
        label: What the units carry in the target; None keeps what they carry.
        runs: The labels run by run, where one label does not do; `label` does not count.
    """

    asset: str
    amount: int
    source: str
    target: str
    rank: Rank = oldest_first
    exact: Sequence[Range] | None = None
    label: str | None = None
    runs: Runs | None = None


@dataclass(slots=True)
class Account:
    """One account in memory. `holdings` stays empty for the outside."""

    id: int
    asset: str
    name: str
    holdings: Holdings = field(default_factory=Holdings)
    changed: bool = False
    counted: bool = False
    """Whether it counts among the accounts that received some of the asset."""


@dataclass(slots=True)
class Changes:
    """What changed since the last `drain`, as rows for the store."""

    accounts: list[tuple[int, str, str, int]]
    holdings_set: list[tuple[int, int, int, str]]
    holdings_gone: list[tuple[int, int]]
    pools: list[tuple[int, str, int, int, int]]
    assets: list[tuple[str, int, int, int]]
    objects: list[tuple[str, bytes | None]]
    flows: list[Flow]
    account_ids: dict[tuple[str, str], int]
    references: list[tuple[int, int]]
    kinds: list[tuple[str, int]]
    movements: list[Row]


@dataclass(slots=True)
class Moved:
    """The outcome of `State.transfer`, with what is needed to take it back."""

    postings: list[dict[str, Any]]
    runs: list[Runs]
    taken: list[Runs]
    """What each posting's units carried in the source account; empty for the outside."""
    undo: list[Callable[[], None]]


class State:
    """The ledger's state as of one size, plus what a batch has done to it so far."""

    def __init__(self, reader: StateReader, account_count: int | None = None) -> None:
        self.reader = reader
        self._objects: dict[str, Any] = {}
        self._accounts: dict[tuple[str, str], Account] = {}
        self._account_count = reader.account_count() if account_count is None else account_count
        self._changed_objects: dict[str, None] = {}
        self._flows: list[Flow] = []
        self._entries: dict[int, Entry] = {}
        self._pools: dict[tuple[str, str, str], list[int]] = {}
        self._movements = Movements()

    # Objects

    def get(self, key: str) -> Any:
        """The object under a key, or None. Do not change it; `put` another."""
        try:
            return self._objects[key]
        except KeyError:
            data = self.reader.object(key)
            value = None if data is None else orjson.loads(data)
            self._objects[key] = value
            return value

    def hot(self) -> Hot:
        """What was read first and so, with most records, is read by every batch."""
        accounts = [one.id for one in islice(self._accounts.values(), HOT_MAX)]
        days = list(islice(self._movements.lately, HOT_MAX))
        return Hot(list(islice(self._objects, HOT_MAX)), accounts, days)

    def preload(
        self,
        hot: Hot,
        objects: Mapping[str, bytes],
        accounts: Sequence[NamedAccount],
        movements: Sequence[MovementRow],
    ) -> None:
        """Take what another process may have changed, read at once instead of one by one.

        Args:
            hot: What was asked for; an object that is not there is known to be none.
            objects, accounts, movements: What of it is there.
        """
        self._movements.preload(hot.days, movements)
        for key in hot.objects:
            data = objects.get(key)
            self._objects[key] = None if data is None else orjson.loads(data)
        for row in accounts:
            holdings = Holdings(row.received, row.segments)
            self._accounts[row.asset, row.name] = Account(
                row.id, row.asset, row.name, holdings, counted=row.received > 0
            )

    def put(self, key: str, value: Any) -> None:
        """Set the object under a key; None removes it."""
        self._objects[key] = value
        self._changed_objects[key] = None

    def add(self, key: str, **amounts: int) -> None:
        """Add to the counters of an object, which starts at nothing."""
        value = dict(self.get(key) or {})
        for name, amount in amounts.items():
            value[name] = value.get(name, 0) + amount
        self.put(key, value)

    def find(self, family: str, code: str, where: str) -> Any:
        """The registered thing of that code.

        Raises:
            RejectedError: nothing of that family has that code (``unknown_<family>``).
        """
        value = self.get(f"{family}/{code}")
        if value is None:
            raise RejectedError(
                f"{where}: there is no {family} with code {code!r}; register it first",
                code=f"unknown_{family}",
                field=where,
            )
        return value

    # Entries and flows, those of the running batch included

    def entry(self, index: int, where: str) -> Entry:
        """An earlier entry.

        Raises:
            RejectedError: the log has no such entry yet (``unknown_entry``).
        """
        if index in self._entries:
            return self._entries[index]
        try:
            return parse_entry(self.reader.entry(index))
        except NotFoundError:
            raise RejectedError(
                f"{where}: there is no entry {index} in the log yet",
                code="unknown_entry",
                field=where,
            ) from None

    def entry_flows(self, index: int) -> list[Flow]:
        """The flows of one entry, in order."""
        if index in self._entries:
            return [flow for flow in self._flows if flow.entry == index]
        return list(self.reader.entry_flows(index))

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that brought units [first, end) into an account, by rising number."""
        found = list(self.reader.arrivals(asset, account, first, end))
        found += [
            flow
            for flow in self._flows
            if flow.target == account
            and flow.asset == asset
            and flow.target_first is not None
            and flow.target_first < end
            and flow.target_first + flow.length > first
        ]
        return sorted(found, key=lambda flow: flow.target_first or 0)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        """Flows that took units [first, end) out of an account, by rising number."""
        found = list(self.reader.departures(asset, account, first, end))
        found += [
            flow
            for flow in self._flows
            if flow.source == account
            and flow.asset == asset
            and flow.source_first is not None
            and flow.source_first < end
            and flow.source_first + flow.length > first
        ]
        return sorted(found, key=lambda flow: flow.source_first or 0)

    # Accounts and units

    def holdings(self, asset: str, name: str) -> Holdings:
        """An account's units; an account that was never used holds none."""
        return self._account(asset, name, create=False).holdings

    def _account(self, asset: str, name: str, *, create: bool) -> Account:
        key = (asset, name)
        account = self._accounts.get(key)
        if account is None:
            stored = self.reader.account(asset, name)
            if stored is not None:
                holdings = Holdings(stored.received, stored.segments)
                used = stored.received > 0
                account = Account(stored.id, asset, name, holdings, counted=used)
            elif create:
                account = Account(self._account_count, asset, name, changed=True)
                self._account_count += 1
            else:
                return Account(-1, asset, name)
            self._accounts[key] = account
        return account

    def account_id(self, asset: str, name: str) -> int:
        """The account's number; -1 for one that was never used."""
        return self._account(asset, name, create=False).id

    def transfer(self, moves: Sequence[Move]) -> Moved:
        """Carry out moves in order; all of them or none.

        Returns:
            The postings, in the same order, and how to take all of it back.

        Raises:
            InsufficientError: an account has not the units that a move asks for.
            RejectedError: they lie in more ranges than a posting can name.
        """
        moved = Moved([], [], [], [])
        try:
            for move in moves:
                self._transfer_one(move, moved)
        except RejectedError:
            self.take_back(moved)
            raise
        return moved

    def _transfer_one(self, move: Move, moved: Moved) -> None:
        posting: dict[str, Any] = {
            "asset": move.asset,
            "amount": move.amount,
            "from": move.source,
            "to": move.target,
        }
        runs: Runs = ((move.amount, ""),)
        taken: Runs = ()
        if not is_world(move.source):
            holdings = self.holdings(move.asset, move.source)
            takes = self._chosen(move, holdings)
            if len(takes) > TAKES_MAX:
                self._refuse_scattered(move, len(takes))
            runs = taken = holdings.take(takes)
            moved.undo.append(lambda: holdings.put_back(takes, taken))
            posting["takes"] = [list(one) for one in takes]
        if move.runs is not None:
            runs = move.runs
        elif move.label is not None:
            runs = ((move.amount, move.label),)
        self._touch(move.asset, move.source, moved)
        target = self._touch(move.asset, move.target, moved)
        if not is_world(move.target):
            arriving = target.holdings
            if arriving.received + move.amount > UNITS_MAX:
                self._refuse_overflow(move)
            at = arriving.receive(runs)
            moved.undo.append(lambda: arriving.take_back(at))
            posting["at"] = at
        else:
            runs = ((move.amount, ""),)
        moved.postings.append(posting)
        moved.runs.append(runs)
        moved.taken.append(taken)

    def _touch(self, asset: str, name: str, moved: Moved) -> Account:
        """The account, made with the next id when it is new."""
        before = self._account_count
        account = self._account(asset, name, create=True)
        if self._account_count > before:
            moved.undo.append(lambda: self._forget(asset, name))
        return account

    def _forget(self, asset: str, name: str) -> None:
        del self._accounts[asset, name]
        self._account_count -= 1

    def _refuse_scattered(self, move: Move, ranges: int) -> NoReturn:
        raise RejectedError(
            f"{move.amount} units of {move.asset} lie in {ranges} ranges of {move.source}, a "
            f"record takes at most {TAKES_MAX}; record the amount in parts",
            code="too_many_ranges",
            details={"account": move.source, "asset": move.asset, "ranges": ranges},
        )

    def _refuse_overflow(self, move: Move) -> NoReturn:
        raise InsufficientError(
            f"{move.target} can number at most {UNITS_MAX} units of {move.asset}",
            code="units_overflow",
            details={"account": move.target, "asset": move.asset},
        )

    def _chosen(self, move: Move, holdings: Holdings) -> list[Range]:
        try:
            if move.exact is None:
                return holdings.pick(move.amount, move.rank)
            missing = holdings.missing(move.exact)
            if not missing:
                return joined(move.exact)
        except InsufficientError as error:
            raise InsufficientError(
                f"{move.source} holds {error.details['available']} units of {move.asset} that may "
                f"be used for this, {move.amount} are needed; nothing was recorded",
                details={"account": move.source, "asset": move.asset, **error.details},
            ) from None
        uses = self.uses(move.asset, move.source, missing)
        raise InsufficientError(
            f"units {missing} of {move.asset} have already left {move.source} by entries "
            f"{uses}; reverse those first",
            code="units_moved_on",
            details={
                "account": move.source,
                "asset": move.asset,
                "missing": [list(one) for one in missing],
                "entries": uses,
            },
        )

    def uses(self, asset: str, account: str, ranges: Sequence[Range]) -> list[int]:
        """The entries by which these units left the account, rising."""
        return sorted(
            {
                flow.entry
                for first, end in ranges
                for flow in self.departures(asset, account, first, end)
            }
        )

    def take_back(self, moved: Moved) -> None:
        """Undo a transfer, last move first."""
        for step in reversed(moved.undo):
            step()

    def labels(self, asset: str, account: str, ranges: Sequence[Range]) -> list[tuple[int, str]]:
        """What these units carried when they arrived, as ``(length, label)`` runs in order."""
        runs: list[tuple[int, str]] = []
        for first, end in ranges:
            for flow in self.arrivals(asset, account, first, end):
                start = flow.target_first or 0
                length = min(end, start + flow.length) - max(first, start)
                runs.append((length, flow.label))
        return runs

    # The batch

    def note(self, entry: Entry, moved: Moved) -> list[Flow]:
        """Take up an entry that was made from `transfer`'s postings; gives its flows."""
        self._entries[entry.index] = entry
        flows = flows_of(entry.index, entry.postings, moved.runs)
        self._flows += flows
        for document in documents_of(entry):
            self.put(f"documented/{document}/{entry.index:016d}", {"entry": entry.index})
        reversal = entry.kind == REVERSAL
        for posting, runs, taken in zip(entry.postings, moved.runs, moved.taken, strict=True):
            asset, source, target = posting["asset"], posting["from"], posting["to"]
            amount = posting["amount"]
            for name, came, went in ((source, 0, amount), (target, amount, 0)):
                account = self._accounts[asset, name]
                account.changed = True
                if not is_world(name):
                    self._movements.take(account.id, entry.index, came, went)
            back = takes_back(source, target, reversal=reversal)
            for length, label in taken:
                self._pool(asset, source, label, 0, -length, length * back)
            for length, label in () if is_world(target) else runs:
                self._pool(asset, target, label, length, length, length * back)
        return flows

    def _pool(
        self, asset: str, account: str, label: str, received: int, held: int, returned: int
    ) -> None:
        pool = self._pools.setdefault((asset, account, label), [0, 0, 0])
        pool[0] += received
        pool[1] += held
        pool[2] += returned

    def drain(self) -> Changes:
        """What changed since the last call; the batch's entries are forgotten.

        The caller writes it in the same transaction as the entries, or drops this
        state when that fails.
        """
        references = [
            (target, source)
            for source, entry in self._entries.items()
            for target in entry.references
        ]
        kinds = [(entry.kind, index) for index, entry in self._entries.items()]
        days = {index: entry.occurred_on for index, entry in self._entries.items()}
        rows = self._movements.drain(self.reader, days)
        changes = Changes([], [], [], [], [], [], self._flows, {}, references, kinds, rows)
        assets: dict[str, list[int]] = {}
        for key, account in self._accounts.items():
            if account.changed:
                holdings = account.holdings
                changes.accounts.append(
                    (account.id, account.asset, account.name, holdings.received)
                )
                for first, segment in holdings.drain():
                    if segment is None:
                        changes.holdings_gone.append((account.id, first))
                    else:
                        length = segment[1] - segment[0]
                        changes.holdings_set.append((account.id, first, length, segment[2]))
                if holdings.received and not account.counted:
                    account.counted = True
                    assets.setdefault(account.asset, [0, 0, 0])[0] += 1
                account.changed = False
                changes.account_ids[key] = account.id
        for (asset, name, label), (received, held, returned) in self._pools.items():
            id_ = self._accounts[asset, name].id
            changes.pools.append((id_, label, received, held, returned))
            sums = assets.setdefault(asset, [0, 0, 0])
            sums[1] += received
            sums[2] += held
        for asset, (accounts, received, held) in sorted(assets.items()):
            changes.assets.append((asset, accounts, received, held))
        for changed in self._changed_objects:
            value = self._objects[changed]
            data = None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
            changes.objects.append((changed, data))
        self._changed_objects = {}
        self._pools = {}
        self._flows = []
        self._entries = {}
        return changes

    def numbers(self, prefix: str) -> set[int]:
        """The numbers that end the keys in memory which start with `prefix`."""
        return {
            int(key.removeprefix(prefix))
            for key, value in self._objects.items()
            if key.startswith(prefix) and value is not None
        }

    def everything(self) -> Changes:
        """The whole state in memory as rows, each table in the order of its key, but for
        the pools, assets and movements, of which only changes are known.

        Whole only where nothing was read from a store and nothing was trimmed, as in
        an audit that starts from the first entry. Flows and references are not in it: an
        audit compares those entry by entry.
        """
        found = Changes([], [], [], [], [], [], [], {}, [], [], [])
        for account in sorted(self._accounts.values(), key=lambda one: one.id):
            holdings = account.holdings
            found.accounts.append((account.id, account.asset, account.name, holdings.received))
            for first, end, label in holdings.segments():
                found.holdings_set.append((account.id, first, end - first, label))
        for name, value in sorted(self._objects.items()):
            if value is not None:
                found.objects.append((name, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))
        return found

    def trim(self) -> None:
        """Empty a cache that has grown over its limit; only after `drain` was committed."""
        if len(self._objects) > CACHED_OBJECTS_MAX:
            self._objects = {}
        if len(self._accounts) > CACHED_ACCOUNTS_MAX:
            self._accounts = {}


def references_of(*groups: dict[str, Any] | Sequence[int]) -> tuple[int, ...]:
    """The indices of the entries that a record is about, each once, rising.

    Takes registered objects (their ``entry``) and lists of indices.
    """
    found: set[int] = set()
    for group in groups:
        if isinstance(group, dict):
            found.add(group["entry"])
        else:
            found.update(group)
    return tuple(sorted(found))


def documents_of(entry: Entry) -> set[str]:
    """The hex SHA-256 of the documents that an entry names: attached, or what it is about."""
    about = entry.fields.get("sha256")
    return {*entry.documents, about} if isinstance(about, str) else set(entry.documents)
