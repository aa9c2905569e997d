"""A rotation as an operator does it: a running service, the command line beside it, a restart."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ledger.cli import build
from ledger.receipt import build_receipt, parse_receipt
from ledger.tlog.checkpoint import parse_checkpoint, sign_checkpoint
from ledger.tlog.note import split_note

COMMAND = [sys.executable, "-c", "from ledger.cli import main; main()"]
ORIGIN = "shanji.example/rotation"
SECONDS_MAX = 120
PEOPLE = ("--person", "registrar-1", "--approved-by", "approver-1")


class Operator:
    """Runs commands in one environment, which names no keys of this machine."""

    def __init__(self, data: Path, **more: object) -> None:
        names = ("SHANJI_KEYS", "SHANJI_PASSPHRASE_FILE", "SHANJI_CONFIG")
        kept = {name: value for name, value in os.environ.items() if name not in names}
        self.environment = kept | {"SHANJI_DATA": str(data), "LANG": "en_US.UTF-8"}
        self.environment |= {name: str(value) for name, value in more.items()}

    def run(self, *arguments: object, code: int = 0) -> str:
        """A command that ends with a code; what it printed."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The service's address while it runs; it stops cleanly."""
        names = ["--origin", ORIGIN, "--organisation", "示例慈善会"]
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *names],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        try:
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                assert line, "the service ended"
                said += line
            yield re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS_MAX) == 0
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=SECONDS_MAX)


def recorded(url: str, token: str, key: str, **fields: Any) -> bytes:
    """Record a party; its receipt."""
    body = {
        "kind": "party.registered",
        "occurred_on": "2022-01-10",
        "fields": {"code": key, "party_class": "person", **fields},
    }
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    answer = httpx.post(f"{url}/v1/entries", json=body, headers=headers, timeout=SECONDS_MAX)
    assert answer.status_code == 201, answer.text
    return answer.json()["receipt"].encode()


@pytest.mark.slow
def test_a_rotation_beside_a_running_service(tmp_path: Path) -> None:
    data, safe = tmp_path / "data", tmp_path / "safe"
    (tmp_path / "pass").write_text("a secret\n")
    operator = Operator(data, SHANJI_KEYS=safe, SHANJI_PASSPHRASE_FILE=tmp_path / "pass")
    receipts: dict[str, bytes] = {}
    with operator.serving() as url:
        token = operator.run("token", "create", "registrar-1", "registrar").strip()
        receipts["before"] = recorded(url, token, "before")
        operator.run("keys", "rotate", *PEOPLE)
        receipts["during"] = recorded(url, token, "during")
        old, new = httpx.get(f"{url}/v1/keys", timeout=SECONDS_MAX).json()["keys"]
        operator.run("keys", "revoke", old["key_id"], "--reason", "superseded", *PEOPLE)
        receipts["after"] = recorded(url, token, "after")
        policy = httpx.get(f"{url}/v1/keys/policy", timeout=SECONDS_MAX).content
    # The service starts with the new key alone, and not without the passphrase.
    stolen = (safe / "log-key.pem").read_bytes()
    (safe / "log-key.pem").unlink()
    Operator(data, SHANJI_KEYS=safe).run("keys", "list", code=4)
    with operator.serving() as url:
        receipts["restarted"] = recorded(url, token, "restarted")
    signed = {name: signers(receipt) for name, receipt in receipts.items()}
    assert signed == {
        "before": [old["key_id"]],
        "during": [old["key_id"], new["key_id"]],
        "after": [new["key_id"]],
        "restarted": [new["key_id"]],
    }
    (tmp_path / "log.policy").write_bytes(policy)
    for name, receipt in receipts.items():
        file = tmp_path / f"{name}.tlog-proof"
        file.write_bytes(receipt)
        verify(file, tmp_path / "log.policy", code=0)
    # The thief of the old key signs a receipt after its end.
    file = tmp_path / "forged.tlog-proof"
    file.write_bytes(forged(receipts["restarted"], stolen))
    said = verify(file, tmp_path / "log.policy", code=1)
    assert said["code"] == "key_not_valid_at_size"
    assert operator.run("keys", "list").count("private key here") == 1
    operator.run("audit", "--key", old["verifier_key"])


def verify(file: Path, policy: Path, code: int) -> Any:
    """What ``shanji verify`` says, in this process: it needs a file and a policy, no operator."""
    done = CliRunner().invoke(build(), ["verify", str(file), "--policy", str(policy), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def signers(receipt: bytes) -> list[str]:
    """The ids of the keys that signed a receipt's checkpoint."""
    return [one.key_id.hex() for one in split_note(parse_receipt(receipt).checkpoint)[1]]


def forged(receipt: bytes, stolen: bytes) -> bytes:
    """The receipt, under its checkpoint as the thief of a key signs it."""
    from dataclasses import replace

    from ledger.keys.files import signer_of
    from ledger.keys.sealed import parse_private_key

    parsed = parse_receipt(receipt)
    signed = parse_checkpoint(split_note(parsed.checkpoint)[0])
    thief = signer_of(ORIGIN, parse_private_key(stolen, "stolen", lambda: b"a secret"))
    note = sign_checkpoint(signed.origin, signed.size, signed.root, [thief])
    return build_receipt(replace(parsed, checkpoint=note))
