"""Files from platforms, played through ``shanji import``."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from scribe import audited, open_copy
from typer.testing import CliRunner

from ledger import cli
from ledger.book import Book
from ledger.errors import MalformedError

HEADER = ("订单号", "金额", "日期", "捐赠人")
ORDER = "1000030201202001250801010{:03d}"


class Importer:
    """Runs the command over files in one data folder."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data = data
        self._folder = folder

    def book(self, *rows: Sequence[Any], header: Sequence[str] = HEADER) -> Path:
        """A workbook with these rows."""
        workbook = openpyxl.Workbook()
        for row in (header, *rows):
            workbook.active.append(list(row))
        path = self._folder / "gifts.xlsx"
        workbook.save(path)
        return path

    def run(self, file: Path, *options: str) -> tuple[int, Any, str]:
        """Exit code, the JSON, and what a person reads."""
        result = CliRunner().invoke(cli.build(), [*self.arguments(file), *options])
        return result.exit_code, json.loads(result.stdout), result.stderr

    def arguments(self, file: Path) -> list[str]:
        """What is typed to import a file into the general fund."""
        where = ["--fund", "general", "--data", str(self.data)]
        return ["import", str(file), *where, "--yes", "--json", "--lang", "en"]

    def size(self) -> int:
        """The log's size; the whole log is audited on the way."""
        book = Book.open(self.data)
        try:
            return audited(book).size
        finally:
            book.close()


@pytest.fixture
def importer(failures_template: Path, tmp_path: Path) -> Importer:
    data = tmp_path / "data"
    open_copy(failures_template, data).close()
    return Importer(data, tmp_path)


def rows(*amounts: float) -> list[tuple[str, float, str, str]]:
    return [
        (ORDER.format(number), amount, "2020-01-25", f"示例捐赠人{number}")
        for number, amount in enumerate(amounts)
    ]


class TestTheSameFileTwiceTheSameOrderWithAnotherAmount:
    """the same platform file imported twice; the same order with another amount"""

    def test_a_file_twice_adds_nothing_and_says_so(self, importer: Importer) -> None:
        file = importer.book(*rows(12.5, 20.0, 7.0))
        code, first, _ = importer.run(file)
        assert (code, first["recorded"]) == (0, 3)
        size = importer.size()
        code, again, text = importer.run(file)
        assert (code, again["recorded"], again["already_recorded"]) == (0, 0, 3)
        assert "3 recorded before" in text
        assert importer.size() == size

    def test_the_same_row_twice_in_one_file_counts_once(self, importer: Importer) -> None:
        one, two = rows(12.5, 20.0)
        code, value, text = importer.run(importer.book(one, two, one))
        assert (code, value["recorded"], value["repeats"]) == (0, 2, 1)
        assert "1 repeated in the file" in text

    def test_another_amount_under_one_order_stops_everything(self, importer: Importer) -> None:
        importer.run(importer.book(*rows(12.5)))
        size = importer.size()
        code, value, text = importer.run(importer.book(*rows(99.0, 5.0)))
        assert (code, len(value["conflicts"])) == (1, 1)
        assert value["conflicts"][0]["row"] == 2
        assert "12.50 yuan, here are 99.00" in text
        assert importer.size() == size
        one, _ = rows(1.5, 2.5)
        changed = (one[0], 2.0, *one[2:])
        code, value, _ = importer.run(importer.book(one, changed))
        assert code == 1
        assert importer.size() == size

    def test_the_api_stops_it_too(self, desk: Any) -> None:
        fields = {"fund": "general", "channel": "bank", "amount_fen": 1_000}
        first = desk.tell("donation.money", fields, {"order_number": "PLATFORM-1"})
        for amount in (1_000, 2_000):
            changed = {**fields, "amount_fen": amount}
            problem = desk.refused("donation.money", changed, {"order_number": "PLATFORM-1"})
            assert problem["code"] == "order_number_recorded"
            assert f"entry {first}" in problem["detail"]


class TestOrderNumbersTurnedIntoPowersFenTakenForYuan:
    """order numbers that a spreadsheet turned into 1.465E+27; fen taken for yuan"""

    def test_a_destroyed_order_number_stops_the_file(self, importer: Importer) -> None:
        size = importer.size()
        good, bad = rows(12.5, 20.0)
        for destroyed in (1.465e27, "1.465E+27"):
            code, value, text = importer.run(importer.book(good, (destroyed, *bad[1:])))
            assert code == 1
            (error,) = value["errors"]
            assert (error["row"], error["column"], error["code"]) == (
                3,
                "订单号",
                "order_destroyed",
            )
            assert "Row 3, 订单号:" in text
            assert "as text" in text
            assert "nothing was recorded" in text
        assert importer.size() == size

    def test_in_a_csv_file_too(self, importer: Importer, tmp_path: Path) -> None:
        size = importer.size()
        path = tmp_path / "gifts.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([HEADER, ("1.465E+27", "12.50", "2020-01-25", "示例捐赠人")])
        code, value, _ = importer.run(path)
        assert (code, value["errors"][0]["code"]) == (1, "order_destroyed")
        assert importer.size() == size

    def test_fen_that_nobody_called_fen_stop_the_file(self, importer: Importer) -> None:
        size = importer.size()
        file = importer.book(*rows(5_000, 10_000, 20_000, 100_000, 50_000))
        code, value, text = importer.run(file)
        assert code == 1
        assert {one["code"] for one in value["errors"]} == {"amount_maybe_fen"}
        assert [one["row"] for one in value["errors"]] == [2, 3, 4, 5, 6]
        assert "as fen 50.00 yuan" in text
        assert "--unit fen or --unit yuan" in text
        assert importer.size() == size
        code, value, _ = importer.run(file, "--unit", "fen")
        assert (code, value["sum_fen"]) == (0, 185_000)

    def test_a_header_that_says_fen_is_believed(self, importer: Importer) -> None:
        file = importer.book(*rows(5_000, 10_000), header=("订单号", "金额（分）", *HEADER[2:]))
        size = importer.size()
        said = CliRunner().invoke(cli.build(), [*importer.arguments(file), "--unit", "yuan"])
        assert isinstance(said.exception, MalformedError)
        assert "says fen" in said.exception.message
        assert importer.size() == size
        code, value, _ = importer.run(file)
        assert (code, value["sum_fen"]) == (0, 15_000)

    def test_an_amount_over_any_gift_is_refused_by_the_api(self, desk: Any) -> None:
        fields = {"fund": "general", "channel": "bank", "amount_fen": 10**13 + 1}
        problem = desk.refused("donation.money", fields)
        assert problem["errors"][0]["field"] == "fields.amount_fen"
