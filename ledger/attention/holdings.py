"""What lies too long, is on the way too long, or runs out: money, goods, points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ledger.attention.item import Item, View, arrivals_of, make_item, rule_of
from ledger.entry import parse_entry
from ledger.records.goods import NEVER
from ledger.store import PoolRow

HOLDERS_MAX = 20
"""Holders of points that one item names; it says how many there are."""


def ageing(view: View, points: list[PoolRow]) -> Iterator[Item]:
    """Items over all pools that hold something, each read once.

    Args:
        points: Gets the pools of points, holder by holder.
    """
    restricted = {
        code: fund for code, fund in view.family("fund") if fund["fund_class"] == "restricted"
    }
    for _, pools in groupby(view.pools(), key=lambda pool: pool.account):
        account = list(pools)
        family, _, code = account[0].name.partition(":")
        if family == "fund" and account[0].asset == "CNY" and code in restricted:
            for pool in account:
                yield from _unspent(view, pool, code)
        elif family == "transit":
            yield from _transit(view, account, code)
        elif family == "stock":
            yield from _short_dated(view, account, code)
        elif family == "points":
            points += account
    yield from _expiring(view, points)


def _unspent(view: View, pool: PoolRow, fund: str) -> Iterator[Item]:
    """Money that came into the fund over the rule's days ago, by the project it is for."""
    rule = view.age_rule("unspent_restricted")
    if rule is None:
        return
    arrivals, more = arrivals_of(view, pool)
    old: list[tuple[str, int, int]] = []
    data = view.reader.chosen_entries([entry for entry, _ in arrivals])
    for entry, amount in arrivals:
        day = parse_entry(data[entry]).occurred_on
        if view.days_since(day) > rule["ageing"]["days"]:
            old.append((day, entry, amount))
    if not old:
        return
    details: dict[str, Any] = {"fund": fund}
    if pool.label:
        details["project"] = pool.label
    details |= {
        "amount_fen": sum(amount for _, _, amount in old),
        "oldest_on": min(old)[0],
        "days": view.days_since(min(old)[0]),
        **rule_of(rule),
    }
    if more:
        details["looked_at_part"] = True
    yield make_item("restricted_unspent", "notice", [entry for _, entry, _ in old], details)


def _transit(view: View, pools: Sequence[PoolRow], shipment: str) -> Iterator[Item]:
    sent = view.get(f"shipment/{shipment}")
    total = view.reader.account_total(pools[0].asset, pools[0].name)
    if sent is None or total is None:
        return
    uses = {
        flow.entry for flow in view.reader.departures(total.asset, total.name, 0, total.received)
    }
    details: dict[str, Any] = {
        "shipment": shipment,
        "item": total.asset.removeprefix("item:"),
        "from_site": sent["from_site"],
        "to_site": sent["to_site"],
        "sent": sent["quantity"],
        "outstanding": total.held,
    }
    day = view.entry(sent["entry"]).occurred_on
    details["sent_on"] = day
    if uses:
        yield make_item("handover_differs", "warning", [sent["entry"], *uses], details)
    rule = view.age_rule("in_transit")
    if rule is not None and view.days_since(day) > rule["ageing"]["days"]:
        details = {**details, "days": view.days_since(day), **rule_of(rule)}
        yield make_item("transit_long", "warning", [sent["entry"]], details)


def _short_dated(view: View, pools: Sequence[PoolRow], site: str) -> Iterator[Item]:
    """Goods of a site by lot, whose best-before date is near or over."""
    rule = view.age_rule("short_dated")
    if rule is None:
        return
    limit = view.day_after(view.day, rule["ageing"]["days"])
    for pool in pools:
        best_before, _, lot = pool.label.partition("/")
        if not best_before or best_before > limit:
            continue
        arrivals, _ = arrivals_of(view, pool)
        over = best_before < view.day
        details: dict[str, Any] = {
            "site": site,
            "item": pool.asset.removeprefix("item:"),
            "quantity": pool.held,
            "best_before": best_before,
            **rule_of(rule),
        }
        if lot:
            details["lot"] = lot
        entries = [entry for entry, _ in arrivals]
        if over:
            yield make_item("stock_expired", "warning", entries, details)
        else:
            yield make_item("stock_short_dated", "notice", entries, details)


def _expiring(view: View, pools: Sequence[PoolRow]) -> Iterator[Item]:
    """One item for all points that expire on one day, and one for each day past."""
    rule = view.age_rule("points_expiring")
    if rule is None:
        return
    limit = view.day_after(view.day, rule["ageing"]["days"])
    days: dict[str, list[tuple[str, int, list[int]]]] = defaultdict(list)
    for pool in pools:
        expires = pool.label.partition("/")[0]
        if expires and expires != NEVER and expires <= limit:
            arrivals, _ = arrivals_of(view, pool)
            entries = [entry for entry, _ in arrivals]
            days[expires].append((pool.name.partition(":")[2], pool.held, entries))
    for day, holders in sorted(days.items()):
        details = {
            "expires_on": day,
            "points": sum(amount for _, amount, _ in holders),
            "holders_total": len(holders),
            "holders": sorted(holder for holder, _, _ in holders)[:HOLDERS_MAX],
            **rule_of(rule),
        }
        entries = [entry for _, _, some in holders for entry in some]
        over = day < view.day
        code = "points_past_expiry" if over else "points_expiring"
        yield make_item(code, "notice", entries, details)
