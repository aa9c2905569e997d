"""What machines that share a database tell each other: holds, and what must be the same.

Neither is recorded: nothing in the log tells what must be there (docs/adr/0037).
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "hold",
        sa.Column("number", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("lifted", TEXT, nullable=True),
        sqlite_strict=True,
    )
    op.create_table(
        "agreed",
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("machine", TEXT, nullable=False),
        sa.Column("noted_at", TEXT, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
