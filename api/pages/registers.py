"""Funds, projects, items, shops and points with their totals, and single ones in full.

Totals are only ever derived: they come from the state, which every entry's effects add
to, in the one snapshot that the page names as its size (domain, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from api.pages.directory import Amount, Directory, Place
from api.pages.format import format_ranges
from ledger.errors import NotFoundError
from ledger.store import HolderRow, PoolRow, Reader

ROWS_MAX = 100
"""Things in one list; the next ones are a page further."""
SITES_MAX = 500
"""Sites among which the charity supermarkets are found."""
STOCKS_MAX = 50
"""Sites whose stock of one item is told on the item's page."""
HELD_ROWS_MAX = 50
"""Ranges of an account that a page lists; the others are summed up."""

CHARITY_SUPERMARKET = "charity_supermarket"
AMOUNTS = (
    "gifts",
    "opened",
    "raised",
    "refunded",
    "received",
    "allocated",
    "fees",
    "spent",
    "sales",
)
UNITS_IN = ("opened", "given", "bought", "surplus", "repacked_out")
UNITS_OUT = ("distributed", "redeemed", "lost", "sold", "repacked_in")
"""What an item's totals count; what was made by repacking comes out of it."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A fund or a project with its money in fen; `balance` is what is left of it."""

    place: Place
    thing: Mapping[str, Any]
    gifts: int
    opened: int
    raised: int
    refunded: int
    received: int
    allocated: int
    fees: int
    spent: int
    sales: int

    @property
    def balance(self) -> int:
        """What came in less what went out."""
        came = self.opened + self.raised + self.received + self.sales
        return came - self.refunded - self.allocated - self.fees - self.spent


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with its units, as they came in (`UNITS_IN`) and went out (`UNITS_OUT`)."""

    place: Place
    thing: Mapping[str, Any]
    opened: int
    given: int
    bought: int
    surplus: int
    repacked_out: int
    distributed: int
    redeemed: int
    lost: int
    sold: int
    repacked_in: int
    valued_fen: int
    paid_fen: int

    @property
    def on_hand(self) -> int:
        """What is in stock or on the way between two sites."""
        came = sum(getattr(self, name) for name in UNITS_IN)
        return int(came - sum(getattr(self, name) for name in UNITS_OUT))


@dataclass(frozen=True, slots=True)
class ShopRow:
    """A charity supermarket and what was redeemed there."""

    place: Place
    redemptions: int
    points_redeemed: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A points rule and the points that were issued by it."""

    place: Place
    issued: int


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """Rows of a register by rising code.

    `next` is the code to go on after, None at the end; `whole` says that these rows are
    all there are, so that they may be summed.
    """

    rows: list[Row]
    next: str | None
    whole: bool


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A run of units in an account that carry one label, with their numbers."""

    amount: Amount
    label: Place | None
    numbers: list[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """An account: what it ever received, what is still in it, and which units those are."""

    account: Place
    received: Amount
    held: Amount
    held_units: int
    rows: list[HeldRow]
    rest: Amount | None
    numbered: str


@dataclass(frozen=True, slots=True)
class Stock:
    """An item's units site by site; `transit` is None where not every site was asked."""

    rows: list[Statement]
    transit: Amount | None


def _money(place: Place, thing: Mapping[str, Any], totals: Mapping[str, int]) -> MoneyRow:
    amounts = [totals.get(name if name == "gifts" else f"{name}_fen", 0) for name in AMOUNTS]
    return MoneyRow(place, thing, *amounts)


class Registers:
    """The registers of one snapshot; lists have at most `rows_max` rows a page, `ROWS_MAX` by
    default."""

    def __init__(self, reader: Reader, directory: Directory, rows_max: int | None = None) -> None:
        self._rows_max = ROWS_MAX if rows_max is None else rows_max
        self._reader = reader
        self._directory = directory

    def in_all(self) -> Mapping[str, int]:
        """All funds together: the amounts of a `MoneyRow` and its balance."""
        sums: dict[str, int] = {}
        for _, data in self._reader.objects("class-total/", limit=ROWS_MAX):
            for name, amount in orjson.loads(data).items():
                sums[name] = sums.get(name, 0) + amount
        row = _money(Place(""), {}, sums)
        return {**{name: getattr(row, name) for name in AMOUNTS}, "balance": row.balance}

    def funds(self, after: str | None = None) -> Listing[MoneyRow]:
        """The funds."""
        return self._list("fund", after, lambda code, total: self._row("fund", code, total))

    def projects(self, after: str | None = None, state: str = "") -> Listing[MoneyRow]:
        """The projects; only the ``open`` or the ``closed`` ones of a page, if asked for."""
        listing = self._list(
            "project", after, lambda code, total: self._row("project", code, total)
        )
        if not state:
            return listing
        keys = [f"project-closed/{one.thing['code']}" for one in listing.rows]
        closed = self._reader.chosen_objects(keys)
        rows = [
            one
            for one, key in zip(listing.rows, keys, strict=True)
            if (key in closed) == (state == "closed")
        ]
        return Listing(rows, listing.next, listing.whole)

    def items(self, after: str | None = None) -> Listing[ItemRow]:
        """The goods."""
        return self._list("item", after, self._item)

    def shops(self) -> Listing[ShopRow]:
        """The charity supermarkets, found among the first `SITES_MAX` sites."""
        sites = self._reader.objects("site/", limit=SITES_MAX + 1)
        rows = []
        for key, data in sites[:SITES_MAX]:
            if orjson.loads(data)["site_class"] == CHARITY_SUPERMARKET:
                rows.append(self._shop(key.removeprefix("site/")))
        return Listing(rows, None, len(sites) <= SITES_MAX)

    def shop(self, code: str) -> ShopRow | None:
        """A charity supermarket with its redemptions; None where the site is none."""
        thing = self._find("site", code)
        return self._shop(code) if thing["site_class"] == CHARITY_SUPERMARKET else None

    def _shop(self, code: str) -> ShopRow:
        totals = self._totals("site-total", code)
        redeemed = totals.get("points_redeemed", 0)
        return ShopRow(self._directory.place("site", code), totals.get("redemptions", 0), redeemed)

    def points_rules(self) -> Listing[RuleRow]:
        """The rules by which points were issued."""
        keys = self._reader.objects("points-total/", limit=ROWS_MAX + 1)
        rows = [
            RuleRow(
                self._directory.place("rule", key.removeprefix("points-total/")),
                orjson.loads(data).get("issued", 0),
            )
            for key, data in keys[:ROWS_MAX]
        ]
        return Listing(rows, None, len(keys) <= ROWS_MAX)

    def money(self, family: str, code: str) -> MoneyRow:
        """A fund or a project with its totals.

        Raises:
            NotFoundError: nothing of that family has that code.
        """
        return self._row(family, code, self._totals(f"{family}-total", code))

    def _row(self, family: str, code: str, totals: Mapping[str, int]) -> MoneyRow:
        thing = self._find(family, code)
        return _money(self._directory.place(family, code), thing, totals)

    def item(self, code: str) -> ItemRow:
        """An item with its totals.

        Raises:
            NotFoundError: there is no such item.
        """
        return self._item(code, self._totals("item-total", code))

    def _item(self, code: str, totals: Mapping[str, int]) -> ItemRow:
        thing = self._find("item", code)
        return ItemRow(
            self._directory.place("item", code),
            thing,
            *(totals.get(name, 0) for name in (*UNITS_IN, *UNITS_OUT, "valued_fen", "paid_fen")),
        )

    def statement(self, asset: str, account: str) -> Statement | None:
        """An account's statement; None where it never held anything."""
        total = self._reader.account_total(asset, account)
        return None if total is None else self._statement(total)

    def _statement(self, total: HolderRow | PoolRow) -> Statement:
        asset, directory = total.asset, self._directory
        shown = self._reader.held_ranges(total.account, limit=HELD_ROWS_MAX)
        listed = sum(end - first for first, end, _ in shown)
        return Statement(
            directory.account(total.name),
            directory.amount(asset, total.received),
            directory.amount(asset, total.held),
            total.held,
            [
                HeldRow(
                    directory.amount(asset, end - first),
                    directory.label(asset, label),
                    format_ranges([(first, end)]),
                )
                for first, end, label in shown
            ],
            directory.amount(asset, total.held - listed) if total.held > listed else None,
            directory.numbered(asset),
        )

    def held_for(self, project: str, fund: str) -> int:
        """Fen in a fund's account that are earmarked for a project."""
        pool = self._reader.pool("CNY", f"fund:{fund}", project)
        return 0 if pool is None else pool.held

    def stock(self, item: ItemRow) -> Stock:
        """Where an item's units are: in the stock of each site, or on the way."""
        asset = f"item:{item.thing['code']}"
        holders = self._reader.asset_sums(asset, "stock:", limit=STOCKS_MAX + 1)
        rows = [self._statement(total) for total in holders[:STOCKS_MAX]]
        transit = item.on_hand - sum(statement.held_units for statement in rows)
        whole = len(holders) <= STOCKS_MAX
        return Stock(rows, self._directory.amount(asset, transit) if whole else None)

    def _list(
        self, family: str, after: str | None, row: Callable[[str, Mapping[str, int]], Row]
    ) -> Listing[Row]:
        start = "" if after is None else f"{family}/{after}"
        some = self._rows_max
        found = self._reader.objects(f"{family}/", after=start, limit=some + 1)
        codes = [key.removeprefix(f"{family}/") for key, _ in found[:some]]
        for code, (_, data) in zip(codes, found, strict=False):
            self._directory.remember(family, code, orjson.loads(data))
        totals = self._reader.chosen_objects([f"{family}-total/{code}" for code in codes])
        rows = [
            row(code, orjson.loads(totals.get(f"{family}-total/{code}", b"{}"))) for code in codes
        ]
        more = len(found) > some
        return Listing(rows, codes[-1] if more else None, after is None and not more)

    def _find(self, family: str, code: str) -> Any:
        thing = self._directory.thing(family, code)
        if thing is None:
            raise NotFoundError(
                f"there is no {family} with code {code[:60]!r}; the lists name those there are",
                code="no_such_code",
            )
        return thing

    def _totals(self, family: str, code: str) -> Mapping[str, int]:
        data = self._reader.object(f"{family}/{code}")
        totals: Mapping[str, int] = {} if data is None else orjson.loads(data)
        return totals
