"""What a backup is worth: does it verify, is it too old, what does it still hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.backup.making import PART_PREFIX, erasures_of
from ledger.backup.manifest import Erasures, Manifest, hash_file, read_manifest
from ledger.book import DATABASE, read_key_history
from ledger.errors import CorruptionError, LedgerError, MalformedError, VerificationError
from ledger.store import Reader, read_copy
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.tiles import TileWriter
from ledger.verify import verify_checkpoint

HELD_SHOWN = 20
"""Entries that a line names; it says how many there are."""
LEAVES = 4096
"""Leaf hashes that go into the tree together."""


@dataclass(frozen=True, slots=True)
class BackupState:
    """One backup, as it stands today.

    Attributes:
        path: Its folder.
        manifest: What it says of itself; None where that cannot be read.
        problem: Why it does not verify; None if it does.
        over: Whether it is older than its retention.
        holds: Entries whose personal fields it still has, and that were erased later.
    """

    path: Path
    manifest: Manifest | None
    problem: str | None
    over: bool
    holds: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is not known is left out."""
        value: dict[str, Any] = {
            "backup": self.path.name,
            "verifies": self.problem is None,
            "older_than_retention": self.over,
            "holds_erased": list(self.holds),
        }
        if self.problem is not None:
            value["problem"] = self.problem
        if self.manifest is not None:
            one = self.manifest
            value |= {
                "origin": one.origin,
                "size": one.size,
                "root": one.root,
                "made_at": one.made_at,
                "keys": one.keys,
            }
            if one.retention_days is not None:
                value |= {"retention_days": one.retention_days, "keep_until": one.keep_until()}
        return value


def list_backups(
    folder: Path,
    *,
    now: datetime,
    keys: Sequence[VerifierKey] = (),
    erasures: Erasures | None = None,
) -> list[BackupState]:
    """Every backup in a folder, the oldest first, each looked at whole.

    Args:
        folder: The folder of the backups, or one backup.
        now: What ages are counted to.
        keys: The verifier keys to trust; without any, those that each backup names.
        erasures: Those of the living log; what newer backups say is added to them.

    Raises:
        MalformedError: no such folder.
    """
    places = list(backups_in(folder))
    known: dict[int, int] = dict(erasures or {})
    for one in places:
        try:
            known.update(read_manifest(one).erased)
        except MalformedError:
            # It is listed below with what is wrong.
            continue
    return sorted(
        (look_at(one, now=now, keys=keys, erasures=known) for one in places),
        key=lambda state: ("" if state.manifest is None else state.manifest.made_at, state.path),
    )


def backups_in(folder: Path) -> Iterator[Path]:
    """The backups in a folder, unfinished ones too; the folder itself where it is one.

    Raises:
        MalformedError: no such folder.
    """
    if not folder.is_dir():
        raise MalformedError(f"{folder} is no folder; name the folder of the backups")
    if (folder / DATABASE).exists():
        yield folder
        return
    for one in sorted(folder.iterdir()):
        if one.is_dir() and ((one / DATABASE).exists() or one.name.startswith(PART_PREFIX)):
            yield one


def look_at(
    backup: Path, *, now: datetime, keys: Sequence[VerifierKey], erasures: Erasures
) -> BackupState:
    """One backup, checked whole."""
    manifest = problem = None
    try:
        manifest = read_manifest(backup)
        check_backup(backup, manifest, keys)
    except (LedgerError, OSError) as error:
        problem = str(error)
    if manifest is None:
        return BackupState(backup, None, problem, False, ())
    return BackupState(
        backup, manifest, problem, manifest.is_over(now), still_held(manifest, erasures)
    )


def still_held(manifest: Manifest, erasures: Erasures) -> tuple[int, ...]:
    """Entries that the backup has whole, and that were erased after it was made."""
    return tuple(sorted(entry for entry, by in erasures.items() if entry < manifest.size <= by))


def check_backup(backup: Path, manifest: Manifest, keys: Sequence[VerifierKey] = ()) -> None:
    """Return if the backup is what its manifest says: file, signature, size, entries and tree.

    Raises:
        CorruptionError: it is not.
        UndecidedError: none of the given keys signed its checkpoint.
    """
    length, digest = hash_file(backup / DATABASE)
    if (length, digest) != (manifest.database_bytes, manifest.database_sha256):
        raise CorruptionError(
            f"{backup / DATABASE} has {length} bytes with SHA-256 {digest}, its manifest says "
            f"{manifest.database_bytes} and {manifest.database_sha256}: it was damaged or changed",
            code="backup_damaged",
        )
    with read_copy(backup / DATABASE) as reader:
        check_head(reader, keys or read_key_history(reader).keys)
        head = reader.head()
        said = (manifest.size, manifest.root, manifest.checkpoint)
        if head is None or (head.size, head.root.hex(), head.checkpoint.decode()) != said:
            raise CorruptionError(
                f"{backup}: the manifest and the database differ about size, root or checkpoint",
                code="backup_damaged",
            )
        if dict(erasures_of(reader)) != dict(manifest.erased):
            raise CorruptionError(
                f"{backup}: the manifest and the database differ about erasures",
                code="backup_damaged",
            )


def check_head(reader: Reader, keys: Sequence[VerifierKey]) -> None:
    """Return if the head's signed root is that of all the entries that are there.

    Every entry is hashed again; what the entries mean is for ``shanji audit``.

    Raises:
        CorruptionError: it is not.
        UndecidedError: none of the keys signed the checkpoint.
    """
    head = reader.head()
    if head is None:
        raise CorruptionError("the database holds no log", code="backup_damaged")
    try:
        checkpoint, _ = verify_checkpoint(head.checkpoint, keys)
    except VerificationError as error:
        raise CorruptionError(
            f"the head's checkpoint does not verify: {error.message}", code="backup_damaged"
        ) from None
    tree, waiting, last = TileWriter(0, []), list[bytes](), b""
    for index, data, stored in reader.scan("entry"):
        last = leaf_hash(data)
        if stored != last or index != tree.size + len(waiting):
            raise CorruptionError(f"entry {index} is not what was recorded", code="backup_damaged")
        waiting.append(last)
        if len(waiting) == LEAVES:
            tree.extend(waiting)
            waiting = []
    tree.extend(waiting)
    found = (tree.size, tree.root() if tree.size else b"", last)
    signed = (checkpoint.size, checkpoint.root, head.last_leaf_hash)
    if found != signed or (head.size, head.root) != signed[:2]:
        raise CorruptionError(
            f"the entries give size {tree.size} and another root than the signed checkpoint of "
            f"size {checkpoint.size}",
            code="backup_damaged",
        )
