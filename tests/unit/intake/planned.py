"""Plans of small lists, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.intake.columns import Columns
from ledger.intake.plan import KnownGift, Plan, plan_gifts
from tests.unit.intake.list_files import COLUMNS, HEADER, Value, order, table_of

PAIR = Columns(order_number="订单号", amount="金额")
DAY = "2020-01-25"


def none_known(orders: Sequence[str]) -> Mapping[str, KnownGift]:
    """A ledger that has no order."""
    return {}


def knows(*gifts: tuple[str, KnownGift]) -> Any:
    """A ledger that has these orders."""
    return lambda orders: {name: gift for name, gift in gifts if name in orders}


def plan_of(
    rows: Sequence[Sequence[Value]], header: Sequence[str] = HEADER, **settings: Any
) -> Plan:
    """The plan of rows under the columns that the header has."""
    if "columns" not in settings:
        had = {part: name for part, name in COLUMNS.headers().items() if name in header}
        settings["columns"] = Columns(**had)
    settings.setdefault("known", none_known)
    return plan_gifts(table_of(rows, header), **settings)


def pairs(*amounts: Value, day: str = DAY, **settings: Any) -> Plan:
    """The plan of a list with order numbers and these amounts."""
    rows = [(order(number), amount) for number, amount in enumerate(amounts)]
    return plan_of(rows, HEADER[:2], default_date=day, **settings)


def errors_of(plan: Plan) -> list[tuple[int, str, str]]:
    """Row, column and code of every error."""
    return [(error.row, error.column, error.code) for error in plan.errors]


def codes(plan: Plan) -> list[str]:
    """The codes of all warnings."""
    return [notice.code for notice in plan.warnings]
