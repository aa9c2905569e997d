"""Running sums of each account, in the order of the log and by day; filled from the flows.

Also which entries name a document, as objects of the state, and an index over the signed roots.
Nothing that is recorded is touched.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0012"
down_revision = "0011"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COUNTED = ("number", "received", "gone", "day_number", "day_received", "day_gone")
ROWS_AT_ONCE = 1000

ACCOUNTS = sa.text("SELECT id FROM account WHERE id > :after ORDER BY id LIMIT :some")
# By the two indexes of the flows: those of the outside have no numbers.
MOVED = sa.text("""
SELECT entry, SUM(incoming), SUM(outgoing)
FROM (
    SELECT entry, length AS incoming, 0 AS outgoing FROM flow
    WHERE target = :account AND target_first IS NOT NULL
    UNION ALL SELECT entry, 0, length FROM flow
    WHERE source = :account AND source_first IS NOT NULL
) AS moved GROUP BY entry ORDER BY entry
""")
DATA = sa.text('SELECT "index", data FROM entry WHERE "index" IN :wanted').bindparams(
    sa.bindparam("wanted", expanding=True)
)
ENTRIES = sa.text(
    'SELECT "index", data FROM entry WHERE "index" > :after ORDER BY "index" LIMIT :some'
)
ADD = sa.text("INSERT INTO state_object (key, value) VALUES (:key, :value)")


def upgrade() -> None:
    """Make the table, its indexes and triggers, and fill it."""
    table = op.create_table(
        "movement",
        sa.Column("account", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("entry", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("occurred_on", TEXT, nullable=False),
        *(sa.Column(name, WIDE, nullable=False) for name in COUNTED),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    bind = op.get_bind()
    for account in _accounts(bind):
        for rows in _movements(bind, account):
            bind.execute(sa.insert(table), rows)
    op.create_index("movement_by_day", "movement", ["account", "occurred_on", "entry"])
    first = sa.text("day_number = 1")
    op.create_index(
        "movement_first_of_day",
        "movement",
        ["account", "occurred_on"],
        unique=True,
        sqlite_where=first,
        postgresql_where=first,
    )
    _refuse_changes(bind)
    op.create_index("checkpoint_by_root", "checkpoint", ["root"])
    _name_documents(bind)


def _refuse_changes(bind: sa.Connection) -> None:
    if is_server(bind):
        for action in ("UPDATE", "DELETE"):
            refuse(bind, "movement", action)
        return
    same = "SELECT 1 FROM movement WHERE account = NEW.account AND entry = NEW.entry"
    for action, name, condition in (
        ("UPDATE", "update", ""),
        ("DELETE", "delete", ""),
        ("INSERT", "replace", f"WHEN EXISTS ({same}) "),
    ):
        op.execute(
            f"CREATE TRIGGER movement_refuses_{name} BEFORE {action} ON movement "
            f"{condition}BEGIN SELECT RAISE(ABORT, "
            "'movement: nothing recorded ever changes'); END"
        )


def _accounts(bind: sa.Connection) -> Iterator[int]:
    """The ids of all accounts, rising."""
    after = -1
    while True:
        rows = bind.execute(ACCOUNTS, {"after": after, "some": ROWS_AT_ONCE}).scalars().all()
        yield from rows
        if not rows:
            return
        after = rows[-1]


def _movements(bind: sa.Connection, account: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of one account by rising entry, some at a time."""
    number = received = gone = 0
    days: dict[str, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    options = {"yield_per": ROWS_AT_ONCE}
    moved = bind.execute(MOVED, {"account": account}, execution_options=options)
    for part in moved.partitions(ROWS_AT_ONCE):
        data = dict(map(tuple, bind.execute(DATA, {"wanted": [entry for entry, *_ in part]})))
        rows = []
        for entry, incoming, outgoing in part:
            came, went, day = int(incoming), int(outgoing), _day(data.get(entry, b""))
            number, received, gone = number + 1, received + came, gone + went
            count, of_day, off_day = days[day]
            days[day] = sums = (count + 1, of_day + came, off_day + went)
            values = dict(zip(COUNTED, (number, received, gone, *sums), strict=True))
            rows.append({"account": account, "entry": entry, "occurred_on": day, **values})
        yield rows


def _name_documents(bind: sa.Connection) -> None:
    """The objects ``documented/<SHA-256>/<entry>``, from the entries' own bytes."""
    last = -1
    while True:
        found = bind.execute(ENTRIES, {"after": last, "some": ROWS_AT_ONCE}).all()
        if not found:
            return
        objects = [
            {
                "key": f"documented/{document}/{index:016d}",
                "value": orjson.dumps({"entry": index}),
            }
            for index, data in found
            if b'"documents":["' in data or b'"sha256":"' in data
            for document in sorted(_documents(data))
        ]
        if objects:
            bind.execute(ADD, objects)
        last = found[-1][0]


def _documents(data: bytes) -> set[str]:
    """What documents an entry names; nothing for damaged bytes, which the audit reports."""
    try:
        entry = orjson.loads(data)
        named = [*entry["documents"], entry["fields"].get("sha256")]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return set()
    return {one for one in named if isinstance(one, str)}


def _day(data: bytes) -> str:
    """When an entry occurred; nothing for damaged bytes, which the audit reports."""
    try:
        found = orjson.loads(data)["occurred_on"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
