"""The rows that stop an import, given back as a CSV file that is safe to open."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from ledger.errors import NotAllowedError
from ledger.intake.cells import order_number, text
from ledger.intake.errors_file import ADDED_COLUMNS, format_errors_csv, write_errors
from ledger.intake.plan import KnownGift, plan_gifts
from ledger.intake.sheets import read_table
from tests.unit.intake.list_files import COLUMNS, HEADER, Value, order, table_of

DAY = "2020-01-25"
GOOD = (order(9), 9.0, DAY, "甲", None)


def lines_of(rows: Sequence[Sequence[Value]], known: dict[str, KnownGift]) -> list[list[str]]:
    """The errors file of a list, split again."""
    table = table_of(rows)
    data = format_errors_csv(table, plan_gifts(table, COLUMNS, known=lambda _: known))
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_rows_with_errors_and_conflicts_come_in_the_files_layout() -> None:
    rows = [
        GOOD,
        (order(1), "坏", dt.datetime(2020, 1, 25, 9, 0), "乙", "两\n行"),
        (order(9), 10.0, DAY, "甲", None),
        (order(2), 2.5, "", "丙", None),
        (order(3), -3.0, "昨天", None, None),
    ]
    header, *lines = lines_of(rows, {order(2): KnownGift(7, 1)})
    assert header == [*HEADER, *ADDED_COLUMNS]
    assert [line[5] for line in lines] == ["3", "4", "5", "6"]
    assert lines[0][:5] == ["'" + order(1), "坏", "2020-01-25 09:00:00", "乙", "两\n行"]
    assert lines[0][6:] == [
        "金额",
        "expected an amount such as 12.50 or 1,234.50, got '坏'",
        "write the number alone",
    ]
    assert lines[1][6] == "订单号"
    assert "row 2 has the same order number with another amount" in lines[1][7]
    assert lines[1][:2] == ["'" + order(9), "10"]
    assert lines[2][6] == "日期"
    assert lines[3][1] == "'-3"
    assert lines[3][6] == "金额; 日期"
    assert lines[3][7].count("; ") == 1


def test_a_conflict_with_the_ledger_comes_too() -> None:
    _, line = lines_of([GOOD], {order(9): KnownGift(7, 1)})
    assert line[5:7] == ["2", "订单号"]
    assert "entry 7" in line[7]


def test_an_error_of_a_whole_column_has_no_cells() -> None:
    table = table_of([(order(1), 1.0), ("A1", 1.0)], HEADER[:2])
    columns = type(COLUMNS)(order_number="订单号", amount="金额")
    data = format_errors_csv(table, plan_gifts(table, columns, known=lambda _: {}))
    line = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1]
    assert line[:4] == ["", "", "1", ""]


def test_a_clean_plan_gives_the_header_alone() -> None:
    assert lines_of([GOOD], {}) == [[*HEADER, *ADDED_COLUMNS]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_run_as_a_formula(start: str) -> None:
    _, line = lines_of([(order(1), "坏", DAY, f"{start}1+1", None)], {})
    assert line[3] == f"'{start}1+1"
    header = (f"{start}x", *HEADER)
    table = table_of([("a", order(1), "坏", DAY, "甲", None)], header)
    data = format_errors_csv(table, plan_gifts(table, COLUMNS, known=lambda _: {}))
    assert data.decode("utf-8-sig").splitlines()[0].startswith(("'", "\"'"))


def test_what_is_guarded_is_read_as_it_was() -> None:
    assert order_number("'" + order(1)) == order(1)
    assert text("'=1+1", 10) == "=1+1"


def test_the_corrected_file_can_be_imported(tmp_path: Path) -> None:
    rows = [(order(1), "坏", DAY, "=1+1", "平安"), (1.465e27, 3.0, DAY, None, None)]
    table = table_of(rows)
    path = tmp_path / "errors.csv"
    write_errors(path, table, plan_gifts(table, COLUMNS, known=lambda _: {}))
    again = plan_gifts(read_table(path), COLUMNS, known=lambda _: {})
    assert [(error.row, error.code) for error in again.errors] == [
        (2, "amount_unreadable"),
        (3, "order_destroyed"),
    ]
    corrected = path.read_text("utf-8-sig").replace("坏", "5").replace("1.465e+27", order(2))
    path.write_text(corrected, "utf-8-sig")
    plan = plan_gifts(read_table(path), COLUMNS, known=lambda _: {})
    assert plan.clean
    assert [gift[1:6] for gift in plan.gifts] == [
        (order(1), 500, DAY, "=1+1", "平安"),
        (order(2), 300, DAY, None, None),
    ]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    table = table_of([GOOD])
    plan = plan_gifts(table, COLUMNS, known=lambda _: {})
    with pytest.raises(NotAllowedError, match="choose another place"):
        write_errors(tmp_path, table, plan)
