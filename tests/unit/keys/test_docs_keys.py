"""The examples of docs/keys.md work as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from log_keys import key_text, private_key, put_key

from ledger.keys.external import SECONDS_MAX, ExternalSigner, parse_descriptor
from ledger.tlog.checkpoint import format_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "keys.md").read_text(encoding="utf-8")
NAME = "ledger.example.org/main"


def block(language: str) -> str:
    """The page's only block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_page_s_signer_signs_behind_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "signer.py").write_text(block("python"))
    key = put_key(1, tmp_path / "key.pem")
    command = f'["{sys.executable}", "{tmp_path / "signer.py"}", "{key}"]'
    text = re.sub(r"command = .*", f"command = {command}", block("toml"))
    # Whoever starts it for the first time on a busy machine waits.
    text = re.sub(r"seconds_max = .*", f"seconds_max = {SECONDS_MAX}", text)
    text = re.sub(r'verifier_key = ".*"', f'verifier_key = "{key_text(1, NAME)}"', text)
    signer = ExternalSigner(parse_descriptor(text.encode(), "the page"))
    try:
        note = format_checkpoint(NAME, 3, EMPTY_ROOT)
        assert signer.sign(note) == private_key(1).sign(note)
    finally:
        signer.close()
