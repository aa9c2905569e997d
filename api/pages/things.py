"""The pages of sites, parties, wishes, lots and points: what the ledger publicly has of each.

A person is a code here, as in the log; who it is stands nowhere but on receipts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api.pages.directory import Amount, Directory, Place
from api.pages.listing import Filters, find_entries
from api.pages.registers import SITES_MAX, Listing, Registers, Statement
from ledger.entry import Entry, parse_entry
from ledger.errors import NotFoundError
from ledger.records.goods import NEVER
from ledger.statistics import points_in_all
from ledger.store import Reader

LOT_LOOKED_AT = 100
"""Entries about an item that are looked through for those of one lot."""
ARRIVALS_MAX = 20
"""Entries about one sending that are looked at for what came of it."""
ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class ThingRow:
    """A registered thing in a list."""

    place: Place
    thing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StockRow:
    """An item at a site."""

    item: Place
    received: Amount
    held: Amount


@dataclass(frozen=True, slots=True)
class HeldPart:
    """Points or minutes of a holder that expire on a day; an empty day is never."""

    amount: Amount
    expires_on: str
    usable_on: str


@dataclass(frozen=True, slots=True)
class HolderAccount:
    """What a holder ever received and still has, with when it expires."""

    received: Amount
    held: Amount
    used: Amount
    parts: list[HeldPart]


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot of an item: the label that its units carry, and that in words."""

    label: str
    name: str


@dataclass(frozen=True, slots=True)
class LotSite:
    """A lot at one site: how much came, how much is still there."""

    site: Place
    received: Amount
    held: Amount


@dataclass(frozen=True, slots=True)
class PointsSums:
    """Points over all rules; `outstanding` is what holders still have."""

    opened: int
    issued: int
    redeemed: int
    expired: int
    reversed: int

    @property
    def outstanding(self) -> int:
        """What came in less what went out."""
        return self.opened + self.issued - self.redeemed - self.expired - self.reversed


def find_thing(reader: Reader, family: str, code: str) -> Any:
    """A registered thing.

    Raises:
        NotFoundError: there is none of that code.
    """
    thing = Directory.read_thing(reader, family, code)
    if thing is None:
        raise NotFoundError(f"there is no {family} with code {code[:60]!r}", code="no_such_code")
    return thing


def list_things(
    reader: Reader, family: str, after: str | None, directory: Directory
) -> Listing[ThingRow]:
    """Things of a family by rising code."""
    start = "" if after is None else f"{family}/{after}"
    found = reader.objects(f"{family}/", after=start, limit=ROWS_MAX + 1)
    rows = []
    for key, data in found[:ROWS_MAX]:
        code, thing = key.removeprefix(f"{family}/"), orjson.loads(data)
        directory.remember(family, code, thing)
        rows.append(ThingRow(directory.place(family, code), thing))
    more = len(found) > ROWS_MAX
    following = found[ROWS_MAX - 1][0].removeprefix(f"{family}/") if more else None
    return Listing(rows, following, after is None and not more)


def site_stock(
    reader: Reader, site: str, after: str | None, directory: Directory
) -> Listing[StockRow]:
    """What a site has or had, item by item, by rising code."""
    start = "" if after is None else f"item:{after}"
    found = reader.named_sums(f"stock:{site}", after=start, limit=ROWS_MAX + 1)
    directory.look_up("item", [total.asset.removeprefix("item:") for total in found])
    rows = []
    for total in found[:ROWS_MAX]:
        received, held = (
            directory.amount(total.asset, one) for one in (total.received, total.held)
        )
        place = directory.place("item", total.asset.removeprefix("item:"))
        rows.append(StockRow(place, received, held))
    more = len(found) > ROWS_MAX
    following = found[ROWS_MAX - 1].asset.removeprefix("item:") if more else None
    return Listing(rows, following, after is None and not more)


def holder_account(
    reader: Reader, registers: Registers, asset: str, holder: str, directory: Directory
) -> HolderAccount | None:
    """A holder's points (or minutes); None where there never were any."""
    total = reader.account_total(asset, f"{asset}:{holder}")
    statement: Statement | None = registers.statement(asset, f"{asset}:{holder}")
    if total is None or statement is None or not total.received:
        return None
    sums: dict[str, int] = {}
    for first, end, label in reader.held_ranges(total.account, limit=ROWS_MAX):
        sums[label] = sums.get(label, 0) + end - first
    parts = []
    for label, amount in sorted(sums.items()):
        expires, _, usable = label.partition("/")
        parts.append(
            HeldPart(directory.amount(asset, amount), "" if expires == NEVER else expires, usable)
        )
    used = directory.amount(asset, total.received - total.held)
    return HolderAccount(statement.received, statement.held, used, parts)


def lot_sites(reader: Reader, item: str, lot: str, directory: Directory) -> list[LotSite]:
    """Where a lot is or was: ``best-before/lot``, as its units carry it."""
    pools = reader.labelled_pools(f"item:{item}", "stock:", lot, looked_at=SITES_MAX)
    codes = [pool.name.removeprefix("stock:") for pool in pools]
    directory.look_up("site", codes)
    return [
        LotSite(
            directory.place("site", code),
            directory.amount(pool.asset, pool.received),
            directory.amount(pool.asset, pool.held),
        )
        for code, pool in zip(codes, pools, strict=True)
    ]


def lot_entries(reader: Reader, size: int, item: str, lot: str) -> tuple[list[Entry], bool]:
    """The newest entries that moved units of a lot, and whether all about the item were looked at.

    Goods leave by the first to expire, so a record need not name the lot: its units' label does.
    Nor does a receipt name the item: it is found by the sending that it refers to.
    """
    asset = f"item:{item}"
    found = find_entries(reader, size, Filters(about=(("item", item),)), limit=LOT_LOOKED_AT)
    by_index = {one.index: one for one in found.entries}
    moved = reader.those_that_moved(list(by_index), asset, lot)
    came = {
        index
        for sent in moved
        if by_index[sent].kind == "goods.moved"
        for index in reader.referrers(sent, after=sent, limit=ARRIVALS_MAX)
        if index not in by_index
    }
    received = reader.chosen_entries(reader.those_that_moved(came, asset, lot))
    by_index |= {index: parse_entry(data) for index, data in received.items()}
    moved |= came & by_index.keys()
    return [by_index[index] for index in sorted(moved, reverse=True)], found.before is None


def lots_of(reader: Reader, item: str, after: str | None, directory: Directory) -> Listing[LotRow]:
    """The lots of an item that any site has or had, by their labels; `next` is one of those."""
    found: dict[str, None] = {}
    for total in reader.asset_sums(f"item:{item}", "stock:", limit=SITES_MAX):
        pools = reader.account_pools(total.account, ROWS_MAX + 1, after=after or "")
        found |= dict.fromkeys(pool.label for pool in pools)
    labels = sorted(found)[: ROWS_MAX + 1]
    rows = []
    for label in labels[:ROWS_MAX]:
        place = directory.label(f"item:{item}", label)
        rows.append(LotRow(label, label if place is None else place.name))
    more = len(labels) > ROWS_MAX
    return Listing(rows, labels[ROWS_MAX - 1] if more else None, after is None and not more)


def points_sums(reader: Reader, day: str) -> PointsSums:
    """Points issued, redeemed, expired and outstanding, over all rules and shops."""
    return PointsSums(**points_in_all(reader, day))


def time_sums(reader: Reader) -> Mapping[str, int]:
    """Service minutes of the time bank: confirmed, and spent."""
    data = reader.object("time-total")
    found = {} if data is None else orjson.loads(data)
    return {name: found.get(f"{name}_minutes", 0) for name in ("confirmed", "spent")}
