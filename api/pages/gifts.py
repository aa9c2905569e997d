"""My gift: what its donor wants to know of it, from public data alone.

Four stages tell how far it went (received, allocated, spent, delivered; goods have
others), and the parts tell where each yuan or box of it is now. Both come from the walk
over its units (``trace``), so the parts always sum to the gift. Who gave it is sealed, and
comes onto the page only for who brings the seed (`gift_routes`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from api.pages.directory import Amount, Directory, Place
from api.pages.format import format_percents, format_share, format_yuan_words
from api.pages.kinds import kind_title, order_of
from api.pages.texts import Translator
from ledger.entry import Entry, parse_entry
from ledger.flows import GIVERS, REVERSAL, End, Hop, Walk, is_world
from ledger.locator import format_short_code
from ledger.store import Reader

GIFTS = frozenset(("donation.money", "donation.matched", "donation.goods"))
"""The kinds whose entries have a page as gifts."""
ENTRIES_SHOWN = 6
"""Entries that a stage names; the table of steps has the others."""
ISSUES_SHOWN = 20
"""Issues of points that a gift's page sums up."""
MONEY = "CNY"

_PARTS = (
    "unspent",
    "in_stock",
    "on_the_way",
    "delivered",
    "supplier",
    "sold",
    "returned",
    "lost",
    "elsewhere",
)
"""What a part of a gift has become, in the order in which the page tells it."""

_LEFT: Mapping[str, str] = {
    "world:beneficiary": "delivered",
    "world:helped": "delivered",
    "world:redeemed": "delivered",
    "world:supplier": "supplier",
    "world:buyer": "sold",
    "world:loss": "lost",
}
_MONEY_STAGES = ("allocated", "spent", "delivered")
_GOODS_STAGES = ("moved", "delivered")
_ACROSS = frozenset(("money.allocated", "fee.charged", "purpose.changed", "leftover.assigned"))


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a gift's way.

    Attributes:
        name: ``received``, ``allocated``, ``spent``, ``moved`` or ``delivered``.
        state: ``done`` for all of it, ``partly``, or ``none``.
        amount: How much of the gift came this far; `percent` of it, rounded down.
        first, last: The days of the first and the last entry; empty for none.
        entries: The entries, at most `ENTRIES_SHOWN`; `more` are left out.
    """

    name: str
    state: str
    amount: Amount
    percent: str
    first: str
    last: str
    entries: Sequence[int]
    more: int


@dataclass(frozen=True, slots=True)
class PartRow:
    """What a part of the gift is now; all parts sum to the gift, their per cents to 100."""

    name: str
    amount: Amount
    percent: str


@dataclass(frozen=True, slots=True)
class Points:
    """The points that were given for a gift: how many, to whom, by which entries."""

    amount: Amount
    holders: Sequence[Place]
    entries: Sequence[int]
    more: bool


@dataclass(frozen=True, slots=True)
class OfficialReceipt:
    """The official receipt (捐赠票据) that covers the gift: code, number, day, entry."""

    code: str
    number: str
    issued_on: str
    entry: int


@dataclass(frozen=True, slots=True)
class GiftView:
    """A gift as its page shows it."""

    index: int
    title: str
    kind: str
    amount: Amount
    words: str
    places: Sequence[Place]
    occurred_on: str
    recorded_at: str
    stages: Sequence[Stage]
    parts: Sequence[PartRow]
    points: Points | None
    official: OfficialReceipt | None
    sealed: Sequence[tuple[str, str]]
    short_code: str
    erased_by: int | None


def gift_view(
    entry: Entry,
    walks: Sequence[Walk],
    reader: Reader,
    directory: Directory,
    translator: Translator,
    *,
    origin: str,
    hidden: bool,
) -> GiftView:
    """What the page of a gift says besides the tables of its walk.

    Args:
        entry: A gift (`GIFTS`).
        walks: Its forward walk; empty where that is too large for a page.
        origin: The log's name, for the short code.
        hidden: Whether its fields are shown no more.
    """
    posting = entry.postings[0]
    walk = walks[0] if walks else None
    erased = _object(reader, f"erased/{entry.index}")
    amount = directory.amount(posting["asset"], posting["amount"])
    money = posting["asset"] == MONEY
    return GiftView(
        entry.index,
        kind_title(entry.kind, translator),
        entry.kind,
        amount,
        format_yuan_words(posting["amount"]) if money else "",
        list(_places(entry, directory, translator, hidden)),
        entry.occurred_on,
        entry.recorded_at,
        () if walk is None else _stages(entry, walk, reader, directory),
        () if walk is None else _parts(walk, directory),
        _points(entry.index, reader, directory),
        _official(entry.index, reader),
        [
            (name, translator.word("field", name))
            for name in sorted(entry.sealed, key=lambda one: order_of(entry.kind).get(one, 0))
        ],
        format_short_code(origin, entry.index),
        None if erased is None else erased["entry"],
    )


def _places(
    entry: Entry, directory: Directory, translator: Translator, hidden: bool
) -> Iterable[Place]:
    """What it was given for: fund, project and campaign, or where goods came to.

    A project and its campaign often have one name, so each says which of them it is.
    """
    yield directory.account(entry.postings[0]["to"])
    for family in ("project", "campaign"):
        if family in entry.fields and not hidden:
            place = directory.place(family, entry.fields[family])
            yield replace(place, name=translator.text(f"gift.for_{family}", name=place.name))


def _parts(walk: Walk, directory: Directory) -> list[PartRow]:
    sums: dict[str, int] = defaultdict(int)
    for end in walk.ends:
        sums[_part_of(end)] += end.amount
    found = [(name, sums[name]) for name in _PARTS if sums[name]]
    percents = format_percents([amount for _, amount in found])
    return [
        PartRow(name, directory.amount(walk.asset, amount), percent)
        for (name, amount), percent in zip(found, percents, strict=True)
    ]


def _part_of(end: End) -> str:
    if end.state == "held":
        family = end.account.partition(":")[0]
        if end.asset == MONEY:
            return "unspent"
        return {"stock": "in_stock", "transit": "on_the_way"}.get(family, "elsewhere")
    if end.account in GIVERS:
        return "returned"
    return _LEFT.get(end.account, "elsewhere")


def _stages(entry: Entry, walk: Walk, reader: Reader, directory: Directory) -> list[Stage]:
    """The stages of a gift. What was undone by a reversal counts for none of them."""
    found: dict[str, list[Hop]] = defaultdict(list)
    undone: dict[int, bool] = {}
    for hop in walk.hops:
        names = () if hop.entry == entry.index else _stages_of(hop)
        if names and hop.entry not in undone:
            undone[hop.entry] = _object(reader, f"reversed/{hop.entry}") is not None
        for name in names:
            if not undone[hop.entry]:
                found[name].append(hop)
    told = _MONEY_STAGES if walk.asset == MONEY else _GOODS_STAGES
    received = Stage(
        "received",
        "done",
        directory.amount(walk.asset, walk.amount),
        "100.00%",
        entry.occurred_on,
        entry.occurred_on,
        (entry.index,),
        0,
    )
    return [received, *(_stage(name, found[name], walk, reader, directory) for name in told)]


def _stages_of(hop: Hop) -> tuple[str, ...]:
    """The stages that a step belongs to: money paid to a person is spent and has arrived."""
    if hop.kind == REVERSAL:
        return ()
    if hop.kind in _ACROSS:
        return ("allocated",)
    if hop.kind == "goods.moved":
        return ("moved",)
    spent = hop.asset == MONEY and is_world(hop.target) and hop.target not in GIVERS
    delivered = _LEFT.get(hop.target) == "delivered"
    return ("spent",) * spent + ("delivered",) * delivered


def _stage(
    name: str, hops: Sequence[Hop], walk: Walk, reader: Reader, directory: Directory
) -> Stage:
    reached = _covered(hops)
    entries = sorted({hop.entry for hop in hops})
    days = _days(entries, reader)
    state = "none" if not reached else "done" if reached == walk.amount else "partly"
    return Stage(
        name,
        state,
        directory.amount(walk.asset, reached),
        format_share(reached, walk.amount),
        min(days, default=""),
        max(days, default=""),
        entries[:ENTRIES_SHOWN],
        max(0, len(entries) - ENTRIES_SHOWN),
    )


def _covered(hops: Iterable[Hop]) -> int:
    """How many units of the gift went through these hops, each counted once."""
    total = end = 0
    for first, last in sorted(hop.share for hop in hops if hop.share is not None):
        total += max(0, last - max(first, end))
        end = max(end, last)
    return total


def _days(entries: Sequence[int], reader: Reader) -> list[str]:
    found = reader.chosen_entries(entries)
    return [parse_entry(data).occurred_on for data in found.values()]


def _points(index: int, reader: Reader, directory: Directory) -> Points | None:
    issues = (_object(reader, f"points-of/{index}") or {"issues": []})["issues"]
    found = reader.chosen_entries(issues[:ISSUES_SHOWN])
    entries = [parse_entry(found[number]) for number in sorted(found)]
    if not entries:
        return None
    clawed = sum(
        (_object(reader, f"clawed/{one.index}") or {"points": 0})["points"] for one in entries
    )
    given = sum(one.postings[0]["amount"] for one in entries)
    holders = dict.fromkeys(one.postings[0]["to"] for one in entries)
    return Points(
        directory.amount("points", given - clawed),
        [directory.account(one) for one in holders],
        [one.index for one in entries],
        len(issues) > ISSUES_SHOWN,
    )


def _official(index: int, reader: Reader) -> OfficialReceipt | None:
    bound = _object(reader, f"receipt-of/{index}")
    if bound is None:
        return None
    fields = parse_entry(reader.entry(bound["entry"])).fields
    return OfficialReceipt(
        fields["receipt_code"], fields["receipt_number"], fields["issued_on"], bound["entry"]
    )


def _object(reader: Reader, key: str) -> Any:
    data = reader.object(key)
    return None if data is None else orjson.loads(data)
