"""``shanji serve`` and ``shanji token`` as people run them, in processes of their own."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from scribe import Scribe, audited
from typer.testing import CliRunner

from api.auth import TOKENS_FILE, list_tokens, revoke_token
from api.cli import register
from api.serving import DEMONSTRATION_TOKENS, bind, prepare_log
from api.settings import Settings
from ledger import demonstration
from ledger.book import Book
from ledger.errors import (
    CorruptionError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.records.kind import Role

COMMAND = [sys.executable, "-c", "from ledger.cli import main; main()"]
SECONDS_MAX = 120
NEW_LOG = ("--origin", "shanji.example/serving", "--organisation", "示例慈善会")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def token(*arguments: object) -> str:
    """What ``shanji token`` prints, in this process; raises what ends the command."""
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["token", *map(str, arguments)], catch_exceptions=False).stdout


@contextmanager
def started(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A service that has said that it answers, and the lines that it said."""
    command = [*COMMAND, "serve", "--port", "0", *map(str, arguments)]
    # What it logs is shown where the test fails, and fills no pipe that nobody reads.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "the service ended"
            lines.append(line)
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=SECONDS_MAX)


def address(lines: list[str]) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))
    assert match
    return match[0]


def fetch(url: str, **headers: str) -> Any:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_answers_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    data = tmp_path / "data"
    with started("--data", data, *NEW_LOG) as (process, lines):
        url = address(lines)
        value = fetch(f"{url}/v1/log")
        assert value["verifier_keys"][0] in "".join(lines)
        assert fetch(f"{url}/readyz") == {"status": "ok", "size": 1}
        process.send_signal(stop)
        assert process.wait(SECONDS_MAX) == 0
    # The next start goes on with the same log, and needs no name for it.
    with started("--data", data) as (process, lines):
        assert fetch(f"{address(lines)}/v1/log") == value
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS_MAX) == 0


def pid_of(client: httpx.Client, url: str) -> int:
    """The process that has this client's connection."""
    match = re.search(r'shanji_process\{pid="(\d+)"\} 1', client.get(f"{url}/metrics").text)
    assert match
    return int(match[1])


def test_two_workers_write_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    # Each client's connection stays with its worker; after five seconds it would be cut, perhaps
    # in the middle of a request.
    monkeypatch.setenv("SHANJI_KEEP_ALIVE_SECONDS", "600")
    with ExitStack() as stack:
        process, lines = stack.enter_context(started("--data", data, "--workers", "2", *NEW_LOG))
        url = address(lines)
        made = token("create", "registrar-1", "registrar", "--data", data).strip()
        # Which worker takes a connection is the system's choice: some of each are wanted.
        clients: dict[int, httpx.Client] = {}
        end = time.monotonic() + SECONDS_MAX
        while len(clients) < 2:
            assert time.monotonic() < end
            client = stack.enter_context(httpx.Client(timeout=SECONDS_MAX))
            clients.setdefault(pid_of(client, url), client)
        indices: list[int] = []
        for number in range(6):
            client = list(clients.values())[number % 2]
            fields = {"code": f"fund-{number}", "name": "资金", "fund_class": "unrestricted"}
            body = {"kind": "fund.opened", "occurred_on": "2021-10-08", "fields": fields}
            headers = {"Authorization": f"Bearer {made}", "Idempotency-Key": str(number)}
            answer = client.post(f"{url}/v1/entries", json=body, headers=headers)
            assert answer.status_code == 201, answer.text
            indices.append(answer.json()["index"])
        assert indices == list(range(1, 7))
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_MAX) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in clients)
    book = Book.open(data)
    assert audited(book).size == 7
    book.close()


def test_a_token_made_beside_it_works_and_is_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started("--data", data, *NEW_LOG) as (_, lines):
        url = address(lines)
        made = token("create", "registrar-1", "registrar", "--data", data)
        body = {
            "kind": "fund.opened",
            "occurred_on": "2021-10-08",
            "fields": {"code": "general", "name": "资金", "fund_class": "unrestricted"},
        }
        headers = {"Authorization": f"Bearer {made.strip()}", "Idempotency-Key": "a"}
        answer = httpx.post(f"{url}/v1/entries", json=body, headers=headers, timeout=SECONDS_MAX)
        assert (answer.status_code, answer.json()["index"]) == (201, 1)
        listed = token("list", "--data", data).split("\t")
        assert listed[1:3] == ["registrar-1", "registrar"]
        assert token("revoke", listed[0], "--data", data).startswith(listed[0])
        # It may work a moment longer (`auth.FRESH_SECONDS`).
        end = time.monotonic() + SECONDS_MAX
        while answer.status_code in (200, 201) and time.monotonic() < end:
            time.sleep(0.05)
            answer = httpx.post(
                f"{url}/v1/entries", json=body, headers=headers, timeout=SECONDS_MAX
            )
        assert answer.status_code == 401
        assert token("list", "--data", data) == ""


def test_a_token_needs_a_log_and_a_role(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds no log"):
        token("create", "clerk-1", "clerk", "--data", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    Book.create(tmp_path / "data", origin="shanji.example/x", organisation="示例").close()
    with pytest.raises(MalformedError, match="registrar, clerk"):
        token("create", "clerk-1", "boss", "--data", tmp_path / "data")


def test_what_hinders_the_start_ends_with_a_message(tmp_path: Path) -> None:
    done = run("serve", "--port", 0, "--data", tmp_path / "new")
    assert done.returncode == 2
    assert re.fullmatch("shanji: .+--origin.+--demonstration\n", done.stderr)
    assert done.stdout == ""
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("data", "given", "words"),
    [
        ("new", {}, "--organisation"),
        ("new", {"origin": "shanji.example/x"}, "--organisation"),
        ("new", {"origin": "a b", "organisation": "示例"}, "--origin 'a b'"),
        ("log", {"origin": "shanji.example/other"}, "holds the log shanji.example/serving"),
        ("file", {"origin": "shanji.example/x", "organisation": "示例"}, "data folder"),
        ("rubbish", {}, "not a database"),
        ("keyless", {}, "log-key.pem is missing"),
    ],
)
def test_each_hindrance_is_told(
    hindered: Path, data: str, given: dict[str, str], words: str
) -> None:
    settings = Settings(data=hindered / data, **given)
    with pytest.raises(LedgerError, match=re.escape(words)):
        prepare_log(settings, with_demonstration=False, full=False)


def test_the_demonstration_does_not_go_into_another_log(hindered: Path) -> None:
    with pytest.raises(MalformedError, match="records of its own"):
        prepare_log(Settings(data=hindered / "log"), with_demonstration=True, full=False)


@pytest.fixture(scope="module")
def hindered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with which no service starts, and a log that is no demonstration."""
    folder = tmp_path_factory.mktemp("hindered")
    book = Book.create(folder / "log", origin="shanji.example/serving", organisation="示例")
    Scribe(book).tell("party.registered", {"code": "a", "party_class": "person"})
    book.close()
    (folder / "file").write_text("")
    (folder / "rubbish").mkdir()
    (folder / "rubbish" / "ledger.sqlite3").write_bytes(b"rubbish" * 1000)
    Book.create(folder / "keyless", origin="shanji.example/y", organisation="示例").close()
    (folder / "keyless" / "keys" / "log-key.pem").unlink()
    return folder


def test_a_port_in_use_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", port, "--data", tmp_path / "data", *NEW_LOG)
    assert done.returncode == 3
    assert f"port {port}" in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_address_is_taken_or_refused() -> None:
    with bind("127.0.0.1", 0) as one:
        assert one.getsockname()[0] == "127.0.0.1"
        # What asyncio looks at before it switches Nagle's delay off.
        assert one.proto == socket.IPPROTO_TCP
        one.listen()
        with pytest.raises(NotReadyError, match="in use"):
            bind("127.0.0.1", one.getsockname()[1])
    with pytest.raises(NotReadyError):
        bind("192.0.2.1", 0)
    with pytest.raises(MalformedError):
        bind("a" * 300, 0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration of ten gifts on its giving days, which is quick to load."""
    monkeypatch.setattr(demonstration, "GIVING_GIFTS", 10)


def prepare(data: Path, **more: Any) -> dict[Role, str]:
    settings = Settings(data=data, **more)
    return dict(prepare_log(settings, with_demonstration=True, full=False))


@pytest.mark.usefixtures("short")
def test_the_demonstration_is_loaded_once_with_a_token_for_each_role(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tokens = prepare(data)
    assert set(tokens) == set(Role)
    for name in (DEMONSTRATION_TOKENS, TOKENS_FILE):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    book = Book.open(data)
    size, origin = book.head().size, book.origin
    assert demonstration.is_loaded(book)
    book.close()
    assert origin == demonstration.ORIGIN
    assert prepare(data) == tokens
    # Without asking for it again, it is still a demonstration, and its tokens are shown.
    assert prepare_log(Settings(data=data), with_demonstration=False, full=False) == tokens
    book = Book.open(data)
    assert book.head().size == size
    book.close()


@pytest.mark.usefixtures("short")
def test_a_load_that_was_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        chapters = (*demonstration.CHAPTERS[:5], interrupt)
        broken.setattr(demonstration, "CHAPTERS", chapters)
        with pytest.raises(KeyboardInterrupt):
            prepare(data)
    book = Book.open(data)
    half = book.head().size
    book.close()
    assert half > 10
    prepare(data)
    book = Book.open(data)
    assert demonstration.is_loaded(book)
    with book.store.read() as reader:
        keys = [row[0] for row in reader.scan("idempotency")]
    assert len(set(keys)) == len(keys) == book.head().size
    book.close()


@pytest.mark.usefixtures("short")
def test_a_token_that_was_revoked_is_not_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    prepare(data)
    clerk = next(one for one in list_tokens(data) if one.person.role is Role.CLERK)
    revoke_token(data, clerk.id)
    assert set(prepare(data)) == set(Role) - {Role.CLERK}
    (data / DEMONSTRATION_TOKENS).write_text("[]")
    with pytest.raises(CorruptionError):
        prepare(data)


@pytest.mark.usefixtures("short")
def test_a_name_of_ones_own_for_the_demonstration(tmp_path: Path) -> None:
    prepare(tmp_path, origin="shanji.example/mine")
    with pytest.raises(LedgerError, match=r"shanji\.example/mine"):
        prepare(tmp_path, origin="shanji.example/another")
