"""The plain rows that go into the store and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.flows import Flow
from ledger.movements import Row as Movement


@dataclass(frozen=True, slots=True)
class Head:
    """The newest state of the log: its size, root, last entry and signed checkpoint."""

    size: int
    root: bytes
    last_leaf_hash: bytes
    last_recorded_at: str
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account with what is still in it: ``(first, end, label)`` by rising number."""

    id: int
    asset: str
    name: str
    received: int
    segments: Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class PoolRow:
    """The units of one label in one account: ever received, still held, and those of both
    that moved because an earlier move was taken back."""

    account: int
    asset: str
    name: str
    label: str
    received: int
    held: int
    returned: int


@dataclass(frozen=True, slots=True)
class HolderRow:
    """An account: what it ever received of its asset, and what is still in it."""

    account: int
    asset: str
    name: str
    received: int
    held: int


@dataclass(frozen=True, slots=True)
class AssetRow:
    """All accounts of an asset together; `accounts` are those that ever received any."""

    asset: str
    accounts: int
    received: int
    held: int


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """An authority's time stamp of the checkpoint of one size.

    Attributes:
        response: The authority's answer, DER.
        certificates: The roots it was verified under when it came, and what leads to
            them, PEM.
        mac: The vault's keyed digest of the row: no signature covers all its bytes.
    """

    size: int
    authority: str
    response: bytes
    certificates: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one commit writes.

    Attributes:
        head: The head after it; its size is the first entry's index plus their number.
        entries: ``(index, bytes, leaf hash)``, gapless.
        tiles: Full tiles that became complete, ``(level, number, 8192 bytes)``.
        edges: The partial tile of each level, replacing the stored ones.
        vault: ``(index, ciphertext)``; that of an entry of an earlier batch replaces the
            stored one (an erasure).
        idempotency: ``(key, digest, index)``.
        order_numbers: ``(digest, index)``.
        accounts: ``(id, asset, name, received)``, new or changed.
        holdings_set, holdings_gone: Segments ``(account id, first, length, label)`` that
            are there now, and ``(account id, first)`` that are there no more.
        pools: ``(account id, label, received, held, returned)``, each to be added to what
            is stored.
        assets: ``(asset, accounts, received, held)``, each to be added to what is stored.
        flows: What moved; `account_ids` gives the id of each ``(asset, account)`` named.
        objects: ``(key, canonical JSON or None)``; None removes it.
        references: ``(entry that is referred to, entry that refers to it)``.
        kinds: ``(kind, index)`` of each entry.
        movements: What each entry moved in each account, with the sums up to it.
    """

    head: Head
    entries: Sequence[tuple[int, bytes, bytes]]
    tiles: Sequence[tuple[int, int, bytes]]
    edges: Sequence[bytes]
    vault: Sequence[tuple[int, bytes]]
    idempotency: Sequence[tuple[str, bytes, int]]
    order_numbers: Sequence[tuple[bytes, int]]
    accounts: Sequence[tuple[int, str, str, int]]
    holdings_set: Sequence[tuple[int, int, int, str]]
    holdings_gone: Sequence[tuple[int, int]]
    pools: Sequence[tuple[int, str, int, int, int]]
    assets: Sequence[tuple[str, int, int, int]]
    flows: Sequence[Flow]
    objects: Sequence[tuple[str, bytes | None]]
    account_ids: Mapping[tuple[str, str], int]
    references: Sequence[tuple[int, int]]
    kinds: Sequence[tuple[str, int]]
    movements: Sequence[Movement]
