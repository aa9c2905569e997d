"""The report: its form is fixed, it can be signed, and printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from scribe import audited, open_copy
from served import write_served
from typer.testing import CliRunner

from ledger.audit.report import Finding, Report
from ledger.audit.signed_report import open_report, read_signer, sign_report
from ledger.book import Book
from ledger.cli import build
from ledger.commands.audit_page import report_page
from ledger.entry import format_canonical, parse_canonical
from ledger.errors import (
    MalformedError,
    NotAllowedError,
    NotFoundError,
    PendingError,
    UnknownSignerError,
    VerificationError,
)
from ledger.keys.access import KeyAccess
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import Ed25519Signer, format_verifier_key, sign_note

SIGNER = Ed25519Signer("auditor.example/li", Ed25519PrivateKey.from_private_bytes(b"\5" * 32))
OTHER = Ed25519Signer("auditor.example/wu", Ed25519PrivateKey.from_private_bytes(b"\6" * 32))


@pytest.fixture(scope="module")
def report(long_book: Book) -> Report:
    """The report of the long log."""
    return audited(long_book)


def shape(value: Any) -> Any:
    """The form of a JSON value; a list has the form of its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


FORM: dict[str, Any] = {
    "format": "str",
    "clean": "bool",
    "origin": "str",
    "over": "str",
    "size": "int",
    "root": "str",
    "checkpoint": "str",
    "findings": [],
    "truncated": "bool",
    "checked": dict.fromkeys(
        (
            "account",
            "anchors",
            "asset",
            "checkpoints",
            "cosignature",
            "entries",
            "entry_kind",
            "entry_reference",
            "flows",
            "holding",
            "idempotency",
            "movement",
            "order_number",
            "pool",
            "proposal",
            "rules",
            "state_object",
            "tiles",
            "vault",
            "witness",
        ),
        "int",
    ),
    "not_checked": [],
    "witnesses": [{"last_size": "int", "time": "int", "verifier_key": "str"}],
    "kinds": [{"kind": "str", "entries": "int"}],
    "sums": {
        **{
            name: [{"name": "str", "opening": "int", "in": "int", "out": "int", "held": "int"}]
            for name in ("funds", "items", "minutes")
        },
        "rules": [
            {
                "name": "str",
                "issued": "int",
                "redeemed": "int",
                "expired": "int",
                "taken_back": "int",
                "outstanding": "int",
            }
        ],
    },
    "second_opinion": "str",
    "started_at": "str",
    "finished_at": "str",
    "speed": dict.fromkeys(
        (
            "jobs",
            "entries",
            "milliseconds",
            "entries_per_second",
            "cpu_milliseconds",
            "entry_bytes",
            "sha256_milliseconds",
            "wall_ratio_ppm",
            "cpu_ratio_ppm",
            "peak_memory_bytes",
        ),
        "int",
    ),
    "versions": {"shanji": "str", "python": "str", "sqlite": "str", "merkletools": "str"},
    "machine": {"system": "str", "architecture": "str", "cores": "int"},
    "entries_per_second": "int",
}


def test_the_form_is_fixed(report: Report) -> None:
    assert shape(report.as_json()) == FORM
    assert parse_canonical(format_canonical(report.as_json())) == report.as_json()


def test_the_kinds_add_up(report: Report) -> None:
    assert sum(one["entries"] for one in report.as_json()["kinds"]) == report.size


def broken(report: Report) -> Report:
    """A report with a finding of text that comes from a damaged log."""
    finding = Finding("chain", "entry 7", 7, "e\u0301 <script> \ud800", ["one\ntwo\n"])
    return replace(report, findings=(finding,), second_opinion=None)


def test_a_signed_report_opens(report: Report) -> None:
    for one in (report, broken(report)):
        note = sign_report(one, [SIGNER])
        assert open_report(note, [OTHER.verifier_key, SIGNER.verifier_key]) == one.as_json()
        assert note.count(b"\n") == 3


def test_an_altered_report_does_not(report: Report) -> None:
    note = sign_report(report, [SIGNER])
    with pytest.raises(VerificationError):
        open_report(note.replace(b'"clean":true', b'"clean":tru3'), [SIGNER.verifier_key])
    with pytest.raises(UnknownSignerError):
        open_report(note, [OTHER.verifier_key])
    with pytest.raises(MalformedError):
        open_report(note[:100], [SIGNER.verifier_key])


@pytest.mark.parametrize("text", [b"{}\n", b"[]\n", b"shanji.example/test\n3\nAAAA\n", b"1 \n"])
def test_a_signed_text_that_is_no_report(text: bytes) -> None:
    with pytest.raises(MalformedError):
        open_report(sign_note(text, [SIGNER]), [SIGNER.verifier_key])


def test_the_page_stands_alone(report: Report) -> None:
    page = report_page(broken(report).as_json(), SIGNER.name)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert page.count("<html") == page.count("</html>") == 1
    for text in ("审计报告", "Audit report", "不一致", SIGNER.name, report.root, "期初", "opening"):
        assert text in page
    assert "通过" in report_page(report.as_json())


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The signer's key as a file."""
    file = tmp_path / "auditor.pem"
    key = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def test_a_key_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_signer(tmp_path / "none", "auditor", KeyAccess())
    (tmp_path / "text").write_text("no key")
    with pytest.raises(MalformedError):
        read_signer(tmp_path / "text", "auditor", KeyAccess())


def test_an_encrypted_key_signs_with_its_passphrase(key_file: Path, tmp_path: Path) -> None:
    key = load_pem_private_key(key_file.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption("口令".encode())
        )
    )
    (tmp_path / "passphrase").write_text("口令\n", "utf-8")
    opened = read_signer(locked, "auditor", KeyAccess(passphrase_file=tmp_path / "passphrase"))
    assert opened.verifier_key == read_signer(key_file, "auditor", KeyAccess()).verifier_key
    with pytest.raises(NotAllowedError, match="passphrase"):
        read_signer(locked, "auditor", KeyAccess())


# The commands


@pytest.fixture
def copy(long_template: Path, tmp_path: Path) -> Iterator[Book]:
    """A copy of the long log."""
    book = open_copy(long_template, tmp_path / "copy")
    yield book
    book.close()


def run(*arguments: object) -> Any:
    """Run ``shanji``."""
    return CliRunner().invoke(build(), [str(one) for one in arguments])


def test_the_command_writes_a_signed_report_and_a_page(
    copy: Book, tmp_path: Path, key_file: Path
) -> None:
    folder = write_served(copy, tmp_path / "served")
    signed, page = tmp_path / "report", tmp_path / "page.html"
    done = run(
        "audit", folder, "--report", signed, "--page", page, "--sign", key_file,
        "--sign-as", SIGNER.name, "--state", tmp_path / "state", "--lang", "en",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Verified: all 300 entries" in done.stdout
    assert SIGNER.name in page.read_text("utf-8")
    key = format_verifier_key(SIGNER.verifier_key)
    assert key in done.stderr
    opened = run("audit-report", "verify", signed, "--key", key, "--lang", "en")
    assert opened.exit_code == 0, opened.output
    assert "The signature holds" in opened.stdout
    assert json.loads(run("audit-report", "verify", signed, "--key", key, "--json").stdout)["clean"]
    signed.write_bytes(signed.read_bytes().replace(b"300", b"301", 1))
    altered = run("audit-report", "verify", signed, "--key", key)
    assert isinstance(altered.exception, VerificationError)
    again = run("audit", folder, "--state", tmp_path / "state", "--lang", "en")
    assert "0 new entries go on from the 300" in again.stdout


def test_the_command_takes_a_data_folder_by_name(copy: Book, tmp_path: Path) -> None:
    value = json.loads(run("audit", copy.folder, "--json").stdout)
    assert value["over"] == "database"
    value = json.loads(run("audit", copy.folder, "--hashes", "--json").stdout)
    assert value["over"] == "public"
    plain = tmp_path / "plain.json"
    assert run("audit", copy.folder, "--report", plain, "--lang", "zh").exit_code == 0
    assert json.loads(plain.read_bytes())["format"] == "shanji-audit/v1"


def test_the_command_tells_what_is_missing(tmp_path: Path, key_file: Path) -> None:
    assert run("audit", tmp_path, "--sign", key_file).exit_code == 2
    assert isinstance(run("audit", tmp_path).exception, NotFoundError)


def test_too_few_witnesses_are_pending_over_a_database_too(copy: Book, tmp_path: Path) -> None:
    policy, report = tmp_path / "policy", tmp_path / "report.json"
    logs = "".join(f"log {format_verifier_key(one)}\n" for one in copy.verifier_keys)
    private_key = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    unseen = CosignatureSigner("w.example", private_key, lambda: 0)
    witness = f"witness w {format_verifier_key(unseen.verifier_key)}\n"
    policy.write_text(f"{logs}{witness}quorum w\n", encoding="utf-8")
    outcome = run("audit", copy.folder, "--policy", policy, "--report", report)
    assert isinstance(outcome.exception, PendingError)
    assert not report.exists()
    policy.write_text(f"{logs}{witness}quorum none\n", encoding="utf-8")
    assert run("audit", copy.folder, "--policy", policy).exit_code == 0
