"""Which column of a file is what.

A `Columns` names, for each thing that a gift needs, the header of the column that holds
it. `guess_columns` proposes one from headers that platforms and banks are known to use;
the proposal is shown to a person, who may name the columns instead.

Headers are compared by `header_key`: full-width forms, spaces, line breaks, zero-width
characters, case, and a unit in brackets make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from ledger.errors import MalformedError

HEADER_CHARS_MAX = 200
"""A header is cut after so many characters: a longer one is a title or a note."""

_INVISIBLE = dict.fromkeys(
    (
        *(0x00AD, 0x180E, 0x2060, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
)
_BRACKETS = re.compile(r"[(\[【](.*?)[)\]】]")
_SEPARATORS = re.compile(r"[\s_\-:]+")

_UNITS = {"元": "yuan", "人民币": "yuan", "人民币元": "yuan", "yuan": "yuan", "cny": "yuan"}
_UNITS |= {"rmb": "yuan", "分": "fen", "人民币分": "fen", "fen": "fen"}
_UNITS |= {unit: unit for unit in ("万元", "万", "千元", "亿元", "角", "美元", "usd", "港元")}

ALIASES: dict[str, tuple[str, ...]] = {
    "order_number": (
        "订单号", "订单编号", "交易单号", "交易订单号", "支付订单号", "捐赠订单号", "捐款订单号",
        "商户订单号", "商户单号", "支付宝交易号", "微信支付单号", "微信订单号", "支付交易号",
        "交易号", "交易流水号", "银行流水号", "流水号", "凭证号", "捐赠编号", "捐款编号", "单号",
        "order number", "order no", "order no.", "order id", "order", "transaction id",
        "transaction number", "trade no", "out trade no", "reference number", "reference",
    ),
    "amount": (
        "捐赠金额", "捐款金额", "交易金额", "订单金额", "支付金额", "实收金额", "到账金额",
        "收入金额", "贷方金额", "贷方发生额", "金额", "捐赠额", "捐款额",
        "amount", "donation amount", "gift amount", "amount yuan", "amount cny", "amount fen",
    ),
    "occurred_on": (
        "捐赠日期", "捐款日期", "交易日期", "支付日期", "到账日期", "入账日期", "日期",
        "捐赠时间", "捐款时间", "交易时间", "支付时间", "付款时间", "到账时间", "时间",
        "date", "donation date", "gift date", "occurred on", "day",
        "time", "paid at", "payment time", "transaction time", "donation time",
    ),
    "exact_time": (
        "捐赠时间", "捐款时间", "交易时间", "支付时间", "付款时间", "到账时间", "时间",
        "time", "exact time", "paid at", "payment time", "transaction time", "donation time",
    ),
    "donor_name": (
        "捐赠人姓名", "捐款人姓名", "捐赠人名称", "捐赠人", "捐款人", "捐赠者", "捐赠方",
        "捐赠人/单位", "捐赠单位", "捐款单位", "爱心人士", "姓名", "户名", "对方户名", "昵称",
        "donor name", "donor", "name",
    ),
    "message": (
        "捐赠留言", "捐款留言", "留言", "爱心留言", "祝福语", "寄语", "附言", "备注",
        "message", "comment", "remark", "remarks", "note",
    ),
    "contact": (
        "联系方式", "联系电话", "手机号码", "手机号", "手机", "电话号码", "电话", "邮箱",
        "contact", "phone", "phone number", "mobile", "telephone", "email",
    ),
}  # fmt: skip
"""Known headers of each column of a list of gifts of money, the likeliest first."""


def visible(text: str) -> str:
    """The text without zero-width characters, direction marks and soft hyphens."""
    return text if text.isascii() else text.translate(_INVISIBLE)


def clean_header(cell: object) -> str:
    """A header cell as a person reads it: one line, single spaces; "" where it is empty."""
    text = visible(unicodedata.normalize("NFC", str(cell)))
    return " ".join(text.split())[:HEADER_CHARS_MAX]


def header_key(text: str) -> str:
    """What is compared of a header: full-width folded, no case, spaces, dashes or brackets."""
    folded = visible(unicodedata.normalize("NFKC", text)).casefold()
    bare = _SEPARATORS.sub("", _BRACKETS.sub("", folded))
    # A header that is nothing but a bracket keeps it: "(合计)" is not the empty header.
    return bare or _SEPARATORS.sub("", folded)


def header_unit(text: str) -> str | None:
    """The unit that a header states: "yuan", "fen", another one as written, or None.

    `捐赠金额(元)` says yuan, `金额（分）` and `amount_fen` say fen, `金额(万元)` says 万元.
    """
    folded = visible(unicodedata.normalize("NFKC", text)).casefold()
    for bracketed in _BRACKETS.findall(folded):
        unit = _SEPARATORS.sub("", bracketed).removeprefix("单位").lstrip("+")
        if unit in _UNITS:
            return _UNITS[unit]
    last = _SEPARATORS.split(folded.strip())[-1]
    return _UNITS.get(last) if last.isascii() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The header of the column for each part of a gift; None where the file has none.

    Attributes:
        order_number, amount: Needed.
        occurred_on: The day, or a time whose day is taken.
        exact_time: The time as the channel gives it; kept sealed.
        donor_name, message, contact: Personal; kept sealed.
    """

    order_number: str
    amount: str
    occurred_on: str | None = None
    exact_time: str | None = None
    donor_name: str | None = None
    message: str | None = None
    contact: str | None = None

    def headers(self) -> dict[str, str]:
        """Part of a gift → header, without those that the file does not have."""
        pairs = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: header for name, header in pairs if header is not None}

    def places(self, header: Sequence[str]) -> dict[str, int]:
        """Part of a gift → 0-based place in the header row.

        Raises:
            MalformedError: a named header is not there, or there twice.
        """
        return {name: place_of(wanted, header, name) for name, wanted in self.headers().items()}


def place_of(wanted: str, header: Sequence[str], name: str) -> int:
    """The 0-based place of the column with a header.

    Args:
        wanted: The header.
        header: The header row.
        name: The part of a record that the column is for; errors name it.

    Raises:
        MalformedError: the header is not there, or there twice.
    """
    # The very header first: "金额(元)" and "金额(分)" may stand side by side.
    found = [place for place, one in enumerate(header) if one == clean_header(wanted)]
    found = found or [
        place for place, one in enumerate(header) if header_key(one) == header_key(wanted)
    ]
    if len(found) == 1 and header_key(wanted):
        return found[0]
    listed = ", ".join(f"'{one}'" for one in header if one)
    if not found or not header_key(wanted):
        raise MalformedError(
            f"expected a column with the header {wanted!r} for {name}, the file has {listed}; "
            "name one of these",
            code="column_missing",
            field=name,
        )
    letters = ", ".join(column_letters(place) for place in found)
    raise MalformedError(
        f"the header {wanted!r} for {name} stands over the columns {letters}; "
        "rename all but one of them in the file",
        code="column_ambiguous",
        field=name,
    )


def column_letters(place: int) -> str:
    """A 0-based column place as a spreadsheet shows it: 0 is A, 26 is AA."""
    letters = ""
    number = place + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Layout:
    """What a kind of list has: its parts, the headers known for each, and which it needs.

    Attributes:
        what: One row, in words.
        needed_in_words: What a header row is recognised by.
        aliases: Part → known headers, the likeliest first.
        needed: The parts without which it is no such list.
    """

    what: str
    needed_in_words: str
    aliases: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)
    """`aliases` as `header_key` compares them."""

    def __post_init__(self) -> None:
        keys = {name: tuple(map(header_key, some)) for name, some in self.aliases.items()}
        object.__setattr__(self, "keys", keys)

    def guess(
        self, header: Sequence[str], named: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Propose which column is what from the headers; a person confirms it.

        Args:
            header: The header texts, left to right, "" where a column has none.
            named: What a person has said already (part → header): taken as it is, and its
                columns are proposed for nothing else.

        Raises:
            MalformedError: no known header for a needed part, or `named` has a part that
                such lists do not have.
        """
        found = dict(named or {})
        if unknown := found.keys() - self.aliases.keys():
            raise MalformedError(
                f"expected parts of {self.what} ({', '.join(self.aliases)}), got "
                f"{', '.join(sorted(unknown))}",
                code="column_unknown",
            )
        taken = {header_key(one) for one in found.values()}
        keys = [header_key(one) for one in header]
        for name, aliases in self.keys.items():
            if name not in found:
                free = (alias for alias in aliases if alias in keys and alias not in taken)
                alias = next(free, None)
                if alias is not None:
                    found[name] = header[keys.index(alias)]
        for name in self.needed:
            if name not in found:
                listed = ", ".join(f"'{one}'" for one in header if one)
                raise MalformedError(
                    f"expected a header known for {name}, such as {self.aliases[name][0]}; the "
                    f"file has {listed}; name the column",
                    code="column_missing",
                    field=name,
                )
        return found


GIFTS = Layout("a gift", "an order number and an amount", ALIASES, ("order_number", "amount"))


def is_header(cells: Iterable[object], wanted: Sequence[str] = (), layout: Layout = GIFTS) -> bool:
    """Whether a row of cells is the header row.

    Args:
        cells: The row.
        wanted: The headers that it must contain; without any, it must contain a known
            header of each part that the layout needs.
        layout: What the list is of.
    """
    keys = {header_key(cell) for cell in cells if isinstance(cell, str)}
    if wanted:
        return all(header_key(one) in keys for one in wanted)
    return not any(keys.isdisjoint(layout.keys[name]) for name in layout.needed)


def guess_columns(header: Sequence[str], named: Mapping[str, str] | None = None) -> Columns:
    """Propose which column of a list of gifts is what; a person confirms it.

    Raises:
        MalformedError: as `Layout.guess`.
    """
    return Columns(**GIFTS.guess(header, named))
