"""The manifest of a backup: canonical JSON beside the database.

It repeats what the database holds, for people and programs that only look at the folder; a
check compares the two. Nothing in it is secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.entry import format_canonical, parse_canonical
from ledger.errors import LedgerError, MalformedError

FORMAT = "shanji-backup/v1"
MANIFEST = "manifest.json"
KEYS = "keys"
"""The folder of the keys, in a backup that has them and in a data folder."""
MANIFEST_BYTES_MAX = 16_000_000
RETENTION_DAYS_MAX = 36_500
HASH_BYTES = 1 << 20

Erasures = Mapping[int, int]
"""Which entries' personal fields were erased, and the entry that says so."""

_SHAPE: Mapping[str, type] = {
    "format": str,
    "origin": str,
    "size": int,
    "root": str,
    "checkpoint": str,
    "made_at": str,
    "database_bytes": int,
    "database_sha256": str,
    "keys": bool,
    "erased": list,
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        origin, size, root, checkpoint: The log, as the newest checkpoint in it says.
        made_at: UTC, like an entry's ``recorded_at``.
        retention_days: How long it may be kept; None where nobody said.
        database_bytes, database_sha256: The database file.
        keys: Whether the log's and the vault's keys are in the backup.
        erased: The erasures that the log had recorded by then.
    """

    origin: str
    size: int
    root: str
    checkpoint: str
    made_at: str
    retention_days: int | None
    database_bytes: int
    database_sha256: str
    keys: bool
    erased: Erasures

    def keep_until(self) -> str | None:
        """The instant (UTC) after which it should be gone."""
        if self.retention_days is None:
            return None
        made = datetime.fromisoformat(self.made_at)
        return (made + timedelta(days=self.retention_days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def is_over(self, now: datetime) -> bool:
        """Whether it is older than its retention."""
        until = self.keep_until()
        return until is not None and datetime.fromisoformat(until) < now


def format_manifest(manifest: Manifest) -> bytes:
    """The file's bytes."""
    value: dict[str, Any] = {
        "format": FORMAT,
        **{name: getattr(manifest, name) for name in _SHAPE if name not in ("format", "erased")},
        "erased": [list(pair) for pair in sorted(manifest.erased.items())],
    }
    if manifest.retention_days is not None:
        value["retention_days"] = manifest.retention_days
    return format_canonical(value) + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        MalformedError: it is not one that `format_manifest` wrote.
    """
    try:
        value = parse_canonical(data.removesuffix(b"\n"))
        retention = value.pop("retention_days", None) if isinstance(value, dict) else None
        if not isinstance(value, dict) or {k: type(v) for k, v in value.items()} != dict(_SHAPE):
            raise MalformedError("the members are others")
        if value.pop("format") != FORMAT:
            raise MalformedError("the format is another")
        if retention is not None and type(retention) is not int:
            raise MalformedError("retention_days is no number")
        erased = value.pop("erased")
        if not all(isinstance(one, list) and [*map(type, one)] == [int, int] for one in erased):
            raise MalformedError("erased has other members than pairs of indices")
        manifest = Manifest(**value, retention_days=retention, erased=dict(erased))
        manifest.keep_until()
        datetime.fromisoformat(manifest.made_at)
    except (LedgerError, ValueError, OverflowError) as error:
        raise MalformedError(
            f"expected a manifest of the format {FORMAT} ({error}); this folder is no backup, or "
            "it was damaged",
            code="backup_manifest",
        ) from None
    return manifest


def read_manifest(backup: Path) -> Manifest:
    """The manifest of a backup's folder.

    Raises:
        MalformedError: there is none, or it is not one.
    """
    path = backup / MANIFEST
    try:
        with path.open("rb") as file:
            return parse_manifest(file.read(MANIFEST_BYTES_MAX))
    except OSError as error:
        raise MalformedError(
            f"{backup} is no backup: {MANIFEST} cannot be read ({error.strerror})",
            code="backup_manifest",
        ) from None


def hash_file(path: Path) -> tuple[int, str]:
    """A file's length and its SHA-256 in hex."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(HASH_BYTES):
            digest.update(part)
            length += len(part)
    return length, digest.hexdigest()
