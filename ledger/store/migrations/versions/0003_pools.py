"""Pools: what each account's units with one label are in all, and holdings by label."""

from collections import Counter
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

GIVERS = ("world:donor", "world:issuer")
"""Where units go only to be given back; as `ledger.flows` has it at this revision."""

FILL = """
INSERT INTO pool (account, label, received, held, returned)
SELECT target, label, SUM(length), 0, 0 FROM flow WHERE target_first IS NOT NULL
GROUP BY target, label
"""
HOLD = """
UPDATE pool SET held = COALESCE((
    SELECT SUM(length) FROM holding
    WHERE holding.account = pool.account AND holding.label = pool.label
), 0)
"""
MOVED = """
SELECT source, source_first, target, target_first, length, label,
    s.name AS source_name, t.name AS target_name
FROM flow JOIN account s ON s.id = source JOIN account t ON t.id = target
"""
CARRIED = """
SELECT target_first, length, label FROM flow
WHERE target = :account AND target_first < :end AND target_first >= (
    SELECT COALESCE(MAX(target_first), 0) FROM flow
    WHERE target = :account AND target_first <= :first
)
"""


def upgrade() -> None:
    """Make the table and the index; fill it from the flows and holdings that are there."""
    op.create_index("holding_by_label", "holding", ["account", "label", "first", "length"])
    op.create_table(
        "pool",
        sa.Column("account", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("label", TEXT, primary_key=True, nullable=False),
        sa.Column("received", WIDE, nullable=False),
        sa.Column("held", WIDE, nullable=False),
        sa.Column("returned", WIDE, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    bind = op.get_bind()
    bind.execute(sa.text(FILL))
    bind.execute(sa.text(HOLD))
    for (account, label), units in _returned(bind).items():
        row = {"account": account, "label": label, "units": units}
        bind.execute(
            sa.text(
                "UPDATE pool SET returned = :units WHERE account = :account AND label = :label"
            ),
            row,
        )


def _returned(bind: sa.Connection) -> Counter[tuple[int, str]]:
    """The units that moved because an earlier move was taken back."""
    objects = "SELECT value FROM state_object WHERE key >= 'reversed/' AND key < 'reversed0'"
    reversals = [int(orjson.loads(value)["entry"]) for (value,) in bind.execute(sa.text(objects))]
    found: Counter[tuple[int, str]] = Counter()
    for row in bind.execute(sa.text(f"{MOVED} WHERE t.name IN {GIVERS}")).all():
        _count(bind, row, found)
    for entry in reversals:
        query = sa.text(f"{MOVED} WHERE flow.entry = :entry")
        for row in bind.execute(query, {"entry": entry}).all():
            if not {row.source_name, row.target_name} & set(GIVERS):
                _count(bind, row, found)
    return found


def _count(bind: sa.Connection, row: sa.Row[Any], found: Counter[tuple[int, str]]) -> None:
    """Count one flow on both sides, by the labels that its units carry there."""
    if row.target_first is not None:
        found[row.target, row.label] += row.length
    if row.source_first is None:
        return
    first, end = row.source_first, row.source_first + row.length
    place = {"account": row.source, "first": first, "end": end}
    for start, length, label in bind.execute(sa.text(CARRIED), place).all():
        found[row.source, label] += max(0, min(end, start + length) - max(first, start))
