"""Files → tables: workbooks of each format, where the header is, what is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from ledger.errors import MalformedError, NotFoundError
from ledger.intake import sheets
from ledger.intake.sheets import HEADER_ROWS_MAX, Table, read_table
from tests.unit.intake.list_files import (
    compound_file,
    order,
    write_csv,
    write_ods,
    write_xls,
    write_xlsx,
    write_zip,
)

LIST = [
    ("订单号", "金额", "日期"),
    (order(1), 12.5, dt.date(2020, 1, 25)),
    (order(2), 100.0, dt.date(2020, 1, 26)),
]


def cells(table: Table) -> list[tuple[object, ...]]:
    """The cells of every row."""
    return [tuple(row.cells) for row in table.rows]


def numbers(table: Table) -> list[int]:
    """The number of every row."""
    return [row.number for row in table.rows]


def code_of(path: Path, sheet: str | None = None) -> str:
    """The code with which a file is refused."""
    with pytest.raises(MalformedError) as caught:
        read_table(path, sheet=sheet)
    return caught.value.code


def test_a_workbook_is_read_with_its_facts(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "list.xlsx", {"捐赠": LIST, "说明": [("甲",)]})
    table = read_table(path)
    assert table.columns == ("订单号", "金额", "日期")
    assert cells(table) == [tuple(row) for row in LIST[1:]]
    assert numbers(table) == [2, 3]
    source = table.source
    assert (source.name, source.media) == ("list.xlsx", "xlsx")
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.size_bytes == path.stat().st_size
    assert (source.sheet, source.other_sheets) == ("捐赠", ("说明",))
    assert (source.header_row, source.sheet_rows, source.blank_rows) == (1, 3, 0)
    assert source.encoding is None


def test_the_three_formats_of_workbooks_give_the_same_rows(tmp_path: Path) -> None:
    rows = [("订单号", "金额"), (order(1), 12.5), (order(2), 100.0)]
    tables = [
        read_table(write_xlsx(tmp_path / "a", {"列表": rows})),
        read_table(write_xls(tmp_path / "b", rows)),
        read_table(write_ods(tmp_path / "c", rows)),
    ]
    assert [table.source.media for table in tables] == ["xlsx", "xls", "ods"]
    for table in tables:
        assert table.columns == ("订单号", "金额")
        assert cells(table) == rows[1:]
        assert numbers(table) == [2, 3]


def test_title_rows_and_merged_cells_above_the_header_are_skipped(tmp_path: Path) -> None:
    rows = [
        ("2020年1月25日捐赠明细", None, None),
        (None, None, None),
        ("单位：元", "订单号说明", "金额说明"),
        ("序号", " 订单\u200b号 ", "金 额\n（元）"),
        (1.0, order(1), 12.5),
        (None, "\u200b \xa0", ""),
        (2.0, order(2), 3.0),
    ]
    path = write_xlsx(tmp_path / "list.xlsx", {"S": rows}, merged=["A1:C1"])
    table = read_table(path)
    assert table.columns == ("序号", "订单号", "金 额 （元）")
    assert numbers(table) == [5, 7]
    assert (table.source.header_row, table.source.blank_rows) == (4, 1)


def test_merged_columns_leave_a_column_without_a_header(tmp_path: Path) -> None:
    rows = [("交易单号", None, "交易金额", None), (order(1), None, 12.5, None)]
    path = write_xlsx(tmp_path / "list.xlsx", {"S": rows}, merged=["A1:B1", "A2:B2"])
    book = openpyxl.load_workbook(path)
    book["S"]["D2"] = 12.5
    book.save(path)
    table = read_table(path)
    assert table.columns == ("交易单号", "", "交易金额", "")
    assert cells(table) == [(order(1), "", 12.5, 12.5)]


def test_tens_of_thousands_of_blank_rows_are_counted_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "wps.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Sheet1")
    frame = book.add_format({"border": 1})
    for row, line in enumerate([("订单号", "金额"), (order(1) + " " * 36, 12.5)]):
        sheet.write_row(row, 0, line)
    for row in range(2, 20_001):
        sheet.set_row(row, 14.25)
        sheet.write_blank(row, 0, None, frame)
    book.add_worksheet("Sheet2")
    book.close()
    table = read_table(path)
    assert len(table.rows) == 1
    assert table.source.sheet_rows == 20_001
    assert table.source.blank_rows == 19_999


def test_a_row_of_zeros_is_not_blank(tmp_path: Path) -> None:
    rows = [("订单号", "金额"), ("", 0.0)]
    assert numbers(read_table(write_xlsx(tmp_path / "z.xlsx", {"S": rows}))) == [2]


def test_a_list_that_does_not_begin_in_the_first_column(tmp_path: Path) -> None:
    rows = [(None, None, None), (None, "订单号", "金额"), (None, order(1), 1.0)]
    table = read_table(write_xlsx(tmp_path / "c.xlsx", {"S": rows}))
    assert table.columns == ("", "订单号", "金额")
    assert numbers(table) == [3]


def test_the_headers_that_are_asked_for_decide_which_row_is_the_header(tmp_path: Path) -> None:
    rows = [("订单号", "金额"), ("编码", "数目"), ("a1", 5.0)]
    path = write_xlsx(tmp_path / "h.xlsx", {"S": rows})
    assert read_table(path).source.header_row == 1
    table = read_table(path, headers=("数目", "编码"))
    assert table.source.header_row == 2
    assert table.columns == ("编码", "数目")


def test_a_formula_gives_the_value_that_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "f.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ("订单号", "金额"))
    sheet.write_string(1, 0, order(1))
    sheet.write_formula(1, 1, "=5+7.5", None, 12.5)
    book.close()
    assert cells(read_table(path)) == [(order(1), 12.5)]


def test_the_sheet_that_has_the_columns_is_taken(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "s.xlsx", {"封面": [("说明", "目录")], "明细": LIST, "空": []})
    source = read_table(path).source
    assert (source.sheet, source.other_sheets) == ("明细", ("封面", "空"))


def test_of_several_sheets_with_the_columns_one_must_be_named(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "s.xlsx", {"一月": LIST, "二月": LIST[:2]})
    with pytest.raises(MalformedError, match="'一月', '二月' have them; name the one"):
        read_table(path)
    assert code_of(path) == "sheet_ambiguous"
    assert len(read_table(path, sheet="二月").rows) == 1


def test_a_hidden_sheet_is_read_only_by_name(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "s.xlsx", {"目录": [("说明", "页")], "明细": LIST})
    book = openpyxl.load_workbook(path)
    book["明细"].sheet_state = "hidden"
    book.save(path)
    with pytest.raises(MalformedError, match="not at the hidden '明细'"):
        read_table(path)
    assert len(read_table(path, sheet="明细").rows) == 2


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "s.xlsx", {"明细": LIST})
    with pytest.raises(NotFoundError, match="it has '明细'"):
        read_table(path, sheet="一月")
    with pytest.raises(NotFoundError, match="has no sheets"):
        read_table(write_csv(tmp_path / "a.csv", "订单号,金额\n"), sheet="一月")


def test_without_a_header_what_stands_there_is_told_but_never_a_gift(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "n.xlsx", {"S": [("张某", "13900000000"), ("编码", "数目")]})
    with pytest.raises(MalformedError, match="'编码', '数目'") as caught:
        read_table(path)
    assert caught.value.code == "header_missing"
    assert "张某" not in caught.value.message


def test_a_header_too_far_down_is_not_found(tmp_path: Path) -> None:
    rows = [("注",)] * (HEADER_ROWS_MAX - 1) + LIST
    assert read_table(write_xlsx(tmp_path / "a.xlsx", {"S": rows})).source.header_row == 50
    assert code_of(write_xlsx(tmp_path / "b.xlsx", {"S": [("注",), *rows]})) == "header_missing"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b" \r\n\t ", "file_empty"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "file_not_a_spreadsheet"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", "file_not_a_spreadsheet"),
        (b"%PDF-1.7 ...", "file_not_a_spreadsheet"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "encoding_unknown"),
        (b"PK\x03\x04 and nothing more", "file_damaged"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "file_damaged"),
        (b"hello, world\n", "header_missing"),
    ],
)
def test_what_is_no_spreadsheet_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(content)
    assert code_of(path) == code


def test_a_cut_workbook_is_damaged(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"S": LIST})
    path.write_bytes(path.read_bytes()[:-200])
    assert code_of(path) == "file_damaged"


def test_a_workbook_that_the_reader_cannot_read_is_damaged(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.xlsx", {"xl/workbook.xml": "<workbook/>"})
    assert code_of(path) == "file_damaged"


def test_encrypted_workbooks_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(compound_file("EncryptedPackage", b"secret"))
    assert code_of(path) == "file_encrypted"
    password = struct.pack("<HHHHH", 0x2F, 6, 1, 1, 1)
    assert code_of(write_xls(tmp_path / "b.xls", LIST[:1], before_sheet=password)) == (
        "file_encrypted"
    )


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file nothing\.xlsx"):
        read_table(tmp_path / "nothing.xlsx")
    assert code_of(tmp_path) == "file_unreadable"


def test_no_file_over_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(tmp_path / "a.csv", "订单号,金额\n1,2\n", "gb18030")
    size = path.stat().st_size
    monkeypatch.setattr(sheets, "FILE_BYTES_MAX", size)
    assert len(read_table(path).rows) == 1
    monkeypatch.setattr(sheets, "FILE_BYTES_MAX", size - 1)
    assert code_of(path) == "file_too_large"


@pytest.mark.parametrize("media", ["xlsx", "csv"])
def test_limits_on_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: str) -> None:
    path = tmp_path / "a"
    if media == "xlsx":
        write_xlsx(path, {"S": [("订单号", "金额"), ("a1", 1.0), (None, None), ("a2", 1.0)]})
    else:
        write_csv(path, "订单号,金额\na1,1\n,\na2,1\n")
    monkeypatch.setattr(sheets, "ROWS_MAX", 2)
    assert numbers(read_table(path)) == [2, 4]
    monkeypatch.setattr(sheets, "ROWS_MAX", 1)
    assert code_of(path) == "file_too_large"


def test_a_cell_far_to_the_right_is_named(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"S": LIST})
    book = openpyxl.load_workbook(path)
    book["S"]["IV2"] = 1
    book.save(path)
    assert len(read_table(path).columns) == sheets.COLUMNS_MAX
    book["S"]["IW2"] = 1
    book.save(path)
    with pytest.raises(MalformedError, match="reaches to IW3; delete the cells"):
        read_table(path)


def test_limits_on_columns_and_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = ",".join(["订单号", "金额"] + ["甲"] * (sheets.COLUMNS_MAX - 1))
    assert code_of(write_csv(tmp_path / "a.csv", wide + "\n")) == "file_too_large"
    path = write_xlsx(tmp_path / "b.xlsx", {"一": LIST, "二": [], "三": []})
    monkeypatch.setattr(sheets, "SHEETS_MAX", 2)
    assert code_of(path) == "file_too_large"


def test_a_panic_of_the_reader_is_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        pass

    class Panicking:
        @staticmethod
        def from_filelike(_: object) -> None:
            raise PanicException("index out of bounds")

    path = write_xlsx(tmp_path / "a.xlsx", {"S": LIST})
    monkeypatch.setattr(sheets, "CalamineWorkbook", Panicking)
    assert code_of(path) == "file_damaged"


def test_an_interruption_is_no_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        @staticmethod
        def from_filelike(_: object) -> None:
            raise KeyboardInterrupt

    path = write_xlsx(tmp_path / "a.xlsx", {"S": LIST})
    monkeypatch.setattr(sheets, "CalamineWorkbook", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_table(path)


def test_no_repr_shows_what_stands_in_the_cells(tmp_path: Path) -> None:
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"S": LIST}))
    assert order(1) not in repr(table)
    assert order(1) not in repr(table.rows)
