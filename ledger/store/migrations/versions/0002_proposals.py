"""Proposals: what one person wants to record, kept encrypted until another decides."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and the trigger that keeps its rows."""
    op.create_table(
        "proposal",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "CREATE TRIGGER proposal_refuses_delete BEFORE DELETE ON proposal "
        "BEGIN SELECT RAISE(ABORT, 'proposal: nothing recorded ever changes'); END"
    )
