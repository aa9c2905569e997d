"""Any flipped byte of a receipt or a trace proof fails, and so does any cut.

What verifies is one of the bytes that a log signed and nothing near it; what does not,
fails with one of the verifier's three errors and never with another. The command line
says the same by its exit code: 1 where something contradicts, 3 where nothing can be
said.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import sample_log
from typer.testing import CliRunner

from ledger.cli import build
from ledger.errors import LedgerError, MalformedError, UndecidedError, VerificationError
from ledger.tlog.note import format_verifier_key
from ledger.verify import verify_receipt, verify_trace

KEY = format_verifier_key(sample_log.KEYS[0])
REVEALS: dict[str, Any] = {"all": "all", "some": ["donor_name"], "none": "none"}
SIZES = (1, 2, 300, 1000)

EXPECTED = (VerificationError, UndecidedError, MalformedError)

Check = Callable[[bytes], Any]


@cache
def log_of(size: int) -> Any:
    return sample_log.gifts(size)


def receipts() -> Iterator[Any]:
    for size in SIZES:
        for reveal in REVEALS:
            index = size * 2 // 3
            yield pytest.param(size, index, reveal, id=f"entry {index} of {size}, {reveal}")


def damaged(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every byte flipped in its lowest bit, in its highest, and at random."""
    chance = random.Random(len(data))
    for place, byte in enumerate(data):
        for flip in (0x01, 0x80, chance.randrange(1, 256)):
            yield place, data[:place] + bytes([byte ^ flip]) + data[place + 1 :]


def outcome(check: Check, data: bytes) -> type[LedgerError]:
    """How the check fails; anything but the verifier's errors fails the test."""
    with pytest.raises(EXPECTED) as got:
        check(data)
    return got.type


check_receipt = partial(verify_receipt, keys=sample_log.KEYS)
check_trace = partial(verify_trace, keys=sample_log.KEYS)


@pytest.mark.parametrize(("size", "index", "reveal"), list(receipts()))
def test_any_flipped_byte_of_a_receipt_fails(size: int, index: int, reveal: str) -> None:
    data = log_of(size).receipt(index, REVEALS[reveal])
    assert check_receipt(data).entry.index == index
    kinds = {outcome(check_receipt, one) for _, one in damaged(data)}
    assert len(kinds) > 1


@pytest.mark.parametrize(("size", "index", "reveal"), list(receipts()))
def test_any_cut_receipt_fails(size: int, index: int, reveal: str) -> None:
    data = log_of(size).receipt(index, REVEALS[reveal])
    for length in range(len(data)):
        outcome(check_receipt, data[:length])
    for more in (b"\n", b" ", b"\0", data):
        outcome(check_receipt, data + more)
        outcome(check_receipt, more + data)


TRACES = {
    "forward": sample_log.purchase().trace(1, "forward", [1, 3, 4]),
    "backward": sample_log.purchase().trace(4, "backward", [1, 3, 4]),
}


@pytest.mark.parametrize("direction", sorted(TRACES))
def test_any_flipped_byte_of_a_trace_proof_fails(direction: str) -> None:
    data = TRACES[direction]
    assert check_trace(data).direction == direction
    for _, one in damaged(data):
        outcome(check_trace, one)


@pytest.mark.parametrize("direction", sorted(TRACES))
def test_any_cut_trace_proof_fails(direction: str) -> None:
    data = TRACES[direction]
    for length in range(len(data)):
        outcome(check_trace, data[:length])
    for more in (b"\n", b" ", b"}"):
        outcome(check_trace, data + more)
        outcome(check_trace, more + data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., int]:
    """Run ``shanji verify`` on a file of these bytes; gives the exit code."""
    app, runner = build(), CliRunner()
    file: Path = tmp_path_factory.mktemp("flips") / "file"

    def verify(data: bytes, key: str = KEY, *options: str) -> int:
        file.write_bytes(data)
        return runner.invoke(app, ["verify", str(file), "--key", key, *options]).exit_code

    return verify


def code_of(check: Check, data: bytes) -> int:
    return 1 if issubclass(outcome(check, data), VerificationError) else 3


@pytest.mark.parametrize("reveal", sorted(REVEALS))
def test_the_command_on_damaged_receipts(run: Callable[..., int], reveal: str) -> None:
    data = log_of(300).receipt(200, REVEALS[reveal])
    assert run(data) == 0
    chosen = [one for place, one in damaged(data) if place % 61 == 0]
    seen = {(run(one), code_of(check_receipt, one)) for one in chosen}
    assert seen == {(1, 1), (3, 3)}


def test_the_command_on_damaged_trace_proofs(run: Callable[..., int]) -> None:
    data = TRACES["forward"]
    assert run(data) == 0
    seen = set()
    for place, one in damaged(data):
        if place % 97 == 0:
            # A first byte that is not a brace makes it another kind of file.
            check = check_trace if one.startswith(b"{") else check_receipt
            seen.add((run(one), code_of(check, one)))
    assert seen == {(1, 1), (3, 3)}


def test_the_command_on_an_altered_entry_is_a_mismatch_and_an_unknown_signer_is_not(
    run: Callable[..., int],
) -> None:
    log = log_of(2)
    altered = log.receipt(1, "none").replace(b"\nindex 1\n", b"\nindex 0\n")
    assert run(altered) == 1
    assert run(altered, KEY, "--json") == 1
    stranger = format_verifier_key(sample_log.STRANGER.verifier_key)
    assert run(log.receipt(1), stranger) == 3
    assert run(log.receipt(1), KEY[:-2]) == 3
    assert run(b"") == 3
    assert run(b"\xff" * 100) == 3
    assert run(log.receipt(1)[:-40]) == 3
