"""Statements: they tie, on any day and at any size, and agree with a slow second count."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scribe import NOON, Scribe, StepClock, audited, held, open_copy, whole_log
from typer.testing import CliRunner

from ledger import cli, statement
from ledger.book import Book
from ledger.entry import Entry
from ledger.errors import CorruptionError, LedgerError, MalformedError, NotFoundError
from ledger.flows import is_world
from ledger.movements import Sums
from ledger.statement import Statement, account_statement
from ledger.store import Reader

FUND = ("CNY", "fund:general")


@pytest.fixture(scope="module")
def told(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scribe]:
    """Three days of recording; what happened lies in another order."""
    clock = StepClock(NOON)
    book = open_copy(world_template, tmp_path_factory.mktemp("statement") / "book", clock=clock)
    scribe = Scribe(book)
    for day, happened in ((10, "2022-01-09"), (11, "2021-12-01"), (13, "2022-01-13")):
        clock.now = datetime(2022, 1, day, 4, tzinfo=UTC)
        gift = scribe.tell(
            "donation.money",
            {"fund": "general", "channel": "bank", "amount_fen": 1_000 * day},
            day=happened,
        )
        scribe.tell("donation.refunded", {"gift": gift, "amount_fen": 500, "reason": "多付"})
    fields = {"from_fund": "general", "to_fund": "relief", "amount_fen": 70_000}
    words = {"reason": "补充救灾资金", "basis": "理事会决议"}
    scribe.tell("money.allocated", {**fields, **words})
    yield scribe
    audited(book)
    book.close()


def ask(scribe: Scribe, *account: str, **more: Any) -> Statement:
    with scribe.book.store.read() as reader:
        return account_statement(reader, *(account or FUND), **more)


def moved(entry: Entry) -> tuple[int, int]:
    """What an entry brought into the fund and took out, from its postings."""
    postings = [one for one in entry.postings if one["asset"] == FUND[0]]
    return (
        sum(one["amount"] for one in postings if one["to"] == FUND[1]),
        sum(one["amount"] for one in postings if one["from"] == FUND[1]),
    )


def recorded_on(entry: Entry) -> str:
    # Everything here is recorded at noon or in the morning: the day is that in UTC.
    return entry.recorded_at[:10]


DAYS = [None, "2021-12-01", "2022-01-09", "2022-01-10", "2022-01-11", "2022-01-12", "2022-01-14"]


@pytest.mark.parametrize("by", ["recorded", "occurred"])
def test_every_period_at_every_size_agrees_with_a_slow_count(told: Scribe, by: Any) -> None:
    entries = whole_log(told.book)
    sizes = range(0, len(entries) + 1, 3)
    for size, (day_from, day_to) in itertools.product(sizes, itertools.product(DAYS, DAYS)):
        if day_from and day_to and day_to < day_from:
            continue
        found = ask(told, by=by, day_from=day_from, day_to=day_to, as_of=size)
        known = [(one, *moved(one)) for one in entries[:size] if any(moved(one))]
        day = recorded_on if by == "recorded" else lambda one: one.occurred_on
        known.sort(key=lambda one: (day(one[0]), one[0].index))
        before = [one for one in known if day_from and day(one[0]) < day_from]
        inside = [
            one
            for one in known
            if (not day_from or day(one[0]) >= day_from) and (not day_to or day(one[0]) <= day_to)
        ]
        balance = sum(one[1] - one[2] for one in before)
        assert found.opening == balance
        assert [(one.entry, one.incoming, one.outgoing) for one in found.movements] == [
            (one.index, incoming, outgoing) for one, incoming, outgoing in inside
        ]
        for movement, (entry, incoming, outgoing) in zip(found.movements, inside, strict=True):
            balance += incoming - outgoing
            assert movement.balance == balance
            assert movement.kind == entry.kind
            assert movement.recorded_on == recorded_on(entry)
            assert movement.occurred_on == entry.occurred_on
        assert found.closing == balance == found.opening + found.incoming - found.outgoing
        assert (found.movements_total, found.next, found.as_of) == (len(inside), None, size)


def test_the_closing_is_what_the_account_holds(told: Scribe) -> None:
    for account in (FUND, ("points", "points:holder-1"), ("item:rice", "stock:depot")):
        units = sum(end - first for first, end, _ in held(told.book, *account))
        assert ask(told, *account).closing == units > 0
        assert ask(told, *account, by="occurred").closing == units


@pytest.mark.parametrize("by", ["recorded", "occurred"])
def test_pages_are_the_whole_in_parts(told: Scribe, by: Any) -> None:
    whole = ask(told, by=by)
    assert len(whole.movements) == 8
    found: list[Any] = []
    after = None
    while True:
        page = ask(told, by=by, limit=3, after=after)
        assert (page.opening, page.closing) == (whole.opening, whole.closing)
        found += page.movements
        after = page.next
        if after is None:
            break
    assert tuple(found) == whole.movements


@pytest.mark.parametrize(
    ("account", "more", "error", "code"),
    [
        (("CNY", "world:donor"), {}, NotFoundError, "outside_account"),
        (("CNY", "fund:none"), {}, NotFoundError, "no_account"),
        (FUND, {"as_of": 10_000}, NotFoundError, "no_size"),
        (FUND, {"as_of": -1}, NotFoundError, "no_size"),
        (FUND, {"after": 0}, MalformedError, "unknown_cursor"),
        (
            FUND,
            {"day_from": "2022-01-02", "day_to": "2022-01-01"},
            MalformedError,
            "period_reversed",
        ),
    ],
)
def test_what_cannot_be_stated(
    told: Scribe, account: Any, more: Any, error: type[LedgerError], code: str
) -> None:
    with pytest.raises(error) as refused:
        ask(told, *account, **more)
    assert refused.value.code == code


def test_movements_that_do_not_add_up_are_never_shown(
    told: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "account_sums", lambda *_: Sums(1, 70_000, 1))
    with pytest.raises(CorruptionError, match="do not add up"):
        ask(told)


def test_sums_that_memory_forgot_are_read_again(
    world: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.movements.CACHED_DAYS_MAX", 0)
    given = {"fund": "relief", "channel": "bank", "amount_fen": 250}
    days = ("2022-01-09", "2022-01-07", "2022-01-09", "2022-01-08", "2022-01-07")
    gifts = [world.tell("donation.money", given, day=day) for day in days]
    world.tell("entry.reversed", {"entry": gifts[0], "reason": "重复登记"}, day="2022-01-07")
    found = ask(world, "CNY", "fund:relief", by="occurred")
    assert [one.balance for one in found.movements] == [250, 500, 250, 500, 750, 1_000]
    audited(world.book)


def run(told: Scribe, *options: str) -> str:
    command = ["statement", *FUND, "--data", str(told.book.folder), *options]
    result = CliRunner().invoke(cli.build(), command)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_prints_what_the_statement_says(
    told: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = json.loads(run(told, "--json"))
    assert value == ask(told).as_json()
    monkeypatch.setattr(statement, "PAGE_MAX", 3)
    assert json.loads(run(told, "--json")) == value
    text = run(
        told, "--by", "occurred", "--from", "2022-01-01", "--to", "2022-01-09", "--lang", "en"
    )
    lines = text.splitlines()
    assert lines[0].startswith("opening ")
    assert "2022-01-09" in lines[1]
    assert "donation.money: +" in lines[1]
    assert lines[-1] == f"# log size {told.book.head().size}, 1 movements"


def test_a_balance_below_nothing_is_shown_as_such(world: Scribe) -> None:
    """Spent on one day, the money for it dated a day later."""
    fields = {"fund": "relief", "channel": "bank", "amount_fen": 250}
    gift = world.tell("donation.money", fields, day="2022-01-09")
    paid = world.tell(
        "grant.paid",
        {
            "fund": "relief",
            "purpose": "disaster-relief",
            "cost_class": "programme",
            "amount_fen": 250,
            "payee": "centre-1",
        },
        day="2022-01-08",
    )
    found = ask(world, "CNY", "fund:relief", by="occurred")
    assert [(one.entry, one.balance) for one in found.movements] == [(paid, -250), (gift, 0)]
    command = ["statement", "CNY", "fund:relief", "--by", "occurred"]
    command += ["--data", str(world.book.folder)]
    assert "-2.50 CNY = -2.50 CNY" in CliRunner().invoke(cli.build(), command).stdout


def test_every_account_of_every_asset_ties(demo_folder: Path) -> None:
    """Whatever the demonstration has: by either day, whole and in two halves."""
    book = Book.open(demo_folder)
    size = book.head().size
    assets: set[str] = set()
    with book.store.read() as reader:
        accounts = [one for one in reader.accounts(-1, 5000) if not is_world(one.name)]
        for one in accounts:
            assets.add(one.asset.partition(":")[0])
            held = sum(end - first for first, end, _ in one.segments)
            whole = account_statement(reader, one.asset, one.name)
            assert (whole.opening, whole.closing, whole.incoming) == (0, held, one.received)
        for one in accounts[:: max(1, len(accounts) // 40)]:
            for by in ("recorded", "occurred"):
                early = account_statement(reader, one.asset, one.name, by=by, day_to="2021-09-30")
                late = account_statement(reader, one.asset, one.name, by=by, day_from="2021-10-01")
                assert early.opening == 0
                assert early.closing == late.opening
                assert late.closing == sum(end - first for first, end, _ in one.segments)
            before = account_statement(reader, one.asset, one.name, as_of=size // 2)
            assert before.closing == before.incoming - before.outgoing >= 0
    book.close()
    assert assets == {"CNY", "item", "points", "minutes"}
