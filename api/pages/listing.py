"""Entries by kind, by what they are about, by the day of recording: newest first, bounded.

What an entry is about stands in its references, which the store keeps the other way round;
so the entries of a fund, a project, an item, a site or a party are read by index, and days
are found by halving, as no entry is recorded before the one in front of it. A kind has no
index: at most `LOOKED_AT_MAX` entries are looked through for one page, and the page says
so and leads on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from api.pages.directory import Directory
from ledger.day import CHINA
from ledger.entry import Entry, parse_entry
from ledger.errors import NotFoundError
from ledger.store import Reader

PAGE = 50
LOOKED_AT_MAX = 20_000
"""Entries that are looked through for one page of a list."""
READ_TOGETHER = 500
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
    markers = [f'"kind":"{one}"'.encode() for one in wanted]
    together = READ_TOGETHER if markers or len(abouts) > 1 else min(READ_TOGETHER, limit + 1)
    found: list[Entry] = []
    looked, last = 0, end
    for index, data in _candidates(reader, low, end, abouts, together):
        if len(found) == limit or looked == (look_at or LOOKED_AT_MAX):
            return Found(found, last, len(found) == limit)
        looked, last = looked + 1, index
        # The bytes are canonical: what has no marker anywhere cannot be of the kind.
        if markers and not any(one in data for one in markers):
            continue
        entry = parse_entry(data)
        if (not wanted or entry.kind in wanted) and set(abouts) <= set(entry.references):
            found.append(entry)
    return Found(found, None, True)


def _candidates(
    reader: Reader, low: int, end: int, abouts: list[int], together: int
) -> Iterator[tuple[int, bytes]]:
    """Entries [low, end) by falling index; with a thing, those that refer to its entry."""
    while end > low:
        if abouts:
            indices = reader.newest_referrers(abouts[0], before=end, limit=together)
            chosen = reader.chosen_entries([one for one in indices if one >= low])
            yield from sorted(chosen.items(), reverse=True)
            end = indices[-1] if len(indices) == together else low
        else:
            first = max(low, end - together)
            yield from reversed(list(enumerate(reader.entries(first, end), start=first)))
            end = first


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
