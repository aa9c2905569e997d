"""What asks for attention: each item by its entries, and what an auditor decided."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bodies import full
from prerequisites import SERVED
from scribe import FIRST_GIFT, Scribe, audited, tell_rules
from told import recorded, tell_before
from typer.testing import CliRunner

from ledger import cli
from ledger.attention import TITLES, Board, attend
from ledger.attention import item as items
from ledger.day import parse_day
from ledger.errors import MalformedError, RejectedError
from ledger.records.dispositions import FLAG_ENTRIES_MAX

RULES = (
    ("ageing", {"subject": "unspent_restricted", "days": 100}),
    ("ageing", {"subject": "in_transit", "days": 7}),
    ("ageing", {"subject": "short_dated", "days": 30}),
    ("ageing", {"subject": "points_expiring", "days": 30}),
    ("disclosure", {"subject": "project_progress", "every_days": 92}),
    ("disclosure", {"subject": "campaign_progress", "every_days": 92}),
    ("disclosure", {"subject": "leftover_handling", "within_days": 92}),
    ("ageing", {"subject": "service_recorded_late", "days": 30}),
    ("pattern", {"subject": "refunds_of_holder", "count_min": 3}),
    ("disclosure", {"subject": "emergency_use", "every_days": 5}),
    ("disclosure", {"subject": "annual_report", "by_day": "05-31"}),
    (
        "disclosure",
        {"subject": "major_change", "within_days": 30, "amount_fen_min": 5_000},
    ),
)


@pytest.fixture
def told(world: Scribe) -> Iterator[Scribe]:
    """The small world with the rules that say when something asks for attention."""
    tell_rules(world, RULES)
    yield world
    audited(world.book)


def board(scribe: Scribe, day: str = "2022-01-10") -> Board:
    with scribe.book.store.read() as reader:
        return attend(reader, day)


def found(scribe: Scribe, code: str, day: str = "2022-01-10") -> list[Any]:
    """The items of one code, as plain values."""
    return [one.as_json() for one in board(scribe, day).items if one.code == code]


def relief(scribe: Scribe, amount: int, day: str, **more: Any) -> int:
    fields = {"fund": "relief", "channel": "bank", "amount_fen": amount, **more}
    return scribe.tell("donation.money", fields, day=day)


def test_without_rules_nothing_is_overdue_or_old(world: Scribe) -> None:
    relief(world, 100, "2021-03-01")
    assert board(world).items == ()


def test_a_rule_counts_from_the_day_it_is_in_force(told: Scribe) -> None:
    relief(told, 100, "2021-01-10")
    assert found(told, "restricted_unspent", "2021-01-31") == []
    assert found(told, "restricted_unspent", "2021-04-21") != []


def test_a_project_is_to_be_reported(told: Scribe) -> None:
    codes = [one["details"]["project"] for one in found(told, "project_report_overdue")]
    assert codes == ["clinic", "flood"]
    # From 2021-01-01, 92 days: due on 2021-04-03, overdue the day after.
    assert found(told, "project_report_overdue", "2021-04-03") == []
    (_, item) = found(told, "project_report_overdue", "2021-04-04")
    assert item["details"] == {
        "project": "flood",
        "due_on": "2021-04-03",
        "days_overdue": 1,
        "rule": "rule-4",
        "rule_version": 1,
    }
    assert item["entries"] == [7]
    fields = {"project": "flood", "milestone": "进展", "text": "已发放"}
    report = told.tell("project.reported", fields, day="2021-12-01")
    assert [one["details"]["project"] for one in found(told, "project_report_overdue")] == [
        "clinic"
    ]
    (_, item) = found(told, "project_report_overdue", "2022-03-04")
    assert item["entries"] == [7, report]
    told.tell("project.closed", {"project": "clinic", "summary": "结项"})
    assert found(told, "project_report_overdue") == []


def test_the_rescue_phase_of_an_emergency_is_reported_every_few_days(told: Scribe) -> None:
    project = {"code": "quake", "name": "抗震", "fund": "relief", "purpose": "disaster-relief"}
    phase = {"project_class": "emergency", "starts_on": "2021-06-01", "ends_on": "2021-06-12"}
    opened = told.tell("project.opened", {**project, **phase}, day="2021-06-01")
    assert found(told, "emergency_use_overdue", "2021-06-06") == []
    (item,) = found(told, "emergency_use_overdue", "2021-06-07")
    assert (item["entries"], item["details"]["due_on"]) == ([opened], "2021-06-06")
    text = {"project": "quake", "milestone": "第一次公开", "text": "接收与使用"}
    told.tell("project.reported", text, day="2021-06-06")
    assert found(told, "emergency_use_overdue", "2021-06-11") == []
    assert found(told, "emergency_use_overdue", "2021-06-12") != []
    told.tell("project.reported", text, day="2021-06-10")
    assert found(told, "emergency_use_overdue") == []


def test_an_annual_report_is_due_by_its_day(told: Scribe) -> None:
    # The rule is in force since 2021: that year's report is the first.
    assert found(told, "annual_report_overdue", "2022-05-31") == []
    (item,) = found(told, "annual_report_overdue", "2022-06-01")
    assert (item["details"]["year"], item["details"]["due_on"]) == ("2021", "2022-05-31")
    assert len(found(told, "annual_report_overdue", "2023-06-01")) == 2
    told.tell("document.attached", full("document.attached", about=[0], notice_of=None))
    (item,) = found(told, "annual_report_overdue", "2023-06-01")
    assert item["details"]["year"] == "2022"


def test_a_major_change_is_disclosed_within_its_days(told: Scribe) -> None:
    relief(told, 30_000, "2021-07-01")
    paid = {"fund": "relief", "purpose": "disaster-relief", "payee": "centre-1"}
    told.tell("grant.paid", {**paid, "amount_fen": 4_999}, day="2021-11-01")
    undone = told.tell("grant.paid", {**paid, "amount_fen": 5_000}, day="2021-11-01")
    major = told.tell("grant.paid", {**paid, "amount_fen": 5_001}, day="2021-11-02")
    changed = full("purpose.changed", from_fund="relief", to_fund="general", amount_fen=6_000)
    changed = {name: changed[name] for name in changed if not name.endswith("_project")}
    second = told.tell("purpose.changed", changed, day="2021-11-03", documents=["0" * 64])
    told.tell("entry.reversed", {"entry": undone, "reason": "重复付款"})
    assert found(told, "major_change_undisclosed", "2021-12-02") == []
    items = found(told, "major_change_undisclosed")
    assert [one["entries"] for one in items] == [[major], [second]]
    assert items[0]["details"]["amount_fen"] == 5_001
    assert items[0]["details"]["due_on"] == "2021-12-02"
    about = {"about": [major, second], "discloses": "major_change", "year": None}
    told.tell("document.attached", full("document.attached", **about, notice_of=None))
    assert found(told, "major_change_undisclosed") == []


def test_goods_handed_out_past_their_date_are_shown(told: Scribe) -> None:
    given = {"item": "rice", "site": "depot"}
    lot = {"quantity": 5, "best_before": "2021-08-31", "lot": "OLD"}
    told.tell("donation.goods", {**given, **lot}, day="2021-02-01")
    handed = {**given, "lot": "OLD", "quantity": 2, "recipient_class": "family"}
    told.tell("goods.distributed", handed, day="2021-08-31")
    late = told.tell("goods.distributed", handed, day="2021-09-01")
    (item,) = found(told, "expired_handed_out")
    assert item["entries"] == [late]
    assert item["details"] == {"site": "depot", "item": "rice", "quantity": 2}
    told.tell("entry.reversed", {"entry": late, "reason": "登记错批次"})
    assert found(told, "expired_handed_out") == []


def test_a_campaign_is_to_be_disclosed(told: Scribe) -> None:
    # It ran from 2021-07-01: due on 2021-10-01.
    assert found(told, "campaign_disclosure_overdue", "2021-10-01") == []
    (item,) = found(told, "campaign_disclosure_overdue", "2021-10-02")
    assert item["details"]["campaign"] == "flood-2021"
    assert item["entries"] == [9]
    fields = {"project": "clinic", "milestone": "进展", "text": "已发放"}
    told.tell("project.reported", fields, day="2021-10-05")
    assert found(told, "campaign_disclosure_overdue") == []


def test_the_leftover_of_a_closed_project_is_to_be_assigned(told: Scribe) -> None:
    gift = relief(told, 700, "2021-03-01", project="flood")
    closed = told.tell("project.closed", {"project": "flood", "summary": "结项"}, day="2021-06-01")
    assert found(told, "leftover_unassigned", "2021-09-01") == []
    (item,) = found(told, "leftover_unassigned", "2021-09-02")
    assert item["entries"] == [7, closed]
    assert item["details"]["amount_fen"] == 700
    assert gift < closed


def test_unspent_restricted_money_shows_its_age(told: Scribe) -> None:
    old = [relief(told, 300, "2021-03-01"), relief(told, 200, "2021-03-02")]
    relief(told, 900, "2021-12-31")
    marked = relief(told, 50, "2021-04-01", project="flood")
    plain, project = found(told, "restricted_unspent")
    assert plain["entries"] == old
    assert plain["details"] == {
        "fund": "relief",
        "amount_fen": 500,
        "oldest_on": "2021-03-01",
        "days": 315,
        "rule": "rule-0",
        "rule_version": 1,
    }
    assert (project["entries"], project["details"]["project"]) == ([marked], "flood")
    told.tell(
        "grant.paid",
        {
            "fund": "relief",
            "purpose": "disaster-relief",
            "cost_class": "programme",
            "amount_fen": 350,
            "payee": "centre-1",
        },
    )
    plain, _ = found(told, "restricted_unspent")
    assert (plain["entries"], plain["details"]["amount_fen"]) == ([old[1]], 150)


def test_an_account_of_very_many_arrivals_is_looked_at_in_part(
    told: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    gifts = [relief(told, 10, "2021-03-01") for _ in range(4)]
    monkeypatch.setattr(items, "ARRIVALS_MAX", 3)
    (item,) = found(told, "restricted_unspent")
    assert item["entries"] == gifts[:3]
    assert item["details"]["looked_at_part"] is True
    monkeypatch.setattr(items, "FLAG_ENTRIES_MAX", 2)
    (item,) = found(told, "restricted_unspent")
    assert (item["entries"], item["details"]["entries_total"]) == (gifts[:2], 3)


def test_goods_on_the_way_too_long_and_a_hand_over_that_differs(told: Scribe) -> None:
    fields = {"item": "rice", "quantity": 8, "from_site": "depot", "to_site": "shop"}
    sent = told.tell("goods.moved", {**fields, "shipment": "trip-1"}, day="2022-01-01")
    assert found(told, "transit_long", "2022-01-08") == []
    (item,) = found(told, "transit_long", "2022-01-09")
    assert (item["entries"], item["details"]["outstanding"]) == ([sent], 8)
    assert found(told, "handover_differs") == []
    arrived = told.tell("goods.received", {"shipment": "trip-1", "quantity": 7, "site": "shop"})
    (item,) = found(told, "handover_differs")
    assert item["entries"] == [sent, arrived]
    assert (item["details"]["sent"], item["details"]["outstanding"]) == (8, 1)
    told.tell(
        "goods.written_off",
        {"shipment": "trip-1", "item": "rice", "quantity": 1, "cause": "lost", "reason": "遗失"},
    )
    assert found(told, "handover_differs") == found(told, "transit_long") == []


def test_stock_that_is_short_dated_or_past_its_date(told: Scribe) -> None:
    fields = {"item": "milk", "quantity": 5, "site": "depot", "lot": "M1"}
    given = told.tell("donation.goods", {**fields, "best_before": "2022-02-09"})
    (item,) = found(told, "stock_short_dated")
    assert item["entries"] == [given]
    assert item["details"]["quantity"] == 5
    assert (item["details"]["site"], item["details"]["lot"]) == ("depot", "M1")
    assert found(told, "stock_short_dated", "2022-01-09") == []
    assert found(told, "stock_expired", "2022-02-09") == []
    (item,) = found(told, "stock_expired", "2022-02-10")
    assert item["severity"] == "warning"


def test_points_that_expire_are_one_item_a_day(told: Scribe) -> None:
    # Issued on 2021-08-03, usable after 7 days, valid for 365.
    assert found(told, "points_expiring", "2022-07-10") == []
    (item,) = found(told, "points_expiring", "2022-07-15")
    assert (item["details"]["holders"], item["details"]["holders_total"]) == (["holder-1"], 1)
    assert item["details"]["points"] == 500
    assert item["entries"] == [FIRST_GIFT + 2]
    day = item["details"]["expires_on"]
    assert found(told, "points_past_expiry", day) == []
    assert found(told, "points_past_expiry", "2022-08-20")[0]["entries"] == [FIRST_GIFT + 2]
    (public,) = (
        one.public().as_json()
        for one in board(told, "2022-07-15").items
        if one.code == item["code"]
    )
    assert {**public, "details": None} == {**item, "details": None}
    assert set(item["details"]) - set(public["details"]) == {"holders", "holders_total"}


def issue(scribe: Scribe, gift: int) -> int:
    fields = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": gift}
    return scribe.tell("points.issued", fields, day="2022-01-01")


def test_points_used_before_their_gift_was_refunded_are_shown(told: Scribe) -> None:
    told.tell(
        "goods.moved",
        {
            "shipment": "trip-1",
            "item": "rice",
            "quantity": 4,
            "from_site": "depot",
            "to_site": "shop",
        },
    )
    told.tell("goods.received", {"shipment": "trip-1", "quantity": 4, "site": "shop"})
    told.tell(
        "points.redeemed",
        {
            "holder": "holder-1",
            "shop": "shop",
            "item": "rice",
            "quantity": 1,
            "points": 60,
            "price_rule": "price-rice",
            "price_rule_version": 1,
        },
    )
    told.tell("donation.refunded", {"gift": FIRST_GIFT, "reason": "重复付款"})
    (item,) = found(told, "points_of_refunded_gift")
    assert item["entries"] == [FIRST_GIFT, FIRST_GIFT + 2]
    assert (item["details"]["points_issued"], item["details"]["points_taken_back"]) == (500, 440)


def test_several_refunded_gifts_of_one_holder_are_shown_together(told: Scribe) -> None:
    entries: list[int] = []
    for number in range(3):
        assert found(told, "refunds_of_holder") == []
        gift = told.tell(
            "donation.money",
            {"fund": "general", "channel": "bank", "amount_fen": 1_000 + number},
            day="2022-01-01",
        )
        entries += [gift, issue(told, gift)]
        told.tell("donation.refunded", {"gift": gift, "reason": "退款"})
    (item,) = found(told, "refunds_of_holder")
    assert item["entries"] == entries
    assert item["details"] == {
        "holder": "holder-1",
        "refunded_gifts": 3,
        "rule": "rule-8",
        "rule_version": 1,
    }
    # Nobody used the points: they were taken back with the refunds.
    assert found(told, "points_of_refunded_gift") == []


def test_service_recorded_late_is_shown(told: Scribe) -> None:
    fields = {
        "volunteer": "holder-1",
        "organiser": "centre-1",
        "activity": "探访",
        "starts_at": "09:00",
        "ends_at": "10:00",
    }
    told.tell("service.recorded", fields, day="2021-12-11")
    assert found(told, "service_recorded_late") == []
    late = told.tell("service.recorded", fields, day="2021-12-10")
    (item,) = found(told, "service_recorded_late")
    assert item["entries"] == [late]
    assert item["details"] == {
        "organiser": "centre-1",
        "volunteers": 1,
        "services": 1,
        "days_max": 31,
        "rule": "rule-7",
        "rule_version": 1,
    }
    # A mistaken record is nobody's late service.
    told.tell("entry.reversed", {"entry": late, "reason": "登记错人"})
    assert found(told, "service_recorded_late") == []


def publish(scribe: Scribe, code: str, topic: str, terms: dict[str, Any], version: int = 1) -> int:
    fields = {
        "code": code,
        "version": version,
        "name": "示例规则",
        "text": "示例规则。",
        "in_force_from": f"2021-02-0{version}",
        "topic": topic,
        topic: terms,
    }
    return scribe.tell("rule.published", fields, day="2021-01-02")


def test_without_a_rule_no_pattern_is_shown(world: Scribe) -> None:
    fields = {**SERVED, "starts_at": "09:00", "ends_at": "10:00"}
    world.tell("service.recorded", fields, day="2021-03-10")
    for _ in range(3):
        gift = world.tell(
            "donation.money",
            {"fund": "general", "channel": "bank", "amount_fen": 1_000},
            day="2022-01-01",
        )
        issue(world, gift)
        world.tell("donation.refunded", {"gift": gift, "reason": "退款"})
    assert board(world).items == ()
    publish(world, "late", "ageing", {"subject": "service_recorded_late", "days": 30})
    publish(world, "repeats", "pattern", {"subject": "refunds_of_holder", "count_min": 4})
    assert [one.code for one in board(world).items] == ["service_recorded_late"]
    # A new version counts from its day on, and only the number changes.
    publish(world, "repeats", "pattern", {"subject": "refunds_of_holder", "count_min": 3}, 2)
    assert found(world, "refunds_of_holder", "2021-02-01") == []
    assert found(world, "refunds_of_holder", "2021-02-02") != []


def test_a_short_project_is_not_asked_for_progress(world: Scribe) -> None:
    terms = {"subject": "project_progress", "longer_than_days": 183, "every_days": 92}
    publish(world, "progress", "disclosure", terms)
    base = {"name": "示例", "fund": "relief", "purpose": "medical-aid", "starts_on": "2021-01-01"}
    for code, ends_on in (("short", "2021-07-03"), ("long", "2021-07-04")):
        world.tell("project.opened", {**base, "code": code, "ends_on": ends_on}, day="2021-01-01")
    codes = [one["details"]["project"] for one in found(world, "project_report_overdue")]
    # Those without an end last as long as they are open.
    assert codes == ["clinic", "flood", "long"]


def test_matching_money_left_by_a_refund_is_shown_until_it_goes_back(world: Scribe) -> None:
    matching = recorded(world, "donation.matched")
    (gift,) = matching.fields["gifts"]
    assert found(world, "matching_of_refunded_gift") == []
    first = world.tell("donation.refunded", {"gift": gift, "amount_fen": 40_000, "reason": "退款"})
    # Half of 100,000 would be 50,000; a gift is matched by 30,000 at most: 60,000 gives that.
    assert found(world, "matching_of_refunded_gift") == []
    second = world.tell("donation.refunded", {"gift": gift, "amount_fen": 20_000, "reason": "退款"})
    (item,) = found(world, "matching_of_refunded_gift")
    assert item["entries"] == [gift, matching.index, first, second]
    assert item["details"] == {
        "matching": matching.index,
        "gifts": [gift],
        "refunds": [first, second],
        "matched_fen": 30_000,
        "returnable_fen": 10_000,
        "rule": "match",
        "rule_version": 1,
    }
    give_back = {"gift": matching.index, "amount_fen": 10_000, "reason": "捐赠已退款"}
    world.tell("donation.refunded", give_back)
    assert found(world, "matching_of_refunded_gift") == []


def test_bank_lines_of_a_reversed_gift_are_shown_until_the_match_is_undone(world: Scribe) -> None:
    tell_before(world, "statement.matched")
    gift = world.tell(
        "donation.money", {"fund": "general", "channel": "bank", "amount_fen": 100_000}
    )
    match = world.tell("statement.matched", full("statement.matched", gifts=[gift]))
    undone = world.tell("entry.reversed", {"entry": gift, "reason": "登记有误"})
    (item,) = found(world, "bank_match_of_reversed_gift")
    assert item["entries"] == [gift, match, undone]
    assert item["details"] == {"gift": gift, "reversal": undone, "match": match}
    world.tell("entry.reversed", {"entry": match, "reason": "捐赠已冲正"})
    assert found(world, "bank_match_of_reversed_gift") == []
    audited(world.book)


def dispose(scribe: Scribe, flag: str, entries: list[int], **more: int) -> int:
    fields = {"flag": flag, "entries": entries, "decision": "in_order", "reason": "已核对", **more}
    return scribe.tell("attention.disposed", fields, by="auditor-1")


def test_a_disposed_flag_is_shown_as_such_until_its_entries_change(told: Scribe) -> None:
    gift = relief(told, 300, "2021-03-01")
    assert board(told).items[0].disposition is None
    entry = dispose(told, "restricted_unspent", [gift])
    (item,) = found(told, "restricted_unspent")
    assert item["disposition"] == {
        "decision": "in_order",
        "entry": entry,
        "by": "auditor-1",
        "reason": "已核对",
    }
    whole = board(told)
    assert whole.items[-1].code == "restricted_unspent"
    assert whole.as_json()["open"] == len(whole.items) - 1
    relief(told, 300, "2021-03-01")
    assert "disposition" not in found(told, "restricted_unspent")[0]


def test_a_flag_of_more_entries_than_it_lists_asks_again_when_it_grows(told: Scribe) -> None:
    gifts = [relief(told, 1, "2021-03-01") for _ in range(FLAG_ENTRIES_MAX + 1)]
    (item,) = found(told, "restricted_unspent")
    assert item["entries"] == gifts[:-1]
    total = item["details"]["entries_total"]
    dispose(told, "restricted_unspent", item["entries"], entries_total=total)
    assert "disposition" in found(told, "restricted_unspent")[0]
    relief(told, 1, "2021-03-01")
    (item,) = found(told, "restricted_unspent")
    assert (item["entries"], "disposition" in item) == (gifts[:-1], False)


def test_a_disposition_names_entries_that_are_there_in_order(told: Scribe) -> None:
    for entries, code in (([5, 3], "entries_not_rising"), ([3, 3], "entries_not_rising")):
        with pytest.raises(RejectedError) as refused:
            dispose(told, "stock_expired", entries)
        assert refused.value.code == code
    with pytest.raises(RejectedError) as refused:
        dispose(told, "stock_expired", [3, 10_000])
    assert refused.value.code == "unknown_entry"


def test_every_item_says_what_it_is_in_both_languages_and_accuses_nobody() -> None:
    for title_zh, title_en in TITLES.values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in title_zh)
        assert title_en.isascii()
        for word in ("欺诈", "造假", "骗", "违规", "fraud", "fake", "abuse", "suspect"):
            assert word not in title_zh + title_en.lower()


def test_a_topic_with_many_items_hides_no_other(told: Scribe) -> None:
    for number in range(4):
        fund = {
            "code": f"f{number}",
            "name": f"基金{number}",
            "fund_class": "restricted",
            "purposes": ["medical-aid"],
        }
        told.tell("fund.opened", fund, day="2021-01-04")
        relief(told, 100, "2021-03-01", fund=f"f{number}")

    def cut_to(items_max: int | None) -> Board:
        with told.book.store.read() as reader:
            return attend(reader, "2022-01-10", items_max=items_max)

    whole = cut_to(None)
    assert (whole.items, whole.left_out) == (board(told).items, {})
    counts = Counter(one.code for one in whole.items)
    code, many = counts.most_common(1)[0]
    assert (code, many) == ("restricted_unspent", 4)
    assert len(counts) > 1
    for items_max in range(1, many + 1):
        cut = cut_to(items_max)
        left = {one: count - items_max for one, count in counts.items() if count > items_max}
        assert cut.left_out == left
        assert cut.as_json()["truncated"] == bool(left)
        assert Counter(one.code for one in cut.items) + Counter(left) == counts
        # In the order in which they were found, as without a limit.
        assert list(cut.items) == [one for one in whole.items if one in cut.items]
    # What is decided makes room for what is open.
    first = next(one for one in whole.items if one.code == code)
    dispose(told, code, list(first.entries))
    found = [one for one in cut_to(many - 1).items if one.code == code]
    assert [one.disposition for one in found] == [None] * (many - 1)
    assert first.entries not in [one.entries for one in found]


def test_it_never_reads_the_log_from_end_to_end(told: Scribe) -> None:
    """The statements ask for single entries, by index."""
    relief(told, 300, "2021-03-01")
    asked: list[str] = []
    with told.book.store.read() as reader:
        connection = reader._connection

        @sa.event.listens_for(connection.engine, "before_cursor_execute")
        def _note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        attend(reader, "2022-01-10")
    entries = [one for one in asked if "FROM entry" in one]
    assert entries
    by_index = re.compile(r'WHERE entry."?index"? (= (\?|%\(|ANY\()|IN \()')
    assert all(by_index.search(one) for one in entries)


@pytest.mark.parametrize("text", ["", "yesterday", "2021-02-30", "20211231", "2021-12-31 "])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="expected a day like 2021-12-31"):
        parse_day(text, "as_of")
    assert parse_day("2021-12-31", "as_of") == "2021-12-31"


def run(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(cli.build(), ["attention", "--data", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_lists_them(told: Scribe) -> None:
    gift = relief(told, 300, "2021-03-01")
    folder = told.book.folder
    dispose(told, "restricted_unspent", [gift])
    value = json.loads(run(folder, "--as-of", "2022-01-10", "--json"))
    assert value == board(told).as_json()
    chinese = run(folder, "--as-of", "2022-01-10", "--lang", "zh")
    assert "限定性资金长期未使用 (restricted_unspent): fund=relief, amount_fen=300" in chinese
    assert f"条目 #{gift} [已处理 #{gift + 1}]" in chinese
    english = run(folder, "--lang", "en")
    assert "Project report overdue" in english
    assert "not accusations" in english
