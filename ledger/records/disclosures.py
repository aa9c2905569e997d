"""What is disclosed 信息公开 besides projects' reports: annual reports, major changes.

A published document says which duty it meets (``document.attached``, ``discloses``). Which
change is a major one is a dated rule's business: it names the least amount (domain, section 4).
"""

from __future__ import annotations

from typing import Any, Literal

from ledger.entry import Entry
from ledger.records.rules import rules_of_topic
from ledger.state import State

Disclosed = Literal["annual_report", "major_change"]
"""The subjects that a document discloses; the others are disclosed by ``project.reported``."""


def note_major(entry: Entry, state: State, sign: int) -> None:
    """Keep that an entry moved so much money that a rule in force asks for its disclosure."""
    amount = sum(one["amount"] for one in entry.postings if one["asset"] == "CNY")
    if any(amount >= least for least in _least_amounts(state, entry.occurred_on)):
        change = {"amount_fen": amount, "occurred_on": entry.occurred_on}
        state.put(f"major-change/{entry.index}", change if sign > 0 else None)


def _least_amounts(state: State, day: str) -> list[int]:
    terms = [rule["disclosure"] for rule in rules_of_topic(state, "disclosure", day)]
    return [
        one["amount_fen_min"]
        for one in terms
        if one["subject"] == "major_change" and "amount_fen_min" in one
    ]


def note_disclosed(entry: Entry, state: State) -> None:
    """Keep which duty an attached document meets."""
    fields: Any = entry.fields
    value = {"entry": entry.index, "occurred_on": entry.occurred_on}
    if fields.get("discloses") == "annual_report":
        state.put(f"annual-report/{fields['year']}", value)
    elif fields.get("discloses") == "major_change":
        for index in fields["about"]:
            state.put(f"major-disclosed/{index}", value)
