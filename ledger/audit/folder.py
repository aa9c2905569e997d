"""A mirror's folder: what is in it has its final name only when it is whole and right.

::

    <folder>/checkpoint            the newest checkpoint whose tree is here completely
    <folder>/tile/...              tiles and bundles, the paths of c2sp.org/tlog-tiles
    <folder>/checkpoints/<size>    every checkpoint that was seen, with its cosignatures
    <folder>/unproved/<size>       those that could not be compared with the others yet
    <folder>/evidence/...          contradictions that were found
    <folder>/.mirror/              lock, and files that are being written

Every file is written beside, flushed to the disk and then renamed, so that a crash
leaves it as it was or as it should be. The checkpoint comes last.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.audit.source import CHECKPOINT, FolderSource
from ledger.errors import FatalError, MalformedError, NotFoundError, NotReadyError
from ledger.tlog.note import NOTE_BYTES_MAX, add_signatures, split_note
from ledger.tlog.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    format_tile_path,
    tile_width,
)

TILES = "tile"
EVIDENCE = "evidence"
PRIVATE = ".mirror"
LOCK = "lock"

_FILE_MODE = 0o644


class DurableFolder:
    """Files below a folder that are written as a whole, by one process at a time.

    May be used by several threads at once.

    Raises:
        NotReadyError: another process holds the folder.
        FatalError: the disk or the file's permissions failed; what had its final name
            before still has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = folder / PRIVATE
        self._numbers = itertools.count()
        self._touched: set[Path] = set()
        self._made: set[Path] = set()
        self._touched_lock = threading.Lock()
        with _disk(folder):
            self._parts.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._parts / LOCK, os.O_RDWR | os.O_CREAT, _FILE_MODE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise NotReadyError(
                f"another process is using {folder}; let it finish, or name another folder",
                code="folder_in_use",
            ) from None
        for part in self._parts.glob("*.part"):
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let other processes use the folder; may be called more than once."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def write(self, path: str, data: bytes) -> None:
        """Write a file as a whole; durable after the next `sync`.

        Its bytes are on the disk before it has its name.
        """
        target = self.folder / path
        part = self._parts / f"{next(self._numbers)}.part"
        with _disk(target):
            self._make_parents(target)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.replace(part, target)
        with self._touched_lock:
            self._touched.add(target.parent)

    def _make_parents(self, target: Path) -> None:
        parent = target.parent
        if parent in self._made:
            return
        parent.mkdir(parents=True, exist_ok=True)
        with self._touched_lock:
            self._made.add(parent)
            # A new folder's name stands in the one above it.
            above = itertools.takewhile(lambda one: one != self.folder.parent, parent.parents)
            self._touched.update(above)

    def sync(self) -> None:
        """Make the names of all files written so far durable."""
        with self._touched_lock:
            touched, self._touched = self._touched, set()
        for folder in sorted(touched):
            with _disk(folder):
                handle = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def touch_all(self, name: str) -> None:
        """Let the next `sync` cover every folder below one: a run before this one may have
        been killed after naming files there.
        """
        with _disk(self.folder / name), self._touched_lock:
            self._touched.update(Path(here) for here, _, _ in os.walk(self.folder / name))

    def remove(self, path: str) -> None:
        """Remove a file or folder that is no longer wanted; one that is gone is no error."""
        target = self.folder / path
        with _disk(target):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        self._made.discard(target)


class Shelf:
    """Every checkpoint that was seen, a file for each size: ``<shelf>/<size>``.

    Whoever keeps one has checked first that it contradicts no other on the shelf.
    """

    def __init__(self, folder: DurableFolder, name: str) -> None:
        self._folder = folder
        self._name = name

    def sizes(self) -> list[int]:
        """The sizes of which a checkpoint is kept, rising."""
        path = self._folder.folder / self._name
        if not path.is_dir():
            return []
        with os.scandir(path) as found:
            return sorted(int(one.name) for one in found if one.name.isdecimal())

    def get(self, size: int) -> bytes | None:
        """The checkpoint of a size, a signed note."""
        path = self._folder.folder / self._name / str(size)
        with _disk(path):
            return path.read_bytes() if path.is_file() else None

    def keep(self, size: int, note: bytes) -> bytes:
        """Keep a checkpoint; cosignatures that were seen before stay.

        Returns:
            The note with all of its signatures.
        """
        kept = self.get(size)
        together = note if kept is None else merge_signatures(kept, note)
        if together != kept:
            self._folder.write(f"{self._name}/{size}", together)
            self._folder.sync()
        return together


def merge_signatures(kept: bytes, note: bytes) -> bytes:
    """A note with the signatures of an earlier copy too; as it is if it has them all.

    Raises nothing: where they do not fit together, the newer note stands alone.
    """
    try:
        text, before = split_note(kept)
        new_text, now = split_note(note)
        have = {(one.name, one.key_id) for one in now}
        missing = [one for one in before if (one.name, one.key_id) not in have]
        return add_signatures(note, missing) if missing and text == new_text else note
    except MalformedError:
        return note


class MirrorFolder(DurableFolder):
    """The folder of a mirror."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.source = FolderSource(folder)

    def checkpoint(self) -> bytes | None:
        """The newest complete checkpoint, None before the first."""
        try:
            return self.source.checkpoint()
        except NotFoundError:
            return None

    def write_checkpoint(self, note: bytes) -> None:
        """Say that everything under this checkpoint is here."""
        if len(note) > NOTE_BYTES_MAX:
            raise MalformedError(f"expected a checkpoint of at most {NOTE_BYTES_MAX} bytes")
        self.sync()
        self.write(CHECKPOINT, note)
        self.sync()

    def remove_partials(self, sizes: Iterable[int], size: int) -> None:
        """Remove the partial tiles of earlier sizes whose full tiles are here at `size`."""
        for path in dict.fromkeys(_partials(sizes, size)):
            self.remove(path)


def _partials(sizes: Iterable[int], size: int) -> Iterator[str]:
    """The folders of partial tiles at these sizes that are full at `size`."""
    for one in sizes:
        for level in range(8):
            number = one >> TILE_HEIGHT * (level + 1)
            if tile_width(size, level, number) < TILE_WIDTH:
                break
            yield format_tile_path(level, number) + ".p"
            if level == 0:
                yield format_tile_path("entries", number) + ".p"


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Say what failed on the disk, and that nothing is half done."""
    try:
        yield
    except OSError as error:
        raise FatalError(
            f"{path} cannot be written ({error.strerror or error}); make room or mend the folder, "
            "then run the same command again",
            code="disk",
        ) from error
