"""What a record kind is, and the field types that kinds share.

Sources: design, sections 3 and 4; domain, section 1. Field types are strict: an
integer is an integer (never 1.0 or "1"), text is NFC without control characters,
unknown fields are refused.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ledger.entry import Entry
from ledger.errors import RejectedError
from ledger.frozen import frozen
from ledger.state import Move, State

AMOUNT_FEN_MAX = 10**13
"""One record moves at most 100,000,000,000 yuan: more is a mistaken unit."""
QUANTITY_MAX = 10**12
DAY_MIN = "2000-01-01"
"""No day before this is recorded: an older one is a mistyped date."""


class Role(StrEnum):
    """What a person may do; one token has one role (domain, section 1)."""

    REGISTRAR = "registrar"
    CLERK = "clerk"
    APPROVER = "approver"
    WAREHOUSE = "warehouse"
    SHOP = "shop"
    AUDITOR = "auditor"


OPENERS = frozenset((Role.CLERK, Role.APPROVER, Role.AUDITOR))
"""Who may see the personal fields of an entry without holding its seed."""


REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Invisible marks after which text is shown in another order than it is written (UAX 9): with
them, what a page shows is not what was recorded."""


_GROWING = ((0x1F000, 0x1FBFF), (0x20000, 0x3FFFD))
"""Blocks of pictures, and the planes of ideographs: the characters that people's names and
messages get each year. None of them combines or is composed, so that NFC never changes."""
_DISALLOWED = {
    "Cc": "the control character",
    "Cs": "half a character,",
    "Co": "the private character",
}


def _refused(character: str) -> str | None:
    """What is wrong with a character, in words; None for nothing.

    What is unassigned to this Python may be assigned to the next, so that nothing in the
    growing blocks is refused for that: the same text is right, or not, everywhere.
    """
    category, point = unicodedata.category(character), ord(character)
    if category == "Cn":
        grows = any(first <= point <= last for first, last in _GROWING)
        return None if grows and point & 0xFFFE != 0xFFFE else "the unassigned character"
    return None if character == "\n" else _DISALLOWED.get(category)


def clean(length_max: int) -> AfterValidator:
    """Makes text NFC and refuses control characters and blank text; every text field needs it.

    The length counts once more afterwards: a few characters are two or three in NFC.
    """

    def clean_text(text: str) -> str:
        if text.isspace():
            raise ValueError("is blank; leave the field out, or write something")
        # Nothing printable is a control, and most texts are printable: no look at each character.
        printable = text.isprintable()
        if printable and text.isascii():
            return text
        for character in "" if printable else text:
            wrong = _refused(character)
            if wrong is not None:
                raise ValueError(f"contains {wrong} U+{ord(character):04X}")
            if character in REORDERING:
                raise ValueError(
                    f"contains the invisible mark U+{ord(character):04X}, which shows text in "
                    "another order than it is written; write it without"
                )
        normal = unicodedata.normalize("NFC", text)
        if len(normal) > length_max:
            raise ValueError(f"has {len(normal)} characters in NFC, {length_max} are allowed")
        return normal

    return AfterValidator(clean_text)


SCIENTIFIC = re.compile(r"[+-]?[0-9](?:\.[0-9]*)?[eE][+-]?[0-9]{1,3}")
"""What a spreadsheet makes of a long number: 1.465E+27."""


def _one_spelling(text: str) -> str:
    """Refuses what would be the same order number to a person and another one to the ledger.

    An order enters the log once (domain, section 1), so it may be written in one way only;
    importers bring the cells of a spreadsheet into this form.
    """
    if SCIENTIFIC.fullmatch(text):
        raise ValueError(
            "is in scientific notation, its digits are lost; take the order number from the source"
        )
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    if unicodedata.normalize("NFKC", text) != text or any(
        character.isspace() or unicodedata.category(character) == "Cf" for character in text
    ):
        raise ValueError(
            "has spaces, invisible characters or full-width forms; write it without them"
        )
    return text


@lru_cache(maxsize=4096)
def _real_day(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError("is no day of the calendar; write it as 2021-09-09") from None
    if text < DAY_MIN:
        raise ValueError(f"is before {DAY_MIN}, the earliest day that is recorded")
    return text


CODE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,47}$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, description="lower-case letters, digits, dashes")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120), clean(120)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000), clean(2000)]
OrderNumber = Annotated[
    str, Field(min_length=1, max_length=100), clean(100), AfterValidator(_one_spelling)
]
Day = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"),
    AfterValidator(_real_day),
    Field(description="a day in Asia/Shanghai, like 2021-09-09"),
]
Fen = Annotated[int, Field(ge=1, le=AMOUNT_FEN_MAX, description="an amount in fen (0.01 yuan)")]
Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
Index = Annotated[int, Field(ge=0, le=2**53 - 1, description="the index of an earlier entry")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex")]


class Fields(BaseModel):
    """The base of every kind's public fields."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", validate_default=False)


class Sealed(BaseModel):
    """The base of every kind's personal fields: all optional, none in clear in the log."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", validate_default=False)


class NoneSealed(Sealed):
    """For kinds without personal fields."""


F = TypeVar("F", bound=Fields)


@frozen
class Draft(Generic[F]):
    """A record on its way into the log, or out of it when the log is replayed.

    `recorded_on` is the day in Asia/Shanghai on which it is recorded, `index` the
    place that it takes; `sealed` names the personal fields that it has.
    """

    index: int
    fields: F
    sealed: frozenset[str]
    occurred_on: str
    recorded_on: str
    recorded_by: str
    approved_by: str | None
    documents: Sequence[str] = ()


@frozen
class Plan:
    """What a record does: units to move, in order, and the entries that it is about."""

    moves: Sequence[Move] = ()
    references: Sequence[int] = ()


def no_effects(entry: Entry, state: State, sign: int) -> None:
    """For kinds that change nothing besides the units they move."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind(Generic[F]):
    """One record kind.

    Attributes:
        name: ``family.verb``, frozen once used.
        title_zh, title_en: What people read.
        moves: The movement of units, in words, for the documentation.
        fields, sealed: The models of its public and personal fields.
        recorders: The roles that may record it.
        approvers: The roles of which a second person must approve it; empty for none.
        unique: The sealed fields whose value enters the log once only.
        plan, effects: See the package's docstring.
        erases: The entries whose openings the vault forgets when it is recorded.
        example: ``{occurred_on, fields, sealed}`` that works on the demonstration.
    """

    name: str
    title_zh: str
    title_en: str
    moves: str
    fields: type[F]
    sealed: type[Sealed] = NoneSealed
    recorders: frozenset[Role]
    approvers: frozenset[Role] = frozenset()
    unique: tuple[str, ...] = ()
    plan: Callable[[Draft[F], State], Plan]
    effects: Callable[[Entry, State, int], None] = no_effects
    erases: Callable[[F], Sequence[int]] | None = None
    example: Mapping[str, Any]


APPROVERS = frozenset((Role.APPROVER,))


def reject(code: str, message: str, *, field: str | None = None, **details: object) -> NoReturn:
    """Refuse a record by a rule.

    Args:
        code: The rule's stable name.
        message: What was expected, what came, what to do.
        field: The dotted path of the field, as in the request.
        details: Plain values for programs.

    Raises:
        RejectedError: always.
    """
    raise RejectedError(message, code=code, field=field, details=details)


def check_common(kind: Kind[Any], draft: Draft[Any]) -> None:
    """The rules that every record keeps.

    Raises:
        RejectedError: it happened after it was recorded, or lacks the approval of a
            second person, or has one where none is needed.
    """
    if draft.occurred_on > draft.recorded_on:
        reject(
            "occurs_in_future",
            f"occurred_on: {draft.occurred_on} is after today, {draft.recorded_on} "
            "(Asia/Shanghai); record it when it has happened",
            field="occurred_on",
        )
    if kind.approvers and draft.approved_by is None:
        reject(
            "approval_required",
            f"{kind.name} needs the approval of a second person with the role "
            f"{' or '.join(sorted(kind.approvers))}; send that person's token with the record",
        )
    if not kind.approvers and draft.approved_by is not None:
        reject("approval_not_needed", f"{kind.name} is recorded by one person; send no approval")
    if draft.approved_by is not None and draft.approved_by == draft.recorded_by:
        reject(
            "approved_by_recorder",
            f"{draft.recorded_by} cannot approve what {draft.recorded_by} records; "
            "ask another person",
        )


def claim_code(state: State, family: str, code: str) -> None:
    """Refuse a code that the family has used before: codes are never reused.

    Raises:
        RejectedError: ``code_taken``, with the entry that took it.
    """
    taken = state.get(f"{family}/{code}")
    if taken is not None:
        reject(
            "code_taken",
            f"fields.code: the {family} {code!r} was registered by entry {taken['entry']}; "
            "choose another code, codes are never reused",
            field="fields.code",
            entry=taken["entry"],
        )


def registers(family: str) -> Callable[[Entry, State, int], None]:
    """The `effects` of a kind that registers a thing under its code."""

    def effects(entry: Entry, state: State, sign: int) -> None:
        state.put(f"{family}/{entry.fields['code']}", {**entry.fields, "entry": entry.index})

    return effects
