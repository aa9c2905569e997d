"""What becomes of one record: repeated, refused, or applied to the state and made an entry.

The sequencer calls it inside its batch, the import of goods when it rehearses, so both
judge a record in the same way.
"""

from __future__ import annotations

from typing import Any

from ledger.entry import Entry, format_entry
from ledger.errors import ConflictError, MalformedError
from ledger.records.kind import Draft, check_common
from ledger.records.request import Prepared
from ledger.state import State
from ledger.tlog.merkle import leaf_hash


def append_one(
    prepared: Prepared, state: State, index: int, previous: str, at: str, today: str
) -> tuple[bytes, bytes]:
    """Apply one record to the state; its entry's bytes and leaf hash.

    Raises:
        RejectedError, MalformedError: a rule, or too large an entry; nothing changed.
    """
    kind = prepared.kind
    draft: Draft[Any] = Draft(
        index,
        prepared.fields,
        frozenset(prepared.sealed),
        prepared.occurred_on,
        today,
        prepared.recorded_by,
        prepared.approved_by,
        prepared.documents,
    )
    check_common(kind, draft)
    plan = kind.plan(draft, state)
    moved = state.transfer(plan.moves)
    entry = Entry(
        index,
        previous,
        at,
        prepared.occurred_on,
        prepared.recorded_by,
        prepared.approved_by,
        kind.name,
        prepared.public,
        prepared.sealed,
        moved.postings,
        plan.references,
        prepared.documents,
    )
    try:
        data = format_entry(
            index=index,
            previous=previous,
            recorded_at=at,
            occurred_on=entry.occurred_on,
            recorded_by=entry.recorded_by,
            approved_by=entry.approved_by,
            kind=entry.kind,
            fields=entry.fields,
            sealed=entry.sealed,
            postings=entry.postings,
            references=entry.references,
            documents=entry.documents,
        )
    except MalformedError:
        state.take_back(moved)
        raise
    state.note(entry, moved)
    kind.effects(entry, state, 1)
    return data, leaf_hash(data)


def replayed(key: str, request: bytes, keys: dict[str, tuple[bytes, int]]) -> int:
    """The entry of a record that comes again under its idempotency key.

    Args:
        key, request: The record's key, and the digest of what it says.
        keys: What is known of keys: ``{key: (digest, index)}``.

    Raises:
        ConflictError: the key was used for another record (``idempotency_conflict``).
    """
    digest, index = keys[key]
    if digest != request:
        raise ConflictError(
            f"Idempotency-Key {key!r} was used for another record; use a new key for a new "
            "record, and the same content for a repetition",
            code="idempotency_conflict",
            field="Idempotency-Key",
        )
    return index


def check_order(order: bytes | None, orders: dict[bytes, int]) -> None:
    """Refuse an order number that is recorded already.

    Args:
        order: Its digest; None for a record without one.
        orders: Which are recorded: ``{digest: index}``.

    Raises:
        ConflictError: ``order_number_recorded``.
    """
    if order is not None and order in orders:
        raise ConflictError(
            f"sealed.order_number: this order was recorded by entry {orders[order]}; "
            "an order enters the log once",
            code="order_number_recorded",
            field="sealed.order_number",
            details={"entry": orders[order]},
        )
