"""When points run out: how many of them, and of how many holders, month by month.

The search for what asks for attention looks at every holder's points anyway; this sums them
up on the way. A page shows it as `statistics.publish` allows, for the rows count persons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from ledger.records.goods import NEVER
from ledger.store import PoolRow

_MONTH_CHARS = len("2022-01")


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points that can be used until a month, and how many holders have any.

    Attributes:
        month: Of their last day, ``2022-01``; empty for those that never expire.
        holders: Who has points of several months counts in each.
    """

    month: str
    points: int
    holders: int


def by_month(pools: Iterable[PoolRow]) -> tuple[Expiring, ...]:
    """What holders' pools of points say, by rising month; those that never expire come last.

    Args:
        pools: Account by account; the labels are `records.points.expiry_label`'s.
    """
    last = NEVER[:_MONTH_CHARS]
    points: dict[str, int] = {}
    holders: dict[str, int] = {}
    for _, account in groupby(pools, key=lambda pool: pool.account):
        months: set[str] = set()
        for pool in account:
            month = pool.label.partition("/")[0][:_MONTH_CHARS] or last
            points[month] = points.get(month, 0) + pool.held
            months.add(month)
        for month in months:
            holders[month] = holders.get(month, 0) + 1
    return tuple(
        Expiring("" if month == last else month, points[month], holders[month])
        for month in sorted(points)
    )
