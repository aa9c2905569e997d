"""All requests by family, and what they have in common: days, persons, personal fields."""

from __future__ import annotations

from collections.abc import Mapping

from ..rulebook import APPROVED
from . import corrections, goods, money, papers, points, registry
from .chooser import APPROVERS, RECORDERS, Ask, Chooser, Fields, Request
from .papers import FILE

GIFTS = ("donation.money", "donation.matched", "donation.refunded")
FAMILIES: Mapping[str, Mapping[str, Ask]] = {
    "registry": registry.ASKS,
    "gifts": {kind: money.ASKS[kind] for kind in GIFTS},
    "spending": {kind: ask for kind, ask in money.ASKS.items() if kind not in GIFTS},
    "goods": goods.ASKS,
    "points": points.ASKS,
    "papers": papers.ASKS,
    "corrections": corrections.ASKS,
}
ASKS: Mapping[str, Ask] = {kind: ask for asks in FAMILIES.values() for kind, ask in asks.items()}

SEALED: Mapping[str, str] = {
    "party.registered": "contact",
    "site.registered": "contact",
    "donation.money": "donor_name",
    "donation.matched": "contact",
    "donation.refunded": "account",
    "donation.goods": "donor_name",
    "aid.paid": "payee_name",
    "grant.paid": "account",
    "purchase.made": "account",
    "goods.distributed": "recipient_name",
    "goods.sold": "buyer_name",
    "points.issued": "holder_name",
    "points.redeemed": "holder_name",
    "service.recorded": "volunteer_name",
    "hours.spent": "person_helped",
    "wish.posted": "child_name",
    "receipt.bound": "payer_name",
    "receipt.reissued": "payer_name",
    "document.attached": "file_name",
    "statement.imported": "lines",
}
"""A personal field of each kind that has some."""


def ask(c: Chooser, kind: str) -> Request:
    """A request of this kind."""
    fields = ASKS[kind](c)
    by = RECORDERS[1] if kind == "service.confirmed" and not c.rarely(6) else _recorder(c)
    documents = [FILE] if kind == "purpose.changed" and not c.rarely(6) else []
    return Request(kind, fields, c.day(), by, _approver(c, kind), _sealed(c, kind), documents)


def _recorder(c: Chooser) -> str:
    return RECORDERS[1] if c.rarely(8) else RECORDERS[0]


def _approver(c: Chooser, kind: str) -> str | None:
    """A second person where one must approve, mostly; now and then the recorder himself."""
    if (kind in APPROVED) == c.rarely(4 * len(RECORDERS) + 16):
        return None
    return APPROVERS[1] if c.rarely(8) else APPROVERS[0]


def _sealed(c: Chooser, kind: str) -> Fields:
    sealed: Fields = {}
    if kind in SEALED and c.number(0, 1):
        sealed[SEALED[kind]] = "示例"
    if kind in GIFTS and c.rarely(4):
        sealed["order_number"] = f"ORDER-{c.number(1, 30)}"
    return sealed
