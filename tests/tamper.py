"""Somebody with the database and its own tools, but without the log's keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from ledger.audit.report import Finding, words
from ledger.store.place import DATABASE, is_postgresql, place_of
from ledger.store.tables import OUTSIDE, TABLES
from ledger.store.triggers import BODY, FUNCTION

Key = tuple[Any, ...]
Row = tuple[Any, ...]
NOT_UTF8 = object()
"""Stands for text whose bytes are not UTF-8."""
REFUSED = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    psycopg.errors.IntegrityError,
    psycopg.DataError,
)
"""What a database says that does not let itself be changed so."""
LOCK_SECONDS_MAX = 120
_IGNORED = "BEGIN RETURN COALESCE(NEW, OLD); END"


class Tamper:
    """Changes rows behind the store's back: the triggers are gone only while it does."""

    def __init__(self, folder: Path) -> None:
        place = place_of(folder)
        self._raw: Any
        self._on_server = is_postgresql(place)
        if self._on_server:
            self._raw = psycopg.connect(place, autocommit=True)
            self._raw.execute(f"SET lock_timeout = '{LOCK_SECONDS_MAX}s'")
        else:
            self._raw = sqlite3.connect(
                folder / DATABASE, timeout=LOCK_SECONDS_MAX, isolation_level=None
            )
            self._raw.text_factory = bytes

    def close(self) -> None:
        """Release the database."""
        self._raw.close()

    def run(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Run one statement with ``?`` for each value; its cursor."""
        if self._on_server:
            return self._raw.execute(statement.replace("?", "%s"), values or None)
        return self._raw.execute(statement, values)

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """A transaction without triggers, which are there again at its end."""
        self.run("BEGIN" if self._on_server else "BEGIN IMMEDIATE")
        try:
            if self._on_server:
                self._replace_function(_IGNORED)
                yield
                self._replace_function(BODY)
            else:
                query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                triggers = self.run(query).fetchall()
                for name, _ in triggers:
                    self.run(f'DROP TRIGGER "{name.decode()}"')
                yield
                for _, sql in triggers:
                    self.run(sql.decode())
            self.run("COMMIT")
        except BaseException:
            self.run("ROLLBACK")
            raise

    def _replace_function(self, body: str) -> None:
        """What all triggers of a server do: others see it only after the transaction."""
        self._raw.execute(
            f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $body${body}$body$"
        )

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, in the order of its key."""
        names = ", ".join(f'"{column.name}"' for column in TABLES[table].columns)
        key = ", ".join(f'"{column.name}"' for column in TABLES[table].primary_key.columns)
        found = self.run(f'SELECT {names} FROM "{table}" ORDER BY {key}').fetchall()
        return [tuple(map(_as_column, row, TABLES[table].columns)) for row in found]

    def key(self, table: str, row: Row) -> Key:
        """A row's key: the columns of it come first."""
        return row[: len(TABLES[table].primary_key.columns)]

    def change(self, table: str, key: Key, column: str, value: object) -> None:
        """Set one column of one row."""
        with self.unlocked():
            holders, values = self._held([value])
            done = self.run(
                f'UPDATE "{table}" SET "{column}" = {holders} WHERE {_where(table)}',
                [*values, *key],
            )
            assert done.rowcount == 1

    def delete(self, table: str, key: Key) -> None:
        """Take one row out."""
        with self.unlocked():
            done = self.run(f'DELETE FROM "{table}" WHERE {_where(table)}', key)
            assert done.rowcount == 1

    def add(self, table: str, row: Row) -> None:
        """Put one row in."""
        with self.unlocked():
            holders, values = self._held(row)
            self.run(f'INSERT INTO "{table}" VALUES ({holders})', values)

    def _held(self, values: Sequence[object]) -> tuple[str, list[object]]:
        """The places of values in a statement, and those that stand there as parameters."""
        text = "convert_from('\\x41ff42', 'UTF8')" if self._on_server else "CAST(x'41ff42' AS TEXT)"
        places = [text if one is NOT_UTF8 else "?" for one in values]
        return ", ".join(places), [one for one in values if one is not NOT_UTF8]

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        """Make these the only rows of a table."""
        with self.unlocked():
            self.run(f'DELETE FROM "{table}"')
            cursor = self._raw.cursor()
            insertion = _insertion(table)
            cursor.executemany(insertion.replace("?", "%s") if self._on_server else insertion, rows)
            cursor.close()


def _insertion(table: str) -> str:
    return f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(TABLES[table].columns))})'


def _where(table: str) -> str:
    return " AND ".join(f'"{one.name}" = ?' for one in TABLES[table].primary_key.columns)


def _as_column(value: Any, column: Any) -> Any:
    if column.type.python_type is str and isinstance(value, bytes):
        return value.decode()
    return value


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
