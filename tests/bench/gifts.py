"""The gifts that are recorded: money with four sealed fields; and the log that they go to."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench import place

from ledger.beside import rare_garbage
from ledger.book import Book
from ledger.recorded import Recorded
from ledger.records.request import Prepared, prepare
from ledger.records.sealing import APART_FROM, Unsealed, seal_slices

SLICE = 1000
ORIGIN = "shanji.example/bench"


def body(number: int) -> dict[str, Any]:
    """A money gift with four sealed fields."""
    return {
        "kind": "donation.money",
        "occurred_on": "2021-09-09",
        "fields": {"fund": "bench", "amount_fen": 100 + number % 9900, "channel": "tencent"},
        "sealed": {
            "donor_name": f"示例捐赠人{number:06d}",
            "contact": f"示例联系方式{number:06d}",
            "order_number": f"BENCH-{number:010d}",
            "message": "愿更多人受益",
        },
    }


def prepared_gift(book: Book, number: int) -> Prepared:
    """That gift, validated and sealed."""
    return prepare(
        body(number),
        key=f"bench/{number}",
        recorded_by="clerk-1",
        approved_by=None,
        vault=book.vault,
    )


def open_book(folder: Path, database: str | None = None) -> Book:
    """A fresh log with one fund.

    Args:
        folder: Where its keys are, and its database.
        database: The server's URL, where it gets a database; None for SQLite in the folder.
    """
    book = Book.create(
        folder, origin=ORIGIN, organisation="示例慈善会", database=place.fresh(database)
    )
    fields = {"code": "bench", "name": "测速资金", "fund_class": "unrestricted"}
    fund = {"kind": "fund.opened", "occurred_on": "2021-01-01", "fields": fields}
    book.sequencer.record(
        prepare(fund, key="fund", recorded_by="r-1", approved_by=None, vault=book.vault)
    )
    return book


def record_all(book: Book, gifts: int, first: int = 0, *, apart: bool | None = None) -> None:
    """Record so many gifts; the next slice is sealed while one is on its way.

    Args:
        apart: Whether another process seals them; as an import does it by default.
    """
    waiting: Future[list[Recorded]] | None = None
    last = first + gifts
    slices = (
        [Unsealed(body(one), f"bench/{one}") for one in range(start, min(last, start + SLICE))]
        for start in range(first, last, SLICE)
    )
    count = gifts if apart is None else APART_FROM if apart else 0
    # As the commands have it.
    with rare_garbage():
        for some in seal_slices(slices, count, "clerk-1", book.vault):
            if waiting is not None:
                waiting.result()
            waiting = book.sequencer.submit_together(some)
        if waiting is not None:
            waiting.result()
