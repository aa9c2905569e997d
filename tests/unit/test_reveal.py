"""One field, shown to a third party: from a whole receipt, offline, and checked elsewhere."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sample_log import KEYS, VALUES, gifts
from typer.testing import CliRunner, Result

from ledger import cli
from ledger.commands.verifying import plain_lines
from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.receipt import build_receipt, parse_receipt
from ledger.tlog.note import format_verifier_key
from ledger.verify import verify_receipt

KEY = format_verifier_key(KEYS[0])


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    """A donor's whole receipt."""
    path = tmp_path / "gift.tlog-proof"
    path.write_bytes(gifts(9).receipt(4))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.build(), [str(one) for one in words])


def open_as_sd_jwt(text: str) -> tuple[Any, dict[str, Any]]:
    """The entry and what is revealed of it, with nothing of ours (RFC 9901, section 4.2)."""
    extra = json.loads(b64decode(text.splitlines()[1].removeprefix("extra ")))
    entry = json.loads(b64decode(extra["entry"]))
    revealed: dict[str, Any] = {}
    for disclosure in extra["disclosures"]:
        digest = hashlib.sha256(disclosure.encode("ascii")).digest()
        padded = disclosure + "=" * (-len(disclosure) % 4)
        _, name, value = json.loads(urlsafe_b64decode(padded))
        assert entry["sealed"][name] == urlsafe_b64encode(digest).decode().rstrip("=")
        revealed[name] = value
    return entry, revealed


def test_only_the_named_field_is_open(receipt: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown.tlog-proof"
    assert run("reveal", receipt, "--field", "donor_name", "-o", shown).exit_code == 0
    told = run("verify", shown, "--key", KEY, "--lang", "en")
    assert told.exit_code == 0
    assert f"donor_name: {VALUES['donor_name']}" in told.stdout
    verified = verify_receipt(shown.read_bytes(), KEYS)
    assert verified.values == {"donor_name": VALUES["donor_name"]}
    assert set(verified.hidden) == set(VALUES) - {"donor_name"}
    # Neither the seed nor another value is in the file, in any form.
    whole = parse_receipt(receipt.read_bytes()).opening
    assert parse_receipt(shown.read_bytes()).opening.seed is None
    extra = b64decode(shown.read_text().splitlines()[1].removeprefix("extra "))
    assert whole.seed is not None
    assert urlsafe_b64encode(whole.seed).rstrip(b"=") not in extra
    assert VALUES["contact"].encode() not in extra
    entry, revealed = open_as_sd_jwt(shown.read_text())
    assert revealed == {"donor_name": VALUES["donor_name"]}
    assert entry["index"] == 4


def test_a_part_of_what_was_revealed_can_be_shown_on(receipt: Path) -> None:
    two = run("reveal", receipt, "--field", "donor_name", "--field", "contact").stdout
    assert set(open_as_sd_jwt(two)[1]) == {"donor_name", "contact"}
    receipt.write_text(two)
    one = run("reveal", receipt, "--field", "contact").stdout
    assert open_as_sd_jwt(one)[1] == {"contact": VALUES["contact"]}
    refused = run("reveal", receipt, "--field", "order_number")
    assert isinstance(refused.exception, NotFoundError)
    assert "it has contact, donor_name" in str(refused.exception)


def test_what_cannot_be_revealed(receipt: Path) -> None:
    for words in (["--field", "amount"], ["--field", ""]):
        assert isinstance(run("reveal", receipt, *words).exception, NotFoundError)
    assert run("reveal", receipt).exit_code == 2
    bare = gifts(9).receipt(4, "none")
    receipt.write_bytes(bare)
    assert isinstance(run("reveal", receipt, "--field", "contact").exception, NotFoundError)
    receipt.write_bytes(b"no receipt")
    assert isinstance(run("reveal", receipt, "--field", "contact").exception, MalformedError)


def test_a_value_that_was_changed_is_not_passed_on(receipt: Path) -> None:
    whole = parse_receipt(receipt.read_bytes())
    values = {**VALUES, "donor_name": "另一个人"}
    changed = replace(whole, opening=replace(whole.opening, values=values))
    receipt.write_bytes(build_receipt(changed))
    refused = run("reveal", receipt, "--field", "donor_name")
    assert isinstance(refused.exception, VerificationError)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("行1\n  Witnessed: 3 of 3", "行1\n    |   Witnessed: 3 of 3"),
        ("a\x1b[2Jb\r\u202ec", "a\\x1b[2Jb\\r\\u202ec"),
        ("\U00020bb7 \U0001f468\u200d\U0001f469", "\U00020bb7 \U0001f468\u200d\U0001f469"),
        ({"b": [1, "é"]}, '{"b": [1, "é"]}'),
    ],
)
def test_a_revealed_value_cannot_pass_for_the_verdict(value: object, shown: str) -> None:
    assert plain_lines(value) == shown
