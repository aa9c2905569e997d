"""What a batch needs to know before its records are applied, asked for at once.

A server is a journey away, and the head stays locked meanwhile: everything goes there
together and comes back together, by the driver alone. A file answers in a function call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger.movements import MovementRow
from ledger.store.rows import AccountRow
from ledger.store.sums_reader import NEWEST_ON_SERVER, movement_row, newest_values

if TYPE_CHECKING:
    from ledger.store.reader import Reader

_KEYS = "SELECT key, digest, entry FROM idempotency WHERE key = ANY(%s)"
_ORDERS = "SELECT digest, entry FROM order_number WHERE digest = ANY(%s)"
_EDGES = "SELECT hashes FROM edge ORDER BY level"
_COUNT = "SELECT coalesce(max(id) + 1, 0) FROM account"
_OBJECTS = "SELECT key, value FROM state_object WHERE key = ANY(%s)"
_ACCOUNTS = "SELECT id, asset, name, received FROM account WHERE id = ANY(%s)"
_HOLDINGS = """
SELECT account, first, length, label FROM holding WHERE account = ANY(%s) ORDER BY account, first
"""


@dataclass(frozen=True, slots=True)
class State:
    """The state's part: asked for where another process may have written since.

    Attributes:
        edges: The partial tiles of the right edge, by level.
        account_count: How many accounts there are.
        objects, accounts: Of those that were asked for, the ones that are there.
        movements: The newest of the accounts and days that were asked for.
    """

    edges: Sequence[bytes]
    account_count: int
    objects: Mapping[str, bytes]
    accounts: Sequence[AccountRow]
    movements: Sequence[MovementRow]


@dataclass(frozen=True, slots=True)
class Found:
    """What the store knows: of the batch's keys and orders, and, if asked, of the state."""

    keys: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    orders: dict[bytes, int] = field(default_factory=dict)
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: idempotency keys, digests of orders; of the state nothing, or its edge
    with these objects, accounts (their ids), and days of accounts."""

    keys: Collection[str]
    orders: Collection[bytes]
    state: tuple[Collection[str], Collection[int], Collection[tuple[int, str]]] | None = None


def in_file(reader: Reader, wanted: Wanted) -> Found:
    """Answered one after another."""
    state = None
    if wanted.state is not None:
        objects, accounts, days = wanted.state
        state = State(
            reader.edges(),
            reader.account_count(),
            reader.chosen_objects(objects),
            reader.chosen_accounts(accounts),
            reader.newest_movements(days),
        )
    return Found(reader.idempotency(wanted.keys), reader.order_numbers(wanted.orders), state)


def on_server(connection: sa.Connection, wanted: Wanted) -> Found:
    """Asked in one pipeline.

    Raises:
        psycopg.Error: what the server says.
    """
    from ledger.store.arrays import Column

    driver: Any = connection.connection.driver_connection
    with driver.pipeline():
        keys = driver.execute(_KEYS, [Column("text", list(wanted.keys))])
        orders = driver.execute(_ORDERS, [Column("bytea", list(wanted.orders))])
        if wanted.state is not None:
            objects, accounts, days = wanted.state
            edges, count = driver.execute(_EDGES), driver.execute(_COUNT)
            named = driver.execute(_OBJECTS, [Column("text", list(objects))])
            ids = Column("bigint", list(accounts))
            rows, held = driver.execute(_ACCOUNTS, [ids]), driver.execute(_HOLDINGS, [ids])
            moved = driver.execute(NEWEST_ON_SERVER, newest_values(days))
    state = None
    if wanted.state is not None:
        ranges: dict[int, list[tuple[int, int, str]]] = {}
        for account, first, length, label in held:
            ranges.setdefault(account, []).append((first, first + length, label))
        state = State(
            [hashes for (hashes,) in edges],
            count.fetchone()[0],
            dict(named),
            [
                AccountRow(account, asset, name, received, ranges.get(account, []))
                for account, asset, name, received in rows
            ],
            list(map(movement_row, moved)),
        )
    return Found({key: (digest, entry) for key, digest, entry in keys}, dict(orders), state)
