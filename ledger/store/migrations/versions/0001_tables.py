"""All tables of the first version, and the triggers that keep what is recorded."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STRICT = {"sqlite_strict": True}
CLUSTERED = {"sqlite_strict": True, "sqlite_with_rowid": False}

IMMUTABLE = ("entry", "tile", "checkpoint", "idempotency", "order_number", "flow")
UNDELETABLE = ("head", "vault")


def _whole(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, WIDE, primary_key=key, nullable=nullable, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


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
    op.create_index("flow_by_target", "flow", ["target", "target_first"])
    op.create_index("flow_by_source", "flow", ["source", "source_first"])
    op.create_table("state_object", _text("key", key=True), _bytes("value"), **CLUSTERED)
    for table in IMMUTABLE:
        _refuse(table, "UPDATE")
    for table in (*IMMUTABLE, *UNDELETABLE):
        _refuse(table, "DELETE")


def _refuse(table: str, action: str) -> None:
    """A trigger that stops the statement: nothing recorded ever changes."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: nothing recorded ever changes'); END"
        )
