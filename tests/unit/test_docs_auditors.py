"""docs/auditors.md, its command lines run as written, over a log's public data.

The witness's, the log's and the monitor's servers are tested elsewhere; here the commands have
a data folder in the place of the log's address.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from scribe import FIRST_GIFT, open_copy
from typer.testing import CliRunner

from ledger import cli
from ledger.tlog.note import Ed25519Signer, format_verifier_key

DOCS = Path(__file__).resolve().parents[2] / "docs"
ENGLISH = (DOCS / "auditors.md").read_text("utf-8")
CHINESE = (DOCS / "auditors.zh.md").read_text("utf-8")
FENCE = re.compile(r"^```sh ([\w-]+)\n(.*?)\n```$", re.M | re.S)
BLOCKS: dict[str, str] = dict(FENCE.findall(ENGLISH))
HEADINGS = re.compile(r"^(#+) ", re.M)

UNDECIDED = 3
"""What ``shanji evidence`` says of two honest checkpoints of different sizes."""


def run(line: str, code: int = 0) -> str:
    words = shlex.split(line)
    assert words[0] == "shanji"
    result = CliRunner().invoke(cli.build(), [*words[1:], "--lang", "en"])
    assert result.exit_code == code, (line, result.output, result.exception)
    return result.stdout


def test_both_pages_have_the_same_commands_and_rows() -> None:
    assert FENCE.findall(CHINESE) == FENCE.findall(ENGLISH)
    assert HEADINGS.findall(CHINESE) == HEADINGS.findall(ENGLISH)
    assert CHINESE.count("\n| ") == ENGLISH.count("\n| ")
    assert list(BLOCKS) == ["witness", "mirror", "audit", "export", "receipt", "evidence"]


def test_every_block_does_what_the_page_says(
    world_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = open_copy(world_template, tmp_path / "data")
    log_key = format_verifier_key(book.verifier_keys[0])
    (tmp_path / "gift.tlog-proof").write_bytes(book.receipt(FIRST_GIFT, reveal="none"))
    book.close()
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "auditor.pem").write_bytes(pem)
    auditor_key = format_verifier_key(Ed25519Signer("auditor.example/li", private).verifier_key)
    monkeypatch.chdir(tmp_path)
    run("shanji keys policy -o log.policy --data data")
    make_key, serve, *_ = BLOCKS["witness"].splitlines()
    assert "witness.example.org/w1+" in run(make_key.partition(" > ")[0])
    options = CliRunner().invoke(cli.build(), ["witness", "serve", "--help"]).stdout
    assert all(word in options for word in shlex.split(serve) if word.startswith("--"))
    for name in ("mirror", "audit", "export", "receipt"):
        for line in BLOCKS[name].splitlines():
            said = line.replace("LOG_VKEY", log_key).replace("AUDITOR_VKEY", auditor_key)
            # The log's own folder in the place of its address.
            run(said.replace("LOG mirror", "data mirror"))
    run(BLOCKS["evidence"], UNDECIDED)
    assert Path("report.html").exists()
    assert Path("sample.csv").exists()
