"""What the golden logs record: made-up requests, fixed for ever (see generate_golden)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

DAY = "2021-06-01"


@dataclass(frozen=True)
class Told:
    """One request, and who sent it."""

    kind: str
    fields: Mapping[str, Any]
    sealed: Mapping[str, Any] | None = None
    documents: Sequence[str] = ()
    recorded_by: str = "clerk-1"
    approved_by: str | None = None
    day: str = DAY

    @property
    def body(self) -> dict[str, Any]:
        """The request's body."""
        value: dict[str, Any] = {
            "kind": self.kind,
            "occurred_on": self.day,
            "fields": dict(self.fields),
        }
        if self.sealed is not None:
            value["sealed"] = dict(self.sealed)
        if self.documents:
            value["documents"] = list(self.documents)
        return value


def document(name: str) -> str:
    """The SHA-256 of an attached file."""
    return sha256(name.encode()).hexdigest()


DONOR = {
    "donor_name": "示例捐赠人",
    "contact": "示例联系方式",
    "order_number": "EXAMPLE-20210601-0001",
    "exact_time": "2021-06-01T09:30:00+08:00",
    "message": '愿更多人受益\n"谢谢" \\ 🎁',
}

# Every kind at least once, with every optional field at least once.
KINDS: Sequence[Sequence[Told]] = [
    [one]
    for one in (
        Told(
            "party.registered",
            {
                "code": "supplier-goods",
                "party_class": "supplier",
                "name": "示例物资供应商",
                "registration_number": "91440300EXAMPLE001",
            },
            {"contact": "示例联系方式"},
            recorded_by="registrar-1",
        ),
        Told(
            "party.registered",
            {"code": "holder-0001", "party_class": "person"},
            {"person_name": "示例积分持有人", "contact": "示例联系方式"},
        ),
        Told(
            "fund.opened",
            {
                "code": "relief",
                "name": "防疫专项资金",
                "fund_class": "restricted",
                "purposes": ["epidemic-relief", "elderly-care"],
                "fee_clause": "管理费不超过 3%",
            },
            recorded_by="registrar-1",
        ),
        Told(
            "fund.opened",
            {"code": "general", "name": "非限定性资金", "fund_class": "unrestricted"},
            recorded_by="registrar-1",
        ),
        Told(
            "project.opened",
            {
                "code": "relief-2021",
                "name": "聚善齐心防疫",
                "fund": "relief",
                "purpose": "epidemic-relief",
                "target_fen": 22_000_000,
                "starts_on": "2021-05-21",
                "ends_on": "2021-12-31",
            },
            recorded_by="registrar-1",
        ),
        Told(
            "campaign.filed",
            {
                "code": "relief-2021",
                "name": "聚善齐心防疫募捐",
                "filing_number": "示例备案编号-2021-001",
                "fund": "relief",
                "platform": "supplier-goods",
                "starts_on": "2021-05-21",
                "ends_on": "2021-07-31",
            },
            recorded_by="registrar-1",
        ),
        Told(
            "item.registered",
            {
                "code": "rice",
                "name": "大米",
                "unit": "袋",
                "packs": [{"unit": "箱", "factor": 5}],
                "aliases": ["5公斤大米"],
                "perishable": True,
            },
            recorded_by="registrar-1",
        ),
        Told(
            "site.registered",
            {
                "code": "warehouse-central",
                "name": "中心物资仓",
                "site_class": "warehouse",
                "address": "示例路 1 号",
            },
            {"contact": "示例联系方式"},
            recorded_by="registrar-1",
        ),
        Told(
            "site.registered",
            {"code": "shop-1", "name": "慈善超市1号店", "site_class": "charity_supermarket"},
            recorded_by="registrar-1",
        ),
        Told(
            "rule.published",
            {
                "code": "points-for-money",
                "version": 1,
                "name": "捐款积分",
                "text": "每捐 1 元积 1 分，单笔最多 5000 分；可用之日起一年内有效。",
                "in_force_from": "2021-01-01",
                "topic": "points_issue",
                "points_issue": {
                    "sources": ["donation.money", "donation.goods"],
                    "points": 1,
                    "per_fen": 100,
                    "points_max": 5000,
                    "wait_days": 0,
                    "valid_days": 365,
                },
            },
            recorded_by="registrar-1",
        ),
        Told(
            "rule.published",
            {
                "code": "price-rice",
                "version": 1,
                "name": "大米兑换价",
                "text": "一袋大米兑换 60 分。",
                "in_force_from": "2021-01-01",
                "topic": "points_price",
                "points_price": {"item": "rice", "points_per_unit": 60},
            },
            recorded_by="registrar-1",
        ),
        Told(
            "donation.money",
            {
                "fund": "relief",
                "amount_fen": 1_000_000,
                "channel": "bank",
                "project": "relief-2021",
                "campaign": "relief-2021",
                "visibility": "named",
            },
            DONOR,
            documents=[document("bank slip"), document("voucher")],
        ),
        Told("donation.money", {"fund": "general", "amount_fen": 50_000, "channel": "cash"}),
        Told(
            "donation.refunded",
            {"gift": 13, "amount_fen": 1_000, "reason": "捐赠人重复付款"},
            {"account": "示例账户", "order_number": "EXAMPLE-20210601-0002"},
            approved_by="approver-1",
        ),
        Told(
            "money.allocated",
            {
                "from_fund": "general",
                "to_fund": "relief",
                "to_project": "relief-2021",
                "amount_fen": 20_000,
                "reason": "补充防疫资金",
                "basis": "示例决议 2021-01",
            },
            approved_by="approver-1",
        ),
        Told(
            "aid.paid",
            {
                "fund": "relief",
                "project": "relief-2021",
                "purpose": "epidemic-relief",
                "cost_class": "programme",
                "amount_fen": 3_000,
                "payee_class": "elderly",
            },
            {
                "payee_name": "示例受助人",
                "account": "示例账户",
                "diagnosis": "示例诊断",
                "school": "示例学校",
            },
            approved_by="approver-1",
        ),
        Told(
            "grant.paid",
            {
                "fund": "relief",
                "project": "relief-2021",
                "purpose": "epidemic-relief",
                "cost_class": "management",
                "amount_fen": 2_000,
                "payee": "supplier-goods",
            },
            {"account": "示例账户"},
            approved_by="approver-1",
        ),
        Told(
            "purchase.made",
            {
                "fund": "relief",
                "project": "relief-2021",
                "purpose": "epidemic-relief",
                "cost_class": "programme",
                "supplier": "supplier-goods",
                "site": "warehouse-central",
                "lines": [
                    {
                        "item": "rice",
                        "quantity": 7,
                        "unit": "箱",
                        "cost_fen": 70_001,
                        "lot": "A1",
                        "made_on": "2021-05-01",
                        "best_before": "2022-04-30",
                    },
                    {
                        "item": "rice",
                        "quantity": 3,
                        "cost_fen": 2,
                        "lot": "A2",
                        "best_before": "2021-12-31",
                    },
                ],
            },
            {"account": "示例供应商账户", "invoice_number": "EXAMPLE-INVOICE-01"},
            approved_by="approver-1",
        ),
        Told(
            "donation.goods",
            {
                "item": "rice",
                "quantity": 20,
                "unit": "袋",
                "site": "shop-1",
                "condition": "good",
                "lot": "B1",
                "made_on": "2021-04-01",
                "best_before": "2022-03-31",
                "valuation": {
                    "amount_fen": 80_000,
                    "basis": "fair_value",
                    "appraiser": "示例评估机构",
                },
                "project": "relief-2021",
                "inspected_by": "warehouse-1",
            },
            {"donor_name": "示例捐赠企业", "contact": "示例联系方式", "message": "致敬一线"},
        ),
        Told(
            "goods.moved",
            {
                "shipment": "trip-0001",
                "item": "rice",
                "quantity": 12,
                "unit": "袋",
                "from_site": "warehouse-central",
                "to_site": "shop-1",
                "lot": "A1",
                "carrier": "volunteer-1",
            },
            recorded_by="warehouse-1",
        ),
        Told(
            "goods.received",
            {"shipment": "trip-0001", "quantity": 2, "unit": "箱", "site": "shop-1"},
            recorded_by="warehouse-1",
        ),
        Told(
            "goods.distributed",
            {
                "item": "rice",
                "quantity": 4,
                "unit": "袋",
                "site": "warehouse-central",
                "recipient_class": "family",
                "recipient": "holder-0001",
                "project": "relief-2021",
                "lot": "A1",
            },
            {"recipient_name": "示例领取人", "contact": "示例联系方式"},
        ),
        Told(
            "points.issued",
            {
                "holder": "holder-0001",
                "rule": "points-for-money",
                "rule_version": 1,
                "source": 12,
            },
            {"holder_name": "示例积分持有人"},
        ),
        Told(
            "points.redeemed",
            {
                "holder": "holder-0001",
                "shop": "shop-1",
                "item": "rice",
                "quantity": 2,
                "unit": "袋",
                "points": 120,
                "price_rule": "price-rice",
                "price_rule_version": 1,
            },
            {"holder_name": "示例积分持有人"},
            recorded_by="shop-keeper-1",
        ),
        Told(
            "entry.reversed",
            {"entry": 16, "reason": "重复登记，予以冲正"},
            approved_by="approver-1",
        ),
    )
]


def _gift(number: int, amount_fen: int) -> Told:
    return Told(
        "donation.money",
        {"fund": "relief", "amount_fen": amount_fen, "channel": "wechat"},
        {
            "donor_name": f"示例捐赠人{number}",
            "contact": f"示例联系方式{number}",
            "order_number": f"EXAMPLE-{number:04d}",
        },
    )


# Eleven requests after log.opened; the last three are one batch.
SMALL: Sequence[Sequence[Told]] = [
    [
        Told(
            "fund.opened",
            {
                "code": "relief",
                "name": "防疫专项资金",
                "fund_class": "restricted",
                "purposes": ["epidemic-relief"],
            },
            recorded_by="registrar-1",
        )
    ],
    [
        Told(
            "party.registered",
            {"code": "supplier-goods", "party_class": "supplier", "name": "示例物资供应商"},
            recorded_by="registrar-1",
        )
    ],
    [
        Told(
            "item.registered",
            {"code": "relief-pack", "name": "防疫物资", "unit": "件"},
            recorded_by="registrar-1",
        )
    ],
    [
        Told(
            "site.registered",
            {"code": "warehouse-central", "name": "中心物资仓", "site_class": "warehouse"},
            recorded_by="registrar-1",
        )
    ],
    [_gift(1, 10_000)],
    [_gift(2, 20_000)],
    [
        Told(
            "purchase.made",
            {
                "fund": "relief",
                "purpose": "epidemic-relief",
                "supplier": "supplier-goods",
                "site": "warehouse-central",
                "lines": [{"item": "relief-pack", "quantity": 7, "cost_fen": 12_000}],
            },
            approved_by="approver-1",
        )
    ],
    [
        Told(
            "goods.distributed",
            {
                "item": "relief-pack",
                "quantity": 3,
                "site": "warehouse-central",
                "recipient_class": "front-line-worker",
            },
        )
    ],
    [_gift(3, 500), _gift(4, 1_000), _gift(5, 6_600)],
]
