"""Pools: what of a whole account, or of its units with one label, has been spent.

Money in one fund is alike. Which fen a gift's fen are, and which of them were spent, is the
ledger's order (first in, first out; ``trace``); beside it stands the pool's overall share:
how many units the pool received in all, and how many of them were spent. Both are
integers, and come from one row a pool, however large the log is.

What was refunded or reversed counts on neither side: it was not received for good, and it
was not spent. Spent is what left for any other reason: paid, handed out, passed on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ledger.flows import Walk, is_world
from ledger.store import PoolRow, Reader
from ledger.units import Range

RANGES_MAX = 1000
"""Ranges of traced units that are looked up for the pools that they lie in."""
POOLS_MAX = 200
"""Pools that one answer tells of."""

Place = tuple[str, str]
"""An asset and an account."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that traced units went through, or rest in.

    Attributes:
        asset, account: The account.
        label: What the pool's units carry (a project, a lot); None: the whole account.
        received: Units that the pool received in all; `spent` and `held` sum to it.
        traced: Of these, how many are of the traced units.
        traced_held: Of the traced ones, how many are still there.
    """

    asset: str
    account: str
    label: str | None
    received: int
    spent: int
    held: int
    traced: int
    traced_held: int


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools of a trace, as of its size; `more` says that some are left out."""

    rows: tuple[Pool, ...]
    more: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values: ``pools`` and ``pools_more``."""
        rows = [
            {name: value for name, value in asdict(one).items() if value is not None}
            for one in self.rows
        ]
        return {"pools": rows, "pools_more": self.more}


def find_pools(reader: Reader, walks: Sequence[Walk]) -> Pools:
    """The pools that these walks went through: each account, then its labels.

    Reads, by index, the arrivals of the traced units and one row a pool.
    """
    met = _met(walks)
    held = {place: _union(ranges) for place, ranges in _resting(walks).items()}
    looked, more = 0, False
    rows: list[Pool] = []
    for place, ranges in sorted(met.items()):
        units = _union(ranges)
        if looked + len(units) > RANGES_MAX or len(rows) >= POOLS_MAX:
            more = True
            units = units[: max(0, RANGES_MAX - looked)]
            if not units or len(rows) >= POOLS_MAX:
                break
        looked += len(units)
        labels = _labels(reader, place, units)
        resting = _labels(reader, place, held.get(place, ()))
        total = reader.account_total(*place)
        if total is not None:
            rows.append(_pool(total, None, sum(labels.values()), sum(resting.values())))
        for label, traced in sorted(labels.items()):
            pool = reader.pool(*place, label)
            if pool is not None:
                rows.append(_pool(pool, label, traced, resting.get(label, 0)))
    return Pools(tuple(rows[:POOLS_MAX]), more or len(rows) > POOLS_MAX)


def _pool(row: PoolRow, label: str | None, traced: int, traced_held: int) -> Pool:
    received = row.received - row.returned
    spent = received - row.held
    return Pool(row.asset, row.name, label, received, spent, row.held, traced, traced_held)


def _met(walks: Sequence[Walk]) -> dict[Place, list[Range]]:
    """The units of each account that the walks met, on either side of a move."""
    met: dict[Place, list[Range]] = defaultdict(list)
    for one in walks:
        for hop in one.hops:
            for account, units in (
                (hop.source, hop.source_units),
                (hop.target, hop.target_units),
            ):
                if units is not None and not is_world(account):
                    met[hop.asset, account].append(units)
    return met


def _resting(walks: Sequence[Walk]) -> dict[Place, list[Range]]:
    found: dict[Place, list[Range]] = defaultdict(list)
    for one in walks:
        for end in one.ends:
            if end.state == "held" and end.units is not None:
                found[end.asset, end.account].append(end.units)
    return found


def _union(ranges: Sequence[Range]) -> list[Range]:
    """The same units, each once, in as few ranges as can be."""
    result: list[Range] = []
    for first, end in sorted(ranges):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((first, end))
    return result


def _labels(reader: Reader, place: Place, ranges: Sequence[Range]) -> dict[str, int]:
    """How many of these units carry which label in their account."""
    found: dict[str, int] = defaultdict(int)
    for first, end in ranges:
        for flow in reader.arrivals(*place, first, end):
            start = flow.target_first or 0
            found[flow.label] += min(end, start + flow.length) - max(first, start)
    return dict(found)
