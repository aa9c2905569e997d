"""A mirror's folder behind any static file server does what the log's own address does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import foreign_reader
import pytest
from dishonest import files_of
from scribe import Scribe, make_book
from service import Service, free_port

from ledger.book import Book
from ledger.cli import main
from ledger.tlog.note import format_verifier_key

READY_SECONDS_MAX = 120
GIFTS = 300

Shanji = Callable[..., str]


@pytest.fixture
def shanji(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shanji:
    """Run a command, in English; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["shanji", *map(str, arguments), "--lang", "en"])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert not end.value.code, said
        return said.out

    return run


class StaticSite:
    """``python -m http.server`` over a folder."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*command, "--directory", str(folder)],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/checkpoint", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the static site did not start")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(READY_SECONDS_MAX)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = make_book(tmp_path / "data")
    scribe = Scribe(made)
    fund = {"code": "general", "name": "示例", "fund_class": "unrestricted"}
    scribe.record("fund.opened", fund)
    scribe.submit([scribe.gift(100) for _ in range(GIFTS)])
    yield made
    made.close()


def test_the_same_commands_work_on_a_static_mirror(
    book: Book, shanji: Shanji, tmp_path: Path
) -> None:
    key = format_verifier_key(book.verifier_keys[0])
    size = book.head().size
    old = tmp_path / "old"
    old.write_bytes(book.checkpoint())
    receipt = tmp_path / "gift.tlog-proof"
    receipt.write_bytes(book.receipt(17))
    # The service, the database and the mirror give the same copy.
    shanji("mirror", tmp_path / "data", "from-database", "--key", key)
    service = Service(tmp_path / "data")
    try:
        service.wait_ready()
        done = json.loads(shanji("mirror", service.url, "m", "--key", key, "--json"))
        assert (done["state"], done["size"]) == ("copied", size)
        assert files_of(tmp_path / "m") == files_of(tmp_path / "from-database")
        site = StaticSite(tmp_path / "m")
        try:
            Scribe(book).record("donation.money", GIFT)
            # The log has grown, and the mirror follows; the folder is served all the while.
            shanji("monitor", service.url, site.url, "--state", "s", "--key", key, "--once")
            shanji("mirror", service.url, "m", "--key", key)
            check_site(site.url, shanji, key, old, receipt, tmp_path)
        finally:
            site.close()
        again = json.loads(shanji("mirror", service.url, "n", "--key", key, "--json"))
        assert again["size"] == size + 1
        monitor = ("monitor", service.url, "m", "n", "--state", "s", "--key", key, "--once")
        seen = json.loads(shanji(*monitor, "--json"))
        assert (seen["size"], seen["alarms"]) == (size + 1, [])
    finally:
        service.stop()


GIFT = {"fund": "general", "channel": "bank", "amount_fen": 100}


def check_site(url: str, shanji: Shanji, key: str, old: Path, receipt: Path, folder: Path) -> None:
    """Growth, a receipt's place, a mirror of the mirror, and somebody else's client."""
    new = folder / "new"
    new.write_bytes(foreign_reader.fetch(f"{url}/checkpoint"))
    for where in (url, "m"):
        assert "Verified" in shanji("verify-growth", old, new, "--key", key, "--log", where)
        assert "Verified" in shanji("verify-growth", receipt, new, "--key", key, "--log", where)
    assert "Verified" in shanji("verify", receipt, "--key", key)
    shanji("mirror", url, "mm", "--key", key)
    copy, original = files_of(folder / "mm"), files_of(folder / "m")
    # The mirror also keeps what it saw before: an older checkpoint, and its partial tiles.
    assert copy.items() <= original.items()
    assert {path for path in original if path not in copy} == {
        f"checkpoints/{GIFTS + 2}",
        f"tile/0/001.p/{GIFTS + 2 - 256}",
        f"tile/entries/001.p/{GIFTS + 2 - 256}",
    }
    size, _, entries = foreign_reader.snapshot_log(url, key)
    assert size == len(entries) == GIFTS + 3
    proof = receipt.read_bytes()
    assert foreign_reader.verify_receipt(proof, key) == entries[17]


def test_an_older_growth_works_when_partial_tiles_are_gone(
    book: Book, shanji: Shanji, tmp_path: Path
) -> None:
    key = format_verifier_key(book.verifier_keys[0])
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(book.checkpoint())
        scribe = Scribe(book)
        scribe.submit([scribe.gift(100) for _ in range(5)])
    scribe.submit([scribe.gift(100) for _ in range(GIFTS)])
    shanji("mirror", tmp_path / "data", "m", "--key", key)
    site = StaticSite(tmp_path / "m")
    try:
        for where in (site.url, "m"):
            growth = ("verify-growth", "first", "second", "--key", key, "--log", where)
            assert "Verified" in shanji(*growth)
    finally:
        site.close()
