"""Where a log's public data is published: a folder, or an object store (S3 and its like)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from ledger.errors import FatalError, MalformedError, NotReadyError

CHECKPOINT = "checkpoint"
STORE_PREFIXES = ("s3://", "gs://", "az://")
OBJECT_BYTES_MAX = 1 << 20
"""What is read back is a checkpoint."""

BYTES, TEXT = "application/octet-stream", "text/plain; charset=utf-8"
IMMUTABLE = "public, max-age=31536000, immutable"
"""Of tiles and bundles: for ever the same bytes under the same path."""
BRIEF = "public, max-age=2"
"""Of the checkpoint, which is to be new. As the service itself answers (``api.answers``)."""


class Target(Protocol):
    """A place that files are put into; for several threads at once."""

    name: str

    def get_checkpoint(self) -> bytes | None:
        """The published checkpoint; None where there is none yet."""
        ...

    def put(self, path: str, data: bytes) -> None:
        """Put a tile or a bundle there, whole or not at all."""
        ...

    def put_checkpoint(self, note: bytes) -> None:
        """Make the checkpoint the published one; all that was put before is durable then."""
        ...


class FolderTarget:
    """A folder, for any static file server."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def get_checkpoint(self) -> bytes | None:
        """See `Target`."""
        try:
            with (self._folder / CHECKPOINT).open("rb") as file:
                return file.read(OBJECT_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error

    def put(self, path: str, data: bytes) -> None:
        """See `Target`."""
        place = self._folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f".{place.name}.part")
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
            _sync(place.parent)
        except OSError as error:
            raise self._failed(error) from error

    def put_checkpoint(self, note: bytes) -> None:
        """See `Target`."""
        self.put(CHECKPOINT, note)

    def _failed(self, error: OSError) -> FatalError:
        return FatalError(
            f"{self.name} could not be read or written ({error.strerror}); make room there, or "
            "give this user the right",
            code="target_failed",
        )


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class ObjectTarget:
    """A bucket, or a part of one. Credentials and the endpoint come from the environment.

    Args:
        url: Like ``s3://bucket/prefix``.
    """

    def __init__(self, url: str) -> None:
        self.name = url
        try:
            from obstore import store as obstore_stores
            from obstore.exceptions import BaseError
        except ImportError:
            raise MalformedError(
                "an object store needs the package obstore; install shanji[publish]",
                code="driver_missing",
            ) from None
        try:
            self._store: Any = obstore_stores.from_url(url)
        except (BaseError, ValueError) as error:
            raise MalformedError(
                f"expected a target like s3://bucket/prefix, got {url} ({_said(error)})",
                code="unknown_target",
            ) from None

    def get_checkpoint(self) -> bytes | None:
        """See `Target`."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            return bytes(obstore.get(self._store, CHECKPOINT).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    def put(self, path: str, data: bytes) -> None:
        """See `Target`."""
        self._put(path, data, BYTES, IMMUTABLE)

    def put_checkpoint(self, note: bytes) -> None:
        """See `Target`."""
        self._put(CHECKPOINT, note, TEXT, BRIEF)

    def _put(self, path: str, data: bytes, media_type: str, cache: str) -> None:
        import obstore
        from obstore.exceptions import BaseError

        attributes = {"Content-Type": media_type, "Cache-Control": cache}
        try:
            obstore.put(self._store, path, data, attributes=attributes, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> NotReadyError:
        return NotReadyError(
            f"{self.name} did not take or give an object ({_said(error)}); see that the bucket, "
            "the credentials and the endpoint are right, then try again",
            code="target_failed",
        )


def _said(error: Exception) -> str:
    """The first line of what went wrong: the rest repeats the request."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def open_target(where: str) -> Target:
    """Open a target by the form of its address.

    Raises:
        MalformedError: neither a folder nor an object store that is known.
    """
    if where.startswith(STORE_PREFIXES):
        return ObjectTarget(where)
    if "://" in where:
        raise MalformedError(
            f"expected a folder or one of {', '.join(STORE_PREFIXES)}, got {where}",
            code="unknown_target",
        )
    return FolderTarget(Path(where))
