"""Opening balances: what was there before the ledger (domain, section 1, "opening")."""

from __future__ import annotations

from ledger.entry import Entry
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
from ledger.state import Move, State, references_of

OPENING = "world:opening"


class FundOpening(Fields):
    """Money that a fund, or one of its projects, started with."""

    fund: Code
    amount_fen: Fen


class StockOpening(Lot):
    """Goods that a site started with: one lot of one item."""

    site: Code
    item: Code
    quantity: Quantity
    unit: Name | None = None


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
    if fields.fund is not None:
        fund = state.find("fund", fields.fund.fund, "fields.fund.fund")
        account = f"fund:{fields.fund.fund}"
        move = Move("CNY", fields.fund.amount_fen, OPENING, account, label="")
        about = [fund]
    elif fields.stock is not None:
        stock = fields.stock
        where = "fields.stock"
        item, quantity = base_quantity(state, stock.item, stock.quantity, stock.unit, where)
        label = lot_label(item, stock, where)
        target = f"stock:{stock.site}"
        move = Move(f"item:{stock.item}", quantity, OPENING, target, label=label)
        about = [item, state.find("site", stock.site, "fields.stock.site")]
    else:
        assert fields.points is not None
        holder = state.find("party", fields.points.holder, "fields.points.holder")
        label = expiry_label(fields.as_of, fields.points.expires_on)
        target = f"points:{fields.points.holder}"
        move = Move("points", fields.points.points, OPENING, target, label=label)
        about = [holder]
    _check_unused(state, move)
    return Plan((move,), references_of(*about))


def _check_unused(state: State, move: Move) -> None:
    """Once per account, before its first other movement; again only after a reversal."""
    if state.account_id(move.asset, move.target) < 0:
        return
    opened = state.get(f"opened/{move.asset}/{move.target}")
    holdings = state.holdings(move.asset, move.target)
    if opened is None or opened["received"] != holdings.received or holdings.balance():
        reject(
            "account_in_use",
            f"{move.target} has movements of {move.asset} already; an opening balance comes "
            "before them, and once",
            account=move.target,
        )


def _effects_opened(entry: Entry, state: State, sign: int) -> None:
    posting = entry.postings[0]
    key = f"opened/{posting['asset']}/{posting['to']}"
    # Kept after a reversal too: it tells that nothing but openings moved in the account.
    state.put(key, {"received": posting["at"] + posting["amount"], "entry": entry.index})
    if posting["asset"] == "CNY":
        fund = posting["to"].removeprefix("fund:")
        state.add(f"fund-total/{fund}", opened_fen=sign * posting["amount"])
    elif posting["asset"] != "points":
        item = posting["asset"].removeprefix("item:")
        state.add(f"item-total/{item}", opened=sign * posting["amount"])


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
