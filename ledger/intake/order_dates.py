"""Days inside order numbers.

Payment platforms build order numbers from a merchant's number and the time of payment,
``…20200124090926…`` (yyyymmddHHMMSS). Where *every* order number of a list has a real
time at one and the same place, that is the day of payment, and a list without a date
column can be dated from it. One number that does not fit, and nothing is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.intake.cells import DAY_MIN

STAMP_DIGITS = 14
DAY_LAST = "2100-12-31"


@dataclass(frozen=True, slots=True)
class OrderDates:
    """Where the days stand.

    Attributes:
        place: The 0-based place of the year's first digit in every order number.
        days: The eight digits as they stand there → the day, ``2020-01-24``.
    """

    place: int
    days: dict[str, str]

    def of(self, order: str) -> str:
        """The day inside one of the order numbers that this was found in."""
        return self.days[order[self.place : self.place + 8]]

    @property
    def earliest(self) -> str:
        return min(self.days.values())

    @property
    def latest(self) -> str:
        return max(self.days.values())


def find_order_dates(orders: Sequence[str], day_last: str = DAY_LAST) -> OrderDates | None:
    """The place at which every order number has a time; None where there is none.

    Of several places the leftmost is taken: digits of a day and a clock can look like a
    later time, digits before a time are a merchant's number.

    Args:
        orders: All order numbers of the list.
        day_last: The last day that is possible.
    """
    if not orders:
        return None
    for place in range(min(map(len, orders)) - STAMP_DIGITS + 1):
        days = _days_at(orders, place, day_last)
        if days is not None:
            return OrderDates(place, days)
    return None


def _days_at(orders: Sequence[str], place: int, day_last: str) -> dict[str, str] | None:
    days: dict[str, str] = {}
    end = place + STAMP_DIGITS
    clock = place + 8
    for order in orders:
        digits = order[place:clock]
        if digits not in days:
            day = _day(digits)
            if day is None or not DAY_MIN <= day <= day_last:
                return None
            days[digits] = day
        time = order[clock:end]
        # Compared as text: six ASCII digits, each pair below its limit.
        if not (time.isdigit() and time.isascii()):
            return None
        if time > "235959" or time[2] > "5" or time[4] > "5":
            return None
    return days


def _day(digits: str) -> str | None:
    if not (digits.isdigit() and digits.isascii()):
        return None
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        return None
