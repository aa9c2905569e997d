"""The account of an import of goods: every row and every unit of both lists, by outcome.

Rows and units by outcome sum to what the lists have; a test holds that. The account is made
from the plan alone and holds neither names nor keys, so the same lists give the same bytes,
before the recording and after it; its SHA-256 goes into the log beside the records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson

from ledger.intake.goods_plan import FLAGS, LEFT_OUT, GoodsPlan, ListName

ACCOUNT = "shanji/v1/goods-account"
RECORDED = "recorded"
UNREADABLE = "unreadable"
NOT_DELIVERED = ("test", "not_delivered")
"""Outcomes of rows of the deliveries that are about no delivery."""
LISTS: tuple[ListName, ListName] = ("offers", "deliveries")


def account_of(plan: GoodsPlan) -> dict[str, Any]:
    """The account as plain values.

    Units are counted as the lists count them; `items` counts the base units of the ledger.
    """
    recorded = {
        "offers": [one.offer.quantity for one in plan.offers],
        "deliveries": [one.delivery.quantity for one in plan.deliveries],
    }
    lists: dict[str, Any] = {}
    for name in LISTS:
        outcomes = {RECORDED: _sum(recorded[name])}
        for code in LEFT_OUT:
            rows = [one.quantity for one in plan.left_out if (one.list, one.code) == (name, code)]
            if rows:
                outcomes[code] = _sum(rows)
        unreadable = {error.row for where, error in plan.errors if where == name}
        unread = plan.rows[name] - sum(one["rows"] for one in outcomes.values())
        if unreadable and unread:
            outcomes[UNREADABLE] = {
                "rows": unread,
                "units": plan.units[name] - sum(one["units"] for one in outcomes.values()),
            }
        lists[name] = {
            "sha256": plan.files[name],
            "rows": plan.rows[name],
            "units": plan.units[name],
            "outcomes": outcomes,
        }
    outcomes = lists["deliveries"]["outcomes"]
    about_goods = [one for code, one in outcomes.items() if code not in NOT_DELIVERED]
    lists["deliveries"]["delivered"] = {
        what: sum(one[what] for one in about_goods) for what in ("rows", "units")
    }
    return {
        "account": ACCOUNT,
        "plan": plan.digest,
        **lists,
        "flags": {
            code: _sum(one.quantity for one in plan.flagged if one.code == code)
            for code in FLAGS
            if any(one.code == code for one in plan.flagged)
        },
        "records": {
            "gifts": len(plan.offers),
            "distributions": sum(len(one.parts) for one in plan.deliveries),
        },
        "items": _items(plan),
        "left_out": [one._asdict() for one in plan.left_out],
        "flagged": [one._asdict() for one in plan.flagged],
    }


def format_account(plan: GoodsPlan) -> bytes:
    """The account as a JSON file: the same bytes for the same lists."""
    return orjson.dumps(account_of(plan), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _sum(quantities: Iterable[int]) -> dict[str, int]:
    some = list(quantities)
    return {"rows": len(some), "units": sum(some)}


def _items(plan: GoodsPlan) -> dict[str, dict[str, Any]]:
    """By item, in base units: what is recorded as given, as distributed, and what is left."""
    offered: dict[str, int] = defaultdict(int)
    delivered: dict[str, int] = defaultdict(int)
    for offer in plan.offers:
        offered[offer.item] += offer.amount
    for delivery in plan.deliveries:
        delivered[delivery.item] += sum(part.amount for part in delivery.parts)
    return {
        code: {
            "given": offered[code],
            "distributed": delivered[code],
            "left": offered[code] - delivered[code],
        }
        for code in sorted(offered.keys() | delivered.keys())
    }
