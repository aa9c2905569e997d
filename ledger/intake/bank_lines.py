"""A bank's statement → its lines, with totals that tie, or everything that is wrong with it.

Banks give two columns (credit, debit), or one amount with a sign or a word for the direction,
and mostly the balance after each line, the newest line first or last. With balances, each line
is held against the one before it, so that a line that is missing, altered or in the wrong place
is found; without them, a person says the opening and the closing balance. Either way opening +
in - out = closing, or the statement is refused.

A line is named by its row in the file, which `BankStatement.sha256` fixes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from ledger.errors import MalformedError, RejectedError
from ledger.intake.cells import Cell, amount_fen, day, format_yuan, is_blank, show, text
from ledger.intake.columns import Layout, header_key, place_of
from ledger.intake.gift_rows import NAME_CHARS_MAX, TEXT_CHARS_MAX, TOTAL_WORDS, RowError
from ledger.intake.sheets import Row, Table, parse_table

T = TypeVar("T")

LINES_MAX = 20_000
"""Lines of one statement; a longer one is given in parts."""
ERRORS_MAX = 200
"""So many things that are wrong are told at once."""

_SHARED: Mapping[str, tuple[str, ...]] = {
    "occurred_on": (
        "交易日期", "记账日期", "入账日期", "记账日", "交易日", "交易时间", "入账时间", "日期",
        "date", "transaction date", "booking date", "value date",
    ),
    "balance": ("余额", "账户余额", "交易后余额", "本次余额", "当前余额", "balance"),
    "payer": (
        "对方户名", "对方名称", "对方账户名称", "对方单位名称", "付款人", "付款方", "付款人名称",
        "交易对方", "户名", "counterparty", "payer", "name",
    ),
    "reference": (
        "交易流水号", "流水号", "交易参考号", "凭证号", "凭证号码", "订单号", "交易单号",
        "reference", "transaction id", "order number",
    ),
    "remark": (
        "附言", "摘要", "用途", "备注", "交易附言", "交易摘要",
        "remark", "remarks", "description", "details", "summary",
    ),
}  # fmt: skip
SIDES = Layout(
    "a bank line",
    "a day and what came in",
    {
        **_SHARED,
        "credit": (
            "贷方发生额", "贷方金额", "贷方", "收入金额", "收入", "存入金额", "转入金额", "存入",
            "credit", "credit amount", "money in", "paid in", "deposit",
        ),
        "debit": (
            "借方发生额", "借方金额", "借方", "支出金额", "支出", "支取金额", "转出金额", "支取",
            "debit", "debit amount", "money out", "paid out", "withdrawal",
        ),
    },
    ("occurred_on", "credit"),
)  # fmt: skip
"""What came in and what went out stand in two columns."""
SIGNED = Layout(
    "a bank line",
    "a day and an amount",
    {
        **_SHARED,
        "amount": ("交易金额", "发生额", "金额", "amount", "transaction amount"),
        "direction": (
            "借贷标志", "借贷方向", "借贷", "收支", "收/支", "收支类型", "交易方向", "direction",
        ),
    },
    ("occurred_on", "amount"),
)  # fmt: skip
"""One column has both, told apart by a sign or a word."""

_IN = frozenset(("贷", "贷方", "收", "收入", "转入", "来账", "c", "cr", "credit", "in", "+"))
_OUT = frozenset(("借", "借方", "支", "支出", "转出", "往账", "d", "dr", "debit", "out", "-"))


@dataclass(frozen=True, slots=True)
class BankLine:
    """One line: its row, its day, what it moved (below zero: out), and what the bank tells."""

    row: int
    day: str
    moved_fen: int
    balance_fen: int | None = None
    payer: str | None = field(default=None, repr=False)
    reference: str | None = field(default=None, repr=False)
    remark: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """A statement whose totals tie.

    Attributes:
        sha256: Of the file.
        lines: By rising time, whatever the file's order was.
        by_balances: Whether each line was held against the balance before it.
        left_out: Rows that are no lines: totals and notes.
    """

    sha256: str
    period_from: str
    period_to: str
    opening_fen: int
    closing_fen: int
    lines: tuple[BankLine, ...] = field(repr=False)
    by_balances: bool
    left_out: int

    @property
    def credits(self) -> tuple[BankLine, ...]:
        """The lines that brought something."""
        return tuple(line for line in self.lines if line.moved_fen > 0)

    @property
    def credits_fen(self) -> int:
        """What came in."""
        return sum(line.moved_fen for line in self.credits)

    @property
    def outgoing(self) -> tuple[BankLine, ...]:
        """The lines that took something out."""
        return tuple(line for line in self.lines if line.moved_fen < 0)

    @property
    def debits(self) -> int:
        """How many lines took something out."""
        return len(self.outgoing)

    @property
    def debits_fen(self) -> int:
        """What went out."""
        return -sum(line.moved_fen for line in self.outgoing)


class StatementError(RejectedError):
    """Rows that keep a statement from being taken; `errors` names each."""

    default_code = "statement_rows"

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(f"{len(errors)} cells of the statement are wrong: correct them")
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a person says of a statement; None where the file is to tell."""

    opening_fen: int | None = None
    closing_fen: int | None = None
    period_from: str | None = None
    period_to: str | None = None


def read_bank_statement(name: str, data: bytes, stated: Stated, today: str) -> BankStatement:
    """Read a statement.

    Args:
        name: The file's name, for messages only.
        data: The whole file.
        stated: Balances and period, where a person says them.
        today: No line is later.

    Raises:
        MalformedError: it is no spreadsheet with a day and an amount, has no lines or too many.
        StatementError: cells are wrong, or balances do not follow from each other.
        RejectedError: the totals do not tie, or the period does not hold the lines.
    """
    table, layout = _table(name, data)
    headers = layout.guess(table.columns)
    places = {part: place_of(header, table.columns, part) for part, header in headers.items()}
    reader = _Reader(table, places, today)
    lines = reader.lines()
    if reader.errors:
        raise StatementError(reader.errors[:ERRORS_MAX])
    if not 0 < len(lines) <= LINES_MAX:
        raise MalformedError(
            f"expected 1 to {LINES_MAX:,} lines, got {len(lines):,}; give the statement in parts",
            code="statement_size",
            field="file",
        )
    by_balances = all(line.balance_fen is not None for line in lines)
    if by_balances:
        lines = _in_order(lines, table.columns[places["balance"]])
    elif lines[0].day > lines[-1].day:
        lines.reverse()
    opening, closing = _ends(lines, by_balances, stated)
    days = [line.day for line in lines]
    first, last = stated.period_from or min(days), stated.period_to or max(days)
    if not first <= min(days) <= max(days) <= last:
        raise RejectedError(
            f"the lines are of {min(days)} to {max(days)}, not all within {first} to {last}",
            code="period_differs",
            field="period_from" if first > min(days) else "period_to",
        )
    return BankStatement(
        sha256=table.source.sha256,
        period_from=first,
        period_to=last,
        opening_fen=opening,
        closing_fen=closing,
        lines=tuple(lines),
        by_balances=by_balances,
        left_out=reader.left_out,
    )


def _table(name: str, data: bytes) -> tuple[Table, Layout]:
    """The table by the layout that its header has: two sides first."""
    try:
        return parse_table(name, data, layout=SIDES), SIDES
    except MalformedError as error:
        if error.code != "header_missing":
            raise
    return parse_table(name, data, layout=SIGNED), SIGNED


class _Reader:
    """Reads the rows of one statement; everything that is wrong is kept."""

    def __init__(self, table: Table, places: Mapping[str, int], today: str) -> None:
        self._table = table
        self._places = places
        self._today = today
        self.errors: list[RowError] = []
        self.left_out = 0

    def lines(self) -> list[BankLine]:
        """The lines in the file's order; rows that are none are counted."""
        found = []
        for row in self._table.rows:
            line = self._line(row)
            if line is not None:
                found.append(line)
        return found

    def _cell(self, row: Row, part: str) -> Cell:
        place = self._places.get(part)
        return "" if place is None else row.cells[place]

    def _line(self, row: Row) -> BankLine | None:
        money = [self._cell(row, part) for part in ("credit", "debit", "amount")]
        undated = is_blank(self._cell(row, "occurred_on"))
        if _is_total(row.cells) or (undated and all(map(is_blank, money))):
            self.left_out += 1
            return None
        when = self._read(row, "occurred_on", self._day)
        moved = self._moved(row)
        if moved == 0:
            self.left_out += 1  # "Brought forward" and its like.
            return None
        balance = None
        if not is_blank(self._cell(row, "balance")):
            balance = self._read(row, "balance", signed_fen)
        payer = self._read(row, "payer", _name)
        reference = self._read(row, "reference", _name)
        remark = self._read(row, "remark", _remark)
        if when is None or moved is None:
            return None
        return BankLine(row.number, when, moved, balance, payer, reference, remark)

    def _moved(self, row: Row) -> int | None:
        """What the line moved; 0 where it moved nothing, None where that is wrong."""
        if "amount" in self._places:
            moved = self._read(row, "amount", signed_fen)
            if moved is None or "direction" not in self._places:
                return moved
            word = header_key(str(self._cell(row, "direction")))
            if word not in _IN | _OUT:
                self._refuse(row, "direction", "direction_unknown", "expected 贷 or 借, in or out")
                return None
            return abs(moved) if word in _IN else -abs(moved)
        came = self._read(row, "credit", signed_fen)
        went = self._read(row, "debit", signed_fen)
        if came is None or went is None:
            return None
        if came and went:
            self._refuse(row, "debit", "both_sides", "expected one side, both have an amount")
            return None
        return came - went

    def _read(self, row: Row, part: str, read: Callable[[Cell], T]) -> T | None:
        """A cell, or None with the error kept."""
        try:
            return read(self._cell(row, part))
        except MalformedError as error:
            reason = str(error.details.get("reason", error.message))
            remedy = str(error.details.get("remedy", ""))
            self._refuse(row, part, error.code, reason, remedy)
            return None

    def _refuse(self, row: Row, part: str, code: str, reason: str, remedy: str = "") -> None:
        cell = self._cell(row, part)
        self.errors.append(
            RowError(
                row=row.number,
                column=self._table.columns[self._places[part]] if part in self._places else "",
                value=show(cell),
                code=code,
                reason=reason,
                remedy=remedy or "correct the cell",
            )
        )

    def _day(self, cell: Cell) -> str:
        found = day(cell)
        if found > self._today:
            raise MalformedError(
                f"expected a day until {self._today}, got {found}", code="date_in_future"
            )
        return found


def signed_fen(cell: Cell) -> int:
    """An amount of yuan in fen: zero, below zero and nothing at all (0) are allowed.

    Raises:
        MalformedError: as `amount_fen`.
    """
    sign = 1
    if isinstance(cell, str):
        bare = cell.strip()
        if bare in ("", "-", "--"):
            return 0
        if bare[0] in "-−－":
            sign, cell = -1, bare[1:]
        elif bare[0] == "+":
            cell = bare[1:]
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool) and cell < 0:
        sign, cell = -1, -cell
    try:
        return sign * amount_fen(cell, "yuan")
    except MalformedError as error:
        if error.code == "amount_zero":
            return 0
        raise


def _name(cell: Cell) -> str | None:
    return text(cell, NAME_CHARS_MAX)


def _remark(cell: Cell) -> str | None:
    return text(cell, TEXT_CHARS_MAX)


def _is_total(cells: Sequence[Cell]) -> bool:
    first = next((cell for cell in cells if not is_blank(cell)), "")
    return isinstance(first, str) and header_key(first) in TOTAL_WORDS


def _in_order(lines: list[BankLine], column: str) -> list[BankLine]:
    """The lines by rising time, each held against the balance before it.

    Raises:
        StatementError: they follow in neither order; the first that does not is named.
    """
    rising, falling = _break(lines), _break(lines[::-1])
    if rising is None:
        return lines
    if falling is None:
        return lines[::-1]
    # The order that goes well for longer is the file's.
    ordered = lines if rising >= falling else lines[::-1]
    at = max(rising, falling)
    line, before = ordered[at], ordered[at - 1].balance_fen or 0
    raise StatementError(
        [
            RowError(
                row=line.row,
                column=column,
                value=_yuan(line.balance_fen or 0),
                code="balance_breaks",
                reason=f"expected a balance of {_yuan(before + line.moved_fen)} yuan after "
                f"row {ordered[at - 1].row}, got {_yuan(line.balance_fen or 0)}",
                remedy="find the line that is missing, altered or in the wrong place",
            )
        ]
    )


def _break(lines: Sequence[BankLine]) -> int | None:
    """The first line whose balance does not follow from the one before; None where all do."""
    for at, (before, line) in enumerate(pairwise(lines), 1):
        if (before.balance_fen or 0) + line.moved_fen != line.balance_fen:
            return at
    return None


def _ends(lines: Sequence[BankLine], by_balances: bool, stated: Stated) -> tuple[int, int]:
    """The opening and the closing balance.

    Raises:
        RejectedError: nobody says them, or they do not tie with the lines.
    """
    moved = sum(line.moved_fen for line in lines)
    opening, closing = stated.opening_fen, stated.closing_fen
    if by_balances:
        found = (lines[0].balance_fen or 0) - lines[0].moved_fen, lines[-1].balance_fen or 0
        for name, said, there in (
            ("opening", opening, found[0]),
            ("closing", closing, found[1]),
        ):
            if said not in (None, there):
                raise RejectedError(
                    f"the lines give {_yuan(there)} yuan, typed were "
                    f"{_yuan(said or 0)}; one of them is wrong",
                    code="balance_differs",
                    field=name,
                )
        return found
    if opening is None or closing is None:
        raise RejectedError(
            "the file has no balance after each line: type it from the bank's paper",
            code="balance_missing",
            field="opening" if opening is None else "closing",
        )
    if opening + moved != closing:
        raise RejectedError(
            f"{_yuan(opening)} and the lines ({_yuan(moved)}) are "
            f"{_yuan(opening + moved)} yuan, not {_yuan(closing)}; a line is missing, "
            "or a balance is mistyped",
            code="statement_does_not_tie",
            field="closing",
        )
    return opening, closing


def _yuan(fen: int) -> str:
    return f"-{format_yuan(-fen)}" if fen < 0 else format_yuan(fen)
