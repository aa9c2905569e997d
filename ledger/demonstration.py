"""The demonstration: one district's year of charity, told as entries.

It reproduces public figures of one district's federation for 2021 with exact totals:
epidemic relief (220,000 yuan raised, 7,250 items bought), zongzi for front-line workers
(1,100 boxes valued 330,000), Henan rebuilding (1,813,000), medical aid (874,000),
student aid (95,000), children under treatment (300,000), books (41,264), five charity
supermarkets that redeem points, and the giving days in September (5,120,000 from
100,000 gifts; a tenth of both unless `full`). Every donor field in it is made up.

The first entries are gifts that nothing else uses, for the examples of the record
kinds to refund, reverse and reward. Loading is repeatable: each record has its own
idempotency key, so an interrupted load goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ledger.book import Book
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Role
from ledger.records.request import prepare

PEOPLE: Mapping[Role, str] = {
    Role.REGISTRAR: "registrar-1",
    Role.CLERK: "clerk-1",
    Role.APPROVER: "approver-1",
    Role.WAREHOUSE: "warehouse-1",
    Role.SHOP: "shop-keeper-1",
    Role.AUDITOR: "auditor-1",
}
"""The demonstration's persons, one a role."""

ORIGIN = "shanji.example/demonstration"
ORGANISATION = "示例区慈善会（演示）"

SLICE = 1000
LAST_KEY = "demonstration/complete"

GIVING_DAYS = ("2021-09-07", "2021-09-08", "2021-09-09")
GIVING_BLOCK_FEN = (100, 500, 1000, 2000, 2000, 5000, 6600, 8800, 9900, 15300)
"""Ten gifts of 512.00 yuan together: a thousand blocks are 512,000 yuan."""
GIVING_GIFTS = 10_000
GIVING_GIFTS_FULL = 100_000

Progress = Callable[[int], None]


def is_loaded(book: Book) -> bool:
    """Whether the demonstration was loaded to its end."""
    with book.store.read() as reader:
        return LAST_KEY in reader.idempotency([LAST_KEY])


def load(book: Book, *, full: bool = False, progress: Progress | None = None) -> int:
    """Record the demonstration, or what is still missing of it.

    Args:
        book: The log to record it in.
        full: All 100,000 gifts of the giving days instead of a tenth.
        progress: Called with the number of records done so far.

    Returns:
        How many records the demonstration has.

    Raises:
        LedgerError: a record was refused; the log holds other things already.
    """
    teller = _Teller(book, progress)
    for chapter in (
        _beginning,
        _registers,
        _relief,
        _goods_in_kind,
        _rebuilding,
        _aid,
        _children,
        _books,
        _shops,
    ):
        chapter(teller)
    teller.tell_many(_giving_days(GIVING_GIFTS_FULL if full else GIVING_GIFTS))
    teller.tell(
        "fund.opened",
        "2021-12-31",
        {
            "code": "next-year",
            "name": "下一年度备用资金",
            "fund_class": "unrestricted",
        },
        key=LAST_KEY,
    )
    return teller.count


class _Teller:
    """Records bodies as the right persons, one by one or many at a time."""

    def __init__(self, book: Book, progress: Progress | None) -> None:
        self._book = book
        self._progress = progress
        self.count = 0

    def tell(
        self,
        kind: str,
        day: str,
        fields: Mapping[str, Any],
        sealed: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> int:
        """Record one body; its index."""
        body = _body(kind, day, fields, sealed)
        return self.tell_many([body], key)[-1]

    def tell_many(self, bodies: Iterable[dict[str, Any]], key: str | None = None) -> list[int]:
        """Record many bodies in order; their indices."""
        indices: list[int] = []
        rest = iter(bodies)
        while some := list(islice(rest, SLICE)):
            prepared = []
            for body in some:
                self.count += 1
                recorder, approver = _people(body["kind"])
                prepared.append(
                    prepare(
                        body,
                        key=key or f"demonstration/{self.count}",
                        recorded_by=recorder,
                        approved_by=approver,
                        vault=self._book.vault,
                    )
                )
            futures = self._book.sequencer.submit(prepared)
            indices += [future.result().index for future in futures]
            if self._progress is not None:
                self._progress(self.count)
        return indices


def _people(kind: str) -> tuple[str, str | None]:
    """Who records a kind, and who approves it, in the demonstration."""
    found = KIND_BY_NAME[kind]
    role = next(role for role in PEOPLE if role in found.recorders)
    approver = next((PEOPLE[role] for role in PEOPLE if role in found.approvers), None)
    return PEOPLE[role], approver


def _body(
    kind: str, day: str, fields: Mapping[str, Any], sealed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": kind, "occurred_on": day, "fields": dict(fields)}
    if sealed:
        body["sealed"] = dict(sealed)
    return body


def _donor(number: int, order: str) -> dict[str, str]:
    """Made-up personal fields of a donor."""
    return {
        "donor_name": f"示例捐赠人{number:06d}",
        "contact": f"示例联系方式{number:06d}",
        "order_number": order,
        "message": "愿更多人受益",
    }


def _gifts(
    day: str, amounts_fen: Iterable[int], order_prefix: str, fields: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for number, amount in enumerate(amounts_fen, start=1):
        order = f"{order_prefix}-{number:06d}"
        yield _body("donation.money", day, {**fields, "amount_fen": amount}, _donor(number, order))


def _beginning(teller: _Teller) -> None:
    """Entries 1 to 5: the general fund and the gifts that the examples use."""
    day = "2021-01-05"
    teller.tell(
        "fund.opened",
        "2021-01-04",
        {"code": "general", "name": "非限定性资金", "fund_class": "unrestricted"},
    )
    general = {"fund": "general", "channel": "bank"}
    amounts = (20_000_000, 10_000, 10_000, 10_000)
    teller.tell_many(_gifts(day, amounts, "GENERAL-20210105", general))


def _registers(teller: _Teller) -> None:
    """Parties, funds, projects, campaigns, items, sites and rules."""
    day = "2021-01-06"
    for code, party_class, name in (
        ("community-centre", "organisation", "示例社区服务中心"),
        ("supplier-goods", "supplier", "示例物资供应商"),
        ("tencent-platform", "platform", "腾讯公益平台"),
        ("yingtaogou-community", "organisation", "郑州樱桃沟社区"),
        ("longfeng-station", "organisation", "龙凤公益站"),
        ("luocheng-station", "organisation", "罗城公益站"),
    ):
        teller.tell(
            "party.registered", day, {"code": code, "party_class": party_class, "name": name}
        )
    for number in range(1, 6):
        teller.tell(
            "party.registered",
            day,
            {"code": f"holder-{number:04d}", "party_class": "person"},
            {"person_name": f"示例积分持有人{number:04d}"},
        )
    for code, name, purpose in (
        ("epidemic-relief", "防疫专项资金", "epidemic-relief"),
        ("henan-flood", "河南水灾重建资金", "disaster-rebuilding"),
        ("migrant-medical", "来深建设者重疾救助资金", "medical-aid"),
        ("student-aid", "助学资金", "student-aid"),
        ("child-medical", "困境儿童救治资金", "child-medical-aid"),
        ("giving-day", "99公益日资金", "community-charity"),
    ):
        teller.tell(
            "fund.opened",
            day,
            {"code": code, "name": name, "fund_class": "restricted", "purposes": [purpose]},
        )
    for code, name, fund, purpose, target_fen in (
        (
            "relief-2021",
            "无惧酷暑风雨，聚善齐心防疫",
            "epidemic-relief",
            "epidemic-relief",
            22_000_000,
        ),
        ("yingtaogou", "樱桃沟社区灾后重建", "henan-flood", "disaster-rebuilding", 181_300_000),
        ("migrant-illness", "来深建设者重大疾病救助", "migrant-medical", "medical-aid", 87_400_000),
        ("student-aid-2021", "2021年助学", "student-aid", "student-aid", 9_500_000),
        ("children-2021", "困境儿童救治", "child-medical", "child-medical-aid", 30_000_000),
        ("giving-day-2021", "99公益日社区项目", "giving-day", "community-charity", 512_000_000),
    ):
        fields = {"code": code, "name": name, "fund": fund, "purpose": purpose}
        extra = {"target_fen": target_fen, "starts_on": "2021-01-06", "ends_on": "2021-12-31"}
        teller.tell("project.opened", day, {**fields, **extra})
    for code, name, fund, starts, ends in (
        (
            "relief-2021",
            "无惧酷暑风雨，聚善齐心防疫",
            "epidemic-relief",
            "2021-05-21",
            "2021-07-31",
        ),
        ("children-2021", "困境儿童救治募捐", "child-medical", "2021-03-01", "2021-12-31"),
        ("giving-day-2021", "99公益日募捐", "giving-day", "2021-09-01", "2021-09-10"),
    ):
        campaign: dict[str, Any] = {"code": code, "name": name, "fund": fund}
        campaign |= {"starts_on": starts, "ends_on": ends}
        campaign["filing_number"] = f"示例备案编号-{code}"
        if code != "relief-2021":
            campaign["platform"] = "tencent-platform"
        teller.tell("campaign.filed", day, campaign)
    for item in (
        {"code": "relief-pack", "name": "防疫物资", "unit": "件"},
        {"code": "zongzi", "name": "粽子", "unit": "盒", "perishable": True},
        {"code": "book", "name": "图书", "unit": "册"},
        {
            "code": "rice",
            "name": "大米",
            "unit": "袋",
            "packs": [{"unit": "箱", "factor": 5}],
            "aliases": ["5公斤大米"],
        },
    ):
        teller.tell("item.registered", day, item)
    teller.tell(
        "site.registered",
        day,
        {"code": "warehouse-central", "name": "中心物资仓", "site_class": "warehouse"},
    )
    for number in range(1, 6):
        name = f"聚善空间·慈善超市{number}号店"
        site = {"code": f"shop-{number}", "name": name, "site_class": "charity_supermarket"}
        teller.tell("site.registered", day, site)
    _rules(teller)


def _rules(teller: _Teller) -> None:
    teller.tell(
        "rule.published",
        "2021-01-06",
        {
            "code": "points-for-money",
            "version": 1,
            "name": "捐款积分",
            "text": "每捐 1 元积 1 分，单笔最多 5000 分；7 天后可用，可用之日起一年内有效。",
            "in_force_from": "2021-01-05",
            "topic": "points_issue",
            "points_issue": {
                "sources": ["donation.money"],
                "points": 1,
                "per_fen": 100,
                "points_max": 5000,
                "wait_days": 7,
                "valid_days": 365,
            },
        },
    )
    teller.tell(
        "rule.published",
        "2021-01-06",
        {
            "code": "price-rice",
            "version": 1,
            "name": "大米兑换价",
            "text": "一袋 5 公斤大米兑换 60 分。",
            "in_force_from": "2021-01-06",
            "topic": "points_price",
            "points_price": {"item": "rice", "points_per_unit": 60},
        },
    )


def _relief(teller: _Teller) -> None:
    """Row 1: 220,000 yuan raised, 7,250 relief items bought with it and handed out."""
    gift = {"fund": "epidemic-relief", "project": "relief-2021", "campaign": "relief-2021"}
    gifts = _gifts("2021-06-01", [100_000] * 220, "RELIEF-20210601", {**gift, "channel": "bank"})
    teller.tell_many(gifts)
    teller.tell(
        "purchase.made",
        "2021-06-10",
        {
            "fund": "epidemic-relief",
            "project": "relief-2021",
            "purpose": "epidemic-relief",
            "supplier": "supplier-goods",
            "site": "warehouse-central",
            "lines": [
                {"item": "relief-pack", "quantity": 7250, "cost_fen": 22_000_000, "lot": "R2021-06"}
            ],
        },
        {"account": "示例供应商账户", "invoice_number": "EXAMPLE-INVOICE-01"},
    )
    for day, quantity in (("2021-06-15", 5000), ("2021-06-22", 2250)):
        teller.tell(
            "goods.distributed",
            day,
            {
                "item": "relief-pack",
                "quantity": quantity,
                "site": "warehouse-central",
                "recipient_class": "front-line-worker",
                "project": "relief-2021",
            },
        )


def _goods_in_kind(teller: _Teller) -> None:
    """Row 2: 1,100 boxes of zongzi, valued 330,000 yuan together."""
    teller.tell(
        "donation.goods",
        "2021-06-08",
        {
            "item": "zongzi",
            "quantity": 1100,
            "site": "warehouse-central",
            "made_on": "2021-06-01",
            "best_before": "2021-07-31",
            "lot": "Z2021-06",
            "valuation": {"amount_fen": 33_000_000, "basis": "voucher"},
        },
        {"donor_name": "示例捐赠企业", "message": "致敬一线"},
    )
    teller.tell(
        "goods.distributed",
        "2021-06-13",
        {
            "item": "zongzi",
            "quantity": 1100,
            "site": "warehouse-central",
            "recipient_class": "front-line-worker",
        },
    )


def _rebuilding(teller: _Teller) -> None:
    """Row 3: 1,813,000 yuan raised and sent for the rebuilding of Yingtaogou community."""
    gift = {"fund": "henan-flood", "project": "yingtaogou", "channel": "bank"}
    amounts = [1_000_000] * 181 + [300_000]
    teller.tell_many(_gifts("2021-07-28", amounts, "HENAN-20210728", gift))
    teller.tell(
        "grant.paid",
        "2021-08-20",
        {
            "fund": "henan-flood",
            "project": "yingtaogou",
            "purpose": "disaster-rebuilding",
            "amount_fen": 181_300_000,
            "payee": "yingtaogou-community",
        },
        {"account": "示例社区账户"},
    )


def _aid(teller: _Teller) -> None:
    """Rows 4 and 5: medical aid of 874,000 yuan and student aid of 95,000 yuan."""
    for fund, project, purpose, payee, amount, count in (
        ("migrant-medical", "migrant-illness", "medical-aid", "patient", 2_300_000, 38),
        ("student-aid", "student-aid-2021", "student-aid", "student", 500_000, 19),
    ):
        gift = {"fund": fund, "project": project, "channel": "bank"}
        order = f"{fund.upper()}-20210301"
        teller.tell_many(_gifts("2021-03-01", [amount] * count, order, gift))
        teller.tell_many(
            _body(
                "aid.paid",
                "2021-04-15",
                {
                    "fund": fund,
                    "project": project,
                    "purpose": purpose,
                    "amount_fen": amount,
                    "payee_class": payee,
                },
                {"payee_name": f"示例受助人{number:04d}", "account": f"示例账户{number:04d}"},
            )
            for number in range(1, count + 1)
        )


def _children(teller: _Teller) -> None:
    """Row 6: 300,000 yuan raised on Tencent's platform for children under treatment."""
    gift = {"fund": "child-medical", "project": "children-2021", "campaign": "children-2021"}
    gifts = _gifts("2021-05-04", [50_000] * 600, "TENCENT-20210504", {**gift, "channel": "tencent"})
    teller.tell_many(gifts)


def _books(teller: _Teller) -> None:
    """Row 7: 41,264 books for two public-welfare stations in Guangxi."""
    teller.tell(
        "donation.goods",
        "2021-10-12",
        {"item": "book", "quantity": 41_264, "site": "warehouse-central", "condition": "good"},
        {"donor_name": "示例捐书单位"},
    )
    for station in ("longfeng-station", "luocheng-station"):
        teller.tell(
            "goods.distributed",
            "2021-10-20",
            {
                "item": "book",
                "quantity": 20_632,
                "site": "warehouse-central",
                "recipient_class": "station",
                "recipient": station,
            },
        )


def _shops(teller: _Teller) -> None:
    """Row 9: five charity supermarkets with stock, points issued and redeemed there."""
    teller.tell(
        "purchase.made",
        "2021-02-01",
        {
            "fund": "general",
            "purpose": "charity-supermarket",
            "supplier": "supplier-goods",
            "site": "warehouse-central",
            "lines": [
                {
                    "item": "rice",
                    "quantity": 40,
                    "unit": "箱",
                    "cost_fen": 800_000,
                    "lot": "D2021-01",
                    "best_before": "2022-06-30",
                }
            ],
        },
    )
    for number in range(1, 6):
        shop = f"shop-{number}"
        shipment = f"trip-{number:04d}"
        sent = 26 if number == 1 else 25
        moved = {"shipment": shipment, "item": "rice", "quantity": sent, "to_site": shop}
        teller.tell("goods.moved", "2021-02-05", {**moved, "from_site": "warehouse-central"})
        received = {"shipment": shipment, "quantity": 25, "site": shop}
        teller.tell("goods.received", "2021-02-06", received)
    general = {"fund": "general", "channel": "wechat"}
    gifts = teller.tell_many(_gifts("2021-02-10", [50_000] * 5, "POINTS-20210210", general))
    for number, gift in enumerate(gifts, start=1):
        holder = f"holder-{number:04d}"
        rule = {"rule": "points-for-money", "rule_version": 1}
        teller.tell("points.issued", "2021-02-11", {"holder": holder, "source": gift, **rule})
        teller.tell(
            "points.redeemed",
            "2021-03-11",
            {
                "holder": holder,
                "shop": f"shop-{number}",
                "item": "rice",
                "quantity": 2,
                "points": 120,
                "price_rule": "price-rice",
                "price_rule_version": 1,
            },
        )


def _giving_days(gifts: int) -> Iterator[dict[str, Any]]:
    """Row 11: the three giving days in September, in blocks of ten gifts of 512.00 yuan."""
    fields = {
        "fund": "giving-day",
        "project": "giving-day-2021",
        "campaign": "giving-day-2021",
        "channel": "tencent",
    }
    for number in range(gifts):
        day = GIVING_DAYS[number * len(GIVING_DAYS) // gifts]
        amount = GIVING_BLOCK_FEN[number % len(GIVING_BLOCK_FEN)]
        order = f"GIVING-{day.replace('-', '')}-{number:06d}"
        yield _body(
            "donation.money", day, {**fields, "amount_fen": amount}, _donor(number + 1, order)
        )
