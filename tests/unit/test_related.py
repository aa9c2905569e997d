"""Linked traces: forward from a gift to all that came of it, backward from goods to all
that stands behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scribe import Scribe, audited, open_copy
from typer.testing import CliRunner

from ledger import cli, related
from ledger.related import Part, Relations, find_related
from ledger.trace import trace
from ledger.verify import Direction

MATCHING = {
    "code": "match",
    "version": 1,
    "name": "配捐",
    "text": "一配一。",
    "in_force_from": "2021-01-01",
    "topic": "matching",
    "matching": {"numerator": 1, "denominator": 1},
}


@dataclass(frozen=True)
class Told:
    """A gift, matched, that bought rice; its points redeemed some of the rice."""

    scribe: Scribe
    other_gift: int
    gift: int
    matched: int
    issue: int
    bought: int
    redeemed: int
    refund: int


@pytest.fixture(scope="module")
def told(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    book = open_copy(world_template, tmp_path_factory.mktemp("related") / "book")
    scribe = Scribe(book)
    scribe.tell("rule.published", MATCHING)
    money: dict[str, Any] = {"fund": "relief", "channel": "bank"}
    other = scribe.tell("donation.money", {**money, "amount_fen": 5_000}, day="2021-12-01")
    gift = scribe.tell("donation.money", {**money, "amount_fen": 30_000}, day="2021-12-01")
    both = {"rule": "match", "rule_version": 1, "matcher": "centre-1", "gifts": [other, gift]}
    matched = scribe.tell(
        "donation.matched", {**both, "amount_fen": 35_000, "channel": "bank"}, day="2021-12-01"
    )
    points = {"holder": "holder-1", "rule": "points-for-money", "rule_version": 1}
    issue = scribe.tell("points.issued", {**points, "source": gift}, day="2021-12-01")
    bought = scribe.tell(
        "purchase.made",
        {
            "fund": "relief",
            "purpose": "disaster-relief",
            "supplier": "supplier-1",
            "site": "shop",
            "lines": [{"item": "rice", "quantity": 10, "cost_fen": 50_000}],
        },
    )
    redeemed = scribe.tell(
        "points.redeemed",
        {
            "holder": "holder-1",
            "shop": "shop",
            "item": "rice",
            "quantity": 9,
            "points": 540,
            "price_rule": "price-rice",
            "price_rule_version": 1,
        },
    )
    # Money that nobody has spent, to give back: the refund is of another gift.
    late = scribe.tell("donation.money", {**money, "amount_fen": 8_000})
    refund = scribe.tell("donation.refunded", {"gift": late, "amount_fen": 3_000, "reason": "多付"})
    yield Told(scribe, other, gift, matched, issue, bought, redeemed, refund)
    audited(book)
    book.close()


def ask(told: Told, entry: int, direction: Direction) -> Relations:
    with told.scribe.book.store.read() as reader:
        return find_related(reader, entry, direction, trace(reader, entry, direction))


def links(found: Relations) -> list[tuple[str, int, int]]:
    return [(one.relation, one.of, one.entry) for one in found.rows]


def test_forward_from_a_gift_to_all_that_came_of_it(told: Told) -> None:
    found = ask(told, told.gift, "forward")
    assert links(found) == [
        ("matching_gift", told.gift, told.matched),
        ("points", told.gift, told.issue),
        ("redeemed_goods", told.issue, told.redeemed),
    ]
    assert not found.more
    matching, issue, goods = found.rows
    assert matching.shared_by == 2
    assert matching.walks is not None
    assert sum(end.amount for end in matching.walks[0].ends) == 35_000
    # 300 points came of this gift; the others that were redeemed are of an earlier one.
    assert issue.walks is not None
    redeemed_by_order = sum(end.amount for end in issue.walks[0].ends if end.entry == told.redeemed)
    assert goods.part == Part("points", redeemed_by_order, 540)
    assert 0 < redeemed_by_order < 300
    assert goods.walks is not None
    assert [(one.asset, one.amount) for one in goods.walks] == [("points", 540), ("item:rice", 9)]


def test_backward_from_redeemed_goods_to_gifts_and_points(told: Told) -> None:
    found = ask(told, told.redeemed, "backward")
    with told.scribe.book.store.read() as reader:
        points, goods = trace(reader, told.redeemed, "backward")
    assert {end.entry for end in points.ends} >= {told.issue}
    # The rice was bought: its walk ends at gifts, the matching gift among them.
    assert {told.other_gift, told.gift, told.matched} >= {end.entry for end in goods.ends}
    assert goods.amounts == {"CNY": 45_000}
    assert ("source", told.issue, told.gift) in links(found)
    assert ("matched_gift", told.matched, told.other_gift) in links(found)


def test_a_refund_is_linked_with_its_part(told: Told) -> None:
    late = told.scribe.entry(told.refund).fields["gift"]
    (found,) = ask(told, late, "forward").rows
    assert (found.relation, found.of, found.entry) == ("refund", late, told.refund)
    assert found.part == Part("CNY", 3_000, 3_000)
    with told.scribe.book.store.read() as reader:
        (back,) = trace(reader, told.refund, "backward")
    assert {end.entry for end in back.ends} == {late}


def test_goods_that_were_given_have_their_giver_and_no_more(told: Told) -> None:
    fields = {"item": "rice", "quantity": 3, "site": "depot", "recipient_class": "family"}
    out = told.scribe.tell("goods.distributed", fields)
    assert ask(told, out, "backward") == Relations((), False)


def test_what_is_too_much_is_left_out_and_said(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(related, "RELATED_MAX", 2)
    found = ask(told, told.gift, "forward")
    assert (len(found.rows), found.more) == (2, True)
    monkeypatch.setattr(related, "RELATED_ENTRIES_MAX", 1)
    assert next(one.walks for one in ask(told, told.gift, "forward").rows) is None


def test_the_command_tells_them(told: Told) -> None:
    command = ["trace", str(told.gift), "--data", str(told.scribe.book.folder)]
    text = CliRunner().invoke(cli.build(), [*command, "--lang", "en"]).stdout
    assert f"- matching gift for #{told.gift}: #{told.matched} donation.matched" in text
    assert f"- goods redeemed by points of #{told.issue}: #{told.redeemed} points.redeemed" in text
    value = json.loads(CliRunner().invoke(cli.build(), [*command, "--json"]).stdout)
    assert [one["entry"] for one in value["related"]] == [told.matched, told.issue, told.redeemed]
    assert value["pools"][0]["received"] == value["pools"][0]["spent"] + value["pools"][0]["held"]
