"""How amounts, numbers and times are written for people.

Amounts are integers of fen in the ledger and yuan with two decimals on screen; amounts
in words follow the rules for filling in Chinese vouchers (正确填写票据和结算凭证的基本规定,
annex 1 of the Measures for Payment and Settlement, 1997). Times are shown in
Asia/Shanghai, with their zone (experience, "For everyone").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from ledger.errors import MalformedError
from ledger.sequencer import CHINA
from ledger.units import UNITS_MAX, Range
from ledger.verify import Language

FEN_PER_YUAN = 100
HASH_SHOWN = 16
"""Hex digits of a hash where its full form stands beside or behind it."""
RANGES_SHOWN = 6
"""Ranges of units in one cell; the others are counted."""
BASIS_POINTS = 10_000
ZONE = "UTC+08:00"

_SHORT: dict[Language, tuple[tuple[int, str], ...]] = {
    "zh": ((10**8, "{} 亿元"), (10**4, "{} 万元"), (1, "{} 元")),
    "en": ((10**9, "¥{}bn"), (10**6, "¥{}m"), (10**3, "¥{}k"), (1, "¥{}")),
}
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("仟", "佰", "拾", "")
_WAN, _YI = 10**4, 10**8
_NUMBER = re.compile(r"[0-9]{1,16}|[0-9]{1,3}(,[0-9]{3}){1,5}")


def format_number(value: int) -> str:
    """A whole number with thousands separated: ``1,234,567``."""
    return f"{value:,}"


def parse_number(text: str) -> int | None:
    """A whole number as it is typed, or copied from a page (``1,234,567``, also full-width).

    None for what is none.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    return int(plain.replace(",", "")) if _NUMBER.fullmatch(plain) else None


def format_yuan(fen: int) -> str:
    """An amount of fen as yuan with two decimals: 123456 is ``1,234.56``."""
    sign = "-" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{yuan:,}.{rest:02d}"


def format_yuan_short(fen: int, language: Language) -> str:
    """An amount, rounded down, that fits beside a drawing: 228.04 万元, ¥2.28m; 20 万元, ¥200k."""
    units = _SHORT[language]
    least, written = next((one for one in units if fen >= one[0] * FEN_PER_YUAN), units[-1])
    return written.format(format_yuan(fen // least).removesuffix(".00"))


def format_yuan_words(fen: int) -> str:
    """An amount in words, 人民币大写, as it stands on receipts: 140950 is 壹仟肆佰零玖元伍角.

    整 follows where the amount ends with 元; where the rules leave it free to write 零
    (元 or 万 is zero and the next place is not), none is written.

    Raises:
        MalformedError: below zero, or more than an account can number.
    """
    if not 0 <= fen <= UNITS_MAX:
        raise MalformedError(f"expected an amount from 0 to {UNITS_MAX} fen, got {fen}")
    yuan, rest = divmod(fen, FEN_PER_YUAN)
    jiao, single = divmod(rest, 10)
    words = f"{_whole_words(yuan)}元" if yuan else ""
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    if single:
        words += ("零" if yuan and not jiao else "") + f"{_DIGITS[single]}分"
    if not words:
        words = "零元"
    return words if rest else f"{words}整"


def format_count_words(count: int) -> str:
    """A whole number in the same words: 7250 is 柒仟贰佰伍拾, for goods and points on receipts.

    Raises:
        MalformedError: below zero, or more than an account can number.
    """
    if not 0 <= count <= UNITS_MAX:
        raise MalformedError(f"expected a count from 0 to {UNITS_MAX}, got {count}")
    return _whole_words(count) if count else _DIGITS[0]


def _whole_words(value: int) -> str:
    """A whole number over 0 in words, by groups: what is before 亿, before 万, and the rest."""
    for unit, name in ((_YI, "亿"), (_WAN, "万")):
        if value >= unit:
            high, low = divmod(value, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return f"{_whole_words(high)}{name}{gap}{_whole_words(low) if low else ''}"
    words = ""
    for place, digit in zip(_PLACES, f"{value:04d}", strict=True):
        if digit != "0":
            words += _DIGITS[int(digit)] + place
        elif words and not words.endswith("零"):
            words += "零"
    return words.rstrip("零")


def format_instant(text: str) -> str:
    """An entry's instant (UTC, ``2026-11-23T03:28:00.123456Z``) in Asia/Shanghai, with its zone."""
    local = datetime.fromisoformat(text).astimezone(CHINA)
    return f"{local:%Y-%m-%d %H:%M:%S} {ZONE}"


def format_ranges(ranges: Sequence[Range]) -> list[str]:
    """Half-open ranges as people count, first to last: ``1,234,500–1,244,499``.

    Gives at most `RANGES_SHOWN`; the caller tells how many more there are.
    """
    return [
        format_number(first) if end - first == 1 else f"{first:,}–{end - 1:,}"
        for first, end in ranges[:RANGES_SHOWN]
    ]


def format_percents(parts: Sequence[int]) -> list[str]:
    """Parts of a whole as per cent with two decimals that sum to exactly 100.00.

    Each border between two parts is rounded down once, so no part is off by more than
    a hundredth of a per cent.
    """
    whole = sum(parts)
    if whole <= 0:
        return ["0.00%"] * len(parts)
    texts: list[str] = []
    passed, before = 0, 0
    for part in parts:
        passed += part
        border = passed * BASIS_POINTS // whole
        points = border - before
        texts.append(f"{points // 100}.{points % 100:02d}%")
        before = border
    return texts


def format_share(part: int, whole: int) -> str:
    """A part of a whole as per cent with two decimals, rounded down; empty for no whole."""
    if whole <= 0:
        return ""
    points = part * BASIS_POINTS // whole
    return f"{points // 100}.{points % 100:02d}%"
