"""Making a backup while the log is served: the folder is there whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

import orjson

from ledger.backup.manifest import (
    KEYS,
    MANIFEST,
    RETENTION_DAYS_MAX,
    Erasures,
    Manifest,
    format_manifest,
    hash_file,
)
from ledger.book import DATABASE, Book, read_key_history
from ledger.errors import FatalError, MalformedError, NotFoundError
from ledger.keys.access import default_access
from ledger.sequencer import utc_now
from ledger.store import Reader, read_copy
from ledger.verify import verify_checkpoint

PART_PREFIX = ".part-"
"""What a backup is called until it is whole."""
ERASURES_PAGE = 10_000


def make_backup(
    data: Path,
    into: Path,
    *,
    retention_days: int | None = None,
    with_keys: bool = False,
    now: datetime | None = None,
) -> tuple[Path, Manifest]:
    """Make a backup of the log in a data folder; it may be served meanwhile.

    Args:
        data: The log's data folder.
        into: The folder of the backups; the new one gets a folder of its own there.
        retention_days: How long the backup may be kept.
        with_keys: Whether the log's and the vault's keys go with it: then whoever has the
            backup can sign as the log and read every personal field.

    Raises:
        NotFoundError: no log there.
        MalformedError: a retention that is none.
        FatalError: the disk failed; nothing is left.
    """
    if retention_days is not None and not 1 <= retention_days <= RETENTION_DAYS_MAX:
        raise MalformedError(
            f"expected a retention of 1 to {RETENTION_DAYS_MAX} days, got {retention_days}"
        )
    keys = default_access().folder_of(data)
    if with_keys and not keys.is_dir():
        raise NotFoundError(f"{keys} is missing; a backup with keys needs them")
    made = (now or utc_now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    store, _ = Book.parts(data)
    try:
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = Path(tempfile.mkdtemp(prefix=PART_PREFIX, dir=into))
        try:
            store.copy_to(part / DATABASE)
            if with_keys:
                shutil.copytree(keys, part / KEYS)
            manifest = _describe(part, made, retention_days, with_keys)
            (part / MANIFEST).write_bytes(format_manifest(manifest))
            stamp = made.translate(str.maketrans("", "", "-:"))
            place = into / f"shanji-{manifest.size:012d}-{stamp}"
            for path in (*part.rglob("*"), part):
                sync(path)
            part.rename(place)
            sync(into)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise FatalError(
            f"the backup could not be written to {into} ({error.strerror}); make room there, or "
            "choose another folder",
            code="backup_unwritable",
        ) from error
    finally:
        store.close()
    return place, manifest


def _describe(part: Path, made_at: str, retention_days: int | None, keys: bool) -> Manifest:
    """The manifest of the copy, read from the copy itself."""
    with read_copy(part / DATABASE) as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty; there is nothing to back up")
        own = read_key_history(reader).keys
        checkpoint, _ = verify_checkpoint(head.checkpoint, own)
        erased = erasures_of(reader)
    length, digest = hash_file(part / DATABASE)
    return Manifest(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        checkpoint=head.checkpoint.decode(),
        made_at=made_at,
        retention_days=retention_days,
        database_bytes=length,
        database_sha256=digest,
        keys=keys,
        erased=erased,
    )


def erasures_of(reader: Reader) -> Erasures:
    """Every erasure that the log has recorded, from the state: ``{entry: entry that says so}``."""
    found: dict[int, int] = {}
    after = ""
    while rows := reader.objects("erased/", after=after, limit=ERASURES_PAGE):
        for key, value in rows:
            found[int(key.removeprefix("erased/"))] = int(orjson.loads(value)["entry"])
        after = rows[-1][0]
    return found


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
