"""Cosignatures: what witnesses said of checkpoints, kept beside what the log signed."""

import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0004"
down_revision = "0003"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SAME = 'number = NEW.number OR ("size" = NEW."size" AND verifier_key = NEW.verifier_key)'


def upgrade() -> None:
    """Make the tables, and the triggers that keep their rows."""
    op.create_table(
        "cosignature",
        sa.Column("number", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("size", WIDE, nullable=False),
        sa.Column("verifier_key", TEXT, nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("cosignature_by_size", "cosignature", ["size", "verifier_key"], unique=True)
    op.create_table(
        "witness",
        sa.Column("verifier_key", TEXT, primary_key=True, nullable=False),
        sa.Column("cosignatures", WIDE, nullable=False),
        sa.Column("last_size", WIDE, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _refuse("cosignature", "update", "UPDATE")
    _refuse("cosignature", "delete", "DELETE")
    replaced = f"WHEN EXISTS (SELECT 1 FROM cosignature WHERE {SAME}) "
    _refuse("cosignature", "replace", "INSERT", replaced)
    _refuse("witness", "delete", "DELETE")


def _refuse(table: str, name: str, action: str, condition: str = "") -> None:
    if is_server(op.get_bind()):
        if not condition:
            refuse(op.get_bind(), table, action)
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuses_{name} BEFORE {action} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: nothing recorded ever changes'); END"
    )
