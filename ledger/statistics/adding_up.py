"""Does it add up? What came in, what went out, and what is there, each counted apart.

What came in and went out are totals of the state: each record's effects add to them. What
is there is counted from the numbered units that are still in the accounts. The two come
from the same entries by different ways, so a difference would show a mistake of the program
or a change of its tables; `shanji audit` finds the entry.

It reads registers, totals and accounts by their keys; never the log from end to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.attention.item import PAGE, View
from ledger.statistics.figures import points_taken_back
from ledger.store import Reader

_DONATED = ("opened_fen", "raised_fen", "sales_fen")
_MOVED_ON = ("allocated_fen", "fees_fen")
_GOODS_IN = ("opened", "given", "bought", "surplus", "repacked_out")
_GOODS_OUT = ("distributed", "redeemed", "sold", "repacked_in")


@dataclass(frozen=True, slots=True)
class Balance:
    """One thing: in = out + held, or by how much not.

    Attributes:
        code: Of the fund or item; empty for what is one over the whole log.
        came, went: Sums by what they were for; for funds ``went`` may be below nothing,
            where more came from other funds than went there.
        held: The units that are still in the accounts.
        thing: The fund or item as it is registered.
    """

    code: str
    came: Mapping[str, int]
    went: Mapping[str, int]
    held: int
    thing: Mapping[str, Any]

    @property
    def difference(self) -> int:
        """What is there, less what should be; 0 where it adds up."""
        return self.held - sum(self.came.values()) + sum(self.went.values())


@dataclass(frozen=True, slots=True)
class AddedUp:
    """All balances as of one size of the log.

    Attributes:
        funds: Each fund in fen: came ``donated``; went ``spent`` and ``moved`` (to other
            funds, less what came from them).
        money: All funds together: what moved between them is nothing.
        items: Each item in base units: came ``received``; went ``out`` and ``lost``.
        points: Came ``issued``; went ``redeemed``, ``expired`` and ``reversed`` (taken back,
            by a refund too).
        minutes: Came ``confirmed``; went ``spent``.
        rules, shops: Points issued by each rule, and redeemed at each shop.
    """

    as_of: int
    funds: tuple[Balance, ...]
    money: Balance
    items: tuple[Balance, ...]
    points: Balance
    minutes: Balance
    rules: Mapping[str, int]
    shops: Mapping[str, int]

    @property
    def differing(self) -> int:
        """How many balances do not add up."""
        every = (*self.funds, self.money, *self.items, self.points, self.minutes)
        return sum(one.difference != 0 for one in every)


def add_up(reader: Reader) -> AddedUp:
    """Every balance of a snapshot."""
    head = reader.head()
    view = View(reader, "")
    totals, held = dict(view.family("fund-total")), _held_in_funds(reader)
    funds = tuple(
        _fund(code, thing, totals.get(code) or {}, held.get(f"fund:{code}", 0))
        for code, thing in view.family("fund")
    )
    units, there = dict(view.family("item-total")), _held_in_all(reader)
    rules = {code: total.get("issued", 0) for code, total in view.family("points-total")}
    shops = {code: total.get("points_redeemed", 0) for code, total in view.family("site-total")}
    return AddedUp(
        as_of=head.size if head else 0,
        funds=funds,
        money=_together(funds),
        items=tuple(
            _item(code, thing, units.get(code) or {}, there.get(f"item:{code}", 0))
            for code, thing in view.family("item")
        ),
        points=_points(view, sum(rules.values()), sum(shops.values()), there.get("points", 0)),
        minutes=_minutes(view, there.get("minutes", 0)),
        rules=rules,
        shops=shops,
    )


def _held_in_funds(reader: Reader) -> dict[str, int]:
    found: dict[str, int] = {}
    after = ""
    while rows := reader.asset_holders("CNY", "fund:", after=after, limit=PAGE):
        found |= {row.name: row.held for row in rows}
        after = rows[-1].name
    return found


def _held_in_all(reader: Reader) -> dict[str, int]:
    return {row.asset: row.held for row in reader.asset_totals()}


def _fund(code: str, thing: Mapping[str, Any], total: Mapping[str, int], held: int) -> Balance:
    donated = _sum(total, _DONATED) - total.get("refunded_fen", 0)
    moved = _sum(total, _MOVED_ON) - total.get("received_fen", 0)
    spent = total.get("spent_fen", 0)
    return Balance(code, {"donated": donated}, {"spent": spent, "moved": moved}, held, thing)


def _together(funds: tuple[Balance, ...]) -> Balance:
    """All funds as one; what moved between them must be nothing, or it is in the difference."""
    donated = sum(one.came["donated"] for one in funds)
    spent = sum(one.went["spent"] for one in funds)
    held = sum(one.held for one in funds)
    return Balance("", {"donated": donated}, {"spent": spent}, held, {})


def _item(code: str, thing: Mapping[str, Any], total: Mapping[str, int], held: int) -> Balance:
    went = {"out": _sum(total, _GOODS_OUT), "lost": total.get("lost", 0)}
    return Balance(code, {"received": _sum(total, _GOODS_IN)}, went, held, thing)


def _points(view: View, issued: int, redeemed: int, held: int) -> Balance:
    total = view.get("points-total") or {}
    went = {
        "redeemed": redeemed,
        "expired": total.get("expired", 0),
        "reversed": points_taken_back(view),
    }
    return Balance("", {"issued": issued + total.get("opened", 0)}, went, held, {})


def _minutes(view: View, held: int) -> Balance:
    total = view.get("time-total") or {}
    came = {"confirmed": total.get("confirmed_minutes", 0)}
    return Balance("", came, {"spent": total.get("spent_minutes", 0)}, held, {})


def _sum(total: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(total.get(name, 0) for name in names)
