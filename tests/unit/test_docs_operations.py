"""docs/operations.md, tried as written: each shell block, in order, in one empty folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from scribe import FIRST_GIFT, Scribe, open_copy
from typer.testing import CliRunner

from api.settings import Settings
from ledger import cli
from ledger.book import Book
from ledger.tlog.note import format_verifier_key

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
BLOCKS: dict[str, str] = dict(re.findall(r"^```sh ([\w-]+)\n(.*?)\n```$", PAGE, re.M | re.S))


def run(line: str) -> str:
    """One line of the page: a copy, or a command of ours that must end well."""
    words = shlex.split(line)
    if words[0] == "cp":
        shutil.copytree(words[-2], words[-1])
        return ""
    assert words[0] == "shanji"
    result = CliRunner().invoke(cli.build(), [*words[1:], "--lang", "en"])
    assert result.exit_code == 0, (line, result.output, result.exception)
    return result.stdout


@pytest.fixture
def place(world_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the page's reader stands: a log in ``data``."""
    open_copy(world_template, tmp_path / "data").close()
    (tmp_path / "safe").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_does_what_the_page_says(place: Path) -> None:
    assert list(BLOCKS) == ["setup", "backup", "check", "restore", "resume", "serve", "publish"]
    run(BLOCKS["setup"])
    assert "The keys are not in it" in run(BLOCKS["backup"])
    book = Book.open(place / "data")
    law = "个人信息保护法第四十七条"
    Scribe(book).tell("privacy.erased", {"entries": [FIRST_GIFT], "legal_basis": law})
    book.close()
    assert f"erased later, of entries {FIRST_GIFT}" in run(BLOCKS["check"])
    (backup,) = os.listdir("backups")
    lines = BLOCKS["restore"].replace("BACKUP", backup).splitlines()
    assert "Restored into restored" in run(lines[0])
    assert "Verified" in run(lines[1])
    assert "It may be written" in run(BLOCKS["resume"])
    published, audited = BLOCKS["publish"].splitlines()
    assert "Published to tiles" in run(published)
    book = Book.open(place / "data")
    (key,) = map(format_verifier_key, book.verifier_keys)
    book.close()
    assert "Verified" in run(audited.replace("VKEY", key))
    # How the service starts is tested elsewhere; that it has such an option, here.
    options = CliRunner().invoke(cli.build(), ["serve", "--help"]).stdout
    assert shlex.split(BLOCKS["serve"])[:3] == ["shanji", "serve", "--data"]
    assert "--data" in options


def test_the_options_that_it_names_are_there() -> None:
    helped = " ".join(
        CliRunner().invoke(cli.build(), [command, "--help"], env={"COLUMNS": "200"}).stdout
        for command in ("backup", "restore", "resume", "serve", "release")
    )
    for option in sorted(set(re.findall(r"`(--[a-z-]+)", PAGE))):
        assert option in helped, option


def test_the_settings_that_it_names_have_these_defaults() -> None:
    table = PAGE.partition("## Settings\n")[2].partition("For systemd")[0]
    rows = re.findall(r"^\| (`.+?`) \| ([\d, ]+) \|", table, re.M)
    given = {
        name: int(value)
        for names, values in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(","), strict=True)
    }
    assert len(given) > 6
    assert given == {name: Settings.model_fields[name].default for name in given}
