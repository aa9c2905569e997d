"""Where the logs of a fault are: files, or databases of a real PostgreSQL server.

The server is as `postgresql_server` makes one, with every commit synced. It may be killed
as a power cut would, and a proxy may stand before it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
from postgresql_server import Databases, Server, binaries, running
from processes import until

SETTINGS = """
fsync = on
full_page_writes = on
synchronous_commit = on
max_connections = 40
"""
GONE_SECONDS_MAX = 120
SOCKET = ".s.PGSQL.5432"


def missing() -> str:
    """Why no server can be played with here; empty where it can."""
    return "" if binaries() is not None else "PostgreSQL is missing (Debian's package postgresql)"


@contextmanager
def databases() -> Iterator[Databases]:
    """A server for one fault."""
    with running(SETTINGS) as server, closing(Databases(server)) as made:
        yield made


def new_url(place: Databases | None) -> str | None:
    """The URL of a new database; None for a file."""
    return None if place is None else place.server.url(place.new())


def crash(server: Server) -> None:
    """kill -9 of the server and all its processes, whatever they were doing."""
    postmaster = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    # Held first: a process that it starts while its family is counted would outlive it.
    os.kill(postmaster, signal.SIGSTOP)
    until(lambda: "\nState:\tT" in Path(f"/proc/{postmaster}/status").read_text())
    family = [postmaster, *children(postmaster)]
    for pid in family:
        _kill(pid)
    end = time.monotonic() + GONE_SECONDS_MAX
    while any(_is_there(pid) for pid in family) and time.monotonic() < end:
        time.sleep(0.01)
    # As after a power cut: its number may be another process's by now, or one's that has ended
    # and that nobody asked for.
    (server.data / "postmaster.pid").unlink()
    (server.folder / f"{SOCKET}.lock").unlink()


def recover(place: Databases) -> None:
    """Start the server again; it plays its log of changes."""
    place.server.start()
    place.reopen()


@contextmanager
def all_connections(url: str) -> Iterator[list[psycopg.Connection]]:
    """Take every connection that the server has left, those of its superuser too."""
    taken: list[psycopg.Connection] = []
    try:
        take(url, taken)
        yield taken
    finally:
        for one in taken:
            one.close()


def take(url: str, taken: list[psycopg.Connection]) -> bool:
    """Take every connection that is free; whether any is taken by now."""
    while True:
        try:
            taken.append(psycopg.connect(url, autocommit=True))
        except psycopg.OperationalError:
            return bool(taken)


@contextmanager
def head_locked(url: str) -> Iterator[None]:
    """Another program's transaction: nobody else can write."""
    with psycopg.connect(url) as other:
        other.execute("SELECT size FROM head FOR UPDATE")
        yield
        other.rollback()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    found: list[int] = []
    with suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_there(pid: int) -> bool:
    """Whether it still runs: one whose parent has not asked for it yet does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
