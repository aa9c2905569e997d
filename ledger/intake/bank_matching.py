"""Which gifts a bank line brought, and which payment one took out: ranked; a person decides.

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

A line that took something out stands beside payments by the same ranks (`PAYMENTS`): the
reference or the remark quotes the invoice or the order number, the name is the payee, and a
day's payments of one kind may leave the account as one. The log has no record for such a match;
it is shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any, Literal

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
QUOTED_CHARS_MIN = 6
"""A shorter number in a remark may be anything."""

MONEY = "CNY"

Reason = Literal["reference", "payer", "same_day", "near", "payout"]
RANKS: Mapping[Reason, int] = {
    "reference": 0,
    "payer": 100,
    "same_day": 200,
    "near": 300,
    "payout": 400,
}


@dataclass(frozen=True, slots=True)
class Side:
    """What stands on the other side of a bank's lines.

    Attributes:
        kinds: The entries' kinds.
        marks: What the bytes of such an entry hold; a first sieve before they are parsed.
        sealed: The sealed field that names the other person.
        parties: The public fields that name a registered party instead.
        numbers: Sealed fields with a number that the bank's reference or remark may quote.
    """

    kinds: frozenset[str]
    marks: tuple[bytes, ...]
    sealed: str
    parties: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


GIFTS = Side(
    frozenset(("donation.money", "donation.matched")), (b'"kind":"donation.m',), "donor_name"
)
PAYMENTS = Side(
    frozenset(("aid.paid", "grant.paid", "purchase.made", "donation.refunded")),
    (b'"kind":"aid.p', b'"kind":"grant.p', b'"kind":"purchase.m', b'"kind":"donation.r'),
    "payee_name",
    ("payee", "supplier"),
    ("invoice_number", "order_number"),
)


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift, or a payment, that no bank line has yet.

    `channel` is a gift's channel; of others their kind. `party` is the code of a registered
    party on the other side, if the entry names one.
    """

    index: int
    day: str
    amount_fen: int
    channel: str
    fund: str
    party: str = ""


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


def unmatched_gifts(
    reader: Reader, period_from: str, period_to: str, side: Side = GIFTS
) -> Unmatched:
    """Gifts of money, or payments, of days around a period that stand for no bank line, rising."""
    first_day, last_day = _moved(period_from, -DAYS_APART_MAX), _moved(period_to, DAYS_APART_MAX)
    head = reader.head()
    size = head.size if head else 0
    # A gift is recorded on its day or later.
    start = first_after(reader, size, first_day, included=True)
    end = min(size, start + ENTRIES_MAX)
    found: list[Gift] = []
    for begin in range(start, end, SLICE):
        gifts = [
            _gift(entry, side)
            for entry in _gifts(reader.entries(begin, min(end, begin + SLICE)), side)
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
    book: Book,
    reader: Reader,
    lines: Sequence[BankLine],
    gifts: Sequence[Gift],
    side: Side = GIFTS,
) -> list[Suggested]:
    """Suggestions for lines that are not matched yet, in their order."""
    matcher = _Matcher(book, reader, lines, gifts, side)
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
        self,
        book: Book,
        reader: Reader,
        lines: Sequence[BankLine],
        gifts: Sequence[Gift],
        side: Side,
    ) -> None:
        self._side = side
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
        self._opened: dict[int, Mapping[str, Any]] = {}

    def candidates(self, line: BankLine) -> list[Suggestion]:
        """Everything that fits the line's amount."""
        when = _ordinal(line.day)
        found: list[Suggestion] = []
        named = self._references.get(line.reference or "")
        gift = None if named is None else self._free.get(named)
        amount = abs(line.moved_fen)
        if gift is not None and gift.amount_fen == amount:
            found.append(Suggestion((gift.index,), "reference", RANKS["reference"]))
        near = nsmallest(
            NEAREST_MAX,
            ((abs(day - when), one.index) for day, one in self._by_amount.get(amount, ())),
        )
        for days, index in near:
            if days <= DAYS_APART_MAX and (not found or index != named):
                found.append(self._alone(index, days, line))
        for channel, day, indices in self._payouts.get(amount, ()):
            back = when - _ordinal(day)
            if 0 <= back <= DAYS_APART_MAX:
                score = RANKS["payout"] + back
                found.append(Suggestion(indices, "payout", score, back, channel, day))
        return found

    def _alone(self, index: int, days: int, line: BankLine) -> Suggestion:
        reason: Reason = "near" if days else "same_day"
        payer = header_key(line.payer or "")
        if payer and payer == header_key(self._name(index)):
            reason = "payer"
        if any(_quotes(line, self._sealed(index).get(one)) for one in self._side.numbers):
            reason = "reference"
        return Suggestion((index,), reason, RANKS[reason] + days, days)

    def _name(self, index: int) -> str:
        """The other person's name; empty for none, or no more."""
        party = self._free[index].party
        return self._named(party) if party else str(self._sealed(index).get(self._side.sealed, ""))

    def _sealed(self, index: int) -> Mapping[str, Any]:
        if index not in self._opened:
            data = self._reader.vault(index)
            values = None if data is None else self._book.vault.decrypt(index, data).values
            self._opened[index] = values or {}
        return self._opened[index]

    def _named(self, party: str) -> str:
        data = self._reader.object(f"party/{party}")
        return "" if data is None else str(orjson.loads(data).get("name", ""))


def _quotes(line: BankLine, number: str | None) -> bool:
    """Whether the bank quotes a number: as its reference, or in the remark."""
    if not number:
        return False
    quoted = len(number) >= QUOTED_CHARS_MIN and number in (line.remark or "")
    return quoted or number == line.reference


def _ranked(line: BankLine, candidates: Sequence[Suggestion]) -> Suggested:
    ranked = sorted(candidates, key=lambda one: (one.score, one.gifts))
    clear = len(ranked) == 1 or (len(ranked) > 1 and ranked[0].score < ranked[1].score)
    return Suggested(line, tuple(ranked[:SHOWN_MAX]), clear)


def _references(book: Book, reader: Reader, lines: Sequence[BankLine]) -> dict[str, int]:
    """References that are order numbers of the ledger → the gifts' entries."""
    given = {line.reference for line in lines if line.reference}
    digests = {book.vault.digest("order", one.encode()): one for one in given}
    return {digests[digest]: index for digest, index in reader.order_numbers(list(digests)).items()}


def _gifts(rows: Iterable[bytes], side: Side) -> Iterator[Entry]:
    for data in rows:
        if any(mark in data for mark in side.marks):
            entry = parse_entry(data)
            if entry.kind in side.kinds:
                yield entry


def _gift(entry: Entry, side: Side) -> Gift:
    fields = entry.fields
    party = next((str(fields[name]) for name in side.parties if name in fields), "")
    moved = [one for one in entry.postings if one["asset"] == MONEY]
    return Gift(
        entry.index,
        entry.occurred_on,
        sum(one["amount"] for one in moved),
        str(fields.get("channel", entry.kind)),
        str(fields.get("fund", "")),
        party,
    )


def _ordinal(day: str) -> int:
    return dt.date.fromisoformat(day).toordinal()


def _moved(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()
