"""Proposals: what one person wants to record, kept encrypted until another decides."""

import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

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
    if is_server(op.get_bind()):
        refuse(op.get_bind(), "proposal", "DELETE")
        return
    op.execute(
        "CREATE TRIGGER proposal_refuses_delete BEFORE DELETE ON proposal "
        "BEGIN SELECT RAISE(ABORT, 'proposal: nothing recorded ever changes'); END"
    )
