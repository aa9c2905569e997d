"""From what people type to a request's body, and back.

Texts are read strictly: an amount is typed in yuan, and what is not clearly one is refused
with what to do. Everything typed is kept as it was typed, so that a form that comes back
loses nothing; rows that stayed empty are dropped, so that paths count as the ledger counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.forms import Form
from api.pages.format import FEN_PER_YUAN
from api.pages.staff.fields import Field, Group, Leaf, RecordForm

ROWS_MAX = 1000
"""Rows of one list that a form reads; no kind takes more."""
MIDNIGHT, END_OF_DAY = "00:00", "24:00"
"""The end of a day as it is typed in a field for a time, and as it is recorded."""

_YUAN = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,2}))?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMALS = re.compile(r"-?[0-9]+\.[0-9]*")
_CURRENCY = ("¥", "￥", "元", "CNY", "RMB")
_SEPARATORS = (",", "，", "'", " ", "\u00a0", "\u3000")

Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with what was typed.

    Attributes:
        path: The field's path; empty where it is about the whole.
        code: Names the text in the catalogue (``problem.<code>``).
        message: What the ledger says, in English; empty where the form itself found it.
        facts: What the text is filled in with.
    """

    path: str
    code: str
    message: str = ""
    facts: Mapping[str, str] | None = None


class TypedError(Exception):
    """A text that is not what its field takes."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, the body that it makes, and what is wrong with it."""

    values: Values
    body: dict[str, Any]
    problems: tuple[Problem, ...]


def read_values(form: RecordForm, posted: Form, *, keep_rows: bool = False) -> Values:
    """The texts of a form's own fields; without the rows that stayed empty, unless kept."""
    values: Values = {}
    for part in form.parts():
        _gather(part, part.name, part.name, posted, values, keep_rows)
    return values


def read_body(form: RecordForm, values: Values) -> Typed:
    """What the texts make: a body to record, and what keeps it from being one."""
    problems: list[Problem] = []
    body: dict[str, Any] = {"kind": form.kind.name}
    for part in form.parts():
        value = _read(part, part.name, values, problems)
        if value is not None:
            body[part.name] = value
    return Typed(values, body, tuple(problems))


def write_values(form: RecordForm, body: Mapping[str, Any]) -> Values:
    """The texts that would be typed for a body; what no field takes is left out."""
    values: Values = {}
    for part in form.parts():
        if part.name in body:
            _write(part, part.name, body[part.name], values)
    return values


def row_count(path: str, values: Mapping[str, str]) -> int:
    """How many rows of a list have something typed in them, or were asked for."""
    found = (name[len(path) + 1 :].partition(".")[0] for name in values if _under(name, path))
    numbers = [int(one) for one in found if one.isdecimal() and one.isascii()]
    return min(max(numbers, default=-1) + 1, ROWS_MAX)


def add_row(path: str, values: Values) -> None:
    """One more row, which is empty."""
    number = row_count(path, values)
    values[f"{path}.{max(number, 1)}"] = ""


def remove_row(path: str, values: Values) -> Values:
    """Without one row; those behind it move up. `path` ends with the row's number."""
    rows, _, number = path.rpartition(".")
    kept: Values = {}
    for name, text in values.items():
        if not _under(name, rows):
            kept[name] = text
            continue
        at, dot, rest = name[len(rows) + 1 :].partition(".")
        if int(at) != int(number):
            moved = int(at) - (int(at) > int(number))
            kept[f"{rows}.{moved}{dot}{rest}"] = text
    return kept


def parse_yuan(text: str) -> int:
    """An amount in yuan with at most two decimals as integer fen.

    Raises:
        TypedError: what is not clearly one; its code says what to do about it.
    """
    found = _YUAN.fullmatch(text)
    if found is not None:
        sign, whole, decimals = found.groups()
        fen = int(whole) * FEN_PER_YUAN + int((decimals or "").ljust(2, "0"))
        return -fen if sign else fen
    _refuse_wide(text)
    if any(one in text.upper() for one in _CURRENCY):
        raise TypedError("yuan_sign")
    if any(one in text for one in _SEPARATORS):
        raise TypedError("separators")
    if _DECIMALS.fullmatch(text):
        raise TypedError("yuan_decimals")
    raise TypedError("yuan_form")


def parse_whole(text: str) -> int:
    """A whole number.

    Raises:
        TypedError: what is not clearly one.
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    _refuse_wide(text)
    if any(one in text for one in _SEPARATORS):
        raise TypedError("separators")
    raise TypedError("whole_decimals" if _DECIMALS.fullmatch(text) else "whole_form")


def format_typed_yuan(fen: int) -> str:
    """An amount as it is typed: two decimals, no separators."""
    yuan, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{'-' if fen < 0 else ''}{yuan}.{rest:02d}"


def _refuse_wide(text: str) -> None:
    wide = [one for one in text if not one.isascii() and (one.isdigit() or one in "．－＋，")]
    if wide:
        raise TypedError("wide_digits")


def _under(name: str, path: str) -> bool:
    return name.startswith(path) and name[len(path) : len(path) + 1] == "."


def _gather(
    part: Field, path: str, source: str, posted: Form, values: Values, keep_rows: bool
) -> bool:
    """Take over what was typed; whether anything was."""
    if isinstance(part, Leaf):
        text = posted.get(source)
        if text:
            values[path] = text
        return bool(text)
    if isinstance(part, Group):
        found = [
            _gather(one, f"{path}.{one.name}", f"{source}.{one.name}", posted, values, keep_rows)
            for one in part.parts
        ]
        return any(found)
    count = 0
    for number in _row_numbers(source, posted):
        row = f"{path}.{count}"
        if _gather(part.of, row, f"{source}.{number}", posted, values, keep_rows):
            count += 1
        elif keep_rows:
            values[row] = ""
            count += 1
    return count > 0


def _row_numbers(path: str, posted: Form) -> Sequence[int]:
    found = {name[len(path) + 1 :].partition(".")[0] for name in posted.names(f"{path}.")}
    numbers = sorted({int(one) for one in found if one.isdecimal() and one.isascii()})
    return numbers[:ROWS_MAX]


def _read(part: Field, path: str, values: Values, problems: list[Problem]) -> Any:
    """The value of a part; None where nothing was typed and nothing has to be."""
    if isinstance(part, Leaf):
        text = values.get(path, "")
        return None if not text else _read_text(part, path, text, problems)
    if isinstance(part, Group):
        if not part.required and not any(_under(name, path) and values[name] for name in values):
            return None
        return {
            one.name: value
            for one in part.parts
            if (value := _read(one, f"{path}.{one.name}", values, problems)) is not None
        }
    rows = [
        _read(part.of, f"{path}.{number}", values, problems)
        for number in range(row_count(path, values))
    ]
    # A text that could not be read keeps its place, so that paths still count right.
    rows = [_empty(part.of) if one is None else one for one in rows]
    return rows if rows or part.required else None


def _empty(of: Leaf | Group) -> Any:
    return "" if isinstance(of, Leaf) else {}


def _read_text(leaf: Leaf, path: str, text: str, problems: list[Problem]) -> Any:
    try:
        if leaf.shape == "yuan":
            return _limited(leaf, parse_yuan(text), "yuan")
        if leaf.shape == "whole":
            return _limited(leaf, parse_whole(text), "whole")
    except TypedError as error:
        problems.append(Problem(path, error.code, facts=error.facts))
        return None
    if leaf.shape == "flag":
        return {"yes": True, "no": False}.get(text, text)
    if leaf.shape == "until" and text == MIDNIGHT:
        return END_OF_DAY
    return text


def _limited(leaf: Leaf, number: int, kind: str) -> int:
    def shown(limit: int) -> str:
        return format_typed_yuan(limit) if kind == "yuan" else str(limit)

    if leaf.least is not None and number < leaf.least:
        raise TypedError("too_small", limit=shown(leaf.least))
    if leaf.most is not None and number > leaf.most:
        raise TypedError("too_large", limit=shown(leaf.most))
    return number


def _write(part: Field, path: str, value: Any, values: Values) -> None:
    if isinstance(part, Leaf):
        values[path] = _typed(part, value)
    elif isinstance(part, Group):
        for one in part.parts:
            if one.name in value:
                _write(one, f"{path}.{one.name}", value[one.name], values)
    else:
        for number, one in enumerate(value):
            _write(part.of, f"{path}.{number}", one, values)


def _typed(leaf: Leaf, value: Any) -> str:
    if leaf.shape == "yuan":
        return format_typed_yuan(value)
    if leaf.shape == "flag":
        return "yes" if value else "no"
    if leaf.shape == "until" and value == END_OF_DAY:
        return MIDNIGHT
    return str(value)
