"""Disclosures that are overdue by the dated rules in force (domain, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.attention.item import Item, View, make_item, rule_of


def overdue(view: View) -> Iterator[Item]:
    """Every disclosure whose day has passed."""
    yield from _project_reports(view)
    yield from _emergencies(view)
    yield from _campaigns(view)
    yield from _leftovers(view)
    yield from _annual_reports(view)
    yield from _major_changes(view)


def report_rules(view: View) -> list[Any]:
    """The rules in force that ask for reports of projects every so many days."""
    return [one for one in view.rules("disclosure", "project_progress") if _every(one)]


def report_days(view: View, rules: list[Any], code: str, project: Any) -> Iterator[tuple[str, Any]]:
    """The days by which a project's next report is due, each with its rule of `report_rules`;
    none where the project is closed, or no rule asks for reports of it."""
    if view.get(f"project-closed/{code}") is not None:
        return
    report = view.get(f"project-report/{code}")
    start = project.get("starts_on") or view.entry(project["entry"]).occurred_on
    last = start if report is None else max(start, report["last_on"])
    for rule in rules:
        if _long_enough(view, rule, start, project.get("ends_on")):
            yield view.day_after(last, rule["disclosure"]["every_days"]), rule


def _project_reports(view: View) -> Iterator[Item]:
    rules = report_rules(view)
    for code, project in view.family("project"):
        report = view.get(f"project-report/{code}")
        entries = [project["entry"]] + ([] if report is None else [report["entry"]])
        for due, rule in report_days(view, rules, code, project):
            if due < view.day:
                yield _overdue(view, "project_report_overdue", "project", code, due, entries, rule)


def _emergencies(view: View) -> Iterator[Item]:
    """In the rescue phase of an emergency, receipts and use are reported every few days."""
    rules = [one for one in view.rules("disclosure", "emergency_use") if _every(one)]
    for code, project in view.family("project"):
        if project.get("project_class") != "emergency":
            continue
        report = view.get(f"project-report/{code}")
        entries = [project["entry"]] + ([] if report is None else [report["entry"]])
        for due, rule in report_days(view, rules, code, project):
            # After the phase's end its last report stands.
            if due < view.day and due <= project.get("ends_on", due):
                yield _overdue(view, "emergency_use_overdue", "project", code, due, entries, rule)


def _every(rule: Any) -> bool:
    return "every_days" in rule["disclosure"]


def _annual_reports(view: View) -> Iterator[Item]:
    """The audited report of each year that ended while the rule was in force."""
    for rule in view.rules("disclosure", "annual_report"):
        by_day = rule["disclosure"].get("by_day")
        first, this = int(rule["in_force_from"][:4]), int(view.day[:4])
        for year in range(first, this) if by_day else ():
            due = f"{year + 1:04d}-{by_day}"
            published = view.get(f"annual-report/{year}")
            if due < view.day and published is None:
                yield _overdue(
                    view, "annual_report_overdue", "year", str(year), due, [rule["entry"]], rule
                )


def _major_changes(view: View) -> Iterator[Item]:
    """Movements of so much money that the rule of their day asked for disclosure."""
    rules = [
        one
        for one in view.rules("disclosure", "major_change")
        if "within_days" in one["disclosure"]
    ]
    for name, change in view.family("major-change") if rules else ():
        if view.get(f"major-disclosed/{name}") is not None:
            continue
        for rule in rules:
            due = view.day_after(change["occurred_on"], rule["disclosure"]["within_days"])
            if due < view.day:
                fen, code = change["amount_fen"], "major_change_undisclosed"
                yield _overdue(view, code, "amount_fen", fen, due, [int(name)], rule)


def _campaigns(view: View) -> Iterator[Item]:
    """A campaign is disclosed by a report of a project of its fund, since it opened."""
    rules = [one for one in view.rules("disclosure", "campaign_progress") if _every(one)]
    if not rules:
        return
    reports: dict[str, tuple[str, int]] = {}
    for code, project in view.family("project"):
        report = view.get(f"project-report/{code}")
        if report is not None:
            fund, found = project["fund"], (report["last_on"], report["entry"])
            reports[fund] = max(reports.get(fund, found), found)
    for code, campaign in view.family("campaign"):
        last, entries = campaign["starts_on"], [campaign["entry"]]
        report_on, entry = reports.get(campaign["fund"], ("", -1))
        if report_on > last:
            last, entries = report_on, [*entries, entry]
        for rule in rules:
            due = view.day_after(last, rule["disclosure"]["every_days"])
            # After the campaign's end its last disclosure stands.
            long = _long_enough(view, rule, campaign["starts_on"], campaign["ends_on"])
            if long and due < view.day and due <= campaign["ends_on"]:
                yield _overdue(
                    view, "campaign_disclosure_overdue", "campaign", code, due, entries, rule
                )


def _long_enough(view: View, rule: Any, starts_on: str, ends_on: str | None) -> bool:
    """Whether something lasts so long that the rule asks for its disclosure."""
    least = rule["disclosure"].get("longer_than_days")
    return least is None or ends_on is None or ends_on > view.day_after(starts_on, least)


def _leftovers(view: View) -> Iterator[Item]:
    rules = [
        one
        for one in view.rules("disclosure", "leftover_handling")
        if "within_days" in one["disclosure"]
    ]
    for code, closed in view.family("project-closed"):
        if not rules:
            return
        project = view.get(f"project/{code}")
        pool = view.reader.pool("CNY", f"fund:{project['fund']}", code)
        left = 0 if pool is None else pool.held
        for rule in rules:
            due = view.day_after(closed["closed_on"], rule["disclosure"]["within_days"])
            if left and due < view.day:
                entries = [project["entry"], closed["entry"]]
                item = _overdue(view, "leftover_unassigned", "project", code, due, entries, rule)
                yield make_item(
                    item.code, item.severity, entries, {**item.details, "amount_fen": left}
                )


def _overdue(
    view: View, code: str, what: str, name: object, due: str, entries: list[int], rule: Any
) -> Item:
    details = {what: name, "due_on": due, "days_overdue": view.days_since(due), **rule_of(rule)}
    return make_item(code, "warning", entries, details)
