"""Gifts that look like the one at hand: told before it is recorded, for a person to judge.

An order number enters the log once, which the ledger itself keeps. This looks for what no
rule can decide: the same amount on the same day into the same fund, among the newest entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.pages.format import format_instant, format_yuan
from api.pages.texts import Translator
from ledger.book import Book
from ledger.entry import Entry

LOOKED_AT_MAX = 500
"""So many of the newest entries are looked at."""
SHOWN_MAX = 5

GIFT = "donation.money"


@dataclass(frozen=True, slots=True)
class Likeness:
    """An entry that looks like the gift at hand."""

    entry: int
    text: str


def find_likenesses(book: Book, body: Mapping[str, Any], translator: Translator) -> list[Likeness]:
    """Gifts of the same amount, day and fund among the newest entries, newest first.

    Whether the donor is the same is told by comparing sealed names; the name itself stays
    where it is.
    """
    if body.get("kind") != GIFT:
        return []
    fields = body["fields"]
    found: list[Likeness] = []
    for entry in book.latest(LOOKED_AT_MAX):
        if _alike(entry, fields, body["occurred_on"]):
            donor = body.get("sealed", {}).get("donor_name")
            found.append(_told(entry, _same_donor(book, entry, donor), translator))
            if len(found) == SHOWN_MAX:
                break
    return found


def _alike(entry: Entry, fields: Mapping[str, Any], day: str) -> bool:
    return entry.kind == GIFT and (
        entry.occurred_on,
        entry.fields["amount_fen"],
        entry.fields["fund"],
    ) == (day, fields["amount_fen"], fields["fund"])


def _same_donor(book: Book, entry: Entry, donor: str | None) -> str:
    """Which sentence tells of the donors: the same, another, or not known."""
    if donor is None or "donor_name" not in entry.sealed:
        return "unknown"
    opening = book.opening(entry.index)
    if opening is None:
        return "unknown"
    return "same" if opening[1].get("donor_name") == donor else "other"


def _told(entry: Entry, donor: str, translator: Translator) -> Likeness:
    text = translator.text(
        f"likeness.{donor}",
        amount=format_yuan(entry.fields["amount_fen"]),
        day=entry.occurred_on,
        instant=format_instant(entry.recorded_at),
        person=entry.recorded_by,
    )
    return Likeness(entry.index, text)
