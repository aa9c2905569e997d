"""What machines that share a database tell each other, beside the log (docs/adr/0037).

A hold says for all of them that nothing may be written; what is agreed says what each
machine's data folder must have the same. Neither is recorded, copied to another store or
audited: whoever may write the database may lift a hold there, as whoever may write a data
folder may there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ledger.store.tables import AGREED, HOLD


@dataclass(frozen=True, slots=True)
class Agreed:
    """A digest of what every machine must have the same, and who said so last."""

    name: str
    digest: bytes
    machine: str
    noted_at: str


def holds(connection: sa.Connection) -> dict[str, str]:
    """The reason of each hold that was not lifted, by its code."""
    query = sa.select(HOLD.c.code, HOLD.c.reason).where(HOLD.c.lifted.is_(None))
    return dict(map(tuple, connection.execute(query.order_by(HOLD.c.number))))


def place_hold(connection: sa.Connection, code: str, reason: str) -> None:
    """Hold all machines; what was first said stays."""
    _take_turns(connection)
    if code in holds(connection):
        return
    last = connection.execute(sa.select(sa.func.max(HOLD.c.number))).scalar()
    number = 0 if last is None else last + 1
    connection.execute(sa.insert(HOLD).values(number=number, code=code, reason=reason))


def lift_hold(connection: sa.Connection, code: str, by: str) -> bool:
    """End a hold; the row is kept, with who decided it. Whether it held."""
    _take_turns(connection)
    ended = sa.update(HOLD).where(HOLD.c.code == code, HOLD.c.lifted.is_(None))
    return bool(connection.execute(ended.values(lifted=by)).rowcount)


def agree(
    connection: sa.Connection, digests: Mapping[str, bytes], machine: str, now: str
) -> list[Agreed]:
    """Note what this machine has; what the one that noted it last had other than this.

    Args:
        connection: A transaction that writes.
        digests: By name.
        machine: Whose they are, for people.
        now: The time, for people.
    """
    _take_turns(connection)
    found = {
        name: Agreed(name, digest, by, at)
        for name, digest, by, at in connection.execute(
            sa.select(AGREED.c.name, AGREED.c.digest, AGREED.c.machine, AGREED.c.noted_at)
        )
    }
    differing: list[Agreed] = []
    for name, digest in digests.items():
        values = {"digest": digest, "machine": machine, "noted_at": now}
        before = found.get(name)
        if before is None:
            connection.execute(sa.insert(AGREED).values(name=name, **values))
            continue
        if before.digest != digest:
            differing.append(before)
        connection.execute(sa.update(AGREED).where(AGREED.c.name == name).values(**values))
    return differing


def _take_turns(connection: sa.Connection) -> None:
    """Others who change these rows wait; who reads them, or writes the log, does not."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE hold IN SHARE ROW EXCLUSIVE MODE")
