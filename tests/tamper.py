"""Somebody with the database file and SQLite, but without the log's keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.audit.report import Finding, words
from ledger.store.tables import OUTSIDE, TABLES

Key = tuple[Any, ...]
Row = tuple[Any, ...]
NOT_UTF8 = object()
"""Stands for text whose bytes are not UTF-8."""


class Tamper:
    """Changes rows behind the store's back: the triggers are gone only while it does."""

    def __init__(self, folder: Path) -> None:
        self._raw = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)
        self._raw.text_factory = bytes

    def close(self) -> None:
        """Release the file."""
        self._raw.close()

    @contextmanager
    def unlocked(self) -> Iterator[sqlite3.Connection]:
        """A transaction without triggers, which are there again at its end."""
        run = self._raw.execute
        run("BEGIN IMMEDIATE")
        try:
            triggers = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                run(f'DROP TRIGGER "{name.decode()}"')
            yield self._raw
            for _, sql in triggers:
                run(sql.decode())
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, in the order of its key."""
        names = ", ".join(f'"{column.name}"' for column in TABLES[table].columns)
        key = ", ".join(f'"{column.name}"' for column in TABLES[table].primary_key.columns)
        found = self._raw.execute(f'SELECT {names} FROM "{table}" ORDER BY {key}').fetchall()
        return [tuple(map(_as_column, row, TABLES[table].columns)) for row in found]

    def key(self, table: str, row: Row) -> Key:
        """A row's key: the columns of it come first."""
        return row[: len(TABLES[table].primary_key.columns)]

    def change(self, table: str, key: Key, column: str, value: object) -> None:
        """Set one column of one row."""
        with self.unlocked() as raw:
            holder, values = ("?", [value])
            if value is NOT_UTF8:
                holder, values = ("CAST(x'41ff42' AS TEXT)", [])
            done = raw.execute(
                f'UPDATE "{table}" SET "{column}" = {holder} WHERE {_where(table)}',
                [*values, *key],
            )
            assert done.rowcount == 1

    def delete(self, table: str, key: Key) -> None:
        """Take one row out."""
        with self.unlocked() as raw:
            done = raw.execute(f'DELETE FROM "{table}" WHERE {_where(table)}', key)
            assert done.rowcount == 1

    def add(self, table: str, row: Row) -> None:
        """Put one row in."""
        with self.unlocked() as raw:
            raw.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        """Make these the only rows of a table."""
        with self.unlocked() as raw:
            raw.execute(f'DELETE FROM "{table}"')
            raw.executemany(
                f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(TABLES[table].columns))})',
                rows,
            )


def _where(table: str) -> str:
    return " AND ".join(f'"{one.name}" = ?' for one in TABLES[table].primary_key.columns)


def _as_column(value: Any, column: Any) -> Any:
    return value.decode() if value is not None and column.type.python_type is str else value


def other_values(value: object) -> list[object]:
    """Values of the same type that differ a little."""
    match value:
        case int():
            return [value + 1, value ^ (1 << 40), -value - 1, 0 if value else 7, value - 1]
        case bytes():
            return [
                bytes([value[0] ^ 1]) + value[1:],
                value[:-1] + bytes([value[-1] ^ 0x80]),
                value + b"\0",
                value[:-1],
                b"",
            ]
        case str():
            return [value[:-1] + "~", value + "x", value + "\0", NOT_UTF8, value + "\u0301"]
        case _:
            return [0, 1, -1, 2**62, 300]


ENTRY_OF = {
    "entry": 0,
    "vault": 0,
    "flow": 0,
    "idempotency": -1,
    "order_number": -1,
}
"""Where a table's row has the entry that it belongs to."""


def names(finding: Finding, table: str, row: Row) -> bool:
    """Whether a finding points to a row: by its table and key, or by its entry."""
    if table == "head" and finding.place == "head":
        return True
    key = row[: len(TABLES[table].primary_key.columns)]
    if finding.place == f"{table} {words(key)}":
        return True
    # A row under another key is found there: nothing says that it is missing here.
    if table in OUTSIDE and finding.place.startswith(f"{table} "):
        return True
    if finding.code == "row_unreadable" and finding.place.startswith(f"{table}, "):
        return True
    return table in ENTRY_OF and finding.index == row[ENTRY_OF[table]]
