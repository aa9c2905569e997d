"""The numbers of the public statistics, gathered from one snapshot.

Sums of money and goods are exact: the ledger's totals and the entries say them anyway.
What counts persons is grouped and published by ``groups``. Donors and the persons who
were helped are not counted: who they are is sealed, so the ledger does not know how many
different ones there are; it counts gifts and payments.

It reads kept totals (``records.totals``): as many rows as it tells of, however long the log.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.attention.item import View
from ledger.records.totals import MONEY_IN, PAID_AS
from ledger.statistics.groups import Group, Published, publish
from ledger.store import Reader

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
    rule = group_rule(view)
    least = least_group(rule)
    volunteers, holders = (_accounts(reader, asset) for asset in ("minutes", "points"))
    return Statistics(
        as_of=head.size if head else 0,
        day=day,
        rule=rule,
        money_in=tuple(_money_in(view)),
        money_in_by_purpose=tuple(_money_in_by_purpose(view)),
        money_out=tuple(_money_out(view)),
        goods=tuple(_goods(view)),
        points=_points(view),
        aid=publish(list(_aid(view)), least, "payments"),
        people_reached=publish(list(_people_reached(view)), least, "people"),
        wishes=publish(list(_wishes(view)), least, "wishes"),
        service=publish(list(_service(view)), least, "volunteers"),
        volunteers=publish([Group({}, volunteers)], least, "volunteers"),
        holders=publish([Group({}, holders)], least, "holders"),
    )


def group_rule(view: View) -> Mapping[str, Any] | None:
    """The strictest rule in force about small groups, or None."""
    rules: list[Mapping[str, Any]] = view.in_force("statistics")
    return max(rules, key=lambda one: int(one["statistics"]["group_min"]), default=None)


def least_group(rule: Mapping[str, Any] | None) -> int | None:
    """The least size of a group that is shown by a rule; None, without one: nothing is."""
    return None if rule is None else int(rule["statistics"]["group_min"])


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
    rows: dict[tuple[str, ...], dict[str, int]] = {
        (fund_class,): _chosen(total, MONEY_IN) for fund_class, total in view.family("class-total")
    }
    yield from _summed(rows, "fund_class")


def _money_in_by_purpose(view: View) -> Iterator[dict[str, Any]]:
    """By the project's purpose; what names no project, by its fund's only purpose."""
    rows: dict[tuple[str, ...], dict[str, int]] = {}
    for purpose, total in view.family("purpose-total"):
        rows[(purpose,)] = _chosen(total, MONEY_IN)
    yield from _summed(rows, "purpose")


def _money_out(view: View) -> Iterator[dict[str, Any]]:
    """Grants and purchases by fund class and purpose; what was reversed is left out."""
    rows = {
        tuple(key.split("/")): _chosen(total, tuple(PAID_AS.values()))
        for key, total in view.family("paid-total")
    }
    yield from _summed(rows, "fund_class", "purpose")


def _aid(view: View) -> Iterator[Group]:
    """Payments to persons by purpose: each is to one person or family."""
    for purpose, total in view.family("aid-total"):
        yield Group({"purpose": purpose}, total["payments"], {"amount_fen": total["amount_fen"]})


def _goods(view: View) -> Iterator[dict[str, Any]]:
    totals = dict(view.family("item-total"))
    for code, item in view.family("item"):
        total = _chosen(totals.get(code), _GOODS)
        if any(total.values()):
            yield {"item": code, "unit": item["unit"], **total}


def points_in_all(reader: Reader, day: str) -> dict[str, int]:
    """Points opened with, issued, redeemed, expired and reversed, over all rules and shops."""
    return _points(View(reader, day))


def points_taken_back(view: View) -> int:
    """Points that went back to the issuer: by ``points.reversed``, and by refunds of gifts."""
    return int((view.get("points-taken-back") or {"points": 0})["points"])


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
    for key, total in view.family("wish-group"):
        wish_class, age_band = key.split("/")
        yield Group({"wish_class": wish_class, "age_band": age_band}, total["wishes"])


def _service(view: View) -> Iterator[Group]:
    """Confirmed service by organiser."""
    for organiser, total in view.family("organiser-total"):
        minutes = {"minutes": total["minutes"]}
        yield Group({"organiser": organiser}, total["volunteers"], minutes)


def _accounts(reader: Reader, asset: str) -> int:
    """How many accounts of volunteers (``minutes``) or holders ever received anything."""
    found = reader.asset(asset)
    return 0 if found is None else found.accounts


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
