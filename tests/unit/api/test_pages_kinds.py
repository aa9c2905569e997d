"""The documentation of record kinds, made from their models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from api.pages import kinds
from api.pages.kinds import choices_of, find_kind, kind_title, list_kinds, order_of
from api.pages.texts import Translator
from ledger.errors import NotFoundError
from ledger.records.catalog import KINDS
from ledger.records.kind import Code, Day, Draft, Fields, Kind, Name, Plan, Quantity, Role
from ledger.state import State

ZH, EN = Translator("zh"), Translator("en")


def test_every_kind_is_listed_in_both_languages() -> None:
    for translator in (ZH, EN):
        listed = list_kinds(translator)
        assert [one.name for one in listed] == [kind.name for kind in KINDS]
    assert [one.title for one in list_kinds(ZH)] == [kind.title_zh for kind in KINDS]
    assert [one.other_title for one in list_kinds(ZH)] == [kind.title_en for kind in KINDS]


def test_a_kind_is_documented_from_its_models() -> None:
    kind = find_kind("purchase.made", EN)
    docs = {one.path: one for one in kind.fields}
    assert docs["fund"].required
    assert not docs["project"].required
    assert docs["fund"].type == "a code: lower-case letters, digits, dashes"
    assert docs["fund"].description == ""
    assert docs["cost_class"].choices == (
        ("programme", "programme"),
        ("management", "management"),
        ("fundraising", "fundraising"),
    )
    assert docs["lines[]"].type == "a list of at most 100, each: a group of fields"
    assert docs["lines[].cost_fen"].type == "an integer from 1 to 10,000,000,000,000"
    assert docs["lines[].cost_fen"].description == "an amount in fen (0.01 yuan)"
    assert docs["lines[].best_before"].type == "a day, like 2021-09-09"
    assert docs["lines[].item"].label == "item"
    assert {one.path for one in kind.sealed} == {"account", "invoice_number"}
    assert kind.recorders == ("clerk",)
    assert kind.approvers == ("approver",)


def test_a_kind_without_sealed_fields_or_example_shows_none() -> None:
    opened = find_kind("log.opened", ZH)
    assert opened.sealed == ()
    assert opened.example is None
    assert opened.recorders == ()


def test_what_enters_once_is_named() -> None:
    assert find_kind("donation.money", ZH).unique == ("订单号",)


def test_an_unknown_kind_is_not_found_but_has_a_title() -> None:
    with pytest.raises(NotFoundError, match="no record kind"):
        find_kind("shoe.sold", ZH)
    assert kind_title("shoe.sold", ZH) == "shoe.sold"
    assert kind_title("aid.paid", EN) == "Aid paid"
    assert choices_of("shoe.sold") == frozenset()
    assert order_of("shoe.sold") == {}


def test_choices_and_order_are_known_by_path() -> None:
    assert "fund_class" in choices_of("fund.opened")
    assert "valuation.basis" in choices_of("donation.goods")
    # In an allocation the basis is free text.
    assert "basis" not in choices_of("money.allocated")
    assert "points_issue.sources[]" in choices_of("rule.published")
    order = order_of("donation.money")
    assert order["fund"] < order["amount_fen"] < order["donor_name"]
    assert order_of("purchase.made")["lines.item"] > 0


class _Size(Fields):
    """The size of a shoe."""

    width: Literal["narrow", "wide"]


class _ShoeSold(Fields):
    """A shoe that was sold."""

    shoe: Code
    sold_on: Day
    size: _Size | None = None
    laces: Annotated[list[Name], Field(max_length=2)]
    others: list[Quantity] = Field(default_factory=list, description="further shoes")
    used: bool = False
    colour: str


def _plan(draft: Draft[_ShoeSold], state: State) -> Plan:
    return Plan()


def test_a_kind_that_was_added_today_has_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Kind[Any] = Kind(
        name="shoe.sold",
        title_zh="卖鞋",
        title_en="Shoe sold",
        moves="nothing",
        fields=_ShoeSold,
        recorders=frozenset((Role.SHOP,)),
        plan=_plan,
        example={"occurred_on": "2021-10-10", "fields": {"shoe": "left"}},
    )
    monkeypatch.setattr(kinds, "KIND_BY_NAME", {"shoe.sold": made})
    found = find_kind("shoe.sold", EN)
    assert [(one.path, one.type, one.required) for one in found.fields] == [
        ("shoe", "a code: lower-case letters, digits, dashes", True),
        ("sold_on", "a day, like 2021-09-09", True),
        ("size", "a group of fields", False),
        ("size.width", "one of", True),
        ("laces[]", "a list of at most 2, each: text, at most 120 characters", True),
        ("others[]", "a list, each: an integer from 1 to 1,000,000,000,000", False),
        ("used", "true or false", False),
        ("colour", "text", True),
    ]
    assert found.fields[5].description == "further shoes"
    assert found.fields[3].choices == (("narrow", "narrow"), ("wide", "wide"))
    assert found.example is not None
    assert '"kind": "shoe.sold"' in found.example
    assert found.about == "A shoe that was sold."
