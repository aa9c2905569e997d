"""The vectors of verdicts, by the library and by ``shanji verify``: every case, both the same.

The browser's modules and the saved page run them in ``tests/browser/test_verdicts.py``.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ledger.cli import build
from ledger.commands.verifying import verify
from ledger.errors import LedgerError
from ledger.tlog.note import parse_verifier_key
from ledger.tlog.policy import parse_policy
from ledger.verdict import judge
from ledger.verify import Trust

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS.parent / "docs" / "vectors" / "verdicts"
sys.path.insert(0, str(TESTS / "vectors"))
generate_verdicts = importlib.import_module("generate_verdicts")

CASES_MIN = 200
EXIT_CODES = {"verified": 0, "pending": 3, "mismatch": 1, "undecided": 3}


def read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return found


def octets(given: dict[str, Any], text: str, latin1: str) -> bytes:
    if latin1 in given:
        return bytes(given[latin1].encode("latin-1"))
    return bytes(given[text].encode())


def trusted(given: dict[str, Any]) -> Trust:
    if "keys" in given:
        return [parse_verifier_key(one) for one in given["keys"]]
    return parse_policy(octets(given, "policy", "policy_latin1"))


def judged(given: dict[str, Any]) -> dict[str, Any]:
    """What the library says, in the form of the vectors."""
    try:
        trust = trusted(given)
    except LedgerError as error:
        rows = dict.fromkeys(("genuine", "recorded", "witnessed", "as_of"))
        return {"outcome": "undecided", "code": error.code, "holds": rows}
    found = judge(octets(given, "receipt", "latin1"), trust, now=given["now"])
    told: dict[str, Any] = {
        "outcome": found.outcome,
        "code": found.code,
        "holds": dict(found.holds),
    }
    result = found.result
    assert (result is None) == (found.outcome in ("mismatch", "undecided"))
    if result is not None:
        told |= {
            "index": result.entry.index,
            "size": result.checkpoint.size,
            "values": dict(result.values),
            "hidden": list(result.hidden),
        }
        if result.witnessed is not None:
            told["cosigned"] = len(result.witnessed.cosigned)
            told["witnesses"] = result.witnessed.witnesses
    return told


@pytest.mark.parametrize("name", generate_verdicts.BUILDERS)
def test_the_generator_gives_the_same_bytes(name: str) -> None:
    made = generate_verdicts.encode(generate_verdicts.BUILDERS[name]())
    assert made == (VECTORS / f"{name}.json").read_text("utf-8")


def test_there_are_enough_and_every_outcome_is_among_them() -> None:
    cases = [one for name in generate_verdicts.BUILDERS for one in read(name)]
    assert len(cases) >= CASES_MIN
    assert {one["want"]["outcome"] for one in cases} == set(EXIT_CODES)
    assert {one.stem for one in VECTORS.glob("*.json")} == set(generate_verdicts.BUILDERS)


@pytest.mark.ml_dsa
@pytest.mark.parametrize("name", generate_verdicts.BUILDERS)
def test_the_library_agrees(name: str) -> None:
    wrong = [
        (one["desc"], got, one["want"])
        for one in read(name)
        if (got := judged(one["input"])) != one["want"]
    ]
    assert not wrong


def arguments_of(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a person gives to ``shanji verify`` for a case, as files."""
    receipt, policy = folder / "receipt", folder / "policy"
    receipt.write_bytes(octets(given, "receipt", "latin1"))
    keys = [folder / f"key{number}" for number in range(len(given.get("keys", ())))]
    for file, key in zip(keys, given.get("keys", ()), strict=True):
        file.write_text(key, "utf-8")
    if "keys" not in given:
        policy.write_bytes(octets(given, "policy", "policy_latin1"))
        return {"file": str(receipt), "policy": str(policy)}
    return {"file": str(receipt), "key": [str(one) for one in keys]}


def expected_of(want: dict[str, Any]) -> tuple[Any, ...]:
    shown = {key: want[key] for key in ("index", "size", "values", "hidden") if key in want}
    return EXIT_CODES[want["outcome"]], want["outcome"], want["code"], shown


def told_of(code: int, output: str, want: dict[str, Any]) -> tuple[Any, ...]:
    told = json.loads(output)
    shown = {key: told[key] for key in ("index", "size", "values", "hidden") if key in want}
    return code, told["verdict"], told.get("code", told["verdict"]), shown


@pytest.mark.ml_dsa
@pytest.mark.parametrize("name", generate_verdicts.BUILDERS)
def test_the_command_agrees(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command's own function, its exit code and its JSON; only its clock is the vector's."""
    wrong = []
    for one in read(name):
        given, want = one["input"], one["want"]
        if given.get("keys") == []:
            continue  # The command asks for a key instead: exit code 2.
        monkeypatch.setattr("time.time", lambda now=given["now"]: now)
        code = 0
        try:
            verify(**arguments_of(given, tmp_path), lang="en", as_json=True)
        except typer.Exit as end:
            code = end.exit_code
        got = told_of(code, capsys.readouterr().out, want)
        if got != expected_of(want):
            wrong.append((one["desc"], got, expected_of(want)))
    assert not wrong


def test_the_command_line_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case of each outcome through the whole command line."""
    cases = {one["want"]["outcome"]: one for one in read("policy")}
    assert set(cases) == set(EXIT_CODES)
    for one in cases.values():
        given, want = one["input"], one["want"]
        monkeypatch.setattr("time.time", lambda now=given["now"]: now)
        options = arguments_of(given, tmp_path)
        line = ["verify", options["file"], "--policy", options["policy"], "--json", "--lang", "en"]
        result = CliRunner().invoke(build(), line)
        assert told_of(result.exit_code, result.stdout, want) == expected_of(want)
