"""Traces over a large log answer by index: no scan, and work that grows with the answer.

By default two logs of 1,000 and 10,000 gifts are compared; marked ``soak`` and asked for
with ``SHANJI_SOAK=1``, one of 100,000 gifts and 5,000 spendings besides
(``SHANJI_SOAK=1 pytest tests/api/test_large_traces.py -m soak``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from caller import Caller, serving
from large_log import GIFTS_A_SPENDING, make_large_log
from watched import Cost, scans, watching

from ledger.book import Book
from ledger.entry import parse_entry
from ledger.pools import find_pools
from ledger.related import find_related
from ledger.trace import trace, trace_proof
from ledger.verify import Direction

pytestmark = pytest.mark.sqlite("the plans and steps of its queries")

SMALL, LARGE, WHOLE = 1_000, 10_000, 100_000
PLACES = ("early", "middle", "late", "unspent")
INDEXES = (
    "account USING COVERING INDEX account_by_name",
    "flow USING INDEX flow_by_target",
    "flow USING INDEX flow_by_source",
    "entry USING INTEGER PRIMARY KEY",
    "pool USING PRIMARY KEY",
    "state_object USING PRIMARY KEY",
)
STATEMENTS_MAX = 160
SLACK_STEPS = 1.35
"""A tree of the index may be one level deeper in the larger log."""


class Log:
    """A large log, with the entries to trace."""

    def __init__(self, folder: Path, gifts: int) -> None:
        self.folder = folder
        self.gifts = gifts
        book = make_large_log(folder, gifts)
        with book.store.read() as reader:
            head = reader.head()
            assert head is not None
            entries = [parse_entry(one) for one in reader.entries(0, head.size)]
        self.size = head.size
        plain = [
            one.index
            for one in entries
            if one.kind == "donation.money"
            and one.fields["fund"] == "relief"
            and "project" not in one.fields
        ]
        bought = [one.index for one in entries if one.kind == "purchase.made"]
        book.close()
        # Fifteen gifts pay one spending, and every other spending is a purchase.
        last = gifts // GIFTS_A_SPENDING // 2 * 2 - 1
        spendings = {"early": 1, "middle": last // 4 * 2 + 1, "late": last}
        self.gift = {place: plain[15 * one + 7] for place, one in spendings.items()}
        self.gift["unspent"] = plain[-1]
        places = {"early": 0, "middle": len(bought) // 2, "late": -1}
        self.purchase = {place: bought[one] for place, one in places.items()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("small") / "book", SMALL)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("large") / "book", LARGE)


@pytest.fixture
def served(large: Log) -> Iterator[Caller]:
    """The service over the large log; nothing is recorded."""
    with serving(large.folder, audit=False) as caller:
        yield caller


def costs(log: Log, *, proof: bool = False) -> dict[tuple[str, Direction], Cost]:
    """What a trace costs at each place of the log, both ways."""
    found: dict[tuple[str, Direction], Cost] = {}
    book = Book.open(log.folder)
    try:
        for place, entry in log.gift.items():
            found[place, "forward"] = _cost(book, entry, "forward", proof=proof)
        for place, entry in log.purchase.items():
            found[place, "backward"] = _cost(book, entry, "backward", proof=proof)
    finally:
        book.close()
    return found


def _cost(book: Book, entry: int, direction: Direction, *, proof: bool) -> Cost:
    with watching(book.store) as cost, book.store.read() as reader:
        if proof:
            assert trace_proof(reader, entry, direction)
        else:
            walks = trace(reader, entry, direction)
            pools = find_pools(reader, walks)
            find_related(reader, entry, direction, walks)
            assert pools.rows
            assert not pools.more
            assert {end.state for one in walks for end in one.ends} <= {"held", "left", "entered"}
    assert scans(cost.plans(book.store)) == []
    assert 0 < len(cost.statements) <= STATEMENTS_MAX
    return cost


def compare(smaller: Log, larger: Log) -> None:
    """The same question costs the same rows, and hardly more steps, in a larger log."""
    few, many = costs(smaller), costs(larger)
    for key, cost in many.items():
        assert cost.rows <= few[key].rows + 2, key
        assert len(cost.statements) <= len(few[key].statements) + 2, key
        assert cost.steps <= SLACK_STEPS * few[key].steps, (key, cost.steps, few[key].steps)
    steps = [many[place, "forward"].steps for place in ("early", "middle", "late")]
    assert max(steps) <= SLACK_STEPS * min(steps), steps


def test_a_trace_reads_as_much_in_a_log_ten_times_as_large(small: Log, large: Log) -> None:
    compare(small, large)


def test_every_statement_of_a_trace_seeks_by_the_index_that_is_for_it(large: Log) -> None:
    steps: set[str] = set()
    book = Book.open(large.folder)
    for direction, entry in (("forward", large.gift["middle"]), ("backward", large.gift["late"])):
        cost = _cost(book, entry, direction, proof=False)
        plans = cost.plans(book.store)
        steps |= {step.removeprefix("SEARCH ") for plan in plans.values() for step in plan}
    book.close()
    for index in INDEXES:
        assert any(step.startswith(index) for step in steps), (index, sorted(steps))


def test_the_rows_grow_with_the_answer(large: Log) -> None:
    """A purchase that fifteen gifts paid reads more than a gift that one purchase spent."""
    book = Book.open(large.folder)
    one = _cost(book, large.gift["middle"], "forward", proof=False)
    fifteen = _cost(book, large.purchase["middle"], "backward", proof=False)
    with book.store.read() as reader:
        (walk,) = trace(reader, large.purchase["middle"], "backward")
    book.close()
    assert len(walk.ends) == 15
    assert one.rows < fifteen.rows <= one.rows + 12 * 15


def test_a_proof_reads_by_index_too(small: Log, large: Log) -> None:
    few, many = costs(small, proof=True), costs(large, proof=True)
    for key, cost in many.items():
        # An inclusion proof has a hash more for each doubling of the log.
        assert cost.rows <= few[key].rows + 40, key


def test_the_route_and_the_page_seek(served: Caller, large: Log) -> None:
    for direction, entries in (("forward", large.gift), ("backward", large.purchase)):
        rows: list[int] = []
        for entry in entries.values():
            with watching(served.book.store) as cost:
                value = served.value(f"/v1/entries/{entry}/trace?direction={direction}")
            assert value["pools"]
            assert value["as_of"] == large.size
            assert scans(cost.plans(served.book.store)) == []
            rows.append(cost.rows)
            with watching(served.book.store) as cost:
                answer = served.get(f"/entries/{entry}", headers={"Accept-Language": "en"})
            assert answer.status_code == 200
            assert "The pools as a whole" in answer.text
            assert scans(cost.plans(served.book.store)) == []
        assert max(rows) <= 2 * min(rows) + 10, rows


def test_a_page_of_a_statement_reads_a_page(served: Caller) -> None:
    path = "/v1/accounts/CNY/fund:relief/statement?limit=20"
    with watching(served.book.store) as cost:
        value = served.value(path)
    assert value["movements_total"] > LARGE
    assert value["closing"] == value["opening"] + value["incoming"] - value["outgoing"]
    with watching(served.book.store) as more:
        second = served.value(value["next"])
    assert second["movements"][0]["entry"] > value["movements"][-1]["entry"]
    assert max(cost.rows, more.rows) < 60
    assert scans(more.plans(served.book.store)) == []


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("SHANJI_SOAK"), reason="SHANJI_SOAK=1 asks for it")
def test_a_hundred_thousand_gifts_and_five_thousand_spendings(
    small: Log, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = Log(tmp_path_factory.mktemp("whole") / "book", WHOLE)
    assert whole.gifts // GIFTS_A_SPENDING == 5_000
    compare(small, whole)
