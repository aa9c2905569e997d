"""A large log for the tests of traces: gifts, and what they were spent on.

Every gift and every spending goes through the real write path, in bulk: after each twenty
gifts one purchase or one grant takes the oldest units that are there. A tenth of the gifts
is earmarked, so that the fund's units lie in many ranges.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from scribe import Scribe, make_book, tell_small_world

from ledger.book import Book
from ledger.records.request import Prepared

GIFTS_A_SPENDING = 20
EARMARKED_EVERY = 10
AHEAD = 5_000
"""Records that are prepared and queued together."""
GIFT_FEN, SPENT_FEN = 1_000, 15_000


def make_large_log(folder: Path, gifts: int) -> Book:
    """A log of so many gifts, and a spending for every twenty."""
    book = make_book(folder)
    scribe = Scribe(book)
    tell_small_world(scribe)
    waiting = _records(scribe, gifts)
    while some := list(islice(waiting, AHEAD)):
        scribe.submit(some)
    return book


def _records(scribe: Scribe, gifts: int) -> Iterator[Prepared]:
    for number in range(1, gifts + 1):
        fields: dict[str, Any] = {"fund": "relief", "channel": "bank", "amount_fen": GIFT_FEN}
        if number % EARMARKED_EVERY == 0:
            fields["project"] = "flood"
        yield scribe.prepare("donation.money", fields, key=f"large-{number}")
        if number % GIFTS_A_SPENDING == 0:
            yield _spending(scribe, number)


def _spending(scribe: Scribe, number: int) -> Prepared:
    paid: dict[str, Any] = {"fund": "relief", "purpose": "disaster-relief"}
    key = f"large-spending-{number}"
    if number % (2 * GIFTS_A_SPENDING):
        more = {"payee": "centre-1", "cost_class": "programme", "amount_fen": SPENT_FEN}
        return scribe.prepare("grant.paid", {**paid, **more}, key=key)
    line = {"item": "rice", "quantity": 10, "cost_fen": SPENT_FEN}
    more = {"supplier": "supplier-1", "site": "depot", "lines": [line]}
    return scribe.prepare("purchase.made", {**paid, **more}, key=key)
