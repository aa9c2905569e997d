"""What the second golden log records: the kinds that came after the first twenty.

Made-up requests, fixed for ever (see generate_golden). A new kind is added at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from golden_records import DAY, Told, document

APPROVER = "approver-1"
GIFT, GOODS, ISSUE, SERVICE, REPORT, PAPER, STATEMENT = 21, 22, 23, 38, 50, 54, 55
"""The places of the entries that others are about."""
LATER_KEY = "shanji.example/golden-kinds-2+321869d6+AexyfZgzyWlqGGUDWQMCQM2Du/yo3eiA+wPHdcdwco26"
"""A verifier key that this log takes and gives up; no private part of it is needed."""


def rule(code: str, topic: str, **terms: Any) -> Told:
    """Version 1 of a rule, in force from the start of the year."""
    fields = {"code": code, "version": 1, "name": "示例规则", "text": "示例规则全文。"}
    published = {**fields, "in_force_from": "2021-01-01", "topic": topic, topic: terms}
    return Told("rule.published", published, recorded_by="registrar-1")


def registered(kind: str, **fields: Any) -> Told:
    return Told(kind, fields, recorded_by="registrar-1")


def approved(
    kind: str,
    fields: Mapping[str, Any],
    sealed: Mapping[str, Any] | None = None,
    *,
    documents: Sequence[str] = (),
    recorded_by: str = "clerk-1",
) -> Told:
    return Told(kind, fields, sealed, documents, recorded_by, APPROVER)


# 1 to 20: what the others refer to, and a rule of every topic that has one here.
REGISTERS: Sequence[Told] = (
    registered(
        "party.registered", code="centre-1", party_class="organisation", name="示例服务中心"
    ),
    registered("party.registered", code="person-1", party_class="person"),
    registered("fund.opened", code="general", name="非限定性资金", fund_class="unrestricted"),
    registered(
        "fund.opened",
        code="relief",
        name="救灾资金",
        fund_class="restricted",
        purposes=["relief"],
        fee_clause="不超过百分之十",
    ),
    registered(
        "project.opened",
        code="relief-1",
        name="一期",
        fund="relief",
        purpose="relief",
        project_class="micro",
        starts_on="2021-01-01",
    ),
    registered(
        "project.opened",
        code="relief-2",
        name="二期",
        fund="relief",
        purpose="relief",
        starts_on="2021-01-01",
    ),
    registered(
        "campaign.filed",
        code="drive",
        name="示例募捐",
        filing_number="示例备案编号-1",
        fund="relief",
        starts_on="2021-01-01",
        ends_on="2021-12-31",
    ),
    registered("item.registered", code="rice", name="大米", unit="袋"),
    registered("item.registered", code="kit", name="慰问包", unit="个"),
    registered("site.registered", code="depot", name="中心仓", site_class="warehouse"),
    registered("site.registered", code="branch", name="分仓", site_class="warehouse"),
    rule(
        "match", "matching", numerator=1, denominator=2, per_gift_fen_max=30_000, campaign="drive"
    ),
    rule("fee-cap", "fee_cap", basis_points_max=1000),
    rule("fresh", "shelf_life", days_min=15, items=["rice"]),
    rule("daily", "time_bank", minutes_per_day_max=480),
    rule("progress", "disclosure", subject="project_progress", every_days=90),
    rule("leftovers", "disclosure", subject="leftover_handling", within_days=90),
    rule("annual", "disclosure", subject="annual_report", by_day="05-31"),
    rule("unspent", "ageing", subject="unspent_restricted", days=180),
    rule(
        "points",
        "points_issue",
        sources=["donation.money", "service.confirmed"],
        points=10,
        wait_days=0,
    ),
)

LATER: Sequence[Told] = (
    Told(
        "donation.money",
        {
            "fund": "relief",
            "amount_fen": 100_000,
            "channel": "bank",
            "project": "relief-1",
            "campaign": "drive",
        },
    ),
    Told(
        "donation.goods",
        {
            "item": "rice",
            "quantity": 20,
            "site": "depot",
            "lot": "L1",
            "best_before": "2022-03-01",
            "valuation": {"amount_fen": 80_000, "basis": "voucher"},
        },
    ),
    Told(
        "points.issued",
        {"holder": "person-1", "rule": "points", "rule_version": 1, "source": GIFT},
    ),
    approved(
        "balance.opened",
        {
            "as_of": "2020-12-31",
            "basis": "上年度审计报告",
            "fund": {
                "fund": "general",
                "amount_fen": 50_000,
                "earmarked": [],
            },
        },
    ),
    approved(
        "balance.opened",
        {
            "as_of": "2020-12-31",
            "basis": "上年度盘点表",
            "stock": {
                "site": "depot",
                "item": "kit",
                "lots": [
                    {"quantity": 2, "lot": "K0", "best_before": "2021-12-31"},
                    {"quantity": 1, "unit": "个", "made_on": "2020-06-01"},
                ],
            },
        },
    ),
    approved(
        "balance.opened",
        {
            "as_of": "2020-12-31",
            "basis": "旧系统",
            "points": {"holder": "centre-1", "points": 30, "expires_on": "2021-05-31"},
        },
    ),
    Told(
        "donation.matched",
        {
            "rule": "match",
            "rule_version": 1,
            "matcher": "centre-1",
            "gifts": [GIFT],
            "amount_fen": 30_000,
            "channel": "bank",
        },
        {"order_number": "EXAMPLE-MATCH-1", "contact": "示例联系方式", "account": "示例账户"},
    ),
    approved(
        "fee.charged",
        {
            "from_fund": "relief",
            "from_project": "relief-1",
            "to_fund": "general",
            "amount_fen": 13_000,
            "rule": "fee-cap",
            "rule_version": 1,
            "reason": "按约定提取",
        },
    ),
    approved(
        "purpose.changed",
        {
            "from_fund": "relief",
            "from_project": "relief-1",
            "to_fund": "relief",
            "to_project": "relief-2",
            "amount_fen": 7_000,
            "basis": "filing",
            "filing_number": "示例备案变更-1",
            "reason": "一期结束",
        },
        documents=[document("change of plan")],
    ),
    Told(
        "goods.repacked",
        {
            "site": "depot",
            "inputs": [{"item": "rice", "quantity": 4, "unit": "袋", "lot": "L1"}],
            "item": "kit",
            "quantity": 2,
            "unit": "个",
            "lot": "K1",
            "made_on": "2021-06-01",
            "best_before": "2022-02-28",
            "reason": "组装慰问包",
        },
        recorded_by="warehouse-1",
    ),
    approved(
        "goods.counted",
        {
            "site": "depot",
            "item": "rice",
            "counted": 17,
            "lot": "L2",
            "made_on": "2021-05-01",
            "best_before": "2022-04-30",
            "reason": "盘盈一袋",
        },
        recorded_by="warehouse-1",
    ),
    approved(
        "goods.written_off",
        {
            "site": "depot",
            "item": "rice",
            "quantity": 1,
            "unit": "袋",
            "lot": "L1",
            "cause": "damaged",
            "reason": "受潮",
        },
        recorded_by="warehouse-1",
    ),
    Told(
        "goods.moved",
        {
            "shipment": "trip-1",
            "item": "rice",
            "quantity": 1,
            "from_site": "depot",
            "to_site": "branch",
        },
        recorded_by="warehouse-1",
    ),
    approved(
        "goods.written_off",
        {
            "shipment": "trip-1",
            "item": "rice",
            "quantity": 1,
            "cause": "lost",
            "reason": "途中遗失",
        },
        recorded_by="warehouse-1",
    ),
    approved(
        "goods.sold",
        {
            "site": "depot",
            "item": "rice",
            "quantity": 2,
            "unit": "袋",
            "lot": "L1",
            "fund": "relief",
            "project": "relief-1",
            "amount_fen": 6_000,
            "reason": "临期变卖",
        },
        {"buyer_name": "示例买方", "account": "示例账户"},
        recorded_by="warehouse-1",
    ),
    Told("points.expired", {"holder": "centre-1"}),
    approved("points.reversed", {"issue": ISSUE, "reason": "活动取消"}),
    Told(
        "service.recorded",
        {
            "volunteer": "person-1",
            "organiser": "centre-1",
            "activity": "陪伴",
            "place": "社区中心",
            "starts_at": "09:00",
            "ends_at": "11:30",
        },
        {"volunteer_name": "示例志愿者", "person_helped": "示例受助人"},
    ),
    Told(
        "service.confirmed",
        {"service": SERVICE, "confirmed_by": "centre-1"},
        recorded_by="shop-keeper-1",
    ),
    Told(
        "hours.spent",
        {"holder": "person-1", "minutes": 60, "activity": "陪诊", "reason": "曾服务他人"},
        {"person_helped": "示例受助人"},
    ),
    Told(
        "wish.posted",
        {
            "code": "wish-1",
            "wish_class": "schoolbag",
            "age_band": "6-11",
            "value_fen": 10_000,
        },
        {
            "child_name": "示例儿童",
            "guardian": "示例监护人",
            "school": "示例学校",
            "contact": "示例联系方式",
        },
    ),
    Told("wish.claimed", {"wish": "wish-1", "claimant": "person-1"}),
    Told("wish.fulfilled", {"wish": "wish-1", "gift": GIFT}),
    *(
        Told("wish.withdrawn", {"wish": "wish-1", "withdrawn": what, "reason": "登记有误"})
        for what in ("fulfilment", "claim", "wish")
    ),
    Told(
        "receipt.bound",
        {
            "receipt_code": "44060121",
            "receipt_number": "0000000001",
            "check_code": "a1b2c3",
            "issued_on": DAY,
            "amount_fen": 180_000,
            "gifts": [GIFT, GOODS],
        },
        {"payer_name": "示例捐赠人", "tax_number": "示例税号"},
    ),
    Told(
        "receipt.voided",
        {
            "receipt_code": "44060121",
            "receipt_number": "0000000001",
            "form": "red",
            "reason": "抬头有误",
        },
    ),
    Told(
        "receipt.reissued",
        {
            "receipt_code": "44060121",
            "receipt_number": "0000000002",
            "check_code": "d4e5f6",
            "issued_on": DAY,
            "amount_fen": 180_000,
            "gifts": [GIFT, GOODS],
            "replaces_code": "44060121",
            "replaces_number": "0000000001",
        },
        {"payer_name": "示例捐赠人", "tax_number": "示例税号"},
    ),
    Told(
        "project.reported",
        {
            "project": "relief-1",
            "milestone": "一期总结",
            "text": "物资已发放。\n其余待发。",
            "period_from": "2021-01-01",
            "period_to": "2021-05-31",
            "people_reached": 120,
            "activities": 3,
            "organisations": 2,
            "volunteers": 15,
        },
    ),
    approved(
        "project.closed",
        {"project": "relief-1", "summary": "一期结项"},
        recorded_by="registrar-1",
    ),
    approved(
        "leftover.assigned",
        {
            "project": "relief-1",
            "from_fund": "relief",
            "to_fund": "relief",
            "to_project": "relief-2",
            "amount_fen": 5_000,
            "basis": "募捐方案约定",
        },
    ),
    approved(
        "entry.annotated",
        {"entry": GIFT, "field": "channel", "correct": "wechat", "reason": "渠道登记有误"},
    ),
    Told(
        "document.attached",
        {
            "sha256": document("agreement"),
            "media_type": "application/pdf",
            "size_bytes": 48_213,
            "shows": "捐赠协议",
            "about": [GIFT],
        },
        {"file_name": "示例协议.pdf"},
    ),
    Told(
        "statement.imported",
        {
            "account_alias": "bank-main",
            "period_from": "2021-05-01",
            "period_to": "2021-05-31",
            "opening_fen": -5_000,
            "closing_fen": 94_000,
            "credits": 2,
            "credits_fen": 100_100,
            "debits": 1,
            "debits_fen": 1_100,
            "lines_sha256": document("statement"),
        },
        {"lines": "2021-05-01 示例流水\n2021-05-02 示例流水"},
    ),
    Told(
        "statement.matched",
        {
            "statement": STATEMENT,
            "lines": [{"line": 1, "amount_fen": 60_000}, {"line": 2, "amount_fen": 40_100}],
            "gifts": [GIFT],
            "difference_fen": 100,
            "reason": "银行利息",
        },
    ),
    Told(
        "balance.asserted",
        {
            "account_alias": "bank-main",
            "as_of": DAY,
            "funds": ["general"],
            "bank_fen": 62_900,
            "difference_fen": -100,
            "reason": "银行手续费",
        },
    ),
    approved("entry.hidden", {"entries": [REPORT], "legal_basis": "当事人申请屏蔽"}),
    approved("privacy.erased", {"entries": [PAPER], "legal_basis": "个人撤回同意"}),
    Told(
        "attention.disposed",
        {
            "flag": "hand_over_differs",
            "entries": [33, 34],
            "decision": "in_order",
            "reason": "已核对运单",
        },
        recorded_by="auditor-1",
    ),
)

WRONG = 1 + len(REGISTERS) + len(LATER)
RIGHT = WRONG + 2
REPLACED: Sequence[Told] = (
    Told("donation.money", {"fund": "general", "amount_fen": 70_000, "channel": "cash"}),
    approved("entry.reversed", {"entry": WRONG, "reason": "金额录入有误"}),
    Told("donation.money", {"fund": "general", "amount_fen": 7_000, "channel": "cash"}),
    approved("entry.replaced", {"entry": WRONG, "by": RIGHT, "reason": "按实际金额重新登记"}),
    Told(
        "document.attached",
        {
            "sha256": document("notice"),
            "media_type": "application/pdf",
            "size_bytes": 9_731,
            "shows": "更正说明",
            "about": [WRONG],
            "notice_of": WRONG + 1,
        },
    ),
    Told("donation.goods", {"item": "rice", "quantity": 5, "site": "depot", "lot": "L9"}),
    Told(
        "goods.distributed",
        {
            "item": "rice",
            "quantity": 5,
            "site": "depot",
            "recipient_class": "organisation",
            "lot": "L9",
            "requested_on": "2021-12-31",
        },
    ),
)

END = WRONG + len(REPLACED)


def told_at(kind: str) -> int:
    """The place of the first later record of a kind."""
    return 1 + len(REGISTERS) + [one.kind for one in LATER].index(kind)


# What came with the undoing of records that moved nothing, and more topics of rules.
UNDOING: Sequence[Told] = (
    Told(
        "service.recorded",
        {
            "volunteer": "person-1",
            "organiser": "centre-1",
            "activity": "陪伴",
            "starts_at": "19:00",
            "ends_at": "20:00",
        },
    ),
    approved("entry.reversed", {"entry": END, "reason": "登记错人"}),
    approved("entry.reversed", {"entry": told_at("statement.matched"), "reason": "匹配有误"}),
    approved(
        "donation.refunded",
        {"gift": told_at("donation.matched"), "amount_fen": 1_000, "reason": "捐赠退款后退回配捐"},
    ),
    rule("late", "ageing", subject="service_recorded_late", days=30),
    rule("repeats", "pattern", subject="refunds_of_holder", count_min=3),
    rule("groups", "statistics", group_min=5),
    rule("long", "disclosure", subject="project_progress", longer_than_days=183, every_days=92),
)

KEYS: Sequence[Told] = (
    approved(
        "key.added",
        {
            "verifier_key": LATER_KEY,
            "algorithm": "ed25519",
            "reason": "年度轮换",
        },
        recorded_by="registrar-1",
    ),
    approved(
        "key.revoked",
        {
            "key_id": LATER_KEY.split("+")[1],
            "reason": "superseded",
            "note": "未启用，予以停用",
        },
        recorded_by="registrar-1",
    ),
)

DISCLOSED: Sequence[Told] = (
    rule("major", "disclosure", subject="major_change", within_days=30, amount_fen_min=1_000_000),
    Told(
        "document.attached",
        {
            "sha256": document("annual report"),
            "media_type": "application/pdf",
            "size_bytes": 1_204_731,
            "shows": "经审计的年度报告",
            "about": [0],
            "discloses": "annual_report",
            "year": 2020,
        },
    ),
    Told(
        "attention.disposed",
        {
            "flag": "restricted_unspent",
            "entries": [WRONG],
            "entries_total": 51,
            "decision": "in_order",
            "reason": "已核对",
        },
        recorded_by="auditor-1",
    ),
)

KINDS_2: Sequence[Sequence[Told]] = [
    [one] for one in (*REGISTERS, *LATER, *REPLACED, *UNDOING, *KEYS, *DISCLOSED)
]
