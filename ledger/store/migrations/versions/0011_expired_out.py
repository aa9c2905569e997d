"""Which goods were handed out after their best-before date; filled from the flows.

Nothing that is recorded is touched: these are objects of the derived state.
"""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

POSTINGS = {"goods.distributed": 0, "points.redeemed": 1}
"""Kinds that hand goods out, and which of their postings is of the goods."""
# What units carried when they came to where they were handed out: arrivals never overlap.
CARRIED = sa.text("""
SELECT came.label, gone.source_first, gone.length, came.target_first, came.length
FROM flow AS gone
JOIN flow AS came ON came.target = gone.source
    AND came.target_first < gone.source_first + gone.length
    AND came.target_first + came.length > gone.source_first
WHERE gone.entry = :entry AND gone.posting = :posting
""")
DATA = sa.text('SELECT data FROM entry WHERE "index" = :entry')
REVERSED = sa.text("SELECT 1 FROM state_object WHERE key = :key")
ADD = sa.text("INSERT INTO state_object (key, value) VALUES (:key, :value)")
GONE = sa.text("SELECT entry FROM entry_kind WHERE kind = :kind ORDER BY entry")


def upgrade() -> None:
    """Fill them: the key is ``expired-out/<entry>``, the value the units past their date."""
    bind = op.get_bind()
    for kind, posting in POSTINGS.items():
        for entry in bind.execute(GONE, {"kind": kind}).scalars().all():
            if bind.execute(REVERSED, {"key": f"reversed/{entry}"}).first() is not None:
                continue
            over = _expired(bind, entry, posting)
            if over:
                value = orjson.dumps({"quantity": over})
                bind.execute(ADD, {"key": f"expired-out/{entry}", "value": value})


def _expired(bind: sa.Connection, entry: int, posting: int) -> int:
    rows = bind.execute(CARRIED, {"entry": entry, "posting": posting}).all()
    dated = [(label.partition("/")[0], *row) for label, *row in rows if label]
    if not any(day for day, *_ in dated):
        return 0
    on = orjson.loads(bind.execute(DATA, {"entry": entry}).scalar_one())["occurred_on"]
    return sum(
        min(gone + length, came + arrived) - max(gone, came)
        for day, gone, length, came, arrived in dated
        if "" < day < on
    )
