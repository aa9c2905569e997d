"""One whole request body for each record kind; all of them work in the small world.

`FULL` fills every field that a kind's models have, so that a test can walk over them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from log_keys import key_id, key_text
from scribe import FIRST_GIFT, ORIGIN

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
            "project_class": "micro",
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
            "requested_on": "2022-01-11",
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
    "entry.reversed": {"fields": {"entry": GIFT + 1, "reason": "重复登记"}},
    "balance.opened": {
        "fields": {
            "as_of": "2022-01-01",
            "basis": "上年度审计报告",
            "fund": {
                "fund": "relief",
                "amount_fen": 90_000,
                "earmarked": [{"project": "flood", "amount_fen": 20_000}],
            },
        },
    },
    "donation.matched": {
        "fields": {
            "rule": "match",
            "rule_version": 1,
            "matcher": "centre-1",
            "gifts": [GIFT],
            "amount_fen": 30_000,
            "channel": "bank",
        },
        "sealed": {
            "order_number": "MATCH-1",
            "contact": "示例联系方式",
            "account": "示例账户",
        },
    },
    "fee.charged": {
        "fields": {
            "from_fund": "club",
            "from_project": "club-days",
            "to_fund": "general",
            "amount_fen": 1_000,
            "rule": "fee-cap",
            "rule_version": 1,
            "reason": "按约定提取",
        },
    },
    "purpose.changed": {
        "fields": {
            "from_fund": "relief",
            "from_project": "flood",
            "to_fund": "school",
            "to_project": "books",
            "amount_fen": 4_000,
            "basis": "filing",
            "filing_number": "示例备案变更-1",
            "reason": "灾情结束",
        },
    },
    "leftover.assigned": {
        "fields": {
            "project": "flood",
            "from_fund": "relief",
            "to_fund": "relief",
            "to_project": "clinic",
            "amount_fen": 5_000,
            "basis": "募捐方案约定",
        },
    },
    "goods.repacked": {
        "fields": {
            "site": "depot",
            "inputs": [{"item": "rice", "quantity": 2, "unit": "箱", "lot": "L1"}],
            "item": "kit",
            "quantity": 5,
            "unit": "个",
            "lot": "K1",
            "made_on": "2022-01-10",
            "best_before": "2022-06-01",
            "reason": "组装慰问包",
        },
    },
    "goods.counted": {
        "fields": {
            "site": "depot",
            "item": "rice",
            "counted": 23,
            "lot": "L3",
            "made_on": "2021-12-01",
            "best_before": "2022-12-01",
            "reason": "盘盈三袋",
        },
    },
    "goods.written_off": {
        "fields": {
            "site": "depot",
            "item": "rice",
            "quantity": 2,
            "unit": "袋",
            "lot": "L1",
            "cause": "spoiled",
            "reason": "受潮",
        },
    },
    "goods.sold": {
        "fields": {
            "site": "depot",
            "item": "rice",
            "quantity": 2,
            "unit": "箱",
            "lot": "L1",
            "fund": "relief",
            "project": "flood",
            "amount_fen": 6_000,
            "reason": "临期变卖",
        },
        "sealed": {"buyer_name": "示例买方", "account": "示例账户"},
    },
    "points.expired": {"fields": {"holder": "holder-2"}},
    "points.reversed": {"fields": {"issue": GIFT + 2, "reason": "活动取消"}},
    "service.recorded": {
        "fields": {
            "volunteer": "holder-1",
            "organiser": "centre-1",
            "activity": "陪伴",
            "place": "社区中心",
            "starts_at": "09:00",
            "ends_at": "11:30",
        },
        "sealed": {"volunteer_name": "示例志愿者", "person_helped": "示例受助人"},
    },
    "service.confirmed": {
        "fields": {"service": GIFT + 3, "confirmed_by": "centre-1"},
    },
    "hours.spent": {
        "fields": {
            "holder": "holder-1",
            "minutes": 60,
            "activity": "陪诊",
            "reason": "曾服务他人",
        },
        "sealed": {"person_helped": "示例受助人"},
    },
    "wish.posted": {
        "fields": {
            "code": "wish-2",
            "wish_class": "schoolbag",
            "age_band": "6-11",
            "value_fen": 10_000,
        },
        "sealed": {
            "child_name": "示例儿童",
            "guardian": "示例监护人",
            "school": "示例学校",
            "contact": "示例联系方式",
        },
    },
    "wish.claimed": {"fields": {"wish": "wish-1", "claimant": "holder-1"}},
    "wish.fulfilled": {"fields": {"wish": "wish-1", "gift": GIFT}},
    "wish.withdrawn": {
        "fields": {"wish": "wish-1", "withdrawn": "claim", "reason": "认领人放弃"},
    },
    "receipt.bound": {
        "fields": {
            "receipt_code": "44060122",
            "receipt_number": "0000000001",
            "check_code": "a1b2c3",
            "issued_on": "2022-01-09",
            "amount_fen": 100_000,
            "gifts": [GIFT],
        },
        "sealed": {"payer_name": "示例捐赠人", "tax_number": "示例税号"},
    },
    "receipt.voided": {
        "fields": {
            "receipt_code": "44060122",
            "receipt_number": "0000000001",
            "form": "red",
            "reason": "抬头有误",
        },
    },
    "receipt.reissued": {
        "fields": {
            "receipt_code": "44060122",
            "receipt_number": "0000000002",
            "check_code": "d4e5f6",
            "issued_on": "2022-01-10",
            "amount_fen": 100_000,
            "gifts": [GIFT],
            "replaces_code": "44060122",
            "replaces_number": "0000000001",
        },
        "sealed": {"payer_name": "示例捐赠人", "tax_number": "示例税号"},
    },
    "project.reported": {
        "fields": {
            "project": "flood",
            "milestone": "年度总结",
            "text": "物资已发放。\n其余待发。",
            "period_from": "2021-01-01",
            "period_to": "2021-12-31",
            "people_reached": 120,
            "activities": 3,
            "organisations": 2,
            "volunteers": 15,
        },
    },
    "project.closed": {"fields": {"project": "flood", "summary": "项目结项"}},
    "entry.annotated": {
        "fields": {
            "entry": GIFT,
            "field": "channel",
            "correct": "wechat",
            "reason": "渠道登记有误",
        },
    },
    "entry.replaced": {
        "fields": {"entry": GIFT + 1, "by": GIFT + 4, "reason": "按实际数量重新登记"},
    },
    "document.attached": {
        "fields": {
            "sha256": DOCUMENT,
            "media_type": "application/pdf",
            "size_bytes": 48_213,
            "shows": "捐赠协议",
            "about": [GIFT, GIFT + 1],
            "notice_of": GIFT + 3,
            "discloses": "annual_report",
            "year": 2021,
        },
        "sealed": {"file_name": "示例协议.pdf"},
    },
    "statement.imported": {
        "fields": {
            "account_alias": "bank-main",
            "period_from": "2021-08-01",
            "period_to": "2021-08-31",
            "opening_fen": 5_000,
            "closing_fen": 104_000,
            "credits": 2,
            "credits_fen": 100_100,
            "debits": 1,
            "debits_fen": 1_100,
            "lines_sha256": DOCUMENT,
        },
        "sealed": {"lines": "2021-08-01 示例流水\n2021-08-02 示例流水"},
    },
    "statement.matched": {
        "fields": {
            "statement": GIFT + 3,
            "lines": [{"line": 1, "amount_fen": 60_000}, {"line": 2, "amount_fen": 40_100}],
            "gifts": [GIFT],
            "difference_fen": 100,
            "reason": "银行利息",
        },
    },
    "balance.asserted": {
        "fields": {
            "account_alias": "bank-main",
            "as_of": "2022-01-09",
            "funds": ["general", "relief"],
            "bank_fen": 99_900,
            "difference_fen": -100,
            "reason": "银行手续费",
        },
    },
    "privacy.erased": {"fields": {"entries": [GIFT], "legal_basis": "个人撤回同意"}},
    "entry.hidden": {"fields": {"entries": [GIFT], "legal_basis": "当事人申请屏蔽"}},
    "attention.disposed": {
        "fields": {
            "flag": "restricted_unspent",
            "entries": [GIFT],
            "entries_total": 51,
            "decision": "in_order",
            "reason": "按协议分期拨付，已核对",
        },
    },
    "key.added": {
        "fields": {
            "verifier_key": key_text(2, ORIGIN),
            "algorithm": "ed25519",
            "reason": "年度轮换",
        },
    },
    "key.revoked": {
        "fields": {"key_id": key_id(3, ORIGIN), "reason": "superseded", "note": "轮换完成"},
    },
}


def full(kind: str, **changes: Any) -> dict[str, Any]:
    """The fields of a kind's full body with changes; None takes a field out."""
    fields = {**deepcopy(FULL[kind]["fields"]), **changes}
    return {name: value for name, value in fields.items() if value is not None}
