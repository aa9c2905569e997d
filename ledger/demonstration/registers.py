"""What the year's records refer to: parties, funds, projects, campaigns, items, sites, rules."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from ledger.demonstration.teller import Teller

RULES = "starting_rules.json"
"""The starting set of rules, shipped as data; a federation's counsel confirms it."""


def tell_registers(teller: Teller) -> None:
    """Parties, funds, projects, campaigns, items, sites and rules."""
    day = "2021-01-06"
    for code, party_class, name in (
        ("supplier-goods", "supplier", "示例物资供应商"),
        ("tencent-platform", "platform", "腾讯公益平台"),
        ("yingtaogou-community", "organisation", "郑州樱桃沟社区"),
        ("longfeng-station", "organisation", "龙凤公益站"),
        ("luocheng-station", "organisation", "罗城公益站"),
    ):
        teller.tell(
            "party.registered", day, {"code": code, "party_class": party_class, "name": name}
        )
    for number in range(2, 6):
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
        ("gathering-days", "聚善日资金", "community-charity"),
        ("micro-projects", "微慈善项目库资金", "community-charity"),
        *(
            (f"community-{one:02d}", f"第{one}社区基金", "community-charity")
            for one in range(1, 11)
        ),
    ):
        opened: dict[str, Any] = {"code": code, "name": name}
        opened |= {"fund_class": "restricted", "purposes": [purpose]}
        if code == "giving-day":
            opened["fee_clause"] = "募捐方案载明：管理费不超过所募款项的百分之十。"
        teller.tell("fund.opened", day, opened)
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
        ("gathering-days-2021", "聚善日", "gathering-days", "community-charity", 16_000_000),
        ("pilot-2021", "助老试点", "general", "elderly-care", 10_000),
        *(
            (
                f"community-{one:02d}-2021",
                f"第{one}社区年度活动",
                f"community-{one:02d}",
                "community-charity",
                6_600_000,
            )
            for one in range(1, 11)
        ),
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
    tell_rules(teller)


def tell_rules(teller: Teller) -> None:
    """The starting set, and the rules of this demonstration."""
    text = files("ledger.demonstration").joinpath(RULES).read_text("utf-8")
    for fields in json.loads(text):
        teller.tell("rule.published", fields["in_force_from"], fields)
