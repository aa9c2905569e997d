"""Single cells: what is read, and what is refused with which code."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from ledger.errors import MalformedError
from ledger.intake.cells import (
    AMOUNT_FEN_MAX,
    CELL_CHARS_MAX,
    ORDER_CHARS_MAX,
    REPLACEMENT,
    Cell,
    amount_fen,
    day,
    exact_time,
    format_yuan,
    is_blank,
    is_rounded,
    order_number,
    show,
    text,
)

LONG = "1000030201202001250900011234"


def refusal(code: str) -> pytest.RaisesExc[MalformedError]:
    """Expects a refusal with this code, a reason and a remedy that make up the message."""

    def check(error: MalformedError) -> bool:
        reason, remedy = error.details["reason"], error.details["remedy"]
        return error.code == code and bool(remedy) and error.message == f"{reason}; {remedy}"

    return pytest.RaisesExc(MalformedError, check=check)


@pytest.mark.parametrize(
    ("cell", "fen"),
    [
        (12, 1200),
        (12.0, 1200),
        (0.01, 1),
        (99.9, 9990),
        (1234567.89, 123456789),
        (8.2, 820),
        (19.99, 1999),
        ("12", 1200),
        ("12.5", 1250),
        ("1,234.50", 123450),
        ("1,234,567", 123456700),
        ("￥12", 1200),
        ("¥12.00", 1200),
        ("12元", 1200),
        ("人民币12.34元", 1234),
        ("RMB 12", 1200),
        ("+12.00", 1200),
        ("１２．５０", 1250),
        ("　１，２３４．５　", 123450),
        (" 12.50\t", 1250),
        ("\u200b12.50\ufeff", 1250),
        ("\xa012.50\xa0", 1250),
        ("`12.50", 1250),
        ("'12.50", 1250),
        ("1 234.50", 123450),
        (100_000_000_000, AMOUNT_FEN_MAX),
        ("100,000,000,000.00", AMOUNT_FEN_MAX),
    ],
)
def test_amounts_in_yuan(cell: Cell, fen: int) -> None:
    result = amount_fen(cell)
    assert result == fen
    assert type(result) is int


@pytest.mark.parametrize(("cell", "fen"), [(1250, 1250), (1250.0, 1250), ("1,250", 1250)])
def test_amounts_in_fen(cell: Cell, fen: int) -> None:
    assert amount_fen(cell, "fen") == fen


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "amount_missing"),
        (" \u200b　", "amount_missing"),
        ("'", "amount_missing"),
        (12.345, "amount_decimals"),
        ("12.345", "amount_decimals"),
        ("12.500", "amount_decimals"),
        (0.1 + 0.2, "amount_decimals"),
        (0.00001, "amount_decimals"),
        (0, "amount_zero"),
        (0.0, "amount_zero"),
        ("0.00", "amount_zero"),
        (-5, "amount_negative"),
        (-5.5, "amount_negative"),
        (-1e20, "amount_negative"),
        ("-5.00", "amount_negative"),
        ("−5.00", "amount_negative"),
        ("￥-5.00", "amount_negative"),
        ("(5.00)", "amount_negative"),
        ("（5.00）", "amount_negative"),
        ("1E+3", "amount_scientific"),
        ("1.5e3", "amount_scientific"),
        (100_000_000_000.01, "amount_too_large"),
        ("100,000,000,000.01", "amount_too_large"),
        (1e16, "amount_too_large"),
        (10**30, "amount_too_large"),
        (LONG, "amount_too_large"),
        ("9" * 5000, "amount_too_large"),
        (math.nan, "amount_unreadable"),
        (math.inf, "amount_unreadable"),
        (True, "amount_unreadable"),
        (dt.date(2020, 1, 25), "amount_unreadable"),
        (dt.time(1, 2), "amount_unreadable"),
        ("十二元", "amount_unreadable"),
        ("1.5万元", "amount_unreadable"),
        ("1,2", "amount_unreadable"),
        ("1,23.00", "amount_unreadable"),
        ("1.234,50", "amount_unreadable"),
        ("12.", "amount_unreadable"),
        (".5", "amount_unreadable"),
        ("12 to 13", "amount_unreadable"),
        ("=B2*100", "amount_unreadable"),
        ("$12", "amount_unreadable"),
        ("١٢", "amount_unreadable"),
        ("1" * (CELL_CHARS_MAX + 1), "cell_too_long"),
    ],
)
def test_amounts_that_are_refused(cell: Cell, code: str) -> None:
    with refusal(code):
        amount_fen(cell)


@pytest.mark.parametrize("cell", [12.5, "12.5", "12.00"])
def test_a_fraction_of_a_fen_is_refused(cell: Cell) -> None:
    with refusal("amount_decimals"):
        amount_fen(cell, "fen")


@pytest.mark.parametrize(
    ("cell", "order"),
    [
        (LONG, LONG),
        (LONG + " " * 36, LONG),
        (f"\t{LONG}\t", LONG),
        (f"`{LONG}", LONG),
        (f"'{LONG}", LONG),
        (f"\u200b{LONG}\ufeff", LONG),
        ("\xa0\u3000" + LONG, LONG),
        ("２０２００１", "202001"),
        ("1234 5678 9012 3456", "1234567890123456"),
        ("EXAMPLE-20211008-0001", "EXAMPLE-20211008-0001"),
        ("示例2020第1号", "示例2020第1号"),
        (20200125000001.0, "20200125000001"),
        (123456789012345, "123456789012345"),
        (0.0, "0"),
        ("000123", "000123"),
        ("1" * ORDER_CHARS_MAX, "1" * ORDER_CHARS_MAX),
        ("12345678901234500", "12345678901234500"),
    ],
)
def test_order_numbers(cell: Cell, order: str) -> None:
    assert order_number(cell) == order


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "order_missing"),
        ("  \u200b", "order_missing"),
        ("1.465E+27", "order_destroyed"),
        ("1.465e27", "order_destroyed"),
        ("1E+27", "order_destroyed"),
        ("１.４６５Ｅ＋２７", "order_destroyed"),
        (1.465e27, "order_destroyed"),
        (2.0**53, "order_destroyed"),
        (1234567890123456, "order_destroyed"),
        ("1465123456789010000000000000", "order_destroyed"),
        ("12345678901234500000000", "order_destroyed"),
        (12.5, "order_unreadable"),
        (-12.0, "order_unreadable"),
        (math.nan, "order_unreadable"),
        (math.inf, "order_unreadable"),
        (True, "order_unreadable"),
        (dt.datetime(2020, 1, 25), "order_unreadable"),
        ("合计", "order_unreadable"),
        ("a;1", "order_unreadable"),
        ("12\x003", "order_unreadable"),
        ("=A1", "order_formula"),
        ("=1+1", "order_formula"),
        ("+12", "order_formula"),
        ("@12", "order_formula"),
        ("1" * (ORDER_CHARS_MAX + 1), "order_too_long"),
        ("1" * (CELL_CHARS_MAX + 1), "order_too_long"),
        ("x" * (CELL_CHARS_MAX + 1), "cell_too_long"),
    ],
)
def test_order_numbers_that_are_refused(cell: Cell, code: str) -> None:
    with refusal(code):
        order_number(cell)


def test_the_remedy_for_a_destroyed_order_number_is_to_export_it_as_text() -> None:
    with pytest.raises(MalformedError, match="as text; do not open and save it as CSV"):
        order_number(1.465e27)


def test_rounded_orders() -> None:
    assert is_rounded("1234567890123450")
    assert not is_rounded("1234567890123450", zeros_min=2)
    assert not is_rounded("1234567890123456")
    assert not is_rounded("123456789012000")
    assert not is_rounded("ABCDEFGHIJKLMNO0")


@pytest.mark.parametrize(
    "cell",
    [
        dt.date(2020, 1, 5),
        dt.datetime(2020, 1, 5, 23, 59),
        43835,
        43835.0,
        43835.99,
        20200105.0,
        "2020-01-05",
        "2020/1/5",
        "2020/01/05",
        "2020.1.5",
        "2020年1月5日",
        "２０２０年１月５日",
        "20200105",
        "20200105090007",
        "2020-1-5 9:00",
        "2020-01-05 09:00:07",
        "2020-01-05T09:00:07.123456",
        "2020年1月5日 9时00分07秒",
        "2020-01-05T23:30:00+08:00",
        "2020-01-04T16:00:00Z",
        " 2020-01-05\t",
        "`2020-01-05 09:00:07",
        "\u200b2020-01-05",
    ],
)
def test_days(cell: Cell) -> None:
    assert day(cell) == "2020-01-05"


def test_a_time_of_another_zone_has_the_day_that_it_was_in_shanghai() -> None:
    assert day("2020-01-05T00:30:00+0900") == "2020-01-04"
    assert day("2020-01-04T15:59:59Z") == "2020-01-04"
    assert day("2020-01-04T11:00:00-05:00") == "2020-01-05"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "date_missing"),
        ("昨天", "date_unreadable"),
        ("2020-02-30", "date_unreadable"),
        ("2020-13-01", "date_unreadable"),
        ("25/01/2020", "date_unreadable"),
        ("01-05-20", "date_unreadable"),
        ("2020-01", "date_unreadable"),
        ("2020-1/5", "date_unreadable"),
        ("2020-01-05 25:00", "date_unreadable"),
        ("2020-01-05Z", "date_unreadable"),
        ("2020-01-05T09:00:00+99:99", "date_unreadable"),
        ("0000-01-01", "date_unreadable"),
        ("0001-01-01T00:00:00+14:00", "date_unreadable"),
        ("=TODAY()", "date_unreadable"),
        (1.5, "date_unreadable"),
        (-43835.0, "date_unreadable"),
        (math.nan, "date_unreadable"),
        (math.inf, "date_unreadable"),
        (1e300, "date_unreadable"),
        (True, "date_unreadable"),
        (dt.time(9, 0), "date_unreadable"),
        (dt.timedelta(hours=30), "date_unreadable"),
        ("1999-12-31", "date_too_early"),
        (29_221, "date_too_early"),
        (dt.date(1970, 1, 1), "date_too_early"),
    ],
)
def test_days_that_are_refused(cell: Cell, code: str) -> None:
    with refusal(code):
        day(cell)


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("", None),
        (" \u200b", None),
        (dt.datetime(2020, 1, 25, 9, 0, 7, 999), "2020-01-25 09:00:07"),
        ("2020/1/25 9:00:07", "2020-01-25 09:00:07"),
        ("20200125090007", "2020-01-25 09:00:07"),
        ("2020-01-25T01:00:07Z", "2020-01-25 09:00:07"),
        (43855.375, "2020-01-25 09:00:00"),
        (dt.time(9, 0, 7), "09:00:07"),
        (dt.date(2020, 1, 25), "2020-01-25"),
        ("上午九点", "上午九点"),
    ],
)
def test_exact_times(cell: Cell, time: str | None) -> None:
    assert exact_time(cell) == time


def test_a_text_that_is_no_time_is_kept_only_while_short() -> None:
    with refusal("text_too_long"):
        exact_time("很" * 41)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", None),
        ("  \u200b\t", None),
        ("甲某", "甲某"),
        ("  甲 \u3000\n 某  ", "甲 某"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("甲\u200b某\u202e", "甲某"),
        ("=SUM(A1)", "=SUM(A1)"),
        ("'=SUM(A1)", "=SUM(A1)"),
        ("'甲", "'甲"),
        ("a\x00b\x7f", f"a{REPLACEMENT}b{REPLACEMENT}"),
        ("a\ue000", f"a{REPLACEMENT}"),
        ("\U0001f600", "\U0001f600"),
        ("ＡＢＣ", "ＡＢＣ"),
        (13800000000.0, "13800000000"),
        (1.5, "1.5"),
        (7, "7"),
        (dt.date(2020, 1, 25), "2020-01-25"),
    ],
)
def test_texts(cell: Cell, expected: str | None) -> None:
    assert text(cell, 100) == expected


@pytest.mark.parametrize("cell", ["很" * 101, "x" * (CELL_CHARS_MAX + 1)])
def test_a_long_text_is_refused_and_never_cut(cell: str) -> None:
    assert text("很" * 100, 100) == "很" * 100
    with refusal("text_too_long"):
        text(cell, 100)


@pytest.mark.parametrize("cell", [1e15, 1.465e27, math.nan, math.inf])
def test_a_number_without_its_last_digits_is_no_text(cell: float) -> None:
    with refusal("text_unreadable"):
        text(cell, 100)


def test_blank_cells() -> None:
    assert is_blank("")
    assert is_blank(" \xa0\u3000\u200b\ufeff\n")
    assert not is_blank("0")
    assert not is_blank(0.0)
    assert not is_blank(False)


def test_shown_cells_are_short_and_on_one_line() -> None:
    assert show("a\nb") == "a b"
    assert show("很" * 41) == "很" * 39 + "…"
    assert show(12.5) == "12.5"


def test_yuan_as_written() -> None:
    assert format_yuan(0) == "0.00"
    assert format_yuan(5) == "0.05"
    assert format_yuan(123456789) == "1,234,567.89"
