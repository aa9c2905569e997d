"""Every kind records: its units, its references, its totals, and its example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bodies import DOCUMENT, FULL, GIFT, full
from pydantic import BaseModel
from scribe import Scribe, StepClock, audited, held, open_copy, stored_object, whole_log
from told import by, recorded, tell_before

from ledger.book import Book
from ledger.demonstration import PEOPLE
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import Kind, Role
from ledger.records.openings import BalanceOpened
from ledger.records.request import example_body, prepare
from ledger.records.rules import PARTS, RulePublished
from ledger.verify import tell, verify_receipt

RECORDED = [kind for kind in KINDS if kind.recorders]
TODAY = "2022-01-10"
SPRING = datetime(2022, 3, 1, 4, 0, tzinfo=UTC)
"""When the demonstration's first points have expired."""


def names(kind: Kind[Any]) -> str:
    """A kind's name, for the names of tests."""
    return kind.name


# The catalog


def test_every_kind_has_a_full_body() -> None:
    assert set(FULL) == {kind.name for kind in RECORDED}
    assert {kind.name for kind in KINDS} - set(FULL) == {"log.opened"}


def test_kinds_are_named_once_and_told_in_both_languages() -> None:
    assert len(KIND_BY_NAME) == len(KINDS)
    for kind in KINDS:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", kind.name)
        assert re.search("[\u4e00-\u9fff]", kind.title_zh)
        assert kind.title_en.isascii()
        assert kind.moves
        assert kind.fields.__doc__
    for texts in ([kind.title_zh for kind in KINDS], [kind.title_en for kind in KINDS]):
        assert len(set(texts)) == len(texts)


def test_money_leaves_only_by_two_people() -> None:
    approved = {kind.name for kind in KINDS if kind.approvers}
    assert approved == {
        "donation.refunded",
        "money.allocated",
        "aid.paid",
        "grant.paid",
        "purchase.made",
        "entry.reversed",
        "balance.opened",
        "fee.charged",
        "purpose.changed",
        "leftover.assigned",
        "goods.counted",
        "goods.written_off",
        "goods.sold",
        "points.reversed",
        "project.closed",
        "entry.annotated",
        "entry.replaced",
        "privacy.erased",
        "entry.hidden",
        "key.added",
        "key.revoked",
    }
    assert {role for kind in KINDS for role in kind.approvers} == {Role.APPROVER}
    assert {kind.name for kind in KINDS if Role.AUDITOR in kind.recorders} <= {
        "balance.asserted",
        "attention.disposed",
    }


def paths(model: type[BaseModel]) -> set[str]:
    """The dotted names of all fields of a model and of the models in it."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(name)
        for inner in _models(field.annotation):
            found |= {f"{name}.{one}" for one in paths(inner)}
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


def keys(value: Any) -> set[str]:
    """The dotted names of all keys of a body's part; list items count together."""
    found: set[str] = set()
    if isinstance(value, dict):
        for name, item in value.items():
            found |= {name, *(f"{name}.{one}" for one in keys(item))}
    elif isinstance(value, list):
        for item in value:
            found |= keys(item)
    return found


ELSEWHERE = {
    "rule.published": {
        one for one in paths(RulePublished) if one.partition(".")[0] in {*PARTS} - {"points_issue"}
    },
    "balance.opened": {
        name for name in paths(BalanceOpened) if name.partition(".")[0] in ("stock", "points")
    },
    "goods.written_off": {"shipment"},
    "aid.paid": {"project"},
    "grant.paid": {"project"},
    "purchase.made": {"project"},
}
"""Fields that exclude another one of the full body; other tests have them."""


@pytest.mark.parametrize("kind", RECORDED, ids=names)
def test_the_full_body_fills_every_field(kind: Kind[Any]) -> None:
    expected = paths(kind.fields) - ELSEWHERE.get(kind.name, set())
    assert keys(FULL[kind.name]["fields"]) == expected
    assert set(FULL[kind.name].get("sealed", {})) == set(kind.sealed.model_fields)


@pytest.mark.parametrize("kind", RECORDED, ids=names)
def test_a_full_body_is_recorded_as_it_was_sent(world: Scribe, kind: Kind[Any]) -> None:
    tell_before(world, kind.name)
    body = FULL[kind.name]
    day = body.get("occurred_on", TODAY)
    done = world.record(
        kind.name,
        body["fields"],
        body.get("sealed"),
        day=day,
        documents=[DOCUMENT],
        by=by(kind.name),
    )
    entry = world.entry(done.index)
    assert entry.kind == kind.name
    assert entry.fields == body["fields"]
    assert set(entry.sealed) == set(body.get("sealed", {}))
    assert entry.occurred_on == day
    assert entry.documents == [DOCUMENT]
    assert entry.recorded_by == by(kind.name)
    assert entry.approved_by == ("approver-1" if kind.approvers else None)
    verified = verify_receipt(done.receipt, world.book.verifier_keys)
    assert verified.values == body.get("sealed", {})
    assert tell(verified, "zh") != tell(verified, "en")
    audited(world.book)


@pytest.mark.parametrize("kind", RECORDED, ids=names)
def test_no_sealed_value_is_in_the_entry(world: Scribe, kind: Kind[Any]) -> None:
    tell_before(world, kind.name)
    body = FULL[kind.name]
    done = world.record(
        kind.name,
        body["fields"],
        body.get("sealed"),
        day=body.get("occurred_on", TODAY),
        documents=[DOCUMENT],
        by=by(kind.name),
    )
    entry, _ = world.book.entry(done.index)
    public = str(body["fields"])
    for value in body.get("sealed", {}).values():
        assert value in public or value.encode() not in entry


# What each kind moves


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("party.registered", "party/centre-2"),
        ("fund.opened", "fund/meals"),
        ("project.opened", "project/visits"),
        ("campaign.filed", "campaign/winter-2022"),
        ("item.registered", "item/blanket"),
        ("site.registered", "site/north"),
    ],
)
def test_what_is_registered_is_found(world: Scribe, kind: str, key: str) -> None:
    entry = recorded(world, kind)
    assert entry.postings == []
    assert stored_object(world.book, key) == {**entry.fields, "entry": entry.index}


def test_registers_name_what_they_rest_on(world: Scribe) -> None:
    assert recorded(world, "project.opened").references == [1]
    assert recorded(world, "campaign.filed").references == [1, 5]
    campaign = full("campaign.filed", code="other", platform=None)
    assert world.entry(world.tell("campaign.filed", campaign)).references == [1]


def test_an_item_is_found_by_its_names(world: Scribe) -> None:
    entry = recorded(world, "item.registered")
    for alias in ("毛毯", "棉毯", "毯子"):
        found = stored_object(world.book, f"item-alias/{alias}")
        assert found == {"item": "blanket", "entry": entry.index}


def test_absent_fields_get_their_defaults(world: Scribe) -> None:
    index = world.tell("item.registered", {"code": "soap", "name": "香皂", "unit": "块"})
    assert world.entry(index).fields == {
        "code": "soap",
        "name": "香皂",
        "unit": "块",
        "packs": [],
        "aliases": [],
        "perishable": False,
    }
    gift = {"fund": "general", "amount_fen": 1, "channel": "cash"}
    assert world.entry(world.tell("donation.money", gift)).fields["visibility"] == "anonymous"


def test_a_rule_keeps_all_its_versions(world: Scribe) -> None:
    first = recorded(world, "rule.published")
    terms = {"sources": ["donation.goods", "donation.money"], "points": 60}
    second = world.entry(
        world.tell(
            "rule.published",
            full("rule.published", version=2, in_force_from="2022-02-01", points_issue=terms),
        )
    )
    assert second.references == [first.index]
    versions = stored_object(world.book, "rule/points-for-goods")["versions"]
    assert versions == [
        {**first.fields, "entry": first.index},
        {**second.fields, "entry": second.index},
    ]
    price = full(
        "rule.published",
        code="price-milk",
        topic="points_price",
        points_issue=None,
        points_price={"item": "milk", "points_per_unit": 5},
    )
    assert world.entry(world.tell("rule.published", price)).references == [11]


def test_a_gift_goes_into_its_fund_under_its_project(world: Scribe) -> None:
    entry = recorded(world, "donation.money")
    assert entry.postings == [
        {"asset": "CNY", "amount": 5_000, "from": "world:donor", "to": "fund:relief", "at": 0}
    ]
    assert entry.references == [2, 7, 9]
    assert held(world.book, "CNY", "fund:relief") == [(0, 5_000, "flood")]
    for key in ("fund-total/relief", "project-total/flood", "campaign-total/flood-2021"):
        assert stored_object(world.book, key) == {"gifts": 1, "raised_fen": 5_000}
    plain = world.tell("donation.money", {"fund": "relief", "amount_fen": 7, "channel": "cash"})
    assert world.entry(plain).postings[0]["at"] == 5_000
    assert world.entry(plain).references == [2]
    assert held(world.book, "CNY", "fund:relief")[-1] == (5_000, 5_007, "")


@pytest.mark.parametrize("day", ["2021-07-01", "2021-12-31"])
def test_a_campaign_is_open_on_its_first_and_last_day(world: Scribe, day: str) -> None:
    assert world.tell("donation.money", full("donation.money"), day=day)


def test_a_refund_takes_the_newest_units_of_its_own_gift(world: Scribe) -> None:
    other = world.tell(
        "donation.money", {"fund": "general", "amount_fen": 50_000, "channel": "cash"}
    )
    entry = recorded(world, "donation.refunded")
    assert entry.postings == [
        {
            "asset": "CNY",
            "amount": 40_000,
            "from": "fund:general",
            "takes": [[60_000, 100_000]],
            "to": "world:donor",
        }
    ]
    assert entry.references == [GIFT]
    assert stored_object(world.book, f"refunded/{GIFT}") == {"amount_fen": 40_000}
    assert stored_object(world.book, "fund-total/general")["refunded_fen"] == 40_000
    whole = world.entry(world.tell("donation.refunded", {"gift": other, "reason": "退款"}))
    assert whole.postings[0]["takes"] == [[100_000, 150_000]]


def test_a_refund_of_a_project_gift_counts_in_the_project(world: Scribe) -> None:
    gift = recorded(world, "donation.money").index
    world.tell("donation.refunded", {"gift": gift, "amount_fen": 1_000, "reason": "退款"})
    assert stored_object(world.book, "project-total/flood") == {
        "gifts": 1,
        "raised_fen": 5_000,
        "refunded_fen": 1_000,
    }


def test_an_allocation_earmarks(world: Scribe) -> None:
    entry = recorded(world, "money.allocated")
    assert entry.postings == [
        {
            "asset": "CNY",
            "amount": 30_000,
            "from": "fund:general",
            "takes": [[0, 30_000]],
            "to": "fund:relief",
            "at": 0,
        }
    ]
    assert entry.references == [1, 2, 7]
    assert held(world.book, "CNY", "fund:relief") == [(0, 30_000, "flood")]
    assert stored_object(world.book, "fund-total/general")["allocated_fen"] == 30_000
    assert stored_object(world.book, "fund-total/relief") == {"received_fen": 30_000}
    assert stored_object(world.book, "project-total/flood") == {"received_fen": 30_000}


def test_an_allocation_inside_a_fund_earmarks_what_has_no_earmark(world: Scribe) -> None:
    world.tell("donation.money", {"fund": "relief", "amount_fen": 300, "channel": "cash"})
    world.tell(
        "money.allocated",
        {
            "from_fund": "relief",
            "to_fund": "relief",
            "to_project": "clinic",
            "amount_fen": 100,
            "reason": "立项",
        },
    )
    assert held(world.book, "CNY", "fund:relief") == [(100, 300, ""), (300, 400, "clinic")]


def test_an_allocation_without_a_project_carries_no_earmark(world: Scribe) -> None:
    recorded(world, "money.allocated", to_project=None)
    assert held(world.book, "CNY", "fund:relief") == [(0, 30_000, "")]
    assert stored_object(world.book, "project-total/flood") is None


@pytest.mark.parametrize("kind", ["aid.paid", "grant.paid"])
def test_a_payment_takes_the_oldest_money(world: Scribe, kind: str) -> None:
    entry = recorded(world, kind)
    assert entry.postings == [
        {
            "asset": "CNY",
            "amount": 20_000,
            "from": "fund:general",
            "takes": [[0, 20_000]],
            "to": "world:beneficiary",
        }
    ]
    assert entry.references == ([1] if kind == "aid.paid" else [1, 5])
    assert stored_object(world.book, "fund-total/general")["spent_fen"] == 20_000


def test_a_project_pays_with_its_own_money_first(world: Scribe) -> None:
    for project in (None, "clinic", "flood"):
        gift = {"fund": "relief", "amount_fen": 100, "channel": "cash"}
        world.tell("donation.money", gift | ({"project": project} if project else {}))
    paid = world.entry(
        world.tell(
            "aid.paid",
            {
                "fund": "relief",
                "project": "flood",
                "purpose": "disaster-relief",
                "amount_fen": 150,
                "payee_class": "family",
            },
        )
    )
    assert paid.postings[0]["takes"] == [[200, 300], [0, 50]]
    assert held(world.book, "CNY", "fund:relief") == [(50, 100, ""), (100, 200, "clinic")]
    assert stored_object(world.book, "project-total/flood")["spent_fen"] == 150


def test_a_purchase_turns_money_into_goods_line_by_line(world: Scribe) -> None:
    entry = recorded(world, "purchase.made")
    money, rice, more_money, more_rice = entry.postings
    assert money["takes"] == [[0, 8_000]]
    assert more_money["takes"] == [[8_000, 9_000]]
    assert (rice["from"], rice["to"], rice["amount"]) == ("world:supplier", "stock:depot", 10)
    assert (more_rice["amount"], more_rice["at"]) == (3, 30)
    assert entry.references == [1, 4, 10, 12]
    assert held(world.book, "item:rice", "stock:depot") == [
        (0, 20, "/L1"),
        (20, 30, "2022-12-01/L2"),
        (30, 33, ""),
    ]
    assert stored_object(world.book, "item-total/rice") == {
        "given": 20,
        "valued_fen": 0,
        "bought": 13,
        "paid_fen": 9_000,
    }
    assert stored_object(world.book, "fund-total/general")["spent_fen"] == 9_000


def test_a_gift_in_kind_is_counted_and_valued(world: Scribe) -> None:
    entry = recorded(world, "donation.goods")
    assert entry.postings == [
        {"asset": "item:milk", "amount": 12, "from": "world:donor", "to": "stock:depot", "at": 0}
    ]
    assert entry.references == [7, 11, 12]
    assert held(world.book, "item:milk", "stock:depot") == [(0, 12, "2022-02-20/M1")]
    assert stored_object(world.book, "item-total/milk") == {"given": 12, "valued_fen": 3_600}


def test_goods_travel_through_their_shipment(world: Scribe) -> None:
    sent = recorded(world, "goods.moved")
    assert sent.postings[0]["to"] == "transit:trip-1"
    assert sent.references == [10, 12, 14]
    assert held(world.book, "item:rice", "transit:trip-1") == [(0, 10, "/L1")]
    got = world.entry(
        world.tell(
            "goods.received", {"shipment": "trip-1", "quantity": 1, "unit": "箱", "site": "shop"}
        )
    )
    assert got.references == [14, sent.index]
    assert held(world.book, "item:rice", "stock:shop") == [(0, 5, "/L1")]
    assert held(world.book, "item:rice", "transit:trip-1") == [(5, 10, "/L1")]
    assert stored_object(world.book, "shipment/trip-1") == {
        "item": "rice",
        "from_site": "depot",
        "to_site": "shop",
        "quantity": 10,
        "entry": sent.index,
        "reversed": False,
    }


def test_goods_that_expire_first_leave_first(world: Scribe) -> None:
    for best_before in ("2022-03-01", "2022-02-01", "2022-04-01"):
        world.tell(
            "donation.goods",
            {
                "item": "milk",
                "quantity": 10,
                "site": "depot",
                "best_before": best_before,
                "lot": f"L-{best_before}",
            },
        )
    fields = {"item": "milk", "quantity": 15, "site": "depot", "recipient_class": "family"}
    entry = world.entry(world.tell("goods.distributed", fields))
    assert entry.postings[0]["takes"] == [[10, 20], [0, 5]]
    named = {**fields, "quantity": 4, "lot": "L-2022-04-01"}
    assert world.entry(world.tell("goods.distributed", named)).postings[0]["takes"] == [[20, 24]]
    assert stored_object(world.book, "item-total/milk")["distributed"] == 19


def test_goods_without_a_date_leave_last(world: Scribe) -> None:
    dated = {"item": "rice", "quantity": 1, "site": "depot", "best_before": "2023-01-01"}
    world.tell("donation.goods", dated)
    fields = {"item": "rice", "quantity": 2, "site": "depot", "recipient_class": "family"}
    entry = world.entry(world.tell("goods.distributed", fields))
    assert entry.postings[0]["takes"] == [[20, 21], [0, 1]]


def test_a_distribution_names_whom_and_what_for(world: Scribe) -> None:
    assert recorded(world, "goods.distributed").references == [5, 7, 10, 12]


def test_points_follow_their_rule(world: Scribe) -> None:
    entry = recorded(world, "points.issued")
    assert entry.postings == [
        {
            "asset": "points",
            "amount": 20,
            "from": "world:issuer",
            "to": "points:holder-1",
            "at": 500,
        }
    ]
    assert entry.references == [6, 15, GIFT + 4]
    assert held(world.book, "points", "points:holder-1") == [
        (0, 500, "2022-08-10/2021-08-10"),
        (500, 520, "2023-01-17/2022-01-17"),
    ]
    assert stored_object(world.book, f"issued/points-for-money/{GIFT + 4}") == {
        "entry": entry.index
    }
    assert stored_object(world.book, "points-total/points-for-money") == {"issued": 520}


def test_points_for_what_was_refunded_are_not_earned(world: Scribe) -> None:
    gift = world.tell("donation.money", {"fund": "general", "amount_fen": 900, "channel": "cash"})
    world.tell("donation.refunded", {"gift": gift, "amount_fen": 600, "reason": "退款"})
    fields = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1, "source": gift}
    assert world.entry(world.tell("points.issued", fields)).postings[0]["amount"] == 3


def test_points_earned_once_whatever_the_amount(world: Scribe) -> None:
    terms = {"sources": ["donation.goods"], "points": 50}
    rule = full("rule.published", points_issue=terms)
    world.tell("rule.published", rule)
    fields = {"holder": "holder-1", "rule": rule["code"], "rule_version": 1, "source": GIFT + 1}
    assert world.entry(world.tell("points.issued", fields)).postings[0]["amount"] == 50
    assert held(world.book, "points", "points:holder-1")[-1] == (500, 550, "9999-12-31/2022-01-10")


def test_points_buy_goods_of_the_shop(world: Scribe) -> None:
    entry = recorded(world, "points.redeemed")
    points, goods = entry.postings
    assert points == {
        "asset": "points",
        "amount": 120,
        "from": "points:holder-1",
        "takes": [[0, 120]],
        "to": "world:redeemed",
    }
    assert (goods["from"], goods["takes"], goods["to"]) == (
        "stock:shop",
        [[0, 2]],
        "world:beneficiary",
    )
    assert entry.references == [6, 10, 14, 16]
    assert stored_object(world.book, "item-total/rice")["redeemed"] == 2
    assert stored_object(world.book, "site-total/shop") == {
        "redemptions": 1,
        "points_redeemed": 120,
    }


@pytest.mark.parametrize("day", ["2021-08-10", "2022-01-10"])
def test_points_may_be_used_from_their_day_on(world: Scribe, day: str) -> None:
    tell_before(world, "points.redeemed")
    assert world.tell("points.redeemed", full("points.redeemed"), day=day)


# The examples that the documentation shows


@pytest.fixture(scope="module")
def demonstration(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A copy of the demonstration, on which each example is recorded once."""
    folder = tmp_path_factory.mktemp("examples") / "book"
    book = open_copy(demo_template, folder, clock=StepClock(SPRING))
    yield book
    audited(book)
    assert len(whole_log(book)) == book.head().size
    book.close()


@pytest.mark.parametrize("kind", RECORDED, ids=names)
def test_the_example_works_when_pasted(demonstration: Book, kind: Kind[Any]) -> None:
    recorder = next(person for role, person in PEOPLE.items() if role in kind.recorders)
    prepared = prepare(
        example_body(kind),
        key=f"example/{kind.name}",
        recorded_by=recorder,
        approved_by=PEOPLE[Role.APPROVER] if kind.approvers else None,
        vault=demonstration.vault,
    )
    done = demonstration.sequencer.record(prepared)
    entry = demonstration.entry(done.index)[1]
    assert entry.kind == kind.name
    assert entry.fields == prepared.public
    assert set(entry.fields) >= set(kind.example["fields"])
