"""Flows and walks by example; the properties test them against units one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ledger import flows
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.flows import End, Flow, Hop, Walk, flows_of, is_world, walk_backward, walk_forward
from ledger.verify import EntryFlows

Posting = Mapping[str, Any]


def entry(index: int, *postings: Posting, kind: str = "test.moved", **fields: Any) -> Entry:
    hexes = "0" * 64
    return Entry(index, hexes, "", "", "tester", None, kind, fields, {}, postings, [], [])


def came(account: str, at: int, amount: int, asset: str = "CNY", world: str = "donor") -> Posting:
    return {"asset": asset, "amount": amount, "from": f"world:{world}", "to": account, "at": at}


def went(
    account: str, *takes: tuple[int, int], asset: str = "CNY", world: str = "supplier"
) -> Posting:
    return {
        "asset": asset,
        "amount": sum(end - first for first, end in takes),
        "from": account,
        "to": f"world:{world}",
        "takes": [list(one) for one in takes],
    }


def moved(
    account: str, target: str, at: int, *takes: tuple[int, int], asset: str = "CNY"
) -> Posting:
    return {**went(account, *takes, asset=asset), "to": target, "at": at}


def forward(log: Sequence[Entry], index: int) -> list[Walk]:
    return walk_forward(EntryFlows(log), index)


def backward(log: Sequence[Entry], index: int) -> list[Walk]:
    return walk_backward(EntryFlows(log), index)


def told(walk: Walk) -> list[tuple[Any, ...]]:
    """A walk's ends without their shares."""
    return [(one.state, one.account, one.units, one.entry, one.amount) for one in walk.ends]


GIFT = entry(1, came("fund:general", 0, 100))


class TestFlows:
    def test_the_outside(self) -> None:
        assert is_world("world:donor")
        assert not is_world("fund:world")

    def test_one_flow_for_each_range(self) -> None:
        posting = moved("fund:a", "fund:b", 7, (0, 2), (10, 13))
        assert flows_of(5, [came("fund:a", 0, 3), posting]) == [
            Flow(5, 0, 0, "CNY", "world:donor", None, "fund:a", 0, 3),
            Flow(5, 1, 0, "CNY", "fund:a", 0, "fund:b", 7, 2),
            Flow(5, 1, 1, "CNY", "fund:a", 10, "fund:b", 9, 3),
        ]

    def test_ranges_are_cut_where_the_label_changes(self) -> None:
        posting = moved("fund:a", "fund:b", 7, (0, 2), (10, 13))
        cut = flows_of(5, [posting], [[(1, "x"), (2, "y"), (2, "x")]])
        assert [(one.part, one.source_first, one.target_first, one.length) for one in cut] == [
            (0, 0, 7, 1),
            (1, 1, 8, 1),
            (2, 10, 9, 1),
            (3, 11, 10, 2),
        ]
        assert [one.label for one in cut] == ["x", "y", "y", "x"]

    def test_units_from_outside_are_cut_by_label_too(self) -> None:
        cut = flows_of(5, [came("fund:a", 4, 5)], [[(2, "x"), (3, "")]])
        assert [(one.source_first, one.target_first, one.label) for one in cut] == [
            (None, 4, "x"),
            (None, 6, ""),
        ]

    def test_what_leaves_has_no_number_outside(self) -> None:
        assert [one.target_first for one in flows_of(5, [went("fund:a", (0, 1), (4, 6))])] == [
            None,
            None,
        ]


class TestForward:
    def test_a_gift_that_nobody_used_is_held(self) -> None:
        assert forward([GIFT], 1) == [
            Walk(
                0,
                "CNY",
                100,
                (
                    Hop(
                        1,
                        "test.moved",
                        0,
                        "CNY",
                        "world:donor",
                        None,
                        "fund:general",
                        (0, 100),
                        100,
                        (0, 100),
                    ),
                ),
                (End("held", "CNY", "fund:general", (0, 100), 1, 100, (0, 100)),),
                {"CNY": 100},
            )
        ]

    def test_parts_that_left_and_parts_between(self) -> None:
        log = [
            GIFT,
            entry(2, went("fund:general", (20, 30), (50, 60), world="beneficiary")),
            entry(3, moved("fund:general", "fund:other", 40, (0, 10))),
        ]
        (walk,) = forward(log, 1)
        assert told(walk) == [
            ("held", "fund:other", (40, 50), 3, 10),
            ("held", "fund:general", (10, 20), 1, 10),
            ("left", "world:beneficiary", None, 2, 10),
            ("held", "fund:general", (30, 50), 1, 20),
            ("left", "world:beneficiary", None, 2, 10),
            ("held", "fund:general", (60, 100), 1, 40),
        ]
        assert [one.share for one in walk.ends][:2] == [(0, 10), (10, 20)]

    def test_a_purchase_turns_money_into_goods(self) -> None:
        log = [
            GIFT,
            entry(
                2,
                went("fund:general", (0, 90)),
                came("stock:hq", 0, 3, "item:pack", "supplier"),
            ),
            entry(3, went("stock:hq", (1, 2), asset="item:pack", world="beneficiary")),
        ]
        (walk,) = forward(log, 1)
        assert told(walk) == [
            ("held", "stock:hq", (0, 1), 2, 30),
            ("left", "world:beneficiary", None, 3, 30),
            ("held", "stock:hq", (2, 3), 2, 30),
            ("held", "fund:general", (90, 100), 1, 10),
        ]
        assert walk.amounts == {"CNY": 100}

    def test_a_purchase_is_told_by_what_it_received(self) -> None:
        log = [
            GIFT,
            entry(
                2, went("fund:general", (0, 90)), came("stock:hq", 0, 3, "item:pack", "supplier")
            ),
        ]
        (walk,) = forward(log, 2)
        assert (walk.posting, walk.asset, walk.amount) == (1, "item:pack", 3)

    def test_a_posting_that_only_resembles_a_purchase(self) -> None:
        # The goods came from the donor, the money went to the supplier: no conversion.
        log = [
            GIFT,
            entry(2, went("fund:general", (0, 90)), came("stock:hq", 0, 3, "item:pack", "donor")),
            entry(3, went("fund:general", (90, 95)), went("fund:general", (95, 99))),
        ]
        assert [walk.posting for walk in forward(log, 2)] == [0, 1]
        assert told(forward(log, 1)[0])[0] == ("left", "world:supplier", None, 2, 90)
        assert [walk.posting for walk in forward(log, 3)] == [0, 1]

    def test_a_reversal_brings_units_back(self) -> None:
        log = [
            GIFT,
            entry(2, went("fund:general", (0, 10), (40, 60))),
            entry(
                3, came("fund:general", 100, 30, world="supplier"), kind="entry.reversed", entry=2
            ),
        ]
        (walk,) = forward(log, 1)
        assert told(walk) == [
            ("held", "fund:general", (100, 110), 3, 10),
            ("held", "fund:general", (10, 40), 1, 30),
            ("held", "fund:general", (110, 130), 3, 20),
            ("held", "fund:general", (60, 100), 1, 40),
        ]

    def test_a_reversal_gives_back_and_takes_back(self) -> None:
        log = [
            GIFT,
            entry(
                2, went("fund:general", (0, 90)), came("stock:hq", 0, 3, "item:pack", "supplier")
            ),
            entry(
                3,
                came("fund:general", 100, 90, world="supplier"),
                went("stock:hq", (0, 3), asset="item:pack"),
                kind="entry.reversed",
                entry=2,
            ),
        ]
        assert told(forward(log, 1)[0]) == [
            ("held", "fund:general", (100, 190), 3, 90),
            ("held", "fund:general", (90, 100), 1, 10),
        ]
        money, goods = forward(log, 3)
        assert told(money) == [("held", "fund:general", (100, 190), 3, 90)]
        assert told(goods) == [("left", "world:supplier", None, 3, 3)]

    def test_a_part_that_bought_nothing_is_in_no_product(self) -> None:
        # Three packs for one fen: the first two cost nothing of it.
        log = [
            GIFT,
            entry(2, went("fund:general", (0, 2)), came("stock:hq", 0, 5, "item:pack", "supplier")),
            entry(3, went("stock:hq", (3, 4), asset="item:pack", world="beneficiary")),
        ]
        assert told(forward(log, 1)[0]) == [
            ("held", "stock:hq", (2, 3), 2, 1),
            ("held", "stock:hq", (4, 5), 2, 1),
            ("held", "fund:general", (2, 100), 1, 98),
        ]

    @pytest.mark.parametrize(
        ("back", "found"),
        [
            # Nobody's ledger writes these; a walk over them must end, with a gap.
            ([came("fund:general", 100, 10, world="supplier")], 90),
            ([came("fund:general", 100, 10, world="supplier"), went("fund:general", (30, 40))], 90),
            (
                [
                    came("fund:general", 100, 10, world="supplier"),
                    came("fund:general", 110, 4, world="supplier"),
                ],
                94,
            ),
            (
                [
                    came("fund:general", 100, 4, world="supplier"),
                    came("fund:general", 110, 10, world="supplier"),
                ],
                94,
            ),
        ],
    )
    def test_a_reversal_that_is_not_the_reverse_leaves_a_gap(
        self, back: list[Posting], found: int
    ) -> None:
        spent = entry(2, went("fund:general", (0, 5), (5, 10)), went("fund:general", (10, 20)))
        log = [GIFT, spent, entry(3, *back, kind="entry.reversed", entry=2)]
        (walk,) = forward(log, 1)
        assert walk.amounts == {"CNY": found}
        assert sum(one.amount for one in walk.ends) == found

    def test_an_entry_without_postings_has_no_walk(self) -> None:
        log = [entry(0)]
        assert forward(log, 0) == []
        assert backward(log, 0) == []


class TestBackward:
    def test_a_gift_came_from_outside(self) -> None:
        (walk,) = backward([GIFT], 1)
        assert walk.ends == (End("entered", "CNY", "fund:general", (0, 100), 1, 100, None),)
        assert walk.amounts == {"CNY": 100}

    def test_goods_lead_to_the_money_that_bought_them(self) -> None:
        log = [
            GIFT,
            entry(2, came("fund:general", 100, 50)),
            entry(
                3,
                went("fund:general", (90, 110)),
                came("stock:hq", 0, 4, "item:pack", "supplier"),
            ),
            entry(4, went("stock:hq", (1, 3), asset="item:pack", world="beneficiary")),
        ]
        (walk,) = backward(log, 4)
        assert told(walk) == [
            ("entered", "fund:general", (95, 100), 1, 5),
            ("entered", "fund:general", (100, 105), 2, 5),
        ]
        assert walk.amounts == {"CNY": 10}
        assert [hop.entry for hop in walk.hops] == [1, 2, 3, 3, 4]

    def test_what_two_assets_paid_for_has_two_sources(self) -> None:
        log = [
            GIFT,
            entry(2, came("points:a", 0, 6, "points", "issuer")),
            entry(
                3,
                went("fund:general", (0, 8)),
                went("points:a", (0, 6), asset="points"),
                came("stock:hq", 0, 2, "item:pack", "supplier"),
            ),
        ]
        (walk,) = backward(log, 3)
        assert walk.amounts == {"CNY": 8, "points": 6}
        assert told(forward(log, 2)[0]) == [("held", "stock:hq", (0, 2), 3, 6)]

    def test_units_made_from_nothing_have_no_source(self) -> None:
        log = [
            GIFT,
            entry(2, went("fund:general", (0, 1)), came("stock:hq", 0, 3, "item:pack", "supplier")),
            entry(3, went("stock:hq", (0, 2), asset="item:pack", world="beneficiary")),
        ]
        (walk,) = backward(log, 3)
        assert walk.ends == ()
        assert walk.amounts == {}

    def test_through_a_reversal_to_the_first_gift(self) -> None:
        log = [
            GIFT,
            entry(2, went("fund:general", (0, 10), (40, 60))),
            entry(
                3, came("fund:general", 100, 30, world="supplier"), kind="entry.reversed", entry=2
            ),
            entry(4, went("fund:general", (105, 115), world="beneficiary")),
        ]
        (walk,) = backward(log, 4)
        assert told(walk) == [
            ("entered", "fund:general", (5, 10), 1, 5),
            ("entered", "fund:general", (40, 45), 1, 5),
        ]

    def test_a_reversal_of_what_came_from_outside_leaves_a_gap(self) -> None:
        # No ledger writes it: the reverse of a gift does not come in.
        log = [GIFT, entry(2, came("fund:general", 100, 100), kind="entry.reversed", entry=1)]
        (walk,) = backward(log, 2)
        assert walk.ends == ()
        assert walk.amounts == {"CNY": 100}


def test_a_walk_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "HOPS_MAX", 3)
    log = [GIFT, *(entry(n, went("fund:general", (n, n + 1))) for n in range(2, 5))]
    assert len(forward(log[:3], 1)[0].hops) == 3
    for walked in (forward, backward):
        chain = (
            log
            if walked is forward
            else [
                GIFT,
                entry(2, moved("fund:general", "fund:a", 0, (0, 9))),
                entry(3, moved("fund:a", "fund:b", 0, (0, 9))),
                entry(4, moved("fund:b", "fund:c", 0, (0, 9))),
            ]
        )
        with pytest.raises(LedgerError, match="more than 3 flows") as got:
            walked(chain, 1 if walked is forward else 4)
        assert got.value.code == "trace_too_large"


def test_a_circle_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "HOPS_MAX", 1000)
    circle = [entry(1, moved("fund:a", "fund:a", 0, (0, 9)))]
    for walked in (forward, backward):
        with pytest.raises(LedgerError, match="more than 1000 flows"):
            walked(circle, 1)


@pytest.mark.parametrize(
    ("target", "reversal", "source", "back"),
    [
        ("world:donor", False, "fund:general", True),
        ("fund:general", True, "project:flood", True),
        ("fund:general", True, "world:donor", False),
        ("fund:general", False, "project:flood", False),
    ],
    ids=["a refund", "a reversal", "the reversal of a refund", "a use"],
)
def test_what_takes_back(source: str, target: str, reversal: bool, back: bool) -> None:
    assert flows.takes_back(source, target, reversal=reversal) is back
