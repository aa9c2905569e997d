"""What a person says of a list: what its gifts are for, and how it is read."""

from __future__ import annotations

from collections.abc import Callable

from api.pages.staff.fields import form_of
from api.pages.staff.recording import told
from api.pages.staff.typed import Problem, Values
from ledger.book import Book
from ledger.day import parse_day
from ledger.errors import LedgerError
from ledger.intake.columns import ALIASES
from ledger.intake.gift_list import Choices
from ledger.intake.recording import Target, check_target

FORM = form_of("donation.money")
"""The form of what a list is made of: its fields ask what all the gifts are for."""
TARGET_FIELDS = ("fund", "channel", "project", "campaign")
UNITS = ("yuan", "fen")
COLUMN = "column."
HEADER_CHARS_MAX = 200
PARTS = tuple(ALIASES)
"""What a column of the list may hold, in the order of the form."""

Get = Callable[[str], str]
"""A field's text by its name; empty where there is none."""


def target_values(get: Get) -> Values:
    """What was typed of the target, under the names of the record's own fields."""
    return {f"fields.{name}": get(f"fields.{name}") for name in TARGET_FIELDS}


def written_target(target: Target) -> Values:
    """A target as it would be typed."""
    return {f"fields.{name}": getattr(target, name) or "" for name in TARGET_FIELDS}


def read_target(book: Book, values: Values, person: str, problems: list[Problem]) -> Target:
    """The target; what is wrong with it goes to the problems."""
    texts = {name: values[f"fields.{name}"] for name in TARGET_FIELDS}
    target = Target(
        fund=texts["fund"],
        channel=texts["channel"],
        recorded_by=person,
        project=texts["project"] or None,
        campaign=texts["campaign"] or None,
    )
    missing = [name for name in ("fund", "channel") if not texts[name]]
    problems += [Problem(f"fields.{name}", "missing") for name in missing]
    if not missing:
        try:
            check_target(book, target)
        except LedgerError as error:
            problems += told(error)[1]
    return target


def choice_values(get: Get) -> Values:
    """What was typed of how the list is read."""
    names = ["sheet", "unit", "date", "from_order", *(COLUMN + one for one in PARTS)]
    return {name: get(name)[:HEADER_CHARS_MAX] for name in names}


def written_choices(choices: Choices) -> Values:
    """Choices as they would be typed."""
    return {
        "sheet": choices.sheet or "",
        "unit": choices.unit or "",
        "date": choices.date or "",
        "from_order": "yes" if choices.date_from_order else "",
        **{COLUMN + one: choices.columns.get(one, "") for one in PARTS},
    }


def read_choices(values: Values, problems: list[Problem]) -> Choices:
    """The choices; what is wrong with them goes to the problems."""
    date = values["date"]
    if date:
        try:
            parse_day(date, "date")
        except LedgerError:
            problems.append(Problem("date", "string_pattern_mismatch_day"))
    return Choices(
        sheet=values["sheet"] or None,
        columns={name: values[COLUMN + name] for name in PARTS if values.get(COLUMN + name)},
        unit="fen" if values["unit"] == "fen" else "yuan" if values["unit"] == "yuan" else None,
        date=date or None,
        date_from_order=values["from_order"] == "yes",
    )
