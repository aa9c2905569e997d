"""The year as people: rows 8, 10, 12 and 13 of the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.demonstration.teller import Teller, body_of, gifts

COMMUNITIES = 10
OPENING_FEN, RAISED_FEN, SPENT_FEN = 5_500_000, 1_100_000, 6_600_000
"""Of each of ten community funds: 550,000 + 110,000 = 660,000 yuan over all."""
ACTIVITIES = (2, 2, 2, 2, 2, 2, 1, 1, 1, 1)
PEOPLE_REACHED = 13_000

VOLUNTEERS = 155
HOURS = 5_500
DAY_HOURS = 7
DAYS = 5
"""155 volunteers on five days of seven hours, and one hour more for 75 of them."""


def tell_gathering_days(teller: Teller) -> None:
    """Row 8: 571 events, 70,000 people, 341 social organisations, 160,000 yuan raised."""
    gift = {"fund": "gathering-days", "project": "gathering-days-2021", "channel": "wechat"}
    teller.tell_many(gifts("2021-11-20", [100_000] * 160, "GATHER-20211120", gift))
    teller.tell(
        "project.reported",
        "2021-12-20",
        {
            "project": "gathering-days-2021",
            "milestone": "聚善日年度总结",
            "text": "全年举办聚善日活动 571 场，341 家社会组织参与。",
            "activities": 571,
            "people_reached": 70_000,
            "organisations": 341,
        },
    )


def tell_community_funds(teller: Teller) -> None:
    """Row 10: ten community funds that spend more in the year than they raise in it."""
    for number in range(1, COMMUNITIES + 1):
        fund, project = f"community-{number:02d}", f"community-{number:02d}-2021"
        opening: dict[str, Any] = {"as_of": "2020-12-31", "basis": "上年度审计报告"}
        opening |= {"fund": {"fund": fund, "amount_fen": OPENING_FEN}}
        teller.tell("balance.opened", "2021-01-07", opening)
        gift = {"fund": fund, "project": project, "channel": "bank"}
        prefix = f"COMMUNITY-{number:02d}-20210410"
        teller.tell_many(gifts("2021-04-10", [100_000] * 11, prefix, gift))
        paid: dict[str, Any] = {"fund": fund, "project": project, "purpose": "community-charity"}
        paid |= {"amount_fen": SPENT_FEN // 2, "payee": "community-centre"}
        for day in ("2021-06-30", "2021-11-30"):
            teller.tell("grant.paid", day, paid)
        teller.tell(
            "project.reported",
            "2021-12-15",
            {
                "project": project,
                "milestone": "年度总结",
                "text": "社区基金年度活动与资助情况公开。",
                "activities": ACTIVITIES[number - 1],
                "people_reached": PEOPLE_REACHED,
            },
        )


def tell_time_bank(teller: Teller) -> None:
    """Row 12: 155 volunteers, 5,500 hours, each confirmed by the organiser."""
    teller.tell_many(
        body_of(
            "party.registered",
            "2021-01-08",
            {"code": f"volunteer-{number:04d}", "party_class": "person"},
            {"person_name": f"示例志愿者{number:04d}"},
        )
        for number in range(1, VOLUNTEERS + 1)
    )
    services = teller.tell_many(_services())
    teller.tell_many(
        body_of(
            "service.confirmed",
            "2021-12-01",
            {"service": service, "confirmed_by": "community-centre"},
        )
        for service in services
    )


def _services() -> Iterator[dict[str, Any]]:
    organised = {"organiser": "community-centre", "activity": "残疾人家庭帮扶"}
    for day in range(1, DAYS + 1):
        for number in range(1, VOLUNTEERS + 1):
            times = {"volunteer": f"volunteer-{number:04d}", "starts_at": "09:00"}
            times["ends_at"] = f"{9 + DAY_HOURS:02d}:00"
            yield body_of("service.recorded", f"2021-05-{day:02d}", {**organised, **times})
    for number in range(1, HOURS - VOLUNTEERS * DAYS * DAY_HOURS + 1):
        times = {"volunteer": f"volunteer-{number:04d}", "starts_at": "09:00", "ends_at": "10:00"}
        yield body_of("service.recorded", "2021-05-06", {**organised, **times})


def tell_wishes(teller: Teller) -> None:
    """Row 13: the micro-project library and the children's micro wishes that come next."""
    for number, wish_class in enumerate(("schoolbag", "book", "outing", "shoes"), start=1):
        wish = {"code": f"wish-{number:04d}", "wish_class": wish_class, "age_band": "6-11"}
        sealed = {"child_name": f"示例儿童{number:04d}"}
        teller.tell("wish.posted", "2021-12-20", {**wish, "value_fen": 10_000}, sealed)
    for number in (2, 4):
        claim = {"wish": f"wish-{number:04d}", "claimant": "holder-0002"}
        teller.tell("wish.claimed", "2021-12-21", claim)
    gift = {"fund": "general", "channel": "wechat"}
    (index,) = teller.tell_many(gifts("2021-12-22", [10_000], "WISH-20211222", gift))
    teller.tell("wish.fulfilled", "2021-12-23", {"wish": "wish-0004", "gift": index})
    for number, name in enumerate(("楼道读书角", "银发数字课堂", "邻里互助厨房"), start=1):
        teller.tell(
            "project.opened",
            "2021-12-24",
            {
                "code": f"micro-{number:04d}",
                "name": name,
                "fund": "micro-projects",
                "purpose": "community-charity",
                "project_class": "micro",
                "target_fen": 500_000,
                "starts_on": "2022-01-01",
            },
        )


def tell_closed_project(teller: Teller) -> None:
    """A pilot that was closed with money left over."""
    gift = {"fund": "general", "project": "pilot-2021", "channel": "bank"}
    teller.tell_many(gifts("2021-03-01", [10_000], "PILOT-20210301", gift))
    closed = {"project": "pilot-2021", "summary": "试点结束，剩余资金待处理。"}
    teller.tell("project.closed", "2021-10-31", closed)


def tell_correction(teller: Teller) -> None:
    """A gift recorded with a zero too many: reversed, recorded anew, both linked."""
    gift = {"fund": "general", "channel": "cash"}
    wrong = teller.tell("donation.money", "2021-11-02", {**gift, "amount_fen": 100_000})
    reason = "金额录入有误，多录一个零"
    teller.tell("entry.reversed", "2021-11-03", {"entry": wrong, "reason": reason})
    right = teller.tell("donation.money", "2021-11-02", {**gift, "amount_fen": 10_000})
    fields = {"entry": wrong, "by": right, "reason": "按捐赠协议金额重新登记"}
    teller.tell("entry.replaced", "2021-11-03", fields)
    # For the example of the kind: reversed and recorded anew, not yet linked.
    wrong = teller.tell("donation.money", "2021-11-04", {**gift, "amount_fen": 20_000})
    fields = {"entry": wrong, "reason": "渠道登记有误"}
    teller.tell("entry.reversed", "2021-11-05", fields)
    anew = {"fund": "general", "channel": "bank", "amount_fen": 20_000}
    teller.tell("donation.money", "2021-11-04", anew)
