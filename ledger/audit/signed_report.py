"""A signed audit report: a C2SP signed note around the report's canonical JSON.

    {"checked":{...},...,"versions":{...}}
    <empty line>
    — auditor.example/name <base64 of key id and signature>

The text is one line, the report as `Report.as_json` gives it in the canonical form of
entries (docs/formats.md, "Audit report"). Whoever signs it says: this audit I ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.audit.report import FORMAT, Report
from ledger.entry import format_canonical, parse_canonical
from ledger.errors import MalformedError
from ledger.keys.access import KeyAccess
from ledger.keys.files import read_signer as read_key
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.note import Ed25519Signer, Signer, VerifierKey, open_note, sign_note

_KEYS = frozenset(
    (
        "checked",
        "checkpoint",
        "clean",
        "entries_per_second",
        "findings",
        "finished_at",
        "format",
        "kinds",
        "machine",
        "not_checked",
        "origin",
        "over",
        "root",
        "size",
        "speed",
        "started_at",
        "sums",
        "truncated",
        "versions",
    )
)
_OPTIONAL = frozenset(("relies_on", "second_opinion", "witnesses"))


def format_report(report: Report) -> bytes:
    """The report as one line of canonical JSON."""
    return format_canonical(report.as_json()) + b"\n"


def sign_report(report: Report, signers: Sequence[Signer]) -> bytes:
    """Sign a report.

    Raises:
        MalformedError: it is larger than a note may be (many findings with evidence).
    """
    return sign_note(format_report(report), signers)


def open_report(data: bytes, keys: Sequence[VerifierKey]) -> dict[str, Any]:
    """Verify a signed report.

    Args:
        data: The note.
        keys: The auditors' verifier keys.

    Returns:
        The report's values.

    Raises:
        MalformedError: not a signed report.
        VerificationError: a known key's signature fails.
        UnknownSignerError: none of the keys signed it.
    """
    note = open_note(data, [verifier_for(key) for key in keys])
    value = parse_canonical(note.text.removesuffix(b"\n"))
    if (
        not isinstance(value, dict)
        or value.get("format") != FORMAT
        or not _KEYS <= value.keys() <= _KEYS | _OPTIONAL
    ):
        raise MalformedError(f"expected a report of the format {FORMAT}, got another text")
    return value


def read_signer(path: Path, name: str, access: KeyAccess) -> Ed25519Signer:
    """An auditor's key from a file, an Ed25519 private key in PEM (PKCS #8).

    Args:
        path: As ``openssl genpkey -algorithm ed25519`` writes it, encrypted or not.
        name: The key's name, like ``auditor.example/li``.
        access: Gives the passphrase of an encrypted one.

    Raises:
        LedgerError: as in `ledger.keys.files.read_signer`.
        MalformedError: another kind of key, or not a name that a key can have.
    """
    signer = read_key(path, name, access)
    if not isinstance(signer, Ed25519Signer):
        raise MalformedError(f"{path}: expected an Ed25519 private key; reports have no other")
    return signer
