"""Beside a walk: the pools that it went through as a whole, and the entries linked to it."""

from __future__ import annotations

from dataclasses import dataclass

from api.pages.directory import Amount, Directory, Place
from api.pages.format import format_share
from api.pages.kinds import kind_title
from api.pages.texts import Translator
from ledger.pools import Pools
from ledger.related import Part, Related, Relations

OUTCOMES_SHOWN = 5
"""Ends of a linked walk that its row names."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool: `label` is None for the whole account; `plain` marks units without a label."""

    place: Place
    label: Place | None
    plain: bool
    received: Amount
    spent: Amount
    held: Amount
    share: str
    traced: Amount
    traced_held: Amount


@dataclass(frozen=True, slots=True)
class PoolsTable:
    """The pools of one walk."""

    rows: list[PoolRow]
    more: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a part of a linked entry's units is, or came from."""

    amount: Amount
    state: str
    place: Place


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A linked entry: what it is to the entry `of`, and where its units are."""

    relation: str
    of: int
    entry: int
    title: str
    part: Amount | None
    whole: Amount | None
    shared_by: int | None
    outcomes: list[Outcome] | None
    outcomes_more: int


@dataclass(frozen=True, slots=True)
class LinksTable:
    """The entries that are linked to one walk."""

    rows: list[LinkRow]
    more: bool


def pools_table(pools: Pools, directory: Directory) -> PoolsTable:
    """The pools with their names."""
    rows = [
        PoolRow(
            directory.account(one.account),
            None if one.label is None else directory.label(one.asset, one.label),
            one.label == "",
            directory.amount(one.asset, one.received),
            directory.amount(one.asset, one.spent),
            directory.amount(one.asset, one.held),
            format_share(one.spent, one.received),
            directory.amount(one.asset, one.traced),
            directory.amount(one.asset, one.traced_held),
        )
        for one in pools.rows
    ]
    return PoolsTable(rows, pools.more)


def links_table(relations: Relations, directory: Directory, translator: Translator) -> LinksTable:
    """The linked entries with what became of their units."""
    rows = [_link(one, directory, translator) for one in relations.rows]
    return LinksTable(rows, relations.more)


def _link(one: Related, directory: Directory, translator: Translator) -> LinkRow:
    ends = None if one.walks is None else [(w, end) for w in one.walks for end in w.ends]
    outcomes = None
    if ends is not None:
        outcomes = [
            Outcome(
                directory.amount(w.asset if end.share is not None else end.asset, end.amount),
                end.state,
                directory.account(end.account),
            )
            for w, end in ends[:OUTCOMES_SHOWN]
        ]
    return LinkRow(
        one.relation,
        one.of,
        one.entry,
        kind_title(one.kind, translator),
        _amount(one.part, directory),
        None if one.part is None else directory.amount(one.part.asset, one.part.whole),
        one.shared_by,
        outcomes,
        max(0, len(ends or ()) - OUTCOMES_SHOWN),
    )


def _amount(part: Part | None, directory: Directory) -> Amount | None:
    return None if part is None else directory.amount(part.asset, part.amount)
