"""Corrections: both sides with a drafted notice, and what is undone before a reversal."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import BookOf, IndexInPath
from api.pages.corrections import correction_json, later_uses_json
from ledger.correction import read_later_uses

router = APIRouter(prefix="/v1/entries", tags=["corrections"])


class DifferenceAnswer(Answer):
    """One value on both sides; null where a side has none."""

    path: str
    old: str | int | bool | None
    new: str | int | bool | None
    differs: bool


class CorrectionAnswer(Answer):
    """A correction as the log tells it, with a drafted notice (更正说明) in both languages."""

    correction: int
    kind: str
    corrected: int
    replacements: list[int]
    as_of: int
    reason: str | None
    occurred_on: str
    recorded_at: str
    recorded_by: str
    approved_by: str | None
    differences: list[DifferenceAnswer]
    notices: list[int]
    other_corrections: list[int]
    hidden: list[int]
    notice: dict[str, str]
    links: dict[str, str]


class LaterUseAnswer(Answer):
    """A later entry that stands in the way of a reversal, and how it is undone."""

    entry: int
    kind: str
    title_zh: str
    title_en: str
    why: list[str]
    of: list[int]
    undone_by: str | None
    links: dict[str, str]


class LaterUsesAnswer(Answer):
    """What is undone before an entry can be reversed, in that order; nothing: reverse it."""

    index: int
    as_of: int
    undo_first: list[LaterUseAnswer]
    truncated: bool


@router.get("/{index}/correction", response_model=CorrectionAnswer, summary="Read a correction")
def read_correction_of(book: BookOf, index: IndexInPath) -> Response:
    """The correction that an entry is, or that corrects it, or that it was recorded anew for."""
    organisation = str(book.opened.fields["organisation"])
    with book.store.read() as reader:
        value: dict[str, Any] = correction_json(reader, index, book.origin, organisation)
    value["links"] = {
        "correction": f"/v1/entries/{value['correction']}",
        "corrected": f"/v1/entries/{value['corrected']}",
        "page": f"/entries/{value['correction']}/correction",
    }
    return Json(value)


@router.get("/{index}/later-uses", response_model=LaterUsesAnswer, summary="What rests on an entry")
def read_later_uses_of(book: BookOf, index: IndexInPath) -> Response:
    """The later entries that are undone before this one can be reversed, newest first."""
    with book.store.read() as reader:
        found = read_later_uses(reader, index)
        head = reader.head()
    return Json(later_uses_json(found, head.size if head else 0))
