"""The sample: what is drawn is what another program draws, and nobody can steer it."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from served import write_served
from typer.testing import CliRunner

from ledger.audit.public import open_signed
from ledger.audit.sample import SAMPLE_MAX, Sample, Wanted, draw, verified_entries
from ledger.audit.source import FolderSource
from ledger.book import Book
from ledger.cli import build
from ledger.errors import MalformedError, PendingError, VerificationError
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import format_verifier_key


@pytest.fixture(scope="module")
def served(long_book: Book, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The long log's files."""
    return write_served(long_book, tmp_path_factory.mktemp("served"))


def drawn(folder: Path, seed: str, count: int, strata: int = 1, **wanted: Any) -> Sample:
    """A sample of a folder."""
    source = FolderSource(folder)
    checkpoint = open_signed(source, ()).checkpoint
    return draw(
        lambda: verified_entries(source, checkpoint),
        checkpoint,
        seed=seed,
        count=count,
        wanted=Wanted(**wanted),
        strata=strata,
    )


def other_program(folder: Path, seed: str, count: int, kind: str | None, strata: int) -> list[int]:
    """The same from the files alone, by nothing of ours (docs/formats.md, "Sample")."""
    lines = (folder / "checkpoint").read_text("utf-8").split("\n")
    size, root = int(lines[1]), base64.b64decode(lines[2]).hex()
    entries = []
    for name in ("tile/entries/000", "tile/entries/001.p/44"):
        data = (folder / name).read_bytes()
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(json.loads(data[2 : 2 + length]))
            data = data[2 + length :]
    assert len(entries) == size

    def key(index: int) -> bytes:
        message = f"shanji/v1/sample/{root}/{index}".encode()
        return hmac.new(seed.encode(), message, hashlib.sha256).digest()

    rows = [
        (-max([one["amount"] for one in entry["postings"]] + [0]), entry["index"])
        for entry in entries
        if kind is None or entry["kind"] == kind
    ]
    rows.sort()
    total = len(rows)
    found: list[int] = []
    for number in range(strata):
        some = total // strata + (1 if number < total % strata else 0)
        share = count // strata + (1 if number < count % strata else 0)
        part, rows = rows[:some], rows[some:]
        found += sorted((index for _, index in part), key=key)[:share]
    return sorted(found)


@pytest.mark.parametrize(
    ("seed", "count", "kind"),
    [("2021", 10, None), ("2021", 299, None), ("种子", 7, "donation.money"), ("x", 500, None)],
)
def test_another_program_draws_the_same(
    served: Path, seed: str, count: int, kind: str | None
) -> None:
    sample = drawn(served, seed, count, kind=kind)
    assert [one.index for one in sample.drawn] == other_program(served, seed, count, kind, 1)
    assert len(sample.drawn) == min(count, sample.population)


def test_another_seed_draws_others(served: Path) -> None:
    one, other = drawn(served, "a", 20), drawn(served, "b", 20)
    assert one.drawn != other.drawn
    assert one == drawn(served, "a", 20)


def test_a_smaller_sample_is_a_part_of_a_larger_one(served: Path) -> None:
    small, large = drawn(served, "a", 5), drawn(served, "a", 50)
    assert set(small.drawn) < set(large.drawn)


def test_every_entry_can_be_drawn(served: Path) -> None:
    whole = drawn(served, "a", SAMPLE_MAX)
    assert [one.index for one in whole.drawn] == list(range(300))


def test_only_what_is_wanted(served: Path, long_book: Book) -> None:
    sample = drawn(served, "a", 300, kind="donation.money", fund="general", amount_min=350)
    indices = []
    for index in range(300):
        entry = long_book.entry(index)[1]
        if entry.kind == "donation.money" and entry.fields["fund"] == "general":
            indices += [index] if entry.fields["amount_fen"] >= 350 else []
    assert [one.index for one in sample.drawn] == indices
    for one in sample.drawn:
        data, entry = long_book.entry(one.index)
        assert one.leaf_hash == hashlib.sha256(b"\0" + data).hexdigest()
        assert one.documents == tuple(entry.documents)


def test_strata_draw_from_large_and_small(served: Path) -> None:
    sample = drawn(served, "a", 11, strata=4, kind="donation.money")
    assert [one.index for one in sample.drawn] == other_program(
        served, "a", 11, "donation.money", 4
    )
    amounts = sorted((one.amount for one in sample.drawn), reverse=True)
    assert amounts[0] > amounts[-1]


@pytest.mark.parametrize(
    ("seed", "count", "strata"),
    [("", 1, 1), ("x" * 201, 1, 1), ("x", 0, 1), ("x", SAMPLE_MAX + 1, 1), ("x", 3, 4)],
)
def test_what_cannot_be_drawn(served: Path, seed: str, count: int, strata: int) -> None:
    with pytest.raises(MalformedError):
        drawn(served, seed, count, strata)


def test_entries_that_were_not_signed_give_no_sample(served: Path) -> None:
    bundle = served / "tile/entries/001.p/44"
    before = bundle.read_bytes()
    try:
        bundle.write_bytes(before.replace(b'"general"', b'"genera1"', 1))
        with pytest.raises(VerificationError):
            drawn(served, "a", 5)
    finally:
        bundle.write_bytes(before)


def run(*arguments: object) -> Any:
    """Run ``shanji sample``."""
    return CliRunner().invoke(build(), ["sample", *map(str, arguments)])


def test_the_command(served: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "sample.csv", tmp_path / "sample.html"
    done = run(served, "--seed", "2021", "-n", "6", "--csv", table, "--page", page, "--lang", "en")
    assert done.exit_code == 0, done.output
    expected = [one.index for one in drawn(served, "2021", 6).drawn]
    lines = done.stdout.splitlines()
    assert "drew 6 of 300" in lines[0]
    assert [int(line.split("\t")[0]) for line in lines[2:]] == expected
    data = table.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [int(row["index"]) for row in rows] == expected
    assert all(row["agrees"] == "" for row in rows)
    text = page.read_text("utf-8")
    # Money is never taken for another unit.
    for row, line in zip(rows, lines[2:], strict=True):
        if row["asset"] == "CNY":
            assert row["unit"] == "fen"
            yuan = f"{int(row['amount']) / 100:,.2f}"
            assert line.split("\t")[2] == f"{yuan} CNY"
            assert f">{yuan}<" in text
    assert "CNY" in {row["asset"] for row in rows}
    assert "审计抽样" in text
    assert "<script" not in text
    assert text.count('class="box"') == 6
    value = json.loads(run(served, "--seed", "2021", "-n", "6", "--json").stdout)
    assert [one["index"] for one in value["drawn"]] == expected
    assert run(served, "--seed", "2021", "--lang", "zh").exit_code == 0


def test_nothing_is_drawn_from_what_too_few_witnesses_saw(
    served: Path, long_book: Book, tmp_path: Path
) -> None:
    log = "".join(f"log {format_verifier_key(key)}\n" for key in long_book.verifier_keys)
    policy = tmp_path / "log.policy"
    policy.write_text(f"{log}quorum none\n")
    args = ("--seed", "2021", "-n", "3", "--policy", policy)
    assert run(served, *args).exit_code == 0
    key = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    witness = CosignatureSigner("w9.example", key, lambda: 0).verifier_key
    policy.write_text(f"{log}witness w9 {format_verifier_key(witness)}\nquorum w9\n")
    done = run(served, *args)
    assert isinstance(done.exception, PendingError)
    assert done.stdout == ""
