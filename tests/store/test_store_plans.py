"""PostgreSQL's plans, over tables that are large enough for a plan to matter.

Its planner reads a small table whole, whatever indexes there are, so the tables are filled
and their statistics gathered first; nothing is forbidden to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from batches import Batches
from postgresql_server import Databases
from seeks import SEEKS, TREE, fill, on_postgresql

from ledger.errors import LedgerError
from ledger.store import Reader, Store

ROWS = 20_000
FILLING = """
INSERT INTO entry SELECT i, data, leaf_hash FROM entry, generate_series(300, {rows}) i
    WHERE index = 3;
INSERT INTO vault SELECT i, ciphertext FROM vault, generate_series(300, {rows}) i WHERE entry = 3;
INSERT INTO checkpoint SELECT i, sha256(i::text::bytea), note
    FROM checkpoint, generate_series(301, {rows}) i;
INSERT INTO tile SELECT 0, i, hashes FROM tile, generate_series(1, {rows}) i WHERE number = 0;
INSERT INTO idempotency SELECT 'more-' || i, '\\x00', i FROM generate_series(300, {rows}) i;
INSERT INTO order_number SELECT sha256(i::text::bytea), i FROM generate_series(300, {rows}) i;
INSERT INTO account SELECT i, 'CNY', 'fund:' || i, 0 FROM generate_series(3, {rows}) i;
INSERT INTO holding SELECT 1 + i % 50, 100000 + 10 * i, 5,
    CASE i % 3 WHEN 0 THEN 'flood' ELSE '' END FROM generate_series(1, {rows}) i;
INSERT INTO pool SELECT 3 + i / 2, 'label-' || i % 2, 9, 9, 0 FROM generate_series(1, {rows}) i;
INSERT INTO flow SELECT i, 0, 0, 0, NULL, 1 + i * 7919 % {rows}, 10 * i, 10, ''
    FROM generate_series(300, {rows}) i;
INSERT INTO flow SELECT i, 1, 0, 1 + i * 7919 % {rows}, 100000 + 10 * i,
    1 + i * 104729 % {rows}, 1000000 + 10 * i, 10, '' FROM generate_series(300, {rows}) i;
INSERT INTO entry_reference SELECT i / 3, i FROM generate_series(300, {rows}) i;
INSERT INTO asset SELECT 'item:' || i, 1, 1, 1 FROM generate_series(1, {rows}) i;
INSERT INTO entry_kind SELECT 'kind-' || i % 40, i FROM generate_series(300, {rows}) i;
INSERT INTO movement SELECT 1 + i % 50, i, to_char(DATE '2021-01-21' + i / 500, 'YYYY-MM-DD'),
    i / 50, i, 0, 1 + i / 50 % 10, i, 0 FROM generate_series(500, {rows}) i;
INSERT INTO state_object SELECT 'party/' || i, '\\x7b7d' FROM generate_series(1, {rows}) i;
INSERT INTO proposal SELECT to_char(i, 'FM000000000000'), '\\x00'
    FROM generate_series(2, {rows}) i;
INSERT INTO cosignature SELECT i, 300 + i / 2, 'key-' || 1 + i % 2, '\\x00'
    FROM generate_series(10, {rows}) i;
INSERT INTO witness SELECT 'other-' || i, 1, 1 FROM generate_series(1, {rows}) i;
ANALYZE;
"""


@pytest.fixture(scope="module")
def full(databases: Databases) -> Iterator[Store]:
    """A store whose tables are large."""
    url = databases.server.url(databases.new())
    with closing(Store.open(url)) as store:
        fill(store, Batches(), 10 * ROWS)
        with psycopg.connect(url, autocommit=True) as raw:
            for statement in FILLING.format(rows=ROWS).split(";\n"):
                if statement.strip():
                    raw.execute(statement)
        yield store


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All steps of a plan."""
    yield plan
    for one in plan.get("Plans", ()):
        yield from nodes(one)


def plans_of(store: Store, ask: Callable[[Reader], object]) -> list[dict[str, Any]]:
    """The steps of every statement that a question asks."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with store.read() as reader:
        sa.event.listen(store._readers, "before_cursor_execute", note)
        try:
            assert ask(reader)
        except LedgerError:
            # The rows that fill the tables are no log; what was asked is what counts.
            assert asked
        finally:
            sa.event.remove(store._readers, "before_cursor_execute", note)
    with store.read() as reader:
        found: list[dict[str, Any]] = []
        for statement, parameters in asked:
            (answer,) = reader._connection.exec_driver_sql(
                "EXPLAIN (FORMAT JSON) " + statement, parameters
            ).one()
            value = json.loads(answer) if isinstance(answer, str) else answer
            found += nodes(value[0]["Plan"])
    return found


@pytest.mark.parametrize(("name", "wanted", "ask"), SEEKS, ids=[one[0] for one in SEEKS])
def test_a_query_seeks_on_postgresql_too(
    full: Store, name: str, wanted: list[str], ask: Callable[[Reader], object]
) -> None:
    steps = plans_of(full, ask)
    read = [one for one in steps if one.get("Relation Name", TREE[0]) not in TREE]
    assert read
    whole = [one for one in read if one["Node Type"] == "Seq Scan"]
    assert whole == []
    by_index = [one for one in steps if "Index Name" in one]
    assert [one for one in by_index if "Index Cond" not in one] == []
    used = {one["Index Name"] for one in by_index}
    for one in wanted:
        assert used & on_postgresql(one)


def test_a_table_that_is_read_whole_would_be_seen(full: Store) -> None:
    def whole(reader: Reader) -> object:
        return reader.count("flow")

    assert any(
        one["Node Type"] == "Seq Scan" or "Index Cond" not in one
        for one in plans_of(full, whole)
        if one.get("Relation Name") == "flow"
    )
