"""Lists of offers and deliveries → a plan: each delivery gets the lots that it came out of.

Matching is first delivered, first served, and the same for the same lists whatever the
order of their rows. What the ledger knows comes in as functions; this module opens nothing.
Why rows are left out or flagged: docs/adr/0013-goods-from-lists.md.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from ledger.intake.gift_rows import RowError
from ledger.intake.goods_items import Goods, Registered, code_of, resolve_items
from ledger.intake.goods_lists import Delivery, ItemRow, Moment, Offer, numbered
from ledger.intake.goods_plan import (
    QUANTITY_ODD,
    Conflict,
    GoodsPlan,
    Known,
    KnownGoods,
    ListName,
    Marked,
    Name,
    PlannedDelivery,
    PlannedOffer,
    PlannedPart,
    Settings,
    day_of,
)
from ledger.records.kind import QUANTITY_MAX

DIGEST_PREFIX = b"shanji/v1/goods-plan\n"
LOT_CHARS_MAX = 40
PARTS_MAX = 100
"""One delivery takes at most so many offers' lots."""


@dataclass(slots=True)
class _Lot:
    """What is left of an offer while deliveries are given their lots."""

    code: str
    offered: Moment
    left: int


@dataclass(slots=True)
class _Work:
    """A plan in the making."""

    settings: Settings
    file: str
    items: Mapping[str, Goods]
    known: Mapping[Name, KnownGoods]
    left_out: list[Marked] = field(default_factory=list)
    flagged: list[Marked] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    errors: list[tuple[ListName, RowError]] = field(default_factory=list)
    lots: dict[tuple[str, str, str], list[_Lot]] = field(default_factory=lambda: defaultdict(list))

    def leave_out(self, name: ListName, row: Offer | Delivery, code: str) -> None:
        self.left_out.append(Marked(name, row.row, row.quantity, code))

    def flag(self, name: ListName, row: Offer | Delivery, code: str) -> None:
        self.flagged.append(Marked(name, row.row, row.quantity, code))

    def base_amount(self, name: ListName, row: Offer | Delivery) -> int | None:
        """The row's quantity in base units, if it is one that can be recorded."""
        goods = self.items[row.item]
        amount = goods.base(row.quantity, row.unit)
        if amount is None:
            self.errors.append((name, _unit_error(row, goods)))
        elif amount == 0:
            self.leave_out(name, row, "zero_quantity")
        elif amount < 0:
            self.leave_out(name, row, "negative_quantity")
        elif amount > QUANTITY_MAX:
            self.leave_out(name, row, "quantity_too_large")
        else:
            return amount
        return None


def plan_goods(
    offers: Sequence[Offer],
    deliveries: Sequence[Delivery],
    items: Sequence[ItemRow],
    *,
    settings: Settings,
    registered: Registered,
    known: Known,
    files: Mapping[ListName, str],
    errors: Sequence[tuple[ListName, RowError]] = (),
) -> GoodsPlan:
    """Plan the goods of two lists.

    Args:
        offers, deliveries, items: The readable rows.
        settings: What a person says of them.
        registered: The ledger's items.
        known: Asked with the names of all rows: what of them the ledger has.
        files: The SHA-256 of each file in hex.
        errors: The rows that are not readable.
    """
    offers = numbered(offers, _offer_content)
    deliveries = numbered(deliveries, _delivery_content)
    texts = [*(one.item for one in offers), *(one.item for one in deliveries)]
    goods, unit_errors = resolve_items(texts, items, registered, settings.default_unit)
    work = _Work(settings, files["deliveries"], goods, known(_names(offers, deliveries, goods)))
    work.errors += [*errors, *(("items", one) for one in unit_errors)]
    planned_offers = _plan_offers(work, offers)
    planned = _plan_deliveries(work, deliveries)
    unreadable = {name: {one.row for where, one in errors if where == name} for name in files}
    plan_items = {one.code: one for one in goods.values()}
    facilities = {
        one.facility: one.delivery.facility_name or one.delivery.facility for one in planned
    }
    return GoodsPlan(
        settings=settings,
        files=files,
        offers=tuple(planned_offers),
        deliveries=tuple(planned),
        left_out=tuple(sorted(work.left_out)),
        flagged=tuple(sorted(work.flagged)),
        rows={
            "offers": len(offers) + len(unreadable["offers"]),
            "deliveries": len(deliveries) + len(unreadable["deliveries"]),
        },
        units={
            "offers": sum(one.quantity for one in offers),
            "deliveries": sum(one.quantity for one in deliveries),
        },
        items=plan_items,
        facilities=facilities,
        errors=tuple(work.errors),
        conflicts=tuple(work.conflicts),
        digest=_digest(files, planned_offers, planned, work.left_out),
    )


def _offer_content(row: Offer) -> tuple[object, ...]:
    return row[1:]


def _delivery_content(row: Delivery) -> tuple[object, ...]:
    return tuple(one or () for one in row[1:])


def _names(
    offers: Iterable[Offer], deliveries: Iterable[Delivery], goods: Mapping[str, Goods]
) -> list[Name]:
    names = [("offer", one.key, goods[one.item].code, one.line, 1) for one in offers]
    names += [("delivery", one.key, goods[one.item].code, one.line, 1) for one in deliveries]
    return names


def _repeats(rows: Sequence[Offer | Delivery]) -> set[int]:
    """The rows that say again exactly what another row says, whose line comes first."""
    first: set[tuple[object, ...]] = set()
    repeated: set[int] = set()
    for row in sorted(rows, key=lambda one: one.line):
        content = row[1:-1]
        if content in first:
            repeated.add(row.row)
        first.add(content)
    return repeated


def _plan_offers(work: _Work, offers: Sequence[Offer]) -> list[PlannedOffer]:
    repeated = set() if work.settings.record_repeats else _repeats(offers)
    planned: list[PlannedOffer] = []
    for offer in offers:
        if offer.row in repeated:
            work.leave_out("offers", offer, "repeated")
            continue
        amount = work.base_amount("offers", offer)
        if amount is None:
            continue
        item = work.items[offer.item].code
        lot = _lot_code(offer)
        name: Name = ("offer", offer.key, item, offer.line, 1)
        there = work.known.get(name)
        if there is not None:
            expected = KnownGoods(
                there.entry, item, amount, lot, work.settings.site, offer.offered.day, ()
            )
            _compare(work, "offers", offer.row, there, expected)
        if offer.quantity >= QUANTITY_ODD:
            work.flag("offers", offer, "quantity_odd")
        planned.append(PlannedOffer(offer, item, amount, lot, name, there.entry if there else None))
        whole = _Lot(lot, offer.offered, amount)
        work.lots["offer", offer.key, item].append(whole)
        work.lots["donor", offer.donor, item].append(whole)
    for lots in work.lots.values():
        lots.sort(key=lambda one: (one.offered, one.code))
    return planned


def _lot_code(offer: Offer) -> str:
    """The lot of an offer: its number, where that can be one; the second line gets -2."""
    suffix = "" if offer.line == 1 else f"-{offer.line}"
    plain = offer.key + suffix
    allowed = plain.isascii() and plain[0].isalnum() and len(plain) <= LOT_CHARS_MAX
    if allowed and all(one.isalnum() or one in "._-" for one in plain):
        return plain
    return hashlib.sha256(offer.key.encode()).hexdigest()[: LOT_CHARS_MAX - 8] + suffix


def _plan_deliveries(work: _Work, deliveries: Sequence[Delivery]) -> list[PlannedDelivery]:
    """Give each delivery the lots that it comes out of, first delivered, first served."""
    open_rows: list[tuple[Delivery, int]] = []
    candidates: list[Delivery] = []
    for delivery in deliveries:
        if work.settings.is_test(delivery):
            work.leave_out("deliveries", delivery, "test")
        elif not work.settings.is_delivered(delivery.status):
            work.leave_out("deliveries", delivery, "not_delivered")
        else:
            candidates.append(delivery)
    repeated = set() if work.settings.record_repeats else _repeats(candidates)
    for delivery in candidates:
        if delivery.row in repeated:
            work.leave_out("deliveries", delivery, "repeated")
        else:
            amount = work.base_amount("deliveries", delivery)
            if amount is not None:
                open_rows.append((delivery, amount))
    open_rows.sort(key=lambda one: _happened(one[0]))
    # What is recorded keeps its lots; only then the rest is given what is left.
    recorded = {delivery.row: _recorded_parts(work, delivery, n) for delivery, n in open_rows}
    planned: list[PlannedDelivery] = []
    for delivery, amount in open_rows:
        parts = recorded[delivery.row]
        rest = amount - sum(part.amount for part in parts)
        if rest > 0 and not _allocate(work, delivery, rest, parts):
            continue
        _flag_delivery(work, delivery, parts)
        item = work.items[delivery.item].code
        facility = code_of(delivery.facility, "facility-")
        planned.append(PlannedDelivery(delivery, item, facility, tuple(parts)))
    return planned


def _happened(row: Delivery) -> tuple[object, ...]:
    """The order in which deliveries are given their lots; the file's order has no part in it."""
    return (day_of(row), row.requested or (), row.key, row.item, row.line)


def _lots_of(work: _Work, delivery: Delivery) -> list[_Lot]:
    """The lots that a delivery may come out of, the oldest offer first."""
    item = work.items[delivery.item].code
    if delivery.offer:
        return work.lots.get(("offer", delivery.offer, item), [])
    return work.lots.get(("donor", delivery.donor, item), [])


def _name_of(work: _Work, delivery: Delivery, part: int) -> Name:
    return ("delivery", delivery.key, work.items[delivery.item].code, delivery.line, part)


def _recorded_parts(work: _Work, delivery: Delivery, amount: int) -> list[PlannedPart]:
    """The parts of a delivery that the ledger has; a difference is a conflict.

    Fewer units than the list says are a recording that was interrupted only where they came
    from this very file; from another file they are another content.
    """
    parts: list[PlannedPart] = []
    lots = {lot.code: lot for lot in _lots_of(work, delivery)}
    for number in range(1, PARTS_MAX + 1):
        there = work.known.get(_name_of(work, delivery, number))
        if there is None:
            break
        lot = lots.get(there.lot)
        if lot is not None:
            lot.left -= there.amount
        parts.append(
            PlannedPart(there.lot, there.amount, _name_of(work, delivery, number), there.entry)
        )
        expected = there._replace(
            item=work.items[delivery.item].code,
            site=work.settings.site,
            occurred_on=day_of(delivery).day,
        )
        _compare(work, "deliveries", delivery.row, there, expected)
    total = sum(part.amount for part in parts)
    if parts and total != amount:
        first = work.known[parts[0].name]
        if total > amount or work.file not in first.documents:
            reason = f"{total:,} units are recorded, the list says {amount:,}"
            work.conflicts.append(Conflict("deliveries", delivery.row, first.entry, reason))
    return parts


def _allocate(work: _Work, delivery: Delivery, amount: int, parts: list[PlannedPart]) -> bool:
    """Take `amount` out of the lots; leaves the delivery out, whole, where it is not there.

    One lot for all of it where one has enough: the oldest that was offered when the goods
    were asked for, else the oldest; else several, the oldest first.
    """
    lots = _lots_of(work, delivery)
    if sum(lot.left for lot in lots) < amount:
        work.leave_out("deliveries", delivery, "beyond_offer" if lots else "no_offer")
        return False
    enough = [lot for lot in lots if lot.left >= amount]
    asked = delivery.requested or day_of(delivery)
    there = [lot for lot in enough if not asked.before(lot.offered)]
    for lot in [*there, *enough][:1] or [one for one in lots if one.left]:
        taken = min(lot.left, amount)
        lot.left -= taken
        amount -= taken
        name = _name_of(work, delivery, len(parts) + 1)
        parts.append(PlannedPart(lot.code, taken, name, None))
        if not amount:
            break
    return True


def _flag_delivery(work: _Work, delivery: Delivery, parts: Sequence[PlannedPart]) -> None:
    delivered = day_of(delivery)
    codes = {part.lot for part in parts}
    offered = [lot.offered for lot in _lots_of(work, delivery) if lot.code in codes]
    if delivery.requested is not None and delivered.before(delivery.requested):
        work.flag("deliveries", delivery, "delivered_before_request")
    if any(delivered.before(one) for one in offered):
        work.flag("deliveries", delivery, "delivered_before_offer")
    if delivery.reason:
        work.flag("deliveries", delivery, "reason_given")
    if len(parts) > 1:
        work.flag("deliveries", delivery, "split")


def _compare(
    work: _Work, name: ListName, row: int, there: KnownGoods, expected: KnownGoods
) -> None:
    """A conflict where the ledger has another content under the same name."""
    parts = zip(KnownGoods._fields[1:-1], there[1:-1], expected[1:-1], strict=True)
    differing = [f"{what} {one!r}, here {two!r}" for what, one, two in parts if one != two]
    if differing:
        reason = f"entry {there.entry} has the same number with {'; '.join(differing)}"
        work.conflicts.append(Conflict(name, row, there.entry, reason))


def _unit_error(row: Offer | Delivery, goods: Goods) -> RowError:
    return RowError(
        row=row.row,
        column="",
        value=row.unit,
        code="unit_unknown",
        reason=f"{goods.code} is counted in {', '.join(goods.factors)}, not in {row.unit!r}",
        remedy="correct the unit, or register the pack with its factor",
    )


def _digest(
    files: Mapping[ListName, str],
    offers: Sequence[PlannedOffer],
    deliveries: Sequence[PlannedDelivery],
    left_out: Iterable[Marked],
) -> str:
    """SHA-256 over one JSON array: the files, then every decision."""
    content = [
        sorted(files.items()),
        [[one.offer.row, one.item, one.amount, one.lot] for one in offers],
        [
            [one.delivery.row, one.item, one.facility, [[p.lot, p.amount] for p in one.parts]]
            for one in deliveries
        ],
        sorted(left_out),
    ]
    return hashlib.sha256(DIGEST_PREFIX + orjson.dumps(content, default=tuple)).hexdigest()
