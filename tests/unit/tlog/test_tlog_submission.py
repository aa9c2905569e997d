"""A request to a witness: what is written is read back, and nothing else is."""

from __future__ import annotations

import base64

import pytest

from ledger.errors import MalformedError
from ledger.tlog.proofs import PROOF_HASHES_MAX
from ledger.tlog.submission import (
    SUBMISSION_BYTES_MAX,
    format_submission,
    parse_size,
    parse_submission,
)

NOTE = "log.example/a\n7\nAAAA\n\n— log.example/a AAAA\n".encode()
PROOF = [bytes([number]) * 32 for number in range(3)]


@pytest.mark.parametrize(("size", "proof"), [(0, []), (3, PROOF), (2**63 - 1, PROOF[:1])])
def test_what_is_written_is_read_back(size: int, proof: list[bytes]) -> None:
    found = parse_submission(format_submission(size, proof, NOTE))
    assert (found.old_size, list(found.proof), found.note) == (size, proof, NOTE)


@pytest.mark.parametrize(
    "line",
    [
        "é".encode() * 22,
        base64.b64encode(b"x" * 31),
        base64.b64encode(b"x" * 33),
        b"!" * 44,
    ],
)
def test_a_proof_line_is_the_base64_of_a_hash(line: bytes) -> None:
    good = format_submission(3, PROOF, NOTE)
    with pytest.raises(MalformedError):
        parse_submission(good.replace(base64.b64encode(PROOF[1]), line))


@pytest.mark.parametrize("text", [b"", b"03", b"-1", b"1.0", b" 1", b"9223372036854775808", b"x"])
def test_a_size_has_one_spelling(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_size(text)


def test_no_proof_is_longer_than_any_log_needs() -> None:
    lines = b"\n".join([base64.b64encode(PROOF[0])] * (PROOF_HASHES_MAX + 1))
    with pytest.raises(MalformedError, match="hashes"):
        format_submission(3, [PROOF[0]] * (PROOF_HASHES_MAX + 1), NOTE)
    with pytest.raises(MalformedError, match="hashes"):
        parse_submission(b"old 3\n" + lines + b"\n\n" + NOTE)


@pytest.mark.parametrize(
    "data",
    [
        "old 3\n\ntext",
        b"old 3\n\n" + NOTE.ljust(SUBMISSION_BYTES_MAX, b"x"),
        b"old 3\n",
        b"old 3\n\n",
        b"new 3\n\n" + NOTE,
    ],
    ids=["no bytes", "too long", "no empty line", "no note", "no size"],
)
def test_a_request_has_a_size_a_proof_and_a_note(data: bytes) -> None:
    with pytest.raises(MalformedError, match="expected a"):
        parse_submission(data)
