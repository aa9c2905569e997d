"""The demonstration: the public figures of one district's year, to the fen and the piece."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from scribe import (
    NOON,
    Scribe,
    StepClock,
    audited,
    held,
    make_book,
    open_copy,
    stored_object,
    whole_log,
)

from ledger.book import Book
from ledger.demonstration import ORGANISATION, ORIGIN, PEOPLE, is_loaded, load
from ledger.demonstration.year import GIVING_BLOCK_FEN, GIVING_GIFTS, GIVING_GIFTS_FULL
from ledger.entry import Entry
from ledger.errors import FatalError, LedgerError
from ledger.records.catalog import KINDS
from ledger.records.kind import Role
from ledger.store import Appender


@pytest.fixture(scope="module")
def demonstration(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The loaded demonstration; these tests only read it."""
    book = open_copy(demo_template, tmp_path_factory.mktemp("demonstration") / "book")
    yield book
    book.close()


@pytest.fixture(scope="module")
def entries(demonstration: Book) -> list[Entry]:
    """All its entries."""
    return whole_log(demonstration)


def balance(book: Book, asset: str, account: str) -> int:
    """What an account still holds."""
    return sum(end - first for first, end, _ in held(book, asset, account))


TOTALS: dict[str, dict[str, int]] = {
    # Row 1: epidemic relief, 220,000 yuan, 7,250 items
    "fund-total/epidemic-relief": {
        "gifts": 220,
        "raised_fen": 22_000_000,
        "spent_fen": 22_000_000,
    },
    "project-total/relief-2021": {
        "gifts": 220,
        "raised_fen": 22_000_000,
        "spent_fen": 22_000_000,
    },
    "campaign-total/relief-2021": {"gifts": 220, "raised_fen": 22_000_000},
    "item-total/relief-pack": {"bought": 7_250, "paid_fen": 22_000_000, "distributed": 7_250},
    # Row 2: zongzi, 1,100 boxes valued 330,000 yuan
    "item-total/zongzi": {"given": 1_100, "valued_fen": 33_000_000, "distributed": 1_100},
    # Row 3: rebuilding in Henan, 1,813,000 yuan
    "fund-total/henan-flood": {
        "gifts": 182,
        "raised_fen": 181_300_000,
        "spent_fen": 181_300_000,
    },
    "project-total/yingtaogou": {
        "gifts": 182,
        "raised_fen": 181_300_000,
        "spent_fen": 181_300_000,
    },
    # Row 4: medical aid, 874,000 yuan
    "fund-total/migrant-medical": {
        "gifts": 38,
        "raised_fen": 87_400_000,
        "spent_fen": 87_400_000,
    },
    "project-total/migrant-illness": {
        "gifts": 38,
        "raised_fen": 87_400_000,
        "spent_fen": 87_400_000,
    },
    # Row 5: student aid, 95,000 yuan
    "fund-total/student-aid": {"gifts": 19, "raised_fen": 9_500_000, "spent_fen": 9_500_000},
    "project-total/student-aid-2021": {
        "gifts": 19,
        "raised_fen": 9_500_000,
        "spent_fen": 9_500_000,
    },
    # Row 6: children under treatment, 300,000 yuan
    "fund-total/child-medical": {"gifts": 600, "raised_fen": 30_000_000},
    "project-total/children-2021": {"gifts": 600, "raised_fen": 30_000_000},
    "campaign-total/children-2021": {"gifts": 600, "raised_fen": 30_000_000},
    # Row 7: books, 41,264
    "item-total/book": {"given": 41_264, "valued_fen": 0, "distributed": 41_264},
    # Row 9: five charity supermarkets
    "item-total/rice": {"bought": 200, "paid_fen": 800_000, "redeemed": 10},
    "points-total/points-for-money": {"issued": 3_000},
    **{
        f"site-total/shop-{number}": {"redemptions": 1, "points_redeemed": 120}
        for number in range(1, 6)
    },
    # Row 11: giving days, a tenth of 100,000 gifts and 5,120,000 yuan
    "fund-total/giving-day": {"gifts": 10_000, "raised_fen": 51_200_000},
    "project-total/giving-day-2021": {"gifts": 10_000, "raised_fen": 51_200_000},
    "campaign-total/giving-day-2021": {"gifts": 10_000, "raised_fen": 51_200_000},
    # What the others rest on
    "fund-total/general": {"gifts": 16, "raised_fen": 20_440_000, "spent_fen": 800_000},
    "project-total/pilot-2021": {"gifts": 1, "raised_fen": 10_000},
    # Row 8: gathering days, 160,000 yuan
    "fund-total/gathering-days": {"gifts": 160, "raised_fen": 16_000_000},
    "project-total/gathering-days-2021": {"gifts": 160, "raised_fen": 16_000_000},
    # Row 10: ten community funds; each opened with 55,000 yuan, raised 11,000, spent 66,000
    **{
        f"fund-total/community-{number:02d}": {
            "opened_fen": 5_500_000,
            "gifts": 11,
            "raised_fen": 1_100_000,
            "spent_fen": 6_600_000,
        }
        for number in range(1, 11)
    },
    **{
        f"project-total/community-{number:02d}-2021": {
            "gifts": 11,
            "raised_fen": 1_100_000,
            "spent_fen": 6_600_000,
        }
        for number in range(1, 11)
    },
    # Row 12: 5,500 hours, each confirmed
    "time-total": {"confirmed_minutes": 330_000, "services": 850},
    # Row 13: micro wishes
    "wish-total": {"posted": 4, "fulfilled": 1},
}


SUMMED_UP = ("class-total/", "purpose-total/", "paid-total/", "aid-total/", "organiser-total/")
"""Kept for the statistics, which `tests/unit/test_statistics.py` compares."""


@pytest.mark.parametrize("key", TOTALS)
def test_a_total_is_the_published_one(demonstration: Book, key: str) -> None:
    assert stored_object(demonstration, key) == TOTALS[key]


def test_there_is_no_other_total(demonstration: Book) -> None:
    with demonstration.store.read() as reader:
        found = {key: orjson.loads(value) for key, value in reader.objects("", limit=10_000)}
    totals = {key for key in found if "-total" in key}
    assert {key for key in totals if not key.startswith(SUMMED_UP)} == set(TOTALS)
    # What is summed up over all funds is what they are together.
    together: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for key in totals:
        for family, sums in zip(("fund-total/", "class-total/"), together, strict=True):
            if key.startswith(family):
                sums.update(found[key])
    assert together[0] == together[1] != Counter()


def test_the_gathering_days_are_reported_as_published(demonstration: Book) -> None:
    """Row 8: 571 events, 70,000 people, 341 social organisations."""
    report = stored_object(demonstration, "project-report/gathering-days-2021")
    assert (report["activities"], report["people_reached"]) == (571, 70_000)
    assert demonstration.entry(report["entry"])[1].fields["organisations"] == 341


def test_community_funds_spend_more_than_they_raise(demonstration: Book) -> None:
    """Row 10: raised 110,000, spent 660,000, so opened with 550,000; 16 activities, 130,000."""
    funds = [stored_object(demonstration, f"fund-total/community-{n:02d}") for n in range(1, 11)]
    sums = {name: sum(fund[name] for fund in funds) for name in funds[0]}
    assert sums == {
        "opened_fen": 55_000_000,
        "gifts": 110,
        "raised_fen": 11_000_000,
        "spent_fen": 66_000_000,
    }
    reports = [
        stored_object(demonstration, f"project-report/community-{n:02d}-2021") for n in range(1, 11)
    ]
    assert sum(report["activities"] for report in reports) == 16
    assert sum(report["people_reached"] for report in reports) == 130_000
    for number in range(1, 11):
        assert balance(demonstration, "CNY", f"fund:community-{number:02d}") == 0


def test_the_hours_of_the_volunteers(demonstration: Book, entries: list[Entry]) -> None:
    """Row 12: 155 volunteers, 5,500 hours; what waits for its confirmation does not count."""
    minutes: dict[str, int] = {}
    for entry in entries:
        if entry.kind == "service.confirmed":
            (posting,) = entry.postings
            minutes[posting["to"]] = minutes.get(posting["to"], 0) + posting["amount"]
    assert len(minutes) == 155
    assert sum(minutes.values()) == 5_500 * 60
    for account, amount in minutes.items():
        assert balance(demonstration, "minutes", account) == amount
    served = [entry.index for entry in entries if entry.kind == "service.recorded"]
    confirmed = {e.fields["service"] for e in entries if e.kind == "service.confirmed"}
    assert [index for index in served if index not in confirmed] == [11]


def test_wishes_and_the_micro_project_library(demonstration: Book, entries: list[Entry]) -> None:
    """Row 13: a wish in each state, none of them with a name, and a library of projects."""
    wishes = [stored_object(demonstration, f"wish/wish-{number:04d}") for number in range(1, 5)]
    assert [wish["status"] for wish in wishes] == ["posted", "claimed", "posted", "fulfilled"]
    gift = demonstration.entry(wishes[3]["gift"])[1]
    assert gift.fields["amount_fen"] == wishes[3]["value_fen"] == 10_000
    micro = [e.fields["code"] for e in entries if e.fields.get("project_class") == "micro"]
    assert micro == ["micro-0001", "micro-0002", "micro-0003"]


def test_all_of_the_giving_days_are_exactly_the_published_sum() -> None:
    blocks, rest = divmod(GIVING_GIFTS_FULL, len(GIVING_BLOCK_FEN))
    assert (blocks * sum(GIVING_BLOCK_FEN), rest) == (512_000_000, 0)
    assert GIVING_GIFTS * 10 == GIVING_GIFTS_FULL


def test_what_is_left_is_what_was_not_spent(demonstration: Book) -> None:
    for fund in ("epidemic-relief", "henan-flood", "migrant-medical", "student-aid"):
        assert balance(demonstration, "CNY", f"fund:{fund}") == 0
    for fund in ("child-medical", "giving-day", "general"):
        total = TOTALS[f"fund-total/{fund}"]
        left = total["raised_fen"] - total.get("spent_fen", 0)
        assert balance(demonstration, "CNY", f"fund:{fund}") == left
    for item in ("relief-pack", "zongzi", "book"):
        assert balance(demonstration, f"item:{item}", "stock:warehouse-central") == 0
    rice = [balance(demonstration, "item:rice", f"stock:shop-{number}") for number in range(1, 6)]
    assert rice == [23] * 5
    assert balance(demonstration, "item:rice", "stock:warehouse-central") == 200 - 26 - 4 * 25
    assert balance(demonstration, "item:rice", "transit:trip-0001") == 1
    points = [
        balance(demonstration, "points", f"points:holder-{number:04d}") for number in range(1, 6)
    ]
    # The first holder has 500 more, of a gift that the examples are about.
    assert points == [880, 380, 380, 380, 380]


def test_books_went_to_both_stations(entries: list[Entry]) -> None:
    books = [
        (entry.fields["recipient"], entry.postings[0]["amount"])
        for entry in entries
        if entry.kind == "goods.distributed" and entry.fields["item"] == "book"
    ]
    assert books == [("longfeng-station", 20_632), ("luocheng-station", 20_632)]


def test_gifts_of_the_giving_days_are_spread_over_the_three_days(entries: list[Entry]) -> None:
    days = [entry.occurred_on for entry in entries if entry.fields.get("fund") == "giving-day"]
    counts = {day: days.count(day) for day in sorted(set(days)) if day > "2021-01-06"}
    assert counts == {"2021-09-07": 3_334, "2021-09-08": 3_333, "2021-09-09": 3_333}


def test_it_is_a_log_like_any_other(demonstration: Book, entries: list[Entry]) -> None:
    report = audited(demonstration)
    assert report.size == len(entries) == report.checked["rules"]
    assert report.origin == ORIGIN
    assert entries[0].fields["organisation"] == ORGANISATION
    assert is_loaded(demonstration)


def test_people_do_what_their_role_lets_them(entries: list[Entry]) -> None:
    recorders = {kind.name: {PEOPLE[role] for role in kind.recorders} for kind in KINDS}
    for entry in entries[1:]:
        assert entry.recorded_by in recorders[entry.kind]
    approvers = {entry.approved_by for entry in entries}
    assert approvers == {None, PEOPLE[Role.APPROVER]}


def test_nobody_is_named(demonstration: Book) -> None:
    with demonstration.store.read() as reader:
        size = demonstration.head().size
        public = b"".join(reader.entries(0, size))
    for word in (
        "示例捐赠人",
        "示例受益人",
        "示例积分持有人",
        "示例志愿者",
        "示例儿童",
        "示例联系方式",
        "愿更多人受益",
    ):
        assert word.encode() not in public
    values = demonstration.opening(2)
    assert values is not None
    assert values[1]["donor_name"] == "示例捐赠人000001"


# Loading


@pytest.mark.parametrize("batches", [1, 20, 60])
def test_an_interrupted_load_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr("ledger.demonstration.GIVING_GIFTS", 40)
    book = Book.create(
        tmp_path / "book", origin=ORIGIN, organisation=ORGANISATION, clock=StepClock()
    )
    commit = Appender.commit
    commits: list[int] = []

    def fail_later(appender: Appender) -> None:
        commits.append(1)
        if len(commits) > batches:
            raise FatalError("the power went")
        commit(appender)

    with monkeypatch.context() as patch:
        patch.setattr(Appender, "commit", fail_later)
        with pytest.raises(FatalError, match="the power went"):
            load(book)
    assert not is_loaded(book)
    interrupted_at = book.head().size
    book.close()
    book = Book.open(tmp_path / "book", clock=StepClock(NOON))
    count = load(book)
    assert is_loaded(book)
    assert book.head().size == count + 1 > interrupted_at > 1
    assert stored_object(book, "fund-total/giving-day") == {"gifts": 40, "raised_fen": 204_800}
    for key in ("fund-total/general", "fund-total/child-medical", "item-total/rice"):
        assert stored_object(book, key) == TOTALS[key]
    audited(book)
    book.close()


def test_two_loads_at_once_tell_it_once_and_another_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.demonstration.GIVING_GIFTS", 40)
    book = make_book(tmp_path / "book")
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(load(book))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    head = book.head()
    assert counts == [head.size - 1] * 2
    told: list[int] = []
    replayed = book.sequencer.stats()["replayed"]
    assert load(book, progress=told.append) == head.size - 1 == told[-1]
    assert book.head() == head
    assert told == sorted(told)
    assert book.sequencer.stats()["replayed"] == replayed + head.size - 1
    audited(book)
    book.close()


def test_a_log_that_holds_other_things_is_refused(book: Book) -> None:
    other: dict[str, Any] = {"code": "general", "name": "另一个", "fund_class": "unrestricted"}
    Scribe(book).tell("fund.opened", other)
    with pytest.raises(LedgerError, match="code"):
        load(book)
    assert not is_loaded(book)
