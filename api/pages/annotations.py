"""Annotations of an entry: its text, old and new side by side (``entry.annotated``).

The entry itself never changes; what it should have said stands in later entries, each
with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from api.pages.entries import common_word
from api.pages.texts import Translator
from ledger.entry import Entry, parse_entry
from ledger.store import Reader


@dataclass(frozen=True, slots=True)
class Annotation:
    """One field: what the entry says, what is right, why, and the entry that says so."""

    label: str
    recorded: str
    correct: str
    reason: str
    entry: int


def find_annotations(entry: Entry, reader: Reader, translator: Translator) -> list[Annotation]:
    """The annotations of an entry, in the order in which they were recorded."""
    data = reader.object(f"annotated/{entry.index}")
    if data is None:
        return []
    found = []
    for index in orjson.loads(data)["entries"]:
        fields = parse_entry(reader.entry(index)).fields
        *_, last = fields["field"].split(".")
        label = translator.word("field", last)
        recorded, correct = (
            common_word(last, one, translator)
            for one in (_recorded(entry, fields["field"]), fields["correct"])
        )
        found.append(Annotation(label, recorded, correct, fields["reason"], index))
    return found


def _recorded(entry: Entry, path: str) -> str:
    """What stands at a path of the entry's fields; nothing where nothing does."""
    value: object = entry.fields
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)
