"""What an entry's page and the lists of entries show.

Everything comes from the entry's own bytes and from the state beside it; sealed fields
are shown by their commitments, which is all that the log knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.pages.directory import Amount, Directory, Place
from api.pages.format import (
    RANGES_SHOWN,
    format_instant,
    format_number,
    format_ranges,
    format_yuan_words,
)
from api.pages.kinds import choices_of, kind_title, order_of
from api.pages.texts import Translator
from ledger.entry import Entry
from ledger.flows import REVERSAL, is_world
from ledger.store import Reader

POSTINGS_IN_LIST = 2
"""Movements of one entry that a list shows; its page shows all."""
REFERRERS_SHOWN = 50
"""Later entries about an entry that its page shows; the API lists all."""

FAMILY_OF_FIELD: Mapping[str, str] = {
    "fund": "fund",
    "from_fund": "fund",
    "to_fund": "fund",
    "project": "project",
    "to_project": "project",
    "campaign": "campaign",
    "item": "item",
    "site": "site",
    "shop": "site",
    "from_site": "site",
    "to_site": "site",
    "holder": "party",
    "payee": "party",
    "supplier": "party",
    "recipient": "party",
    "platform": "party",
    "rule": "rule",
    "price_rule": "rule",
    "shipment": "shipment",
}
"""Fields that hold the code of a registered thing."""

_FAMILY_OF_KIND: Mapping[str, str] = {
    "fund.opened": "fund",
    "project.opened": "project",
    "item.registered": "item",
}
"""Kinds whose field ``code`` names a thing that has its own page."""

COMMON_FIELDS = frozenset(
    ("channel", "payee_class", "recipient_class", "wish_class", "purpose", "purposes")
)
"""Fields whose codes are words: ``suggested.<code>`` in the texts, where somebody translated it."""

_INDEX_FIELDS = frozenset(("entry", "gift", "source", "by", "notice_of"))
"""Fields that hold the index of an earlier entry."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field's value: a text (perhaps a link), or rows of fields, or a list of either."""

    text: str = ""
    href: str | None = None
    note: str | None = None
    rows: tuple[FieldRow, ...] = ()
    items: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field with its label."""

    name: str
    label: str
    value: Shown


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A personal field: its name, and the commitment that stands for its value."""

    label: str
    name: str
    commitment: str


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One movement; the ranges are numbers of units as people count, first to last."""

    amount: Amount
    source: Place
    target: Place
    taken: list[str]
    taken_more: int
    given: list[str]
    numbered: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry in a list."""

    index: int
    kind: str
    title: str
    recorded_at: str
    instant: str
    occurred_on: str
    about: Place | None
    moves: list[PostingRow]
    moves_more: int
    reversed_by: int | None


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry on its own page."""

    row: EntryRow
    recorded_by: str
    approved_by: str | None
    fields: tuple[FieldRow, ...]
    sealed: tuple[SealedRow, ...]
    postings: list[PostingRow]
    references: Sequence[int]
    reverses: int | None
    refunded: Amount | None
    documents: Sequence[str]
    previous: str
    raw: str


def entry_row(
    entry: Entry, reader: Reader, directory: Directory, translator: Translator
) -> EntryRow:
    """An entry as a line of a list."""
    postings = entry.postings[:POSTINGS_IN_LIST]
    return EntryRow(
        entry.index,
        entry.kind,
        kind_title(entry.kind, translator),
        format_instant(entry.recorded_at),
        entry.recorded_at,
        entry.occurred_on,
        _about(entry, directory),
        [_posting(one, directory) for one in postings],
        len(entry.postings) - len(postings),
        reversed_by(entry.index, reader),
    )


def entry_view(
    entry: Entry, data: bytes, reader: Reader, directory: Directory, translator: Translator
) -> EntryView:
    """An entry as its page shows it; `data` are its stored bytes."""
    refunded = reader.object(f"refunded/{entry.index}")
    reverses = entry.fields.get("entry") if entry.kind == REVERSAL else None
    return EntryView(
        entry_row(entry, reader, directory, translator),
        entry.recorded_by,
        entry.approved_by,
        _Values(entry, directory, translator).rows(entry.fields, ""),
        tuple(
            SealedRow(translator.word("field", name), name, commitment)
            for name, commitment in _ordered(entry.kind, entry.sealed, "")
        ),
        [_posting(one, directory) for one in entry.postings],
        entry.references,
        reverses if isinstance(reverses, int) else None,
        directory.amount("CNY", orjson.loads(refunded)["amount_fen"]) if refunded else None,
        entry.documents,
        entry.previous,
        data.decode(),
    )


def field_rows(
    entry: Entry, values: Mapping[str, Any], directory: Directory, translator: Translator
) -> tuple[FieldRow, ...]:
    """Values under their labels, as people read them, in the order of the entry's kind."""
    return _Values(entry, directory, translator).rows(values, "")


def common_word(name: str, value: str, translator: Translator) -> str:
    """The word for a code that is no registered thing's but in common use; else the code.

    Channels, purposes, classes of persons and wishes: a federation may record others of its own.
    """
    return translator.word("suggested", value) if name in COMMON_FIELDS else value


def shown_text(
    entry: Entry, path: str, value: Any, directory: Directory, translator: Translator
) -> tuple[str, str]:
    """The label of one value of an entry, and the value as a person reads it.

    Args:
        entry: The entry that the value is of.
        path: Dotted, as in `ledger.correction.Difference`.
        value: None where the entry has none, which is shown as "".
    """
    part, *rest = path.split(".")
    if part == "kind":
        return translator.text("entry.kind"), kind_title(str(value), translator) if value else ""
    if part == "occurred_on":
        return translator.text("entry.occurred_on"), value or ""
    if part == "sealed":
        label = translator.word("field", rest[0])
        return label, translator.text("entry.sealed_mark") if value else ""
    if part == "postings":
        return _posting_text(entry, int(rest[0]), rest[1], value, directory, translator)
    names = [one for one in rest if not one.isdigit()]
    label = " · ".join(
        f"{int(one) + 1}" if one.isdigit() else translator.word("field", one) for one in rest
    )
    kind_path = ".".join(rest)
    for one in rest:
        if one.isdigit():
            kind_path = kind_path.replace(f".{one}", "[]", 1)
    if value is None:
        return label, ""
    found = _Values(entry, directory, translator).leaf(names[-1], value, kind_path)
    return label, found.text if found.note is None else f"{found.text}（{found.note}）"


def _posting_text(
    entry: Entry,
    number: int,
    name: str,
    value: Any,
    directory: Directory,
    translator: Translator,
) -> tuple[str, str]:
    """One value of a movement: what, how much, from, to."""
    words = {"asset": "posting.asset", "amount": "trace.amount"}
    words |= {"from": "entry.from", "to": "entry.to"}
    what = translator.text(words[name])
    label = translator.text("posting.part", number=number + 1, what=what)
    if value is None:
        return label, ""
    if name in ("from", "to"):
        return label, directory.account(value).name
    if name == "amount":
        amount = directory.amount(entry.postings[number]["asset"], value)
        return label, f"{amount.number} {amount.unit}"
    item = directory.amount(value, 0)
    return label, item.unit if item.item is None else item.item.name


def reversed_by(index: int, reader: Reader) -> int | None:
    """The entry that reverses this one, if any does."""
    data = reader.object(f"reversed/{index}")
    return None if data is None else int(orjson.loads(data)["entry"])


def find_referrers(index: int, reader: Reader) -> tuple[list[tuple[int, str]], bool]:
    """Later entries that say they are about this one: ``(index, kind)``, rising.

    Returns:
        The first `REFERRERS_SHOWN`, and whether there are more.
    """
    numbers = reader.referrers(index, limit=REFERRERS_SHOWN + 1)
    data = reader.chosen_entries(numbers[:REFERRERS_SHOWN])
    found = [(number, orjson.loads(data[number])["kind"]) for number in sorted(data)]
    return found, len(numbers) > REFERRERS_SHOWN


def _about(entry: Entry, directory: Directory) -> Place | None:
    """What a record that moves nothing registers."""
    name = entry.fields.get("name") or entry.fields.get("organisation") or entry.fields.get("code")
    if entry.postings or not isinstance(name, str):
        return None
    family = _FAMILY_OF_KIND.get(entry.kind)
    return Place(name) if family is None else directory.place(family, entry.fields["code"])


def _posting(posting: Mapping[str, Any], directory: Directory) -> PostingRow:
    asset, source, target = posting["asset"], posting["from"], posting["to"]
    takes = [(first, end) for first, end in posting.get("takes", ())]
    at = posting.get("at")
    given = [] if at is None or is_world(target) else [(at, at + posting["amount"])]
    return PostingRow(
        directory.amount(asset, posting["amount"]),
        directory.account(source),
        directory.account(target),
        format_ranges(takes),
        max(0, len(takes) - RANGES_SHOWN),
        format_ranges(given),
        directory.numbered(asset),
    )


def _ordered(kind: str, fields: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Fields in the order of their kind; those that it does not know come last."""
    order = order_of(kind)
    path = prefix.replace("[]", "")
    return sorted(
        fields.items(), key=lambda pair: (order.get(f"{path}{pair[0]}", len(order)), pair[0])
    )


class _Values:
    """The values of one entry's fields, as people read them."""

    def __init__(self, entry: Entry, directory: Directory, translator: Translator) -> None:
        self._entry = entry
        self._directory = directory
        self._translator = translator
        self._choices = choices_of(entry.kind)

    def rows(self, fields: Mapping[str, Any], prefix: str) -> tuple[FieldRow, ...]:
        """Fields with their labels; `prefix` is their path in the entry's fields."""
        return tuple(
            FieldRow(
                name,
                self._translator.word("field", name),
                self._value(name, value, f"{prefix}{name}", fields),
            )
            for name, value in _ordered(self._entry.kind, fields, prefix)
        )

    def leaf(self, name: str, value: Any, path: str) -> Shown:
        """One value that is neither a list nor an object."""
        return self._value(name, value, path, {})

    def _value(self, name: str, value: Any, path: str, around: Mapping[str, Any]) -> Shown:
        if isinstance(value, Mapping):
            return Shown(rows=self.rows(value, f"{path}."))
        if isinstance(value, Sequence) and not isinstance(value, str):
            items = tuple(self._value(name, one, f"{path}[]", around) for one in value)
            return Shown(items=items)
        if isinstance(value, bool):
            return Shown(self._translator.word("value", "yes" if value else "no"))
        if isinstance(value, int):
            return self._number(name, value)
        return self._text(name, str(value), path, around)

    def _number(self, name: str, value: int) -> Shown:
        if name.endswith("_fen"):
            amount = self._directory.amount("CNY", value)
            zh = self._translator.language == "zh"
            words = format_yuan_words(value) if zh and value >= 0 else None
            return Shown(f"{amount.number} {amount.unit}", note=words)
        if name in _INDEX_FIELDS:
            return Shown(f"#{value}", f"/entries/{value}")
        return Shown(format_number(value))

    def _text(self, name: str, value: str, path: str, around: Mapping[str, Any]) -> Shown:
        if path in self._choices:
            word = self._translator.word("value", value.replace(".", "_"))
            return Shown(word, note=None if word == value else value)
        own = _FAMILY_OF_KIND.get(self._entry.kind) if path == "code" else None
        family = own or FAMILY_OF_FIELD.get(name)
        if family is None:
            word = common_word(name, value, self._translator)
            return Shown(word, note=None if word == value else value)
        version = around.get(f"{name}_version")
        place = self._directory.place(family, value, version)
        if own is not None:
            return Shown(value, place.href)
        return Shown(place.name, place.href, place.code)
