"""Export: everything is in it, safely, in both formats, and leads back to the root."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scribe import Scribe, whole_log
from typer.testing import CliRunner

from api.pages.texts import catalogue
from ledger.audit.export import exporting, writing
from ledger.audit.export.checking import check_export
from ledger.audit.export.exporting import export, read_manifest
from ledger.audit.export.tables import all_tables, kind_table
from ledger.audit.export.words import FIELD_WORDS
from ledger.audit.export.writing import plain_text, safe_text
from ledger.book import Book
from ledger.cli import build
from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    NotFoundError,
    UndecidedError,
    VerificationError,
)
from ledger.records.catalog import KINDS
from ledger.tlog.note import format_verifier_key

READ: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "boolean": lambda cell: cell == "true",
    "text": str,
    "json": json.loads,
}
"""A cell's value again, as any other program would make it."""
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def exported(long_book: Book, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with rows of every kind, exported in both formats."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    export(long_book.store, folder, formats=["csv", "parquet"], now=NOW)
    return folder


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    """A CSV table as any other program reads it."""
    with (folder / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_is_left_out(long_book: Book, exported: Path) -> None:
    log = whole_log(long_book)
    kinds = Counter(entry.kind for entry in log)
    assert len(rows(exported, "entries")) == len(log)
    for kind in KINDS:
        assert len(rows(exported, f"kind-{kind.name}")) == kinds[kind.name]
    moved: Counter[str] = Counter()
    for row in rows(exported, "movements"):
        moved[row["asset"]] += int(row["length"])
    posted: Counter[str] = Counter()
    for entry in log:
        for posting in entry.postings:
            posted[posting["asset"]] += posting["amount"]
    assert moved == posted
    manifest = read_manifest(exported)
    by_name = {table["name"]: table for table in manifest["tables"]}
    assert by_name["movements"]["sums"] == {"length": dict(posted)}
    gifts = [entry.fields["amount_fen"] for entry in log if entry.kind == "donation.money"]
    assert by_name["kind-donation.money"]["sums"] == {"fields.amount_fen": sum(gifts)}
    with long_book.store.read() as reader:
        for table in ("account", "holding", "checkpoint", "cosignature", "anchor"):
            assert by_name[f"{table}s"]["rows"] == reader.count(table)
    held = {(row["asset"], row["name"]): int(row["held"]) for row in rows(exported, "accounts")}
    for row in rows(exported, "holdings"):
        held[row["asset"], row["account"]] -= int(row["length"])
    assert set(held.values()) == {0}


def test_every_field_of_every_entry_comes_back(long_book: Book, exported: Path) -> None:
    tables = {table.name: table for table in all_tables()}
    cells = {
        (kind.name, int(row["entry"])): row
        for kind in KINDS
        for row in rows(exported, f"kind-{kind.name}")
    }
    for entry in whole_log(long_book):
        row = cells.pop((entry.kind, entry.index))
        found: dict[str, Any] = {}
        for column in tables[f"kind-{entry.kind}"].columns[1:]:
            cell = row[column.name]
            if cell:
                text = plain_text(cell)
                found[column.name.removeprefix("fields.")] = READ[column.type](text)
        assert found == dict(entry.fields)


def test_both_formats_say_the_same(exported: Path) -> None:
    for table in all_tables():
        data = pq.read_table(exported / f"{table.name}.parquet").to_pylist()
        texts = rows(exported, table.name)
        assert len(data) == len(texts)
        for left, right in zip(data, texts, strict=True):
            for column in table.columns:
                value = left[column.name]
                cell = plain_text(right[column.name])
                if column.type == "boolean" and value is not None:
                    value = "true" if value else "false"
                assert ("" if value is None else str(value)) == cell


def test_files_are_those_of_the_manifest(long_book: Book, exported: Path) -> None:
    manifest = read_manifest(exported)
    named = {"manifest.json", "dictionary.json", "dictionary.md"}
    for table in manifest["tables"]:
        for file in table["files"]:
            data = (exported / file["name"]).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
            named.add(file["name"])
            if file["name"].endswith(".csv"):
                assert data.startswith(b"\xef\xbb\xbf")
    assert {path.name for path in exported.iterdir()} == named
    assert manifest["made_at"] == "2026-01-02T03:04:05Z"
    assert manifest["checkpoint"].startswith(long_book.head().checkpoint.decode())
    assert check_export(exported, long_book.verifier_keys).size == long_book.head().size


def test_the_dictionary_names_every_column(exported: Path) -> None:
    dictionary = json.loads((exported / "dictionary.json").read_text("utf-8"))
    page = (exported / "dictionary.md").read_text("utf-8")
    for table in dictionary:
        text = (exported / f"{table['table']}.csv").read_text("utf-8-sig")
        header = next(csv.reader(text.splitlines()))
        assert header == [column["name"] for column in table["columns"]]
        assert table["row_zh"]
        assert table["row_en"]
        assert f"## {table['table']}\n" in page
        for column in table["columns"]:
            assert f"`{column['name']}`" in page
            assert column["en"]
            if column["name"].startswith("fields."):
                name = column["name"].removeprefix("fields.")
                assert column["zh"] == FIELD_WORDS[name] == catalogue()[f"field.{name}"]["zh"]


@given(st.text())
def test_a_guarded_cell_comes_back(text: str) -> None:
    assert plain_text(safe_text(text)) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "0012", "12e5", "\uff1d1"]
)
def test_what_a_spreadsheet_would_run_or_shorten_is_guarded(text: str) -> None:
    assert safe_text(text) == "'" + text


def test_no_cell_begins_a_formula(world: Scribe, tmp_path: Path) -> None:
    fields = {"fund": "general", "channel": "bank", "amount_fen": 7}
    world.tell("donation.money", fields)
    name = '=HYPERLINK("x")'
    world.tell("party.registered", {"code": "p-1", "party_class": "supplier", "name": name})
    export(world.book.store, tmp_path / "out", formats=["csv"], now=NOW)
    found = rows(tmp_path / "out", "kind-party.registered")
    assert ["'" + name] == [row["fields.name"] for row in found if row["fields.code"] == "p-1"]
    for table in all_tables():
        typed = {column.name: column.type for column in table.columns}
        for row in rows(tmp_path / "out", table.name):
            for column, cell in row.items():
                if typed[column] != "integer":
                    assert not cell.startswith(("=", "+", "-", "@"))


def test_no_personal_field_goes_out(world: Scribe, tmp_path: Path) -> None:
    canary = "密封金丝雀-9137"
    fields = {"fund": "general", "channel": "bank", "amount_fen": 7}
    world.tell("donation.money", fields, {"donor_name": canary, "message": canary})
    export(world.book.store, tmp_path / "out", formats=["csv", "parquet"], now=NOW)
    for path in (tmp_path / "out").iterdir():
        if path.suffix == ".parquet":
            assert canary not in str(pq.read_table(path).to_pylist())
        else:
            assert canary.encode() not in path.read_bytes()


def test_a_changed_file_is_found(world: Scribe, tmp_path: Path) -> None:
    out, book = tmp_path / "out", world.book
    export(book.store, out, formats=["csv"], now=NOW)
    for name in ("accounts.csv", "entries.csv"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[:-9] + whole[-8:])
        with pytest.raises(VerificationError) as caught:
            check_export(out, book.verifier_keys)
        assert caught.value.code == "export_file"
        (out / name).unlink()
        with pytest.raises(VerificationError):
            check_export(out, book.verifier_keys)
        (out / name).write_bytes(whole)
    check_export(out, book.verifier_keys)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_of_other_entries_does_not_verify(
    world: Scribe, tmp_path: Path, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who changes an entry and makes the manifest fit is found by the root."""
    real = writing.TableFiles.add

    def changed(self: writing.TableFiles, row: Any) -> None:
        if self.table.name == "entries" and row[0] == 5:
            row = (*row[:-1], row[-1].replace('"version":1', '"version":2'))
        real(self, row)

    monkeypatch.setattr(writing.TableFiles, "add", changed)
    export(world.book.store, tmp_path / "out", formats=[form], now=NOW)
    with pytest.raises(VerificationError) as caught:
        check_export(tmp_path / "out", world.book.verifier_keys)
    assert caught.value.code == "export_root"


def test_another_key_cannot_decide(world: Scribe, tmp_path: Path) -> None:
    export(world.book.store, tmp_path / "out", formats=["csv"], now=NOW)
    other = Book.create(tmp_path / "other", origin="other.example/log", organisation="示例")
    other.close()
    with pytest.raises(UndecidedError):
        check_export(tmp_path / "out", other.verifier_keys)


def test_a_folder_is_not_overwritten(world: Scribe, tmp_path: Path) -> None:
    store, out = world.book.store, tmp_path / "out"
    export(store, out, formats=["csv"], now=NOW)
    with pytest.raises(ConflictError, match="an export"):
        export(store, out, formats=["csv"], now=NOW)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ConflictError, match="other files"):
        export(store, tmp_path / "mine", formats=["csv"], now=NOW)
    with pytest.raises(NotFoundError):
        read_manifest(tmp_path / "mine")
    (out / "manifest.json").write_text('{"format": "other/1"}')
    with pytest.raises(CorruptionError, match="other/1"):
        read_manifest(out)


def test_an_interrupted_export_is_no_export_and_is_done_again(
    world: Scribe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, out = world.book.store, tmp_path / "out"

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FatalError, match="No space left"):
            export(store, out, formats=["csv", "parquet"], now=NOW)
    with pytest.raises(NotFoundError, match="interrupted"):
        read_manifest(out)
    export(store, out, formats=["csv"], now=NOW)
    check_export(out, world.book.verifier_keys)
    assert not (out / exporting.PART).exists()
    assert not list(out.glob("*.parquet"))


def test_many_rows_go_out_in_groups(
    long_book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROWS_TOGETHER", 7)
    export(long_book.store, tmp_path / "out", formats=["csv", "parquet"], now=NOW)
    assert pq.ParquetFile(tmp_path / "out" / "entries.parquet").num_row_groups == 43
    check_export(tmp_path / "out", long_book.verifier_keys)


def test_types_follow_the_models() -> None:
    typed = {
        (kind.name, column.name.removeprefix("fields.")): column.type
        for kind in KINDS
        for column in kind_table(kind).columns[1:]
    }
    assert typed["donation.money", "amount_fen"] == "integer"
    assert typed["donation.money", "project"] == "text"
    assert typed["item.registered", "packs"] == "json"
    assert typed["item.registered", "perishable"] == "boolean"


def test_the_commands(world: Scribe, tmp_path: Path) -> None:
    folder, key = world.book.folder, format_verifier_key(world.book.verifier_keys[0])
    world.book.close()
    run, app, out = CliRunner(), build(), str(tmp_path / "out")
    done = run.invoke(app, ["export", out, "--data", str(folder), "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert "Exported:" in done.stdout
    done = run.invoke(app, ["export-check", out, "--key", key, "--lang", "zh"])
    assert done.exit_code == 0
    assert done.stdout.startswith("通过")
    done = run.invoke(app, ["export-check", out, "--key", key, "--json"])
    assert json.loads(done.stdout)["verdict"] == "verified"
