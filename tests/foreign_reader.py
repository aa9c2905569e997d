"""A log client that knows only the C2SP specifications, and none of our code.

Standard library and `cryptography` only, written from signed-note, tlog-checkpoint,
tlog-tiles and tlog-proof, with plain recursion from RFC 6962: the tests use it as the
program of somebody else who reads the log over HTTP.
"""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        data: bytes = answer.read()
    return data


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node(tree_hash(hashes[:split]), tree_hash(hashes[split:]))


def open_note(data: bytes, vkey: str) -> list[str]:
    """The text lines of a note with a good signature by this verifier key."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    text, _, signatures = data.decode().rpartition("\n\n")
    text += "\n"
    good = 0
    for line in signatures.splitlines():
        dash, signer, value = line.split(" ")
        assert dash == "—"
        signature = base64.b64decode(value)
        if signer == name and signature[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
            good += 1
    assert good == 1
    return text.splitlines()


def open_checkpoint(data: bytes, vkey: str) -> tuple[str, int, bytes]:
    origin, size, root = open_note(data, vkey)
    return origin, int(size), base64.b64decode(root)


def path_of(number: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups)


def tiles_of(prefix: str, level: str, count: int) -> list[bytes]:
    """All tiles of one level (or ``entries``), full ones and the partial one."""
    found = []
    for number in range((count + 255) // 256):
        width = min(256, count - number * 256)
        partial = "" if width == 256 else f".p/{width}"
        found.append(fetch(f"{prefix}/tile/{level}/{path_of(number)}{partial}"))
    return found


def split(data: bytes) -> list[bytes]:
    assert len(data) % 32 == 0
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def entries_of(bundle: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        found.append(bundle[at + 2 : at + 2 + length])
        assert len(found[-1]) == length
        at += 2 + length
    return found


def snapshot_log(prefix: str, vkey: str) -> tuple[int, bytes, list[bytes]]:
    """Fetch checkpoint, tiles of all levels and bundles; recompute everything."""
    _, size, root = open_checkpoint(fetch(f"{prefix}/checkpoint"), vkey)
    entries = [one for data in tiles_of(prefix, "entries", size) for one in entries_of(data)]
    assert len(entries) == size
    hashes = [leaf(one) for one in entries]
    assert tree_hash(hashes) == root
    level, row = 0, hashes
    while row:
        got = [one for data in tiles_of(prefix, str(level), len(row)) for one in split(data)]
        assert got == row
        row = [tree_hash(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
    return size, root, entries


def verify_receipt(data: bytes, vkey: str) -> bytes:
    """Check a tlog-proof whose extra data holds the entry; its bytes."""
    head, _, note = data.partition(b"\n\n")
    first, extra, index_line, *proof = head.decode().split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert extra.startswith("extra ")
    entry = base64.b64decode(json.loads(base64.b64decode(extra[6:]))["entry"])
    index = int(index_line.removeprefix("index "))
    _, size, root = open_checkpoint(note, vkey)
    # RFC 9162, section 2.1.3.2.
    here, last, value = index, size - 1, leaf(entry)
    for one in map(base64.b64decode, proof):
        assert last > 0
        if here & 1 or here == last:
            value = node(one, value)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            value = node(value, one)
        here >>= 1
        last >>= 1
    assert last == 0
    assert value == root
    return entry
