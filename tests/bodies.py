"""One whole request body for each record kind; all of them work in the small world.

`FULL` fills every field that a kind's models have, so that a test can walk over them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from scribe import FIRST_GIFT

GIFT = FIRST_GIFT
DOCUMENT = "ab" * 32

FULL: dict[str, dict[str, Any]] = {
    "party.registered": {
        "fields": {
            "code": "centre-2",
            "party_class": "organisation",
            "name": "示例服务中心",
            "registration_number": "示例信用代码 1",
        },
        "sealed": {"person_name": "示例联系人", "contact": "示例联系方式"},
    },
    "fund.opened": {
        "fields": {
            "code": "meals",
            "name": "午餐资金",
            "fund_class": "restricted",
            "purposes": ["school-meals", "student-aid"],
            "fee_clause": "不收取管理费",
        },
    },
    "project.opened": {
        "fields": {
            "code": "visits",
            "name": "冬日探访",
            "fund": "general",
            "purpose": "elderly-care",
            "target_fen": 1_000_000,
            "starts_on": "2022-01-01",
            "ends_on": "2022-03-31",
        },
    },
    "campaign.filed": {
        "fields": {
            "code": "winter-2022",
            "name": "暖冬行动",
            "filing_number": "示例备案编号-2",
            "fund": "general",
            "platform": "centre-1",
            "starts_on": "2022-01-01",
            "ends_on": "2022-01-31",
        },
    },
    "item.registered": {
        "fields": {
            "code": "blanket",
            "name": "毛毯",
            "unit": "条",
            "packs": [{"unit": "包", "factor": 10}],
            "aliases": ["棉毯", "毯子"],
            "perishable": False,
        },
    },
    "site.registered": {
        "fields": {
            "code": "north",
            "name": "北仓",
            "site_class": "warehouse",
            "address": "示例路 1 号",
        },
        "sealed": {"contact": "示例联系方式"},
    },
    "rule.published": {
        "fields": {
            "code": "points-for-goods",
            "version": 1,
            "name": "捐物积分",
            "text": "每次捐赠物资积 50 分。\n七天后可用。",
            "in_force_from": "2022-01-01",
            "topic": "points_issue",
            "points_issue": {
                "sources": ["donation.goods"],
                "points": 50,
                "per_fen": 100,
                "points_max": 5000,
                "wait_days": 7,
                "valid_days": 365,
            },
        },
    },
    "donation.money": {
        "fields": {
            "fund": "relief",
            "amount_fen": 5_000,
            "channel": "wechat",
            "project": "flood",
            "campaign": "flood-2021",
            "visibility": "named",
        },
        "sealed": {
            "donor_name": "示例捐赠人",
            "contact": "示例联系方式",
            "order_number": "ORDER-2",
            "exact_time": "2021-09-09 09:09:09",
            "message": "愿更多人受益",
        },
        "occurred_on": "2021-09-09",
    },
    "donation.refunded": {
        "fields": {"gift": GIFT, "amount_fen": 40_000, "reason": "捐赠人重复付款"},
        "sealed": {"account": "示例账户", "order_number": "REFUND-1"},
    },
    "money.allocated": {
        "fields": {
            "from_fund": "general",
            "to_fund": "relief",
            "to_project": "flood",
            "amount_fen": 30_000,
            "reason": "补充救灾资金",
            "basis": "理事会决议",
        },
    },
    "aid.paid": {
        "fields": {
            "fund": "general",
            "purpose": "medical-aid",
            "cost_class": "programme",
            "amount_fen": 20_000,
            "payee_class": "patient",
        },
        "sealed": {
            "payee_name": "示例受助人",
            "account": "示例账户",
            "diagnosis": "示例诊断",
            "school": "示例学校",
        },
    },
    "grant.paid": {
        "fields": {
            "fund": "general",
            "purpose": "community",
            "cost_class": "management",
            "amount_fen": 20_000,
            "payee": "centre-1",
        },
        "sealed": {"account": "示例账户"},
    },
    "purchase.made": {
        "fields": {
            "fund": "general",
            "purpose": "community",
            "cost_class": "fundraising",
            "supplier": "supplier-1",
            "site": "depot",
            "lines": [
                {
                    "item": "rice",
                    "quantity": 2,
                    "unit": "箱",
                    "cost_fen": 8_000,
                    "lot": "L2",
                    "made_on": "2021-12-01",
                    "best_before": "2022-12-01",
                },
                {"item": "rice", "quantity": 3, "cost_fen": 1_000},
            ],
        },
        "sealed": {"account": "示例账户", "invoice_number": "示例发票 1"},
    },
    "donation.goods": {
        "fields": {
            "item": "milk",
            "quantity": 12,
            "unit": "盒",
            "site": "depot",
            "lot": "M1",
            "made_on": "2021-12-20",
            "best_before": "2022-02-20",
            "condition": "good",
            "valuation": {"amount_fen": 3_600, "basis": "fair_value", "appraiser": "示例评估所"},
            "project": "flood",
            "inspected_by": "inspector-1",
        },
        "sealed": {"donor_name": "示例捐赠人", "contact": "示例联系方式", "message": "加油"},
    },
    "goods.moved": {
        "fields": {
            "shipment": "trip-1",
            "item": "rice",
            "quantity": 2,
            "unit": "箱",
            "from_site": "depot",
            "to_site": "shop",
            "lot": "L1",
            "carrier": "carrier-1",
        },
    },
    "goods.received": {
        "fields": {"shipment": "trip-0", "quantity": 1, "unit": "箱", "site": "shop"},
    },
    "goods.distributed": {
        "fields": {
            "item": "rice",
            "quantity": 3,
            "unit": "袋",
            "site": "depot",
            "recipient_class": "family",
            "recipient": "centre-1",
            "project": "flood",
            "lot": "L1",
        },
        "sealed": {"recipient_name": "示例领取人", "contact": "示例联系方式"},
    },
    "points.issued": {
        "fields": {
            "holder": "holder-1",
            "rule": "points-for-money",
            "rule_version": 1,
            "source": GIFT + 4,
        },
        "sealed": {"holder_name": "示例持有人"},
    },
    "points.redeemed": {
        "fields": {
            "holder": "holder-1",
            "shop": "shop",
            "item": "rice",
            "quantity": 2,
            "unit": "袋",
            "points": 120,
            "price_rule": "price-rice",
            "price_rule_version": 1,
        },
        "sealed": {"holder_name": "示例持有人"},
    },
    "entry.reversed": {"fields": {"entry": GIFT, "reason": "重复登记"}},
}

BEFORE: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "goods.received": [
        (
            "goods.moved",
            {
                "shipment": "trip-0",
                "item": "rice",
                "quantity": 1,
                "unit": "箱",
                "from_site": "depot",
                "to_site": "shop",
            },
        )
    ],
    "points.issued": [
        ("donation.money", {"fund": "general", "channel": "bank", "amount_fen": 1_000}),
        ("donation.money", {"fund": "general", "channel": "bank", "amount_fen": 2_050}),
    ],
    "points.redeemed": [
        (
            "goods.moved",
            {
                "shipment": "trip-0",
                "item": "rice",
                "quantity": 4,
                "from_site": "depot",
                "to_site": "shop",
            },
        ),
        ("goods.received", {"shipment": "trip-0", "quantity": 4, "site": "shop"}),
    ],
}
"""What must be recorded first, for the bodies that do not work at once."""


def full(kind: str, **changes: Any) -> dict[str, Any]:
    """The fields of a kind's full body with changes; None takes a field out."""
    fields = {**deepcopy(FULL[kind]["fields"]), **changes}
    return {name: value for name, value in fields.items() if value is not None}
