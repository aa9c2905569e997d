"""What of a gift is not spent yet, and since when: for the donor, on the gift's page.

A part counts as unspent while it lies in a fund, also after it was allocated to another
one (domain, section 2: raised and never spent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.pages.directory import Amount, Directory
from api.pages.whereabouts import Whereabouts
from ledger.attention.item import View
from ledger.entry import Entry
from ledger.store import Reader

GIFTS_OF_MONEY = frozenset(("donation.money", "donation.matched"))


@dataclass(frozen=True, slots=True)
class Unspent:
    """The part that is still in funds.

    Attributes:
        since: The day of the gift; `days` is how long ago that is.
        rule: The rule by which money unspent for so long asks for attention; None where
            there is none, or the part is younger, or not of a restricted fund.
    """

    amount: Amount
    since: str
    days: int
    rule: Any


def find_unspent(
    entry: Entry, forward: Whereabouts, reader: Reader, directory: Directory, day: str
) -> Unspent | None:
    """The unspent part of a gift as of a day; None where there is none, or it is no gift."""
    if entry.kind not in GIFTS_OF_MONEY or not forward.held_fen:
        return None
    view = View(reader, day)
    days = view.days_since(entry.occurred_on)
    fund = directory.thing("fund", entry.postings[0]["to"].partition(":")[2])
    rule = view.age_rule("unspent_restricted")
    old = (
        rule is not None
        and fund["fund_class"] == "restricted"
        and days > int(rule["ageing"]["days"])
    )
    amount = directory.amount("CNY", forward.held_fen)
    return Unspent(amount, entry.occurred_on, days, rule if old else None)
