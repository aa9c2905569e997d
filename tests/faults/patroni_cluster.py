"""A PostgreSQL cluster of the tests' own under Patroni: one etcd and several servers, all on
loopback, each server in a folder of its own with its Patroni.

It is set up as docs/failover.md says: synchronous replication, strict, so that a commit that
was answered is on two servers. Only processes that were started here are ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
from postgresql_server import as_owner, binaries, memory_folder, owner
from service import free_port

PROGRAMS = ("patroni", "etcd")
READY_SECONDS_MAX = 180
STOP_SECONDS_MAX = 180
ORDERLY_SECONDS_MAX = 30
"""So long Patroni may take to end in order, which it does not where the signal meets it in some of
its calls; the cluster is thrown away then anyhow."""
STEP_SECONDS = 0.25
SCOPE = "shanji"
USER = "shanji"
DYNAMIC = {
    # Patroni's least: how long a lost primary keeps the lock, how often and long it looks.
    "ttl": 20,
    "loop_wait": 1,
    "retry_timeout": 3,
    "maximum_lag_on_failover": 1_048_576,
    # What was killed is not waited for: a standby takes over at once.
    "master_start_timeout": 0,
    "synchronous_mode": True,
    "synchronous_mode_strict": True,
    "postgresql": {
        "use_pg_rewind": True,
        "parameters": {
            "max_connections": 60,
            "shared_buffers": "32MB",
            "synchronous_commit": "on",
            "wal_log_hints": "on",
        },
    },
}


def missing() -> str | None:
    """What a cluster needs and this machine lacks; None where it has all."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if binaries() is None:
        absent.append("postgresql")
    return ", ".join(absent) or None


def eventually(what: str, holds: Callable[[], bool], seconds: float = READY_SECONDS_MAX) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not, in time.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not in {seconds:.0f} s: {what}")
        time.sleep(STEP_SECONDS)


class Program:
    """A started program with its children, in a process group of its own."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                as_owner(command), stdout=out, stderr=out, cwd="/", start_new_session=True
            )

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to it alone."""
        if self.running():
            self.process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS_MAX) -> None:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, in time.
        """
        self.process.wait(seconds)


class Member:
    """One server and the Patroni that looks after it."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.name = f"server{number}"
        self.port, self.rest = free_port(), free_port()
        self.folder = cluster.folder / self.name
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, owner())
        self.data = self.folder / "data"
        self._file = self.folder / "patroni.json"
        # Patroni reads YAML, of which JSON is a part.
        self._file.write_text(json.dumps(self._configuration(cluster)))
        self._program: Program | None = None

    def _configuration(self, cluster: Cluster) -> dict[str, Any]:
        account = {"username": USER, "password": "unused"}
        trust = ["local all all trust", "host all all 127.0.0.1/32 trust"]
        return {
            "scope": SCOPE,
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}"},
            "etcd3": {"hosts": f"127.0.0.1:{cluster.etcd_port}"},
            "bootstrap": {
                "dcs": DYNAMIC,
                "initdb": [
                    {"encoding": "UTF8"},
                    {"locale": "C.UTF-8"},
                    {"username": USER},
                    "data-checksums",
                ],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.data),
                "bin_dir": str(cluster.bin),
                "pgpass": str(self.folder / "pgpass"),
                "parameters": {"unix_socket_directories": str(self.folder)},
                "authentication": {"superuser": account, "replication": account, "rewind": account},
                "pg_hba": [*trust, "host replication all 127.0.0.1/32 trust"],
            },
        }

    def start(self) -> None:
        """Start Patroni, which starts the server, as a standby where there is a primary."""
        program = shutil.which("patroni")
        assert program is not None
        self._program = Program([program, str(self._file)], self.folder / "patroni.log")

    def state(self) -> dict[str, Any]:
        """What Patroni says of the server; empty where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/patroni", timeout=5) as got:
                return dict(json.loads(got.read()))
        except urllib.error.HTTPError as error:
            return dict(json.loads(error.read()))
        except (OSError, ValueError):
            return {}

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes."""
        state = self.state()
        return (state.get("role"), state.get("state")) in (
            ("master", "running"),
            ("primary", "running"),
        )

    @property
    def streams(self) -> bool:
        """Whether it is a standby that follows."""
        state = self.state()
        return state.get("role") == "replica" and state.get("state") in ("running", "streaming")

    def kill(self) -> None:
        """End Patroni and its server as a power cut would."""
        if self._program is not None:
            self._program.signal(signal.SIGKILL)
            self._program.wait()
        self.kill_server()

    def kill_server(self) -> None:
        """End the server alone as a crash would; Patroni stays."""
        try:
            number = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(number, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return
        _await_children(self.data)

    def begin_to_stop(self) -> None:
        """Tell Patroni to end its server and itself."""
        if self._program is not None:
            self._program.signal(signal.SIGTERM)

    def stop(self) -> None:
        """End both in order; what does not end is killed."""
        self.begin_to_stop()
        if self._program is not None:
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(ORDERLY_SECONDS_MAX)
        self.kill()


def _await_children(data: Path) -> None:
    """Wait until no process of the server holds its data folder any more."""

    def gone() -> bool:
        for one in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if one.readlink() == data:
                    return False
            except OSError:
                continue
        return True

    eventually("the killed server's processes have ended", gone, STOP_SECONDS_MAX)


class Cluster:
    """An etcd and members; `url` names the log's database on whichever is the primary."""

    def __init__(self, folder: Path, members: int) -> None:
        found, etcd = binaries(), shutil.which("etcd")
        assert found is not None
        assert etcd is not None
        self.folder, self.bin = folder, found
        self.etcd_port, peer = free_port(), free_port()
        here, there = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{peer}"
        self._etcd = Program(
            [
                etcd,
                "--name=etcd",
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={here}",
                f"--advertise-client-urls={here}",
                f"--listen-peer-urls={there}",
                f"--initial-advertise-peer-urls={there}",
                f"--initial-cluster=etcd={there}",
            ],
            folder / "etcd.log",
        )
        self.members = [Member(self, number) for number in range(members)]

    def start(self) -> None:
        """Start all and make the log's database; returns when every standby follows."""
        for member in self.members:
            member.start()
        eventually("a primary and its standbys", self.whole)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE log ENCODING UTF8 TEMPLATE template0")

    def whole(self) -> bool:
        """Whether there is one primary, all others follow it, and one may take its place."""
        return (
            sum(one.is_primary for one in self.members) == 1
            and sum(one.streams for one in self.members) == len(self.members) - 1
            and any(one.state().get("sync_standby") for one in self.members)
        )

    def primary(self) -> Member | None:
        """The member that takes writes now."""
        return next((one for one in self.members if one.is_primary), None)

    def url(self, name: str = "log") -> str:
        """All servers in one URL: libpq takes the one that takes writes."""
        hosts = ",".join("127.0.0.1" for _ in self.members)
        ports = ",".join(str(one.port) for one in self.members)
        options = "target_session_attrs=read-write&connect_timeout=3"
        return f"postgresql://{USER}@/{name}?host={hosts}&port={ports}&{options}"

    def stop(self) -> None:
        """End everything that was started."""
        for member in self.members:
            member.begin_to_stop()
        for member in self.members:
            member.stop()
        self._etcd.signal(signal.SIGTERM)
        self._etcd.wait()


@contextmanager
def cluster(members: int = 3) -> Iterator[Cluster]:
    """A new cluster, gone afterwards."""
    folder = Path(mkdtemp(prefix="shanji-patroni-", dir=memory_folder()))
    if os.geteuid() == 0:
        shutil.chown(folder, owner())
    try:
        made = Cluster(folder, members)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
