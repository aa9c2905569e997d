"""What the pages of a fund and a project tell besides totals: payments, reports, the latest.

Each looks at so many entries and no more, newest first; a link leads to all of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.pages.directory import Amount, Directory, Place
from api.pages.entries import EntryRow, entry_row, reversed_by
from api.pages.kinds import kind_title
from api.pages.listing import Filters, find_entries
from api.pages.texts import Translator
from ledger.attention.deadlines import report_days, report_rules
from ledger.attention.item import View
from ledger.entry import Entry
from ledger.store import Reader

PAYMENTS = ("purchase.made", "grant.paid", "aid.paid")
PAYMENTS_SHOWN = 20
LATEST_SHOWN = 10
LOOKED_AT_MAX = 1_000
"""Entries about a thing that are looked through for its payments."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment: `payee` is None for a person, whose name is sealed."""

    entry: int
    title: str
    day: str
    payee: Place | None
    amount: Amount
    goods: list[Amount]
    reversed_by: int | None


@dataclass(frozen=True, slots=True)
class Reporting:
    """A project's reports: the last one, and when the next is due by the rules in force.

    `rule` is the rule that asks for it, `overdue` the days since `due_on`; a `closed` project
    owes none.
    """

    last_on: str
    last_entry: int | None
    due_on: str
    rule: Mapping[str, Any] | None
    overdue: int
    closed: Mapping[str, Any] | None


def find_payments(
    reader: Reader, size: int, about: tuple[str, str], directory: Directory, translator: Translator
) -> list[Payment]:
    """The newest payments of a fund or a project, at most `PAYMENTS_SHOWN`."""
    found = find_entries(
        reader,
        size,
        Filters(about=(about,)),
        limit=PAYMENTS_SHOWN,
        kinds=PAYMENTS,
        look_at=LOOKED_AT_MAX,
    )
    return [_payment(one, reader, directory, translator) for one in found.entries]


def _payment(entry: Entry, reader: Reader, directory: Directory, translator: Translator) -> Payment:
    party = entry.fields.get("supplier") or entry.fields.get("payee")
    money = sum(one["amount"] for one in entry.postings if one["asset"] == "CNY")
    goods = [
        directory.amount(one["asset"], one["amount"])
        for one in entry.postings
        if one["asset"] != "CNY"
    ]
    return Payment(
        entry.index,
        kind_title(entry.kind, translator),
        entry.occurred_on,
        None if party is None else directory.place("party", party),
        directory.amount("CNY", money),
        goods,
        reversed_by(entry.index, reader),
    )


def find_latest(
    reader: Reader, size: int, about: tuple[str, str], directory: Directory, translator: Translator
) -> list[EntryRow]:
    """The newest entries about a thing."""
    found = find_entries(reader, size, Filters(about=(about,)), limit=LATEST_SHOWN)
    return [entry_row(one, reader, directory, translator) for one in found.entries]


def find_reporting(reader: Reader, code: str, project: Mapping[str, Any], day: str) -> Reporting:
    """When a project last reported, and by when it has to again."""
    view = View(reader, day)
    report = view.get(f"project-report/{code}")
    days = report_days(view, report_rules(view), code, project)
    due, rule = min(days, key=lambda pair: pair[0], default=("", None))
    late = (dt.date.fromisoformat(day) - dt.date.fromisoformat(due)).days if due else 0
    return Reporting(
        "" if report is None else report["last_on"],
        None if report is None else report["entry"],
        due,
        rule,
        max(0, late),
        view.get(f"project-closed/{code}"),
    )
