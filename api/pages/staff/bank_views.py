"""Bank statements as pages show them: of all accounts, and the lines of one beside the gifts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from api.pages.kinds import kind_title
from api.pages.texts import Translator
from ledger.book import Book
from ledger.entry import Entry, parse_entry
from ledger.intake.bank_lines import BankLine, BankStatement
from ledger.intake.bank_matching import (
    PAYMENTS,
    Gift,
    Suggested,
    Suggestion,
    Unmatched,
    matched_lines,
    suggest,
    unmatched_gifts,
)
from ledger.store import Reader
from ledger.units import joined

ACCOUNTS_MAX = 50
EARLIER_MAX = 12
"""Statements of one account that the list names."""
LINES_SHOWN = 50
GIFTS_SHOWN = 100

LineState = Literal["matched", "clear", "ambiguous", "alone"]
STATES: tuple[LineState, ...] = ("clear", "ambiguous", "alone", "matched")


@dataclass(frozen=True, slots=True)
class BankRow:
    """One statement, and how much of what came in is matched."""

    account: str
    statement: int
    period_from: str
    period_to: str
    opening_fen: int
    came_fen: int
    went_fen: int
    closing_fen: int
    matched_fen: int

    @property
    def unmatched_fen(self) -> int:
        """What came in and no gift stands for yet: the goal is 0."""
        return self.came_fen - self.matched_fen


@dataclass(frozen=True, slots=True)
class SuggestionView:
    """A suggestion as a form sends it back: ``row:gifts``; and why it is one."""

    value: str
    gifts: tuple[tuple[int, int], ...]
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class LineView:
    """One line: what the bank says, and what stands on the other side."""

    line: BankLine
    state: LineState
    entry: int | None
    suggestions: tuple[SuggestionView, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one statement.

    Attributes:
        lines: Lines of the state asked for, one page of them.
        next: The row after which the next page begins; None at the end.
        counts, sums: Of all lines, by state.
        gifts: The first gifts without a line; gifts_total, gifts_fen: of all.
    """

    lines: tuple[LineView, ...]
    next: int | None
    counts: Mapping[LineState, int]
    sums: Mapping[LineState, int]
    gifts: tuple[Gift, ...]
    gifts_total: int
    gifts_fen: int
    looked: Unmatched


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What went out beside the payments of those days. The log has no record for such a match.

    Attributes:
        lines: One page of them; `next`: the row after which the next one begins.
        counts, sums: Of all lines, by state; the sums add up to what the statement says went out.
        payments: The first payments; those that no line clearly stands for come first.
        total, total_fen: All payments of these days.
        paired, paired_fen: Those that a line clearly stands for.
    """

    lines: tuple[LineView, ...]
    next: int | None
    counts: Mapping[LineState, int]
    sums: Mapping[LineState, int]
    payments: tuple[tuple[Gift, str, bool], ...]
    total: int
    total_fen: int
    paired: int
    paired_fen: int
    looked: Unmatched


def bank_row(reader: Reader, entry: Entry) -> BankRow:
    """A recorded statement with what is matched of it."""
    fields = entry.fields
    matched = reader.object(f"bank-matched/{entry.index}")
    return BankRow(
        fields["account_alias"],
        entry.index,
        fields["period_from"],
        fields["period_to"],
        fields["opening_fen"],
        fields["credits_fen"],
        fields["debits_fen"],
        fields["closing_fen"],
        0 if matched is None else orjson.loads(matched)["amount_fen"],
    )


def newest_statements(reader: Reader) -> Iterator[Entry]:
    """The newest statement of each account."""
    for _, data in reader.objects("statement/", limit=ACCOUNTS_MAX):
        yield parse_entry(reader.entry(orjson.loads(data)["entry"]))


def all_statements(reader: Reader) -> list[BankRow]:
    """Each account's newest statements: each refers to the one before."""
    found: list[BankRow] = []
    for entry in newest_statements(reader):
        one: Entry | None = entry
        for _ in range(EARLIER_MAX):
            if one is None or one.kind != "statement.imported":
                break
            found.append(bank_row(reader, one))
            one = parse_entry(reader.entry(one.references[0])) if one.references else None
    return found


def both_sides(
    book: Book,
    reader: Reader,
    entry: int,
    statement: BankStatement,
    translator: Translator,
    *,
    state: LineState | None,
    after: int | None,
) -> Sides:
    """The lines that brought something, and the gifts of those days.

    Args:
        state: Only lines of this state; None: all that are not matched.
        after: The row that the last page ended with, in the statement's order.
    """
    credits = statement.credits
    matched = matched_lines(reader, entry, [line.row for line in credits])
    looked = unmatched_gifts(reader, statement.period_from, statement.period_to)
    waiting = [line for line in credits if line.row not in matched]
    suggested = {one.line.row: one for one in suggest(book, reader, waiting, looked.gifts)}
    states = {line.row: _state(line, matched, suggested) for line in credits}
    chosen = [
        line
        for line in credits
        if (states[line.row] == state if state else states[line.row] != "matched")
    ]
    rows = [line.row for line in chosen]
    start = rows.index(after) + 1 if after in rows else 0
    page = chosen[start : start + LINES_SHOWN]
    return Sides(
        lines=tuple(
            LineView(
                line,
                states[line.row],
                matched.get(line.row),
                _views(suggested.get(line.row), translator),
            )
            for line in page
        ),
        next=page[-1].row if start + LINES_SHOWN < len(chosen) else None,
        counts={one: sum(found == one for found in states.values()) for one in STATES},
        sums={
            one: sum(line.moved_fen for line in credits if states[line.row] == one)
            for one in STATES
        },
        gifts=_nearest(looked.gifts, suggested),
        gifts_total=len(looked.gifts),
        gifts_fen=sum(gift.amount_fen for gift in looked.gifts),
        looked=looked,
    )


def outgoing(
    book: Book,
    reader: Reader,
    statement: BankStatement,
    translator: Translator,
    *,
    after: int | None,
) -> Outgoing | None:
    """The lines that took something out, each beside the payments it may be; None for no lines.

    Args:
        after: The row that the last page ended with, in the statement's order.
    """
    lines = statement.outgoing
    if not lines:
        return None
    looked = unmatched_gifts(reader, statement.period_from, statement.period_to, PAYMENTS)
    suggested = {one.line.row: one for one in suggest(book, reader, lines, looked.gifts, PAYMENTS)}
    states = {line.row: _state(line, {}, suggested) for line in lines}
    rows = [line.row for line in lines]
    start = rows.index(after) + 1 if after in rows else 0
    page = lines[start : start + LINES_SHOWN]
    named = {gift for one in suggested.values() if one.clear for gift in one.suggestions[0].gifts}
    paired = [one for one in looked.gifts if one.index in named]
    return Outgoing(
        lines=tuple(
            LineView(line, states[line.row], None, _views(suggested[line.row], translator))
            for line in page
        ),
        next=page[-1].row if start + LINES_SHOWN < len(lines) else None,
        counts={one: sum(found == one for found in states.values()) for one in STATES},
        sums={
            one: -sum(line.moved_fen for line in lines if states[line.row] == one) for one in STATES
        },
        payments=tuple(
            (one, kind_title(one.channel, translator), one.index in named)
            for one in _nearest(looked.gifts, suggested)
        ),
        total=len(looked.gifts),
        total_fen=sum(one.amount_fen for one in looked.gifts),
        paired=len(paired),
        paired_fen=sum(one.amount_fen for one in paired),
        looked=looked,
    )


def _nearest(gifts: Sequence[Gift], suggested: Mapping[int, Suggested]) -> tuple[Gift, ...]:
    """The first gifts by day; those that nothing is suggested for come first."""
    named = {gift for one in suggested.values() if one.clear for gift in one.suggestions[0].gifts}
    ordered = sorted(gifts, key=lambda one: (one.index in named, one.day, one.index))
    return tuple(ordered[:GIFTS_SHOWN])


def _state(
    line: BankLine, matched: Mapping[int, int], suggested: Mapping[int, Suggested]
) -> LineState:
    if line.row in matched:
        return "matched"
    found = suggested[line.row]
    if found.clear:
        return "clear"
    return "ambiguous" if found.suggestions else "alone"


def _views(found: Suggested | None, translator: Translator) -> tuple[SuggestionView, ...]:
    if found is None:
        return ()
    return tuple(_view(found.line, one, translator) for one in found.suggestions)


def _view(line: BankLine, one: Suggestion, translator: Translator) -> SuggestionView:
    spans = tuple((first, end - 1) for first, end in joined((i, i + 1) for i in sorted(one.gifts)))
    written = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
    channel = ""
    if line.moved_fen < 0:
        why = f"bank.out_why_{one.reason}"
        if one.channel:
            channel = kind_title(one.channel, translator)
    else:
        why = f"bank.why_{one.reason}"
        if one.channel:
            channel = translator.word("suggested", one.channel)
    reason = translator.text(
        why,
        days=one.days,
        channel=channel,
        day=one.day,
        count=len(one.gifts),
    )
    return SuggestionView(f"{line.row}:{written}", spans, len(one.gifts), reason)
