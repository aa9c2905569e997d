"""Opening balances: what was there before the ledger (domain, section 1, "opening")."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ledger.entry import Entry
from ledger.records.gifts import find_project
from ledger.records.goods import Lot, base_quantity, lot_label
from ledger.records.kind import (
    APPROVERS,
    Code,
    Day,
    Draft,
    Fen,
    Fields,
    Kind,
    Name,
    Plan,
    Quantity,
    Role,
    Text,
    reject,
)
from ledger.records.points import expiry_label
from ledger.records.totals import add_fund, add_project
from ledger.state import Move, State, references_of

OPENING = "world:opening"
PARTS_MAX = 100


class Earmark(Fields):
    """A part of a fund's opening balance that belongs to one of its projects."""

    project: Code
    amount_fen: Fen


class FundOpening(Fields):
    """Money that a fund started with, and what of it is earmarked."""

    fund: Code
    amount_fen: Fen
    earmarked: Annotated[list[Earmark], Field(max_length=PARTS_MAX)] = Field(default_factory=list)


class StockLot(Lot):
    """One lot of the goods that a site started with."""

    quantity: Quantity
    unit: Name | None = None


class StockOpening(Fields):
    """Goods of one item that a site started with, lot by lot."""

    site: Code
    item: Code
    lots: Annotated[list[StockLot], Field(min_length=1, max_length=PARTS_MAX)]


class PointsOpening(Fields):
    """Points that a holder started with."""

    holder: Code
    points: Quantity
    expires_on: Day | None = None


class BalanceOpened(Fields):
    """The balance of one account on the day before the ledger takes over."""

    as_of: Day
    basis: Text
    fund: FundOpening | None = None
    stock: StockOpening | None = None
    points: PointsOpening | None = None


def _plan_opened(draft: Draft[BalanceOpened], state: State) -> Plan:
    fields = draft.fields
    if sum(one is not None for one in (fields.fund, fields.stock, fields.points)) != 1:
        reject(
            "one_account",
            "fields: expected exactly one of fund, stock and points",
            field="fields",
        )
    if fields.as_of > draft.occurred_on:
        reject(
            "as_of_later",
            f"fields.as_of: {fields.as_of} is after the day it happened, {draft.occurred_on}",
            field="fields.as_of",
        )
    if fields.fund is not None:
        moves, about = _open_fund(fields.fund, state)
    elif fields.stock is not None:
        moves, about = _open_stock(fields.stock, state)
    else:
        assert fields.points is not None
        about = [state.find("party", fields.points.holder, "fields.points.holder")]
        label = expiry_label(fields.as_of, fields.points.expires_on)
        target = f"points:{fields.points.holder}"
        moves = [Move("points", fields.points.points, OPENING, target, label=label)]
    _check_unused(state, moves[0])
    return Plan(moves, references_of(*about))


def _open_fund(opening: FundOpening, state: State) -> tuple[list[Move], list[Any]]:
    about = [state.find("fund", opening.fund, "fields.fund.fund")]
    parts: list[tuple[str, int]] = []
    for part in opening.earmarked:
        about += find_project(state, part.project, opening.fund)
        parts.append((part.project, part.amount_fen))
    free = opening.amount_fen - sum(amount for _, amount in parts)
    if free < 0:
        reject(
            "earmarked_over_amount",
            f"fields.fund.earmarked: {opening.amount_fen - free} fen are earmarked of "
            f"{opening.amount_fen}",
            field="fields.fund.earmarked",
        )
    if free:
        parts.insert(0, ("", free))
    account = f"fund:{opening.fund}"
    return [Move("CNY", amount, OPENING, account, label=label) for label, amount in parts], about


def _open_stock(opening: StockOpening, state: State) -> tuple[list[Move], list[Any]]:
    about = [state.find("site", opening.site, "fields.stock.site")]
    moves: list[Move] = []
    for number, lot in enumerate(opening.lots):
        where = f"fields.stock.lots.{number}"
        item, quantity = base_quantity(state, opening.item, lot.quantity, lot.unit, where)
        about.append(item)
        label, target = lot_label(item, lot, where), f"stock:{opening.site}"
        moves.append(Move(f"item:{opening.item}", quantity, OPENING, target, label=label))
    return moves, about


def _check_unused(state: State, move: Move) -> None:
    """Once per account, before its first other movement; again only after a reversal."""
    if state.account_id(move.asset, move.target) < 0:
        return
    opened = state.get(f"opened/{move.asset}/{move.target}")
    holdings = state.holdings(move.asset, move.target)
    reopened = opened is not None and state.get(f"reversed/{opened['entry']}") is not None
    if not reopened or opened["received"] != holdings.received:
        reject(
            "account_in_use",
            f"{move.target} has movements of {move.asset} already; an opening balance comes "
            "before them, and once",
            account=move.target,
        )


def _effects_opened(entry: Entry, state: State, sign: int) -> None:
    last = entry.postings[-1]
    asset, account = last["asset"], last["to"]
    amount = sign * sum(posting["amount"] for posting in entry.postings)
    # Kept after a reversal too: it tells that nothing but openings moved in the account.
    received = {"received": last["at"] + last["amount"], "entry": entry.index}
    state.put(f"opened/{asset}/{account}", received)
    if asset == "CNY":
        add_fund(state, account.removeprefix("fund:"), opened_fen=amount)
        for part in entry.fields["fund"]["earmarked"]:
            add_project(state, part["project"], opened_fen=sign * part["amount_fen"])
    elif asset == "points":
        state.add("points-total", opened=amount)
    else:
        state.add(f"item-total/{asset.removeprefix('item:')}", opened=amount)


BALANCE_OPENED = Kind(
    name="balance.opened",
    title_zh="期初余额",
    title_en="Balance opened",
    moves="world:opening → fund, stock or points",
    fields=BalanceOpened,
    recorders=frozenset((Role.CLERK,)),
    approvers=APPROVERS,
    plan=_plan_opened,
    effects=_effects_opened,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "as_of": "2021-12-31",
            "basis": "上年度审计报告",
            "fund": {"fund": "next-year", "amount_fen": 100_000},
        },
    },
)
