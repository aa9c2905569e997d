"""One account for its auditor: what came in and what went out, by the numbers of its units.

A page is read by the two indexes of the flows: as many rows as it shows, however many the
account has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from api.pages.directory import Amount, Directory, Place
from api.pages.format import format_ranges
from api.pages.kinds import kind_title
from api.pages.texts import Translator
from ledger.entry import parse_entry
from ledger.flows import Flow
from ledger.statement import find_account
from ledger.store import Reader

ROWS = 50
"""Movements of each direction on one page."""

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class MoveRow:
    """Units with numbers that follow each other, moved by one entry."""

    entry: int
    title: str
    occurred_on: str
    numbers: list[str]
    amount: Amount
    other: Place


@dataclass(frozen=True, slots=True)
class Moves:
    """A page of one direction; `next` is the number to go on from, None at the end."""

    rows: list[MoveRow]
    next: int | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account: what it ever received, what left it, what is there, and a page of each."""

    place: Place
    numbered: str
    received: Amount
    left: Amount
    held: Amount
    incoming: Moves
    outgoing: Moves


def account_view(
    reader: Reader,
    asset: str,
    account: str,
    firsts: tuple[int, int],
    directory: Directory,
    translator: Translator,
) -> AccountView:
    """An account's page.

    Args:
        firsts: The unit number from which what came in is shown, and what went out.

    Raises:
        NotFoundError: no such account, or the outside.
    """
    total = find_account(reader, asset, account)
    pages = partial(_moves, reader, total.account, directory, translator)
    return AccountView(
        directory.account(account),
        directory.numbered(asset),
        directory.amount(asset, total.received),
        directory.amount(asset, total.received - total.held),
        directory.amount(asset, total.held),
        pages("target", firsts[0]),
        pages("source", firsts[1]),
    )


def _moves(
    reader: Reader,
    account: int,
    directory: Directory,
    translator: Translator,
    side: Side,
    first: int,
) -> Moves:
    flows = reader.numbered_flows(side, account, first=first, limit=ROWS + 1)
    shown = flows[:ROWS]
    entries = reader.chosen_entries([flow.entry for flow in shown])
    parsed = {index: parse_entry(data) for index, data in entries.items()}
    rows = [
        MoveRow(
            flow.entry,
            kind_title(parsed[flow.entry].kind, translator),
            parsed[flow.entry].occurred_on,
            format_ranges([(_number(flow, side), _number(flow, side) + flow.length)]),
            directory.amount(flow.asset, flow.length),
            directory.account(flow.source if side == "target" else flow.target),
        )
        for flow in shown
    ]
    return Moves(rows, _next(flows, side))


def _next(flows: Sequence[Flow], side: Side) -> int | None:
    return _number(flows[ROWS], side) if len(flows) > ROWS else None


def _number(flow: Flow, side: Side) -> int:
    """The first number that the units had in the account."""
    number = flow.target_first if side == "target" else flow.source_first
    return number or 0
