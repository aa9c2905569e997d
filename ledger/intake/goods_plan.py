"""A plan of goods: gifts in kind, distributions out of their lots, and what is left out.

Every row of both lists gets exactly one outcome, so that rows and units can be accounted for
(`goods_account`). What cannot be read stops the import, as in lists of gifts of money; what
is readable and impossible (a negative quantity, more delivered than was offered, a test) is
left out and listed; what is possible and odd (delivered before it was asked for) is recorded
and flagged. Why: docs/adr/0013-goods-from-lists.md.

`goods_matching` makes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ledger.intake.gift_rows import RowError
from ledger.intake.goods_items import Goods
from ledger.intake.goods_lists import Delivery, Moment, Offer
from ledger.records.kind import QUANTITY_MAX

QUANTITY_ODD = 10**8
"""An offer of so many units is flagged: a mistyped or a test row."""

ListName = Literal["offers", "deliveries", "items"]
Name = tuple[str, str, str, int, int]
"""What a record is known by: offer or delivery, its number, item, line and part."""

LEFT_OUT: Mapping[str, tuple[str, str]] = {
    "test": ("the row says that it is a test", "nothing to do"),
    "not_delivered": ("the row says that nothing was delivered", "nothing to do"),
    "repeated": (
        "another row says exactly the same",
        "delete one of them, or import with --repeats record if both happened",
    ),
    "zero_quantity": ("nothing was given or delivered", "nothing to do, or correct the quantity"),
    "negative_quantity": ("a quantity is never below zero", "correct the quantity"),
    "quantity_too_large": (
        f"a record holds at most {QUANTITY_MAX:,} units",
        "correct the quantity",
    ),
    "no_offer": (
        "no offer in the list has these goods of this donor",
        "add the offer, or correct donor or item",
    ),
    "beyond_offer": (
        "more than is left of what was offered",
        "correct the quantity, or add the offer that it came from",
    ),
}
"""Why a readable row is not recorded, and what a person can do."""

FLAGS: Mapping[str, str] = {
    "delivered_before_request": "delivered before it was asked for; recorded on the day stated",
    "delivered_before_offer": "delivered before the offer was made; recorded on the day stated",
    "reason_given": "delivered, and yet the row states a reason why not",
    "split": "taken out of several offers, one record for each",
    "quantity_odd": f"an offer of {QUANTITY_ODD:,} units or more",
}
"""What is odd about a row that is recorded."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person says of the lists, and where the goods are kept.

    Attributes:
        site: The code of the site through which all goods go.
        delivered: Statuses that say that a row was delivered, in lower case; a list without
            statuses has only deliveries.
        tests: Statuses or reasons that mark a test, in lower case.
        record_repeats: Whether exact repeats are records of their own.
        default_unit: The unit of new items for which no list states one.
    """

    site: str
    delivered: frozenset[str]
    tests: frozenset[str]
    record_repeats: bool = False
    default_unit: str = "件"

    def is_delivered(self, status: str) -> bool:
        """Whether a status says that the row was delivered."""
        return not status or status.casefold() in self.delivered

    def is_test(self, row: Delivery) -> bool:
        """Whether a row is marked as a test."""
        return bool({row.status.casefold(), row.reason.casefold()} & self.tests)


class KnownGoods(NamedTuple):
    """What the ledger has of a row: the entry and what it moved, from which file."""

    entry: int
    item: str
    amount: int
    lot: str
    site: str
    occurred_on: str
    documents: Sequence[str]


Known = Callable[[Sequence[Name]], Mapping[Name, KnownGoods]]
"""Names of first parts → what the ledger has under them, and under their further parts."""


class PlannedOffer(NamedTuple):
    """An offer as a gift in kind; `entry` where it is recorded already."""

    offer: Offer
    item: str
    amount: int
    lot: str
    name: Name
    entry: int | None


class PlannedPart(NamedTuple):
    """What of a delivery comes out of one lot; `entry` where it is recorded already."""

    lot: str
    amount: int
    name: Name
    entry: int | None


class PlannedDelivery(NamedTuple):
    """A delivery as distributions to a facility, one for each lot."""

    delivery: Delivery
    item: str
    facility: str
    parts: tuple[PlannedPart, ...]


class Marked(NamedTuple):
    """A row that is left out, or flagged: which, how many units, and why (a code)."""

    list: ListName
    row: int
    quantity: int
    code: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another content under a number that the ledger has: stops the import."""

    list: ListName
    row: int
    entry: int
    reason: str
    remedy: str = (
        "if the entry is wrong, reverse it and record what is right; if the list is, correct it"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsPlan:
    """What recording these lists would do.

    Attributes:
        offers, deliveries: To be recorded or recorded already, the deliveries in the order
            in which they happened.
        left_out, flagged: Rows by what is impossible or odd about them.
        rows, units: Of each list, as the file has them (unreadable rows have no units).
        items: Item code → how it is counted and registered.
        facilities: Party code → name, of the facilities that get something.
        errors, conflicts: Each keeps everything from being recorded.
        digest: SHA-256 in hex over the files and every decision; the same before and after.
    """

    settings: Settings
    files: Mapping[ListName, str]
    offers: tuple[PlannedOffer, ...] = field(repr=False)
    deliveries: tuple[PlannedDelivery, ...] = field(repr=False)
    left_out: tuple[Marked, ...] = field(repr=False)
    flagged: tuple[Marked, ...] = field(repr=False)
    rows: Mapping[ListName, int]
    units: Mapping[ListName, int]
    items: Mapping[str, Goods]
    facilities: Mapping[str, str] = field(repr=False)
    errors: tuple[tuple[ListName, RowError], ...] = field(repr=False)
    conflicts: tuple[Conflict, ...]
    digest: str

    @property
    def clean(self) -> bool:
        """Whether it may be recorded: no errors and no conflicts."""
        return not self.errors and not self.conflicts

    @property
    def first_day(self) -> str | None:
        """The first day of anything in it."""
        days = [one.offer.offered.day for one in self.offers]
        days += [day_of(one.delivery).day for one in self.deliveries]
        return min(days, default=None)

    @property
    def new_records(self) -> int:
        """Gifts and distributions that the ledger has not."""
        parts = [part for one in self.deliveries for part in one.parts]
        return sum(one.entry is None for one in self.offers) + sum(
            one.entry is None for one in parts
        )


def day_of(delivery: Delivery) -> Moment:
    """The moment of a delivery that was delivered."""
    assert delivery.delivered is not None, "only rows with a day are planned"
    return delivery.delivered


def remarks_of(plan: GoodsPlan, name: str) -> dict[int, list[tuple[str, str, str]]]:
    """What is said of the rows of one list: row → ``(column, reason, remedy)`` each.

    Rows that say themselves that nothing was delivered are not listed: nothing is wrong.
    """
    found: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for where, error in plan.errors:
        if where == name:
            found[error.row].append((error.column, error.reason, error.remedy))
    for conflict in plan.conflicts:
        if conflict.list == name:
            found[conflict.row].append(("", conflict.reason, conflict.remedy))
    for one in plan.left_out:
        if one.list == name and one.code != "not_delivered":
            found[one.row].append(
                ("", f"{one.code}: {LEFT_OUT[one.code][0]}", LEFT_OUT[one.code][1])
            )
    for one in plan.flagged:
        if one.list == name:
            found[one.row].append(("", f"{one.code}: {FLAGS[one.code]}", ""))
    return dict(found)
