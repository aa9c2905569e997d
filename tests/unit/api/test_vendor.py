"""Third-party files are what the manifest says, every one of them, with their licence."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import api.pages

FOLDER = Path(api.pages.__file__).parent / "static" / "vendor"


def test_every_file_is_the_one_in_the_manifest() -> None:
    manifest = tomllib.loads((FOLDER / "manifest.toml").read_text("utf-8"))
    listed = {
        f"{asset['folder']}/{name}": digest
        for asset in manifest["asset"]
        for name, digest in asset["sha256"].items()
    }
    found = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name != "manifest.toml"
    }
    assert found == listed


def test_every_asset_has_name_version_licence_and_its_text() -> None:
    manifest = tomllib.loads((FOLDER / "manifest.toml").read_text("utf-8"))
    for asset in manifest["asset"]:
        assert all(asset[key] for key in ("name", "version", "licence", "copyright", "use"))
        assert "LICENSE" in asset["sha256"]
