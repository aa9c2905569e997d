"""A log like a federation's, of any size: gifts for the most part, and everything else beside.

It begins with a page and one row more of everything that pages list (`FILLED`), so that in a
small log they have as many rows as in a large one. Then it is told in rounds of about a hundred
entries. Half of all gifts go to one fund and one project; the others are spread over many. With the
gifts the registers grow too, more slowly: a new project each 500 entries, a holder of points each
50, a lot of goods each 100.

Every record goes through the real write path, in bulk. The log's days end yesterday, so that
ages and deadlines mean what they do in service.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.book import Book
from ledger.day import CHINA
from ledger.demonstration.registers import RULES
from ledger.demonstration.teller import body_of, donor, people_of
from ledger.records.request import Prepared, prepare

ORIGIN = "shanji.example/pages"
DAYS = 700
"""From the first entry to the last, whatever the size."""
SLICES, SLICE_MAX = 200, 1_000
"""Submissions that a log is made of, and the most records of one."""
DONE = "made.json"
"""Says that a folder's log is whole, and of how many entries."""

FILLED, PAID = 101, 21
"""Of each thing that a page lists, and of payments: no page has more than 100 rows and 20."""
GIFT_FEN = 1_000
TO_MAIN, TO_FUND, SPREAD = 45, 10, 15
"""Of a round's gifts: to the main project, to its fund without one, to all other projects."""
SHOPS = ("shop-1", "shop-2")
PURPOSES = ("disaster-relief", "student-aid", "medical-aid", "elderly-care", "community-charity")

Body = dict[str, Any]


class _Clock:
    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


class _Story:
    """The bodies in order. It counts the entries, to know the index that each will have."""

    def __init__(self, size: int, end: dt.date) -> None:
        self._size = size
        self._end = end
        self._index = 1
        self.projects: list[tuple[str, str, str]] = []
        self.funds, self.holders, self.items, self.sites, self.wishes = 0, 0, 0, 0, 0

    def moment(self, index: int) -> dt.datetime:
        """When an entry is recorded: evenly over the days."""
        noon = dt.datetime.combine(self._end, dt.time(12), CHINA)
        return noon - dt.timedelta(days=DAYS * (self._size - index) / self._size)

    def day(self) -> str:
        return self.moment(self._index).date().isoformat()

    def tell(self, kind: str, fields: Body, sealed: Body | None = None) -> Body:
        """One body; its entry is the next."""
        body = body_of(kind, self.day(), fields, sealed)
        self._index += 1
        return body

    def bodies(self) -> Iterator[Body]:
        """All of them, without end."""
        yield from self._begin()
        number = 0
        while True:
            yield from self._registers(number)
            yield from self._round(number)
            number += 1

    def _begin(self) -> Iterator[Body]:
        yield self.tell("item.registered", {"code": "rice", "name": "大米", "unit": "袋"})
        for fields in json.loads(files("ledger.demonstration").joinpath(RULES).read_text("utf-8")):
            yield self.tell("rule.published", fields)
        terms = {"sources": ["donation.money"], "points": 1, "per_fen": 100, "valid_days": 400}
        rule = {"code": "points-for-money", "version": 1, "name": "捐款积分", "text": "每元一分"}
        rule |= {"in_force_from": "2021-01-06", "topic": "points_issue", "points_issue": terms}
        yield self.tell("rule.published", rule)
        for code, party_class in (("supplier", "supplier"), ("centre", "organisation")):
            party = {"code": code, "party_class": party_class, "name": "示例机构"}
            yield self.tell("party.registered", party)
        for site, site_class in (
            ("depot-1", "warehouse"),
            ("depot-2", "warehouse"),
            *((one, "charity_supermarket") for one in SHOPS),
        ):
            named = {"code": site, "name": f"示例仓{site}", "site_class": site_class}
            yield self.tell("site.registered", named)
        yield from self._fund("main", PURPOSES[0])
        yield from self._project("main", "main", PURPOSES[0])
        for _ in range(FILLED):
            yield from self._next_fund()
            yield from self._next_project()
            yield from self._next_item()
            yield from self._next_holder()
            yield from self._next_site()
            yield from self._next_wish()
        for number in range(1, FILLED + 1):
            yield from self._filled_stock(number)
        for _ in range(PAID):
            yield from self._filled_payment()

    def _filled_stock(self, number: int) -> Iterator[Body]:
        """One lot more of rice at three sites and of item-2, one item more at a site, underway."""
        # Behind the lots of the rounds, and of the deep page.
        rice: Body = {"item": "rice", "quantity": 2, "lot": f"R9-{number}"}
        for site in (*SHOPS, "depot-1"):
            yield self.tell("donation.goods", {**rice, "site": site})
        for item, lot in (("item-2", f"M{number}"), (f"item-{number}", "N")):
            given = {"item": item, "quantity": 9, "site": "depot-1", "lot": lot}
            yield self.tell("donation.goods", given, {"donor_name": "示例捐赠人"})
        moved = {"shipment": f"filled-{number}", "item": f"item-{number}", "lot": "N"}
        way = {"from_site": "depot-1", "to_site": "depot-2"}
        yield self.tell("goods.moved", {**moved, "quantity": 8, **way})

    def _filled_payment(self) -> Iterator[Body]:
        """One gift more of a small fund and project, one payment more of the largest fund."""
        given: Body = {"channel": "tencent", "amount_fen": GIFT_FEN}
        for to in ({"fund": "fund-2", "project": "project-2"}, {"fund": "main"}):
            sealed = donor(self._index, f"PAGES-{self._index:010d}")
            yield self.tell("donation.money", {**given, **to}, sealed)
        paid = {"fund": "main", "purpose": PURPOSES[0], "amount_fen": GIFT_FEN}
        yield self.tell("grant.paid", {**paid, "payee": "centre"})

    def _registers(self, number: int) -> Iterator[Body]:
        yield from self._next_holder()
        yield from self._next_holder()
        if number % 5 == 0:
            yield from self._next_project()
            yield from self._next_wish()
        if number % 20 == 0:
            yield from self._next_item()
        if number % 50 == 0:
            yield from self._next_fund()
        if number % 500 == 0:
            yield from self._next_site()

    def _next_site(self) -> Iterator[Body]:
        self.sites += 1
        code = f"site-{self.sites}"
        named = {"code": code, "name": f"示例分仓{code}", "site_class": "warehouse"}
        yield self.tell("site.registered", named)

    def _next_wish(self) -> Iterator[Body]:
        self.wishes += 1
        wish = {"code": f"wish-{self.wishes}", "wish_class": "book", "age_band": "6-11"}
        yield self.tell("wish.posted", wish, {"child_name": "示例儿童"})

    def _fund(self, code: str, purpose: str) -> Iterator[Body]:
        fields = {"code": code, "name": f"示例资金{code}", "fund_class": "restricted"}
        yield self.tell("fund.opened", {**fields, "purposes": [purpose]})

    def _next_fund(self) -> Iterator[Body]:
        self.funds += 1
        yield from self._fund(f"fund-{self.funds}", PURPOSES[self.funds % len(PURPOSES)])

    def _project(self, code: str, fund: str, purpose: str) -> Iterator[Body]:
        fields = {"code": code, "name": f"示例项目{code}", "fund": fund, "purpose": purpose}
        yield self.tell("project.opened", {**fields, "starts_on": self.day()})

    def _next_project(self) -> Iterator[Body]:
        number = len(self.projects) % self.funds + 1
        code = f"project-{len(self.projects) + 1}"
        fund, purpose = f"fund-{number}", PURPOSES[number % len(PURPOSES)]
        self.projects.append((code, fund, purpose))
        yield from self._project(code, fund, purpose)

    def _next_item(self) -> Iterator[Body]:
        self.items += 1
        fields = {"code": f"item-{self.items}", "name": f"示例物资{self.items}", "unit": "件"}
        yield self.tell("item.registered", fields)

    def _next_holder(self) -> Iterator[Body]:
        self.holders += 1
        code = f"holder-{self.holders}"
        sealed = {"person_name": f"示例持有人{self.holders}"}
        yield self.tell("party.registered", {"code": code, "party_class": "person"}, sealed)

    def _round(self, number: int) -> Iterator[Body]:
        first = self._index
        yield from self._gifts(number)
        yield from self._points(number, first)
        yield from self._goods(number)
        yield from self._payments(number)
        yield from self._service(number)
        if number % 5 == 1:
            code, _, _ = self.projects[number % len(self.projects)]
            told = {"milestone": "进展", "text": "按计划进行。", "people_reached": 10 + number % 90}
            yield self.tell("project.reported", {"project": code, **told})
        if number % 10 == 2:
            fields = {"gift": first + TO_MAIN + TO_FUND, "reason": "捐赠人申请退款"}
            yield self.tell("donation.refunded", {**fields, "amount_fen": GIFT_FEN})
            wrong = {"entry": first + TO_MAIN + TO_FUND + 1, "reason": "重复登记"}
            yield self.tell("entry.reversed", wrong)

    def _gifts(self, number: int) -> Iterator[Body]:
        for place in range(TO_MAIN + TO_FUND + SPREAD):
            fields: Body = {"fund": "main", "channel": "tencent", "amount_fen": GIFT_FEN}
            if place < TO_MAIN:
                fields["project"] = "main"
            elif place >= TO_MAIN + TO_FUND:
                chosen = self.projects[(number * SPREAD + place) % len(self.projects)]
                fields["project"], fields["fund"], _ = chosen
            sealed = donor(self._index, f"PAGES-{self._index:010d}")
            yield self.tell("donation.money", fields, sealed)

    def _points(self, number: int, first_gift: int) -> Iterator[Body]:
        given = {"rule": "points-for-money", "rule_version": 1}
        for place in range(8):
            holder = f"holder-{(number * 8 + place) % self.holders + 1}"
            fields = {"holder": holder, **given, "source": first_gift + place}
            yield self.tell("points.issued", fields)
        shop = SHOPS[number % len(SHOPS)]
        rice = {"item": "rice", "quantity": 2, "site": shop, "lot": f"R{number}"}
        yield self.tell("donation.goods", rice)
        if number % 10 == 0:
            # 60 points: what a holder has of six gifts.
            fields = {"holder": "holder-1", **given, "source": first_gift + 8}
            yield from (
                self.tell("points.issued", {**fields, "source": first_gift + 8 + place})
                for place in range(6)
            )
            price = {"points": 60, "price_rule": "price-rice", "price_rule_version": 1}
            asked = {"holder": "holder-1", "shop": shop, "item": "rice", "quantity": 1}
            yield self.tell("points.redeemed", {**asked, **price})

    def _goods(self, number: int) -> Iterator[Body]:
        item = f"item-{number % self.items + 1}"
        near, far = ("depot-1", "depot-2") if number % 2 else ("depot-2", "depot-1")
        lot: Body = {"lot": f"L{number}"}
        if number % 4 == 0:
            best_before = self.moment(self._index).date() + dt.timedelta(days=200)
            lot["best_before"] = best_before.isoformat()
        for quantity in (4, 6, 10):
            given = {"item": item, "quantity": quantity, "site": near, **lot}
            yield self.tell("donation.goods", given, {"donor_name": "示例捐赠人"})
        named = {"item": item, "lot": f"L{number}"}
        shipment = {"shipment": f"shipment-{number}", **named}
        moved = {**shipment, "quantity": 8, "from_site": near, "to_site": far}
        yield self.tell("goods.moved", moved)
        received = {"shipment": f"shipment-{number}", "quantity": 8, "site": far}
        yield self.tell("goods.received", received)
        for site, quantity in ((near, 3), (near, 4), (far, 5)):
            fields = {**named, "quantity": quantity, "site": site, "recipient_class": "family"}
            yield self.tell("goods.distributed", fields, {"recipient_name": "示例受益人"})

    def _payments(self, number: int) -> Iterator[Body]:
        paid: Body = {"fund": "main", "purpose": PURPOSES[0]}
        for project in ("main", "main", None):
            fields = {**paid, "amount_fen": 10 * GIFT_FEN, "payee_class": "family"}
            fields |= {} if project is None else {"project": project}
            yield self.tell("aid.paid", fields, {"payee_name": "示例受益人"})
        grant = {**paid, "project": "main", "amount_fen": 15 * GIFT_FEN, "payee": "centre"}
        yield self.tell("grant.paid", grant)
        line = {"item": "rice", "quantity": 3, "cost_fen": 9 * GIFT_FEN, "lot": f"B{number}"}
        bought = {"supplier": "supplier", "site": "depot-1", "lines": [line], "project": "main"}
        yield self.tell("purchase.made", {**paid, **bought})

    def _service(self, number: int) -> Iterator[Body]:
        times = {"starts_at": "09:00", "ends_at": "10:30"}
        fields = {"volunteer": f"holder-{self.holders}", "organiser": "centre", "activity": "助老"}
        index = self._index
        yield self.tell("service.recorded", {**fields, **times})
        yield self.tell("service.confirmed", {"service": index, "confirmed_by": "centre"})


def make_log(folder: Path, size: int) -> Path:
    """A log of so many entries in a folder; what an earlier run has made there is used again.

    Returns:
        The data folder.

    Raises:
        SystemExit: another log is there.
    """
    data, done = folder / f"log-{size}", folder / f"log-{size}-{DONE}"
    if done.exists():
        return data
    if data.exists():
        raise SystemExit(f"{data} was begun and not finished; delete it")
    story = _Story(size, dt.datetime.now(CHINA).date() - dt.timedelta(days=1))
    clock = _Clock(story.moment(0))
    book = Book.create(data, origin=ORIGIN, organisation="示例慈善会", clock=clock)
    try:
        _record(book, story, clock, size)
    finally:
        book.close()
    done.write_text(json.dumps({"size": size}) + "\n")
    return data


def _record(book: Book, story: _Story, clock: _Clock, size: int) -> None:
    """Record the story up to a size; the next slice is prepared while one is on its way."""
    waiting: list[Any] = []
    bodies = islice(story.bodies(), size - 1)
    together = min(SLICE_MAX, max(1, size // SLICES))
    index = 1
    while some := [_prepared(book, body, index + place) for place, body in _few(bodies, together)]:
        for future in waiting:
            future.result()
        clock.now = story.moment(index + len(some) - 1)
        waiting = book.sequencer.submit(some)
        index += len(some)
    for future in waiting:
        future.result()


def _few(bodies: Iterator[Body], together: int) -> list[tuple[int, Body]]:
    return list(enumerate(islice(bodies, together)))


def _prepared(book: Book, body: Body, index: int) -> Prepared:
    recorder, approver = people_of(body["kind"])
    if body["kind"] == "service.confirmed":
        recorder = "registrar-1"
    return prepare(
        body,
        key=f"pages/{index}",
        recorded_by=recorder,
        approved_by=approver,
        vault=book.vault,
    )
