"""Which gifts a bank line brought: candidates with reasons, ranked; a person decides.

A line is compared with the gifts that no line has yet, of days around the statement's. Nothing
is matched by itself: a suggestion that stands alone is offered, several that are equally good
are shown as what they are.

Ranks, the best first:

1. ``reference``: the bank's reference is the gift's order number (compared by keyed digest).
2. ``payer``: one gift of that amount, and the payer is its donor by name.
3. ``same_day``: one gift of that amount, of the same day.
4. ``near``: one gift of that amount, some days away; the nearer, the better.
5. ``payout``: all gifts of one channel and one day add up to the line: a platform pays out a
   day's gifts together, on the day or some days later.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Literal

import orjson

from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.intake.bank_lines import BankLine
from ledger.intake.columns import header_key
from ledger.statement import first_after
from ledger.store import Reader

DAYS_APART_MAX = 7
"""So many days lie between a gift and its bank line at most."""
ENTRIES_MAX = 200_000
"""Entries that are looked through for gifts; a busier time is matched by hand."""
SLICE = 5000
GIFTS_MAX = 1000
"""Gifts of one match."""
NEAREST_MAX = 20
"""Gifts of one amount that are looked at for one line, the nearest days first."""
SHOWN_MAX = 5
"""Suggestions for one line."""

Reason = Literal["reference", "payer", "same_day", "near", "payout"]
RANKS: Mapping[Reason, int] = {
    "reference": 0,
    "payer": 100,
    "same_day": 200,
    "near": 300,
    "payout": 400,
}

_GIFT = b'"kind":"donation.m'
"""What the bytes of a gift of money hold; a first sieve before they are parsed."""
KINDS = frozenset(("donation.money", "donation.matched"))


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift that no bank line has yet."""

    index: int
    day: str
    amount_fen: int
    channel: str
    fund: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The gifts of a time that no line has yet; `looked_from` to `looked_to` were looked at.

    `cut` is whether there are later entries that were not.
    """

    gifts: tuple[Gift, ...]
    looked_from: int
    looked_to: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Gifts that a line may have brought, why, and how well they fit (the less, the better)."""

    gifts: tuple[int, ...]
    reason: Reason
    score: int
    days: int = 0
    channel: str = ""
    day: str = ""


@dataclass(frozen=True, slots=True)
class Suggested:
    """What is suggested for a line; `clear` where one stands alone before all others."""

    line: BankLine = field(repr=False)
    suggestions: tuple[Suggestion, ...]
    clear: bool


def unmatched_gifts(reader: Reader, period_from: str, period_to: str) -> Unmatched:
    """Gifts of money of days around a period that stand for no bank line, by rising index."""
    first_day, last_day = _moved(period_from, -DAYS_APART_MAX), _moved(period_to, DAYS_APART_MAX)
    head = reader.head()
    size = head.size if head else 0
    # A gift is recorded on its day or later.
    start = first_after(reader, size, first_day, included=True)
    end = min(size, start + ENTRIES_MAX)
    found: list[Gift] = []
    for begin in range(start, end, SLICE):
        gifts = [
            _gift(entry)
            for entry in _gifts(reader.entries(begin, min(end, begin + SLICE)))
            if first_day <= entry.occurred_on <= last_day
        ]
        states = ("bank-match", "reversed")
        keys = [f"{state}/{gift.index}" for gift in gifts for state in states]
        taken = {int(key.partition("/")[2]) for key in reader.chosen_objects(keys)}
        found += [gift for gift in gifts if gift.index not in taken]
    return Unmatched(tuple(found), start, end, end < size)


def matched_lines(reader: Reader, statement: int, rows: Iterable[int]) -> dict[int, int]:
    """Rows of a statement that are matched → the entry that matched each."""
    keys = {f"bank-line/{statement}/{row}": row for row in rows}
    found = reader.chosen_objects(list(keys))
    return {keys[key]: int(orjson.loads(data)["entry"]) for key, data in found.items()}


def suggest(
    book: Book, reader: Reader, lines: Sequence[BankLine], gifts: Sequence[Gift]
) -> list[Suggested]:
    """Suggestions for lines that are not matched yet, in their order."""
    matcher = _Matcher(book, reader, lines, gifts)
    found = [_ranked(line, matcher.candidates(line)) for line in lines]
    # A gift that fits two lines best, and equally well, is clear for neither.
    claims: dict[int, Counter[int]] = {}
    for one in found:
        for gift in one.suggestions[0].gifts if one.clear else ():
            claims.setdefault(gift, Counter())[one.suggestions[0].score] += 1
    return [
        replace(one, clear=one.clear and _is_alone(one.suggestions[0], claims)) for one in found
    ]


def _is_alone(best: Suggestion, claims: Mapping[int, Counter[int]]) -> bool:
    """Whether no other line wants one of the gifts as much or more."""
    return all(
        min(claims[gift]) == best.score and claims[gift][best.score] == 1 for gift in best.gifts
    )


class _Matcher:
    """Finds candidates for one line after the other."""

    def __init__(
        self, book: Book, reader: Reader, lines: Sequence[BankLine], gifts: Sequence[Gift]
    ) -> None:
        self._book = book
        self._reader = reader
        self._free = {gift.index: gift for gift in gifts}
        self._by_amount: dict[int, list[tuple[int, Gift]]] = {}
        days: dict[tuple[str, str], list[Gift]] = {}
        for gift in gifts:
            self._by_amount.setdefault(gift.amount_fen, []).append((_ordinal(gift.day), gift))
            days.setdefault((gift.channel, gift.day), []).append(gift)
        self._payouts: dict[int, list[tuple[str, str, tuple[int, ...]]]] = {}
        for (channel, day), some in days.items():
            if 1 < len(some) <= GIFTS_MAX:
                total = sum(one.amount_fen for one in some)
                indices = tuple(one.index for one in some)
                self._payouts.setdefault(total, []).append((channel, day, indices))
        self._references = _references(book, reader, lines)
        self._donors: dict[int, str] = {}

    def candidates(self, line: BankLine) -> list[Suggestion]:
        """Everything that fits the line's amount."""
        when = _ordinal(line.day)
        found: list[Suggestion] = []
        named = self._references.get(line.reference or "")
        gift = None if named is None else self._free.get(named)
        if gift is not None and gift.amount_fen == line.moved_fen:
            found.append(Suggestion((gift.index,), "reference", RANKS["reference"]))
        near = nsmallest(
            NEAREST_MAX,
            ((abs(day - when), one.index) for day, one in self._by_amount.get(line.moved_fen, ())),
        )
        payer = header_key(line.payer or "")
        for days, index in near:
            if days <= DAYS_APART_MAX and (not found or index != named):
                found.append(self._alone(index, days, payer))
        for channel, day, indices in self._payouts.get(line.moved_fen, ()):
            back = when - _ordinal(day)
            if 0 <= back <= DAYS_APART_MAX:
                score = RANKS["payout"] + back
                found.append(Suggestion(indices, "payout", score, back, channel, day))
        return found

    def _alone(self, index: int, days: int, payer: str) -> Suggestion:
        reason: Reason = "near" if days else "same_day"
        if payer and payer == self._donor(index):
            reason = "payer"
        return Suggestion((index,), reason, RANKS[reason] + days, days)

    def _donor(self, index: int) -> str:
        """The donor's name as names are compared; empty where there is none, or no more."""
        if index not in self._donors:
            data = self._reader.vault(index)
            values = None if data is None else self._book.vault.decrypt(index, data).values
            self._donors[index] = header_key(str((values or {}).get("donor_name", "")))
        return self._donors[index]


def _ranked(line: BankLine, candidates: Sequence[Suggestion]) -> Suggested:
    ranked = sorted(candidates, key=lambda one: (one.score, one.gifts))
    clear = len(ranked) == 1 or (len(ranked) > 1 and ranked[0].score < ranked[1].score)
    return Suggested(line, tuple(ranked[:SHOWN_MAX]), clear)


def _references(book: Book, reader: Reader, lines: Sequence[BankLine]) -> dict[str, int]:
    """References that are order numbers of the ledger → the gifts' entries."""
    given = {line.reference for line in lines if line.reference}
    digests = {book.vault.digest("order", one.encode()): one for one in given}
    return {digests[digest]: index for digest, index in reader.order_numbers(list(digests)).items()}


def _gifts(rows: Iterable[bytes]) -> Iterator[Entry]:
    for data in rows:
        if _GIFT in data:
            entry = parse_entry(data)
            if entry.kind in KINDS:
                yield entry


def _gift(entry: Entry) -> Gift:
    fields = entry.fields
    channel = str(fields.get("channel", entry.kind))
    return Gift(
        entry.index, entry.occurred_on, fields["amount_fen"], channel, str(fields.get("fund", ""))
    )


def _ordinal(day: str) -> int:
    return dt.date.fromisoformat(day).toordinal()


def _moved(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()
