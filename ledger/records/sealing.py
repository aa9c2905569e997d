"""Many records validated and sealed beside the writer.

Validation and sealing need no lock and no state, and they are a third of what recording
takes; handing a record over and back takes a sixth of it. So whoever records very many has
one process do it while this one writes (ADR 36). Fewer are sealed in this process, since
another takes half a second to start; and so is whatever the other one did not do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from ledger.beside import cores, worker_pool
from ledger.errors import LedgerError
from ledger.frozen import frozen
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import Prepared, Validated, check_key, prepare, seal_validated
from ledger.vault import Digests, Vault, VaultRow

APART_FROM = 50_000
"""Fewer records are sealed in this process."""
UNDER_WAY = 3
"""Slices that the other process has: one at work, one waiting, one to be taken."""

_Sealed = tuple[Any, ...]
"""A prepared record as plain values, which travel for little."""


@frozen
class Unsealed:
    """A request, and its idempotency key; `found` where it was validated before."""

    body: Mapping[str, Any]
    key: str
    found: Validated | None = None


def seal_slices(
    slices: Iterable[Sequence[Unsealed]], records: int, recorded_by: str, vault: Vault
) -> Iterator[list[Prepared]]:
    """Prepare records that one person records and nobody else has to approve.

    Args:
        slices: The records, in parts; those of the next parts are taken in advance.
        records: How many they are about, to choose where it is done.
        recorded_by: The pseudonymous id of the person.
        vault: Makes the digests and the seeds.

    Yields:
        The prepared records of each part, in order.

    Raises:
        MalformedError: as `request.prepare`, when the part is asked for.
    """
    digests = vault.digests
    if not sealed_apart(records, vault):
        for some in slices:
            yield _seal(some, recorded_by, digests)
        return
    waiting: deque[tuple[Sequence[Unsealed], Future[list[_Sealed] | None] | None]] = deque()
    with worker_pool(1) as pool:
        for some in slices:
            waiting.append((some, _submit(pool, some, recorded_by, digests)))
            if len(waiting) >= UNDER_WAY:
                yield _take(*waiting.popleft(), recorded_by, digests)
        while waiting:
            yield _take(*waiting.popleft(), recorded_by, digests)


def sealed_apart(records: int, vault: Vault) -> bool:
    """Whether another process validates and seals so many records."""
    return records >= APART_FROM and cores() >= 2 and vault.digests.portable


def _seal(some: Sequence[Unsealed], recorded_by: str, digests: Digests) -> list[Prepared]:
    return [_seal_one(one, recorded_by, digests) for one in some]


def _seal_one(one: Unsealed, recorded_by: str, digests: Digests) -> Prepared:
    key, found = one.key, one.found
    if found is None:
        return prepare(one.body, key=key, recorded_by=recorded_by, approved_by=None, vault=digests)
    check_key(key)
    return seal_validated(found, key=key, recorded_by=recorded_by, approved_by=None, vault=digests)


def seal_apart(
    some: Sequence[tuple[Mapping[str, Any], str]], recorded_by: str, digests: Digests
) -> list[_Sealed] | None:
    """In the other process: prepare ``(body, key)``; None where one of them is refused."""
    try:
        sealed = _seal([Unsealed(*one) for one in some], recorded_by, digests)
    except LedgerError:
        # Who asked for it meets the same error, and tells it in the same words.
        return None
    return [
        (
            one.kind.name,
            one.public,
            one.sealed,
            one.occurred_on,
            one.documents,
            one.row.key,
            one.row.request,
            one.row.order,
            one.row.seed,
            one.row.values,
        )
        for one in sealed
    ]


def _submit(
    pool: Executor, some: Sequence[Unsealed], recorded_by: str, digests: Digests
) -> Future[list[_Sealed] | None] | None:
    try:
        return pool.submit(seal_apart, [(one.body, one.key) for one in some], recorded_by, digests)
    except BrokenExecutor:
        return None


def _take(
    some: Sequence[Unsealed],
    future: Future[list[_Sealed] | None] | None,
    recorded_by: str,
    digests: Digests,
) -> list[Prepared]:
    """What the other process made of a slice; sealed here where it died or could not."""
    try:
        found = None if future is None else future.result()
    except BrokenExecutor:
        found = None
    if found is None:
        return _seal(some, recorded_by, digests)
    return [_prepared(one, recorded_by) for one in found]


def _prepared(one: _Sealed, recorded_by: str) -> Prepared:
    name, public, sealed, occurred_on, documents, *row = one
    kind = KIND_BY_NAME[name]
    fields = kind.fields.model_validate(public)
    return Prepared(
        kind, fields, public, sealed, occurred_on, documents, recorded_by, None, VaultRow(*row)
    )
