"""Locators and short codes against their vectors, and the promises of the check symbols."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError, MalformedError
from ledger.locator import (
    Locator,
    format_locator,
    format_short_code,
    locator_link,
    log_id,
    parse_locator,
    parse_short_code,
)

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS.parent / "docs" / "vectors" / "locators"
sys.path.insert(0, str(TESTS / "vectors"))
generate_locators = importlib.import_module("generate_locators")

ORIGIN = "shanji.example/golden"
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def read(name: str) -> list[Any]:
    vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["desc"]) for vector in vectors]


@pytest.mark.parametrize("name", generate_locators.BUILDERS)
def test_the_generator_gives_the_same_bytes(name: str) -> None:
    made = generate_locators.encode(generate_locators.BUILDERS[name]())
    assert made == (VECTORS / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("vector", read("locators"))
def test_locators(vector: dict[str, Any]) -> None:
    if "want_error" in vector:
        with pytest.raises(MalformedError) as caught:
            parse_locator(vector["input"])
        assert caught.value.code == vector["want_error"]
        return
    found = parse_locator(vector["input"])
    seed = None if found.seed is None else found.seed.hex()
    want = vector["want"]
    assert (found.log_id.hex(), found.index, seed) == (want["log_id"], want["index"], want["seed"])
    assert format_locator(found) == vector["input"].removeprefix("#")


@pytest.mark.parametrize("vector", read("short_codes"))
def test_short_codes(vector: dict[str, Any]) -> None:
    origin, text = vector["input"]["origin"], vector["input"]["text"]
    if "want_error" in vector:
        with pytest.raises(LedgerError) as caught:
            parse_short_code(origin, text)
        assert caught.value.code == vector["want_error"]
        return
    assert parse_short_code(origin, text) == vector["want"]
    if vector["desc"].startswith("entry "):
        assert format_short_code(origin, vector["want"]) == text


def test_one_wrong_symbol_or_two_exchanged_neighbours_never_fit() -> None:
    for index in (0, 7, 123_456, 2**30 - 1, 987_654_321_012):
        code = format_short_code(ORIGIN, index).replace("-", "")
        wrong = {
            code[:place] + other + code[place + 1 :]
            for place in range(len(code))
            for other in SYMBOLS
        } | {
            code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            for place in range(len(code) - 1)
        }
        for text in wrong - {code}:
            with pytest.raises(LedgerError):
                parse_short_code(ORIGIN, text)


def test_a_seed_is_in_no_repr() -> None:
    locator = Locator(log_id(ORIGIN), 9, b"sixteen secrets!")
    assert "sixteen" not in repr(locator)
    assert locator_link("https://host/", locator) == f"https://host/r#{format_locator(locator)}"


@pytest.mark.parametrize(
    ("log", "index", "seed"),
    [(b"abc", 0, None), (b"abcd", -1, None), (b"abcd", 2**53, None), (b"abcd", 0, b"short")],
)
def test_impossible_parts_are_refused(log: bytes, index: int, seed: bytes | None) -> None:
    with pytest.raises(MalformedError):
        Locator(log, index, seed)
