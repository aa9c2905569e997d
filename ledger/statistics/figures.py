"""The numbers of the public statistics, gathered from one snapshot.

Sums of money and goods are exact: the ledger's totals and the entries say them anyway.
What counts persons is grouped and published by ``groups``. Donors and the persons who
were helped are not counted: who they are is sealed, so the ledger does not know how many
different ones there are; it counts gifts and payments.

It reads registers, accounts and the flows out of the funds, and the entries that made
those; never the log from end to end.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.attention.item import View
from ledger.entry import Entry
from ledger.statistics.groups import Group, Published, publish
from ledger.store import Reader

UNSPECIFIED = "unspecified"
"""The purpose of money whose fund has several, or none, and that no project narrows."""

_MONEY_IN = ("gifts", "raised_fen", "refunded_fen", "opened_fen", "sales_fen")
_TO_ORGANISATIONS = {"grant.paid": "grants_fen", "purchase.made": "purchases_fen"}
_GOODS = ("opened", "given", "bought", "distributed", "redeemed", "lost", "sold")
_POINTS = ("opened", "issued", "redeemed", "expired", "reversed")


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it, as of one size of the log.

    Attributes:
        day: The day whose rules count.
        rule: The rule that says the least size of a group; None where none is in force.
        aid: Payments to persons, by purpose.
        people_reached: What project reports say, by project.
        wishes: By kind and age band.
        service: Volunteers with confirmed minutes; a volunteer counts once for each organiser.
        volunteers, holders: Different volunteers and holders of points, all together.
    """

    as_of: int
    day: str
    rule: Mapping[str, Any] | None
    money_in: tuple[dict[str, Any], ...]
    money_in_by_purpose: tuple[dict[str, Any], ...]
    money_out: tuple[dict[str, Any], ...]
    goods: tuple[dict[str, Any], ...]
    points: Mapping[str, int]
    aid: Published
    people_reached: Published
    wishes: Published
    service: Published
    volunteers: Published
    holders: Published

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = {"as_of": self.as_of, "day": self.day}
        if self.rule is not None:
            value["group_min"] = self.rule["statistics"]["group_min"]
            value["rule"] = {name: self.rule[name] for name in ("code", "version", "entry")}
        for name in ("money_in", "money_in_by_purpose", "money_out", "goods"):
            value[name] = [dict(row) for row in getattr(self, name)]
        value["points"] = dict(self.points)
        for name in ("aid", "people_reached", "wishes", "service"):
            value[name] = getattr(self, name).as_json()
        for name in ("volunteers", "holders"):
            value[name] = getattr(self, name).as_json()["total"]
        return value


def gather(reader: Reader, day: str) -> Statistics:
    """Gather the statistics of a snapshot, by the rules in force on a day."""
    view = View(reader, day)
    head = reader.head()
    rule = max(
        view.in_force("statistics"),
        key=lambda one: int(one["statistics"]["group_min"]),
        default=None,
    )
    least = None if rule is None else int(rule["statistics"]["group_min"])
    spent = _Spent(view)
    accounts = _accounts(reader)
    volunteers, holders = accounts["minutes"], accounts["points"]
    return Statistics(
        as_of=head.size if head else 0,
        day=day,
        rule=rule,
        money_in=tuple(_money_in(view)),
        money_in_by_purpose=tuple(_money_in_by_purpose(view)),
        money_out=tuple(spent.to_organisations()),
        goods=tuple(_goods(view)),
        points=_points(view),
        aid=publish(spent.aid(), least, "payments"),
        people_reached=publish(list(_people_reached(view)), least, "people"),
        wishes=publish(list(_wishes(view)), least, "wishes"),
        service=publish(list(_service(view)), least, "volunteers"),
        volunteers=publish([Group({}, volunteers)], least, "volunteers"),
        holders=publish([Group({}, holders)], least, "holders"),
    )


def _summed(rows: Mapping[tuple[str, ...], Mapping[str, int]], *keys: str) -> Iterator[Any]:
    """Rows of sums under their keys, in the keys' order; those that are nothing left out."""
    for key in sorted(rows):
        if any(rows[key].values()):
            yield {**dict(zip(keys, key, strict=True)), **rows[key]}


def _chosen(total: Mapping[str, int] | None, names: tuple[str, ...]) -> dict[str, int]:
    return {name: (total or {}).get(name, 0) for name in names}


def _add(row: dict[str, int], amounts: Mapping[str, int], sign: int = 1) -> None:
    for name, amount in amounts.items():
        row[name] = row.get(name, 0) + sign * amount


def _money_in(view: View) -> Iterator[dict[str, Any]]:
    rows: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for code, fund in view.family("fund"):
        total = _chosen(view.get(f"fund-total/{code}"), _MONEY_IN)
        _add(rows[(fund["fund_class"],)], total)
    yield from _summed(rows, "fund_class")


def _money_in_by_purpose(view: View) -> Iterator[dict[str, Any]]:
    """By the project's purpose; what names no project, by its fund's only purpose."""
    rows: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    of_projects: dict[str, dict[str, int]] = defaultdict(dict)
    for code, project in view.family("project"):
        total = _chosen(view.get(f"project-total/{code}"), _MONEY_IN)
        _add(rows[(project["purpose"],)], total)
        _add(of_projects[project["fund"]], total)
    for code, fund in view.family("fund"):
        total = _chosen(view.get(f"fund-total/{code}"), _MONEY_IN)
        _add(total, of_projects[code], -1)
        _add(rows[(_purpose_of(fund),)], total)
    yield from _summed(rows, "purpose")


def _purpose_of(fund: Mapping[str, Any]) -> str:
    purposes = list(fund.get("purposes", ()))
    return str(purposes[0]) if len(purposes) == 1 else UNSPECIFIED


class _Spent:
    """The payments out of the funds that stand: those that were reversed are left out."""

    def __init__(self, view: View) -> None:
        self._out: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
        self._aid: dict[str, list[int]] = defaultdict(list)
        reversed_ = {int(name) for name, _ in view.family("reversed")}
        for code, fund in view.family("fund"):
            account = view.reader.account("CNY", f"fund:{code}")
            if account is None:
                continue
            flows = view.reader.departures("CNY", f"fund:{code}", 0, account.received)
            entries = sorted({flow.entry for flow in flows} - reversed_)
            for entry in view.chosen(entries):
                self._take(entry, fund["fund_class"])

    def _take(self, entry: Entry, fund_class: str) -> None:
        amount = sum(one["amount"] for one in entry.postings if one["asset"] == "CNY")
        if entry.kind in _TO_ORGANISATIONS:
            name = _TO_ORGANISATIONS[entry.kind]
            _add(self._out[(fund_class, entry.fields["purpose"])], {name: amount})
        elif entry.kind == "aid.paid":
            self._aid[entry.fields["purpose"]].append(amount)

    def to_organisations(self) -> Iterator[dict[str, Any]]:
        """Grants and purchases by fund class and purpose."""
        for key in self._out:
            _add(self._out[key], dict.fromkeys(_TO_ORGANISATIONS.values(), 0))
        yield from _summed(self._out, "fund_class", "purpose")

    def aid(self) -> list[Group]:
        """Payments to persons by purpose: each is to one person or family."""
        return [
            Group({"purpose": purpose}, len(amounts), {"amount_fen": sum(amounts)})
            for purpose, amounts in self._aid.items()
        ]


def _goods(view: View) -> Iterator[dict[str, Any]]:
    for code, item in view.family("item"):
        total = _chosen(view.get(f"item-total/{code}"), _GOODS)
        if any(total.values()):
            yield {"item": code, "unit": item["unit"], **total}


def points_in_all(reader: Reader, day: str) -> dict[str, int]:
    """Points opened with, issued, redeemed, expired and reversed, over all rules and shops."""
    return _points(View(reader, day))


def points_taken_back(view: View) -> int:
    """Points that went back to the issuer: by ``points.reversed``, and by refunds of gifts."""
    return sum(int(one["points"]) for _, one in view.family("clawed"))


def _points(view: View) -> dict[str, int]:
    """Points over all rules; what shops redeemed counts as redeemed."""
    found = dict.fromkeys(_POINTS, 0)
    _add(found, _chosen(view.get("points-total"), _POINTS))
    for _, total in view.family("points-total"):
        _add(found, _chosen(total, _POINTS))
    for _, total in view.family("site-total"):
        found["redeemed"] += total.get("points_redeemed", 0)
    found["reversed"] = points_taken_back(view)
    return found


def _people_reached(view: View) -> Iterator[Group]:
    for code, report in view.family("project-report"):
        yield Group({"project": code}, report.get("people_reached", 0))


def _wishes(view: View) -> Iterator[Group]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for _, wish in view.family("wish"):
        found[wish["wish_class"], wish["age_band"]] += 1
    for (wish_class, age_band), count in found.items():
        yield Group({"wish_class": wish_class, "age_band": age_band}, count)


@dataclass(slots=True)
class _Served:
    volunteers: set[str] = field(default_factory=set)
    minutes: int = 0


def _service(view: View) -> Iterator[Group]:
    """Confirmed service by organiser."""
    minutes = {
        index: (name.rpartition("/")[0], end - start)
        for name, served in view.family("served")
        for start, end, index in served["times"]
    }
    confirmed = [int(name) for name, _ in view.family("confirmed")]
    found: dict[str, _Served] = defaultdict(_Served)
    for entry in view.chosen(confirmed):
        volunteer, length = minutes[entry.index]
        row = found[entry.fields["organiser"]]
        row.volunteers.add(volunteer)
        row.minutes += length
    for organiser, row in found.items():
        yield Group({"organiser": organiser}, len(row.volunteers), {"minutes": row.minutes})


def _accounts(reader: Reader) -> dict[str, int]:
    """How many accounts of volunteers and holders ever received anything."""
    found = {"minutes": 0, "points": 0}
    for _, _, name, received in reader.scan("account"):
        family = name.partition(":")[0]
        if family in found and received:
            found[family] += 1
    return found


class Latest:
    """Keeps the statistics of the newest size: a page that many ask for is gathered once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Statistics | None = None

    def of(self, reader: Reader, day: str) -> Statistics:
        """The statistics of a snapshot."""
        head = reader.head()
        size = head.size if head else 0
        with self._lock:
            kept = self._value
            if kept is None or (kept.as_of, kept.day) != (size, day):
                kept = self._value = gather(reader, day)
            return kept
