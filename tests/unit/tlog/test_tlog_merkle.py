"""Leaf, node and root hashes."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from ledger.errors import MalformedError
from ledger.tlog import merkle

LONG_NUMBERS = (10**5000, -(10**5000))


def test_prefixes_separate_leaves_from_nodes() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert left == hashlib.sha256(b"\x00a").digest()
    assert merkle.node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


def test_many_leaves_are_hashed_as_each_is() -> None:
    entries = [b"", b"a", b"b" * 1000]
    assert merkle.leaf_hashes(entries) == [merkle.leaf_hash(one) for one in entries]


def test_empty_root() -> None:
    assert merkle.root_of([]) == merkle.EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_root_leaves_its_argument_alone() -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(5)]
    before = list(leaves)
    merkle.root_of(leaves)
    assert leaves == before
    assert merkle.root_of(tuple(leaves)) == merkle.root_of(leaves)


def test_hash_pairs_leaves_out_a_single_last_hash() -> None:
    row = [merkle.leaf_hash(bytes([number])) for number in range(3)]
    assert merkle.hash_pairs(row) == [merkle.node_hash(row[0], row[1])]


@pytest.mark.parametrize("lengths", [[31], [32, 33], [31, 33], [0]])
def test_root_refuses_hashes_of_other_lengths(lengths: list[int]) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        merkle.root_of([bytes(length) for length in lengths])


@pytest.mark.parametrize(
    "value",
    # Numbers of more than 4,300 digits cannot be printed, not even as a test's name.
    [True, 1.0, "1", None, b"1", -1, 11, *(pytest.param(n, id="long") for n in LONG_NUMBERS)],
)
def test_check_integer_refuses(value: object) -> None:
    with pytest.raises(MalformedError, match="the count"):
        merkle.check_integer("count", value, 10)


def test_check_integer_accepts_its_bounds() -> None:
    merkle.check_integer("count", 0, 10)
    merkle.check_integer("count", 10, 10)
    merkle.check_integer("count", 2**64 - 1)


@pytest.mark.parametrize("value", [None, "a" * 32, bytearray(32), bytes(31), bytes(33), 32])
def test_check_hash_refuses(value: object) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        merkle.check_hash("root", value)


def test_the_package_imports_nothing_by_itself() -> None:
    code = (
        "import sys, ledger.tlog; "
        "print([name for name in sys.modules if name.startswith('ledger.tlog.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
