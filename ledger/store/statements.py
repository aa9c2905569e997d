"""The statements that write many rows of a table to SQLite, as text that its driver takes.

Handed to the driver with plain tuples: SQLAlchemy's own way makes a dictionary of each row,
and then of each dictionary a tuple again, which took as long as SQLite itself (40 of 150 µs
an entry, its nine tables together).
"""

from __future__ import annotations

from functools import cache

from ledger.store.tables import TABLES


@cache
def insert(table: str, columns: tuple[str, ...]) -> str:
    """Add rows that are not there: values of these columns, in this order."""
    names = ", ".join(map(_quoted, columns))
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places})"


@cache
def upsert(table: str, columns: tuple[str, ...], *, add: bool) -> str:
    """Set rows, or add their numbers to those of the rows that are there."""
    key = [column.name for column in TABLES[table].primary_key.columns]
    changed = []
    for name in columns:
        if name not in key:
            column = _quoted(name)
            before = f"{table}.{column} + " if add else ""
            changed.append(f"{column} = {before}excluded.{column}")
    keys = ", ".join(map(_quoted, key))
    return f"{insert(table, columns)} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changed)}"


@cache
def delete(table: str, columns: tuple[str, ...]) -> str:
    """Remove the rows that have these values."""
    where = " AND ".join(f"{_quoted(name)} = ?" for name in columns)
    return f"DELETE FROM {table} WHERE {where}"


def _quoted(name: str) -> str:
    return f'"{name}"'
