"""All tables of the first version, and the triggers that keep what is recorded."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0001"
down_revision = None

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STRICT = {"sqlite_strict": True}
CLUSTERED = {"sqlite_strict": True, "sqlite_with_rowid": False}

IMMUTABLE = {
    "entry": ("index",),
    "tile": ("level", "number"),
    "checkpoint": ("size",),
    "idempotency": ("key",),
    "order_number": ("digest",),
    "flow": ("entry", "posting", "part"),
}
"""What is written once, with its key."""
UNDELETABLE = ("head", "vault")


def _whole(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, WIDE, primary_key=key, nullable=nullable, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def upgrade() -> None:
    """Make the tables, their indexes and their triggers."""
    op.create_table(
        "head",
        _whole("id", key=True),
        _whole("size"),
        _bytes("root"),
        _bytes("last_leaf_hash"),
        _text("last_recorded_at"),
        _bytes("checkpoint"),
        **STRICT,
    )
    op.create_table(
        "entry", _whole("index", key=True), _bytes("data"), _bytes("leaf_hash"), **STRICT
    )
    op.create_table(
        "tile", _whole("level", key=True), _whole("number", key=True), _bytes("hashes"), **STRICT
    )
    op.create_table("edge", _whole("level", key=True), _bytes("hashes"), **STRICT)
    op.create_table(
        "checkpoint", _whole("size", key=True), _bytes("root"), _bytes("note"), **STRICT
    )
    op.create_table("vault", _whole("entry", key=True), _bytes("ciphertext"), **STRICT)
    op.create_table(
        "idempotency", _text("key", key=True), _bytes("digest"), _whole("entry"), **CLUSTERED
    )
    op.create_index("idempotency_by_entry", "idempotency", ["entry"], unique=True)
    op.create_table("order_number", _bytes("digest", key=True), _whole("entry"), **CLUSTERED)
    op.create_table(
        "account",
        _whole("id", key=True),
        _text("asset"),
        _text("name"),
        _whole("received"),
        **STRICT,
    )
    op.create_index("account_by_name", "account", ["asset", "name"], unique=True)
    op.create_table(
        "holding",
        _whole("account", key=True),
        _whole("first", key=True),
        _whole("length"),
        _text("label"),
        **CLUSTERED,
    )
    op.create_table(
        "flow",
        _whole("entry", key=True),
        _whole("posting", key=True),
        _whole("part", key=True),
        _whole("source"),
        _whole("source_first", nullable=True),
        _whole("target"),
        _whole("target_first", nullable=True),
        _whole("length"),
        _text("label"),
        **CLUSTERED,
    )
    _numbered("flow_by_target", "target")
    _numbered("flow_by_source", "source")
    op.create_table("state_object", _text("key", key=True), _bytes("value"), **CLUSTERED)
    for table, key in IMMUTABLE.items():
        _refuse(table, "UPDATE")
        _refuse_replacement(table, key)
    for table in (*IMMUTABLE, *UNDELETABLE):
        _refuse(table, "DELETE")


def _numbered(name: str, side: str) -> None:
    """A unit arrives in an account once and leaves it once; the outside has no numbers."""
    numbered = sa.text(f"{side}_first IS NOT NULL")
    op.create_index(
        name,
        "flow",
        [side, f"{side}_first"],
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )


def _refuse(table: str, action: str, condition: str = "") -> None:
    """A trigger that stops the statement: nothing recorded ever changes.

    What `op.execute` gets here is SQLite's form of it; PostgreSQL's is in ``triggers``.
    """
    if is_server(op.get_bind()):
        if not condition:
            refuse(op.get_bind(), table, action)
        return
    name = f"{table}_refuses_{'replace' if condition else action.lower()}"
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {action} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: nothing recorded ever changes'); END"
    )


def _refuse_replacement(table: str, key: tuple[str, ...]) -> None:
    """Stop INSERT OR REPLACE, which deletes the old row without asking its triggers.

    Connections of the store's own make it ask them (`schema.settings`); this stops every
    other program too. It costs 0.7 µs a row.
    """
    same = " AND ".join(f'"{name}" = NEW."{name}"' for name in key)
    _refuse(table, "INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) ")
