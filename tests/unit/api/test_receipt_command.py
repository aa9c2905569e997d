"""``shanji receipt``: files from the data folder, whole, private, and the service's own bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from pdf_reader import read_pdf
from scribe import FIRST_GIFT, Scribe, make_book, tell_small_world
from typer.testing import CliRunner, Result

from api.receipts_pdf.bundle import parse_spans
from ledger.cli import build
from ledger.errors import MalformedError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receipts") / "book"
    book = make_book(folder)
    tell_small_world(Scribe(book))
    book.close()
    return folder


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(build(), ["receipt", *words, "--data", str(data), "--lang", "en"])


def test_a_folder_gets_the_pdf_and_the_proof_of_each(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "receipts"
    told = run(data, "1", f"{FIRST_GIFT}-{FIRST_GIFT + 1}", "-o", str(out))
    assert told.exit_code == 0, told.output
    assert "3 receipts made" in told.stdout
    assert "no QR code" in told.stdout
    names = sorted(one.name for one in out.iterdir())
    wanted = (1, FIRST_GIFT, FIRST_GIFT + 1)
    assert names == sorted(f"{one}.{end}" for one in wanted for end in ("pdf", "tlog-proof"))
    for one in out.iterdir():
        assert one.stat().st_mode & 0o077 == 0, "readable by its owner only"
    pdf = read_pdf((out / f"{FIRST_GIFT}.pdf").read_bytes())
    assert pdf.says("示例捐赠人")
    assert pdf.files == {
        f"{FIRST_GIFT}.tlog-proof": (out / f"{FIRST_GIFT}.tlog-proof").read_bytes()
    }


def test_a_zip_and_one_pdf_by_the_name_of_the_output(data: Path, tmp_path: Path) -> None:
    zipped, whole = tmp_path / "all.zip", tmp_path / "all.pdf"
    span = f"{FIRST_GIFT}-{FIRST_GIFT + 2}"
    url = ("--url", "https://ledger.example.org")
    told = run(data, span, "--no-open", "-o", str(zipped), "--json", *url)
    assert json.loads(told.stdout) == {"receipts": 3, "output": str(zipped), "pending": 0}
    with ZipFile(zipped) as archive:
        assert len(archive.namelist()) == 6
        pdf = read_pdf(archive.read(f"{FIRST_GIFT}.pdf"))
        assert not pdf.says("示例捐赠人")
    assert run(data, span, "-o", str(whole), *url).exit_code == 0
    pdf = read_pdf(whole.read_bytes())
    assert (pdf.pages, len(pdf.files)) == (3, 3)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all.pdf", "all.zip"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("x",), "expected an entry's index"),
        (("99999",), "99999"),
        (("1", "--url", "ftp://x"), "public_url"),
        (("0-600", "-o", "all.pdf"), "at most 200"),
    ],
)
def test_what_is_wrong_is_told(data: Path, words: tuple[str, ...], told: str) -> None:
    result = run(data, *words)
    assert result.exit_code != 0
    assert told in f"{result.output}{result.exception}"


def test_a_failure_leaves_no_half_of_a_zip(data: Path, tmp_path: Path) -> None:
    result = run(data, "1", "99999", "-o", str(tmp_path / "all.zip"))
    assert result.exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_spans_are_read_in_order_each_once() -> None:
    assert parse_spans(["5", "3-6", " #4 ", "0"], 5) == [5, 3, 4, 6, 0]
    for text in ("", "-1", "1-", "01", "1--2", "１", "1" * 17, "2-1"):
        with pytest.raises(MalformedError):
            parse_spans([text], 5)
    with pytest.raises(MalformedError):
        parse_spans([], 5)
    with pytest.raises(MalformedError) as caught:
        parse_spans(["1-3", "2-6"], 5)
    assert caught.value.code == "too_many_receipts"


def test_without_the_extra_the_command_says_what_to_install(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.receipts_pdf import typesetting

    monkeypatch.setitem(sys.modules, "typst", None)
    typesetting._typesetter.cache_clear()
    result = run(data, "1")
    typesetting._typesetter.cache_clear()
    assert "shanji[receipts]" in f"{result.output}{result.exception}"
