"""Traces over the store: random records, compared with the entries and with the oracle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import oracle_units
import pytest

from ledger import trace as trace_module
from ledger.book import Book
from ledger.demonstration import PEOPLE
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError, NotFoundError
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import Prepared, prepare
from ledger.store import Reader, Store
from ledger.trace import StoreFlows, trace, trace_proof
from ledger.verify import Direction, EntryFlows, verify_trace, walk

DAY = "2021-05-01"
SEEDS = (1, 2, 3)
RECORDS = 150
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")


class Recorder:
    """Records random things in a book; what the rules refuse is left out."""

    def __init__(self, book: Book, seed: int) -> None:
        self.book = book
        self.random = random.Random(seed)
        self.count = 0

    def prepared(self, kind: str, fields: Mapping[str, Any]) -> Prepared:
        self.count += 1
        found = KIND_BY_NAME[kind]
        recorder = next(PEOPLE[role] for role in PEOPLE if role in found.recorders)
        approver = next((PEOPLE[role] for role in PEOPLE if role in found.approvers), None)
        body = {"kind": kind, "occurred_on": DAY, "fields": dict(fields)}
        return prepare(
            body,
            key=f"record-{self.count}",
            recorded_by=recorder,
            approved_by=approver,
            vault=self.book.vault,
        )

    def record(self, kind: str, **fields: Any) -> None:
        self.book.sequencer.record(self.prepared(kind, fields))

    def registers(self) -> None:
        self.record("fund.opened", code="general", name="g", fund_class="unrestricted")
        self.record("fund.opened", code="other", name="o", fund_class="unrestricted")
        self.record(
            "project.opened", code="visits", name="v", fund="general", purpose="p", starts_on=DAY
        )
        self.record("party.registered", code="seller", party_class="supplier", name="s")
        self.record("party.registered", code="holder", party_class="person")
        for item in ("rice", "pack"):
            self.record("item.registered", code=item, name=item, unit="u")
        self.record("site.registered", code="hq", name="hq", site_class="warehouse")
        self.record("site.registered", code="shop", name="sh", site_class="charity_supermarket")
        rule = {"name": "r", "text": "t", "version": 1, "in_force_from": "2021-01-01"}
        self.record(
            "rule.published",
            **rule,
            code="earn",
            topic="points_issue",
            points_issue={"sources": ["donation.money"], "points": 2},
        )
        self.record(
            "rule.published",
            **rule,
            code="price",
            topic="points_price",
            points_price={"item": "rice", "points_per_unit": 1},
        )

    def random_records(self, count: int) -> None:
        """Submit in small batches; a record that is refused leaves nothing."""
        left = count
        while left:
            some = [self.prepared(*self.chosen()) for _ in range(min(left, 7))]
            wait(self.book.sequencer.submit(some))
            left -= len(some)

    def chosen(self) -> tuple[str, dict[str, Any]]:
        pick, number = self.random.choice, self.random.randint
        project = pick([{}, {"project": "visits"}])
        item, fund = pick(["rice", "pack"]), pick(["general", "other"])
        earlier = number(11, 11 + self.book.head().size)
        lines = [
            {"item": pick(["rice", "pack"]), "quantity": number(1, 40), "cost_fen": number(1, 12)}
            for _ in range(number(1, 3))
        ]
        choices: list[tuple[str, dict[str, Any]]] = [
            ("donation.money", {"fund": fund, "amount_fen": number(20, 80), "channel": "bank"}),
            (
                "donation.money",
                {"fund": "general", "amount_fen": number(20, 80), "channel": "bank", **project},
            ),
            (
                "money.allocated",
                {
                    "from_fund": fund,
                    "to_fund": "general",
                    "amount_fen": number(1, 30),
                    "reason": "r",
                }
                | ({"to_project": "visits"} if project or fund == "general" else {}),
            ),
            (
                "aid.paid",
                {"fund": fund, "amount_fen": number(1, 9), "purpose": "p", "payee_class": "c"},
            ),
            (
                "purchase.made",
                {"fund": "general", "purpose": "p", "supplier": "seller", "site": "hq"}
                | {"lines": lines}
                | project,
            ),
            ("donation.goods", {"item": item, "quantity": number(1, 20), "site": "shop"}),
            (
                "goods.moved",
                {"shipment": f"s-{self.count}", "item": item, "quantity": number(1, 9)}
                | {"from_site": "hq", "to_site": "shop"},
            ),
            (
                "goods.received",
                {"shipment": f"s-{number(1, self.count)}", "quantity": number(1, 6)}
                | {"site": "shop"},
            ),
            (
                "goods.distributed",
                {"item": item, "quantity": number(1, 8), "site": pick(["hq", "shop"])}
                | {"recipient_class": "family"},
            ),
            (
                "points.issued",
                {"holder": "holder", "rule": "earn", "rule_version": 1, "source": earlier},
            ),
            (
                "points.redeemed",
                {"holder": "holder", "shop": "shop", "item": "rice", "quantity": 1, "points": 1}
                | {"price_rule": "price", "price_rule_version": 1},
            ),
            ("donation.refunded", {"gift": earlier, "amount_fen": number(1, 20), "reason": "r"}),
            ("entry.reversed", {"entry": earlier, "reason": "r"}),
            ("entry.reversed", {"entry": max(self.book.head().size - 1, 0), "reason": "r"}),
        ]
        return pick(choices)


@pytest.fixture(scope="module", params=SEEDS)
def book(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Book]:
    found = Book.create(tmp_path_factory.mktemp("book"), origin="t.example/log", organisation="o")
    recorder = Recorder(found, request.param)
    recorder.registers()
    recorder.random_records(RECORDS)
    yield found
    found.close()


@pytest.fixture
def reader(book: Book) -> Iterator[Reader]:
    with book.store.read() as found:
        yield found


@pytest.fixture
def entries(book: Book, reader: Reader) -> list[Entry]:
    return [parse_entry(data) for data in reader.entries(0, book.head().size)]


def test_the_records_are_of_many_kinds(entries: list[Entry]) -> None:
    kinds = {entry.kind for entry in entries if entry.postings}
    assert len(kinds) >= 9
    assert {"purchase.made", "entry.reversed", "donation.refunded"} <= kinds
    undone = {entries[one.fields["entry"]].kind for one in entries if one.kind == "entry.reversed"}
    assert len(undone) >= 3


def test_the_store_gives_the_walk_that_the_entries_give(
    reader: Reader, entries: list[Entry]
) -> None:
    oracle = oracle_units.UnitOracle()
    for entry in entries:
        oracle.play(entry)
    alone = EntryFlows(entries)
    for entry in entries:
        for direction in DIRECTIONS:
            walks = trace(reader, entry.index, direction)
            assert walks == walk(alone, entry.index, direction)
            for one in walks:
                oracle_units.check_walk(one, oracle, entry.index, direction)


def test_the_accounts_hold_what_the_oracle_holds(reader: Reader, entries: list[Entry]) -> None:
    oracle = oracle_units.UnitOracle()
    for entry in entries:
        oracle.play(entry)
    for (asset, name), held in oracle.held().items():
        account = reader.account(asset, name)
        assert account is not None
        assert account.received == len(oracle.accounts[asset, name])
        numbers = [n for first, end, _ in account.segments for n in range(first, end)]
        assert numbers == held


def test_every_proof_verifies_offline(book: Book, reader: Reader, entries: list[Entry]) -> None:
    for entry in entries[::3]:
        for direction in DIRECTIONS:
            found = verify_trace(trace_proof(reader, entry.index, direction), book.verifier_keys)
            assert found.walks == trace(reader, entry.index, direction)
            met = StoreFlows(reader)
            walk(met, entry.index, direction)
            assert [one.index for one in found.entries] == sorted(met.data)


def test_the_store_knows_what_was_reversed(reader: Reader, entries: list[Entry]) -> None:
    source, alone = StoreFlows(reader), EntryFlows(entries)
    for entry in entries:
        assert source.reversed_by(entry.index) == alone.reversed_by(entry.index)


def test_an_entry_that_is_not_there(book: Book, reader: Reader) -> None:
    for call in (trace, trace_proof):
        with pytest.raises(NotFoundError):
            call(reader, book.head().size, "forward")


def test_a_log_without_entries(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "empty.sqlite3"))
    try:
        with store.read() as empty, pytest.raises(NotFoundError, match="the log is empty"):
            trace_proof(empty, 0, "forward")
    finally:
        store.close()


def test_a_proof_has_a_limit(
    reader: Reader, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = next(one.index for one in entries if one.kind == "purchase.made")
    monkeypatch.setattr(trace_module, "TRACE_ENTRIES_MAX", 1)
    with pytest.raises(LedgerError, match="a proof holds at most 1") as got:
        trace_proof(reader, spent, "backward")
    assert got.value.code == "trace_too_large"
