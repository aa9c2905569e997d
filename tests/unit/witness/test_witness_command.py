"""``shanji witness``: key, status and evidence, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from witness_client import Log, verify_cosignatures

from ledger.audit.witness.judge import Witness
from ledger.audit.witness.key import read_key
from ledger.audit.witness.state import WitnessState
from ledger.cli import build
from ledger.errors import ConflictError, LedgerError, MalformedError, NotFoundError
from ledger.tlog.note import format_verifier_key, parse_verifier_key
from ledger.tlog.policy import parse_policy

NOW = 1_700_000_000


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and stdout; errors of the ledger are raised, as `main` gets them."""
    done = CliRunner().invoke(build(), ["witness", *map(str, arguments)])
    if isinstance(done.exception, LedgerError):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a witness that has met a log and its fork, and a wrong proof."""
    assert run("key", "w.example/w1", "-o", tmp_path / "key")[0] == 0
    signer = read_key(tmp_path / "key", lambda: NOW)
    log, forked = Log(), Log(fork=3)
    policy = parse_policy(f"log {log.vkey}\nquorum none\n".encode())
    memory = WitnessState.create(tmp_path / "state", [format_verifier_key(signer.verifier_key)])
    witness = Witness(policy, memory, [signer], lambda: NOW)
    assert witness.add_checkpoint(log.request(0, 5)).status == 200
    assert witness.add_checkpoint(forked.request(5, 5)).status == 422
    assert witness.add_checkpoint(forked.request(5, 9)).status == 422
    return tmp_path / "state"


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--post-quantum",), marks=pytest.mark.ml_dsa)]
)
def test_key(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, text = run("key", "w.example/w1", "-o", tmp_path / "key", *options)
    assert code == 0
    key = parse_verifier_key(text.strip())
    assert (key.name, key.signature_type) == ("w.example/w1", 6 if options else 4)
    assert (tmp_path / "key").read_text().startswith("PRIVATE+KEY+w.example/w1+")
    with pytest.raises(ConflictError):
        run("key", "w.example/w1", "-o", tmp_path / "key")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_status(state: Path, lang: str) -> None:
    code, text = run("status", "--state", state, "--lang", lang)
    assert code == 0
    assert Log().origin in text
    assert "2023-11-14T22:13:20Z" in text
    assert "shanji witness evidence" in text
    value = json.loads(run("status", "--state", state, "--json")[1])
    assert (value["forks"], value["logs"][0]["size"]) == (1, 5)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_evidence(state: Path, tmp_path: Path, lang: str) -> None:
    code, text = run("evidence", "--state", state, "--lang", lang, "-o", tmp_path / "out")
    assert code == 1
    log, forked = Log(), Log(fork=3)
    for one in (log.checkpoint(5), forked.checkpoint(5), forked.checkpoint(9)):
        assert one.decode() in text
    files = sorted((tmp_path / "out").iterdir())
    assert {one.read_bytes() for one in files} == {log.checkpoint(5), forked.checkpoint(5)}
    # A third party needs these two files and the log's key, nothing else.
    (tmp_path / "proof").write_text('{"proof": []}')
    got = CliRunner().invoke(
        build(),
        ["verify-growth", *map(str, files), "--proof", str(tmp_path / "proof"), "--key", log.vkey],
    )
    assert got.exit_code == 1
    value = json.loads(run("evidence", "--state", state, "--json")[1])
    assert [one["size"] for one in value["unproven"]] == [9]
    standings = {one["standing"] for one in value["forks"][0]}
    assert standings == {"cosigned", "unproven"}
    cosigned = next(one for one in value["forks"][0] if one["standing"] == "cosigned")
    lines = cosigned["checkpoint"].encode().removeprefix(log.checkpoint(5))
    vkey = format_verifier_key(read_key(tmp_path / "key", lambda: 0).verifier_key)
    assert verify_cosignatures(lines, log.text(5), vkey) == [NOW]


def test_nothing_yet(tmp_path: Path) -> None:
    WitnessState.create(tmp_path / "state", ["k"])
    assert run("status", "--state", tmp_path / "state", "--lang", "en") == (
        0,
        "No log was cosigned yet.\n",
    )
    assert run("evidence", "--state", tmp_path / "state", "--lang", "en") == (
        0,
        "No fork was found.\n",
    )
    with pytest.raises(NotFoundError):
        run("status", "--state", tmp_path / "none")


def test_serve_refuses_what_does_not_fit(tmp_path: Path) -> None:
    run("key", "w.example/w1", "-o", tmp_path / "key")
    options = ("serve", "--key", tmp_path / "key", "--state", tmp_path / "state")
    (tmp_path / "policy").write_text("quorum none\n")
    with pytest.raises(MalformedError, match="at least one log line"):
        run(*options, "--policy", tmp_path / "policy", "--new")
    (tmp_path / "policy").write_text(f"log {Log().vkey}\nquorum none\n")
    with pytest.raises(NotFoundError, match="--new"):
        run(*options, "--policy", tmp_path / "policy")
    assert not (tmp_path / "state").exists()
