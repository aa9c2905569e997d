"""Unspent money by age: how long ago the gifts came in whose money still lies there.

Units are numbered in the order in which they were recorded, so the oldest are looked at
first, and what is not looked at came later than all that was. A page looks at so many
arrivals and no more; the rest is summed, with the entry after which it came.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from ledger.entry import parse_entry
from ledger.store import Reader

BORDERS_DAYS = (30, 90, 365)
"""Ages of up to so many days; the last age is more than that."""
ARRIVALS_MAX = 300
RANGES_MAX = 50

_DAY = re.compile(rb'"occurred_on":"(\d{4}-\d\d-\d\d)"')


@dataclass(frozen=True, slots=True)
class Age:
    """What is between two ages in days; `most` is None for the oldest."""

    least: int
    most: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class Ages:
    """Unspent units by age, the youngest first; they and `rest` sum to what is held.

    `rest` was recorded after entry `rest_after`, and its age was not looked at.
    """

    rows: list[Age]
    rest: int
    rest_after: int
    oldest_on: str


def unspent_ages(
    reader: Reader, account: str, held: int, day: str, *, label: str | None = None
) -> Ages | None:
    """The money in an account by age as of a day; None where there is none.

    Args:
        reader: The snapshot.
        account: The account, like ``fund:general``.
        held: Fen in it, of that label.
        day: The day as of which age is counted.
        label: The project that the money is for; None for all of it.
    """
    total = reader.account_total("CNY", account)
    if total is None or held <= 0:
        return None
    arrivals = reader.held_arrivals(
        total.account, label=label, ranges=RANGES_MAX, limit=ARRIVALS_MAX
    )
    days = _days(reader, {entry for entry, _ in arrivals})
    today = dt.date.fromisoformat(day)
    sums = [0] * (len(BORDERS_DAYS) + 1)
    for entry, amount in arrivals:
        age = (today - dt.date.fromisoformat(days[entry])).days
        sums[sum(age > border for border in BORDERS_DAYS)] += amount
    leasts = (0, *(border + 1 for border in BORDERS_DAYS))
    rows = [
        Age(least, most, amount)
        for least, most, amount in zip(leasts, (*BORDERS_DAYS, None), sums, strict=True)
    ]
    rest_after = arrivals[-1][0] if arrivals else 0
    return Ages(rows, held - sum(sums), rest_after, min(days.values(), default=day))


def _days(reader: Reader, entries: set[int]) -> dict[int, str]:
    """The day on which each of these entries happened."""
    found = {}
    for index, data in reader.chosen_entries(sorted(entries)).items():
        # A nested field may be called the same; then the whole entry is read.
        days = _DAY.findall(data)
        found[index] = days[0].decode() if len(days) == 1 else parse_entry(data).occurred_on
    return found
