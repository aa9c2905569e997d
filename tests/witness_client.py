"""A log and a witness's client that know only the C2SP specifications, and none of our code.

Standard library and `cryptography` only: RFC 6962's definitions by plain recursion, notes
and cosignatures written and checked by hand. The tests use it as the program of somebody
else who talks to our witness.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import urllib.parse
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:]))


def split_of(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def consistency(old: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962, section 2.1.2; empty where a witness wants it empty."""
    if old in (0, len(leaves)):
        return []
    return _subproof(old, leaves, True)


def _subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    split = split_of(len(leaves))
    if old <= split:
        return [*_subproof(old, leaves[:split], whole), tree_hash(leaves[split:])]
    return [*_subproof(old - split, leaves[split:], False), tree_hash(leaves[:split])]


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


@dataclass
class Log:
    """A log of hashes with a key; `fork` makes the entries from there on different ones."""

    origin: str = "log.example/somebody"
    number: int = 1
    fork: int | None = None
    leaves: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([self.number]) * 32)
        self.public = self.private.public_key().public_bytes_raw()
        self.id = key_id(self.origin, 1, self.public)
        self.vkey = f"{self.origin}+{self.id.hex()}+{b64(bytes([1]) + self.public)}"

    def grow(self, size: int) -> None:
        for index in range(len(self.leaves), size):
            forked = self.fork is not None and index >= self.fork
            self.leaves.append(sha256(b"\x00entry %d%s" % (index, b" forked" if forked else b"")))

    def text(self, size: int, more: str = "") -> str:
        self.grow(size)
        return f"{self.origin}\n{size}\n{b64(tree_hash(self.leaves[:size]))}\n{more}"

    def checkpoint(self, size: int, more: str = "") -> bytes:
        return self.sign(self.text(size, more))

    def sign(self, text: str) -> bytes:
        line = f"— {self.origin} {b64(self.id + self.private.sign(text.encode()))}\n"
        return f"{text}\n{line}".encode()

    def request(self, old: int, size: int) -> bytes:
        self.grow(size)
        return request(old, consistency(old, self.leaves[:size]), self.checkpoint(size))


def request(old: int, proof: list[bytes], note: bytes) -> bytes:
    """The body of add-checkpoint."""
    return "".join([f"old {old}\n", *(f"{b64(one)}\n" for one in proof), "\n"]).encode() + note


def verify_cosignatures(body: bytes, text: str, vkey: str) -> list[int]:
    """The times of the good cosignatures by this key in an answer; others are passed over."""
    name, hex_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded)
    assert material[0] == 4
    assert key_id(name, 4, material[1:]).hex() == hex_id
    assert body.endswith(b"\n")
    times = []
    for line in body.decode().splitlines():
        dash, signer, value = line.split(" ")
        data = base64.b64decode(value, validate=True)
        assert dash == "—"
        if signer != name or data[:4].hex() != hex_id:
            continue
        time = int.from_bytes(data[4:12], "big")
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        assert len(data) == 76
        Ed25519PublicKey.from_public_bytes(material[1:]).verify(data[12:], message)
        times.append(time)
    return times


def post(url: str, body: bytes) -> tuple[int, str, bytes]:
    """POST to a witness; status, content type and body of the answer."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("POST", parts.path.rstrip("/") + "/add-checkpoint", body)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("content-type", ""), answer.read()
    finally:
        connection.close()
