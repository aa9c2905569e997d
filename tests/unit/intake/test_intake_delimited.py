"""CSV files: encodings, delimiters, quoting, and the notes that platforms put around lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import MalformedError
from ledger.intake import sheets
from ledger.intake.delimited import decode
from ledger.intake.sheets import Table, read_table
from tests.unit.intake.list_files import order, write_csv

TEXT = f"订单号,金额,留言\r\n{order(1)},12.5,平安\r\n{order(2)},100,\r\n"


def cells(table: Table) -> list[tuple[object, ...]]:
    """The cells of every row."""
    return [tuple(row.cells) for row in table.rows]


def refused(path: Path) -> MalformedError:
    """The error with which a file is refused."""
    with pytest.raises(MalformedError) as caught:
        read_table(path)
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gb18030", "gb18030")]
)
def test_both_encodings_give_the_same_rows(tmp_path: Path, encoding: str, told: str) -> None:
    table = read_table(write_csv(tmp_path / "a.csv", TEXT, encoding))
    assert table.columns == ("订单号", "金额", "留言")
    assert cells(table) == [(order(1), "12.5", "平安"), (order(2), "100", "")]
    assert (table.source.media, table.source.encoding) == ("csv", told)
    assert (table.source.sheet, table.source.other_sheets) == (None, ())
    assert (table.source.header_row, table.source.sheet_rows) == (1, 3)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_each_delimiter_is_found_by_the_header(tmp_path: Path, delimiter: str) -> None:
    table = read_table(write_csv(tmp_path / "a.csv", TEXT.replace(",", delimiter)))
    assert table.source.delimiter == delimiter
    assert cells(table)[0] == (order(1), "12.5", "平安")


def test_another_delimiter_in_the_notes_does_not_mislead(tmp_path: Path) -> None:
    text = "导出;时间;金额\r\n订单号\t金额\r\na1\t1,234.50\r\n"
    assert cells(read_table(write_csv(tmp_path / "a.csv", text))) == [("a1", "1,234.50")]


def test_a_header_under_two_delimiters_is_not_guessed(tmp_path: Path) -> None:
    text = "订单号,金额\na1,1\n订单号;金额\na1;1\n"
    assert refused(write_csv(tmp_path / "a.csv", text)).code == "delimiter_ambiguous"


def test_bytes_of_neither_encoding_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head = "订单号,金额\r\na1,1\r\n"
    path.write_bytes(head.encode("gb18030") + b"\xff\xff")
    error = refused(path)
    assert error.code == "encoding_unknown"
    assert error.details == {"utf8_offset": 0, "gb18030_offset": len(head.encode("gb18030"))}
    assert "not UTF-8 at offset 0 and one that is not GB18030 at offset" in error.message


def test_broken_utf8_is_never_taken_for_gb18030(tmp_path: Path) -> None:
    good = f"order number,amount,message\n{order(1)},12.5,{'平安' * 9}\n".encode()
    place = good.index("平安".encode())
    broken = good[:place] + b"\xb0\xa1" + good[place:]
    broken.decode("gb18030")  # which is why the fall-back alone would take it
    path = tmp_path / "a.csv"
    path.write_bytes(broken)
    error = refused(path)
    assert error.code == "encoding_broken"
    assert error.details["utf8_offset"] == place
    path.write_bytes(b"\xef\xbb\xbf" + "订单号,金额\n".encode("gb18030"))
    assert refused(path).details["utf8_offset"] == 3


def test_utf8_and_gb18030_texts_are_decoded_as_what_they_are() -> None:
    text = "捐赠人：某某，留言：愿平安。€𠀀"
    assert decode(text.encode()) == (text, "utf-8")
    assert decode(text.encode("gb18030")) == (text, "gb18030")
    assert decode("é".encode()) == ("é", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_refused_with_a_remedy(tmp_path: Path, encoding: str) -> None:
    error = refused(write_csv(tmp_path / "a.csv", TEXT, encoding))
    assert error.code == "encoding_unknown"
    assert "save the list as XLSX" in error.message


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    text = '说明\n\n订单号,金额,留言\n\na1,1,"两\n行"\n,,\n \u200b,,\na2,2\n\n'
    table = read_table(write_csv(tmp_path / "a.csv", text))
    assert [row.number for row in table.rows] == [5, 8]
    assert cells(table) == [("a1", "1", "两\n行"), ("a2", "2", "")]
    source = table.source
    assert (source.header_row, source.sheet_rows, source.blank_rows) == (3, 9, 4)


def test_what_stands_beyond_the_header_is_kept_for_the_plan_to_refuse(tmp_path: Path) -> None:
    table = read_table(write_csv(tmp_path / "a.csv", "订单号,金额\na1,1,234\n"))
    assert cells(table) == [("a1", "1", "234")]


@pytest.mark.parametrize("text", ['订单号,金额\na1,"1\na2,2\n', '订单号,金额\na1,"1"2\n'])
def test_broken_quoting_is_named(tmp_path: Path, text: str) -> None:
    error = refused(write_csv(tmp_path / "a.csv", text))
    assert error.code == "csv_broken"
    assert "after row 1" in error.message


def test_broken_quoting_before_the_header_is_broken_quoting(tmp_path: Path) -> None:
    error = refused(write_csv(tmp_path / "a.csv", '"甲"乙\n订单号,金额\na1,1\n'))
    assert error.code == "csv_broken"


def test_a_cell_over_the_readers_limit_is_refused(tmp_path: Path) -> None:
    text = f"订单号,金额\na1,{'1' * 200_000}\n"
    assert refused(write_csv(tmp_path / "a.csv", text)).code == "csv_broken"


def test_too_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(tmp_path / "a.csv", "订单号,金额\n\n\n\n")
    monkeypatch.setattr(sheets, "SHEET_ROWS_MAX", 4)
    assert read_table(path).source.blank_rows == 3
    monkeypatch.setattr(sheets, "SHEET_ROWS_MAX", 3)
    assert refused(path).code == "file_too_large"


def test_without_a_header_the_encoding_is_told(tmp_path: Path) -> None:
    error = refused(write_csv(tmp_path / "a.csv", "编码,数目\n", "gb18030"))
    assert error.code == "header_missing"
    assert "read as gb18030" in error.message
