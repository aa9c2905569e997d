"""The files that pages ask for: styles, modules, pictures, under the hash of all of them.

The address of a file has the hash of every file in it, so browsers and proxies keep each
for ever; and as all share that one prefix, a module imports another by its relative name
(``import {aloud} from "./aloud.js"``) and a style sheet need know no hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ledger.errors import NotFoundError

DIGEST_CHARS = 16

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
"""What is served, by the end of its name; anything else in the folder is not."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent; `name` is its path in the folder."""

    name: str
    digest: str
    data: bytes
    media_type: str

    @property
    def path(self) -> str:
        """Where pages ask for it."""
        return f"/static/{self.digest}/{self.name}"


@cache
def assets() -> Mapping[str, Asset]:
    """Every file by name."""
    files = {
        path.relative_to(_FOLDER).as_posix(): path.read_bytes()
        for path in sorted(_FOLDER.rglob("*"))
        if path.is_file() and path.suffix in _MEDIA_TYPES
    }
    digest = _digest(files)
    return {
        name: Asset(name, digest, data, _MEDIA_TYPES[Path(name).suffix])
        for name, data in files.items()
    }


def _digest(files: Mapping[str, bytes]) -> str:
    """One hash of all names and bytes; each file is hashed by itself, so none can pose as two."""
    whole = hashlib.sha256()
    for name, data in files.items():
        whole.update(f"{hashlib.sha256(data).hexdigest()} {name}\n".encode())
    return whole.hexdigest()[:DIGEST_CHARS]


def asset_path(name: str) -> str:
    """The address of a file, for templates."""
    return assets()[name].path


def find_asset(digest: str, name: str) -> Asset:
    """The file at an address.

    Raises:
        NotFoundError: there is no such file, or the files are others by now.
    """
    asset = assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotFoundError(f"there is no file {name[:100]!r} of that version", code="no_asset")
    return asset
