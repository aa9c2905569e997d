"""One correction as the log tells it: what was recorded, what is right, and the difference.

A correction is an ``entry.reversed`` (with or without an entry that stands in the place of
the reversed one, ``entry.replaced``) or an ``entry.annotated``. Everything here comes from
entries and from the state that they give; nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.entry import Entry, parse_entry
from ledger.errors import NotFoundError
from ledger.flows import REVERSAL
from ledger.records.corrections import CORRECTIONS, REPLACEMENT
from ledger.records.later_uses import LaterUses, later_uses
from ledger.state import State
from ledger.store import Reader


@dataclass(frozen=True, slots=True)
class Difference:
    """One value on both sides; None where a side has none. `path` is dotted."""

    path: str
    old: Any
    new: Any

    @property
    def differs(self) -> bool:
        """Whether the sides say different things."""
        return bool(self.old != self.new)


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction with everything that belongs to it.

    Attributes:
        entry: The correcting entry.
        corrected: The entry that it corrects.
        replacements: What stands in its place, rising; none where the units went back and
            nothing was recorded anew, and none for an annotation.
        differences: Both sides, value by value, with the first replacement.
        notices: Documents attached as the published notice, rising.
        others: Other corrections of the same entry, rising.
        hidden: The entries of it whose content is hidden: entry → the entry that hides it.
        size: The log's size that all of this is of.
    """

    entry: Entry
    corrected: Entry
    replacements: tuple[Entry, ...]
    differences: tuple[Difference, ...]
    notices: tuple[int, ...]
    others: tuple[int, ...]
    hidden: Mapping[int, int]
    size: int

    @property
    def reason(self) -> str:
        """Why, in the words of who corrected."""
        return str(self.entry.fields["reason"])

    def as_json(self) -> dict[str, Any]:
        """Plain values; of hidden entries no content."""
        return {
            "correction": self.entry.index,
            "kind": self.entry.kind,
            "corrected": self.corrected.index,
            "replacements": [one.index for one in self.replacements],
            "as_of": self.size,
            "reason": None if self.entry.index in self.hidden else self.reason,
            "occurred_on": self.entry.occurred_on,
            "recorded_at": self.entry.recorded_at,
            "recorded_by": self.entry.recorded_by,
            "approved_by": self.entry.approved_by,
            "differences": [
                {"path": one.path, "old": one.old, "new": one.new, "differs": one.differs}
                for one in self.differences
            ],
            "notices": list(self.notices),
            "other_corrections": list(self.others),
            "hidden": sorted(self.hidden),
        }


def read_correction(reader: Reader, index: int) -> Correction:
    """The correction that an entry is, or that corrects it, or that it was recorded anew for.

    Of several the reversal counts, else the newest annotation; `others` names the rest.

    Args:
        reader: One snapshot.
        index: A correcting entry, a corrected one, a replacement, or what names one.

    Raises:
        NotFoundError: no such entry (``no_entry``), or nothing corrects it
            (``no_correction``).
    """
    entry = _entry(reader, index)
    if entry.kind not in CORRECTIONS:
        entry = _entry(reader, _correction_of(reader, entry))
    corrected = _entry(reader, entry.fields["entry"])
    by = _object(reader, f"replaced/{corrected.index}", "by") if entry.kind == REVERSAL else []
    replacements = tuple(_entry(reader, one) for one in by)
    met = (entry, corrected, *replacements)
    hiding = {one.index: reader.object(f"hidden/{one.index}") for one in met}
    hidden = {
        one: int(orjson.loads(data)["entry"]) for one, data in hiding.items() if data is not None
    }
    others = {one for one in _corrections(reader, corrected.index) if one != entry.index}
    head = reader.head()
    return Correction(
        entry,
        corrected,
        replacements,
        () if hidden else tuple(_differences(reader, entry, corrected, replacements)),
        tuple(_object(reader, f"notices-of/{entry.index}", "entries")),
        tuple(sorted(others)),
        hidden,
        head.size if head else 0,
    )


def read_later_uses(reader: Reader, index: int) -> LaterUses:
    """What has to be undone before an entry can be reversed, in that order.

    Raises:
        NotFoundError: no such entry.
    """
    _entry(reader, index)
    return later_uses(State(reader), index)


def corrections_of(reader: Reader, index: int) -> list[int]:
    """The entries that correct this one, rising."""
    return sorted(_corrections(reader, index))


def replaced_by(reader: Reader, index: int) -> list[int]:
    """The entries that stand in the place of this one, rising."""
    return _object(reader, f"replaced/{index}", "by")


def replaces(reader: Reader, index: int) -> int | None:
    """The reversed entry in whose place this one stands."""
    data = reader.object(f"replaces/{index}")
    return None if data is None else int(orjson.loads(data)["replaces"])


def _entry(reader: Reader, index: int) -> Entry:
    return parse_entry(reader.entry(index))


def _object(reader: Reader, key: str, name: str) -> list[int]:
    data = reader.object(key)
    return [] if data is None else [int(one) for one in orjson.loads(data)[name]]


def _corrections(reader: Reader, index: int) -> Iterator[int]:
    reversal = reader.object(f"reversed/{index}")
    if reversal is not None:
        yield int(orjson.loads(reversal)["entry"])
    yield from _object(reader, f"annotated/{index}", "entries")


def _correction_of(reader: Reader, entry: Entry) -> int:
    """The correction that an entry which is none belongs to."""
    about = entry.fields["entry"] if entry.kind == REPLACEMENT else entry.index
    for one in (about, replaces(reader, about)):
        found = [] if one is None else list(_corrections(reader, one))
        if found:
            # A reversal comes first; else the newest annotation.
            undone = reader.object(f"reversed/{one}") is not None
            return found[0] if undone else max(found)
    raise NotFoundError(
        f"entry {entry.index} is no correction, and nothing corrects it; name an "
        f"{' or '.join(CORRECTIONS)} entry, or one that was corrected",
        code="no_correction",
    )


def _differences(
    reader: Reader, entry: Entry, corrected: Entry, replacements: Sequence[Entry]
) -> Iterator[Difference]:
    if entry.kind == REVERSAL:
        old = dict(_values(corrected))
        new = dict(_values(replacements[0])) if replacements else {}
        for path in dict.fromkeys((*old, *new)):
            yield Difference(path, old.get(path), new.get(path))
        return
    path = entry.fields["field"]
    yield Difference(f"fields.{path}", _before(reader, entry, corrected), entry.fields["correct"])


def _values(entry: Entry) -> Iterator[tuple[str, Any]]:
    """What an entry says, as dotted paths; personal fields only by their names."""
    yield "kind", entry.kind
    yield "occurred_on", entry.occurred_on
    yield from _leaves("fields", entry.fields)
    for number, posting in enumerate(entry.postings):
        for name in ("asset", "amount", "from", "to"):
            yield f"postings.{number}.{name}", posting[name]
    for name in sorted(entry.sealed):
        yield f"sealed.{name}", True


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(f"{path}.{name}", one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _leaves(f"{path}.{number}", one)
    else:
        yield path, value


def _before(reader: Reader, entry: Entry, corrected: Entry) -> Any:
    """What a field said before an annotation: by the annotation before it, else by the entry."""
    earlier = _object(reader, f"annotated/{corrected.index}", "entries")
    for index in sorted((one for one in earlier if one < entry.index), reverse=True):
        other = _entry(reader, index)
        if other.fields["field"] == entry.fields["field"]:
            return other.fields["correct"]
    value: Any = corrected.fields
    for part in entry.fields["field"].split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
