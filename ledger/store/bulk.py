"""Many rows into PostgreSQL: COPY for large sets, one statement over arrays for small ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger.store import postgresql
from ledger.store.chosen import kind_of
from ledger.store.rows import Batch
from ledger.store.tables import TABLES

COPY_ROWS_MIN = 256
"""From here on COPY takes less processor time than arrays; below, arrays go in a pipeline,
which waits for the server once for all tables."""

Rows = Sequence[Sequence[Any]]
Columns = tuple[str, ...]


def needs_copy(batch: Batch) -> bool:
    """Whether some table gets so many of the batch's rows that COPY is used."""
    sets = (
        batch.entries,
        batch.tiles,
        batch.vault,
        batch.idempotency,
        batch.order_numbers,
        batch.flows,
        batch.references,
        batch.movements,
    )
    return any(len(rows) >= COPY_ROWS_MIN for rows in sets)


@cache
def _types(table: str, columns: Columns) -> tuple[str, ...]:
    return tuple(kind_of(TABLES[table].c[name].type) for name in columns)


def insert(connection: sa.Connection, table: str, columns: Columns, rows: Rows) -> None:
    """Add rows that are not there."""
    if len(rows) < COPY_ROWS_MIN:
        postgresql.run(connection, _insert_sql(table, columns), _arrays(table, columns, rows))
        return
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT BINARY)') as copy,
    ):
        copy.set_types(_types(table, columns))
        for row in rows:
            copy.write_row(row)


def upsert(
    connection: sa.Connection, table: str, columns: Columns, rows: Rows, *, add: bool
) -> None:
    """Set rows, each key once, or add their numbers to those of the rows that are there."""
    statement = _upsert_sql(table, columns, add=add)
    postgresql.run(connection, statement, _arrays(table, columns, rows))


def delete(connection: sa.Connection, table: str, columns: Columns, rows: Rows) -> None:
    """Remove the rows of these keys."""
    postgresql.run(connection, _delete_sql(table, columns), _arrays(table, columns, rows))


@cache
def _insert_sql(table: str, columns: Columns) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {_unnest(table, columns)} AS rows'


@cache
def _upsert_sql(table: str, columns: Columns, *, add: bool) -> str:
    key = [column.name for column in TABLES[table].primary_key.columns]
    changed = ", ".join(
        f'"{name}" = ' + (f'"{table}"."{name}" + ' if add else "") + f'excluded."{name}"'
        for name in columns
        if name not in key
    )
    target = ", ".join(f'"{name}"' for name in key)
    return f"{_insert_sql(table, columns)} ON CONFLICT ({target}) DO UPDATE SET {changed}"


@cache
def _delete_sql(table: str, columns: Columns) -> str:
    same = " AND ".join(f'"{table}"."{name}" = gone."{name}"' for name in columns)
    return f'DELETE FROM "{table}" USING {_unnest(table, columns)} AS gone WHERE {same}'


def _unnest(table: str, columns: Columns) -> str:
    arrays = ", ".join(
        f"CAST(%(v{place})s AS {kind}[])" for place, kind in enumerate(_types(table, columns))
    )
    names = ", ".join(f'"{name}"' for name in columns)
    return f"(SELECT * FROM unnest({arrays}) AS given({names}))"


def _arrays(table: str, columns: Columns, rows: Rows) -> dict[str, Any]:
    # The driver is imported where a server is named: SQLite does without it.
    from ledger.store.arrays import Column

    return {
        f"v{place}": Column(kind, [row[place] for row in rows])
        for place, kind in enumerate(_types(table, columns))
    }
