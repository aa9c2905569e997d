"""Somebody else's check of evidence: standard library and `cryptography`, none of our code.

Written from RFC 6962 section 2.1.2 and from what `docs/mirror.md` says of the two formats.
`check` takes two files and the log's verifier key, and says what they prove.
"""

from __future__ import annotations

import base64
import json

import foreign_reader
from foreign_reader import entries_of, leaf, node, open_checkpoint, split, tree_hash

fetch = foreign_reader.fetch


def consistent_roots(
    old: int, new: int, proof: list[bytes], old_root: bytes
) -> tuple[bytes, bytes]:
    """RFC 6962 section 2.1.2 by plain recursion: the old and the new root of a proof."""
    rest = list(proof)

    def subproof(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            value = old_root if whole else rest.pop(0)
            return value, value
        k = 1
        while k * 2 < n:
            k *= 2
        if m <= k:
            before, after = subproof(m, k, whole)
            return before, node(after, rest.pop(0))
        before, after = subproof(m - k, n - k, False)
        left = rest.pop(0)
        return node(left, before), node(left, after)

    roots = subproof(old, new, True)
    assert not rest
    return roots


def root_of_path(height: int, position: int, size: int, value: bytes, proof: list[bytes]) -> bytes:
    """The root over a perfect subtree, by plain recursion from the top."""
    rest = list(proof)

    def climb(first: int, count: int) -> bytes:
        if first == position << height and count == 1 << height:
            return value
        k = 1
        while k * 2 < count:
            k *= 2
        if position << height < first + k:
            below = climb(first, k)
            return node(below, rest.pop(0))
        below = climb(first + k, count - k)
        return node(rest.pop(0), below)

    root = climb(0, size)
    assert not rest
    return root


def check(first: bytes, second: bytes, vkey: str) -> str:
    """What two files prove: two_histories, served_wrong, or nothing."""
    origin, size, root = open_checkpoint(first, vkey)
    if second.startswith(b"{"):
        return check_served(json.loads(second), size, root)
    if second.startswith(b"shanji-consistency/v1\n"):
        head, _, note = second.partition(b"\n\n")
        _, old, *lines = head.decode().split("\n")
        _, old_size, claimed = old.split(" ")
        other, new_size, new_root = open_checkpoint(note, vkey)
        assert (other, int(old_size)) == (origin, size)
        stated = base64.b64decode(claimed)
        proof = [base64.b64decode(line) for line in lines]
        assert consistent_roots(size, new_size, proof, stated) == (stated, new_root)
        return "two_histories" if stated != root else "nothing"
    other, other_size, other_root = open_checkpoint(second, vkey)
    assert other == origin
    return "two_histories" if other_size == size and other_root != root else "nothing"


def check_served(value: dict[str, object], size: int, root: bytes) -> str:
    data = base64.b64decode(str(value["data"]))
    if "edges" in value:
        edges = value["edges"]
        assert isinstance(edges, list)
        below: list[bytes] = []
        for edge in edges:
            row = split(base64.b64decode(edge)) + below
            below = [tree_hash(row)] if row else []
        return "served_wrong" if below != [root] else "nothing"
    height, position = int(str(value["height"])), int(str(value["position"]))
    proof = value["proof"]
    assert isinstance(proof, list)
    right = base64.b64decode(str(value["node"]))
    hashes = [base64.b64decode(one) for one in proof]
    assert root_of_path(height, position, size, right, hashes) == root
    if str(value["path"]).startswith("tile/entries/"):
        assert height == 0
        try:
            entries = entries_of(data)
        except AssertionError:
            return "served_wrong"
        width = 256 if ".p/" not in str(value["path"]) else int(str(value["path"]).split("/")[-1])
        if len(entries) != width:
            return "served_wrong"
        got = leaf(entries[position % 256])
    else:
        got = tree_hash(split(data)) if len(data) == 8192 else b""
    return "served_wrong" if got != right else "nothing"
