"""On PostgreSQL, the triggers that refuse to change what is recorded; for the migrations.

What this makes is as frozen as the migrations that ask for it: databases have it. They fire
whatever role the session replicates in. SQLite's triggers stand in the migrations.
"""

from __future__ import annotations

import sqlalchemy as sa

FUNCTION = "nothing_recorded_changes"
BODY = """
BEGIN
    RAISE EXCEPTION '%: nothing recorded ever changes', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
"""
ACTIONS = ("UPDATE", "DELETE", "TRUNCATE")


def is_server(connection: sa.Connection) -> bool:
    """Whether the migration runs on PostgreSQL."""
    return connection.dialect.name == "postgresql"


def refuse(connection: sa.Connection, table: str, action: str) -> None:
    """Refuse UPDATE or DELETE of the table's rows; with DELETE, TRUNCATE too.

    SQLite has a third trigger, for INSERT OR REPLACE, which PostgreSQL does not know:
    its ON CONFLICT DO UPDATE is asked as an UPDATE.
    """
    connection.exec_driver_sql(
        f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $body${BODY.replace('%', '%%')}$body$"
    )
    _make(connection, table, action, "ROW")
    if action == "DELETE":
        _make(connection, table, "TRUNCATE", "STATEMENT")


def _make(connection: sa.Connection, table: str, action: str, level: str) -> None:
    name = trigger_name(table, action)
    connection.exec_driver_sql(
        f'CREATE TRIGGER {name} BEFORE {action} ON "{table}" FOR EACH {level} '
        f"EXECUTE FUNCTION {FUNCTION}()"
    )
    connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def trigger_name(table: str, action: str) -> str:
    """What the trigger is called."""
    return f"{table}_refuses_{action.lower()}"
