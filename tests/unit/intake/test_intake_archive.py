"""Zipped workbooks: bombs, lies about sizes, cells far out, and plain damage."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from ledger.errors import MalformedError
from ledger.intake import archive
from ledger.intake.archive import inspect_archive
from ledger.intake.sheets import read_table
from tests.unit.intake.list_files import (
    deflated,
    ods_cell,
    order,
    read_zip,
    write_ods,
    write_xlsx,
    write_zip,
)

ROWS = [("订单号", "金额"), (order(1), 12.5)]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET = "xl/worksheets/sheet1.xml"


def code_of(data: bytes) -> str:
    """The code with which an archive is refused."""
    with pytest.raises(MalformedError) as caught:
        inspect_archive(data)
    return caught.value.code


def with_sheet(tmp_path: Path, sheet: str | bytes) -> Path:
    """A workbook whose first sheet is this XML."""
    parts: dict[str, bytes | str] = dict(read_zip(write_xlsx(tmp_path / "w.xlsx", {"S": ROWS})))
    assert SHEET in parts
    parts[SHEET] = sheet
    return write_zip(tmp_path / "made.xlsx", parts)


def sheet_xml(data: str, prefix: str = "") -> str:
    """A sheet with this data; `data` is written without a prefix."""
    xml = f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
    if prefix:
        xml = xml.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:")
        xml = xml.replace(f"<{prefix}:/", "</").replace("xmlns=", f"xmlns:{prefix}=")
    return xml


def text_cell(place: str, text: str) -> str:
    """A cell with its own text; `place` is the attribute or ""."""
    return f'<c {place} t="inlineStr"><is><t>{text}</t></is></c>'


HEADER_ROW = f"<row>{text_cell('', '订单号')}{text_cell('', '金额')}</row>"


def test_the_last_row_of_each_sheet_is_told(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"一": [("a",)] * 3, "二": [("a",)] * 7, "空": []})
    found = inspect_archive(path.read_bytes())
    assert found.media == "xlsx"
    assert dict(found.sheet_rows) == {"一": 3, "二": 7}


def test_an_ods_file_is_told_apart(tmp_path: Path) -> None:
    found = inspect_archive(write_ods(tmp_path / "a.ods", ROWS).read_bytes())
    assert (found.media, dict(found.sheet_rows)) == ("ods", {})


@pytest.mark.parametrize(
    "parts",
    [
        {"a.txt": b"x"},
        {"xl/workbook.bin": b"x"},
        {"word/document.xml": b"<document/>"},
        {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"},
        {"content.xml": b"<x/>"},
    ],
)
def test_other_archives_are_no_spreadsheets(parts: dict[str, bytes]) -> None:
    assert code_of(deflated(parts)) == "file_not_a_spreadsheet"


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES_MAX", 3_000_000)
    parts = {"xl/workbook.xml": b"<workbook/>", "xl/media/a.bin": bytes(2_999_000)}
    inspect_archive(deflated(parts))
    assert code_of(deflated(parts | {"xl/media/b.bin": bytes(2_000)})) == "file_too_large"


def stating(data: bytes, real: bytes, stated: bytes) -> bytes:
    """The archive with another size (and the CRC of that much) stated for one part."""
    sizes = struct.pack("<I", len(real))
    crc = struct.pack("<I", zlib.crc32(real))
    assert data.count(sizes) == 2
    data = data.replace(sizes, struct.pack("<I", len(stated)))
    return data.replace(crc, struct.pack("<I", zlib.crc32(stated)))


def test_a_part_that_is_longer_than_stated_is_refused() -> None:
    real = b"<x/>" * 50_000
    data = deflated({"xl/workbook.xml": b"<workbook/>", "xl/a.xml": real})
    inspect_archive(data)
    lying = stating(data, real, real[:1000])
    with zipfile.ZipFile(io.BytesIO(lying)) as opened:
        assert len(opened.read("xl/a.xml")) == 1000  # the lie passes the usual reading
    assert code_of(lying) == "file_damaged"
    assert code_of(stating(data, real, real + b"<x/>")) == "file_damaged"


def test_limits_on_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = deflated({"xl/workbook.xml": b"<workbook/>", "a.xml": b"<x/>"})
    monkeypatch.setattr(archive, "PARTS_MAX", 2)
    inspect_archive(data)
    monkeypatch.setattr(archive, "PARTS_MAX", 1)
    assert code_of(data) == "file_too_large"


def test_two_parts_of_one_name_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr("xl/workbook.xml", "<workbook/>")
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("xl/workbook.xml", "<workbook/>")
    assert code_of(out.getvalue()) == "file_too_large"


def test_an_unusual_packing_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("xl/workbook.xml", "<workbook/>")
    assert code_of(out.getvalue()) == "file_damaged"


def test_encrypted_parts_are_told(tmp_path: Path) -> None:
    data = deflated({"xl/workbook.xml": b"<workbook/>"})
    # The first bit of the flags, in the part's own header and in the directory.
    local, central = data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8
    changed = bytearray(data)
    changed[local] |= 1
    changed[central] |= 1
    assert code_of(bytes(changed)) == "file_encrypted"
    parts = read_zip(write_ods(tmp_path / "a.ods", ROWS))
    parts["content.xml"] = b"\x8f\x02 unreadable"
    parts["META-INF/manifest.xml"] = b"<manifest><manifest:encryption-data/></manifest>"
    assert code_of(deflated(parts)) == "file_encrypted"


@pytest.mark.parametrize("cut", [30, 60, 200])
def test_flipped_bytes_never_leak_another_error(tmp_path: Path, cut: int) -> None:
    data = bytearray(write_xlsx(tmp_path / "a.xlsx", {"S": ROWS}).read_bytes())
    refused = 0
    for place in range(cut, len(data), 97):
        changed = data[:]
        changed[place] ^= 0xFF
        try:
            inspect_archive(bytes(changed))
        except MalformedError:
            refused += 1
    assert refused > 10


FAR = [
    '<row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    '<row r="1"><c r="A1"><v>1</v></c><c r="ZZ1048576"><v>1</v></c></row>',
    '<row r="1"><c s="0" r="A1"><v>1</v></c><c s="0" r="XFD999999"><v>1</v></c></row>',
    '<row r="1"><c r="A1"><v>1</v></c><c\nr="XFD999999"><v>1</v></c></row>',
    '<row r="1048576">' + "<c><v>1</v></c>" * 40 + "</row>",
]


@pytest.mark.parametrize("data", FAR)
@pytest.mark.parametrize("prefix", ["", "x"])
def test_a_cell_far_out_is_refused_however_it_is_written(
    tmp_path: Path, data: str, prefix: str
) -> None:
    path = with_sheet(tmp_path, sheet_xml(data, prefix))
    with pytest.raises(MalformedError, match="delete the cells far from the list") as caught:
        inspect_archive(path.read_bytes())
    assert caught.value.code == "file_too_large"


def test_a_cell_far_out_is_found_in_another_encoding(tmp_path: Path) -> None:
    xml = '<?xml version="1.0" encoding="UTF-16"?>' + sheet_xml(FAR[0])
    assert code_of(with_sheet(tmp_path, xml.encode("utf-16")).read_bytes()) == "file_too_large"


def test_sheets_written_unusually_are_read_where_they_are_small(tmp_path: Path) -> None:
    row = f"<row>{text_cell('', 'a1')}<c><v>12.5</v></c></row>"
    for prefix in ("", "x"):
        table = read_table(with_sheet(tmp_path, sheet_xml(HEADER_ROW + row, prefix)))
        assert [tuple(one.cells) for one in table.rows] == [("a1", 12.5)]


def test_a_wide_sheet_is_read(tmp_path: Path) -> None:
    header = ["订单号", "金额"] + [f"栏{number}" for number in range(30)]
    path = write_xlsx(tmp_path / "a.xlsx", {"S": [header, [order(1), 12.5] + ["甲"] * 30]})
    assert len(read_table(path).columns) == 32


@pytest.mark.parametrize(
    "place", ['r="1A"', 'r="ABCD1"', 'r="A"', 'r="A12345678901"', 'r=""', 'r="é1"']
)
def test_places_that_are_none_are_refused(tmp_path: Path, place: str) -> None:
    data = with_sheet(tmp_path, sheet_xml(f"<row><c {place}><v>1</v></c></row>")).read_bytes()
    assert code_of(data) == "file_damaged"


def test_entities_and_broken_xml_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + sheet_xml("<row><c><v>&a;</v></c></row>")
    assert code_of(with_sheet(tmp_path, bomb).read_bytes()) == "file_damaged"
    broken = sheet_xml("<row><c><v>1</v></row>")
    assert code_of(with_sheet(tmp_path, broken).read_bytes()) == "file_damaged"


def test_blank_repetitions_at_the_end_of_an_ods_sheet_are_normal(tmp_path: Path) -> None:
    after = (
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    table = read_table(write_ods(tmp_path / "a.ods", ROWS, after=after))
    assert len(table.rows) == 1
    assert table.source.sheet_rows == 2


def repeated(rows: int, columns: int, cell: str = ods_cell(1.0)) -> str:
    """An ODS row with one repeated cell, itself repeated."""
    many = cell.replace("<table:table-cell", f'<table:table-cell {MANY}="{columns}"', 1)
    return f'<table:table-row table:number-rows-repeated="{rows}">{many}</table:table-row>'


MANY = "table:number-columns-repeated"


def test_rows_repeated_in_an_ods_sheet_are_read_as_often(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", ROWS, after=repeated(3, 2))
    assert [tuple(row.cells) for row in read_table(path).rows[1:]] == [(1.0, 1.0)] * 3


@pytest.mark.parametrize(
    "after",
    [
        repeated(1_048_576, 16_384),
        repeated(100_000, 1_000, ods_cell("甲")),
        repeated(999_999_999, 1),
        # One far cell: blank rows and cells before it count.
        repeated(1_048_000, 16_000, ods_cell(None))
        + f'<table:table-row><table:table-cell {MANY}="16000"/>{ods_cell(1.0)}</table:table-row>',
        repeated(2, 10_000, ods_cell("甲" * 30_000)),
    ],
)
def test_repetitions_that_fill_the_memory_are_refused(tmp_path: Path, after: str) -> None:
    path = write_ods(tmp_path / "a.ods", ROWS, after=after)
    assert code_of(path.read_bytes()) == "file_too_large"


def test_a_count_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", ROWS, after=repeated(10**12, 1))
    assert code_of(path.read_bytes()) == "file_damaged"
