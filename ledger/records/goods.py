"""Goods: given, moved, received, distributed (domain, section 1, "goods").

A site's stock of an item is one account; its units carry best-before date and lot as
their label, and leave first expired, first out. Goods on the way are in an account of
their shipment until the other side records them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.gifts import check_open
from ledger.records.kind import (
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
    Sealed,
    Text,
    claim_code,
    reject,
)
from ledger.records.rules import rules_of_topic
from ledger.state import Move, State, references_of
from ledger.units import Rank

NEVER = "9999-12-31"
GOODS_RECORDERS = frozenset((Role.WAREHOUSE, Role.CLERK))

LotCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]


class Lot(Fields):
    """What tells goods of one item apart."""

    lot: LotCode | None = None
    made_on: Day | None = None
    best_before: Day | None = None


def base_quantity(
    state: State, item: str, quantity: int, unit: str | None, where: str
) -> tuple[Any, int]:
    """The item and the quantity in its base unit; boxes are never counted as pieces.

    Raises:
        RejectedError: ``unknown_item``, or a unit that the item has no factor for.
    """
    found = state.find("item", item, f"{where}.item")
    factors = {found["unit"]: 1, **{pack["unit"]: pack["factor"] for pack in found["packs"]}}
    factor = factors.get(unit or found["unit"])
    if factor is None:
        reject(
            "unknown_unit",
            f"{where}.unit: {item} is counted in {', '.join(factors)}, not in {unit}",
            field=f"{where}.unit",
            units=sorted(factors),
        )
    return found, quantity * factor


def lot_label(item: Any, lot: Lot, where: str) -> str:
    """The label of goods: ``<best before>/<lot>``, empty where neither is known.

    Raises:
        RejectedError: a perishable item without a date, or dates the wrong way round.
    """
    if item["perishable"] and lot.best_before is None:
        reject(
            "best_before_missing",
            f"{where}.best_before: {item['code']} is perishable; record its best-before date",
            field=f"{where}.best_before",
        )
    if lot.made_on and lot.best_before and lot.best_before < lot.made_on:
        reject(
            "best_before_made",
            f"{where}.best_before: {lot.best_before} is before it was made, {lot.made_on}",
            field=f"{where}.best_before",
        )
    return f"{lot.best_before or ''}/{lot.lot or ''}" if lot.best_before or lot.lot else ""


def check_shelf_life(state: State, item: Any, lot: Lot, day: str, where: str) -> list[Any]:
    """Refuse goods with too little shelf life left, by the dated rules in force.

    Returns:
        The rules that decided, so that the record refers to them.

    Raises:
        RejectedError: ``shelf_life_too_short``.
    """
    if lot.best_before is None:
        return []
    left = (dt.date.fromisoformat(lot.best_before) - dt.date.fromisoformat(day)).days
    decided: list[Any] = []
    for rule in rules_of_topic(state, "shelf_life", day):
        terms = rule["shelf_life"]
        if terms["items"] and item["code"] not in terms["items"]:
            continue
        if left < terms["days_min"]:
            reject(
                "shelf_life_too_short",
                f"{where}.best_before: {left} days are left on {day}, the rule {rule['code']} "
                f"version {rule['version']} asks for {terms['days_min']}; do not take it in",
                field=f"{where}.best_before",
                rule=rule["code"],
                version=rule["version"],
            )
        decided.append(rule)
    return decided


def first_expired(lot: str | None = None) -> Rank:
    """First expired, first out; of one lot only where a lot is named."""

    def rank(label: str) -> tuple[str, ...] | None:
        best_before, _, of_lot = label.partition("/")
        if lot is not None and of_lot != lot:
            return None
        return (best_before or NEVER,)

    return rank


class Valuation(Fields):
    """What goods are worth, and how that is known."""

    amount_fen: Fen
    basis: Literal["voucher", "fair_value"] = Field(
        description="凭据金额 or 公允价值; leave the valuation out where there is none"
    )
    appraiser: Name | None = Field(None, description="the organisation that appraised it")


class DonationGoods(Lot):
    """A gift in kind; the value may be unknown, the quantity never."""

    item: Code
    quantity: Quantity
    unit: Name | None = Field(None, description="absent: the item's base unit")
    site: Code
    condition: Literal["new", "good", "used"] = "new"
    valuation: Valuation | None = None
    project: Code | None = None
    inspected_by: Code | None = Field(None, description="pseudonymous id of who inspected it")


class GoodsDonorSealed(Sealed):
    """Who gave."""

    donor_name: Name | None = None
    contact: Text | None = None
    message: Text | None = None


def _plan_given(draft: Draft[DonationGoods], state: State) -> Plan:
    fields = draft.fields
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    about = [item, state.find("site", fields.site, "fields.site")]
    if fields.project is not None:
        about.append(state.find("project", fields.project, "fields.project"))
        check_open(state, fields.project)
    label = lot_label(item, fields, "fields")
    about += check_shelf_life(state, item, fields, draft.occurred_on, "fields")
    move = Move(f"item:{fields.item}", quantity, "world:donor", f"stock:{fields.site}", label=label)
    return Plan((move,), references_of(*about))


def _effects_given(entry: Entry, state: State, sign: int) -> None:
    valuation = entry.fields.get("valuation", {"amount_fen": 0})
    state.add(
        f"item-total/{entry.fields['item']}",
        given=sign * entry.postings[0]["amount"],
        valued_fen=sign * valuation["amount_fen"],
    )


DONATION_GOODS = Kind(
    name="donation.goods",
    title_zh="捐赠物资",
    title_en="Gift in kind",
    moves="item world:donor → stock",
    fields=DonationGoods,
    sealed=GoodsDonorSealed,
    recorders=GOODS_RECORDERS,
    plan=_plan_given,
    effects=_effects_given,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "item": "rice",
            "quantity": 3,
            "unit": "箱",
            "site": "warehouse-central",
            "lot": "L2021-10",
            "best_before": "2022-09-30",
            "valuation": {"amount_fen": 24_000, "basis": "fair_value"},
        },
        "sealed": {"donor_name": "示例捐赠人"},
    },
)


class GoodsMoved(Fields):
    """Goods sent from one site to another; the other site records what arrives."""

    shipment: Code = Field(description="a new code for this shipment")
    item: Code
    quantity: Quantity
    unit: Name | None = None
    from_site: Code
    to_site: Code
    lot: LotCode | None = Field(None, description="absent: first expired, first out")
    carrier: Code | None = None


def _plan_moved(draft: Draft[GoodsMoved], state: State) -> Plan:
    fields = draft.fields
    claim_code(state, "shipment", fields.shipment)
    if fields.from_site == fields.to_site:
        reject("moved_nowhere", "fields.to_site: expected another site", field="fields.to_site")
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    about = [
        item,
        state.find("site", fields.from_site, "fields.from_site"),
        state.find("site", fields.to_site, "fields.to_site"),
    ]
    move = Move(
        f"item:{fields.item}",
        quantity,
        f"stock:{fields.from_site}",
        f"transit:{fields.shipment}",
        rank=first_expired(fields.lot),
    )
    return Plan((move,), references_of(*about))


def _effects_moved(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    sent = {
        "item": fields["item"],
        "from_site": fields["from_site"],
        "to_site": fields["to_site"],
        "quantity": entry.postings[0]["amount"],
        "entry": entry.index,
        "reversed": sign < 0,
    }
    state.put(f"shipment/{fields['shipment']}", sent)


GOODS_MOVED = Kind(
    name="goods.moved",
    title_zh="调拨发出",
    title_en="Goods moved",
    moves="item stock → transit",
    fields=GoodsMoved,
    recorders=frozenset((Role.WAREHOUSE,)),
    plan=_plan_moved,
    effects=_effects_moved,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "shipment": "trip-0009",
            "item": "rice",
            "quantity": 4,
            "from_site": "warehouse-central",
            "to_site": "shop-1",
        },
    },
)


class GoodsReceived(Fields):
    """What the receiving site counted of a shipment."""

    shipment: Code
    quantity: Quantity
    unit: Name | None = None
    site: Code


def _plan_received(draft: Draft[GoodsReceived], state: State) -> Plan:
    fields = draft.fields
    shipment = state.find("shipment", fields.shipment, "fields.shipment")
    if shipment["to_site"] != fields.site:
        reject(
            "wrong_site",
            f"fields.site: the shipment {fields.shipment} goes to {shipment['to_site']}, "
            f"not to {fields.site}",
            field="fields.site",
        )
    item = shipment["item"]
    _, quantity = base_quantity(state, item, fields.quantity, fields.unit, "fields")
    move = Move(f"item:{item}", quantity, f"transit:{fields.shipment}", f"stock:{fields.site}")
    site = state.find("site", fields.site, "fields.site")
    return Plan((move,), references_of(shipment, site))


GOODS_RECEIVED = Kind(
    name="goods.received",
    title_zh="调拨入库",
    title_en="Goods received",
    moves="item transit → stock",
    fields=GoodsReceived,
    recorders=frozenset((Role.WAREHOUSE, Role.SHOP)),
    plan=_plan_received,
    example={
        "occurred_on": "2021-10-09",
        "fields": {"shipment": "trip-0001", "quantity": 1, "site": "shop-1"},
    },
)


class GoodsDistributed(Fields):
    """Goods handed to those they are for: a class of people, or an organisation."""

    item: Code
    quantity: Quantity
    unit: Name | None = None
    site: Code
    recipient_class: Code = Field(description="family, student, front-line-worker, station ...")
    recipient: Code | None = Field(None, description="the party code of an organisation")
    project: Code | None = None
    lot: LotCode | None = Field(None, description="absent: first expired, first out")
    requested_on: Day | None = Field(None, description="the day on which it was asked for")


class RecipientSealed(Sealed):
    """Which person received it."""

    recipient_name: Name | None = None
    contact: Text | None = None


def _plan_distributed(draft: Draft[GoodsDistributed], state: State) -> Plan:
    fields = draft.fields
    item, quantity = base_quantity(state, fields.item, fields.quantity, fields.unit, "fields")
    about = [item, state.find("site", fields.site, "fields.site")]
    if fields.recipient is not None:
        about.append(state.find("party", fields.recipient, "fields.recipient"))
    if fields.project is not None:
        about.append(state.find("project", fields.project, "fields.project"))
    move = Move(
        f"item:{fields.item}",
        quantity,
        f"stock:{fields.site}",
        "world:beneficiary",
        rank=first_expired(fields.lot),
    )
    return Plan((move,), references_of(*about))


def note_expired(entry: Entry, state: State, sign: int, posting: Any) -> None:
    """Keep that goods were handed out after their best-before date: `attention` lists it."""
    taken = [(first, end) for first, end in posting["takes"]]
    runs = state.labels(posting["asset"], posting["from"], taken)
    over = sum(n for n, label in runs if "" < label.partition("/")[0] < entry.occurred_on)
    if over:
        state.put(f"expired-out/{entry.index}", {"quantity": over} if sign > 0 else None)


def _effects_distributed(entry: Entry, state: State, sign: int) -> None:
    note_expired(entry, state, sign, entry.postings[0])
    amount = sign * entry.postings[0]["amount"]
    state.add(f"item-total/{entry.fields['item']}", distributed=amount)
    requested_on = entry.fields.get("requested_on", "")
    if requested_on > entry.occurred_on:
        # Possible, and worth a look: `attention` lists it.
        early = {"occurred_on": entry.occurred_on, "requested_on": requested_on}
        state.put(f"delivered-early/{entry.index}", early if sign > 0 else None)


GOODS_DISTRIBUTED = Kind(
    name="goods.distributed",
    title_zh="发放物资",
    title_en="Goods distributed",
    moves="item stock → world:beneficiary",
    fields=GoodsDistributed,
    sealed=RecipientSealed,
    recorders=GOODS_RECORDERS,
    plan=_plan_distributed,
    effects=_effects_distributed,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "item": "rice",
            "quantity": 1,
            "site": "warehouse-central",
            "recipient_class": "family",
        },
        "sealed": {"recipient_name": "示例领取人"},
    },
)
