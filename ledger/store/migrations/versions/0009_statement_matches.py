"""Which matches each bank statement has; filled from what says which match took each bank line.

Nothing that is recorded is touched: these are objects of the derived state.
"""

from collections import defaultdict

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

LINES = "SELECT key, value FROM state_object WHERE key >= 'bank-line/' AND key < 'bank-line0'"
ADD = "INSERT INTO state_object (key, value) VALUES (:key, :value)"


def upgrade() -> None:
    """Fill them: a line's key is ``bank-line/<statement>/<line>``, its value names the match."""
    bind = op.get_bind()
    found: dict[str, set[int]] = defaultdict(set)
    for key, value in bind.execute(sa.text(LINES)).all():
        found[key.split("/")[1]].add(orjson.loads(value)["entry"])
    for statement, entries in sorted(found.items()):
        value = orjson.dumps({"entries": sorted(entries)})
        bind.execute(sa.text(ADD), {"key": f"matches-of/{statement}", "value": value})
