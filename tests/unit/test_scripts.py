"""The developer's interface: the scripts, the locks and the import contracts.

The scripts run here in a small copy of the tree with a stand-in for Python that notes how
it is called, so that nothing is installed and no registry is asked.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from postgresql_server import binaries

SCRIPTS = ("run", "test", "check", "lock", "fault", "model", "screenshots")
TOOLS = (
    *("awk", "bash", "cat", "cmp", "cp", "dirname", "env", "git", "head", "id", "ln", "mkdir"),
    *("mv", "readlink", "rm", "sh", "sleep", "wc", "xargs"),
)

SECONDS_MAX = 300
NOBODYS_PID = 4_194_305
"""One more than Linux ever gives (``PID_MAX_LIMIT``): a number that was free may be taken again."""
PYTHON = """#!/bin/sh
# Stands in for Python: FOLDER/calls is what was called, FOLDER/broken makes pip fail.
case "$1 $2" in
    "-c "*version_info*) echo "VERSION" ;;
    "-c "*ensurepip*) exit ENSUREPIP ;;
    "-c "*) exit 0 ;;
    "-V "*) echo "Python VERSION.0" ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "venv $3" >>"FOLDER/calls" ;;
    "-m pip") echo "$*" >>"FOLDER/calls"; test ! -e "FOLDER/broken" ;;
    *) echo "$*" >>"FOLDER/calls" ;;
esac
"""


class Checkout:
    """A copy of what the scripts need, with stand-ins for Python and the programs it brings."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self.root = folder / "checkout"
        self.programs = folder / "programs"
        self.calls = folder / "calls"
        for name in ("scripts", "requirements", ".ci"):
            shutil.copytree(repository / name, self.root / name)
        shutil.copy(repository / "pyproject.toml", self.root)
        self.programs.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, f"{tool} is not on this machine"
            (self.programs / tool).symlink_to(found)

    def add_python(
        self, name: str = "python3", *, version: str = "3.12", ensurepip: int = 0
    ) -> None:
        text = PYTHON.replace("VERSION", version).replace("ENSUREPIP", str(ensurepip))
        write_program(self.programs / name, text.replace("FOLDER", str(self.folder)))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": str(self.programs), **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def need(self, lock: str, **environment: str) -> subprocess.CompletedProcess[str]:
        script = 'set -euo pipefail; source "$0/scripts/environment"; need_environment "$1"'
        return self.run("bash", "-c", script, str(self.root), lock, **environment)

    def take_calls(self) -> list[str]:
        """The calls since this was asked last."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return calls


def write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Checkout:
    return Checkout(tmp_path, repository)


# --- the environment ---


def test_an_environment_is_made_once(checkout: Checkout) -> None:
    checkout.add_python()
    first = checkout.need("runtime")
    assert first.returncode == 0, first.stderr
    made, build, locked, project = checkout.take_calls()
    assert made == f"venv {checkout.root / '.venv'}"
    for call in (build, locked):
        assert {"--require-hashes", "--no-deps", "--no-build-isolation"} <= set(call.split())
    assert build.endswith("requirements/build.txt")
    assert locked.endswith("requirements/runtime.txt")
    assert project.endswith(f"--editable {checkout.root}")
    second = checkout.need("runtime")
    assert (second.returncode, second.stderr, checkout.take_calls()) == (0, "", [])
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_the_environment_for_tests_also_serves_to_run(checkout: Checkout) -> None:
    checkout.add_python()
    assert checkout.need("runtime").returncode == 0
    checkout.take_calls()
    assert checkout.need("dev").returncode == 0
    assert any(call.endswith("requirements/dev.txt") for call in checkout.take_calls())
    assert checkout.need("runtime").returncode == 0
    assert checkout.take_calls() == []


def edit_lock(checkout: Checkout) -> None:
    with (checkout.root / "requirements/runtime.txt").open("a") as lock:
        lock.write("# changed\n")


def forget_recipe(checkout: Checkout) -> None:
    (checkout.root / ".venv/recipe").unlink()


def lose_python(checkout: Checkout) -> None:
    (checkout.root / ".venv/bin/python").unlink()


def move_checkout(checkout: Checkout) -> None:
    checkout.root = checkout.root.rename(checkout.folder / "moved")


@pytest.mark.parametrize("spoil", [edit_lock, forget_recipe, lose_python, move_checkout])
def test_an_outdated_or_half_made_environment_is_made_again(
    checkout: Checkout, spoil: Callable[[Checkout], None]
) -> None:
    checkout.add_python()
    assert checkout.need("runtime").returncode == 0
    checkout.take_calls()
    spoil(checkout)
    assert checkout.need("runtime").returncode == 0
    assert checkout.take_calls()[0].startswith("venv ")
    assert not (checkout.root / ".venv.before").exists()


def test_without_the_registry_it_says_so_and_keeps_what_was_there(checkout: Checkout) -> None:
    checkout.add_python()
    assert checkout.need("runtime").returncode == 0
    (checkout.root / ".venv/kept").touch()
    edit_lock(checkout)
    (checkout.folder / "broken").touch()
    failed = checkout.need("runtime")
    assert failed.returncode == 1
    assert "package registry" in failed.stderr
    assert (checkout.root / ".venv/kept").exists()
    assert not (checkout.root / ".venv.before").exists()
    (checkout.folder / "broken").unlink()
    assert checkout.need("runtime").returncode == 0
    assert not (checkout.root / ".venv/kept").exists()


def test_a_killed_set_up_is_taken_over(checkout: Checkout) -> None:
    checkout.add_python()
    assert checkout.need("runtime").returncode == 0
    # As a kill leaves it: the good environment aside, a half-made one, a lock of nobody.
    shutil.copytree(checkout.root / ".venv", checkout.root / ".venv.before")
    forget_recipe(checkout)
    (checkout.root / ".venv.lock").symlink_to(str(NOBODYS_PID))
    checkout.take_calls()
    assert checkout.need("runtime").returncode == 0
    assert checkout.take_calls() == []
    assert not (checkout.root / ".venv.before").exists()


def test_without_python_it_says_what_to_install(checkout: Checkout) -> None:
    failed = checkout.need("runtime")
    assert failed.returncode == 1
    assert "found no Python 3.11, 3.12 or 3.13" in failed.stderr


def test_another_python_is_not_taken(checkout: Checkout) -> None:
    checkout.add_python(version="3.10")
    failed = checkout.need("runtime")
    assert failed.returncode == 1
    assert "python3 is another version" in failed.stderr
    assert checkout.take_calls() == []


def test_a_python_without_venv_is_named(checkout: Checkout) -> None:
    checkout.add_python(ensurepip=1)
    failed = checkout.need("runtime")
    assert failed.returncode == 1
    assert "python3 lacks the modules venv and ensurepip" in failed.stderr
    checkout.add_python("python3.11", version="3.11")
    made = checkout.need("runtime")
    assert "Python 3.11.0" in made.stderr


def test_shanji_python_names_the_python(checkout: Checkout) -> None:
    checkout.add_python()
    checkout.add_python("another python", version="3.11")
    chosen = str(checkout.programs / "another python")
    assert "Python 3.11.0" in checkout.need("runtime", SHANJI_PYTHON=chosen).stderr
    assert checkout.need("runtime").stderr == ""
    assert "Python 3.12.0" in checkout.need("runtime", SHANJI_PYTHON="python3").stderr
    missing = checkout.need("runtime", SHANJI_PYTHON="no-python")
    assert missing.returncode == 1
    assert "as no-python" in missing.stderr


def test_a_missing_debian_program_is_told_where_it_cannot_be_had(checkout: Checkout) -> None:
    script = 'source "$0/scripts/environment"; need_debian "$1" "$1" "the browser test"'
    missing = checkout.run("bash", "-c", script, str(checkout.root), "no-such-program")
    assert missing.returncode == 1
    assert missing.stderr.endswith("the browser test is skipped\n")
    there = checkout.run("bash", "-c", script, str(checkout.root), "cat")
    assert (there.returncode, there.stderr) == (0, "")


# --- the scripts ---


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_strict_and_executable(repository: Path, name: str) -> None:
    path = repository / "scripts" / name
    assert path.stat().st_mode & stat.S_IXUSR
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    subprocess.run(["bash", "-n", path], check=True)


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    """A checkout with an environment whose programs only say what they were given."""
    checkout.add_python()
    assert checkout.need("dev").returncode == 0
    checkout.take_calls()
    for program in ("shanji", "ruff", "mypy", "lint-imports"):
        write_program(
            checkout.root / ".venv/bin" / program,
            f'#!/bin/sh\necho "{program} $*" >>"{checkout.calls}"\n',
        )
    (checkout.root / ".gitignore").write_text(".venv/\n")
    assert checkout.run("git", "init", "-q", "checkout").returncode == 0
    return checkout


def test_run_serves_the_demonstration(ready: Checkout) -> None:
    done = ready.run("checkout/scripts/run", "--port", "8001", "--full")
    assert done.returncode == 0, done.stderr
    assert ready.take_calls() == [
        f"shanji serve --host 127.0.0.1 --port 8000 --data {ready.root}/var --demonstration "
        "--port 8001 --full"
    ]


def test_test_runs_all_or_what_it_is_told(ready: Checkout, repository: Path) -> None:
    assert ready.run("checkout/scripts/test").returncode == 0
    proofs, coverage, others, *server = ready.take_calls()
    assert "--fail-under=100" in coverage.split()
    # Each test once: those of the proofs, which are traced, and then all others.
    traced = [one for one in proofs.split() if one.startswith("tests/")]
    assert all((repository / one).exists() for one in traced)
    assert others.split() == [
        *["-m", "pytest", "-n", "2", "--dist", "worksteal"],
        *map("--ignore={}".format, traced),
    ]
    # Once more on PostgreSQL, where it is installed.
    assert all("tests/store" in one.split() for one in server)
    assert len(server) == bool(binaries())
    assert ready.run("checkout/scripts/test", "--postgresql").returncode == 0
    whole = ready.take_calls()
    assert all(one.endswith("tests") for one in whole)
    assert len(whole) == bool(binaries())
    # The rest of it is what was not run there yet: both together are the whole.
    assert ready.run("checkout/scripts/test", "--postgresql-rest").returncode == 0
    rest = ready.take_calls()
    assert len(rest) == bool(binaries())
    for first, then, all_of_it in zip(server, rest, whole, strict=True):
        differs = [one for one in first.split() if one.startswith("tests/")]
        assert all((repository / one).exists() for one in differs)
        left = [*map("--ignore={}".format, differs)]
        assert [one for one in then.split() if one not in left] == all_of_it.split()
        assert set(left) <= set(then.split())
    assert ready.run("checkout/scripts/test", "tests/unit", "-k", "a b").returncode == 0
    assert ready.take_calls() == ["-m pytest tests/unit -k a b"]


def test_check_passes_a_clean_tree(ready: Checkout) -> None:
    done = ready.run("checkout/scripts/check")
    assert (done.returncode, "all checks passed" in done.stderr) == (0, True), done.stdout
    assert len(ready.take_calls()) == 4


@pytest.mark.parametrize(
    ("name", "text", "failed"),
    [
        ("notes.md", "from https://py" + "pi.org/simple\n", "no registry's host"),
        ("requirements/build.in", "# /roo" + "t/.cache\n", "no registry's host"),
        ("ledger/long.py", "x = 1\n" * 601, "no module over 600 lines"),
    ],
)
def test_check_finds_what_may_not_be_there(
    ready: Checkout, name: str, text: str, failed: str
) -> None:
    path = ready.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    done = ready.run("checkout/scripts/check")
    assert done.returncode == 1
    assert f"failed: {failed}" in done.stderr
    assert name in done.stdout


def test_check_does_not_pass_what_it_cannot_look_at(ready: Checkout) -> None:
    shutil.rmtree(ready.root / ".git")
    done = ready.run("checkout/scripts/check")
    assert done.returncode == 1
    assert "no registry's host" in done.stderr
    assert "no module over" in done.stderr


def test_check_runs_every_check_and_names_the_failed(ready: Checkout) -> None:
    write_program(ready.root / ".venv/bin/mypy", "#!/bin/sh\nexit 1\n")
    done = ready.run("checkout/scripts/check")
    assert done.returncode == 1
    assert done.stderr == "shanji: failed: types\n"
    assert [call.split()[0] for call in ready.take_calls()] == ["ruff", "ruff", "lint-imports"]


@pytest.mark.parametrize("failing", [None, "check", "test", "test --postgresql-rest"])
def test_ci_runs_everything_and_fails_where_any_of_it_does(
    checkout: Checkout, failing: str | None
) -> None:
    for name in ("check", "test"):
        write_program(
            checkout.root / "scripts" / name,
            f'#!/bin/sh\nset -- {name} "$@"\necho "ran $*"\n[ "$*" != "{failing}" ]\n',
        )
    done = checkout.run("bash", "checkout/.ci/run")
    assert done.returncode == (failing is not None)
    ran = [line for line in done.stdout.splitlines() if line.startswith("ran ")]
    assert ran == ["ran check", "ran test", "ran test --postgresql-rest"]


# --- the locks ---

Pins = dict[str, Requirement]


def read_lock(path: Path) -> Pins:
    """The requirements of a lock by name; each must have a hash."""
    pins: Pins = {}
    for line in path.read_text(encoding="utf-8").replace("\\\n", "").splitlines():
        text, *hashes = line.split("--hash=")
        requirement = Requirement(text.strip())
        assert hashes, f"{requirement.name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", part.strip()) for part in hashes)
        pins[canonicalize_name(requirement.name)] = requirement
    return pins


@pytest.fixture(scope="module")
def locks(repository: Path) -> dict[str, Pins]:
    names = ("build", "base", "runtime", "dev")
    return {name: read_lock(repository / f"requirements/{name}.txt") for name in names}


@pytest.mark.parametrize("name", ["build", "base", "runtime", "dev"])
def test_a_lock_names_no_place(repository: Path, name: str) -> None:
    text = (repository / f"requirements/{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_the_smaller_locks_are_parts_of_the_larger(locks: dict[str, Pins]) -> None:
    def versions(name: str) -> dict[str, str]:
        return {package: str(pin.specifier) for package, pin in locks[name].items()}

    assert versions("base").items() <= versions("runtime").items() <= versions("dev").items()
    assert versions("build").items() <= versions("dev").items()


def test_the_locks_fit_what_the_project_asks_for(repository: Path, locks: dict[str, Pins]) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    base = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    asked = {
        "build": project["build-system"]["requires"],
        "base": base,
        "runtime": [*base, *extras["server"]],
        "dev": [*base, *extras["server"], *extras["dev"]],
    }
    for name, requirements in asked.items():
        for requirement in map(Requirement, requirements):
            pin = locks[name][canonicalize_name(requirement.name)]
            (version,) = pin.specifier
            assert Version(version.version) in requirement.specifier, f"{pin} in {name}.txt"


def test_the_plain_install_has_nothing_of_the_server(locks: dict[str, Pins]) -> None:
    assert not {"pydantic", "fastapi", "sqlmodel", "sqlalchemy", "starlette"} & locks["base"].keys()


def test_merkletools_comes_without_what_builds_nowhere(locks: dict[str, Pins]) -> None:
    assert str(locks["runtime"]["merkletools"].specifier) == "==1.0.3"
    assert "pysha3" not in locks["dev"]


# --- who may import whom ---


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.fixture
def sources(tmp_path: Path, repository: Path) -> Path:
    for name in ("ledger", "api"):
        shutil.copytree(
            repository / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(repository / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept(sources: Path) -> None:
    done = lint(sources)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("ledger/utils.py", "", "every module has its place"),
        ("ledger/helpers/__init__.py", "", "every module has its place"),
        ("ledger/units.py", "import ledger.entry", "every module has its place"),
        ("ledger/store/stray.py", "import ledger.records.kind", "every module has its place"),
        ("ledger/errors.py", "import api.settings", "never the reverse"),
        ("api/stray.py", "import sqlalchemy", "Only the store knows the database"),
        ("ledger/state.py", "import sqlmodel", "Only the store knows the database"),
        ("ledger/entry.py", "import pydantic", "needs no server package"),
        ("ledger/commands/console.py", "import pydantic", "needs no server package"),
        ("ledger/verify.py", "import merkletools", "One module has the second opinion"),
        ("ledger/tlog/merkle.py", "import orjson", "the standard library and cryptography"),
    ],
)
def test_a_stray_module_or_import_fails(sources: Path, path: str, text: str, broken: str) -> None:
    target = sources / path
    target.parent.mkdir(exist_ok=True)
    with target.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    done = lint(sources)
    assert done.returncode == 1
    assert re.search(rf"{re.escape(broken)}\s+BROKEN", done.stdout), done.stdout


def test_every_import_is_a_declared_dependency(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["server"], *extras["auditor"]]
    asked += [*extras["postgres"], *extras["publish"], *extras["receipts"], "merkletools"]
    declared = {canonicalize_name(Requirement(text).name) for text in asked}
    graph = grimp.build_graph("ledger", "api", include_external_packages=True, cache_dir=None)
    imported = {module for module in graph.modules if graph.is_module_squashed(module)} - set(
        sys.stdlib_module_names
    )
    distributions = packages_distributions()
    undeclared = {
        module
        for module in imported
        if not declared & {canonicalize_name(name) for name in distributions.get(module, [])}
    }
    assert imported >= {"cryptography", "fastapi"}
    assert undeclared == set()


def test_the_tree_stands_on_cryptography_alone() -> None:
    graph = grimp.build_graph("ledger", include_external_packages=True, cache_dir=None)
    tree = {"ledger.tlog", *graph.find_descendants("ledger.tlog")}
    outside = {
        imported.split(".")[0]
        for module in tree
        for imported in graph.find_modules_directly_imported_by(module)
    }
    assert outside - set(sys.stdlib_module_names) == {"ledger", "cryptography"}
