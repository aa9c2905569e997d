"""Days inside order numbers: taken only where every one has a real time at one place."""

from __future__ import annotations

import pytest

from ledger.intake.order_dates import find_order_dates
from tests.unit.intake.list_files import order


def test_the_place_and_the_days() -> None:
    orders = [order(1, "20200124"), order(2, "20200125"), order(3, "20200125")]
    found = find_order_dates(orders)
    assert found is not None
    assert found.place == 10
    assert [found.of(one) for one in orders] == ["2020-01-24", "2020-01-25", "2020-01-25"]
    assert (found.earliest, found.latest) == ("2020-01-24", "2020-01-25")


def test_numbers_of_different_lengths() -> None:
    found = find_order_dates(["20200125090007", "20200125090007123", "20200125235959-A"])
    assert found is not None
    assert found.place == 0


@pytest.mark.parametrize(
    "orders",
    [
        [],
        ["2020012509000"],
        ["20200125090007", "2020012509000"],
        ["20200125090007", "A20200125090007"],
        ["20200230090007"],
        ["20201301090007"],
        ["20200125240000"],
        ["20200125096000"],
        ["20200125090060"],
        ["2020012509:007"],
        ["19991231090007"],
        ["21010101090007"],
        ["2020０125090007"],
        ["20200125０90007"],
        [order(1), "1" * 28],
    ],
)
def test_no_time_in_every_number_at_one_place(orders: list[str]) -> None:
    assert find_order_dates(orders) is None


def test_the_leftmost_place_is_taken() -> None:
    # From place 2 on the same digits read 2005-01-09, 20:01:00.
    found = find_order_dates(["2020050109200100"])
    assert found is not None
    assert found.of("2020050109200100") == "2020-05-01"


def test_no_day_after_the_last_possible_one() -> None:
    assert find_order_dates([order(1)], "2020-01-24") is None
    assert find_order_dates([order(1)], "2020-01-25") is not None
