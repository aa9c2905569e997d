"""Changes of stock that are no hand-over: repacked, counted, written off, sold.

Each names its reason; what is lost or found goes to ``world:loss`` and comes from
``world:surplus`` by an entry of its own (domain, section 1, "goods").
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.gifts import find_project
from ledger.records.goods import NEVER, Lot, LotCode, base_quantity, first_expired, lot_label
from ledger.records.kind import (
    APPROVERS,
    Code,
    Draft,
    Fen,
    Fields,
    Kind,
    Name,
    Plan,
    Quantity,
    Role,
    Sealed,
    Text,
    reject,
)
from ledger.records.totals import add_money
from ledger.state import Move, State, references_of

INPUTS_MAX = 50
WAREHOUSE = frozenset((Role.WAREHOUSE,))


class RepackInput(Fields):
    """Goods that went into a pack."""

    item: Code
    quantity: Quantity
    unit: Name | None = None
    lot: LotCode | None = None


class GoodsRepacked(Lot):
    """Goods of a site made into others: kits packed, cartons opened."""

    site: Code
    inputs: Annotated[list[RepackInput], Field(min_length=1, max_length=INPUTS_MAX)]
    item: Code = Field(description="what was made")
    quantity: Quantity
    unit: Name | None = None
    reason: Text


def _plan_repacked(draft: Draft[GoodsRepacked], state: State) -> Plan:
    fields = draft.fields
    made, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    label = lot_label(made, fields, "fields")
    about: list[Any] = [made, state.find("site", fields.site, "fields.site")]
    stock = f"stock:{fields.site}"
    moves: list[Move] = []
    earliest = NEVER
    for number, one in enumerate(fields.inputs):
        where = f"fields.inputs.{number}"
        item, amount = base_quantity(state, one.item, one.quantity, one.unit, where)
        if one.item in (fields.item, *(move.asset.removeprefix("item:") for move in moves)):
            reject("item_twice", f"{where}.item: expected each item once", field=f"{where}.item")
        about.append(item)
        rank = first_expired(one.lot)
        asset = f"item:{one.item}"
        taken = state.holdings(asset, stock).pick(amount, rank)
        for _, carried in state.labels(asset, stock, taken):
            earliest = min(earliest, carried.partition("/")[0] or NEVER)
        moves.append(Move(asset, amount, stock, "world:repack", rank=rank))
    if (fields.best_before or NEVER) > earliest:
        reject(
            "best_before_later",
            f"fields.best_before: what went in is best before {earliest}; "
            "what was made is no fresher",
            field="fields.best_before",
        )
    moves.append(Move(f"item:{fields.item}", quantity, "world:repack", stock, label=label))
    return Plan(moves, references_of(*about))


def _effects_repacked(entry: Entry, state: State, sign: int) -> None:
    for posting in entry.postings:
        code = posting["asset"].removeprefix("item:")
        side = "repacked_in" if posting["to"] == "world:repack" else "repacked_out"
        state.add(f"item-total/{code}", **{side: sign * posting["amount"]})


GOODS_REPACKED = Kind(
    name="goods.repacked",
    title_zh="物资改包",
    title_en="Goods repacked",
    moves="items stock → world:repack → item stock",
    fields=GoodsRepacked,
    recorders=WAREHOUSE,
    plan=_plan_repacked,
    effects=_effects_repacked,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "site": "warehouse-central",
            "inputs": [{"item": "rice", "quantity": 2}],
            "item": "relief-pack",
            "quantity": 1,
            "best_before": "2022-06-30",
            "reason": "组装慰问包",
        },
    },
)


class GoodsCounted(Lot):
    """A stocktake 盘点 of one item at one site; a difference moves units.

    Lot and dates are those of the goods that are missing, or were found.
    """

    site: Code
    item: Code
    counted: Annotated[int, Field(ge=0, le=10**12)] = Field(description="in the base unit")
    reason: Text | None = Field(None, description="required where the count differs")


def _plan_counted(draft: Draft[GoodsCounted], state: State) -> Plan:
    fields = draft.fields
    item = state.find("item", fields.item, "fields.item")
    site = state.find("site", fields.site, "fields.site")
    asset, stock = f"item:{fields.item}", f"stock:{fields.site}"
    booked = state.holdings(asset, stock).balance()
    moves: tuple[Move, ...] = ()
    if fields.counted != booked and fields.reason is None:
        reject(
            "difference_unexplained",
            f"fields.reason: the ledger has {booked} {item['unit']}, {fields.counted} were "
            "counted; say why",
            field="fields.reason",
            booked=booked,
        )
    if fields.counted < booked:
        rank = first_expired(fields.lot)
        moves = (Move(asset, booked - fields.counted, stock, "world:loss", rank=rank),)
    elif fields.counted > booked:
        label = lot_label(item, fields, "fields")
        moves = (Move(asset, fields.counted - booked, "world:surplus", stock, label=label),)
    return Plan(moves, references_of(item, site))


def _effects_counted(entry: Entry, state: State, sign: int) -> None:
    for posting in entry.postings:
        side = "lost" if posting["to"] == "world:loss" else "surplus"
        total = f"item-total/{entry.fields['item']}"
        state.add(total, **{side: sign * posting["amount"]})


GOODS_COUNTED = Kind(
    name="goods.counted",
    title_zh="盘点",
    title_en="Goods counted",
    moves="differences: item stock → world:loss, or world:surplus → stock",
    fields=GoodsCounted,
    recorders=frozenset((Role.WAREHOUSE, Role.SHOP)),
    # A shortage writes goods off, so somebody else must have seen the count.
    approvers=APPROVERS,
    plan=_plan_counted,
    effects=_effects_counted,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "site": "shop-5",
            "item": "rice",
            "counted": 22,
            "reason": "盘亏一袋，包装破损",
        },
    },
)


class GoodsWrittenOff(Fields):
    """Goods lost, spoiled or expired, in a site's stock or on the way."""

    site: Code | None = None
    shipment: Code | None = Field(None, description="for goods that never arrived")
    item: Code
    quantity: Quantity
    unit: Name | None = None
    lot: LotCode | None = None
    cause: Literal["spoiled", "expired", "damaged", "lost"]
    reason: Text


def _plan_written_off(draft: Draft[GoodsWrittenOff], state: State) -> Plan:
    fields = draft.fields
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    if (fields.site is None) == (fields.shipment is None):
        reject("one_place", "fields: expected a site or a shipment", field="fields")
    if fields.site is not None:
        place = state.find("site", fields.site, "fields.site")
        account = f"stock:{fields.site}"
    else:
        shipment = str(fields.shipment)
        place = state.find("shipment", shipment, "fields.shipment")
        account = f"transit:{shipment}"
    rank = first_expired(fields.lot)
    move = Move(f"item:{fields.item}", quantity, account, "world:loss", rank=rank)
    return Plan((move,), references_of(item, place))


def _effects_written_off(entry: Entry, state: State, sign: int) -> None:
    amount = sign * entry.postings[0]["amount"]
    state.add(f"item-total/{entry.fields['item']}", lost=amount)


GOODS_WRITTEN_OFF = Kind(
    name="goods.written_off",
    title_zh="物资报废",
    title_en="Goods written off",
    moves="item stock or transit → world:loss",
    fields=GoodsWrittenOff,
    recorders=frozenset((Role.WAREHOUSE, Role.SHOP)),
    approvers=APPROVERS,
    plan=_plan_written_off,
    effects=_effects_written_off,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "site": "shop-4",
            "item": "rice",
            "quantity": 1,
            "cause": "damaged",
            "reason": "受潮",
        },
    },
)


class GoodsSold(Fields):
    """Goods turned into money 变卖, which goes to a fund."""

    site: Code
    item: Code
    quantity: Quantity
    unit: Name | None = None
    lot: LotCode | None = None
    fund: Code
    project: Code | None = None
    amount_fen: Fen
    reason: Text


class BuyerSealed(Sealed):
    """Who bought."""

    buyer_name: Name | None = None
    account: Text | None = None


def _plan_sold(draft: Draft[GoodsSold], state: State) -> Plan:
    fields = draft.fields
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    about = [
        item,
        state.find("site", fields.site, "fields.site"),
        state.find("fund", fields.fund, "fields.fund"),
        *find_project(state, fields.project, fields.fund),
    ]
    rank = first_expired(fields.lot)
    stock, label = f"stock:{fields.site}", fields.project or ""
    # What was sold becomes what was paid: the pair is one conversion (flows).
    moves = (
        Move(f"item:{fields.item}", quantity, stock, "world:buyer", rank=rank),
        Move("CNY", fields.amount_fen, "world:buyer", f"fund:{fields.fund}", label=label),
    )
    return Plan(moves, references_of(*about))


def _effects_sold(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    goods, money = entry.postings
    state.add(f"item-total/{fields['item']}", sold=sign * goods["amount"])
    add_money(state, fields["fund"], fields.get("project"), sales_fen=sign * money["amount"])


GOODS_SOLD = Kind(
    name="goods.sold",
    title_zh="物资变卖",
    title_en="Goods sold",
    moves="item stock → world:buyer; CNY world:buyer → fund",
    fields=GoodsSold,
    sealed=BuyerSealed,
    recorders=WAREHOUSE,
    approvers=APPROVERS,
    plan=_plan_sold,
    effects=_effects_sold,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "site": "warehouse-central",
            "item": "rice",
            "quantity": 2,
            "fund": "general",
            "amount_fen": 6_000,
            "reason": "临期前变卖",
        },
    },
)
