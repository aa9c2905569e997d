"""How many points went back to the issuer, over all issuances; filled from what each one says.

Nothing that is recorded is touched: this is an object of the derived state.
"""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ISSUES = "SELECT value FROM state_object WHERE key >= 'clawed/' AND key < 'clawed0'"
ADD = "INSERT INTO state_object (key, value) VALUES ('points-taken-back', :value)"


def upgrade() -> None:
    """Fill it: an issuance's key is ``clawed/<entry>``, its value says how many points."""
    bind = op.get_bind()
    rows = bind.execute(sa.text(ISSUES)).scalars().all()
    if rows:
        value = orjson.dumps({"points": sum(orjson.loads(value)["points"] for value in rows)})
        bind.execute(sa.text(ADD), {"value": value})
