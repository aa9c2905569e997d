"""One file with a list of gifts → its table and its plan, with what a person chose.

The command and the pages read files in the same way: what nobody chose is taken from the
file, and what the file leaves open is an error or, where every order number holds a day, a
warning (``plan``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ledger.intake.cells import Unit
from ledger.intake.columns import guess_columns, header_unit
from ledger.intake.plan import Known, Plan, plan_gifts
from ledger.intake.sheets import Table, parse_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How a list is to be read, where a person said so.

    Attributes:
        sheet: The sheet, where several have the columns.
        columns: Part of a gift → header.
        unit: What the amounts count; None for what the header says, else yuan.
        date: The day of gifts whose row has none.
        date_from_order: Take days from the order numbers.
    """

    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    unit: Literal["yuan", "fen"] | None = None
    date: str | None = None
    date_from_order: bool = False


def plan_list(
    name: str, data: bytes, choices: Choices, *, known: Known, today: str
) -> tuple[Table, Plan]:
    """Read and plan a list of gifts.

    Args:
        name: The file's name, for messages only.
        data: The whole file.
        choices: What a person said.
        known: What the ledger has under order numbers.
        today: The last day that a gift can have.

    Raises:
        MalformedError, NotFoundError: as `parse_table`, `guess_columns` and `plan_gifts`.
    """
    chosen = dict(choices.columns)
    table = parse_table(name, data, sheet=choices.sheet, headers=list(chosen.values()))
    columns = guess_columns(table.columns, chosen)
    by_header: Unit = "fen" if header_unit(columns.amount) == "fen" else "yuan"

    def planned(date: str | None, date_from_order: bool) -> Plan:
        return plan_gifts(
            table,
            columns,
            known=known,
            unit=choices.unit or by_header,
            unit_stated=choices.unit is not None,
            default_date=date,
            date_from_order=date_from_order,
            today=today,
        )

    plan = planned(choices.date, choices.date_from_order)
    if plan.order_days is not None:
        # Neither a column nor a person gives the day, but every order number holds one: the
        # plan takes it, and says so among its warnings.
        plan = planned(None, True)
    return table, plan
