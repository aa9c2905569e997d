"""去向 and 来源: where an entry's units went, and whose units they are, as tables.

The walk is the ledger's (``trace``); this module makes rows of it. Every part of the
traced amount is in exactly one row or in the row that sums up the others, so the parts
always sum to the whole. A page shows a walk through at most `ENTRIES_MAX` entries; a
larger one is a download.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.pages.directory import Amount, Directory, Place
from api.pages.flow_picture import FlowPicture
from api.pages.format import format_percents, format_ranges
from api.pages.kinds import kind_title
from api.pages.pooled import LinksTable, PoolsTable, links_table, pools_table
from api.pages.texts import Translator
from api.pages.trace_picture import trace_picture
from ledger.errors import LedgerError
from ledger.flows import End, Ending, Walk, is_world
from ledger.pools import find_pools
from ledger.related import find_related
from ledger.store import Reader
from ledger.trace import TOO_LARGE, StoreFlows
from ledger.verify import Direction, walk

ENTRIES_MAX = 1000
"""A walk on a page may meet this many entries; it is made anew for each reader."""
ENDS_SHOWN = 40
HOPS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class EndRow:
    """Where a part of the traced amount rests.

    Attributes:
        amount: The part, in units of what was traced.
        percent: Its part of the whole; empty where several assets are told of.
        state: Still held, gone out, or come in.
        place: The account.
        now: What the part is now, where it is something else than what was traced.
        numbers: The numbers of its units in the account; `numbered` is their unit.
        entry: The last entry that it went through.
    """

    amount: Amount
    percent: str
    state: Ending
    place: Place
    now: Amount | None
    now_item: Place | None
    numbers: list[str]
    numbered: str
    entry: int


@dataclass(frozen=True, slots=True)
class RestRow:
    """The parts that have no row of their own, summed up."""

    count: int
    amount: Amount
    percent: str


@dataclass(frozen=True, slots=True)
class HopRow:
    """One step: an entry that moved a part of the units."""

    entry: int
    title: str
    amount: Amount
    source: Place
    target: Place


@dataclass(frozen=True, slots=True)
class WalkTable:
    """The answer for one posting; rows and rest of `ends` sum to `totals`."""

    posting: int
    amount: Amount
    ends: list[EndRow]
    rest: list[RestRow]
    totals: list[Amount]
    hops: list[HopRow]
    hops_left_out: int


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One direction; `walks` is None where it is too large for a page.

    `pools` and `links` are what the walk went through as a whole, and what is linked to it;
    `held_fen` is how much of it is money that lies in the federation's accounts; `traced` are
    the walks themselves, and `pictures` the forward ones as drawings.
    """

    direction: Direction
    walks: list[WalkTable] | None
    pools: PoolsTable
    links: LinksTable
    held_fen: int
    traced: Sequence[Walk]
    pictures: list[FlowPicture]


def find_whereabouts(
    reader: Reader,
    entry: int,
    direction: Direction,
    directory: Directory,
    translator: Translator,
) -> Whereabouts:
    """Walk from an entry in one direction, and tell it as tables."""
    source = StoreFlows(reader, entries_max=ENTRIES_MAX)
    try:
        walks = walk(source, entry, direction)
    except LedgerError as error:
        if error.code != TOO_LARGE:
            raise
        walks, tables = (), None
    else:
        tables = [_table(one, direction, directory, translator) for one in walks]
    ends = [end for one in walks for end in one.ends]
    held = sum(end.amount for end in ends if end.state == "held" and end.asset == "CNY")
    pools = pools_table(find_pools(reader, walks), directory)
    links = links_table(find_related(reader, entry, direction, walks), directory, translator)
    pictures = [
        picture
        for one in (walks if direction == "forward" else ())
        if (picture := trace_picture(one, directory, translator)) is not None
    ]
    return Whereabouts(direction, tables, pools, links, held, walks, pictures)


def _table(
    one: Walk, direction: Direction, directory: Directory, translator: Translator
) -> WalkTable:
    forward = direction == "forward"
    ends, rest = _ends(one, one.asset if forward else None, directory)
    hops = [
        HopRow(
            hop.entry,
            kind_title(hop.kind, translator),
            directory.amount(hop.asset, hop.amount),
            directory.account(hop.source),
            directory.account(hop.target),
        )
        for hop in one.hops[:HOPS_SHOWN]
    ]
    return WalkTable(
        one.posting,
        directory.amount(one.asset, one.amount),
        ends,
        rest,
        [directory.amount(asset, amount) for asset, amount in sorted(one.amounts.items())],
        hops,
        max(0, len(one.hops) - HOPS_SHOWN),
    )


def _ends(
    one: Walk, traced: str | None, directory: Directory
) -> tuple[list[EndRow], list[RestRow]]:
    """The rows of a walk's ends; `traced` is the asset that a forward walk counts in."""
    shown, others = one.ends[:ENDS_SHOWN], one.ends[ENDS_SHOWN:]
    sums: dict[str, list[int]] = {}
    for end in others:
        count_and_amount = sums.setdefault(traced or end.asset, [0, 0])
        count_and_amount[0] += 1
        count_and_amount[1] += end.amount
    parts = [end.amount for end in shown] + [amount for _, amount in sums.values()]
    # Per cents of yuan and of boxes together would mean nothing.
    alike = len({traced or end.asset for end in one.ends}) == 1
    percents = format_percents(parts) if alike else [""] * len(parts)
    rows = [
        _end_row(end, percent, traced, directory)
        for end, percent in zip(shown, percents, strict=False)
    ]
    rest = [
        RestRow(count, directory.amount(asset, amount), percent)
        for (asset, (count, amount)), percent in zip(
            sums.items(), percents[len(shown) :], strict=True
        )
    ]
    return rows, rest


def _end_row(end: End, percent: str, traced: str | None, directory: Directory) -> EndRow:
    changed = traced is not None and end.asset != traced
    now = item = None
    if changed and end.units is not None:
        now = directory.amount(end.asset, end.units[1] - end.units[0])
    elif changed:
        # Outside nothing is numbered: which thing it became is known, how many is not.
        item = directory.amount(end.asset, 0).item
    return EndRow(
        directory.amount(traced or end.asset, end.amount),
        percent,
        end.state,
        directory.account(end.account),
        now,
        item,
        [] if end.units is None or is_world(end.account) else format_ranges([end.units]),
        directory.numbered(end.asset),
        end.entry,
    )
