"""A real service and real witnesses, each in a process of its own, killed and restarted."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service import Service
from witness_process import WitnessProcess

from api.auth import create_token
from ledger.book import Book
from ledger.errors import PendingError
from ledger.records.kind import Role
from ledger.tlog.note import VerifierKey, format_verifier_key
from ledger.tlog.policy import Group, LogKey, Policy, Witness, format_policy
from ledger.tlog.witnessed import open_witnessed
from ledger.verify import verify_receipt

WAIT_SECONDS_MAX = 180
PATIENT = "from ledger import feed; feed.START_SECONDS_MAX = feed.REQUEST_SECONDS_MAX = 120"
"""Witnesses on a loaded machine may need longer than a start waits for them; it is ready then."""


def eventually(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not (found := check()):
        assert time.monotonic() < end, "it did not come to be so"
        time.sleep(0.1)
    return found


class World:
    """A log with two witnesses, of which its policy wants both."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        book = Book.create(self.data, origin="shanji.example/seen", organisation="示例慈善会")
        book.close()
        self.keys: tuple[VerifierKey, ...] = book.verifier_keys
        self.token = create_token(self.data, "registrar-1", Role.REGISTRAR)
        logs = [format_verifier_key(one) for one in self.keys]
        self.witnesses = [
            WitnessProcess(folder / f"w{number}", *logs, name=f"w{number}.example")
            for number in range(2)
        ]
        lines = tuple(Witness(f"W{n}", one.key, one.url) for n, one in enumerate(self.witnesses))
        self.policy = Policy(
            tuple(map(LogKey, self.keys)), lines, (Group("both", 2, ("W0", "W1")),), "both"
        )
        self.policy_file = folder / "policy"
        self.policy_file.write_bytes(format_policy(self.policy))
        self.service = Service(self.data, "--policy", str(self.policy_file))

    def record(self, code: str) -> dict[str, Any]:
        fields = {"code": code, "name": code, "fund_class": "unrestricted"}
        body = {"kind": "fund.opened", "occurred_on": "2021-10-08", "fields": fields}
        asked = urllib.request.Request(
            f"{self.service.url}/v1/entries",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Idempotency-Key": code},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            value: dict[str, Any] = json.load(answer)
        return value

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.service.url}{path}", timeout=60) as answer:
            data: bytes = answer.read()
        return data

    def close(self) -> None:
        self.service.kill()
        for one in self.witnesses:
            one.kill()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_a_witness_goes_away_and_comes_back(world: World) -> None:
    one, other = world.witnesses
    one.start()
    other.start()
    world.service.wait_ready()
    size = world.record("a")["size"]

    def settled() -> bool:
        return open_witnessed(world.get("/checkpoint"), world.policy).quorum_met

    eventually(settled)
    other.kill()
    index = world.record("b")["index"]
    receipt = world.get(f"/v1/entries/{index}/receipt")
    with pytest.raises(PendingError):
        verify_receipt(receipt, world.policy)

    def sizes() -> list[int]:
        value = json.loads(world.get("/v1/witnesses"))
        return [row["last_size"] for row in value["witnesses"]]

    eventually(lambda: sizes() == [size + 1, size])
    world.record("c")
    other.start()
    eventually(lambda: sizes() == [size + 2, size + 2])
    found = verify_receipt(world.get(f"/v1/entries/{index}/receipt"), world.policy)
    assert found.witnessed is not None
    assert {one.witness.name for one in found.witnessed.cosigned} == {"W0", "W1"}
    # The service itself is killed and goes on where it was.
    world.service.kill()
    world.service = Service(world.data, "--policy", str(world.policy_file))
    world.service.wait_ready()
    assert settled()
    assert world.service.stop() == 0


@pytest.mark.sqlite("an older file put back under a service")
def test_a_log_that_was_put_back_stops_by_itself(world: World) -> None:
    for one in world.witnesses:
        one.start()
    world.service.wait_ready()
    world.record("a")
    assert world.service.stop() == 0
    backup = (world.data / "ledger.sqlite3").read_bytes()
    world.service = Service(world.data, "--policy", str(world.policy_file))
    world.service.wait_ready()
    size = world.record("b")["size"]
    eventually(lambda: open_witnessed(world.get("/checkpoint"), world.policy).quorum_met)
    assert world.service.stop() == 0
    for name in ("-wal", "-shm"):
        (world.data / f"ledger.sqlite3{name}").unlink(missing_ok=True)
    (world.data / "ledger.sqlite3").write_bytes(backup)
    world.service = Service(world.data, "--policy", str(world.policy_file), before=PATIENT)

    def refused() -> bool:
        try:
            world.get("/readyz")
        except urllib.error.HTTPError as error:
            return json.load(error)["code"] == "halted"
        except OSError:
            return False
        raise AssertionError("it is ready, although its witnesses have seen more")

    eventually(refused)
    with pytest.raises(urllib.error.HTTPError):
        world.record("c")
    assert json.loads(world.get("/v1/log"))["size"] == size - 1
