"""The statements that write many rows of a table to SQLite, as text that its driver takes.

Handed to the driver with plain values: SQLAlchemy's own way makes a dictionary of each row,
and then of each dictionary a tuple again, which took as long as SQLite itself (40 of 150 µs
an entry, its nine tables together).

Many rows go into one statement. The driver lets go of the interpreter's lock for each
statement and has to get it back from the threads that answer requests: an entry has rows in
nine tables, and with one statement a row that wait was most of a batch's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from ledger.store.tables import TABLES

ROWS_MAX = 64
"""Rows in one statement: more gain nothing, and each number of rows is a text to be kept."""


def in_statements(
    query: Callable[[int], str], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Rows as statements with their values, in order.

    Args:
        query: The statement for a number of rows.
    """
    for start in range(0, len(rows), ROWS_MAX):
        some = rows[start : start + ROWS_MAX]
        yield query(len(some)), tuple(chain.from_iterable(some))


@cache
def insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    """Add so many rows that are not there: values of these columns, in this order."""
    names = ", ".join(map(_quoted, columns))
    places = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([places] * rows)}"


@cache
def upsert(table: str, columns: tuple[str, ...], rows: int, *, add: bool) -> str:
    """Set so many rows, or add their numbers to those of the rows that are there."""
    key = [column.name for column in TABLES[table].primary_key.columns]
    changed = []
    for name in columns:
        if name not in key:
            column = _quoted(name)
            before = f"{table}.{column} + " if add else ""
            changed.append(f"{column} = {before}excluded.{column}")
    keys = ", ".join(map(_quoted, key))
    return f"{insert(table, columns, rows)} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changed)}"


@cache
def delete(table: str, columns: tuple[str, ...]) -> str:
    """Remove the rows that have these values."""
    where = " AND ".join(f"{_quoted(name)} = ?" for name in columns)
    return f"DELETE FROM {table} WHERE {where}"


def _quoted(name: str) -> str:
    return f'"{name}"'
