"""How amounts, numbers and times are written, against a slow reader of what was written."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.pages.format import (
    RANGES_SHOWN,
    format_count_words,
    format_instant,
    format_number,
    format_percents,
    format_ranges,
    format_yuan,
    format_yuan_words,
    parse_number,
)
from ledger.errors import MalformedError
from ledger.units import UNITS_MAX

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = {"拾": 10, "佰": 100, "仟": 1000}


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角"),
        (11, "壹角壹分"),
        (90, "玖角"),
        (100, "壹元整"),
        (105, "壹元零伍分"),
        (150, "壹元伍角"),
        (1000, "壹拾元整"),
        (1010, "壹拾元壹角"),
        (1001, "壹拾元零壹分"),
        (10_000, "壹佰元整"),
        (10_100, "壹佰零壹元整"),
        (11_000, "壹佰壹拾元整"),
        (100_100, "壹仟零壹元整"),
        (101_000, "壹仟零壹拾元整"),
        (1_000_000, "壹万元整"),
        (1_000_100, "壹万零壹元整"),
        (1_001_000, "壹万零壹拾元整"),
        (1_100_000, "壹万壹仟元整"),
        (10_000_000, "壹拾万元整"),
        (22_000_000, "贰拾贰万元整"),
        (181_300_000, "壹佰捌拾壹万叁仟元整"),
        (100_000_000, "壹佰万元整"),
        (1_000_000_000, "壹仟万元整"),
        (10_000_000_000, "壹亿元整"),
        (10_000_000_100, "壹亿零壹元整"),
        (10_001_000_000, "壹亿零壹万元整"),
        (10_010_000_000, "壹亿零壹拾万元整"),
        (11_000_000_000, "壹亿壹仟万元整"),
        (100_000_000_000, "壹拾亿元整"),
        (1_000_000_000_000, "壹佰亿元整"),
        (100_000_000_000_000, "壹万亿元整"),
        (100_100_000_000_000, "壹万零壹拾亿元整"),
        # The 万 places are empty: one 零 for all of them.
        (90_000_360_000, "玖亿零叁仟陆佰元整"),
        (60_000_415_080, "陆亿零肆仟壹佰伍拾元捌角"),
        # The examples that the rules themselves give.
        (140_950, "壹仟肆佰零玖元伍角"),
        (600_714, "陆仟零柒元壹角肆分"),
        (168_032, "壹仟陆佰捌拾元叁角贰分"),
        (10_700_053, "壹拾万柒仟元伍角叁分"),
        (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
        (32_504, "叁佰贰拾伍元零肆分"),
    ],
)
def test_amounts_in_words(fen: int, words: str) -> None:
    assert format_yuan_words(fen) == words


def _read_words(words: str) -> int:
    """Fen of an amount in words; knows numerals, nothing of how they are written."""
    words = words.removesuffix("整")
    yuan, found, rest = words.rpartition("元")
    fen = _read_whole(yuan) * 100 if found else 0
    for name, worth in (("角", 10), ("分", 1)):
        before, found, after = rest.partition(name)
        if found:
            fen += DIGITS.index(before[-1]) * worth
            rest = after
    assert not rest
    return fen


def _read_whole(words: str) -> int:
    for name, worth in (("亿", 10**8), ("万", 10**4)):
        high, found, low = words.rpartition(name)
        if found:
            return _read_whole(high) * worth + _read_whole(low)
    total = digit = 0
    for character in words:
        if character in DIGITS:
            digit = DIGITS.index(character)
        else:
            total += digit * PLACES[character]
            digit = 0
    return total + digit


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "零"),
        (10, "壹拾"),
        (7_250, "柒仟贰佰伍拾"),
        (10_005, "壹万零伍"),
        (100_000_000_001, "壹仟亿零壹"),
        (120_000_340_000, "壹仟贰佰亿零叁拾肆万"),
    ],
)
def test_counts_in_words(count: int, words: str) -> None:
    assert format_count_words(count) == words
    for wrong in (-1, UNITS_MAX + 1):
        with pytest.raises(MalformedError):
            format_count_words(wrong)


@given(st.integers(0, UNITS_MAX))
@example(UNITS_MAX)
def test_counts_in_words_say_the_count(count: int) -> None:
    assert _read_whole(format_count_words(count)) == count


@given(st.integers(0, UNITS_MAX))
@example(UNITS_MAX)
def test_words_say_the_amount_and_no_zero_twice(fen: int) -> None:
    words = format_yuan_words(fen)
    assert _read_words(words) == fen
    assert "零零" not in words
    assert words.endswith("整") == (fen % 100 == 0)
    for wrong in ("零万", "零亿", "零角", "零分", "零整"):
        assert wrong not in words
    assert "零元" not in words or fen == 0


@given(st.integers(0, 10**10), st.integers(0, 8))
def test_words_of_round_amounts(value: int, zeros: int) -> None:
    fen = min(value * 10**zeros, UNITS_MAX)
    assert _read_words(format_yuan_words(fen)) == fen


@pytest.mark.parametrize("fen", [-1, UNITS_MAX + 1])
def test_amounts_that_no_account_holds_have_no_words(fen: int) -> None:
    with pytest.raises(MalformedError, match="expected an amount"):
        format_yuan_words(fen)


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (100, "1.00"),
        (123_456, "1,234.56"),
        (-5, "-0.05"),
        (-123_456, "-1,234.56"),
        (10**13, "100,000,000,000.00"),
    ],
)
def test_yuan(fen: int, text: str) -> None:
    assert format_yuan(fen) == text


@given(st.integers(-UNITS_MAX, UNITS_MAX))
def test_yuan_loses_nothing(fen: int) -> None:
    text = format_yuan(fen)
    assert int(text.replace(",", "").replace(".", "")) == fen
    assert text[-3] == "."


def test_numbers_have_thousands() -> None:
    assert format_number(1_234_567) == "1,234,567"
    assert format_number(-1000) == "-1,000"
    assert format_number(0) == "0"


def test_a_number_is_read_as_it_is_shown_or_typed() -> None:
    for text, number in (("1,234,567", 1_234_567), (" 70 ", 70), ("１２", 12), ("0", 0)):
        assert parse_number(text) == number
    for text in ("", "1,23", "1,2345", "-1", "1.5", "one", "9" * 17):
        assert parse_number(text) is None


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        ("2026-11-23T03:28:00.123456Z", "2026-11-23 11:28:00 UTC+08:00"),
        ("2021-12-31T16:00:00.000000Z", "2022-01-01 00:00:00 UTC+08:00"),
        ("2021-12-31T15:59:59.999999Z", "2021-12-31 23:59:59 UTC+08:00"),
        ("2024-02-28T23:00:00.000000Z", "2024-02-29 07:00:00 UTC+08:00"),
    ],
)
def test_times_are_told_in_china_with_their_zone(instant: str, text: str) -> None:
    assert format_instant(instant) == text


def test_ranges_are_told_from_first_to_last() -> None:
    assert format_ranges([(1_234_500, 1_244_500)]) == ["1,234,500–1,244,499"]
    assert format_ranges([(7, 8), (0, 2)]) == ["7", "0–1"]
    assert format_ranges([]) == []
    assert len(format_ranges([(n, n + 1) for n in range(0, 40, 2)])) == RANGES_SHOWN


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=60))
def test_per_cents_sum_to_a_hundred(parts: list[int]) -> None:
    points = [int(text.rstrip("%").replace(".", "")) for text in format_percents(parts)]
    whole = sum(parts)
    assert sum(points) == (10_000 if whole else 0)
    for part, point in zip(parts, points, strict=True):
        # Off by less than one hundredth of a per cent.
        assert abs(point * whole - part * 10_000) < max(whole, 1)


def test_per_cents_of_nothing_and_of_thirds() -> None:
    assert format_percents([]) == []
    assert format_percents([0, 0]) == ["0.00%", "0.00%"]
    assert format_percents([1, 1, 1]) == ["33.33%", "33.33%", "33.34%"]
    assert format_percents([5]) == ["100.00%"]
