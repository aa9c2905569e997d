"""Properties of single cells: every amount, order number and day survives its writing."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError
from ledger.intake.cells import (
    AMOUNT_FEN_MAX,
    DAY_MIN,
    Cell,
    amount_fen,
    day,
    exact_time,
    format_yuan,
    order_number,
    text,
)

repeatable = settings(derandomize=True, deadline=None, max_examples=300)

# What spreadsheets give: texts, 64-bit numbers, dates, times.
CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="0123456789.,-+eE￥元 ()年月日/:TZ\u200b\xa0'`=", max_size=30),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
)
FENS = st.integers(1, AMOUNT_FEN_MAX)
FULL_WIDTH = str.maketrans("0123456789.,", "０１２３４５６７８９．，")


def attempt(read: Callable[[Cell], object], cell: Cell) -> object:
    """What reading a cell gives: a value, or the refusal; any other error is a defect."""
    try:
        return read(cell)
    except MalformedError as error:
        return error


@repeatable
@given(FENS)
def test_an_amount_as_text_is_read_as_it_was(fen: int) -> None:
    written = format_yuan(fen)
    for one in (written, written.replace(",", ""), f" ￥{written}元 "):
        assert amount_fen(one) == fen
        assert amount_fen(one.translate(FULL_WIDTH)) == fen


@repeatable
@given(FENS)
def test_an_amount_as_a_number_is_read_as_it_was(fen: int) -> None:
    # The nearest float to a number of 15 digits has that number as its shortest text.
    assert amount_fen(fen / 100) == fen
    assert amount_fen(fen, "fen") == fen
    assert amount_fen(float(fen), "fen") == fen


@repeatable
@given(st.floats(min_value=0.0, exclude_min=True, max_value=1e12))
def test_a_number_is_never_rounded(number: float) -> None:
    exact = Decimal(repr(number)) * 100
    value = attempt(amount_fen, number)
    if isinstance(value, MalformedError):
        assert exact != exact.to_integral_value() or exact > AMOUNT_FEN_MAX
    else:
        assert value == exact


@pytest.mark.parametrize(
    "read",
    [
        amount_fen,
        lambda cell: amount_fen(cell, "fen"),
        order_number,
        day,
        exact_time,
        lambda cell: text(cell, 40),
    ],
    ids=["yuan", "fen", "order", "day", "time", "text"],
)
@repeatable
@given(cell=CELLS)
def test_a_cell_is_read_or_refused_with_a_reason(
    read: Callable[[Cell], object], cell: Cell
) -> None:
    value = attempt(read, cell)
    if isinstance(value, MalformedError):
        assert value.details["reason"]
        assert value.details["remedy"]
    elif isinstance(value, str):
        assert read(value) == value
    else:
        assert value is None or type(value) is int


@repeatable
@given(CELLS)
def test_what_is_read_can_be_recorded(cell: Cell) -> None:
    for read in (order_number, day, exact_time, lambda one: text(one, 100)):
        value = attempt(read, cell)
        if isinstance(value, str):
            assert 1 <= len(value) <= 100
            assert unicodedata.is_normalized("NFC", value)
            unwanted = {"Cc", "Cs", "Co", "Cn"}
            assert unwanted.isdisjoint(map(unicodedata.category, value))
            value.encode()


@repeatable
@given(
    st.text(alphabet="0123456789", min_size=1, max_size=60).filter(
        lambda digits: not digits.endswith("00000000")
    ),
    st.sampled_from(["{}", "  {}      ", "\t{}", "`{}", "'{}", "\u200b{}\xa0", "\u3000{}"]),
)
def test_an_order_number_as_text_keeps_every_digit(digits: str, padding: str) -> None:
    assert order_number(padding.format(digits)) == digits
    assert order_number(padding.format(digits.translate(FULL_WIDTH))) == digits


@repeatable
@given(st.integers(0, 2**63 - 1))
def test_an_order_number_as_a_number_is_exact_or_refused(number: int) -> None:
    for cell in (number, float(number)):
        value = attempt(order_number, cell)
        if number < 10**15:
            assert value == str(number)
        else:
            assert isinstance(value, MalformedError)
            assert value.code == "order_destroyed"


@repeatable
@given(st.dates(dt.date.fromisoformat(DAY_MIN), dt.date(2100, 12, 31)), st.times())
def test_a_day_is_read_from_every_writing(one: dt.date, time: dt.time) -> None:
    moment = dt.datetime.combine(one, time)
    serial = (one - dt.date(1899, 12, 30)).days
    writings: list[Cell] = [
        one,
        moment,
        serial,
        serial + time.hour / 24,
        one.isoformat(),
        f"{one.year}/{one.month}/{one.day}",
        f"{one.year}年{one.month}月{one.day}日",
        f"{one:%Y%m%d}",
        float(f"{one:%Y%m%d}"),
        f"{moment:%Y%m%d%H%M%S}",
        f"{moment:%Y-%m-%d %H:%M}",
        f"{one.year}/{one.month}/{one.day} {time.hour}:{time:%M:%S}",
        moment.isoformat(),
        moment.isoformat() + "+08:00",
        f"{moment - dt.timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}",
    ]
    assert {day(writing) for writing in writings} == {one.isoformat()}
    expected = f"{moment:%Y-%m-%d %H:%M:%S}"
    assert exact_time(moment) == expected
    assert exact_time(f"{moment:%Y%m%d%H%M%S}") == expected
