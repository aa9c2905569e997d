"""What a holder of points asks: when they run out, and what the shops have for them.

When points run out is told month by month over all holders; a month of few holders is hidden as
in the public statistics (ADR 12), and further ones with it, so that no sum gives it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.pages.directory import Amount, Directory, Place
from api.pages.registers import CHARITY_SUPERMARKET, STOCKS_MAX
from ledger.attention import KeptBoard
from ledger.attention.item import View
from ledger.statistics import Group, group_rule, least_group, publish
from ledger.statistics.groups import Cell
from ledger.store import Reader

MONTHS_MAX = 36
"""Months of the schedule that the page lists, from the earliest."""
PRICES_MAX = 50
"""Priced items whose stock the page lists, by the code of their rule."""


@dataclass(frozen=True, slots=True)
class Month:
    """Points that can be used until a month: with their numbers, or with the mark for them.

    `name` is empty for those that never expire; `over` says that the month has passed.
    """

    name: str
    cell: Cell
    over: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the points of all holders run out, as of one entry and day.

    `least` is the least number of holders of a month that is shown, None without a rule;
    `left_out` counts the months that are not listed.
    """

    last: int
    day: str
    least: int | None
    months: list[Month]
    left_out: int


@dataclass(frozen=True, slots=True)
class ShopStock:
    """What one charity supermarket has of an item."""

    place: Place
    held: Amount


@dataclass(frozen=True, slots=True)
class PricedItem:
    """An item that points are redeemed for: the price of one unit, by which rule, and its stock."""

    item: Place
    unit: str
    points: int
    rule: int
    shops: list[ShopStock]
    more: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """The priced items; `left_out` counts those that are not listed."""

    rows: list[PricedItem]
    left_out: int


def schedule_of(boards: KeptBoard, reader: Reader) -> Schedule | None:
    """When points run out, as the board that was searched last has it.

    None while a large log is searched for the first time: a public page waits for no search.
    """
    board = boards.newest(reader)
    if board is None:
        return None
    least = least_group(group_rule(View(reader, board.day)))
    groups = [
        Group({"month": one.month}, one.holders, {"points": one.points}) for one in board.expiring
    ]
    cells = {one.key["month"]: one for one in publish(groups, least, "holders").cells}
    this_month = board.day[: len("2022-01")]
    # As the board has them: those that never expire come last.
    months = [
        Month(one.month, cells[one.month], len(one.month) > 0 and one.month < this_month)
        for one in board.expiring
    ]
    left_out = max(0, len(months) - MONTHS_MAX)
    return Schedule(board.size - 1, board.day, least, months[:MONTHS_MAX], left_out)


def prices_of(reader: Reader, day: str, directory: Directory) -> Prices:
    """What the shops have for points: the items with a price in force on a day."""
    data = reader.object("topic/points_price")
    codes = [] if data is None else sorted(orjson.loads(data)["rules"])
    rules = reader.chosen_objects([f"rule/{code}" for code in codes[:PRICES_MAX]])
    valid = [
        version
        for code in codes[:PRICES_MAX]
        for version in _in_force(orjson.loads(rules[f"rule/{code}"])["versions"], day)
    ]
    directory.look_up("item", [one["points_price"]["item"] for one in valid])
    rows = [_priced(one, reader, directory) for one in valid]
    return Prices(rows, max(0, len(codes) - PRICES_MAX))


def _in_force(versions: Sequence[Any], day: str) -> list[Any]:
    return [one for one in versions if one["in_force_from"] <= day][-1:]


def _priced(rule: Any, reader: Reader, directory: Directory) -> PricedItem:
    price = rule["points_price"]
    asset = f"item:{price['item']}"
    holders = reader.asset_sums(asset, "stock:", limit=STOCKS_MAX + 1)
    sites = [one.name.removeprefix("stock:") for one in holders[:STOCKS_MAX]]
    directory.look_up("site", sites)
    shops = [
        ShopStock(directory.place("site", site), directory.amount(asset, holder.held))
        for site, holder in zip(sites, holders, strict=False)
        if directory.thing("site", site)["site_class"] == CHARITY_SUPERMARKET
    ]
    return PricedItem(
        directory.place("item", price["item"]),
        directory.numbered(asset),
        price["points_per_unit"],
        rule["entry"],
        shops,
        len(holders) > STOCKS_MAX,
    )
