"""The built wheel: it holds every file, and its plain install verifies a receipt."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from functools import partial
from pathlib import Path

import pytest
from templates import made_once

PACKAGES = ("ledger", "api")
SERVER_PACKAGES = {"alembic", "fastapi", "pydantic", "sqlalchemy", "sqlmodel", "starlette"}
UNREACHED = re.compile(
    r"Retrying \(|Connection|timed out|[Nn]ame resolution|HTTP error (429|5\d\d)|not enough bytes"
)
"""What pip says of a registry that does not answer, or answers that it cannot now."""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def list_sources(repository: Path) -> set[str]:
    return {
        path.relative_to(repository).as_posix()
        for package in PACKAGES
        for path in (repository / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, once for both tests."""
    (built,) = made_once(tmp_path_factory, "wheel", partial(build_wheel, repository)).glob("*.whl")
    return built


def build_wheel(repository: Path, folder: Path) -> None:
    """Build from a copy, so that nothing is left in the checkout; no network is used."""
    folder.mkdir()
    for package in PACKAGES:
        shutil.copytree(
            repository / package,
            folder / "sources" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for name in ("pyproject.toml", "README.md"):
        if (repository / name).exists():
            shutil.copy(repository / name, folder / "sources")
    command = ("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "sources")
    done = run(sys.executable, *command, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_file_and_no_other(repository: Path, wheel: Path) -> None:
    sources = list_sources(repository)
    for pattern in (
        r"api/pages/templates/.+\.html",
        r"api/pages/static/.+\.css",
        r"ledger/store/migrations/versions/0001_.+\.py",
        r"ledger/py\.typed",
    ):
        assert any(re.fullmatch(pattern, name) for name in sources), pattern
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert names == sources


@pytest.mark.slow
def test_the_plain_install_verifies_a_receipt(
    repository: Path, wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "plain", symlinks=True)
    programs = tmp_path / "plain/bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps")
    lock = repository / "requirements/base.txt"
    done = run(*pip, "--retries", "1", "--require-hashes", "-r", lock, cwd=tmp_path)
    if done.returncode != 0 and UNREACHED.search(done.stderr):
        pytest.skip("the package registry is not reached: no clean environment to install in")
    assert done.returncode == 0, done.stderr
    done = run(*pip, "--no-index", wheel, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    listing = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    installed = set(run(programs / "python", "-c", listing, cwd=tmp_path).stdout.lower().split())
    assert {"shanji", "cryptography"} <= installed
    assert not installed & SERVER_PACKAGES

    vectors = repository / "docs/vectors/receipts"
    for file, code in (("gift.tlog-proof", 0), ("tampered.tlog-proof", 1)):
        command = (programs / "shanji", "verify", vectors / file, "--key", vectors / "log.vkey")
        done = run(*command, cwd=tmp_path)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout + done.stderr
