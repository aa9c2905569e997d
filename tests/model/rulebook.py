"""All rules of the model, by kind: a new record kind gets its line in one of these modules."""

from __future__ import annotations

from collections.abc import Mapping

from . import corrections, goods, keys, money, papers, points, registry
from .world import Rule

RULES: Mapping[str, Rule] = {
    **registry.RULES,
    **money.RULES,
    **goods.RULES,
    **points.RULES,
    **papers.RULES,
    **corrections.RULES,
    **keys.RULES,
}

APPROVED = frozenset(
    (
        "balance.opened",
        "donation.refunded",
        "money.allocated",
        "fee.charged",
        "purpose.changed",
        "leftover.assigned",
        "aid.paid",
        "grant.paid",
        "purchase.made",
        "goods.counted",
        "goods.written_off",
        "goods.sold",
        "points.reversed",
        "project.closed",
        "privacy.erased",
        "entry.hidden",
        "entry.annotated",
        "entry.reversed",
        "entry.replaced",
        "key.added",
        "key.revoked",
    )
)
"""Kinds that a second person approves: paying out, purposes, write-offs, corrections, erasure."""
