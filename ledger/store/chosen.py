"""Rows whose column is one of many values, by a query whose text is made once.

To write out so many parameters anew for each question takes longer than the answer. SQLite's
driver is given as many question marks as there are values, a server one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

WANTED: sa.BindParameter[Any] = sa.bindparam("wanted", expanding=True)
"""The values, in a query that is made once."""
IN_MAX = 500
"""Values in one IN list; longer ones are asked for in parts."""

_LIST = " IN (__[POSTCOMPILE_wanted])"


def execute_chosen(
    connection: sa.Connection, query: sa.Select[Any], wanted: Sequence[Any]
) -> sa.CursorResult[Any]:
    """What the database answers for these values of `WANTED`.

    Args:
        query: One that is made once, with no other parameters.
        wanted: At least one, all of the column's type.

    Raises:
        sqlalchemy.exc.DBAPIError: what it says otherwise.
    """
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql(_in_file(query, len(wanted)), tuple(wanted))
    # The driver is imported where a server is named: SQLite does without it.
    from ledger.store.arrays import Column

    text, kind = _on_server(query)
    return connection.exec_driver_sql(text, {"wanted": Column(kind, wanted)})


def kind_of(column: sa.types.TypeEngine[Any]) -> str:
    """A column's type as PostgreSQL names it, of the three that columns have."""
    if isinstance(column, sa.LargeBinary):
        return "bytea"
    return "bigint" if isinstance(column, sa.BigInteger) else "text"


@cache
def _in_file(query: sa.Select[Any], values: int) -> str:
    ready = query.params(wanted=list(range(values)))
    return str(ready.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}))


@cache
def _on_server(query: sa.Select[Any]) -> tuple[str, str]:
    """The text with one array, and its values' type."""
    # Of use to a server alone, as above.
    from sqlalchemy.dialects.postgresql import psycopg

    compiled = query.compile(dialect=psycopg.dialect())  # type: ignore[no-untyped-call]
    before, one, after = str(compiled).partition(_LIST)
    assert one, "the query has WANTED"
    return f"{before} = ANY(%(wanted)s){after}", kind_of(compiled.binds["wanted"].type)
