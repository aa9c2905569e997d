"""A PostgreSQL server of the tests' own: made in a temporary folder, on a Unix socket.

With ``SHANJI_TEST_DATABASE=postgresql`` every log of a test is in a database of its own
(`Databases`), on one server for the whole run, whose folder the workers find in the
environment; tests that are about PostgreSQL start one whatever is set.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
from troubles import trouble

from ledger.store import Store, place

VARIABLE = "SHANJI_TEST_DATABASE"
SERVER_VARIABLE = "SHANJI_TEST_SERVER"
"""The folder of the server that the run has started for all its workers."""
USERS = ("postgres", "nobody")
"""Who runs the server where the tests run as root, which PostgreSQL refuses."""
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 64MB
autovacuum = off
wal_level = minimal
max_wal_senders = 0
"""
MEMORY_BYTES_MIN = 2 * 1024**3
MARKER = "test-database.json"
TEMPLATE = "shanji_empty"
COPY_TRIES = 20
SECONDS_MAX = 240
"""How long one of the server's programs may take; to start and to stop it, half of that."""
IDLE_ENDED = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = %s AND state = 'idle'
"""


def wanted() -> bool:
    """Whether the suite is to run on PostgreSQL."""
    return os.environ.get(VARIABLE) == "postgresql"


def binaries() -> Path | None:
    """The folder of the newest server's programs; None where there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda one: int(one.parts[-3]) if one.parts[-3].isdigit() else 0,
    )
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return None if named is None else Path(named).resolve().parent


def as_owner(command: Sequence[str]) -> list[str]:
    """A command as a user that may run a server."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={owner()}", "--clear-groups", "--", *command]


def owner() -> str:
    """The user who runs servers where the tests run as root."""
    import pwd

    known = {one.pw_name for one in pwd.getpwall()}
    return next(user for user in USERS if user in known)


def memory_folder() -> Path | None:
    """A folder in memory where a server finds room, open to its owner; None for the usual one."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < MEMORY_BYTES_MIN:
        return None
    return memory


class Server:
    """A running server; its databases are reached by the socket in `folder`."""

    def __init__(self, bin_folder: Path, folder: Path) -> None:
        self.bin = bin_folder
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        wait = ("-w", "-t", SECONDS_MAX // 2, "-s")
        self.run("pg_ctl", "-D", self.data, "-l", self.log, *wait, "-o", " ".join(options), "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is as a crash."""
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", SECONDS_MAX // 2, "-s", "stop")

    def run(self, program: str, *arguments: object) -> None:
        """Run one of the server's programs as its owner; a failure says what the server's log
        does."""
        done = subprocess.run(
            as_owner([str(self.bin / program), *map(str, arguments)]),
            check=False,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
        )
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{trouble(self.log)}")

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://shanji@/{name}?host={self.folder}"

    def execute(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement of its own in a database."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [] if cursor.description is None else cursor.fetchall()


@contextmanager
def running(configuration: str = "") -> Iterator[Server]:
    """A new server, gone afterwards."""
    found = binaries()
    assert found is not None
    folder = Path(mkdtemp(prefix="shanji-pg-", dir=memory_folder()))
    server = Server(found, folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, owner())
        options = ("--auth=trust", "--username=shanji", "--encoding=UTF8", "--locale=C.UTF-8")
        server.run("initdb", "-D", server.data, "--no-sync", *options)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(folder=folder) + configuration)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_the_run() -> Server | None:
    """The server that was started for the whole run; None where there is none."""
    found, folder = binaries(), os.environ.get(SERVER_VARIABLE)
    return None if found is None or folder is None else Server(found, Path(folder))


class Databases:
    """A database for each data folder, made when it is first asked for, gone with the folder.

    A copy of a folder gets a copy of its database, so that logs are made once and copied as
    files are. The folder's marker says whose database it is.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = count(1)
        self._worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self._folders: dict[str, Path] = {}
        # A service's threads open logs, too.
        self._lock = threading.Lock()
        if not server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
            server.execute(f"CREATE DATABASE {TEMPLATE}")
            Store.open(server.url(TEMPLATE)).close()
        self._connection = psycopg.connect(server.url("postgres"), autocommit=True)

    def close(self) -> None:
        """Let go of the server."""
        self._connection.close()

    def reopen(self) -> None:
        """Take hold of a server that was started again."""
        self.close()
        self._connection = psycopg.connect(self.server.url("postgres"), autocommit=True)

    def new(self, template: str = TEMPLATE) -> str:
        """The name of a new database, a copy of another that nobody uses."""
        name = f"{self._worker}_{next(self._numbers)}"
        # Copying files takes a third of what writing them ahead takes.
        statement = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        for _ in range(COPY_TRIES):
            try:
                self._connection.execute(statement)
            except psycopg.errors.ObjectInUse:
                # A file is copied while it is open, too: idle connections come back by themselves.
                self._connection.execute(IDLE_ENDED, [template])
            else:
                return name
        raise RuntimeError(f"somebody is at work in {template}: no copy can be made of it")

    def _drop_gone(self) -> None:
        """Drop the databases of folders that are no more: a passed test's are removed."""
        for name in [one for one, folder in self._folders.items() if not folder.exists()]:
            # One that a test has left open is dropped with the server.
            with suppress(psycopg.errors.ObjectInUse):
                self._connection.execute(f"DROP DATABASE {name}")
            del self._folders[name]

    def url_of(self, folder: Path) -> str | None:
        """What a data folder says: the URL of its database; None for one without a log of its
        own to be made or opened (``place.read_url``)."""
        with self._lock:
            return self._url_of(folder)

    def _url_of(self, folder: Path) -> str | None:
        marker, here = folder / MARKER, str(folder.absolute())
        made = (folder / "keys").is_dir() or marker.exists()
        if not made or (folder / place.DATABASE).exists():
            return None
        kept = json.loads(marker.read_bytes()) if marker.exists() else {"name": TEMPLATE}
        own = folder / place.URL_FILE
        if kept.get("folder") != here:
            kept = {"folder": here, "name": self.new(kept["name"])}
            marker.write_text(json.dumps(kept))
            self._folders[kept["name"]] = folder.absolute()
            self._drop_gone()
        elif own.exists() and own.read_text().strip() != self.server.url(kept["name"]):
            # A test gave the folder a database by its name.
            return own.read_text().strip()
        url = self.server.url(kept["name"])
        # For other processes, which read the file.
        own.write_text(url + "\n")
        return url
