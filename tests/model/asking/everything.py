"""All requests by family, and what they have in common: days, persons, personal fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..rulebook import APPROVED
from . import corrections, goods, keys, money, papers, points, registry
from .chooser import APPROVERS, RECORDERS, Ask, Chooser, Fields, Request
from .papers import FILE

ASKS: Mapping[str, Ask] = {
    **money.ASKS,
    **goods.ASKS,
    **points.ASKS,
    **papers.ASKS,
    **corrections.ASKS,
    **keys.ASKS,
    **registry.ASKS,
}
OFTEN: Mapping[str, int] = {
    "donation.money": 4,
    "entry.reversed": 7,
    "donation.goods": 3,
    "points.issued": 3,
    "aid.paid": 2,
    "purchase.made": 2,
    "goods.moved": 2,
    "money.allocated": 2,
    "donation.refunded": 4,
    "points.redeemed": 2,
    "receipt.bound": 3,
    "receipt.reissued": 3,
    "points.expired": 2,
    "leftover.assigned": 2,
    "fee.charged": 2,
    "project.closed": 2,
    "statement.matched": 2,
    "wish.posted": 2,
    "wish.claimed": 2,
    "wish.fulfilled": 3,
    "service.recorded": 2,
    "entry.replaced": 2,
    "key.added": 2,
    "key.revoked": 2,
}
"""How often a kind is asked for, where that is more than once."""
WEIGHTED = tuple(kind for kind in ASKS for _ in range(OFTEN.get(kind, 1)))
APPROVAL_WRONG_ONE_IN = 25
ORDERED = ("donation.money", "donation.matched", "donation.refunded")

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


READY: Mapping[str, Callable[[Chooser], object]] = {
    "leftover.assigned": money.leftovers,
    "goods.received": lambda c: c.holding("transit:"),
    "goods.distributed": lambda c: c.holding("stock:"),
    "points.redeemed": lambda c: c.holding("points:"),
    "points.expired": points.with_expired,
    "points.reversed": lambda c: c.holding("points:"),
    "service.confirmed": points.unconfirmed,
    "hours.spent": lambda c: c.holding("minutes:"),
    "wish.claimed": lambda c: points.wishes(c, "posted"),
    "wish.fulfilled": lambda c: points.wishes(c, "claimed"),
    "wish.withdrawn": lambda c: points.wishes(c, "posted", "claimed", "fulfilled"),
    "receipt.voided": lambda c: papers.numbers(c, "valid"),
    "receipt.reissued": lambda c: papers.numbers(c, "void"),
    "statement.matched": papers.statements,
    "entry.replaced": corrections.undone,
}
"""What must be there for a kind to be accepted; without it, it is asked for less often."""
TRIES = 4


def ask_any(c: Chooser) -> Request:
    """A request of any kind, mostly of one that can be accepted now."""
    kind = WEIGHTED[0]
    for _ in range(TRIES):
        kind = c.pick(WEIGHTED)
        if kind not in READY or READY[kind](c) or c.rarely(10):
            break
    return ask(c, kind)


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
    if (kind in APPROVED) == c.rarely(APPROVAL_WRONG_ONE_IN):
        return None
    return APPROVERS[1] if c.rarely(8) else APPROVERS[0]


def _sealed(c: Chooser, kind: str) -> Fields:
    sealed: Fields = {}
    if kind in SEALED and c.number(0, 1):
        sealed[SEALED[kind]] = "示例"
    if kind in ORDERED and c.rarely(4):
        sealed["order_number"] = f"ORDER-{c.number(1, 30)}"
    return sealed
