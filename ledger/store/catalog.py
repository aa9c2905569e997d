"""The check of a server's tables: columns, keys, indexes and triggers as they must be.

SQLite keeps the text of each statement, which ``schema`` compares; a server keeps what it
made of them, which is compared with the models here. Its pages are checked by its own
means: data checksums, and ``pg_amcheck`` (docs/operations.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from ledger.store.tables import IMMUTABLE, OPERATIONAL, TABLES, UNDELETABLE
from ledger.store.triggers import BODY, FUNCTION, trigger_name

VERSION_TABLE = "alembic_version"
_COLUMNS = """
SELECT c.relname, a.attname,
    format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || CASE WHEN l.collname = 'C' THEN ' collate C' ELSE '' END
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    AND c.relnamespace = current_schema()::regnamespace
"""
_INDEXES = """
SELECT t.relname, i.relname,
    CASE WHEN x.indisprimary THEN 'primary ' WHEN x.indisunique THEN 'unique ' ELSE '' END
        || (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
            FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k(number, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
        || COALESCE(' where ' || pg_get_expr(x.indpred, x.indrelid), '')
        || CASE WHEN x.indisvalid AND x.indisready THEN '' ELSE ' invalid' END
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = current_schema()::regnamespace
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN '' ELSE 'not always ' END
    || substring(pg_get_triggerdef(t.oid) FROM '(BEFORE|AFTER|INSTEAD OF) ') || ' '
    || substring(pg_get_triggerdef(t.oid) FROM '(?:BEFORE|AFTER|INSTEAD OF) (.*) ON ')
    || COALESCE(' WHEN ' || substring(pg_get_triggerdef(t.oid) FROM ' WHEN (.*) EXECUTE '), '')
    || ' ' || p.proname || ' ' || md5(p.prosrc)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""
_RULES = """
SELECT tablename, rulename, 'rule' FROM pg_rules WHERE schemaname = current_schema()
"""


def check(connection: sa.Connection, newest: str) -> list[str]:
    """What is wrong with the tables, in words; empty if nothing."""
    (body,) = connection.execute(sa.select(sa.func.md5(BODY))).one()
    expected = dict(_expected(str(body)))
    found: dict[str, str] = {}
    for kind, query in (
        ("column", _COLUMNS),
        ("index", _INDEXES),
        ("trigger", _TRIGGERS),
        ("rule", _RULES),
    ):
        for table, name, text in connection.exec_driver_sql(query):
            if table != VERSION_TABLE:
                found[f"{kind} {name} of {table}"] = text
    findings = list(_compared(expected, found))
    if sa.inspect(connection).has_table(VERSION_TABLE):
        rows = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
        versions = [version for (version,) in rows]
        if versions != [newest]:
            findings.append(f"{VERSION_TABLE}: expected {newest}, found {versions}")
    else:
        findings.append(f"schema: table {VERSION_TABLE} is missing")
    return findings


def _compared(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"schema: {name} is missing"
        elif name not in expected:
            yield f"schema: {name} is not of Shanji's making"
        elif expected[name] != found[name]:
            yield f"schema: {name} is not as the migrations make it"


def _expected(body: str) -> Iterator[tuple[str, str]]:
    """What there must be, by name, written as the queries above write it."""
    for table, model in (TABLES | OPERATIONAL).items():
        for column in model.columns:
            kind = {sa.LargeBinary: "bytea", sa.BigInteger: "bigint", sa.Text: "text"}
            text = kind[type(column.type)] + ("" if column.nullable else " not null")
            collated = " collate C" if isinstance(column.type, sa.Text) else ""
            yield f"column {column.name} of {table}", text + collated
        key = ", ".join(column.name for column in model.primary_key.columns)
        yield f"index {table}_pkey of {table}", f"primary {key}"
        for index in model.indexes:
            names = ", ".join(column.name for column in index.columns)
            where = index.dialect_options["postgresql"]["where"]
            text = ("unique " if index.unique else "") + names
            predicate = "" if where is None else f" where ({where})"
            yield f"index {index.name} of {table}", text + predicate
    for table in IMMUTABLE:
        yield f"trigger {trigger_name(table, 'UPDATE')} of {table}", _trigger("UPDATE", body)
    for table in (*IMMUTABLE, *UNDELETABLE):
        for action in ("DELETE", "TRUNCATE"):
            yield f"trigger {trigger_name(table, action)} of {table}", _trigger(action, body)


def _trigger(action: str, body: str) -> str:
    return f"BEFORE {action} {FUNCTION} {body}"
