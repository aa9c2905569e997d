"""The year as money and goods: rows 1 to 7, 9 and 11 of the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.demonstration.teller import Teller, body_of, donor, gifts

GIVING_DAYS = ("2021-09-07", "2021-09-08", "2021-09-09")
GIVING_BLOCK_FEN = (100, 500, 1000, 2000, 2000, 5000, 6600, 8800, 9900, 15300)
"""Ten gifts of 512.00 yuan together: a thousand blocks are 512,000 yuan."""
GIVING_GIFTS = 10_000
GIVING_GIFTS_FULL = 100_000


def tell_relief(teller: Teller) -> None:
    """Row 1: 220,000 yuan raised, 7,250 relief items bought with it and handed out."""
    gift = {"fund": "epidemic-relief", "project": "relief-2021", "campaign": "relief-2021"}
    given = gifts("2021-06-01", [100_000] * 220, "RELIEF-20210601", {**gift, "channel": "bank"})
    teller.tell_many(given)
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


def tell_goods_in_kind(teller: Teller) -> None:
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


def tell_rebuilding(teller: Teller) -> None:
    """Row 3: 1,813,000 yuan raised and sent for the rebuilding of Yingtaogou community."""
    gift = {"fund": "henan-flood", "project": "yingtaogou", "channel": "bank"}
    amounts = [1_000_000] * 181 + [300_000]
    teller.tell_many(gifts("2021-07-28", amounts, "HENAN-20210728", gift))
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


def tell_aid(teller: Teller) -> None:
    """Rows 4 and 5: medical aid of 874,000 yuan and student aid of 95,000 yuan."""
    for fund, project, purpose, payee, amount, count in (
        ("migrant-medical", "migrant-illness", "medical-aid", "patient", 2_300_000, 38),
        ("student-aid", "student-aid-2021", "student-aid", "student", 500_000, 19),
    ):
        gift = {"fund": fund, "project": project, "channel": "bank"}
        order = f"{fund.upper()}-20210301"
        teller.tell_many(gifts("2021-03-01", [amount] * count, order, gift))
        teller.tell_many(
            body_of(
                "aid.paid",
                "2021-04-15",
                {
                    "fund": fund,
                    "project": project,
                    "purpose": purpose,
                    "amount_fen": amount,
                    "payee_class": payee,
                },
                {"payee_name": f"示例受益人{number:04d}", "account": f"示例账户{number:04d}"},
            )
            for number in range(1, count + 1)
        )


def tell_children(teller: Teller) -> None:
    """Row 6: 300,000 yuan raised on Tencent's platform for children under treatment."""
    gift = {"fund": "child-medical", "project": "children-2021", "campaign": "children-2021"}
    given = gifts("2021-05-04", [50_000] * 600, "TENCENT-20210504", {**gift, "channel": "tencent"})
    teller.tell_many(given)


def tell_books(teller: Teller) -> None:
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


def tell_shops(teller: Teller) -> None:
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
    given = teller.tell_many(gifts("2021-02-10", [50_000] * 5, "POINTS-20210210", general))
    for number, gift in enumerate(given, start=1):
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


def giving_days(count: int) -> Iterator[dict[str, Any]]:
    """Row 11: the three giving days in September, in blocks of ten gifts of 512.00 yuan."""
    fields = {
        "fund": "giving-day",
        "project": "giving-day-2021",
        "campaign": "giving-day-2021",
        "channel": "tencent",
    }
    for number in range(count):
        day = GIVING_DAYS[number * len(GIVING_DAYS) // count]
        amount = GIVING_BLOCK_FEN[number % len(GIVING_BLOCK_FEN)]
        order = f"GIVING-{day.replace('-', '')}-{number:06d}"
        yield body_of(
            "donation.money", day, {**fields, "amount_fen": amount}, donor(number + 1, order)
        )
