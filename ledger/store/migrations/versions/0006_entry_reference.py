"""Which entries refer to an entry; filled from the entries' own bytes.

Nothing that is recorded is touched: the table turns round what each entry says.
"""

import orjson
import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0006"
down_revision = "0005"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ENTRIES_AT_ONCE = 1000


def upgrade() -> None:
    """Make the table and its triggers, and fill it."""
    table = op.create_table(
        "entry_reference",
        sa.Column("target", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("source", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _fill(table)
    if is_server(op.get_bind()):
        for action in ("UPDATE", "DELETE"):
            refuse(op.get_bind(), "entry_reference", action)
        return
    same = "SELECT 1 FROM entry_reference WHERE target = NEW.target AND source = NEW.source"
    for action, name, condition in (
        ("UPDATE", "update", ""),
        ("DELETE", "delete", ""),
        ("INSERT", "replace", f"WHEN EXISTS ({same}) "),
    ):
        op.execute(
            f"CREATE TRIGGER entry_reference_refuses_{name} BEFORE {action} ON entry_reference "
            f"{condition}BEGIN SELECT RAISE(ABORT, "
            "'entry_reference: nothing recorded ever changes'); END"
        )


def _fill(table: sa.Table) -> None:
    """The references of the entries that are there, some entries at a time."""
    connection = op.get_bind()
    entry = sa.table("entry", sa.column("index"), sa.column("data"))
    last = -1
    while True:
        query = sa.select(entry.c.index, entry.c.data).where(entry.c.index > last)
        found = connection.execute(query.order_by(entry.c.index).limit(ENTRIES_AT_ONCE)).all()
        if not found:
            return
        values = [
            {"target": target, "source": index}
            for index, data in found
            for target in _references(data)
        ]
        if values:
            connection.execute(sa.insert(table), values)
        last = found[-1][0]


def _references(data: bytes) -> list[int]:
    """What an entry refers to; nothing for damaged bytes, which the audit reports."""
    try:
        found = orjson.loads(data)["references"]
        return sorted({target for target in found if isinstance(target, int)})
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
