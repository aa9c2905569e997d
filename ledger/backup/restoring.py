"""Restoring a backup into an empty place.

The database gets its name in the place last: until then nothing there can be opened as a
log. What was erased after the backup was made is erased again before that; the checkpoints
that the log was seen with are kept beside it, so that it is not written on while it is
behind them (``ledger.known``). A marker, ``restored.json``, says what was done.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ledger.backup.checking import backups_in, check_backup, still_held
from ledger.backup.making import erasures_of, sync
from ledger.backup.manifest import KEYS, Manifest, read_manifest
from ledger.book import DATABASE, Book, read_key_history
from ledger.entry import format_canonical, parse_canonical
from ledger.errors import (
    ConflictError,
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotFoundError,
)
from ledger.holds import UNCONFIRMED, write_hold
from ledger.keys.access import default_access
from ledger.keys.files import VAULT_KEY, key_files
from ledger.keys.ring import Keyring
from ledger.known import read_known, write_known
from ledger.sequencer import utc_now
from ledger.store import Reader, Store, read_copy
from ledger.store.place import is_postgresql, own_place, shown, write_url
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.note import VerifierKey
from ledger.tlog.proofs import verify_consistency
from ledger.tlog.tiles import TileReader
from ledger.vault import Vault
from ledger.verify import verify_checkpoint

MARKER = "restored.json"
MARKER_FORMAT = "shanji-restored/v1"
MARKER_BYTES_MAX = 16_000_000
PART = DATABASE + ".part"
ERASURE_LINES_MAX = 1_000_000

Prefix = Literal["proven", "unproven"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        manifest: Of the backup.
        erased_again: Entries whose personal fields the backup still had, each with the entry
            that erased them (the size here, where only a list names them); they are gone now.
        seen: The size of the largest known checkpoint; the log must not be written while
            it is behind.
        prefix: Whether it was proven that the log goes on from here to that checkpoint, by
            the tree of a log that has it.
        keys: Whether the keys are in place: the vault's, and one with which the log signs now.
        confirmed: Whether a person vouched that nothing newer was ever signed.
    """

    manifest: Manifest
    erased_again: tuple[tuple[int, int], ...]
    seen: int
    prefix: Prefix
    keys: bool
    confirmed: bool = False

    @property
    def behind(self) -> bool:
        """Whether the log was seen larger than it is here."""
        return self.seen > self.manifest.size

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "format": MARKER_FORMAT,
            "origin": self.manifest.origin,
            "size": self.manifest.size,
            "root": self.manifest.root,
            "made_at": self.manifest.made_at,
            "erased_again": [list(one) for one in self.erased_again],
            "seen": self.seen,
            "behind": self.behind,
            "prefix": self.prefix,
            "keys": self.keys,
            "confirmed": self.confirmed,
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the log beside the backup."""

    checkpoints: list[tuple[Checkpoint, bytes]]
    erasures: dict[int, int]
    prefix: Prefix


def restore_backup(
    backup: Path,
    data: Path,
    *,
    keys: Path | None = None,
    newer: Sequence[Path] = (),
    erasures: Path | None = None,
    known: Sequence[Path] = (),
    database: str | None = None,
    nothing_newer: bool = False,
    now: datetime | None = None,
) -> Restored:
    """Put a backup into an empty place.

    Args:
        backup: The backup's folder. Newer backups beside it are looked at for erasures and
            checkpoints.
        data: The data folder to make; it must not be there, or be empty.
        keys: The folder of the keys, where the backup has none.
        newer: Data folders, or backups, of the same log that went on further.
        erasures: A file that names entries to erase again, one index a line.
        known: Checkpoints or receipts that somebody kept.
        database: An empty PostgreSQL database to restore into; None for a file in the folder.
        nothing_newer: A person vouches that nothing newer of the log was ever signed. Else
            the place is held (``holds.UNCONFIRMED``) until its witnesses were asked, or a
            person vouches for it.
        now: The time of the restore.

    Raises:
        ConflictError: the place, or the database, is not empty.
        CorruptionError: the backup is damaged, or of another history than what is known.
        MalformedError, NotFoundError: something that was named is not what it should be.
        FatalError: the disk failed.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise ConflictError(
            f"{data} is not empty; a restore overwrites nothing: name an empty place",
            code="place_not_empty",
        )
    manifest = read_manifest(backup)
    check_backup(backup, manifest)
    source = keys if keys is not None else backup / KEYS if manifest.keys else None
    ring = _keyring(source, manifest.origin)
    vault = None if source is None else Book.vault_of(source)
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copyfile(backup / DATABASE, data / PART)
            (data / PART).chmod(0o600)
            restored = _restore(data, manifest, backup, vault, newer, erasures, known)
            can_sign = vault is not None and _signs(data / PART, ring)
            restored = replace(restored, keys=can_sign, confirmed=nothing_newer)
            if source is not None:
                _copy_keys(source, data / KEYS)
            marker = restored.as_json() | {"restored_at": f"{now or utc_now():%Y-%m-%dT%H:%M:%SZ}"}
            (data / MARKER).write_bytes(format_canonical(marker) + b"\n")
            if not nothing_newer and database is None:
                write_hold(data, UNCONFIRMED, _unconfirmed(restored))
            for path in (*data.rglob("*"), data):
                sync(path)
            if database is None:
                (data / PART).rename(data / DATABASE)
            else:
                _fill(database, data, None if nothing_newer else _unconfirmed(restored))
            sync(data)
        except BaseException:
            for path in data.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            raise
    except OSError as error:
        raise FatalError(
            f"{data} could not be written ({error}); make room there, or name another place",
            code="backup_unwritable",
        ) from error
    return restored


def _unconfirmed(restored: Restored) -> str:
    """Why the restored place is held."""
    manifest = restored.manifest
    return (
        f"this log was restored from a backup of {manifest.made_at} with {manifest.size} entries; "
        "whatever was recorded after that is not here, and writing on would sign a second "
        "history of it. Nothing is written until every witness of the policy (--policy) has said "
        "that it saw nothing newer, or a person who asked whoever may hold a newer checkpoint or "
        "receipt vouches for it"
    )


def _restore(
    data: Path,
    manifest: Manifest,
    backup: Path,
    vault: Vault | None,
    newer: Sequence[Path],
    erasures: Path | None,
    known: Sequence[Path],
) -> Restored:
    """What is done to the copy before it gets its name."""
    store = Store.open(str(data / PART), create=False)
    try:
        with store.read() as reader:
            own = read_key_history(reader).keys
            seen = _look_around(reader, own, manifest, backup, newer, known)
        if erasures is not None:
            for entry in _read_erasures(erasures):
                seen.erasures.setdefault(entry, manifest.size)
        again = {entry: seen.erasures[entry] for entry in still_held(manifest, seen.erasures)}
        gone = _erase(store, vault, sorted(again))
    finally:
        store.close()
    for checkpoint, note in seen.checkpoints:
        write_known(data, checkpoint, note)
    largest = max((one.size for one, _ in seen.checkpoints), default=manifest.size)
    pairs = tuple((entry, again[entry]) for entry in gone)
    return Restored(manifest, pairs, largest, seen.prefix, keys=False)


def _fill(database: str, data: Path, unconfirmed: str | None) -> None:
    """Move the log from the file to the server, and say in the folder where it is.

    Why it is held comes with the rows: no machine sees the one without the other.
    """
    if not is_postgresql(database):
        raise MalformedError(
            f"expected a database like postgresql://user@host/name, got {shown(database)}; "
            "without --database the log is restored into a file in the folder",
            code="unknown_database_url",
        )
    with closing(Store.open(database)) as store, read_copy(data / PART) as reader:
        store.fill(reader, {} if unconfirmed is None else {UNCONFIRMED.code: unconfirmed})
    write_url(data, database)
    (data / PART).unlink()


def _look_around(
    reader: Reader,
    own: Sequence[VerifierKey],
    manifest: Manifest,
    backup: Path,
    newer: Sequence[Path],
    known: Sequence[Path],
) -> _Seen:
    """The checkpoints and erasures that others know, each compared with the log here."""
    checkpoints = [read_known(path, own) for path in known]
    erasures: dict[int, int] = {}
    for sibling in backups_in(backup.parent):
        try:
            other = read_manifest(sibling)
            note = other.checkpoint.encode()
            checkpoint, _ = verify_checkpoint(note, own)
        except LedgerError:
            # No backup, a damaged one, or another log's: it can tell nothing.
            continue
        if checkpoint.size > manifest.size:
            checkpoints.append((checkpoint, note))
            erasures.update(other.erased)
    contained = [_compare(reader, one) for one, _ in checkpoints]
    prefix: Prefix = "proven" if contained and all(contained) else "unproven"
    for folder in newer:
        store = Store.open(own_place(folder), create=False)
        try:
            with store.read() as other_reader:
                checkpoint, note = _newest(other_reader, own, folder)
                _compare_trees(reader, other_reader, checkpoint)
                erasures.update(erasures_of(other_reader))
        finally:
            store.close()
        checkpoints.append((checkpoint, note))
        if checkpoint.size >= max(one.size for one, _ in checkpoints):
            prefix = "proven"
    return _Seen(checkpoints, erasures, prefix)


def _newest(reader: Reader, own: Sequence[VerifierKey], folder: Path) -> tuple[Checkpoint, bytes]:
    head = reader.head()
    if head is None:
        raise NotFoundError(f"{folder} holds no log; name the data folder of a newer one")
    try:
        return verify_checkpoint(head.checkpoint, own)[0], head.checkpoint
    except LedgerError as error:
        raise MalformedError(
            f"{folder} is not of the same log as the backup: {error.message}"
        ) from None


def _compare(reader: Reader, known: Checkpoint) -> bool:
    """Whether the log here has reached a checkpoint; where it has, its root must be that."""
    head = reader.head()
    if head is None or known.size > head.size:
        return False
    if TileReader(known.size, reader.tile).root() != known.root:
        _refuse(known.size)
    return True


def _compare_trees(reader: Reader, other: Reader, checkpoint: Checkpoint) -> None:
    """The smaller of two trees must be the beginning of the larger one, by its proof."""
    head = reader.head()
    if head is None or _compare(reader, checkpoint):
        return
    proof = TileReader(checkpoint.size, other.tile).consistency(head.size)
    try:
        verify_consistency(head.size, checkpoint.size, proof, head.root, checkpoint.root)
    except LedgerError:
        _refuse(head.size)


def _refuse(size: int) -> None:
    raise CorruptionError(
        f"at size {size} the backup has another root than the log was seen with: two histories; "
        "nothing was restored; keep both, and ask an auditor",
        code="another_history",
        details={"size": size},
    )


def _read_erasures(path: Path) -> list[int]:
    """Indices, one a line; empty lines and what follows a # do not count."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{path} cannot be read as text: {error}") from None
    words = [line.partition("#")[0].strip() for line in lines[:ERASURE_LINES_MAX]]
    wrong = [word for word in words if word and not (word.isascii() and word.isdigit())]
    if wrong or len(lines) > ERASURE_LINES_MAX:
        raise MalformedError(
            f"{path}: expected the index of an entry on each line, at most {ERASURE_LINES_MAX}, "
            f"got {wrong[:3] or len(lines)}"
        )
    return [int(word) for word in words if word]


def _erase(store: Store, vault: Vault | None, entries: Sequence[int]) -> list[int]:
    """Forget the openings of these entries once more; those that were there."""
    if not entries:
        return []
    if vault is None:
        raise NotFoundError(
            f"the backup still holds personal fields of {len(entries)} entries that were erased "
            "later; erasing them again needs the vault's key: give --keys",
            code="vault_key_needed",
            details={"entries": list(entries[:20])},
        )
    gone: list[int] = []
    rows: list[tuple[int, bytes]] = []
    with store.append() as appender:
        for index in entries:
            stored = appender.vault(index)
            if stored is not None and vault.decrypt(index, stored).seed is not None:
                rows.append((index, vault.without_opening(index, stored)))
                gone.append(index)
        appender.write_vault(rows)
        appender.commit()
    if not store.drop_old_pages():
        raise FatalError("what was erased again is still in the write-ahead log; try again")
    return gone


def _keyring(source: Path | None, origin: str) -> Keyring | None:
    """The signing keys of a folder; None where it has none.

    Raises:
        LedgerError: one of its files is no key, or is encrypted under another passphrase.
    """
    if source is None or not key_files(source):
        return None
    return Keyring.open(source, origin, default_access())


def _signs(place: Path, ring: Keyring | None) -> bool:
    """Whether one of the keys is one with which the log signs now: keys are rotated."""
    if ring is None:
        return False
    try:
        with read_copy(place) as reader:
            return any(map(ring.has, read_key_history(reader).active))
    finally:
        ring.close()


def _copy_keys(source: Path, target: Path) -> None:
    """Every key file and the vault's key; a log that has rotated its keys has several."""
    target.mkdir(mode=0o700)
    for path in (*key_files(source), source / VAULT_KEY):
        if path.is_file():
            shutil.copyfile(path, target / path.name)
            (target / path.name).chmod(0o600)


def erased_again(data: Path) -> frozenset[int]:
    """The entries whose openings a restore erased again in this data folder; often none.

    Raises:
        MalformedError: the marker is not one that a restore wrote.
    """
    path = data / MARKER
    try:
        with path.open("rb") as file:
            value = parse_canonical(file.read(MARKER_BYTES_MAX).removesuffix(b"\n"))
        if not isinstance(value, dict) or value["format"] != MARKER_FORMAT:
            raise MalformedError("it is another file")
        return frozenset(int(entry) for entry, _ in value["erased_again"])
    except FileNotFoundError:
        return frozenset()
    except (OSError, LedgerError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(
            f"{path}: expected what a restore wrote there ({error}); move the file away if it is "
            "another's",
            code="restored_marker",
        ) from None
