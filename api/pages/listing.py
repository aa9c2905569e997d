"""Entries by kind, by what they are about, by the day of recording: newest first, bounded.

What an entry is about stands in its references, which the store keeps the other way round;
so the entries of a fund, a project, an item, a site or a party are read by index, and so are
those of a kind; days are found by halving, as no entry is recorded before the one in front of
it. Where a list is narrowed to several things, at most `LOOKED_AT_MAX` entries of the rarest
are looked up in the other indexes for one page, and the page says so and leads on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from api.pages.directory import Directory
from ledger.day import CHINA
from ledger.entry import Entry, parse_entry
from ledger.errors import NotFoundError
from ledger.store import Reader

PAGE = 50
LOOKED_AT_MAX = 5_000
"""Entries that are looked through for one page of a list."""
READ_TOGETHER = 200
ABOUT = ("fund", "project", "item", "site", "party")
"""Families of things by which a list is narrowed, as they are called in the address."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; empty texts narrow nothing.

    Attributes:
        kind: The kind of record.
        about: Family and code of what the entries are about.
        recorded_from, recorded_to: First and last day of recording, Asia/Shanghai.
    """

    kind: str = ""
    about: tuple[tuple[str, str], ...] = ()
    recorded_from: str = ""
    recorded_to: str = ""

    def __bool__(self) -> bool:
        return self != Filters()

    def query(self, **more: object) -> str:
        """The same as an address's query, with its question mark; empty for nothing."""
        days = (("from", self.recorded_from), ("to", self.recorded_to))
        pairs = [("kind", self.kind), *self.about, *days, *more.items()]
        text = urlencode([(name, value) for name, value in pairs if value not in ("", None)])
        return f"?{text}" if text else ""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list.

    Attributes:
        entries: By falling index.
        before: Where older ones go on, None at the end.
        looked_at_all: False where the page ended because so many had been looked through.
    """

    entries: list[Entry]
    before: int | None
    looked_at_all: bool


def find_entries(
    reader: Reader,
    size: int,
    filters: Filters,
    *,
    before: int | None = None,
    limit: int = PAGE,
    kinds: Collection[str] = (),
    look_at: int = 0,
) -> Found:
    """The newest entries below `before` that a filter lets through.

    Args:
        reader: The snapshot; `size` is its size.
        filters: What to let through.
        before: Where to begin; the newest if it is None.
        limit: Entries at most.
        kinds: Kinds to let through, instead of the filter's own.
        look_at: Entries that are looked through at most; 0 for `LOOKED_AT_MAX`.

    Raises:
        NotFoundError: it names a thing that there is not (``no_such_code``).
    """
    abouts = [_registered_by(reader, family, code) for family, code in filters.about]
    low = first_of_day(reader, size, filters.recorded_from) if filters.recorded_from else 0
    end = size if before is None else min(before, size)
    if filters.recorded_to:
        day = dt.date.fromisoformat(filters.recorded_to)
        if day < dt.date.max:
            after = (day + dt.timedelta(days=1)).isoformat()
            end = min(end, first_of_day(reader, size, after))
    wanted = kinds or ((filters.kind,) if filters.kind else ())
    narrowed: list[_Narrowed] = [_About(reader, one) for one in abouts]
    if wanted:
        narrowed.append(_OfKinds(reader, tuple(wanted)))
    together = READ_TOGETHER if len(narrowed) > 1 else min(READ_TOGETHER, limit + 1)
    found: list[Entry] = []
    looked, last = 0, end
    for index, data in _candidates(reader, low, end, narrowed, together):
        if len(found) == limit or looked == (look_at or LOOKED_AT_MAX):
            return Found(found, last, len(found) == limit)
        looked, last = looked + 1, index
        if data is None:
            continue
        entry = parse_entry(data)
        if (not wanted or entry.kind in wanted) and set(abouts) <= set(entry.references):
            found.append(entry)
    return Found(found, None, True)


class _Narrowed(Protocol):
    """Entries that have something in common, found by an index."""

    def newest(self, before: int, limit: int) -> list[int]:
        """At most so many of them below an index, by falling index."""
        ...

    def those_of(self, indices: Collection[int]) -> set[int]:
        """Which of some entries are among them."""
        ...


@dataclass(frozen=True, slots=True)
class _About:
    """Entries that refer to an entry."""

    reader: Reader
    target: int

    def newest(self, before: int, limit: int) -> list[int]:
        return self.reader.newest_referrers(self.target, before=before, limit=limit)

    def those_of(self, indices: Collection[int]) -> set[int]:
        return self.reader.those_about(indices, self.target)


@dataclass(frozen=True, slots=True)
class _OfKinds:
    """Entries of some kinds."""

    reader: Reader
    kinds: tuple[str, ...]

    def newest(self, before: int, limit: int) -> list[int]:
        return self.reader.newest_of_kinds(self.kinds, before=before, limit=limit)

    def those_of(self, indices: Collection[int]) -> set[int]:
        return self.reader.those_of_kinds(indices, self.kinds)


def _candidates(
    reader: Reader, low: int, end: int, narrowed: Sequence[_Narrowed], together: int
) -> Iterator[tuple[int, bytes | None]]:
    """Entries [low, end) by falling index, those that are narrowed to where they are; without
    bytes what was looked at and is in one index, but not in all."""
    while end > low:
        if not narrowed:
            first = max(low, end - together)
            yield from reversed(list(enumerate(reader.entries(first, end), start=first)))
            end = first
            continue
        some = [one.newest(end, together) for one in narrowed]
        # Whose entries reach furthest back has the fewest from here to there: those are looked
        # up in the other indexes.
        place = min(range(len(some)), key=lambda at: _reach(some[at], together))
        indices = [one for one in some[place] if one >= low]
        kept = set(indices)
        for other, one in enumerate(narrowed):
            if other != place and kept:
                kept = one.those_of(kept)
        chosen = reader.chosen_entries(kept)
        yield from ((index, chosen.get(index)) for index in indices)
        end = max(low, _reach(some[place], together))


def _reach(indices: Sequence[int], together: int) -> int:
    """How far back these entries reach; to the beginning where there are no more."""
    return indices[-1] if len(indices) == together else 0


def _registered_by(reader: Reader, family: str, code: str) -> int:
    """The entry that registered a thing."""
    thing = Directory.read_thing(reader, family, code)
    if thing is None:
        raise NotFoundError(
            f"there is no {family} with code {code[:60]!r}; the lists name those there are",
            code="no_such_code",
            field=family,
        )
    return int(thing["entry"])


def first_of_day(reader: Reader, size: int, day: str) -> int:
    """The index of the first entry that was recorded on a day or later; the size if none was.

    By halving: it reads about as many entries as the size has binary digits.
    """
    start = dt.datetime.combine(dt.date.fromisoformat(day), dt.time.min, CHINA)
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        recorded_at = dt.datetime.fromisoformat(parse_entry(reader.entry(middle)).recorded_at)
        if recorded_at < start:
            low = middle + 1
        else:
            high = middle
    return low
