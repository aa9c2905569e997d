"""The files that pages ask for: the style sheet and the icon, under their content's hash.

A file's address changes with its bytes, so browsers and proxies keep it for ever.
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
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""Every file that is served, by name."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

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
    found: dict[str, Asset] = {}
    for name, media_type in _MEDIA_TYPES.items():
        data = (_FOLDER / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()[:DIGEST_CHARS]
        found[name] = Asset(name, digest, data, media_type)
    return found


def asset_path(name: str) -> str:
    """The address of a file, for templates."""
    return assets()[name].path


def find_asset(digest: str, name: str) -> Asset:
    """The file at an address.

    Raises:
        NotFoundError: there is no such file, or it has other bytes by now.
    """
    asset = assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotFoundError(f"there is no file {name[:100]!r} of that version", code="no_asset")
    return asset
