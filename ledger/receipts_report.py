"""Gifts without a valid official receipt, and receipts that no longer agree with theirs.

A receipt that agreed when it was bound disagrees when a gift of it is refunded or
reversed later: then it is to be voided and issued again (domain, section 1, "receipts").
Both lists go by cursor; each page looks at a bounded number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ledger.entry import Entry, parse_entry
from ledger.records.gifts import DONORS
from ledger.store import Reader

FLOWS_MAX = 5000
RECEIPTS_MAX = 1000
"""Flows or receipts that one page looks at; the next one leads on, be it empty or full."""
GIFT_KINDS = ("donation.money", "donation.matched", "donation.goods")
RECEIPTS = "official-receipt/"


@dataclass(frozen=True, slots=True)
class UnboundGift:
    """A gift without a valid official receipt.

    Attributes:
        amount_fen: What a receipt would have to say; None for goods without a valuation.
    """

    entry: int
    kind: str
    occurred_on: str
    amount_fen: int | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A valid receipt whose gifts are another sum now.

    Attributes:
        receipt: Its code and number.
        entry: The entry that bound it.
        amount_fen, gifts_fen: What it says, and what its gifts are without refunds.
        gifts: The entries of its gifts.
    """

    receipt: str
    entry: int
    amount_fen: int
    gifts_fen: int
    gifts: tuple[int, ...]


def unbound_gifts(
    reader: Reader, *, after: int = -1, limit: int
) -> tuple[list[UnboundGift], int | None]:
    """Gifts without a valid receipt among the entries after `after`, by rising index.

    Gifts that were refunded or reversed in full need none.

    Returns:
        The page, and the entry that the next page begins after; None at the end.
    """
    donors = reader.account_ids(DONORS)
    found: list[UnboundGift] = []
    last = after
    for looked, row in enumerate(reader.scan("flow", after=(after, *_LAST))):
        entry, source = row[0], row[3]
        if entry == last:
            continue
        if len(found) == limit or looked >= FLOWS_MAX:
            return found, last
        last = entry
        if source in donors and reader.object(f"receipt-of/{entry}") is None:
            gift = parse_entry(reader.entry(entry))
            amount = receipt_amount(reader, gift) if gift.kind in GIFT_KINDS else 0
            if amount != 0:
                found.append(UnboundGift(entry, gift.kind, gift.occurred_on, amount))
    return found, None


def disagreeing_receipts(
    reader: Reader, *, after: str = "", limit: int
) -> tuple[list[Disagreement], str | None]:
    """Valid receipts that do not agree with their gifts, by code and number after `after`.

    Returns:
        The page, and the receipt that the next page begins after; None at the end.
    """
    rows = reader.objects(RECEIPTS, after=RECEIPTS + after if after else "", limit=RECEIPTS_MAX)
    found: list[Disagreement] = []
    last = after
    for key, data in rows:
        if len(found) == limit:
            return found, last
        last = key.removeprefix(RECEIPTS)
        receipt = orjson.loads(data)
        if receipt["status"] != "valid":
            continue
        gifts = [parse_entry(reader.entry(index)) for index in receipt["gifts"]]
        total = sum(receipt_amount(reader, gift) or 0 for gift in gifts)
        if total != receipt["amount_fen"]:
            found.append(
                Disagreement(
                    last, receipt["entry"], receipt["amount_fen"], total, tuple(receipt["gifts"])
                )
            )
    return found, last if len(rows) == RECEIPTS_MAX else None


def receipt_amount(reader: Reader, gift: Entry) -> int | None:
    """What a receipt must say of a gift, in fen: refunds deducted, 0 where it was reversed.

    None for goods without a valuation, which no receipt can state.
    """
    if reader.object(f"reversed/{gift.index}") is not None:
        return 0
    if gift.kind == "donation.goods":
        valuation: Any = gift.fields.get("valuation")
        return None if valuation is None else int(valuation["amount_fen"])
    data = reader.object(f"refunded/{gift.index}")
    refunded = 0 if data is None else int(orjson.loads(data)["amount_fen"])
    return int(gift.fields["amount_fen"]) - refunded


_LAST = (2**62, 2**62)
"""Behind every posting and part of an entry."""
