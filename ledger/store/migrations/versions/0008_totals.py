"""Kept totals: of each asset over all accounts, and objects that sum up over the whole ledger;
and the entries of each kind.

Filled from what is there: pools and accounts, objects of funds, projects and wishes, and the
payments and confirmations among the entries. Nothing that is recorded is touched.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from ledger.store.triggers import is_server, refuse

revision = "0008"
down_revision = "0007"

WIDE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

ROWS_AT_ONCE = 1000
MONEY_IN = ("gifts", "raised_fen", "refunded_fen", "opened_fen", "sales_fen")
PAID_AS = {"grant.paid": "grants_fen", "purchase.made": "purchases_fen"}
COUNTED = ("grant.paid", "purchase.made", "aid.paid", "service.confirmed")
"""Names and kinds as `ledger.records.totals` has them at this revision."""

FILL = """
INSERT INTO asset (asset, accounts, received, held)
SELECT account.asset, SUM(CASE WHEN account.received > 0 THEN 1 ELSE 0 END),
    SUM(account.received), SUM(COALESCE(there.held, 0))
FROM account
LEFT JOIN (SELECT account, SUM(held) AS held FROM pool GROUP BY account) AS there
    ON there.account = account.id
GROUP BY account.asset HAVING SUM(account.received) > 0
"""

Totals = dict[str, dict[str, int]]


def upgrade() -> None:
    """Make the table, and fill it and the objects."""
    op.create_table(
        "asset",
        sa.Column("asset", TEXT, primary_key=True, nullable=False),
        sa.Column("accounts", WIDE, nullable=False),
        sa.Column("received", WIDE, nullable=False),
        sa.Column("held", WIDE, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("account_by_holder", "account", ["name", "asset"])
    _make_kinds()
    bind = op.get_bind()
    bind.execute(sa.text(FILL))
    totals: Totals = defaultdict(dict)
    _money_in(bind, totals)
    for _, wish in _family(bind, "wish"):
        _add(totals, f"wish-group/{wish['wish_class']}/{wish['age_band']}", wishes=1)
    _entries(bind, totals)
    rows = [
        {"key": key, "value": orjson.dumps(value, option=orjson.OPT_SORT_KEYS)}
        for key, value in sorted(totals.items())
    ]
    table = sa.table("state_object", sa.column("key"), sa.column("value"))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        bind.execute(sa.insert(table), rows[start : start + ROWS_AT_ONCE])


def _make_kinds() -> None:
    """The entries of each kind; written once, as what they follow from."""
    table = op.create_table(
        "entry_kind",
        sa.Column("kind", TEXT, primary_key=True, nullable=False),
        sa.Column("entry", WIDE, primary_key=True, nullable=False, autoincrement=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    bind = op.get_bind()
    for rows in _entries_by_parts(bind):
        kinds = [{"kind": kind, "entry": index} for index, data in rows if (kind := _kind(data))]
        if kinds:
            bind.execute(sa.insert(table), kinds)
    if is_server(bind):
        for action in ("UPDATE", "DELETE"):
            refuse(bind, "entry_kind", action)
        return
    same = "SELECT 1 FROM entry_kind WHERE kind = NEW.kind AND entry = NEW.entry"
    for action, name, condition in (
        ("UPDATE", "update", ""),
        ("DELETE", "delete", ""),
        ("INSERT", "replace", f"WHEN EXISTS ({same}) "),
    ):
        op.execute(
            f"CREATE TRIGGER entry_kind_refuses_{name} BEFORE {action} ON entry_kind "
            f"{condition}BEGIN SELECT RAISE(ABORT, "
            "'entry_kind: nothing recorded ever changes'); END"
        )


def _kind(data: bytes) -> str | None:
    """An entry's kind; None for damaged bytes, which the audit reports."""
    try:
        found = orjson.loads(data)["kind"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _entries_by_parts(bind: sa.Connection) -> Iterator[Any]:
    """``(index, bytes)`` of all entries, some at a time."""
    table = sa.table("entry", sa.column("index"), sa.column("data"))
    last = -1
    while True:
        query = sa.select(table.c.index, table.c.data).where(table.c.index > last)
        rows = bind.execute(query.order_by(table.c.index).limit(ROWS_AT_ONCE)).all()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _add(totals: Totals, key: str, **amounts: int) -> None:
    for name, amount in amounts.items():
        totals[key][name] = totals[key].get(name, 0) + amount


def _family(bind: sa.Connection, family: str) -> Iterator[tuple[str, Any]]:
    """The state's objects of a family: the rest of the key, and the value."""
    table = sa.table("state_object", sa.column("key", TEXT), sa.column("value"))
    after, end = f"{family}/", f"{family}0"
    while True:
        query = sa.select(table.c.key, table.c.value)
        query = query.where(table.c.key > after, table.c.key < end)
        rows = bind.execute(query.order_by(table.c.key).limit(ROWS_AT_ONCE)).all()
        for key, value in rows:
            yield key.removeprefix(f"{family}/"), orjson.loads(value)
        if not rows:
            return
        after = rows[-1][0]


def _money_in(bind: sa.Connection, totals: Totals) -> None:
    """By class of fund, and by purpose: a project's is for its own, the rest for its fund's."""
    funds = dict(_family(bind, "fund"))
    for code, total in _family(bind, "fund-total"):
        _add(totals, f"class-total/{funds[code]['fund_class']}", **total)
        came = {name: total[name] for name in MONEY_IN if name in total}
        if came:
            _add(totals, f"purpose-total/{_purpose_of(funds[code])}", **came)
    projects = dict(_family(bind, "project"))
    for code, total in _family(bind, "project-total"):
        came = {name: total[name] for name in MONEY_IN if name in total}
        meant = projects[code]["purpose"]
        otherwise = _purpose_of(funds[projects[code]["fund"]])
        if came and meant != otherwise:
            _add(totals, f"purpose-total/{meant}", **came)
            gone = {name: -amount for name, amount in came.items()}
            _add(totals, f"purpose-total/{otherwise}", **gone)


def _purpose_of(fund: Any) -> str:
    purposes = list(fund.get("purposes", ()))
    return str(purposes[0]) if len(purposes) == 1 else "unspecified"


def _entries(bind: sa.Connection, totals: Totals) -> None:
    """Payments and confirmed service; of one that was reversed there is nothing left."""
    classes = {code: fund["fund_class"] for code, fund in _family(bind, "fund")}
    undone = {int(index) for index, _ in _family(bind, "reversed")}
    for entry in _counted(bind):
        fields, alive = entry["fields"], int(entry["index"] not in undone)
        if entry["kind"] == "service.confirmed":
            served = _entry(bind, fields["service"])["fields"]
            organiser, volunteer = served["organiser"], served["volunteer"]
            key = f"served-for/{organiser}/{volunteer}"
            _add(totals, key, services=alive)
            new = int(alive and totals[key]["services"] == 1)
            minutes = alive * entry["postings"][0]["amount"]
            _add(totals, f"organiser-total/{organiser}", volunteers=new, minutes=minutes)
            continue
        amount = alive * sum(one["amount"] for one in entry["postings"] if one["asset"] == "CNY")
        if entry["kind"] in PAID_AS:
            key = f"paid-total/{classes[fields['fund']]}/{fields['purpose']}"
            _add(totals, key, **{PAID_AS[entry["kind"]]: amount})
        else:
            _add(totals, f"aid-total/{fields['purpose']}", payments=alive, amount_fen=amount)


def _counted(bind: sa.Connection) -> Iterator[Any]:
    """The entries of the kinds that count, in order; damaged bytes are the audit's to report."""
    markers = [f'"kind":"{kind}"'.encode() for kind in COUNTED]
    for rows in _entries_by_parts(bind):
        for _, data in rows:
            if any(marker in data for marker in markers) and _kind(data) in COUNTED:
                yield orjson.loads(data)


def _entry(bind: sa.Connection, index: int) -> Any:
    table = sa.table("entry", sa.column("index"), sa.column("data"))
    query = sa.select(table.c.data).where(table.c.index == index)
    return orjson.loads(bind.execute(query).scalar_one())
