"""Every rule refuses what breaks it, by its own code, and leaves nothing behind.

`CASES` has at least one case for each code that the sources can raise; the first test
collects those from the sources themselves, so that a new rule without a case fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bodies import DOCUMENT, GIFT, full
from refusals import Case
from refusals_continued import MORE
from scribe import REGISTERS, Scribe, StepClock, audited, tell_small_world
from told import rejected

import ledger.records
import ledger.state
from ledger.book import Book
from ledger.errors import InsufficientError, RejectedError
from ledger.records.log import LOG_OPENED, LogOpened
from ledger.records.request import seal_record

Body = tuple[str, dict[str, Any]]
REGISTERED = dict(REGISTERS[::-1])
"""The first body of each kind in the small world's registers."""


def gift(amount_fen: int, fund: str = "general", **more: Any) -> Body:
    """The body of a gift."""
    return "donation.money", {"fund": fund, "amount_fen": amount_fen, "channel": "cash", **more}


def aid(amount_fen: int, fund: str = "general", purpose: str = "any", **more: Any) -> Body:
    """The body of a payment to a person."""
    fields = {"fund": fund, "purpose": purpose, "amount_fen": amount_fen, "payee_class": "family"}
    return "aid.paid", {**fields, **more}


def goods(item: str = "rice", quantity: int = 1, site: str = "depot", **more: Any) -> Body:
    """The body of a gift in kind."""
    return "donation.goods", {"item": item, "quantity": quantity, "site": site, **more}


def reverse(entry: int) -> Body:
    """The body of a reversal."""
    return "entry.reversed", {"entry": entry, "reason": "登记有误"}


def rule(**changes: Any) -> Body:
    """The body of a new version of the points rule."""
    fields = {**REGISTERED["rule.published"], "code": "points-for-money"}
    fields |= {"version": 2, "topic": "points_issue", "in_force_from": "2022-01-02"}
    fields |= {"points_price": None, "points_issue": {"sources": ["donation.money"], "points": 5}}
    return "rule.published", {
        name: value for name, value in {**fields, **changes}.items() if value is not None
    }


def points(**changes: Any) -> Body:
    """The body of points for the entry after the small world."""
    fields = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1}
    return "points.issued", {**fields, "source": GIFT + 3, **changes}


def redeemed(**changes: Any) -> Body:
    """The body of a redemption."""
    return "points.redeemed", full("points.redeemed", **changes)


MOVE: Body = ("goods.moved", full("goods.moved", shipment="trip-0", unit=None))
"""Two bags of rice to the shop; entry 20 when it is the first after the small world."""
STOCK = (MOVE, ("goods.received", {"shipment": "trip-0", "quantity": 2, "site": "shop"}))
NEXT = GIFT + 3
"""The index of the first entry after the small world."""

UNKNOWN = [
    ("fund", "project.opened", full("project.opened", fund="none"), "fields.fund"),
    ("fund", "campaign.filed", full("campaign.filed", fund="none"), "fields.fund"),
    ("fund", *gift(1, "none"), "fields.fund"),
    ("fund", "money.allocated", full("money.allocated", from_fund="none"), "fields.from_fund"),
    ("fund", "money.allocated", full("money.allocated", to_fund="none"), "fields.to_fund"),
    ("fund", *aid(1, "none"), "fields.fund"),
    ("project", *gift(1, project="none"), "fields.project"),
    ("project", *aid(1, project="none"), "fields.project"),
    ("project", "money.allocated", full("money.allocated", to_project="none"), "fields.project"),
    ("project", *goods(project="none"), "fields.project"),
    ("project", "goods.distributed", full("goods.distributed", project="none"), "fields.project"),
    ("campaign", *gift(1, campaign="none"), "fields.campaign"),
    ("party", "campaign.filed", full("campaign.filed", platform="none"), "fields.platform"),
    ("party", "grant.paid", full("grant.paid", payee="none"), "fields.payee"),
    ("party", "purchase.made", full("purchase.made", supplier="none"), "fields.supplier"),
    ("party", "goods.distributed", full("goods.distributed", recipient="none"), "fields.recipient"),
    ("party", *points(holder="none"), "fields.holder"),
    ("party", *redeemed(holder="none"), "fields.holder"),
    ("item", *goods("none"), "fields.item"),
    ("item", *redeemed(item="none"), "fields.item"),
    (
        "item",
        "purchase.made",
        full("purchase.made", lines=[{"item": "none", "quantity": 1, "cost_fen": 1}]),
        "fields.lines.0.item",
    ),
    (
        "item",
        *rule(
            code="price-x",
            version=1,
            topic="points_price",
            points_issue=None,
            points_price={"item": "none", "points_per_unit": 1},
        ),
        "fields.points_price.item",
    ),
    ("site", *goods(site="none"), "fields.site"),
    ("site", "purchase.made", full("purchase.made", site="none"), "fields.site"),
    ("site", "goods.moved", full("goods.moved", from_site="none"), "fields.from_site"),
    ("site", "goods.moved", full("goods.moved", to_site="none"), "fields.to_site"),
    ("site", "goods.distributed", full("goods.distributed", site="none"), "fields.site"),
    ("site", *redeemed(shop="none"), "fields.shop"),
    (
        "shipment",
        "goods.received",
        {"shipment": "x", "quantity": 1, "site": "shop"},
        "fields.shipment",
    ),
    ("rule", *points(rule="none", source=GIFT), "fields.rule"),
    ("rule", *redeemed(price_rule="none"), "fields.price_rule"),
]

CASES = [
    *(Case(f"unknown_{family}", kind, fields, where) for family, kind, fields, where in UNKNOWN),
    # What every record keeps
    Case("occurs_in_future", *gift(1), "occurred_on", day="2022-01-11"),
    Case("approval_required", *aid(1), more={"approved_by": None}),
    Case("approval_not_needed", *gift(1), more={"approved_by": "approver-1"}),
    Case("approved_by_recorder", *aid(1), more={"approved_by": "recorder-1"}),
    # Registers
    *(
        Case("code_taken", kind, REGISTERED[kind], "fields.code")
        for kind in REGISTERED
        if kind != "rule.published"
    ),
    Case(
        "person_named",
        "party.registered",
        {"code": "p", "party_class": "person", "name": "示例"},
        "fields.name",
    ),
    Case(
        "person_named",
        "party.registered",
        {"code": "p", "party_class": "person", "registration_number": "1"},
        "fields.name",
    ),
    Case(
        "name_missing",
        "party.registered",
        {"code": "p", "party_class": "supplier"},
        "fields.name",
    ),
    *(
        Case("purposes_mismatch", "fund.opened", fields, "fields.purposes")
        for fields in (
            full("fund.opened", fund_class="unrestricted"),
            full("fund.opened", fund_class="restricted", purposes=[]),
            full("fund.opened", fund_class="agency", purposes=None),
        )
    ),
    Case(
        "purpose_not_of_fund",
        "project.opened",
        full("project.opened", fund="relief"),
        "fields.purpose",
    ),
    Case(
        "period_reversed",
        "project.opened",
        full("project.opened", ends_on="2021-12-31"),
        "fields.ends_on",
    ),
    Case(
        "period_reversed",
        "campaign.filed",
        full("campaign.filed", ends_on="2021-12-31"),
        "fields.ends_on",
    ),
    Case(
        "unit_twice",
        "item.registered",
        full("item.registered", packs=[{"unit": "条", "factor": 2}]),
        "fields.packs",
    ),
    Case(
        "alias_taken",
        "item.registered",
        full("item.registered", aliases=["5公斤大米"]),
        "fields.aliases",
    ),
    Case("alias_taken", "item.registered", full("item.registered", name="牛奶"), "fields.aliases"),
    # Rules
    Case("version_not_next", *rule(version=3), "fields.version"),
    Case("version_not_next", *rule(version=1), "fields.version"),
    Case("version_not_next", *rule(code="new"), "fields.version"),
    Case(
        "topic_changed",
        *rule(
            topic="points_price",
            points_issue=None,
            points_price={"item": "rice", "points_per_unit": 1},
        ),
        "fields.topic",
    ),
    Case("not_after_last_version", *rule(in_force_from="2021-01-01"), "fields.in_force_from"),
    Case("parameters_mismatch", *rule(points_issue=None), "fields.points_issue"),
    Case(
        "parameters_mismatch",
        *rule(points_price={"item": "rice", "points_per_unit": 1}),
        "fields.points_issue",
    ),
    # Gifts
    Case("project_of_other_fund", *gift(1, project="flood"), "fields.project"),
    Case("project_of_other_fund", *aid(1, project="flood"), "fields.project"),
    Case("campaign_of_other_fund", *gift(1, campaign="flood-2021"), "fields.campaign"),
    Case(
        "campaign_not_open",
        *gift(1, "relief", campaign="flood-2021"),
        "occurred_on",
        day="2022-01-01",
    ),
    Case(
        "campaign_not_open",
        *gift(1, "relief", campaign="flood-2021"),
        "occurred_on",
        day="2021-06-30",
    ),
    Case("unknown_entry", "donation.refunded", {"gift": 99, "reason": "x"}, "fields.gift"),
    Case("not_a_gift", "donation.refunded", {"gift": 1, "reason": "x"}, "fields.gift"),
    Case("not_a_gift", "donation.refunded", {"gift": GIFT + 1, "reason": "x"}, "fields.gift"),
    Case(
        "gift_units_spent",
        "donation.refunded",
        {"gift": GIFT, "reason": "x"},
        "fields.gift",
        before=(aid(1),),
    ),
    Case(
        "gift_units_spent",
        "donation.refunded",
        {"gift": GIFT, "amount_fen": 60_001, "reason": "x"},
        "fields.gift",
        before=(("donation.refunded", {"gift": GIFT, "amount_fen": 40_000, "reason": "x"}),),
    ),
    # Spending
    Case("purpose_not_of_fund", *aid(1, "school", "medical-aid"), "fields.purpose"),
    Case(
        "purpose_not_of_fund",
        "money.allocated",
        full("money.allocated", from_fund="school"),
        "fields.to_fund",
    ),
    Case(
        "purpose_not_of_fund",
        "money.allocated",
        full("money.allocated", from_fund="school", to_fund="general", to_project=None),
        "fields.to_fund",
    ),
    Case(
        "purpose_not_of_project",
        *aid(1, "relief", "medical-aid", project="flood"),
        "fields.purpose",
    ),
    Case(
        "allocation_to_itself",
        "money.allocated",
        full("money.allocated", to_fund="general", to_project=None),
        "fields.to_fund",
    ),
    Case("insufficient_units", *aid(100_001)),
    Case(
        "insufficient_units",
        "purchase.made",
        full(
            "purchase.made",
            fund="general",
            lines=[
                {"item": "rice", "quantity": 1, "cost_fen": 60_000},
                {"item": "rice", "quantity": 1, "cost_fen": 40_001},
            ],
        ),
    ),
    Case(
        "insufficient_units",
        *aid(1, "relief", "disaster-relief"),
        before=(gift(100, "relief", project="flood"),),
    ),
    Case(
        "insufficient_units",
        *aid(101, "relief", "medical-aid", project="clinic"),
        before=(gift(100, "relief", project="flood"), gift(100, "relief", project="clinic")),
    ),
    Case(
        "insufficient_units",
        "money.allocated",
        full("money.allocated", from_fund="relief", to_fund="relief", amount_fen=1),
        before=(gift(100, "relief", project="clinic"),),
    ),
    # Goods
    Case("unknown_unit", *goods(unit="盒"), "fields.unit"),
    Case(
        "unknown_unit",
        "purchase.made",
        full(
            "purchase.made",
            lines=[
                {"item": "rice", "quantity": 1, "cost_fen": 1},
                {"item": "rice", "quantity": 1, "cost_fen": 1, "unit": "吨"},
            ],
        ),
        "fields.lines.1.unit",
    ),
    Case("best_before_missing", *goods("milk"), "fields.best_before"),
    Case(
        "best_before_missing",
        "purchase.made",
        full("purchase.made", lines=[{"item": "milk", "quantity": 1, "cost_fen": 1}]),
        "fields.lines.0.best_before",
    ),
    Case(
        "best_before_made",
        *goods("milk", made_on="2022-01-02", best_before="2022-01-01"),
        "fields.best_before",
    ),
    Case("code_taken", *MOVE, "fields.code", before=(MOVE,)),
    Case("code_taken", *MOVE, "fields.code", before=(MOVE, reverse(NEXT))),
    Case("moved_nowhere", "goods.moved", full("goods.moved", to_site="depot"), "fields.to_site"),
    Case("insufficient_units", "goods.moved", full("goods.moved", quantity=5)),
    Case("insufficient_units", "goods.moved", full("goods.moved", lot="L9")),
    Case(
        "wrong_site",
        "goods.received",
        {"shipment": "trip-0", "quantity": 1, "site": "branch"},
        "fields.site",
        before=(MOVE,),
    ),
    Case(
        "insufficient_units",
        "goods.received",
        {"shipment": "trip-0", "quantity": 3, "site": "shop"},
        before=(MOVE,),
    ),
    Case(
        "insufficient_units",
        "goods.received",
        {"shipment": "trip-0", "quantity": 1, "site": "shop"},
        before=(MOVE, reverse(NEXT)),
    ),
    Case("insufficient_units", "goods.distributed", full("goods.distributed", quantity=21)),
    # Points
    Case("rule_not_in_force", *points(rule_version=2, source=GIFT), "fields.rule"),
    Case("rule_not_in_force", *points(rule="price-rice", source=GIFT), "fields.rule"),
    Case("rule_not_in_force", *points(source=GIFT), "fields.rule", day="2020-12-31"),
    Case("rule_not_in_force", *points(source=GIFT), "fields.rule", before=(rule(),)),
    Case(
        "rule_not_in_force",
        *points(source=GIFT, rule_version=2),
        "fields.rule",
        before=(rule(),),
        day="2022-01-01",
    ),
    Case("rule_not_in_force", *redeemed(price_rule_version=2), "fields.price_rule"),
    Case("source_not_of_rule", *points(source=GIFT + 1), "fields.source"),
    Case("unknown_entry", *points(), "fields.source"),
    Case("source_is_later", *points(source=GIFT), "occurred_on", day="2021-07-31"),
    Case("source_used", *points(source=GIFT), "fields.source"),
    Case("source_reversed", *points(), "fields.source", before=(gift(500), reverse(NEXT))),
    Case("no_points", *points(), "fields.source", before=(gift(99),)),
    Case(
        "no_points",
        *points(),
        "fields.source",
        before=(
            gift(150),
            ("donation.refunded", {"gift": NEXT, "amount_fen": 51, "reason": "x"}),
        ),
    ),
    Case("not_a_shop", *redeemed(shop="depot"), "fields.shop"),
    Case("price_mismatch", *redeemed(points=119), "fields.points"),
    Case("price_mismatch", *redeemed(item="milk", unit=None), "fields.points"),
    Case("insufficient_units", *redeemed(), before=()),
    Case("insufficient_units", *redeemed(quantity=9, points=540), "fields.points", before=STOCK),
    Case("insufficient_units", *redeemed(), "fields.points", before=STOCK, day="2021-08-09"),
    # Reversals
    Case("unknown_entry", *reverse(99), "fields.entry"),
    Case(
        "reversal_of_reversal", *reverse(NEXT + 1), "fields.entry", before=(gift(1), reverse(NEXT))
    ),
    Case("nothing_to_reverse", *reverse(0), "fields.entry"),
    Case("nothing_to_reverse", *reverse(1), "fields.entry"),
    Case("already_reversed", *reverse(NEXT), "fields.entry", before=(gift(1), reverse(NEXT))),
    Case(
        "units_moved_on",
        *reverse(NEXT),
        before=(gift(5, "school"), aid(1, "school", "student-aid")),
    ),
    Case("units_moved_on", *reverse(NEXT), before=STOCK),
    *MORE,
]

ELSEWHERE = {"log_already_open", "units_overflow", "too_many_ranges"}
"""Codes that need more than one record to reach; the tests at the end reach them."""


# The codes in the sources


def raised_codes() -> Iterator[str]:
    """The codes that the rules in the sources can raise."""
    sources = [*Path(ledger.records.__file__).parent.glob("*.py"), Path(ledger.state.__file__)]
    assert len(sources) > 10
    for source in sources:
        for call in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                yield from _codes_of(call)


def _codes_of(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "reject":
        yield _text(call.args[0])
    elif name == "find":
        yield f"unknown_{_text(call.args[0])}"
    elif name in ("InsufficientError", "RejectedError"):
        given = [one.value for one in call.keywords if one.arg == "code"]
        if not given:
            assert name == "InsufficientError", ast.unparse(call)
            yield InsufficientError.default_code
        elif isinstance(given[0], ast.Constant):
            yield _text(given[0])
        else:
            # The two that take their code from an argument, which are collected above.
            assert ast.unparse(given[0]) in ("code", "f'unknown_{family}'")


def _text(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant), ast.unparse(node)
    assert isinstance(node.value, str)
    return node.value


def test_every_code_in_the_sources_has_a_case() -> None:
    assert set(raised_codes()) == {case.code for case in CASES} | ELSEWHERE


# The cases


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{number}-{case.code}" for number, case in enumerate(CASES)]
)
def test_a_rule_refuses(world: Scribe, case: Case) -> None:
    for kind, fields in case.before:
        by = "recorder-2" if kind == "service.confirmed" else "recorder-1"
        world.tell(kind, fields, by=by, documents=[DOCUMENT])
    before = rows(world)
    with pytest.raises(RejectedError) as caught:
        world.tell(case.kind, case.fields, day=case.day, **{"documents": [DOCUMENT], **case.more})
    error = caught.value
    assert (error.code, error.field) == (case.code, case.where)
    assert isinstance(error, InsufficientError) == (case.code in INSUFFICIENT)
    assert len(error.message) > 20
    assert rows(world) == before
    world.submit([world.gift(100)])
    audited(world.book)


INSUFFICIENT = {"insufficient_units", "gift_units_spent", "units_moved_on", "units_overflow"}


def rows(scribe: Scribe) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the state and of the flows."""
    with scribe.book.store.read() as reader:
        return {
            table: [tuple(row) for row in reader.scan(table)]
            for table in ("head", "account", "holding", "flow", "state_object", "idempotency")
        }


# What the errors tell programs


def test_an_error_names_the_entries_that_stand_in_the_way(world: Scribe) -> None:
    paid = world.tell(*aid(1))
    world.tell("points.reversed", {"issue": GIFT + 2, "reason": "x"})
    error = rejected(world, *reverse(GIFT))
    (first,) = error.details.pop("undo_first")
    assert (first["entry"], first["of"], first["undone_by"]) == (paid, [GIFT], "entry.reversed")
    assert error.details == {
        "entry": GIFT,
        "account": "fund:general",
        "asset": "CNY",
        "missing": [[0, 1]],
        "entries": [paid],
    }
    error = rejected(world, "donation.refunded", {"gift": GIFT, "reason": "x"})
    assert error.details == {"available": 99_999, "entries": [paid]}


def test_an_error_names_the_entry_that_did_it_before(world: Scribe) -> None:
    assert rejected(world, *points(source=GIFT)).details == {"entry": GIFT + 2}
    assert rejected(world, "fund.opened", REGISTERED["fund.opened"]).details == {"entry": 1}
    done = world.tell(*reverse(GIFT + 1))
    assert rejected(world, *reverse(GIFT + 1)).details == {"entry": done}


def test_an_error_says_how_many_are_there(world: Scribe) -> None:
    error = rejected(world, *aid(100_001))
    assert error.details == {
        "account": "fund:general",
        "asset": "CNY",
        "asked": 100_001,
        "available": 100_000,
    }
    world.tell(*MOVE)
    error = rejected(world, *redeemed(quantity=9, points=540))
    assert error.details == {"available": 500, "held": 500, "asked": 540}
    with pytest.raises(InsufficientError) as caught:
        world.tell(*redeemed(), day="2021-08-09")
    assert caught.value.details == {"available": 0, "held": 500, "asked": 120}


def test_an_error_says_what_is_allowed(world: Scribe) -> None:
    error = rejected(world, *aid(1, "school", "medical-aid"))
    assert error.details == {"purposes": ["student-aid"]}
    assert rejected(world, *goods(unit="吨")).details == {"units": ["箱", "袋"]}
    error = rejected(world, "item.registered", full("item.registered", name="牛奶"))
    assert error.details == {"item": "milk"}


# What needs more than one record


def test_points_that_expired_cannot_be_used(book: Book, clock: StepClock) -> None:
    scribe = Scribe(book)
    tell_small_world(scribe)
    for kind, fields in STOCK:
        scribe.tell(kind, fields)
    clock.now = datetime(2022, 8, 11, 2, 0, tzinfo=UTC)
    with pytest.raises(InsufficientError) as caught:
        scribe.tell(*redeemed(), day="2022-08-11")
    assert caught.value.details["available"] == 0
    assert scribe.tell(*redeemed(), day="2022-08-10")
    audited(book)


def test_a_log_is_opened_once(world: Scribe) -> None:
    opened = world.book.opened
    prepared = seal_record(
        kind=LOG_OPENED,
        fields=LogOpened.model_validate(opened.fields),
        public=opened.fields,
        values={},
        occurred_on=opened.occurred_on,
        documents=[],
        key="again",
        recorded_by="system",
        approved_by=None,
        vault=world.book.vault,
    )
    with pytest.raises(RejectedError) as caught:
        world.book.sequencer.record(prepared)
    assert caught.value.code == "log_already_open"
