"""What a holder of points has, for who issues or redeems them at the counter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.records.points import usable_on
from ledger.store import Reader

POINTS = "points"
RANGES_READ = 1000
"""Ranges of one holder's points that are looked at; further ones count as not usable yet."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Points of one holder: what may be redeemed today, and all that is held."""

    holder: str
    usable: int
    held: int

    @property
    def not_usable(self) -> int:
        """What waits for its day, or has run out and is not yet taken back."""
        return self.held - self.usable


def find_balance(
    reader: Reader, kind: str, values: Mapping[str, object], day: str
) -> Balance | None:
    """The balance of the holder in a form of points; None for other kinds and unknown holders.

    Args:
        kind: The record kind.
        values: The holder is its ``fields.holder``.
        day: The day by which points are usable.
    """
    holder = values.get("fields.holder")
    if kind.partition(".")[0] != POINTS or not isinstance(holder, str) or not holder.strip():
        return None
    holder = holder.strip()
    total = reader.account_total(POINTS, f"{POINTS}:{holder}")
    if total is None:
        is_known = reader.object(f"party/{holder}") is not None
        return Balance(holder, 0, 0) if is_known else None
    rank = usable_on(day)
    usable = sum(
        end - first
        for first, end, label in reader.held_ranges(total.account, limit=RANGES_READ)
        if rank(label) is not None
    )
    return Balance(holder, usable, total.held)
