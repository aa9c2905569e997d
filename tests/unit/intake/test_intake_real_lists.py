"""The published lists of a real emergency, where a copy lies beside the checkout.

Only their totals are known here; nothing of what they hold is in the repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.intake.columns import guess_columns
from ledger.intake.plan import plan_gifts
from ledger.intake.sheets import read_table


@pytest.mark.parametrize(
    ("name", "day", "gifts", "sum_fen", "small", "sheet_rows"),
    [
        ("2020-01-24-qr-pos.xlsx", "2020-01-24", 1_207, 21_078_319, 20, 23_773),
        ("2020-01-25-qr-pos.xlsx", "2020-01-25", 49_691, 476_102_868, 651, 49_692),
    ],
)
def test_totals(
    repository: Path, name: str, day: str, gifts: int, sum_fen: int, small: int, sheet_rows: int
) -> None:
    path = repository.parent / "shared" / "data" / "wuhan-red-cross-2020" / name
    if not path.exists():
        pytest.skip("the published lists are not beside this checkout")
    table = read_table(path)
    plan = plan_gifts(table, guess_columns(table.columns), known=lambda _: {}, date_from_order=True)
    assert plan.clean
    assert len({gift.order_number for gift in plan.gifts}) == plan.rows_total == gifts
    assert plan.sum_fen == sum_fen
    assert (plan.earliest, plan.latest) == (day, day)
    assert (table.source.sheet_rows, plan.rows_blank) == (sheet_rows, sheet_rows - gifts - 1)
    notices = {notice.code: notice for notice in plan.warnings}
    assert notices["under_one_yuan"].count == small
    assert "equals the sum of the gifts" in notices["cells_without_header"].message
