"""A spreadsheet of gifts: the plan beside reading the cells, recording beside bulk recording."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import xlsxwriter
from bench.gifts import open_book, record_all
from bench.measure import Row, Took, row, take_turns, timed
from python_calamine import CalamineWorkbook

from ledger.book import Book
from ledger.intake.columns import guess_columns
from ledger.intake.plan import Plan, plan_gifts
from ledger.intake.recording import Target, known_gifts, record_plan
from ledger.intake.sheets import read_table

PLAN_REACH = 3.0
RECORD_REACH = 1.0
HEADERS = ("订单号", "捐赠金额", "捐赠日期", "捐赠人", "留言", "联系方式")


def write_workbook(path: Path, gifts: int, first: int) -> None:
    """A list as a platform exports it."""
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("捐赠明细")
        sheet.write_row(0, 0, HEADERS)
        for at in range(gifts):
            number = first + at
            name, contact = f"示例捐赠人{number:06d}", f"示例联系方式{number:06d}"
            amount = f"{(100 + number % 9900) / 100:.2f}"
            day = f"2021-09-{1 + number % 28:02d}"
            order = f"LIST-{number:010d}"
            sheet.write_row(at + 1, 0, (order, amount, day, name, "愿更多人受益", contact))


def read_cells(path: Path) -> None:
    """The limit: every cell as a value, nothing else."""
    book = CalamineWorkbook.from_path(str(path))
    book.get_sheet_by_index(0).to_python()


def make_plan(book: Book, path: Path) -> Plan:
    """The plan of a file, as the command makes it."""
    table = read_table(path)
    columns = guess_columns(table.columns, {})
    plan = plan_gifts(
        table, columns, known=known_gifts(book), unit="yuan", unit_stated=True, today="2022-01-01"
    )
    assert plan.clean, [plan.errors[:3], plan.conflicts[:3]]
    return plan


def imports(folder: Path, gifts: int, runs: int, database: str | None) -> list[Row]:
    """Each run imports another file into the same log."""
    book = open_book(folder / "import", database)
    files = _files(folder, gifts)
    target = Target("bench", "tencent", "clerk-1")
    numbers = count()
    plans: list[Plan] = []
    path = next(files)

    def plan() -> Took:
        made: list[Any] = []
        took = timed(lambda: made.append(make_plan(book, path)), gifts)
        plans.append(made[0])
        return took

    def record() -> Took:
        nonlocal path
        path = next(files)
        made = make_plan(book, path)
        return timed(lambda: record_plan(book, made, target), gifts)

    def bulk() -> Took:
        first = 10_000_000 + next(numbers) * gifts
        return timed(lambda: record_all(book, gifts, first), gifts)

    try:
        planned = take_turns(plan, lambda: timed(lambda: read_cells(path), gifts), runs)
        recorded = take_turns(record, bulk, runs)
    finally:
        book.close()
    return [
        row("import: plan of an XLSX file", "reading its cells", planned, PLAN_REACH, at_most=True),
        row("import: recording of the plan", "bulk recording", recorded, RECORD_REACH),
    ]


def _files(folder: Path, gifts: int) -> Iterator[Path]:
    for number in count():
        path = folder / f"list-{number}.xlsx"
        write_workbook(path, gifts, number * gifts)
        yield path
