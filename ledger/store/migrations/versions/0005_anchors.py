"""Anchors: time stamps of checkpoints by outside authorities, kept beside them."""

import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table, and the triggers that keep its rows as they are."""
    op.create_table(
        "anchor",
        sa.Column("size", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("authority", TEXT, primary_key=True, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("certificates", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if is_server(op.get_bind()):
        for action in ("UPDATE", "DELETE"):
            refuse(op.get_bind(), "anchor", action)
        return
    same = 'SELECT 1 FROM anchor WHERE "size" = NEW."size" AND "authority" = NEW."authority"'
    for name, when in (
        ("update", "UPDATE ON anchor "),
        ("replace", f"INSERT ON anchor WHEN EXISTS ({same}) "),
        ("delete", "DELETE ON anchor "),
    ):
        op.execute(
            f"CREATE TRIGGER anchor_refuses_{name} BEFORE {when}"
            "BEGIN SELECT RAISE(ABORT, 'anchor: nothing recorded ever changes'); END"
        )
