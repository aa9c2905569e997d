"""Batches of rows for the tests of the store; they know no record kind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.flows import Flow
from ledger.store import Batch, Head, Store
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Ed25519Signer
from ledger.tlog.tiles import TileWriter

ORIGIN = "store.example/log"
SIGNER = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))


class Batches:
    """Makes the batches of one growing log: entries ``entry 0``, ``entry 1``, ..."""

    def __init__(self) -> None:
        self.tree = TileWriter(0, [])
        self.leaves: list[bytes] = []

    def make(
        self,
        count: int,
        *,
        flows: Sequence[Flow] = (),
        accounts: Sequence[tuple[int, str, str, int]] = (),
        **rows: Any,
    ) -> Batch:
        """The next `count` entries, each with a vault row, a key and an order number.

        `accounts` are ``(id, asset, name, received)``; other rows as in `Batch`.
        """
        first = len(self.leaves)
        indices = range(first, first + count)
        data = [b"entry %d" % index for index in indices]
        leaves = [leaf_hash(one) for one in data]
        self.leaves += leaves
        tiles = self.tree.extend(leaves)
        size, root = self.tree.size, self.tree.root()
        head = Head(
            size,
            root,
            self.leaves[-1],
            f"2022-01-10T02:00:00.{size:06d}Z",
            sign_checkpoint(ORIGIN, size, root, [SIGNER]),
        )
        values: dict[str, Any] = {
            "entries": list(zip(indices, data, leaves, strict=True)),
            "vault": [(index, b"sealed %d" % index) for index in indices],
            "idempotency": [(f"key-{index}", digest(index), index) for index in indices],
            "order_numbers": [(digest(index), index) for index in indices],
            "holdings_set": [],
            "holdings_gone": [],
            "pools": [],
            "assets": [],
            "objects": [],
            "references": [],
            "kinds": [],
            "movements": [],
            **rows,
        }
        return Batch(
            head=head,
            tiles=tiles,
            edges=list(self.tree.edges),
            accounts=accounts,
            flows=flows,
            account_ids={(asset, name): number for number, asset, name, _ in accounts},
            **values,
        )


def digest(number: int) -> bytes:
    """Some 32 bytes that belong to a number."""
    return hashlib.sha256(b"digest %d" % number).digest()


def put(store: Store, batch: Batch) -> None:
    """Write and commit one batch."""
    with store.append() as appender:
        appender.write(batch)
        appender.commit()
