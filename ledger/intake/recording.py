"""A clean plan → entries: rehearsed as a whole, then recorded batch by batch.

Each gift's idempotency key comes from its order number, so a recording that was
interrupted is finished by importing the file again, and nothing enters twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ledger.beside import rare_garbage
from ledger.book import Book
from ledger.entry import parse_entry
from ledger.errors import LedgerError, RejectedError
from ledger.intake.gift_rows import PlannedGift
from ledger.intake.plan import KnownGift, Plan
from ledger.recorded import Recorded
from ledger.records.request import Validated, rehearse
from ledger.records.sealing import Unsealed, seal_slices, sealed_apart
from ledger.state import State
from ledger.units import joined

SLICE = 1000
"""Gifts that are queued together; the next follow when these are answered."""
QUEUE_SHARE = 4
"""They take at most this part of the queue's room, however small that is."""
KEPT_MAX = 50_000
"""Gifts that stay validated from the rehearsal until they are recorded; the others are validated
once more, so that memory has a bound (47 MB)."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Target:
    """What the gifts of a file are for, and who records them."""

    fund: str
    channel: str
    recorded_by: str
    project: str | None = None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording added: how many gifts, their sum, and their entries."""

    recorded: int
    sum_fen: int
    first: int | None
    last: int | None


def known_gifts(book: Book) -> Callable[[Sequence[str]], Mapping[str, KnownGift]]:
    """What the ledger knows of order numbers, as `plan.plan_gifts` asks for it."""

    def known(orders: Sequence[str]) -> dict[str, KnownGift]:
        digests = {book.vault.digest("order", order.encode()): order for order in orders}
        with book.store.read() as reader:
            found = reader.order_numbers(list(digests))
            order_of = {index: digests[digest] for digest, index in found.items()}
            gifts: dict[str, KnownGift] = {}
            for first, end in joined((index, index + 1) for index in sorted(order_of)):
                for start in range(first, end, SLICE):
                    rows = reader.entries(start, min(end, start + SLICE))
                    for index, data in enumerate(rows, start):
                        entry = parse_entry(data)
                        amount = int(entry.fields.get("amount_fen", 0))
                        gifts[order_of[index]] = KnownGift(index, amount, entry.occurred_on)
        return gifts

    return known


def record_plan(
    book: Book, plan: Plan, target: Target, progress: Progress | None = None
) -> Outcome:
    """Record the gifts of a clean plan.

    Every gift is first checked against the ledger's rules as it stands; if one is
    refused, nothing is recorded.

    Args:
        book: The log.
        plan: What `plan_gifts` gave; its `clean` must be true.
        target: Fund, channel and the rest.
        progress: Called with the number of gifts recorded so far; what it raises ends the
            recording between two slices.

    Raises:
        RejectedError: the plan is not clean, or a gift breaks a rule (the row is named).
        LedgerError: the write path failed; import the file again to finish.
    """
    if not plan.clean:
        raise RejectedError(
            f"the plan has {len(plan.errors)} errors and {len(plan.conflicts)} conflicts; "
            "mend the file first",
            code="plan_not_clean",
        )
    with rare_garbage():
        # Another process validates what it seals.
        keep = 0 if sealed_apart(len(plan.gifts), book.vault) else KEPT_MAX
        found = rehearse_plan(book, plan, target, keep=keep)
        return _record(book, plan, target, found, progress)


def _record(
    book: Book, plan: Plan, target: Target, found: deque[Validated], progress: Progress | None
) -> Outcome:
    """Record gifts that the rules take; the next are sealed while those before are written.

    Args:
        found: The first of them, validated; taken from as they are recorded.
    """
    indices: list[int] = []
    waiting: Future[list[Recorded]] | None = None
    for some in seal_slices(
        _slices(book, plan.gifts, target, found), len(plan.gifts), target.recorded_by, book.vault
    ):
        indices += _indices(waiting)
        waiting = book.sequencer.submit_together(some)
        if progress is not None:
            progress(len(indices))
    indices += _indices(waiting)
    if progress is not None:
        progress(len(indices))
    return Outcome(
        len(indices), plan.sum_fen, min(indices, default=None), max(indices, default=None)
    )


def _indices(waiting: Future[list[Recorded]] | None) -> list[int]:
    return [] if waiting is None else [one.index for one in waiting.result()]


def _slices(
    book: Book, gifts: Sequence[PlannedGift], target: Target, found: deque[Validated]
) -> Iterator[list[Unsealed]]:
    digest = book.vault.digest
    # A slice must fit into the queue beside those of others.
    at_once = max(1, min(SLICE, int(book.sequencer.stats()["queue_max"]) // QUEUE_SHARE))
    for start in range(0, len(gifts), at_once):
        yield [
            Unsealed(
                _body(gift, target),
                f"import/{digest('import', gift.order_number.encode()).hex()}",
                found.popleft() if found else None,
            )
            for gift in gifts[start : start + at_once]
        ]


def _body(gift: PlannedGift, target: Target) -> dict[str, Any]:
    fields = {
        "fund": target.fund,
        "amount_fen": gift.amount_fen,
        "channel": target.channel,
        "project": target.project,
        "campaign": target.campaign,
    }
    sealed = {
        "order_number": gift.order_number,
        "donor_name": gift.donor_name,
        "message": gift.message,
        "contact": gift.contact,
        "exact_time": gift.exact_time,
    }
    return {
        "kind": "donation.money",
        "occurred_on": gift.occurred_on,
        "fields": {name: value for name, value in fields.items() if value is not None},
        "sealed": {name: value for name, value in sealed.items() if value is not None},
    }


def rehearse_plan(book: Book, plan: Plan, target: Target, *, keep: int = 0) -> deque[Validated]:
    """Put every gift to the rules without recording it.

    Returns:
        The first of them, as many as to `keep`, validated.

    Raises:
        RejectedError: one is refused; the row is named.
    """
    today = book.today()
    found: deque[Validated] = deque()
    with book.store.read() as reader:
        state = State(reader)
        head = reader.head()
        index = head.size if head else 0
        for gift in plan.gifts:
            try:
                # Not sealed: that is two thirds of the work, and no rule looks at it.
                body = _body(gift, target)
                one = rehearse(
                    body, state, index=index, today=today, recorded_by=target.recorded_by
                )
            except LedgerError as error:
                raise _of_row(gift, error) from None
            if len(found) < keep:
                found.append(one)
    return found


def check_target(book: Book, target: Target) -> None:
    """Refuse fund, project, campaign or channel that no gift can be recorded for.

    Whether the campaign was open on a gift's day is for `rehearse` to say.

    Raises:
        MalformedError: a field is not in the right form (``invalid_record``).
        RejectedError: one is not registered, or they do not belong together.
    """
    today = book.today()
    body = _body(PlannedGift(0, "0", 1, today), target)
    with book.store.read() as reader:
        try:
            rehearse(body, State(reader), index=0, today=today, recorded_by=target.recorded_by)
        except RejectedError as error:
            if error.field is not None and error.field.startswith("fields."):
                raise


def _of_row(gift: PlannedGift, error: LedgerError) -> RejectedError:
    return RejectedError(
        f"row {gift.row}: {error.message} Nothing was recorded.",
        code=error.code,
        field=error.field,
        details={**error.details, "row": gift.row},
    )
