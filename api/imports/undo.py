"""Taking a whole import back: one proposal over all of its entries, one decision on it.

::

    proposed ──► waiting ──► recording ──► done
                    │            └──► stopped ──► recording
                    └──► withdrawn, rejected or expired, and may be proposed anew

Nothing is taken back without the second person, and nothing is hidden: each gift gets an
``entry.reversed`` of its own, recorded by who proposed and approved by who approved. An entry
that the ledger refuses (its units moved on) stays, and is listed with the reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from typing import Any, Literal

from api.imports.job import DAYS_MAX, Trouble
from ledger.book import Book
from ledger.errors import FatalError, LedgerError, OutcomeUnknownError, RetryableError
from ledger.flows import REVERSAL
from ledger.records.request import Prepared, prepare

SLICE = 500
"""Reversals that are queued together; the next follow when these are answered."""
QUEUE_SHARE = 4
"""They take at most this part of the queue's room."""
EARLIER = "already_reversed"
"""How the ledger refuses an entry that somebody took back before: then there is nothing to do."""

UndoStatus = Literal["waiting", "recording", "stopped", "done", "withdrawn", "rejected", "expired"]
UNDO_OPEN: frozenset[UndoStatus] = frozenset(("waiting", "recording", "stopped"))
"""Somebody, or the worker, has something to do."""
EXPIRING: frozenset[UndoStatus] = frozenset(("waiting", "stopped"))
"""What waits for a person, and so long only as an import or a proposal does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """That an import is to be taken back, and how far that has come.

    Attributes:
        reason: Why, as every reversal says it in the log.
        proposed_by, proposed_at: Who asked for it, and when (UTC).
        approved_by, day: The second person, and the day of their approval: the reversals'.
        decided_by, decided_why: Who withdrew or rejected it, and why.
        reversed: Entries that this took back; `before` were taken back by somebody earlier.
        refused: Entries that stay as they are.
        spans: The first ranges of the reversals' own entries, both ends included.
        trouble: Why it does not go on.
    """

    status: UndoStatus
    reason: str
    proposed_by: str
    proposed_at: str
    changed_at: str
    approved_by: str | None = None
    day: str | None = None
    decided_by: str | None = None
    decided_why: str | None = None
    reversed: int = 0
    before: int = 0
    refused: int = 0
    spans: Sequence[Sequence[int]] = ()
    trouble: Trouble | None = None

    @property
    def expires_at(self) -> str:
        """When it has waited for a person too long (UTC)."""
        changed = dt.datetime.fromisoformat(self.changed_at)
        return (changed + dt.timedelta(days=DAYS_MAX)).isoformat()

    def at(self, now: str) -> Undo:
        """As it is at a time: what nobody decided has expired. What was reversed stays so."""
        if self.status in EXPIRING and now >= self.expires_at:
            return replace(self, status="expired", changed_at=self.expires_at, trouble=None)
        return self


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that was not taken back: the ledger's code and sentence."""

    entry: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of the entries so far; `entries` are the reversals, in no order."""

    entries: Sequence[int]
    before: int
    refused: Sequence[Refusal]


def parse_undo(value: Mapping[str, Any]) -> Undo:
    """An undo from plain values, as `dataclasses.asdict` wrote them.

    Raises:
        TypeError, KeyError: it is none.
    """
    given = dict(value)
    if given["trouble"] is not None:
        given["trouble"] = Trouble(**given["trouble"])
    return Undo(**given)


def take_back(
    book: Book,
    number: int,
    undo: Undo,
    spans: Sequence[Sequence[int]],
    progress: Callable[[TakenBack], None],
) -> None:
    """Reverse an import's entries, the newest first; those that are reversed already stay so.

    A recording that was cut off is begun again: each reversal has an idempotency key of the
    import, the proposal and the entry, so that what is there is answered and not recorded twice.

    Args:
        number: The import's.
        undo: What was approved.
        spans: The entries, as ranges that include both ends.
        progress: Told after each slice; what it raises ends the recording there.

    Raises:
        LedgerError: the log takes nothing now.
    """
    entries: list[int] = []
    before = 0
    refused: list[Refusal] = []
    room = int(book.sequencer.stats()["queue_max"]) // QUEUE_SHARE
    for some in _slices(spans, max(1, min(SLICE, room))):
        futures = book.sequencer.submit([_reversal(book, number, undo, one) for one in some])
        # Who waits for each in turn is woken by each.
        wait(futures[-1:])
        for index, future in zip(some, futures, strict=True):
            try:
                entries.append(future.result().index)
            except (RetryableError, OutcomeUnknownError, FatalError):
                raise
            except LedgerError as error:
                if error.code == EARLIER:
                    before += 1
                else:
                    refused.append(Refusal(index, error.code, error.message))
        progress(TakenBack(entries, before, refused))


def _slices(spans: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    some: list[int] = []
    for first, last in reversed(spans):
        for index in range(last, first - 1, -1):
            some.append(index)
            if len(some) == most:
                yield some
                some = []
    if some:
        yield some


def _reversal(book: Book, number: int, undo: Undo, index: int) -> Prepared:
    body = {
        "kind": REVERSAL,
        "occurred_on": undo.day,
        "fields": {"entry": index, "reason": undo.reason},
    }
    return prepare(
        body,
        key=f"undo/{number}/{undo.proposed_at}/{index}",
        recorded_by=undo.proposed_by,
        approved_by=undo.approved_by,
        vault=book.vault,
    )
