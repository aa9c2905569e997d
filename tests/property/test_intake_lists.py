"""Properties of lists: a plan against a slow, obvious one; files that come back as written."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError
from ledger.intake.archive import inspect_archive
from ledger.intake.columns import Columns
from ledger.intake.plan import KnownGift, Plan, plan_gifts
from ledger.intake.sheets import Row, Source, Table, read_table

repeatable = settings(derandomize=True, deadline=None, max_examples=100)

DAY = "2020-01-25"
COLUMNS = Columns(order_number="订单号", amount="金额", donor_name="捐赠人")
HEADER = ("订单号", "金额", "捐赠人")

ORDERS = st.integers(1, 8).map(lambda number: f"A-{number:03d}")
GOOD = st.tuples(ORDERS, st.sampled_from(["1", "2.50", "￥3"]), st.sampled_from(["甲", "乙", ""]))
BAD = st.tuples(
    st.sampled_from(["", "合", "1.5E+27", "A-001"]),
    st.sampled_from(["", "-1", "1.234", "x"]),
    st.just("甲"),
)
ROWS = st.lists(st.one_of(GOOD, GOOD, GOOD, BAD), max_size=15)
KNOWN = st.dictionaries(ORDERS, st.sampled_from([100, 250, 300, 999]), max_size=4)
FEN = {"1": 100, "2.50": 250, "￥3": 300}


def table_of(rows: Sequence[Sequence[str]]) -> Table:
    """A table of rows, from row 2 on."""
    source = Source(
        name="list.csv",
        size_bytes=0,
        sha256="0" * 64,
        media="csv",
        header_row=1,
        sheet_rows=len(rows) + 1,
        blank_rows=0,
    )
    return Table(HEADER, tuple(Row(n, row) for n, row in enumerate(rows, 2)), source)


def plan_of(rows: Sequence[Sequence[str]], known: Mapping[str, int]) -> Plan:
    """The plan of rows against a ledger of order numbers and amounts."""

    def ask(orders: Sequence[str]) -> dict[str, KnownGift]:
        return {one: KnownGift(7, known[one]) for one in orders if one in known}

    return plan_gifts(table_of(rows), COLUMNS, known=ask, default_date=DAY)


@repeatable
@given(ROWS, KNOWN)
def test_a_plan_is_what_an_obvious_reading_gives(
    rows: list[tuple[str, str, str]], known: dict[str, int]
) -> None:
    plan = plan_of(rows, known)
    # The obvious reading: by hand, row by row, with lists only.
    first: list[tuple[int, tuple[str, str, str]]] = []
    repeats, clashes, wrong, listed = [], [], [], 0
    for number, row in enumerate(rows, 2):
        if row[1] not in FEN:
            wrong.append(number)
            continue
        listed += FEN[row[1]]
        earlier = [(at, other) for at, other in first if other[0] == row[0]]
        if not earlier:
            first.append((number, row))
        elif earlier[0][1] == row:
            repeats.append((number, earlier[0][0]))
        else:
            clashes.append(number)
    clashes += [at for at, row in first if known.get(row[0], FEN[row[1]]) != FEN[row[1]]]
    new = [(at, FEN[row[1]]) for at, row in first if row[0] not in known]
    assert [(gift.row, gift.amount_fen) for gift in plan.gifts] == new
    assert plan.sum_fen == sum(fen for _, fen in new)
    assert plan.listed_fen == listed
    assert [(one.row, one.first_row) for one in plan.repeats] == repeats
    assert [one.row for one in plan.conflicts] == sorted(clashes)
    assert sorted({error.row for error in plan.errors}) == wrong
    assert plan.clean == (not wrong and not clashes)
    # Every row is accounted for once.
    told = [gift.row for gift in plan.gifts] + [one.row for one in plan.repeats]
    told += [one.row for one in plan.already_recorded] + [one.row for one in plan.conflicts]
    told += {error.row for error in plan.errors}
    assert sorted(told) == list(range(2, len(rows) + 2))


@repeatable
@given(ROWS, KNOWN)
def test_what_is_planned_is_recorded_already_afterwards(
    rows: list[tuple[str, str, str]], known: dict[str, int]
) -> None:
    plan = plan_of(rows, known)
    recorded = known | {gift.order_number: gift.amount_fen for gift in plan.gifts}
    again = plan_of(rows, recorded)
    assert again.gifts == ()
    assert again.digest == plan.digest
    assert len(again.already_recorded) == len(plan.already_recorded) + len(plan.gifts)
    assert (again.errors, again.repeats) == (plan.errors, plan.repeats)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12
) | st.sampled_from(["甲,乙", '说"好"', "两\n行", ";", "\t", ""])


@repeatable
@given(
    st.lists(st.tuples(ORDERS, st.integers(1, 10**6).map(lambda n: n / 100), TEXT), max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    st.sampled_from([",", "\t", ";"]),
)
def test_a_csv_file_comes_back_as_it_was_written(
    rows: list[tuple[str, float, str]], encoding: str, delimiter: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([HEADER, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(out.getvalue().encode(encoding))
        table = read_table(path)
    assert table.columns == HEADER
    assert [tuple(row.cells) for row in table.rows] == [
        (order, str(amount), message) for order, amount, message in rows
    ]
    assert [row.number for row in table.rows] == list(range(2, len(rows) + 2))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.lists(
        st.one_of(st.none(), st.tuples(ORDERS, st.integers(1, 10**6).map(lambda n: n / 100))),
        max_size=12,
    )
)
def test_a_workbook_comes_back_as_it_was_written(
    rows: list[tuple[str, float] | None],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.xlsx")
        book = xlsxwriter.Workbook(path)
        sheet = book.add_worksheet()
        for number, row in enumerate([("订单号", "金额"), *rows]):
            sheet.set_row(number, 15)
            sheet.write_row(number, 0, row or ())
        book.close()
        table = read_table(path)
    expected = [(number, row) for number, row in enumerate(rows, 2) if row is not None]
    assert [(row.number, tuple(row.cells)) for row in table.rows] == expected
    assert table.source.blank_rows == len(rows) - len(expected)
    assert table.source.sheet_rows == len(rows) + 1


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1"]))
def test_bytes_that_are_no_list_give_an_error_of_ours(data: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a")
        path.write_bytes(start + data)
        with pytest.raises(MalformedError):
            read_table(path)
    with pytest.raises(MalformedError):
        inspect_archive(start + data)
