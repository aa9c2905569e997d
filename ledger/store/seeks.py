"""The questions that are asked over and over for a single row, each made once.

To build such a query anew, and to find out anew what it is, takes SQLAlchemy several times as
long as its answer takes the database: asked with other values only, it is known already.
"""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from ledger.store.tables import TABLES

_ENTRY, _CHECKPOINT, _VAULT = (TABLES[one] for one in ("entry", "checkpoint", "vault"))
_OBJECT, _ACCOUNT, _FLOW = (TABLES[one] for one in ("state_object", "account", "flow"))

Side = Literal["source", "target"]

ENTRY = sa.select(_ENTRY.c.index, _ENTRY.c.data, _ENTRY.c.leaf_hash).where(
    _ENTRY.c.index == sa.bindparam("index")
)
CHECKPOINT = sa.select(_CHECKPOINT.c.note).where(_CHECKPOINT.c.size == sa.bindparam("size"))
VAULT = sa.select(_VAULT.c.ciphertext).where(_VAULT.c.entry == sa.bindparam("entry"))
OBJECT = sa.select(_OBJECT.c.value).where(_OBJECT.c.key == sa.bindparam("key"))
ACCOUNT = sa.select(_ACCOUNT.c.id, _ACCOUNT.c.received).where(
    _ACCOUNT.c.asset == sa.bindparam("asset"), _ACCOUNT.c.name == sa.bindparam("name")
)


def _before(side: Side) -> sa.Select[Any]:
    number = _FLOW.c[f"{side}_first"]
    return sa.select(sa.func.max(number)).where(
        _FLOW.c[side] == sa.bindparam("account"), number <= sa.bindparam("first")
    )


BEFORE: dict[Side, sa.Select[Any]] = {"source": _before("source"), "target": _before("target")}
"""The number at which the last range of an account begins that begins at `first` or below."""
