"""Rows that are no gifts, and what is odd about a list: told, and never in the way."""

from __future__ import annotations

import pytest

from ledger.intake.columns import Columns
from tests.unit.intake.list_files import HEADER, Value, order
from tests.unit.intake.planned import DAY, PAIR, codes, errors_of, pairs, plan_of

# Rows that are no gifts


@pytest.mark.parametrize(
    "total",
    [("合计", 15.5), ("总 计：", "15.50"), (None, 15.5), ("TOTAL", 15.499999999999998)],
)
def test_a_total_that_agrees_is_a_note(total: tuple[Value, ...]) -> None:
    plan = plan_of([(order(1), 5.0), (order(2), 10.5), total], HEADER[:2], default_date=DAY)
    assert plan.clean
    assert len(plan.gifts) == 2
    assert [(note.row, note.kind, note.amount_fen) for note in plan.notes] == [(4, "total", 1550)]
    assert codes(plan) == ["rows_total"]


@pytest.mark.parametrize("label", ["合计", "小计"])
def test_a_total_that_differs_stops(label: str) -> None:
    plan = plan_of([(order(1), 5.0), (order(2), 10.5), (label, 15.6)], HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(4, "金额", "total_differs")]
    assert "a total of 15.60 yuan, its gifts add up to 15.50" in plan.errors[0].reason


def test_totals_of_parts_and_a_total_above_the_list() -> None:
    rows: list[tuple[Value, ...]] = [
        ("合计", 9.0),
        (order(1), 2.0),
        (order(1), 2.0),
        ("小计", 4.0),
        (order(2), 5.0),
        ("小计", 5.0),
        ("合计", 9.0),
    ]
    plan = plan_of(rows, HEADER[:2], default_date=DAY)
    assert plan.clean
    assert len(plan.notes) == 4
    assert plan.sum_fen == 700


def test_a_total_beside_unreadable_rows_says_nothing_new() -> None:
    plan = plan_of([(order(1), 5.0), (order(2), "?"), ("合计", 15.5)], HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(3, "金额", "amount_unreadable")]


def test_a_total_without_an_amount_is_a_note() -> None:
    plan = plan_of([(order(1), 5.0, DAY, None, None), ("合计", None, None, "1 笔", None)])
    assert plan.clean
    assert [(note.kind, note.amount_fen) for note in plan.notes] == [("total", None)]


@pytest.mark.parametrize("amount", [1e20, float("inf"), "甚多"])
def test_a_total_that_is_no_amount_is_a_note(amount: Value) -> None:
    plan = plan_of([(order(1), 5.0), ("合计", amount)], HEADER[:2], default_date=DAY)
    assert plan.clean
    assert [(note.kind, note.amount_fen) for note in plan.notes] == [("total", None)]


def test_an_amount_alone_that_is_no_total_is_an_error() -> None:
    plan = plan_of([(order(1), 5.0), (order(2), 6.0), (None, 7.0)], HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(4, "订单号", "order_missing")]
    # One gift and its double is no list with a total.
    plan = plan_of([(order(1), 5.0), (None, 5.0)], HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(3, "订单号", "order_missing")]


def test_a_total_with_an_order_number_is_a_gift() -> None:
    plan = plan_of([(order(1), 5.0, DAY, "合计", None)])
    assert plan.clean
    assert len(plan.gifts) == 1


def test_a_platforms_comments_are_notes() -> None:
    rows = [(order(1), "5"), ("#-----列表结束-----", ""), ("#合计：1 笔", "")]
    plan = plan_of(rows, HEADER[:2], default_date=DAY)
    assert plan.clean
    assert [note.kind for note in plan.notes] == ["comment", "comment"]
    assert errors_of(plan_of([("#x", "5")], HEADER[:2], default_date=DAY))


def test_what_stands_beside_the_list_is_left_out_and_told() -> None:
    header = ("订单号", "", "金额", "")
    rows = [(order(1), None, 5.0, None), (order(2), "x", 6.0, None), (None, None, None, 11.0)]
    plan = plan_of(rows, header, columns=PAIR, default_date=DAY)
    assert plan.clean
    assert [(note.row, note.kind) for note in plan.notes] == [(4, "beside")]
    notices = {notice.code: notice for notice in plan.warnings}
    assert set(notices) == {"rows_beside", "cells_without_header"}
    stray = notices["cells_without_header"]
    assert (stray.count, stray.rows) == (2, (3, 4))
    assert "B3, D4; the number in D4 equals the sum of the gifts" in stray.message


def test_many_stray_cells_are_counted_and_not_all_named() -> None:
    rows = [(order(number), 1.0, "x") for number in range(30)]
    plan = plan_of(rows, ("订单号", "金额", ""), default_date=DAY)
    (notice,) = plan.warnings
    assert notice.count == 30
    assert len(notice.rows) == 20
    assert notice.message.endswith("C2, C3, C4, C5, C6 …")


# What is odd


def test_amounts_that_look_like_fen() -> None:
    like_fen = [1000.0, 2000.0, 500.0, 1000.0, 10000.0]
    assert codes(pairs(*like_fen)) == ["amounts_look_like_fen"]
    assert codes(pairs(*like_fen, unit="fen")) == []
    assert codes(pairs(*like_fen[:4])) == []
    assert codes(pairs(*like_fen, 1050.0)) == []
    assert codes(pairs(*[amount / 10 for amount in like_fen])) == []
    assert codes(pairs(*[900.0] * 5)) == []


def test_amounts_that_look_like_fen_stop_where_nobody_said_the_unit() -> None:
    like_fen = [1000.0, 2000.0, 500.0, 1000.0, 10000.0]
    plan = pairs(*like_fen, unit_stated=False)
    assert errors_of(plan) == [(row, "金额", "amount_maybe_fen") for row in range(2, 7)]
    assert "as fen 10.00 yuan" in plan.errors[0].reason
    assert "--unit fen" in plan.errors[0].remedy
    assert pairs(*like_fen[:4], unit_stated=False).clean
    rows = [(order(number), amount) for number, amount in enumerate(like_fen)]
    stated = Columns(order_number="订单号", amount="金额（元）")
    settings = {"columns": stated, "default_date": DAY, "unit_stated": False}
    assert plan_of(rows, ("订单号", "金额（元）"), **settings).clean


def test_gifts_under_one_yuan_are_counted() -> None:
    (notice,) = pairs(0.01, 1.0, 0.99).warnings
    assert (notice.code, notice.count, notice.rows) == ("under_one_yuan", 2, (2, 4))


def test_days_far_apart() -> None:
    rows = [(order(1), 1.0, "2019-01-25", None, None), (order(2), 1.0, "2020-01-26", None, None)]
    assert codes(plan_of(rows)) == []
    rows.append((order(3), 1.0, "2020-01-27", None, None))
    (notice,) = plan_of(rows).warnings
    assert (notice.code, notice.rows) == ("days_far_apart", (2, 4))


def test_order_numbers_that_were_numbers() -> None:
    plan = plan_of([(20200125.0, 1.0), (order(1), 1.0)], HEADER[:2], default_date=DAY)
    (notice,) = plan.warnings
    assert (notice.code, notice.rows) == ("orders_as_numbers", (2,))


def test_replaced_characters_are_told() -> None:
    rows = [(order(1), 1.0, DAY, "甲\ue001", None), (order(2), 1.0, DAY, "乙", None)]
    (notice,) = plan_of(rows).warnings
    assert (notice.code, notice.rows) == ("characters_replaced", (2,))
