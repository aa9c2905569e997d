"""One thing that asks for attention, and what the searches for such things share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from ledger.entry import Entry, parse_entry
from ledger.errors import NotReadyError
from ledger.records.dispositions import FLAG_ENTRIES_MAX
from ledger.store import PoolRow, Reader

PAGE = 1000
"""Objects, pools or ranges that are read together."""
ARRIVALS_MAX = 5000
"""Arrivals that are looked at in one pool; where there are more, an item says so."""

WINDOW_UNITS = 1 << 16
FLOWS_FEW = 200
"""How many units the first look at an account takes, and when the next takes more."""

Severity = Literal["notice", "warning"]

TITLES: Mapping[str, tuple[str, str]] = {
    "witness_contradicts": (
        "见证人与本账本不一致，已停止记账",
        "A witness contradicts this log, which records nothing more",
    ),
    "damage_found": (
        "存储的数据有损坏，已停止记账",
        "Something stored is damaged; nothing more is recorded",
    ),
    "restore_unconfirmed": (
        "从备份恢复后尚未确认，暂不记账",
        "Restored from a backup and not confirmed yet; nothing is recorded",
    ),
    "project_report_overdue": ("项目进展公开已逾期", "Project report overdue"),
    "campaign_disclosure_overdue": ("募捐情况公开已逾期", "Campaign disclosure overdue"),
    "emergency_use_overdue": (
        "突发事件款物使用情况公开已逾期",
        "Use in an emergency not disclosed in time",
    ),
    "annual_report_overdue": ("年度报告公开已逾期", "Annual report overdue"),
    "major_change_undisclosed": ("重大资产变动尚未公开", "Major change of assets not disclosed"),
    "leftover_unassigned": ("结项后剩余款项尚未处理", "Leftover not assigned after the close"),
    "restricted_unspent": ("限定性资金长期未使用", "Restricted money unspent for long"),
    "transit_long": ("物资在途时间较长", "Goods in transit for long"),
    "handover_differs": ("交接数量尚有差异", "A hand-over differs"),
    "stock_short_dated": ("临期物资", "Short-dated stock"),
    "stock_expired": ("已过保质期物资", "Stock past its best-before date"),
    "expired_handed_out": (
        "已过保质期的物资仍被发放",
        "Goods handed out after their best-before date",
    ),
    "points_expiring": ("积分即将到期", "Points about to expire"),
    "points_past_expiry": ("积分已过期待登记", "Points past their expiry, not recorded yet"),
    "points_of_refunded_gift": ("退款捐赠对应的积分", "Points of a gift that was refunded"),
    "refunds_of_holder": ("同一持有人多笔捐赠退款", "Several refunded gifts of one holder"),
    "delivered_before_request": (
        "登记的发放日期早于申请日期",
        "Delivered before it was asked for, by the days recorded",
    ),
    "matching_of_refunded_gift": (
        "退款捐赠的配捐款尚未退回",
        "Matching money of a refunded gift not returned",
    ),
    "bank_match_of_reversed_gift": (
        "已冲正的捐赠仍匹配着银行流水",
        "Bank lines still matched to a reversed gift",
    ),
    "service_recorded_late": ("服务时长登记较晚", "Service recorded long after it happened"),
}
"""Every code, in Chinese and English."""
OF_PERSONS = frozenset(("holder", "holders", "holders_total", "volunteers"))
"""Details that name persons by their codes, or count them: for no public answer (ADR 12)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that asks for attention.

    Attributes:
        code: What kind of thing; `TITLES` says it in words.
        entries: The entries that it rests on, rising, at most `FLAG_ENTRIES_MAX`.
        details: Plain values: codes, days, amounts in fen or base units.
        disposition: What an auditor decided about it, or None.
        place: Its place in the order of the search that found it.
    """

    code: str
    severity: Severity
    entries: tuple[int, ...]
    details: Mapping[str, Any]
    disposition: Mapping[str, Any] | None = None
    place: int = field(default=0, compare=False)

    @property
    def order(self) -> tuple[int, int]:
        """By what a list of items is ordered: what is open first, warnings before notices. A
        decision puts an item further back, and moves no other."""
        return 2 * (self.disposition is not None) + (self.severity != "warning"), self.place

    def public(self) -> Item:
        """The item for everybody: it names no person and counts none; its entries stay."""
        shown = {name: one for name, one in self.details.items() if name not in OF_PERSONS}
        return replace(self, details=shown)

    def as_json(self) -> dict[str, Any]:
        """Plain values, with both titles."""
        title_zh, title_en = TITLES[self.code]
        value: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity,
            "title_zh": title_zh,
            "title_en": title_en,
            "entries": list(self.entries),
            "details": dict(self.details),
        }
        if self.disposition is not None:
            value["disposition"] = dict(self.disposition)
        return value


def make_item(
    code: str, severity: Severity, entries: Sequence[int], details: Mapping[str, Any]
) -> Item:
    """An item; of many entries the first ones are listed, and how many there are is said."""
    every = sorted(set(entries))
    more = {"entries_total": len(every)} if len(every) > FLAG_ENTRIES_MAX else {}
    return Item(code, severity, tuple(every[:FLAG_ENTRIES_MAX]), {**details, **more})


def _never() -> bool:
    return False


@dataclass(slots=True)
class View:
    """One snapshot as of a day, with the rules in force on that day.

    `stopping` says whether whoever asked does not want the answer any more.
    """

    reader: Reader
    day: str
    stopping: Callable[[], bool] = _never
    _entries: dict[int, Entry] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """The state's object under a key, or None."""
        data = self.reader.object(key)
        return None if data is None else orjson.loads(data)

    def family(self, family: str) -> Iterator[tuple[str, Any]]:
        """The state's objects of one family: the rest of the key, and the value."""
        prefix, after = f"{family}/", ""
        self.proceed()
        while rows := self.reader.objects(prefix, after=after, limit=PAGE):
            for key, value in rows:
                yield key.removeprefix(prefix), orjson.loads(value)
            after = rows[-1][0]
            self.proceed()

    def proceed(self) -> None:
        """Return if the search is to go on.

        Raises:
            NotReadyError: ``stopping``.
        """
        if self.stopping():
            raise NotReadyError("the service is stopping", code="stopping")

    def pools(self) -> Iterator[PoolRow]:
        """What every account holds, label by label."""
        after = (-1, "")
        while rows := self.reader.held_pools(after, PAGE):
            yield from rows
            after = (rows[-1].account, rows[-1].label)

    def entry(self, index: int) -> Entry:
        """An entry by its index."""
        if index not in self._entries:
            self._entries[index] = parse_entry(self.reader.entry(index))
        return self._entries[index]

    def referrers(self, index: int, *, after: int) -> list[int]:
        """The first later entries that refer to an entry, above `after`."""
        return self.reader.referrers(index, after=after, limit=PAGE)

    def chosen(self, indices: Sequence[int]) -> Iterator[Entry]:
        """These entries, some at a time; they are not kept."""
        for start in range(0, len(indices), PAGE):
            for data in self.reader.chosen_entries(indices[start : start + PAGE]).values():
                yield parse_entry(data)

    def in_force(self, topic: str) -> list[Any]:
        """The versions in force of the rules of a topic."""
        found: list[Any] = []
        for code in sorted((self.get(f"topic/{topic}") or {"rules": []})["rules"]):
            versions = self.get(f"rule/{code}")["versions"]
            found += [one for one in versions if one["in_force_from"] <= self.day][-1:]
        return found

    def rules(self, topic: str, subject: str) -> list[Any]:
        """The versions in force of the rules of a topic about a subject."""
        return [one for one in self.in_force(topic) if one[topic]["subject"] == subject]

    def age_rule(self, subject: str) -> Any:
        """The strictest ageing rule in force about a subject, or None."""
        rules = self.rules("ageing", subject)
        return min(rules, key=lambda one: int(one["ageing"]["days"]), default=None)

    def days_since(self, day: str) -> int:
        """Days from a day to this one."""
        return (dt.date.fromisoformat(self.day) - dt.date.fromisoformat(day)).days

    def day_after(self, day: str, days: int) -> str:
        """The day so many days later; the last of the calendar where there is none."""
        try:
            return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()
        except OverflowError:
            return dt.date.max.isoformat()


def rule_of(rule: Any) -> dict[str, Any]:
    """What an item says of the rule that it rests on."""
    return {"rule": rule["code"], "rule_version": rule["version"]}


def _ranges_of(view: View, pool: PoolRow) -> Iterator[tuple[int, int]]:
    """The ranges that a pool still holds, by rising number."""
    first = 0
    while rows := view.reader.held_ranges(pool.account, first=first, label=pool.label, limit=PAGE):
        yield from ((start, end) for start, end, _ in rows)
        first = rows[-1][1]


def arrivals_of(view: View, pool: PoolRow) -> tuple[list[tuple[int, int]], bool]:
    """The arrivals of what a pool still holds: ``(entry, units still there)``.

    Returns:
        The arrivals by rising unit number, and whether there are more than were looked at.
    """
    found: list[tuple[int, int]] = []
    window = WINDOW_UNITS
    for first, end in _ranges_of(view, pool):
        at = first
        while at < end:
            view.proceed()
            upto = min(end, at + window)
            flows = view.reader.arrivals(pool.asset, pool.name, at, upto)
            for flow in flows:
                if len(found) >= ARRIVALS_MAX:
                    return found, True
                stop = min(end, (flow.target_first or 0) + flow.length)
                found.append((flow.entry, stop - at))
                at = stop
            # Few arrivals brought many units, or many brought few: ask for more, or less.
            window = max(1, window * 4 if len(flows) < FLOWS_FEW else window // 2)
    return found, False
