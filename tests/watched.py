"""What a reading costs: the statements, the rows that they return, SQLite's own steps.

A statement that scans a table or an index from its beginning fails the test; reading what
an earlier step of the same statement has found is no scan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import ledger.store.log_reader as reader_module
from ledger.store import Store

STEPS_A_TICK = 10


@dataclass(slots=True)
class Cost:
    """What was asked of the database, and how much it did for it."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    rows: int = 0
    ticks: int = 0

    @property
    def steps(self) -> int:
        """Instructions of SQLite's machine, to the nearest ten."""
        return self.ticks * STEPS_A_TICK

    def plans(self, store: Store) -> dict[str, list[str]]:
        """The query plan of each statement, by its text."""
        found: dict[str, list[str]] = {}
        with closing(sqlite3.connect(store.path)) as raw:
            for statement, parameters in self.statements:
                if statement.startswith("SELECT"):
                    rows = raw.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()
                    found[statement] = [row[3] for row in rows]
        return found


@contextmanager
def watching(store: Store) -> Iterator[Cost]:
    """Count what all readers of a store do inside the block."""
    cost = Cost()
    engine, check = store._readers, reader_module.check_types

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        cost.statements.append((statement, parameters))

    def tick() -> int:
        cost.ticks += 1
        return 0

    def set_handler(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(tick, STEPS_A_TICK)

    def clear_handler(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(None, 0)

    def count(*arguments: Any) -> None:
        cost.rows += 1
        check(*arguments)

    listeners = (
        (engine, "before_cursor_execute", note),
        (engine.pool, "checkout", set_handler),
        (engine.pool, "checkin", clear_handler),
    )
    for target, event, function in listeners:
        sa.event.listen(target, event, function)
    setattr(reader_module, "check_types", count)  # noqa: B010
    try:
        yield cost
    finally:
        setattr(reader_module, "check_types", check)  # noqa: B010
        for target, event, function in listeners:
            sa.event.remove(target, event, function)


OF_WHAT_WAS_FOUND = (
    "CO-ROUTINE moved",
    "SCAN moved",
    "CO-ROUTINE some",
    "MATERIALIZE some",
    "CORRELATED SCALAR SUBQUERY",
    "SCAN some",
    "COMPOUND QUERY",
    "LEFT-MOST SUBQUERY",
    "UNION ALL",
    "USE TEMP B-TREE FOR",
    "MATERIALIZE wanted",
    "CO-ROUTINE wanted",
    "SCAN w",
    "SCAN 2 CONSTANT ROWS",
)
"""Steps over the rows that the seeks have found, not over a table."""


def scans(plans: dict[str, list[str]]) -> list[tuple[str, str]]:
    """The steps that are no seek, each with its statement; the head is one row, the tree's edge
    one for each level."""
    return [
        (step, statement)
        for statement, plan in plans.items()
        for step in plan
        if not step.startswith(("SEARCH", *OF_WHAT_WAS_FOUND))
        and step not in ("SCAN head", "SCAN edge")
    ]
