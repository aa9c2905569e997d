"""Where a log's public data is read from, whatever serves it: a log source.

Checkpoint, hash tiles and entry bundles are all that c2sp.org/tlog-tiles serves, and
all that a mirror, a monitor and an audit of public data need. A source hands out bytes
and trusts nobody: whoever reads them compares them with a signed root.

Here are the protocol and the sources that need the standard library only. ``source_url``
reads over HTTP, ``source_store`` a database; ``source_store.open_source`` chooses.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from ledger.errors import MalformedError, NotFoundError, RetryableError
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.note import NOTE_BYTES_MAX, split_note
from ledger.tlog.tiles import (
    ENTRIES,
    ENTRY_BYTES_MAX,
    TILE_WIDTH,
    format_bundle,
    format_tile_path,
    parse_bundle,
    tile_width,
)

CHECKPOINT = "checkpoint"
"""The path of the newest checkpoint."""

_BUNDLE_ENTRY_BYTES_MAX = 2 + ENTRY_BYTES_MAX

Opener = tuple[Callable[[str], "LogSource"], str]
"""A function of a module, so that it can be named in another process, and its argument."""

ReadPath = Callable[[str, int], bytes]
"""(path, most bytes) -> the bytes there; raises NotFoundError, RetryableError, MalformedError."""


class LogSource(Protocol):
    """Reads one log's public data; may be used by several threads at once.

    Every method raises NotFoundError for what is not there, RetryableError when the
    source cannot be reached now, and MalformedError for bytes of an impossible length.

    Attributes:
        name: The source for people: a URL, a folder, a file.
        opener: How another process on this machine opens the same, and by what; None where
            it had better not.
    """

    name: str
    opener: Opener | None

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note; nothing in it is verified."""

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first ``width`` (1 to 256) hashes of a tile, 32 bytes each."""

    def bundle(self, number: int, width: int) -> bytes:
        """The first ``width`` (1 to 256) entries of a bundle, not compressed.

        Whether it holds exactly these entries, ``parse_bundle`` says.
        """

    def close(self) -> None:
        """Release what the source holds; may be called more than once."""


class PathSource:
    """A log source over anything that gives bytes for the paths of tlog-tiles.

    A partial tile or bundle that is not there is cut from the full one: once that
    exists, partial ones may be deleted (c2sp.org/tlog-tiles, partial tiles). Where that
    is not there either, the log's right edge now runs through it, and it is cut from the
    partial one of the source's newest checkpoint: a mirror has only the sizes it saw.

    Args:
        name: The source for people.
        read: Gives the bytes at a path.
    """

    def __init__(self, name: str, read: ReadPath) -> None:
        self.name = name
        self.read = read
        self.opener: Opener | None = None

    def checkpoint(self) -> bytes:
        """See `LogSource`."""
        return self.read(CHECKPOINT, NOTE_BYTES_MAX)

    def tile(self, level: int, number: int, width: int) -> bytes:
        """See `LogSource`."""
        data, _ = self._widest(level, level, number, width)
        return data[: width * HASH_SIZE]

    def bundle(self, number: int, width: int) -> bytes:
        """See `LogSource`."""
        data, came = self._widest(ENTRIES, 0, number, width)
        return data if came == width else format_bundle(parse_bundle(data, came)[:width])

    def _widest(
        self, kind: int | Literal["entries"], level: int, number: int, width: int
    ) -> tuple[bytes, int]:
        """The tile or bundle of a width, or of another that holds it; and that width."""
        try:
            return self._read_width(kind, number, width), width
        except NotFoundError as error:
            if width == TILE_WIDTH:
                raise
            missing = error
        try:
            return self._read_width(kind, number, TILE_WIDTH), TILE_WIDTH
        except NotFoundError:
            edge = self._edge_width(level, number)
        if not width < edge < TILE_WIDTH:
            raise missing
        return self._read_width(kind, number, edge), edge

    def _read_width(self, kind: int | Literal["entries"], number: int, width: int) -> bytes:
        path = format_tile_path(kind, number, width)
        if kind == ENTRIES:
            return self.read(path, width * _BUNDLE_ENTRY_BYTES_MAX)
        expected = width * HASH_SIZE
        data = self.read(path, expected)
        if len(data) != expected:
            raise MalformedError(
                f"expected {expected} bytes at {path} of {self.name}, got {len(data)}; read it "
                "again, or from another mirror"
            )
        return data

    def _edge_width(self, level: int, number: int) -> int:
        """How wide the source's newest checkpoint says a tile is; only a place to look."""
        try:
            text, _ = split_note(self.checkpoint())
            return tile_width(parse_checkpoint(text, allow_extensions=True).size, level, number)
        except (NotFoundError, MalformedError):
            return 0

    def close(self) -> None:
        """Nothing to release."""


class FolderSource(PathSource):
    """A mirror's folder, or any folder with the paths of tlog-tiles."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(str(folder), self._read_file)
        self.opener = open_folder, str(folder.absolute())

    def _read_file(self, path: str, bytes_max: int) -> bytes:
        file = self.folder / path
        try:
            with file.open("rb") as stream:
                # No more room than the file takes: a bundle may have 16 MB, and has 200 kB.
                room = min(bytes_max, os.fstat(stream.fileno()).st_size) + 1
                data = stream.read(room)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"{file} is not there", code="no_tile") from None
        except OSError as error:
            raise RetryableError(f"{file} cannot be read: {error.strerror}") from error
        if len(data) > bytes_max:
            raise MalformedError(
                f"expected at most {bytes_max} bytes in {file}; it is no file of a log, copy it "
                "from the log again"
            )
        return data


def open_folder(where: str) -> LogSource:
    """The source of a folder that is known to be a mirror's."""
    return FolderSource(Path(where))
