"""Tables → plans: gifts, days, repeats, conflicts, errors, and the digest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ledger.errors import MalformedError
from ledger.intake.columns import Columns
from ledger.intake.gift_rows import NAME_CHARS_MAX, TEXT_CHARS_MAX, PlannedGift
from ledger.intake.plan import KnownGift, plan_gifts
from ledger.intake.sheets import Table
from tests.unit.intake.list_files import COLUMNS, HEADER, Value, order, table_of
from tests.unit.intake.planned import (
    DAY,
    PAIR,
    codes,
    errors_of,
    knows,
    none_known,
    pairs,
    plan_of,
)

# What a plan holds


def test_a_clean_list() -> None:
    rows = [
        (order(1) + "   ", 12.5, dt.date(2020, 1, 25), "甲某", "平安"),
        (order(2), "￥1,000.00", "2020/1/24", None, None),
    ]
    plan = plan_of(rows)
    assert plan.clean
    assert plan.gifts == (
        PlannedGift(2, order(1), 1250, "2020-01-25", "甲某", "平安"),
        PlannedGift(3, order(2), 100_000, "2020-01-24"),
    )
    assert (plan.rows_total, plan.rows_blank) == (2, 0)
    assert (plan.sum_fen, plan.listed_fen) == (101_250, 101_250)
    assert (plan.earliest, plan.latest) == ("2020-01-24", "2020-01-25")
    assert plan.largest == plan.gifts[1]
    assert plan.warnings == plan.errors == plan.conflicts == plan.repeats == plan.notes == ()
    assert plan.order_days is None


def test_every_part_of_a_gift_is_taken() -> None:
    header = ("单号", "数额", "时间", "谁", "话", "电话")
    columns = Columns(
        order_number="单号",
        amount="数额",
        occurred_on="时间",
        exact_time="时间",
        donor_name="谁",
        message="话",
        contact="电话",
    )
    row = ("A-1", 1250.0, dt.datetime(2020, 1, 25, 9, 0, 7), "甲某", "平安", 13900000000.0)
    plan = plan_of([row], header, columns=columns, unit="fen")
    assert plan.gifts == (
        PlannedGift(
            row=2,
            order_number="A-1",
            amount_fen=1250,
            occurred_on=DAY,
            donor_name="甲某",
            message="平安",
            contact="13900000000",
            exact_time="2020-01-25 09:00:07",
        ),
    )


def test_an_empty_list_is_clean_and_plans_nothing() -> None:
    asked: list[Sequence[str]] = []

    def known(orders: Sequence[str]) -> Mapping[str, KnownGift]:
        asked.append(orders)
        return {}

    plan = plan_of([], known=known)
    assert plan.clean
    assert plan.gifts == ()
    assert (plan.earliest, plan.latest, plan.largest, plan.sum_fen) == (None, None, None, 0)
    assert asked == []


def test_the_ledger_is_asked_once_with_every_order_number() -> None:
    asked: list[list[str]] = []

    def known(orders: Sequence[str]) -> Mapping[str, KnownGift]:
        asked.append(list(orders))
        return {}

    pairs(1.0, 2.0, 3.0, known=known)
    assert asked == [[order(0), order(1), order(2)]]


def test_no_repr_shows_personal_data() -> None:
    rows = [
        (order(1), 1.0, DAY, "甲某", "平安"),
        (order(1), 2.0, DAY, "甲某", "平安"),
        (order(2), "坏", DAY, "甲某", "平安"),
        (order(3), 3.0, DAY, "甲某", "平安"),
        (order(3), 3.0, DAY, "甲某", "平安"),
    ]
    known = knows((order(3), KnownGift(5, 300)))
    plan = plan_of(rows, known=known)
    assert plan.conflicts
    assert plan.errors
    assert plan.repeats
    assert plan.already_recorded
    shown = repr((plan, plan.gifts, plan.errors, plan.conflicts, plan.repeats))
    assert not any(secret in shown for secret in ("甲某", "平安", order(1), order(3), "坏"))


# Repeats, and what the ledger has


def test_exact_repeats_are_skipped_and_listed() -> None:
    rows = [(order(1), 5.0), (order(2), 6.0), (order(1) + " ", "5.00"), (order(1), 5.0)]
    plan = plan_of(rows, HEADER[:2], default_date=DAY)
    assert plan.clean
    assert [gift.row for gift in plan.gifts] == [2, 3]
    assert [(one.row, one.first_row) for one in plan.repeats] == [(4, 2), (5, 2)]
    assert (plan.sum_fen, plan.listed_fen) == (1100, 2100)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((order(1), 6.0, DAY, "甲", "安"), "another amount"),
        ((order(1), 5.0, "2020-01-26", "甲", "安"), "another day"),
        ((order(1), 5.0, DAY, "乙", "安"), "another donor"),
        ((order(1), 6.0, DAY, "甲", None), "another amount and another message"),
    ],
)
def test_other_content_under_one_order_number_stops(row: tuple[Value, ...], said: str) -> None:
    plan = plan_of([(order(1), 5.0, DAY, "甲", "安"), row])
    assert not plan.clean
    (conflict,) = plan.conflicts
    assert (conflict.row, conflict.first_row, conflict.index) == (3, 2, None)
    assert conflict.reason == f"row 2 has the same order number with {said}"
    assert conflict.order_number == order(1)


def test_what_is_recorded_already_is_skipped_with_its_entry() -> None:
    known = knows((order(0), KnownGift(7, 500)), (order(2), KnownGift(9, 700, DAY)))
    plan = pairs(5.0, 6.0, 7.0, known=known)
    assert plan.clean
    assert [gift.order_number for gift in plan.gifts] == [order(1)]
    assert [(one.row, one.amount_fen, one.index) for one in plan.already_recorded] == [
        (2, 500, 7),
        (4, 700, 9),
    ]
    assert (plan.sum_fen, plan.listed_fen) == (600, 1800)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (KnownGift(7, 501), "entry 7 has the same order number with 5.01 yuan, here are 5.00"),
        (KnownGift(7, 500, "2020-01-24"), "with the day 2020-01-24, here is 2020-01-25"),
    ],
)
def test_what_is_recorded_otherwise_stops(known: KnownGift, said: str) -> None:
    plan = pairs(5.0, known=knows((order(0), known)))
    assert not plan.clean
    assert plan.gifts == ()
    (conflict,) = plan.conflicts
    assert (conflict.row, conflict.first_row, conflict.index) == (2, None, 7)
    assert said in conflict.reason
    assert "reverse it" in conflict.remedy


def test_conflicts_are_in_the_files_order() -> None:
    rows = [(order(1), 1.0), (order(2), 2.0), (order(1), 3.0)]
    known = knows((order(2), KnownGift(7, 1)))
    plan = plan_of(rows, HEADER[:2], default_date=DAY, known=known)
    assert [(one.row, one.index) for one in plan.conflicts] == [(3, 7), (4, None)]


# Errors


def test_everything_that_is_wrong_with_a_row_is_told() -> None:
    rows = [
        (1.465e27, "12.345", "昨天", "长" * (NAME_CHARS_MAX + 1), "长" * (TEXT_CHARS_MAX + 1)),
        (order(1), 5.0, DAY, "长" * NAME_CHARS_MAX, "长" * TEXT_CHARS_MAX),
        (order(2), -5.0, "", "甲", None),
    ]
    plan = plan_of(rows)
    assert not plan.clean
    assert [gift.row for gift in plan.gifts] == [3]
    assert errors_of(plan) == [
        (2, "订单号", "order_destroyed"),
        (2, "金额", "amount_decimals"),
        (2, "日期", "date_unreadable"),
        (2, "捐赠人", "text_too_long"),
        (2, "留言", "text_too_long"),
        (4, "金额", "amount_negative"),
        (4, "日期", "date_missing"),
    ]
    first = plan.errors[1]
    assert (first.value, first.reason) == (
        "12.345",
        "expected at most 2 decimals of a yuan, got '12.345'",
    )
    assert all(error.remedy for error in plan.errors)
    assert len(plan.errors[3].value) <= 40


def test_a_formula_in_a_key_column_is_refused_and_a_text_elsewhere() -> None:
    plan = plan_of([("=A1", "=B1", DAY, "=C1", "=D1"), (order(1), 1.0, DAY, "=C2", "=D2")])
    assert errors_of(plan) == [(2, "订单号", "order_formula"), (2, "金额", "amount_unreadable")]
    assert plan.gifts[0].donor_name == "=C2"


def test_a_truth_value_is_no_amount_even_after_a_gift_of_one() -> None:
    assert errors_of(pairs(1.0, True)) == [(3, "金额", "amount_unreadable")]
    plan = plan_of([(order(1), 1.0, 43855, None, None), (order(2), 1.0, True, None, None)])
    assert errors_of(plan) == [(3, "日期", "date_unreadable")]


def test_cells_beyond_the_header_are_refused() -> None:
    table = table_of([(order(1), "1", "234.00"), (order(2), "5", " ")], HEADER[:2])
    plan = plan_gifts(table, PAIR, known=none_known, default_date=DAY)
    assert errors_of(plan) == [(2, "", "cells_beyond_header")]
    assert [gift.row for gift in plan.gifts] == [3]


def test_missing_cells_are_errors() -> None:
    plan = plan_of([(order(1), None), (None, 5.0)], HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(2, "金额", "amount_missing"), (3, "订单号", "order_missing")]


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(MalformedError, match="name one of these"):
        plan_of([], columns=Columns(order_number="订单号", amount="数目"))


@pytest.mark.parametrize(
    ("header", "unit", "remedy"),
    [
        ("金额(分)", "yuan", "read the column in fen"),
        ("金额(元)", "fen", "read the column in yuan"),
        ("金额(万元)", "yuan", "convert the column to yuan"),
    ],
)
def test_a_header_with_another_unit_stops(header: str, unit: str, remedy: str) -> None:
    columns = Columns(order_number="订单号", amount=header)
    with pytest.raises(MalformedError, match=remedy) as caught:
        plan_of([], ("订单号", header), columns=columns, unit=unit)
    assert caught.value.code == "unit_differs"


def test_a_header_with_the_same_unit_is_read() -> None:
    columns = Columns(order_number="订单号", amount="金额(分)")
    plan = plan_of(
        [(order(1), 50.0)], ("订单号", "金额(分)"), columns=columns, unit="fen", default_date=DAY
    )
    assert plan.sum_fen == 50


def test_order_numbers_that_all_end_in_zeros_are_destroyed() -> None:
    rows = [(f"123456789012{number}00000", 1.0) for number in range(100, 103)]
    plan = plan_of(rows, HEADER[:2], default_date=DAY)
    assert errors_of(plan) == [(1, "订单号", "order_destroyed")]
    assert plan_of(rows[:2], HEADER[:2], default_date=DAY).clean
    kept = [*rows, ("12345678901210001", 1.0)]
    assert plan_of(kept, HEADER[:2], default_date=DAY).clean


# Days


def test_the_day_comes_from_the_column_then_from_the_caller() -> None:
    rows = [(order(1), 1.0, "2020-01-24", None, None), (order(2), 1.0, " ", None, None)]
    plan = plan_of(rows, default_date="2020/1/26")
    assert [gift.occurred_on for gift in plan.gifts] == ["2020-01-24", "2020-01-26"]
    # The caller's day goes before the one in the order number.
    plan = plan_of(rows, default_date="2020-01-26", date_from_order=True)
    assert plan.gifts[1].occurred_on == "2020-01-26"


def test_a_default_that_is_no_day_is_refused() -> None:
    with pytest.raises(MalformedError, match="year, month and day"):
        pairs(1.0, day="gestern")
    with pytest.raises(MalformedError, match="a day until 2020-01-24") as caught:
        pairs(1.0, today="2020-01-24")
    assert caught.value.field == "default_date"


def test_a_list_without_a_day_has_one_error_that_offers_the_order_numbers() -> None:
    rows = [(order(1, "20200124"), 1.0), (order(2, "20200125"), 2.0)]
    plan = plan_of(rows, HEADER[:2])
    assert errors_of(plan) == [(1, "", "date_missing")]
    assert plan.order_days == ("2020-01-24", "2020-01-25")
    assert "real times from 2020-01-24 to 2020-01-25" in plan.errors[0].remedy
    assert plan.gifts == ()
    assert (plan.sum_fen, plan.listed_fen) == (0, 300)
    taken = plan_of(rows, HEADER[:2], date_from_order=True)
    assert taken.clean
    assert [gift.occurred_on for gift in taken.gifts] == ["2020-01-24", "2020-01-25"]
    assert codes(taken) == ["days_from_order_numbers"]
    assert taken.order_days is None


def test_one_order_number_without_a_time_takes_the_offer_away() -> None:
    rows = [(order(1), 1.0), ("A-17", 2.0)]
    plan = plan_of(rows, HEADER[:2])
    assert plan.order_days is None
    assert "order numbers" not in plan.errors[0].remedy
    asked = plan_of(rows, HEADER[:2], date_from_order=True)
    assert errors_of(asked) == [(1, "", "orders_without_days")]


def test_order_numbers_fill_the_gaps_of_a_date_column() -> None:
    rows = [(order(1, "20200124"), 1.0, DAY, None, None), (order(2), 1.0, None, None, None)]
    plan = plan_of(rows, date_from_order=True)
    assert [gift.occurred_on for gift in plan.gifts] == [DAY, DAY]
    plan = plan_of([(order(1), 1.0, DAY, None, None), ("A-1", 1.0, None, None, None)],
                   date_from_order=True)  # fmt: skip
    assert errors_of(plan) == [(3, "日期", "date_missing")]


def test_a_day_after_today_is_an_error() -> None:
    rows = [(order(1, "20200124"), 1.0, "2020-01-26", None, None)]
    assert errors_of(plan_of(rows, today=DAY)) == [(2, "日期", "date_in_future")]
    assert plan_of(rows, today="2020-01-26").clean
    future = [(order(1, "20200126"), 1.0)]
    assert plan_of(future, HEADER[:2], today=DAY).order_days is None
    assert plan_of(future, HEADER[:2], today="2020-01-26").order_days is not None


# The digest


def test_the_digest_is_the_same_before_and_after_recording() -> None:
    before = pairs(5.0, 6.0)
    half = pairs(5.0, 6.0, known=knows((order(0), KnownGift(7, 500))))
    after = pairs(
        5.0, 6.0, known=knows((order(0), KnownGift(7, 500)), (order(1), KnownGift(8, 600)))
    )
    assert before.digest == half.digest == after.digest
    assert len(half.gifts) == 1
    assert after.gifts == ()
    assert len(before.digest) == 64


def test_the_digest_covers_every_part_of_every_gift_and_the_file() -> None:
    row = (order(1), 5.0, DAY, "甲", "安")
    base = plan_of([row])
    others = [
        plan_of([(order(2), *row[1:])]),
        plan_of([(row[0], 5.01, *row[2:])]),
        plan_of([(*row[:2], "2020-01-26", *row[3:])]),
        plan_of([(*row[:3], "乙", row[4])]),
        plan_of([(*row[:4], None)]),
        plan_of([row, (order(3), 1.0, DAY, None, None)]),
        plan_of([row], unit="fen"),
        plan_of([]),
    ]
    table = table_of([row])
    for change in ({"sha256": "1" * 64}, {"sheet": "Sheet2"}):
        moved = Table(table.columns, table.rows, replace(table.source, **change))
        others.append(plan_gifts(moved, COLUMNS, known=none_known))
    digests = {plan.digest for plan in others}
    assert len(digests) == len(others)
    assert base.digest not in digests
    assert plan_of([row]).digest == base.digest
