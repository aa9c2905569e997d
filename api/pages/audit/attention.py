"""What asks for a person's judgement, as a page shows it; and an auditor's decision on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pages.directory import Directory, Place
from api.pages.format import format_number, format_yuan
from api.pages.texts import Translator
from ledger.attention import TITLES, Board, Item
from ledger.errors import MalformedError, NotFoundError
from ledger.records.dispositions import FLAG_ENTRIES_MAX

ITEMS_PER_PAGE = 50
INDEX = re.compile(r"0|[1-9][0-9]{0,15}")
DECISIONS: tuple[str, ...] = ("in_order", "corrected", "to_be_corrected", "referred")
"""The decisions of an `attention.disposed` entry, in the order of the form."""

_FAMILIES: Mapping[str, str] = {
    "fund": "fund",
    "project": "project",
    "campaign": "campaign",
    "item": "item",
    "site": "site",
    "from_site": "site",
    "to_site": "site",
    "shipment": "shipment",
    "holder": "party",
    "holders": "party",
    "organiser": "party",
    "recipient": "party",
    "rule": "rule",
}
_ENTRIES = frozenset(("gift", "gifts", "refunds", "matching", "match", "reversal"))
"""Details that name entries by their index."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One detail of an item: its word, and what it is, each perhaps a link."""

    word: str
    values: list[Place]


@dataclass(frozen=True, slots=True)
class ItemView:
    """One thing that asks for attention."""

    item: Item
    title: str
    details: list[Detail]


@dataclass(frozen=True, slots=True)
class AttentionView:
    """A page of the board, of one topic or all.

    Attributes:
        last: The last entry that was looked at.
        topics: ``(code, title, how many, how many open)``.
        start: The number of the first item shown, from 0.
        newer, older: Where the pages before and after begin; None where there is none.
    """

    day: str
    last: int
    topics: list[tuple[str, str, int, int]]
    open: int
    total: int
    truncated: bool
    items: list[ItemView]
    start: int
    newer: int | None
    older: int | None


def attention_view(
    board: Board,
    topic: str | None,
    start: int,
    directory: Directory,
    translator: Translator,
    *,
    public: bool,
) -> AttentionView:
    """A page of what asks for attention; `public` is for whoever is not signed in."""
    every = Counter(one.code for one in board.items) + Counter(board.left_out)
    still = Counter(one.code for one in board.items if one.disposition is None)
    chosen = [one for one in board.items if topic in (None, one.code)]
    # The list may have become shorter since the page before was read.
    start = min(start, max(0, len(chosen) - 1) // ITEMS_PER_PAGE * ITEMS_PER_PAGE)
    end = start + ITEMS_PER_PAGE
    shown = [one.public() if public else one for one in chosen[start:end]]
    return AttentionView(
        day=board.day,
        last=board.size - 1,
        topics=[
            (code, title_of(code, translator), every[code], still[code])
            for code in TITLES
            if every[code]
        ],
        open=still.total(),
        total=every.total(),
        truncated=bool(board.left_out),
        items=[item_view(one, directory, translator) for one in shown],
        start=start,
        newer=max(0, start - ITEMS_PER_PAGE) if start else None,
        older=end if end < len(chosen) else None,
    )


def title_of(code: str, translator: Translator) -> str:
    """What a kind of flag says, in words."""
    return TITLES[code][0 if translator.language == "zh" else 1]


def find_item(board: Board, code: str, entries: Sequence[int]) -> Item:
    """The flag of that code with exactly these entries.

    Raises:
        NotFoundError: nothing asks for attention so (any more).
    """
    wanted = tuple(sorted(set(entries)))
    for one in board.items:
        if one.code == code and one.entries == wanted:
            return one
    raise NotFoundError(
        f"nothing asks for attention as {code[:64]!r} with these entries; see /audit/attention",
        code="no_flag",
    )


def indices_of(text: str) -> list[int]:
    """Indices with commas between them, as a form carries them.

    Raises:
        MalformedError: anything else.
    """
    parts = text.split(",")
    if len(parts) > FLAG_ENTRIES_MAX or not all(INDEX.fullmatch(one) for one in parts):
        raise MalformedError(
            f"entries: expected at most {FLAG_ENTRIES_MAX} indices with commas, got {text[:60]!r}",
            field="entries",
        )
    return [int(one) for one in parts]


def item_view(item: Item, directory: Directory, translator: Translator) -> ItemView:
    """One flag as a page shows it."""
    details = list(_details(item, directory, translator))
    return ItemView(item, title_of(item.code, translator), details)


def _details(item: Item, directory: Directory, translator: Translator) -> Iterator[Detail]:
    for name, value in item.details.items():
        if name == "rule_version":
            continue
        values = value if isinstance(value, list) else [value]
        version = item.details.get("rule_version") if name == "rule" else None
        shown = [_shown(name, one, version, directory, translator) for one in values]
        if shown:
            yield Detail(translator.word("detail", name), shown)


def _shown(
    name: str, value: Any, version: int | None, directory: Directory, translator: Translator
) -> Place:
    if name in _FAMILIES:
        return directory.place(_FAMILIES[name], str(value), version)
    if name in _ENTRIES:
        return Place(f"#{value}", f"/entries/{value}")
    if name.endswith("_fen"):
        return Place(f"{format_yuan(value)} {translator.word('unit', 'yuan')}")
    if isinstance(value, bool):
        return Place(translator.word("value", "yes" if value else "no"))
    return Place(format_number(value) if isinstance(value, int) else str(value))
