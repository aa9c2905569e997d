"""Patterns that may have an innocent cause and deserve a look (domain, section 2).

Each says what the entries show; why it is so, a person finds out.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from ledger.attention.item import Item, View, make_item, rule_of
from ledger.entry import parse_entry
from ledger.records.matching import matched_fen
from ledger.sequencer import CHINA

EARLY_MAX = 20_000
"""Early deliveries that are looked at, by the order of their keys."""
GIFTS_NAMED_MAX = 20
"""Gifts and refunds that one item's details name; its entries name more."""
SERVICES_MAX = 20_000
"""Services that are looked at, by the volunteers' codes."""


def patterns(view: View) -> Iterator[Item]:
    """What refunds and reversals left behind, goods delivered early, service recorded late."""
    yield from _refunded(view)
    yield from _matched(view)
    yield from _bank_matched(view)
    yield from _delivered_early(view)
    yield from _expired_out(view)
    yield from _late(view)


def _refunded(view: View) -> Iterator[Item]:
    gifts: dict[str, list[list[int]]] = defaultdict(list)
    for gift_name, refund in view.family("refunded"):
        if refund.get("amount_fen", 0) < 1:
            continue
        gift = int(gift_name)
        issues = (view.get(f"points-of/{gift}") or {"issues": []})["issues"]
        issued = clawed = 0
        for issue in issues:
            issued += view.entry(issue).postings[0]["amount"]
            clawed += (view.get(f"clawed/{issue}") or {"points": 0})["points"]
        for holder in {view.entry(issue).fields["holder"] for issue in issues}:
            gifts[holder].append([gift, *issues])
        full = refund["amount_fen"] >= view.entry(gift).fields["amount_fen"]
        if full and issued > clawed:
            details = {
                "gift": gift,
                "refunded_fen": refund["amount_fen"],
                "points_issued": issued,
                "points_taken_back": clawed,
                "points_used_or_left": issued - clawed,
            }
            yield make_item("points_of_refunded_gift", "warning", [gift, *issues], details)
    rule = min(
        view.rules("pattern", "refunds_of_holder"),
        key=lambda one: int(one["pattern"]["count_min"]),
        default=None,
    )
    if rule is None:
        return
    for holder, found in sorted(gifts.items()):
        if len(found) >= rule["pattern"]["count_min"]:
            entries = [index for some in found for index in some]
            details = {"holder": holder, "refunded_gifts": len(found), **rule_of(rule)}
            yield make_item("refunds_of_holder", "notice", entries, details)


def _delivered_early(view: View) -> Iterator[Item]:
    """Goods that were handed out before the day on which they were asked for, by receiver."""
    recipients: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for name, early in islice(view.family("delivered-early"), EARLY_MAX):
        fields = view.entry(int(name)).fields
        asked = dt.date.fromisoformat(early["requested_on"])
        days = (asked - dt.date.fromisoformat(early["occurred_on"])).days
        recipients[fields.get("recipient", fields["recipient_class"])].append((int(name), days))
    for recipient, found in sorted(recipients.items()):
        details = {
            "recipient": recipient,
            "deliveries": len(found),
            "days_max": max(days for _, days in found),
        }
        entries = [index for index, _ in found]
        yield make_item("delivered_before_request", "notice", entries, details)


def _expired_out(view: View) -> Iterator[Item]:
    """Goods that were past their date on the day on which they were handed out."""
    for name, expired in islice(view.family("expired-out"), EARLY_MAX):
        fields = view.entry(int(name)).fields
        site = fields["shop"] if "shop" in fields else fields["site"]
        details = {"site": site, "item": fields["item"], "quantity": expired["quantity"]}
        yield make_item("expired_handed_out", "warning", [int(name)], details)


def _matched(view: View) -> Iterator[Item]:
    """Matching money beyond what its rule gives for what is left of the gifts."""
    found: dict[int, list[int]] = defaultdict(list)
    for gift_name, refund in view.family("refunded"):
        if refund.get("amount_fen", 0) > 0:
            for matching in (view.get(f"matchings-of/{gift_name}") or {"entries": []})["entries"]:
                found[matching].append(int(gift_name))
    for matching, gifts in sorted(found.items()):
        fields = view.entry(matching).fields
        rule = view.get(f"rule/{fields['rule']}")["versions"][fields["rule_version"] - 1]
        due = sum(
            matched_fen(rule["matching"], _amount_left(view, gift)) for gift in fields["gifts"]
        )
        excess = _amount_left(view, matching) - due
        if excess > 0:
            refunds = [
                refund
                for gift in gifts
                for refund in view.referrers(gift, after=matching)
                if view.entry(refund).kind == "donation.refunded"
            ]
            details = {
                "matching": matching,
                "gifts": sorted(gifts)[:GIFTS_NAMED_MAX],
                "refunds": sorted(refunds)[:GIFTS_NAMED_MAX],
                "matched_fen": fields["amount_fen"],
                "returnable_fen": excess,
                "rule": rule["code"],
                "rule_version": rule["version"],
            }
            entries = [*gifts, matching, *refunds]
            yield make_item("matching_of_refunded_gift", "warning", entries, details)


def _amount_left(view: View, gift: int) -> int:
    """What was given, less what was given back, in fen."""
    refunded = (view.get(f"refunded/{gift}") or {"amount_fen": 0})["amount_fen"]
    return int(view.entry(gift).fields["amount_fen"]) - int(refunded)


def _bank_matched(view: View) -> Iterator[Item]:
    """Bank lines whose gift was reversed after they were matched to it."""
    for gift_name, undone in view.family("reversed"):
        match = view.get(f"bank-match/{gift_name}")
        if match is not None:
            gift = int(gift_name)
            details = {"gift": gift, "reversal": undone["entry"], "match": match["entry"]}
            entries = [gift, match["entry"], undone["entry"]]
            yield make_item("bank_match_of_reversed_gift", "warning", entries, details)


def _late(view: View) -> Iterator[Item]:
    """By organiser: many volunteers' hours that were recorded together are one thing to judge."""
    rule = view.age_rule("service_recorded_late")
    if rule is None:
        return
    services = (
        (index, volunteer, day)
        for name, served in view.family("served")
        for volunteer, _, day in (name.rpartition("/"),)
        for _, _, index in served["times"]
    )
    looked = list(islice(services, SERVICES_MAX))
    data = view.reader.chosen_entries([index for index, _, _ in looked])
    organisers: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for index, volunteer, day in looked:
        entry = parse_entry(data[index])
        recorded_at = dt.datetime.fromisoformat(entry.recorded_at)
        recorded_on = recorded_at.astimezone(CHINA).date()
        days = (recorded_on - dt.date.fromisoformat(day)).days
        if days > rule["ageing"]["days"]:
            organisers[entry.fields["organiser"]].append((index, volunteer, days))
    for organiser, found in sorted(organisers.items()):
        details = {
            "organiser": organiser,
            "volunteers": len({volunteer for _, volunteer, _ in found}),
            "services": len(found),
            "days_max": max(days for _, _, days in found),
            **rule_of(rule),
        }
        entries = [index for index, _, _ in found]
        yield make_item("service_recorded_late", "notice", entries, details)
