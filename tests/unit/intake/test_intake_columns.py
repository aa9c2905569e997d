"""Headers: how they are compared, what is proposed, where the columns lie."""

from __future__ import annotations

from itertools import combinations

import pytest

from ledger.errors import MalformedError
from ledger.intake.columns import (
    ALIASES,
    HEADER_CHARS_MAX,
    Columns,
    clean_header,
    column_letters,
    guess_columns,
    header_key,
    header_unit,
    is_header,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("金额", " 金 额 "),
        ("金额", "金\u200b额\ufeff"),
        ("金额", "金\n额"),
        ("金额", "金额（元）"),
        ("金额", "金额 (单位:元)"),
        ("金额", "金额【元】"),
        ("ID", "ｉｄ"),
        ("Order Number", "order_number"),
        ("Order Number", "ORDER-NUMBER"),
    ],
)
def test_headers_that_are_the_same(one: str, other: str) -> None:
    assert header_key(one) == header_key(other)


def test_headers_that_are_not_the_same() -> None:
    assert header_key("金额") != header_key("金额合计")
    assert header_key("(合计)") == "(合计)"
    assert header_key("") == ""


def test_a_header_is_shown_on_one_line() -> None:
    assert clean_header("  捐赠\n金额\u200b (元) ") == "捐赠 金额 (元)"
    assert clean_header(2020.0) == "2020.0"
    assert len(clean_header("长" * 300)) == HEADER_CHARS_MAX


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("金额", None),
        ("捐赠金额(元)", "yuan"),
        ("捐赠金额（人民币元）", "yuan"),
        ("收入金额（+元）", "yuan"),
        ("金额（单位：元）", "yuan"),
        ("金额(分)", "fen"),
        ("amount_fen", "fen"),
        ("Amount (CNY)", "yuan"),
        ("金额(万元)", "万元"),
        ("Amount (USD)", "usd"),
        ("金额（含手续费）", None),
        ("积分", None),
    ],
)
def test_the_unit_that_a_header_states(header: str, unit: str | None) -> None:
    assert header_unit(header) == unit


def test_a_platforms_headers_are_known() -> None:
    header = (
        "序号",
        "商户订单号",
        "捐赠金额（元）",
        "捐款时间",
        "捐赠人姓名",
        "爱心留言",
        "手机号",
    )
    assert guess_columns(header) == Columns(
        order_number="商户订单号",
        amount="捐赠金额（元）",
        occurred_on="捐款时间",
        exact_time="捐款时间",
        donor_name="捐赠人姓名",
        message="爱心留言",
        contact="手机号",
    )


def test_two_columns_are_enough_and_the_likelier_one_is_taken() -> None:
    header = ("单号", "", "交易单号", "金额", "交易金额")
    assert guess_columns(header) == Columns(order_number="交易单号", amount="交易金额")


def test_a_date_is_preferred_to_a_time_as_the_day() -> None:
    columns = guess_columns(("订单号", "金额", "交易时间", "交易日期"))
    assert columns.occurred_on == "交易日期"
    assert columns.exact_time == "交易时间"


def test_english_headers_are_known() -> None:
    columns = guess_columns(("Order No.", "Amount", "Date", "Donor", "Note"))
    assert columns.headers() == {
        "order_number": "Order No.",
        "amount": "Amount",
        "occurred_on": "Date",
        "donor_name": "Donor",
        "message": "Note",
    }


@pytest.mark.parametrize(
    ("header", "field"),
    [(("编码", "金额"), "order_number"), (("订单号", "数目"), "amount"), ((), "order_number")],
)
def test_what_cannot_be_guessed_is_asked_for(header: tuple[str, ...], field: str) -> None:
    with pytest.raises(MalformedError, match="name the column") as caught:
        guess_columns(header)
    assert caught.value.code == "column_missing"
    assert caught.value.field == field


def test_what_a_person_says_is_taken_and_proposed_for_nothing_else() -> None:
    header = ("编码", "金额", "备注", "留言")
    columns = guess_columns(header, {"order_number": "编码", "donor_name": "留言"})
    assert columns == Columns(order_number="编码", amount="金额", donor_name="留言", message="备注")


def test_a_part_that_gifts_do_not_have_is_refused() -> None:
    with pytest.raises(MalformedError, match="got colour"):
        guess_columns(("订单号", "金额"), {"colour": "金额"})


def test_places_of_columns() -> None:
    columns = Columns(order_number="订单号", amount="金 额")
    assert columns.places(("", "金额(元)", "订单号")) == {"order_number": 2, "amount": 1}


def test_the_very_header_wins_over_one_that_only_differs_in_its_unit() -> None:
    columns = Columns(order_number="订单号", amount="金额(分)")
    assert columns.places(("金额(元)", "订单号", "金额(分)"))["amount"] == 2


def test_a_header_that_is_not_there() -> None:
    with pytest.raises(MalformedError, match="'订单号', '金额'; name one of these") as caught:
        Columns(order_number="订单号", amount="钱").places(("订单号", "", "金额"))
    assert caught.value.code == "column_missing"
    assert caught.value.field == "amount"


def test_an_empty_header_is_never_found() -> None:
    with pytest.raises(MalformedError, match="name one of these"):
        Columns(order_number="订单号", amount=" ").places(("订单号", ""))


def test_a_header_that_is_there_twice() -> None:
    with pytest.raises(MalformedError, match="over the columns B, C; rename") as caught:
        Columns(order_number="订单号", amount="金额").places(("订单号", "金额", "金额"))
    assert caught.value.code == "column_ambiguous"


@pytest.mark.parametrize(
    ("place", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")]
)
def test_column_letters(place: int, letters: str) -> None:
    assert column_letters(place) == letters


def test_what_a_header_row_is() -> None:
    assert is_header(["序号", "订单号", "金额"])
    assert not is_header(["序号", "订单号", "名称"])
    assert not is_header(["订单号和金额", 12.5])
    assert is_header(["编码", "数目"], ["数目", "编码"])
    assert not is_header(["订单号", "金额"], ["编码"])


def test_no_known_header_means_two_things_that_are_not_the_day_and_its_time() -> None:
    keys = {name: set(map(header_key, aliases)) for name, aliases in ALIASES.items()}
    for one, other in combinations(keys, 2):
        shared = keys[one] & keys[other]
        assert not shared or {one, other} == {"occurred_on", "exact_time"}, shared
