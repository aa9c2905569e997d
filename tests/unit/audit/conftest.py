"""A log of 300 entries that has rows of every kind in every table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bodies import BEFORE, FULL
from scribe import Scribe, StepClock, make_book, open_copy, tell_small_world
from tamper import Tamper

from ledger.book import Book
from ledger.records.kind import Role

SIZE = 300


@pytest.fixture(scope="session")
def long_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed folder of a log of `SIZE` entries in many batches."""
    folder = tmp_path_factory.mktemp("long") / "book"
    book = make_book(folder, clock=StepClock())
    tell_long_log(Scribe(book))
    assert book.head().size == SIZE
    book.close()
    return folder


def tell_long_log(scribe: Scribe) -> None:
    """The small world, gifts over a full tile, and every kind once among them."""
    tell_small_world(scribe)
    scribe.submit(
        scribe.gift(100 + number, sealed={"order_number": f"A-{number}"}) for number in range(150)
    )
    scribe.tell("donation.money", {"fund": "general", "channel": "cash", "amount_fen": 1_000})
    last = scribe.tell(
        "donation.money", {"fund": "general", "channel": "cash", "amount_fen": 2_050}
    )
    for kind, body in FULL.items():
        for name, fields in BEFORE.get(kind, []) if kind != "points.issued" else []:
            if fields.get("shipment") != "trip-0" or kind == "goods.received":
                scribe.tell(name, fields)
        fields = dict(body["fields"])
        if kind == "points.issued":
            fields["source"] = last
        if kind == "points.redeemed":
            fields |= {"quantity": 1, "points": 60}
        if kind == "entry.reversed":
            fields["entry"] = scribe.book.head().size - 1
        day = body.get("occurred_on", "2022-01-10")
        scribe.tell(kind, fields, body.get("sealed"), day=day, documents=["cd" * 32])
    tell_proposals(scribe.book)
    rest = SIZE - scribe.book.head().size
    scribe.submit(scribe.gift(7 + number) for number in range(rest - 3))
    for number in range(3):
        scribe.submit([scribe.gift(9, sealed={"order_number": f"B-{number}"})])


def tell_proposals(book: Book) -> None:
    """One proposal that is approved, one rejected, one that waits."""
    fields = {
        "from_fund": "general",
        "to_fund": "relief",
        "amount_fen": 100,
        "reason": "补充救灾资金",
        "basis": "理事会决议",
    }
    body = {"kind": "money.allocated", "occurred_on": "2022-01-10", "fields": fields}
    for number in range(3):
        key = f"proposal-{number}"
        book.proposals.propose(body, key=key, person="recorder-1", role=Role.CLERK)
    book.proposals.approve(1, person="approver-1")
    book.proposals.reject(2, person="approver-1", reason="重复申请")


@pytest.fixture(scope="module")
def long_book(long_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A copy for the tests of one module, which put back what they change."""
    book = open_copy(long_template, tmp_path_factory.mktemp("copy") / "book")
    yield book
    book.close()


@pytest.fixture(scope="module")
def tamper(long_book: Book) -> Iterator[Tamper]:
    """Changes the rows of `long_book`."""
    made = Tamper(long_book.folder)
    yield made
    made.close()
