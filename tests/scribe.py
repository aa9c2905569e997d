"""A scribe for tests: makes small logs, and records bodies in them with few words.

Imported by name from the folders below (``tests`` is no package: merkletools installs
one of that name).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from log_keys import put_key

from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.recorded import Recorded
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import Prepared, prepare
from ledger.statistics.adding_up import add_up

ORIGIN = "shanji.example/test"
ORGANISATION = "示例慈善会（测试）"
RESULT_SECONDS_MAX = 120
LOG_KEY = 1
"""The number of the key with which the logs of `make_book` begin (``log_keys``)."""
TODAY = "2022-01-10"
"""The day in Asia/Shanghai on which the clocks of the tests begin."""
MORNING = datetime(2022, 1, 10, 2, 0, tzinfo=UTC)
NOON = datetime(2022, 1, 10, 4, 0, tzinfo=UTC)
"""For a log that was made in the morning and is opened again."""


class StepClock:
    """A clock that goes on by one second each time it is read; `now` may be set."""

    def __init__(self, now: datetime = MORNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Scribe:
    """Records bodies in one book, each under a fresh key unless one is given."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._numbers = count(1)

    def prepare(
        self,
        kind: str,
        fields: Mapping[str, Any],
        sealed: Mapping[str, Any] | None = None,
        *,
        day: str = TODAY,
        key: str | None = None,
        by: str = "recorder-1",
        approved_by: str | None = "",
        **more: Any,
    ) -> Prepared:
        """A validated record; approved by a second person where its kind needs one.

        `approved_by` None leaves an approval out; a name gives that one.
        """
        body: dict[str, Any] = {"kind": kind, "occurred_on": day, "fields": dict(fields), **more}
        if sealed is not None:
            body["sealed"] = dict(sealed)
        if approved_by == "":
            approved_by = "approver-1" if KIND_BY_NAME[kind].approvers else None
        return prepare(
            body,
            key=key or f"key-{self.book.head().size}-{next(self._numbers)}",
            recorded_by=by,
            approved_by=approved_by,
            vault=self.book.vault,
        )

    def record(self, kind: str, fields: Mapping[str, Any], *args: Any, **more: Any) -> Recorded:
        """Record one body and wait for its receipt."""
        return self.book.sequencer.record(self.prepare(kind, fields, *args, **more))

    def submit(self, records: Iterable[Prepared]) -> list[Recorded]:
        """Record many as one submission; raises what the first that fails raises."""
        return results(self.book.sequencer.submit(list(records)))

    def tell(self, kind: str, fields: Mapping[str, Any], *args: Any, **more: Any) -> int:
        """Record one body; the index of its entry."""
        return self.record(kind, fields, *args, **more).index

    def entry(self, index: int) -> Entry:
        """A recorded entry."""
        return self.book.entry(index)[1]

    def gift(self, amount_fen: int, **more: Any) -> Prepared:
        """A gift to the general fund."""
        fields = {"fund": "general", "channel": "bank", "amount_fen": amount_fen}
        return self.prepare("donation.money", fields, **more)


def results(futures: Iterable[Future[Recorded]]) -> list[Recorded]:
    """What the futures give, in order."""
    return [one.result(timeout=RESULT_SECONDS_MAX) for one in futures]


def make_book(folder: Path, **more: Any) -> Book:
    """A log with its first entry, a key that is always the same, and a clock that steps."""
    put_key(LOG_KEY, folder / "keys" / "log-key.pem")
    more.setdefault("clock", StepClock())
    return Book.create(folder, origin=ORIGIN, organisation=ORGANISATION, **more)


def open_copy(template: Path, folder: Path, **more: Any) -> Book:
    """A book on a copy of a closed one."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    more.setdefault("clock", StepClock(NOON))
    return Book.open(folder, **more)


def audited(book: Book) -> Report:
    """The audit of a book; fails the test if anything is found, or if what pages sum differs."""
    report = audit(book.store, vault=book.vault, keys=book.verifier_keys)
    assert report.findings == (), report.findings
    assert not report.not_checked
    with book.store.read() as reader:
        sums = add_up(reader)
    assert sums.differing == 0, sums
    return report


def whole_log(book: Book) -> list[Entry]:
    """All entries of a small log."""
    with book.store.read() as reader:
        return [parse_entry(data) for data in reader.entries(0, book.head().size)]


def stored_object(book: Book, key: str) -> Any:
    """A named object of the state, or None."""
    import orjson

    with book.store.read() as reader:
        data = reader.object(key)
    return None if data is None else orjson.loads(data)


def held(book: Book, asset: str, account: str) -> list[tuple[int, int, str]]:
    """The segments that an account still holds."""
    with book.store.read() as reader:
        found = reader.account(asset, account)
    return [] if found is None else list(found.segments)


REGISTERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fund.opened", {"code": "general", "name": "非限定性资金", "fund_class": "unrestricted"}),
    (
        "fund.opened",
        {
            "code": "relief",
            "name": "救灾资金",
            "fund_class": "restricted",
            "purposes": ["disaster-relief", "medical-aid"],
        },
    ),
    (
        "fund.opened",
        {
            "code": "school",
            "name": "助学资金",
            "fund_class": "agency",
            "purposes": ["student-aid"],
        },
    ),
    ("party.registered", {"code": "supplier-1", "party_class": "supplier", "name": "示例供应商"}),
    ("party.registered", {"code": "centre-1", "party_class": "organisation", "name": "示例中心"}),
    ("party.registered", {"code": "holder-1", "party_class": "person"}),
    (
        "project.opened",
        {
            "code": "flood",
            "name": "水灾救助",
            "fund": "relief",
            "purpose": "disaster-relief",
            "starts_on": "2021-01-01",
        },
    ),
    (
        "project.opened",
        {
            "code": "clinic",
            "name": "医疗救助",
            "fund": "relief",
            "purpose": "medical-aid",
            "starts_on": "2021-01-01",
        },
    ),
    (
        "campaign.filed",
        {
            "code": "flood-2021",
            "name": "水灾募捐",
            "filing_number": "示例备案编号-1",
            "fund": "relief",
            "starts_on": "2021-07-01",
            "ends_on": "2021-12-31",
        },
    ),
    (
        "item.registered",
        {
            "code": "rice",
            "name": "大米",
            "unit": "袋",
            "packs": [{"unit": "箱", "factor": 5}],
            "aliases": ["5公斤大米"],
        },
    ),
    (
        "item.registered",
        {"code": "milk", "name": "牛奶", "unit": "盒", "perishable": True},
    ),
    ("site.registered", {"code": "depot", "name": "中心仓", "site_class": "warehouse"}),
    ("site.registered", {"code": "branch", "name": "分仓", "site_class": "warehouse"}),
    ("site.registered", {"code": "shop", "name": "慈善超市", "site_class": "charity_supermarket"}),
    (
        "rule.published",
        {
            "code": "points-for-money",
            "version": 1,
            "name": "捐款积分",
            "text": "每捐 1 元积 1 分，最多 500 分。",
            "in_force_from": "2021-01-01",
            "topic": "points_issue",
            "points_issue": {
                "sources": ["donation.money"],
                "points": 1,
                "per_fen": 100,
                "points_max": 500,
                "wait_days": 7,
                "valid_days": 365,
            },
        },
    ),
    (
        "rule.published",
        {
            "code": "price-rice",
            "version": 1,
            "name": "大米兑换价",
            "text": "一袋大米 60 分。",
            "in_force_from": "2021-01-01",
            "topic": "points_price",
            "points_price": {"item": "rice", "points_per_unit": 60},
        },
    ),
)
"""Entries 1 to 16 of the small world."""

FIRST_GIFT = 1 + len(REGISTERS)
"""The index of the first entry after the registers: a gift of 1,000.00 yuan."""


def tell_small_world(scribe: Scribe) -> None:
    """The registers, then a gift, rice and points: something of every asset."""
    scribe.submit(scribe.prepare(kind, fields, day="2021-01-01") for kind, fields in REGISTERS)
    donor = {"donor_name": "示例捐赠人", "order_number": "ORDER-1", "message": "加油"}
    gift = scribe.tell(
        "donation.money",
        {"fund": "general", "channel": "bank", "amount_fen": 100_000},
        donor,
        day="2021-08-01",
    )
    assert gift == FIRST_GIFT
    scribe.tell(
        "donation.goods",
        {"item": "rice", "quantity": 4, "unit": "箱", "site": "depot", "lot": "L1"},
        day="2021-08-02",
    )
    scribe.tell(
        "points.issued",
        {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": gift},
        day="2021-08-03",
    )


def tell_rules(scribe: Scribe, rules: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Publish rules, ``(topic, terms)``, in force from 2021-02-01: rule-0, rule-1 ..."""
    for number, (topic, terms) in enumerate(rules):
        fields = {
            "code": f"rule-{number}",
            "version": 1,
            "name": "示例规则",
            "text": "示例规则。",
            "in_force_from": "2021-02-01",
            "topic": topic,
            topic: terms,
        }
        scribe.tell("rule.published", fields, day="2021-01-02")


def gifts(scribe: Scribe, count: int, name: str = "gift") -> list[Prepared]:
    """Gifts with keys and order numbers of their own, of 1, 2, 3 ... fen."""
    return [
        scribe.gift(
            number,
            key=f"{name}-{number}",
            sealed={"order_number": f"{name}-{number}", "donor_name": "示例捐赠人"},
        )
        for number in range(1, count + 1)
    ]


@contextmanager
def other_book(book: Book) -> Iterator[Book]:
    """A second book on the same folder, as another process has it."""
    other = Book.open(book.folder, clock=book._clock)
    yield other
    other.close()
