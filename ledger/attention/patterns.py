"""Patterns that may have an innocent cause and deserve a look (domain, section 2).

Each says what the entries show; why it is so, a person finds out.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from ledger.attention.item import Item, View, make_item
from ledger.entry import parse_entry
from ledger.sequencer import CHINA

REFUNDS_OF_HOLDER_MIN = 3
"""So many refunded gifts behind one holder's points are shown together."""
LATE_DAYS = 30
"""Service that is recorded so many days after it happened is shown."""
EARLY_MAX = 20_000
"""Early deliveries that are looked at, by the order of their keys."""
SERVICES_MAX = 20_000
"""Services that are looked at, by the volunteers' codes."""


def patterns(view: View) -> Iterator[Item]:
    """Points behind refunds, goods delivered early, and service recorded late."""
    yield from _refunded(view)
    yield from _delivered_early(view)
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
    for holder, found in sorted(gifts.items()):
        if len(found) >= REFUNDS_OF_HOLDER_MIN:
            entries = [index for some in found for index in some]
            details = {"holder": holder, "refunded_gifts": len(found)}
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


def _late(view: View) -> Iterator[Item]:
    services = (
        (index, volunteer, day)
        for name, served in view.family("served")
        for volunteer, _, day in (name.rpartition("/"),)
        for _, _, index in served["times"]
    )
    looked = list(islice(services, SERVICES_MAX))
    data = view.reader.chosen_entries([index for index, _, _ in looked])
    volunteers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, volunteer, day in looked:
        recorded_at = dt.datetime.fromisoformat(parse_entry(data[index]).recorded_at)
        recorded_on = recorded_at.astimezone(CHINA).date()
        days = (recorded_on - dt.date.fromisoformat(day)).days
        if days > LATE_DAYS:
            volunteers[volunteer].append((index, days))
    for volunteer, found in sorted(volunteers.items()):
        details = {
            "volunteer": volunteer,
            "services": len(found),
            "days_max": max(days for _, days in found),
        }
        entries = [index for index, _ in found]
        yield make_item("service_recorded_late", "notice", entries, details)
