"""Public statistics: what is summed, what is grouped, and what is not shown."""

from __future__ import annotations

from typing import Any

import pytest
from prerequisites import SERVED
from scribe import FIRST_GIFT, Scribe, audited

from ledger.statistics import Group, Latest, Statistics, gather, publish
from ledger.statistics import figures as module

DAY = "2022-01-10"


def rule(scribe: Scribe, group_min: int, *, version: int = 1, code: str = "small") -> int:
    fields = {
        "code": code,
        "version": version,
        "name": "最小分组",
        "text": "示例规则。",
        "in_force_from": f"2021-02-0{version}",
        "topic": "statistics",
        "statistics": {"group_min": group_min},
    }
    return scribe.tell("rule.published", fields, day="2021-01-02")


def figures(scribe: Scribe, day: str = DAY) -> dict[str, Any]:
    with scribe.book.store.read() as reader:
        found = gather(reader, day)
    value = found.as_json()
    assert value["as_of"] == scribe.book.head().size
    return value


def aid(scribe: Scribe, purpose: str, amount: int, fund: str = "relief") -> int:
    fields = {"fund": fund, "purpose": purpose, "amount_fen": amount, "payee_class": "family"}
    return scribe.tell("aid.paid", fields)


def gift(scribe: Scribe, fund: str, amount: int, **more: Any) -> int:
    fields = {"fund": fund, "channel": "bank", "amount_fen": amount, **more}
    return scribe.tell("donation.money", fields)


def test_money_is_summed_by_class_and_purpose(world: Scribe) -> None:
    gift(world, "relief", 500, project="flood")
    gift(world, "relief", 300)
    gift(world, "school", 200)
    world.tell("donation.refunded", {"gift": FIRST_GIFT, "amount_fen": 50, "reason": "退款"})
    value = figures(world)
    by_class = {one["fund_class"]: one for one in value["money_in"]}
    assert {name: one["raised_fen"] for name, one in by_class.items()} == {
        "agency": 200,
        "restricted": 800,
        "unrestricted": 100_000,
    }
    assert by_class["unrestricted"]["refunded_fen"] == 50
    by_purpose = {one["purpose"]: one["raised_fen"] for one in value["money_in_by_purpose"]}
    # The fund `relief` has two purposes, so only its projects' money has one.
    assert by_purpose == {"disaster-relief": 500, "student-aid": 200, "unspecified": 100_300}
    assert sum(by_purpose.values()) == sum(one["raised_fen"] for one in value["money_in"])


def test_money_out_leaves_out_what_was_reversed(world: Scribe) -> None:
    gift(world, "relief", 5_000)
    grant = {
        "fund": "relief",
        "purpose": "disaster-relief",
        "cost_class": "programme",
        "amount_fen": 400,
        "payee": "centre-1",
    }
    world.tell("grant.paid", grant)
    mistaken = world.tell("grant.paid", grant)
    assert figures(world)["money_out"][0]["grants_fen"] == 800
    world.tell("entry.reversed", {"entry": mistaken, "reason": "重复"})
    assert figures(world)["money_out"] == [
        {
            "fund_class": "restricted",
            "purpose": "disaster-relief",
            "grants_fen": 400,
            "purchases_fen": 0,
        }
    ]


def test_few_payments_of_aid_show_neither_number_nor_amount(world: Scribe) -> None:
    """Nor are they the total less the others: the next larger purpose is withheld too."""
    gift(world, "relief", 100_000)
    entry = rule(world, 3)
    aid(world, "medical-aid", 700)
    for _ in range(4):
        aid(world, "disaster-relief", 100)
    value = figures(world)
    assert (value["group_min"], value["rule"]["entry"]) == (3, entry)
    assert value["aid"] == {
        "groups": [
            {"purpose": "disaster-relief", "withheld": True},
            {"purpose": "medical-aid", "fewer_than": 3},
        ],
        "total": {"payments": 5, "amount_fen": 1_100},
    }
    for _ in range(2):
        aid(world, "medical-aid", 700)
    assert figures(world)["aid"] == {
        "groups": [
            {"purpose": "disaster-relief", "payments": 4, "amount_fen": 400},
            {"purpose": "medical-aid", "payments": 3, "amount_fen": 2_100},
        ],
        "total": {"payments": 7, "amount_fen": 2_500},
    }
    audited(world.book)


def test_wishes_are_grouped_by_kind_and_age_band(world: Scribe) -> None:
    rule(world, 3)
    for number, (wish_class, age_band) in enumerate(
        [("book", "6-11")] * 3 + [("book", "12-17")] * 2 + [("outing", "6-11")]
    ):
        fields = {"code": f"w-{number}", "wish_class": wish_class, "age_band": age_band}
        world.tell("wish.posted", fields)
    value = figures(world)["wishes"]
    assert {"wish_class": "book", "age_band": "12-17", "fewer_than": 3} in value["groups"]
    assert {"wish_class": "outing", "age_band": "6-11", "fewer_than": 3} in value["groups"]
    # 2 + 1 hidden alone: each could only be 1 or 2 if their sum is 3, so that is enough.
    assert value["groups"][1] == {"wish_class": "book", "age_band": "6-11", "wishes": 3}
    assert value["total"] == {"wishes": 6}


def test_volunteers_are_counted_when_their_service_is_confirmed(world: Scribe) -> None:
    rule(world, 3)
    for number in range(2, 5):
        fields = {"code": f"holder-{number}", "party_class": "person"}
        world.tell("party.registered", fields)
        served = world.tell("service.recorded", {**SERVED, "volunteer": f"holder-{number}"})
        assert figures(world)["volunteers"] == (
            {"volunteers": 0} if number == 2 else {"fewer_than": 3}
        )
        confirm = {"service": served, "confirmed_by": "centre-1"}
        world.tell("service.confirmed", confirm, by="recorder-2")
    value = figures(world)
    assert value["volunteers"] == {"volunteers": 3}
    assert value["service"] == {
        "groups": [{"organiser": "centre-1", "volunteers": 3, "minutes": 270}],
        "total": {"volunteers": 3, "minutes": 270},
    }
    assert value["holders"] == {"fewer_than": 3}
    assert value["points"]["issued"] == 500


def test_beneficiaries_are_grouped_by_project(world: Scribe) -> None:
    rule(world, 5)
    for project, people in (("flood", 40), ("clinic", 2)):
        fields = {"project": project, "milestone": "进展", "text": "已发放"}
        world.tell("project.reported", {**fields, "people_reached": people})
    assert figures(world)["people_reached"] == {
        "groups": [
            {"project": "clinic", "fewer_than": 5},
            {"project": "flood", "withheld": True},
        ],
        "total": {"people": 42},
    }


def test_the_strictest_rule_in_force_counts(world: Scribe) -> None:
    assert "group_min" not in figures(world)
    assert figures(world)["holders"] == {"withheld": True}
    rule(world, 5)
    rule(world, 3, code="other")
    rule(world, 4, version=2)
    assert figures(world, "2021-02-01")["group_min"] == 5
    assert figures(world, "2021-02-02")["group_min"] == 4
    assert "group_min" not in figures(world, "2021-01-31")


def test_they_are_gathered_once_for_each_size(
    world: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered: list[Statistics] = []

    def counted(*arguments: Any) -> Statistics:
        gathered.append(gather(*arguments))
        return gathered[-1]

    monkeypatch.setattr(module, "gather", counted)
    latest = Latest()
    for _ in range(2):
        with world.book.store.read() as reader:
            assert latest.of(reader, DAY) is gathered[-1]
    assert len(gathered) == 1
    rule(world, 3)
    with world.book.store.read() as reader:
        assert latest.of(reader, DAY).rule is not None
        assert latest.of(reader, "2021-01-01").rule is None
    assert len(gathered) == 3


def test_several_small_groups_have_no_sum_that_counts_them() -> None:
    # "Three groups, fewer than four persons" would say that there is one in each.
    value = publish([Group({"kind": name}, 1) for name in "abc"], 4, "people").as_json()
    assert value["total"] == {"withheld": True}
    alone = publish([Group({"kind": "a"}, 1)], 4, "people").as_json()
    assert alone["total"] == {"fewer_than": 4}
