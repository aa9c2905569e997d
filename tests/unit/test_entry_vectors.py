"""Runs the vectors under docs/vectors/entries against the ledger; they are made without it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.entry import Entry, build_commitment, build_disclosure, parse_disclosure
from ledger.keys.history import history_from_json

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS.parent / "docs" / "vectors" / "entries"
sys.path.insert(0, str(TESTS / "vectors"))
generate_entries = importlib.import_module("generate_entries")


def read(name: str) -> list[Any]:
    vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["desc"]) for vector in vectors]


@pytest.mark.parametrize("name", generate_entries.BUILDERS)
def test_the_generator_gives_the_same_bytes(name: str) -> None:
    made = generate_entries.encode(generate_entries.BUILDERS[name]())
    assert made == (VECTORS / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("vector", read("disclosures"))
def test_disclosures(vector: dict[str, Any]) -> None:
    given, want = vector["input"], vector["want"]
    seed = bytes.fromhex(given["seed"])
    disclosure = build_disclosure(seed, given["name"], given["value"])
    assert disclosure == want["disclosure"]
    assert build_commitment(disclosure) == want["commitment"]
    assert parse_disclosure(disclosure) == (want["salt"], given["name"], given["value"])


@pytest.mark.parametrize("vector", read("key_sizes"))
def test_key_sizes(vector: dict[str, Any]) -> None:
    given = vector["input"]
    history = history_from_json(
        {"keys": [{"verifier_key": key, "added_by": 0} for key in given["keys"]]}
    )
    for one in given["entries"]:
        history = history.take(entry(**one))
    found = [[one.key.key_id.hex(), one.first_size, one.last_size] for one in history.terms]
    assert found == vector["want"]


def entry(index: int, kind: str, fields: dict[str, Any]) -> Entry:
    """An entry with what the history reads; the rest is any."""
    return Entry(index, "0" * 64, "", "", "registrar-1", "approver-1", kind, fields, {}, (), (), ())
