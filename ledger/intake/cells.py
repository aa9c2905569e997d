"""One cell of a file → one value of a gift, or the reason why not.

Every function takes a cell as the reader gives it (text, number, date) and gives a value,
or raises `MalformedError` with a stable ``code`` and, in ``details``, the ``reason`` and
the ``remedy``. Nothing is rounded, guessed or cut: what a spreadsheet has already
destroyed (the digits of a long number) is refused, because nobody can tell it back.

Money goes through decimal text to integer fen; no float takes part (style, rule 10).
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from typing import Literal, NoReturn

from ledger.errors import MalformedError
from ledger.intake.columns import visible
from ledger.records.kind import SCIENTIFIC

Cell = str | int | float | bool | dt.datetime | dt.date | dt.time | dt.timedelta
Unit = Literal["yuan", "fen"]

AMOUNT_FEN_MAX = 10**13
"""The most that one gift can be, 100,000,000,000 yuan: more is a mistaken unit."""
CELL_CHARS_MAX = 32_767
"""What spreadsheet programs hold in one cell; a longer one is not looked at."""
ORDER_CHARS_MAX = 100
"""The longest order number that a record holds."""
EXACT_DIGITS_MAX = 15
"""A spreadsheet keeps so many digits of a number; the others become zeros."""
ROUNDED_ZEROS_MIN = 8
"""So many zeros after the 15th digit are a spreadsheet's, not an order's (1 in 10^8)."""
DAY_MIN = "2000-01-01"
"""No day before this is recorded: an older one is a mistyped date."""
DAY_CHARS = len(DAY_MIN)
SERIAL_MIN, SERIAL_MAX = 29_221, 73_415
"""Day numbers of a spreadsheet taken as dates: 1980-01-01 to 2100-12-31."""
TIME_CHARS_MAX = 40
SHOWN_CHARS_MAX = 40

REPLACEMENT = "\ufffd"
"""Stands for a character that no record may hold (control, private use, unassigned)."""

_is_normalized = unicodedata.is_normalized
_ROUNDED_END = "0" * ROUNDED_ZEROS_MIN
_SERIAL_DAY_0 = dt.datetime(1899, 12, 30)
_SHANGHAI = dt.timezone(dt.timedelta(hours=8))
_FORMULA_STARTS = ("=", "+", "-", "@")
_NUMBER = re.compile(r"[0-9]+")
_SCIENTIFIC_AMOUNT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?[eE][+-]?[0-9]+")
_AMOUNT = re.compile(
    r"(?:CNY|RMB|人民币)?¥?\+?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?元?",
    re.IGNORECASE,
)
_QUANTITY = re.compile(r"\+?([-−]?)([0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18})(?:\.([0-9]*))?")
_NEGATIVE = re.compile(r"[-−‒–—(].*[0-9].*|¥-.*[0-9].*")
_ORDER_SIGNS = frozenset("-_./:*+@|=()&,~")
_PLAIN_ORDER = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9][A-Za-z0-9_./:*+@|=()&,~-]{0,99}")
"""What `_checked_order` would give back as it is: most orders, without a look at each sign."""
_DAY = re.compile(
    r"(?P<year>[0-9]{4})(?:"
    r"(?P<sign>[-/.])(?P<month>[0-9]{1,2})(?P=sign)(?P<day>[0-9]{1,2})"
    r"|年(?P<month2>[0-9]{1,2})月(?P<day2>[0-9]{1,2})日"
    r"|(?P<month3>[0-9]{2})(?P<day3>[0-9]{2})"
    r")"
    r"(?:[T ]*(?P<hour>[0-9]{1,2})[:时](?P<minute>[0-9]{2})(?:[:分](?P<second>[0-9]{2}))?"
    r"(?:\.[0-9]{1,9}|秒)?"
    r"|(?P<hour2>[0-9]{2})(?P<minute2>[0-9]{2})(?P<second2>[0-9]{2}))?"
    r" *(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)


def show(cell: object) -> str:
    """A cell as it stands in a message or a list of errors: one line, cut where long."""
    text = " ".join(str(cell).split())
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"


def format_yuan(fen: int) -> str:
    """Integer fen as yuan with two decimals and thousands separators: ``1,234.50``."""
    return f"{fen // 100:,}.{fen % 100:02d}"


def is_blank(cell: object) -> bool:
    """Whether a cell shows nothing: empty, or only spaces and zero-width characters."""
    return isinstance(cell, str) and not visible(cell).strip()


def _refuse(code: str, reason: str, remedy: str) -> NoReturn:
    raise MalformedError(
        f"{reason}; {remedy}", code=code, details={"reason": reason, "remedy": remedy}
    )


def _key_text(cell: str) -> str:
    """The text of a cell in a key column: full-width folded, without padding.

    Platforms put a backtick or an apostrophe before a number so that spreadsheets leave
    its digits alone; it is no part of it.
    """
    text = cell.strip()
    if len(text) > CELL_CHARS_MAX:
        _refuse(
            "cell_too_long",
            f"expected at most {CELL_CHARS_MAX:,} characters in a cell, got {len(text):,}",
            "correct the cell",
        )
    if not text.isascii():
        text = visible(unicodedata.normalize("NFKC", text)).strip()
    if text[:1] in ("`", "'"):
        text = text[1:].lstrip()
    return text


def amount_fen(cell: Cell, unit: Unit = "yuan") -> int:
    """An amount as integer fen, at least 1.

    Args:
        cell: A number, or a text such as ``12``, ``1,234.50``, ``￥12``, ``12.5元``.
        unit: What the number counts: yuan with at most two decimals, or whole fen.

    Raises:
        MalformedError: ``amount_missing``, ``amount_unreadable``, ``amount_scientific``,
            ``amount_decimals``, ``amount_negative``, ``amount_zero``, ``amount_too_large``.
    """
    if isinstance(cell, str):
        text = _key_text(cell)
        if not text:
            _refuse("amount_missing", "expected an amount, the cell is empty", "fill it in")
        found = _AMOUNT.fullmatch(text.replace(" ", ""))
        if found is None:
            _refuse_amount_text(cell, text)
        whole, decimals = found.group(1).replace(",", ""), found.group(2) or ""
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
        text = repr(cell)
        if text[0] == "-":
            _refuse_amount_text(cell, text)
        whole, _, decimals = text.partition(".")
        decimals = "" if decimals == "0" else decimals
        if "e" in text and cell == cell:  # 1e+16, 1e-05: the number itself is out of range
            whole, decimals = ("9" * (EXACT_DIGITS_MAX + 2), "") if cell > 1 else ("0", "000")
        elif not whole.isdigit() or (decimals and not decimals.isdigit()):
            _refuse_amount_text(cell, text)
    else:
        _refuse_amount_text(cell, "")
    return _fen(cell, whole, decimals, unit)


def _fen(cell: Cell, whole: str, decimals: str, unit: Unit) -> int:
    allowed = 2 if unit == "yuan" else 0
    if len(decimals) > allowed:
        _refuse(
            "amount_decimals",
            f"expected at most {allowed} decimals of a {unit}, got {show(cell)!r}",
            "write the amount that was really paid, rounded by nobody"
            if unit == "yuan"
            else "say that the column is in yuan, if it is",
        )
    if len(whole) > EXACT_DIGITS_MAX + 1:
        fen = AMOUNT_FEN_MAX + 1
    else:
        fen = int(whole + decimals.ljust(allowed, "0"))
    if fen > AMOUNT_FEN_MAX:
        _refuse(
            "amount_too_large",
            f"expected at most {AMOUNT_FEN_MAX // 100:,} yuan, got {show(cell)!r}",
            "check whether the column holds something else, such as order numbers",
        )
    if fen == 0:
        _refuse(
            "amount_zero",
            f"expected an amount above zero, got {show(cell)!r}",
            "delete the row: nothing was given",
        )
    return fen


def _refuse_amount_text(cell: Cell, text: str) -> NoReturn:
    shown = show(cell)
    if _NEGATIVE.fullmatch(text):
        _refuse(
            "amount_negative",
            f"expected an amount above zero, got {shown!r}",
            "delete the row and record the refund as a refund of its gift",
        )
    if _SCIENTIFIC_AMOUNT.fullmatch(text):
        _refuse(
            "amount_scientific",
            f"expected an amount such as 12.50, got {shown!r} in scientific notation",
            "format the column as a number with two decimals and export it again",
        )
    _refuse(
        "amount_unreadable",
        f"expected an amount such as 12.50 or 1,234.50, got {shown!r}",
        "write the number alone",
    )


def quantity(cell: Cell) -> int:
    """A whole number of units, of either sign: what it may be is the reader's business.

    Args:
        cell: A number, or a text such as ``1,200``, ``-1`` or ``300.0``.

    Raises:
        MalformedError: ``quantity_missing``, ``quantity_decimals`` or
            ``quantity_unreadable`` (text, scientific notation, over 18 digits).
    """
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        text = repr(cell)
    else:
        text = _key_text(cell) if isinstance(cell, str) else ""
        if isinstance(cell, str) and not text:
            _refuse("quantity_missing", "expected a quantity, the cell is empty", "fill it in")
    found = _QUANTITY.fullmatch(text.replace(" ", ""))
    if found is None:
        _refuse(
            "quantity_unreadable",
            f"expected a whole number such as 1200, got {show(cell)!r}",
            "write the number alone, without its unit",
        )
    if (found.group(3) or "").strip("0"):
        _refuse(
            "quantity_decimals",
            f"expected a whole number of units, got {show(cell)!r}",
            "state the quantity in a smaller unit, in which it is whole",
        )
    whole = int(found.group(2).replace(",", ""))
    return -whole if found.group(1) else whole


def order_number(cell: Cell) -> str:
    """An order number as text, without padding and inner spaces.

    Args:
        cell: Text; or a whole number of at most 15 digits, which a spreadsheet keeps.

    Raises:
        MalformedError: ``order_missing``, ``order_destroyed`` (scientific notation, more
            digits than a number keeps, a fraction), ``order_formula``, ``order_unreadable``,
            ``order_too_long``.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if not (text.isdigit() and text.isascii()) and (
            _PLAIN_ORDER.fullmatch(text) is None or SCIENTIFIC.fullmatch(text)
        ):
            text = _checked_order(cell)
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
        text = _whole(cell)
        if len(text) > EXACT_DIGITS_MAX:
            _refuse_destroyed(cell)
    else:
        text = ""
    if not text:
        _refuse(
            "order_unreadable",
            f"expected an order number as text, got {show(cell)!r}",
            "format the column as text and export it again",
        )
    if len(text) > ORDER_CHARS_MAX:
        _refuse(
            "order_too_long",
            f"expected an order number of at most {ORDER_CHARS_MAX} characters, got {len(text)}",
            "check whether this is the column of order numbers",
        )
    if text.endswith(_ROUNDED_END) and is_rounded(text, ROUNDED_ZEROS_MIN):
        _refuse_destroyed(cell)
    return text


def _whole(cell: int | float) -> str:
    """The digits of a whole number that is not negative; "" of any other."""
    text = repr(cell) if isinstance(cell, int) else f"{cell:.0f}"
    return text if text.isdigit() and (isinstance(cell, int) or float(text) == cell) else ""


def is_rounded(order: str, zeros_min: int = 1) -> bool:
    """Whether all digits after the 15th, at least `zeros_min` of them, are zeros."""
    tail = order[EXACT_DIGITS_MAX:]
    return len(tail) >= zeros_min and order.isdigit() and not tail.strip("0")


def _checked_order(cell: str) -> str:
    text = "".join(_key_text(cell).split())
    if not text:
        _refuse(
            "order_missing",
            "expected an order number, the cell is empty",
            "fill it in, or delete the row if it is no gift",
        )
    if text.startswith(_FORMULA_STARTS):
        _refuse(
            "order_formula",
            f"expected an order number, got {show(cell)!r}, which begins like a formula",
            "replace the formula by its value",
        )
    if SCIENTIFIC.fullmatch(text):
        _refuse_destroyed(cell)
    for character in text:
        if not (character.isalnum() or character in _ORDER_SIGNS):
            _refuse(
                "order_unreadable",
                f"expected letters, digits and signs such as - and /, got {show(cell)!r} "
                f"with the character U+{ord(character):04X}",
                "correct the order number",
            )
    if _NUMBER.search(text) is None:
        _refuse(
            "order_unreadable",
            f"expected an order number with at least one digit, got {show(cell)!r}",
            "correct it, or delete the row if it is no gift",
        )
    return unicodedata.normalize("NFC", text)


def _refuse_destroyed(cell: Cell) -> NoReturn:
    _refuse(
        "order_destroyed",
        f"expected an order number as text, got {show(cell)!r}: a spreadsheet has replaced "
        "its last digits by zeros or a power of ten",
        "export the list again with this column as text; do not open and save it as CSV",
    )


def day(cell: Cell) -> str:
    """The day of a date or a time in Shanghai, as ``2020-01-25``.

    Args:
        cell: A date; a day number of a spreadsheet; or a text such as ``2020-01-25``,
            ``2020/1/25``, ``2020年1月25日``, ``20200125``, each also with a time behind it.
            A time with a zone is turned into Shanghai's.

    Raises:
        MalformedError: ``date_missing``, ``date_unreadable`` or ``date_too_early``.
    """
    found = moment_of(cell)
    text = found.isoformat()[:DAY_CHARS]
    if text < DAY_MIN:
        _refuse(
            "date_too_early",
            f"expected a day from {DAY_MIN} on, got {show(cell)!r}",
            "correct the date",
        )
    return text


def moment_of(cell: Cell) -> dt.datetime | dt.date:
    """The time (with a clock) or the day (without one) that a cell means, in Shanghai.

    Raises:
        MalformedError: ``date_missing`` or ``date_unreadable``.
    """
    if isinstance(cell, (dt.datetime, dt.date)):
        return cell
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if SERIAL_MIN <= cell <= SERIAL_MAX:
            moment = _SERIAL_DAY_0 + dt.timedelta(seconds=round(cell * 86_400))
            return moment.date() if cell == int(cell) else moment
        text = _whole(cell)
    else:
        text = _key_text(cell) if isinstance(cell, str) else ""
    if isinstance(cell, str) and not text:
        _refuse("date_missing", "expected a date, the cell is empty", "fill it in")
    found = _DAY.fullmatch(text)
    moment_or_none = _from_match(found) if found else None
    if moment_or_none is None:
        _refuse(
            "date_unreadable",
            f"expected a date such as 2020-01-25 or 2020年1月25日, got {show(cell)!r}",
            "write year, month and day in this order",
        )
    return moment_or_none


def _from_match(found: re.Match[str]) -> dt.datetime | dt.date | None:
    parts = found.groupdict()
    numbers = [
        int(next((parts[key] for key in keys if parts[key] is not None), "0"))
        for keys in (
            ("year",),
            ("month", "month2", "month3"),
            ("day", "day2", "day3"),
            ("hour", "hour2"),
            ("minute", "minute2"),
            ("second", "second2"),
        )
    ]
    clock = parts["hour"] is not None or parts["hour2"] is not None
    zone = parts["zone"]
    if zone is not None and not clock:
        return None
    try:
        moment = dt.datetime(*numbers)  # type: ignore[arg-type]
        if zone is not None:
            offset = "+00:00" if zone in ("Z", "UTC") else zone
            minutes = int(offset[1:3]) * 60 + int(offset[-2:])
            east = dt.timedelta(minutes=-minutes if offset[0] == "-" else minutes)
            moment = moment.replace(tzinfo=dt.timezone(east)).astimezone(_SHANGHAI)
    except (ValueError, OverflowError):
        return None
    return moment if clock else moment.date()


def exact_time(cell: Cell) -> str | None:
    """The channel's time as text: ``2020-01-25 10:01:02`` where it is readable as a time.

    A text that is not is kept as it stands (at most 40 characters); None where it is empty.

    Raises:
        MalformedError: ``text_too_long`` or ``text_unreadable``.
    """
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ", "seconds")
    if is_blank(cell):
        return None
    if isinstance(cell, dt.time):
        return cell.isoformat(timespec="seconds")
    try:
        moment = moment_of(cell)
    except MalformedError:
        return text(cell, TIME_CHARS_MAX)
    if isinstance(moment, dt.datetime):
        return moment.replace(tzinfo=None).isoformat(" ", "seconds")
    return moment.isoformat()


def text(cell: Cell, limit: int) -> str | None:
    """A free text in NFC on one line; None where the cell is empty.

    Zero-width characters go, every run of white space becomes one space, and a character
    that no record may hold becomes U+FFFD. A text that begins with ``=`` is a text.

    Args:
        cell: Any cell; a whole number (a telephone number) is written without a point.
        limit: The most characters that the record takes.

    Raises:
        MalformedError: ``text_too_long``, or ``text_unreadable`` for a number with more
            digits than a spreadsheet keeps.
    """
    if isinstance(cell, str):
        result = cell.strip()
        # Nothing printable is zero-width, a control or white space other than the space.
        if (
            result.isprintable()
            and (result.isascii() or _is_normalized("NFC", result))
            and "  " not in result
        ):
            # Most texts are as they may stay.
            if len(result) <= limit and not result.startswith("'"):
                return result or None
        elif len(result) > CELL_CHARS_MAX:
            _refuse_long(len(result), limit)
        else:
            result = _clean(result)
        # The apostrophe with which lists are made safe to open is no part of the text.
        if result[:1] == "'" and result[1:].startswith(_FORMULA_STARTS):
            result = result[1:]
    elif isinstance(cell, float):
        if cell != cell or abs(cell) >= 10**EXACT_DIGITS_MAX:
            _refuse(
                "text_unreadable",
                f"expected a text, got the number {show(cell)!r}, whose last digits a "
                "spreadsheet may have replaced by zeros",
                "format the column as text and export it again",
            )
        result = f"{cell:.0f}" if cell.is_integer() else repr(cell)
    else:
        result = str(cell)
    if len(result) > limit:
        _refuse_long(len(result), limit)
    return result or None


def _refuse_long(length: int, limit: int) -> NoReturn:
    _refuse(
        "text_too_long", f"expected at most {limit} characters, got {length}", "shorten the text"
    )


def _clean(raw: str) -> str:
    normal = " ".join(unicodedata.normalize("NFC", visible(raw)).split())
    if normal.isprintable():
        return normal
    category: Callable[[str], str] = unicodedata.category
    return "".join(
        REPLACEMENT if category(one) in ("Cc", "Cs", "Co", "Cn") else one for one in normal
    )
