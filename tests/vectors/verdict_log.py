"""A log with its own keys and witnesses, for the vectors of verdicts; none of the ledger's code.

Made from docs/formats.md and the C2SP specifications with hashlib, hmac and cryptography.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "shanji.example/verdicts"
NOW = 1_800_000_000
SEEN = 1_700_000_000
"""The time of a cosignature, well before the reader's clock."""
ENTRIES = 11
GIFT = 6
"""The entry that most vectors are about: it has three personal fields."""


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def canonical(value: object) -> bytes:
    """Canonical JSON; for what stands in these vectors json's spelling is RFC 8785's."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


class Party:
    """A signer: a log (type 1) or a witness (type 4) with a key of its own."""

    def __init__(self, name: str, kind: int, number: int) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.public = self.private.public_key().public_bytes_raw()
        material = bytes([kind]) + self.public
        self.key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{b64(material)}"

    def line(self, signature: bytes) -> str:
        return f"\u2014 {self.name} {b64(self.key_id + signature)}\n"

    def sign(self, text: str) -> str:
        return self.line(self.private.sign(text.encode()))

    def cosign(self, text: str, time: int = SEEN) -> str:
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return self.line(time.to_bytes(8, "big") + self.private.sign(message))


LOG = Party(ORIGIN, 1, 1)
NEXT_LOG = Party(ORIGIN, 1, 2)
OTHER_LOG = Party("other.example/log", 1, 3)
W = [Party(f"witness.example/w{number}", 4, 10 + number) for number in range(4)]
STRANGER = Party("stranger.example", 4, 20)

VALUES = {"contact": "13800000000", "donor_name": "示例捐赠人", "order_number": "ORDER-7"}


def seed_of(index: int) -> bytes:
    return hashlib.sha256(b"verdict seed %d" % index).digest()[:16]


def disclosure(seed: bytes, name: str, value: object) -> str:
    salt = hmac.digest(seed, f"shanji/v1/salt/{name}".encode(), "sha256")[:16]
    return url64(canonical([url64(salt), name, value]))


def commitment(text: str) -> str:
    return url64(hashlib.sha256(text.encode()).digest())


def sealed(seed: bytes, values: dict[str, Any]) -> dict[str, str]:
    return {name: commitment(disclosure(seed, name, value)) for name, value in values.items()}


def entry_value(index: int) -> dict[str, Any]:
    """The entry at an index, as a value: a gift of 10 yuan more each time."""
    amount = 1000 * (index + 1)
    return {
        "version": 1,
        "index": index,
        "previous": hashlib.sha256(b"before %d" % index).hexdigest(),
        "recorded_at": f"2026-11-{index + 1:02d}T02:00:00.123456Z",
        "occurred_on": f"2026-11-{index + 1:02d}",
        "recorded_by": "clerk-1",
        "kind": "donation.money",
        "fields": {"amount_fen": amount, "channel": "bank", "fund": "relief"},
        "sealed": sealed(seed_of(index), VALUES) if index == GIFT else {},
        "postings": [
            {"asset": "CNY", "amount": amount, "from": "world:donor", "to": "fund:relief", "at": 0}
        ],
        "references": [],
        "documents": [],
    }


ENTRY_BYTES = [canonical(entry_value(index)) for index in range(ENTRIES)]


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(one: bytes, other: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + one + other).digest()


def _split(count: int) -> int:
    size = 1
    while size * 2 < count:
        size *= 2
    return size


def tree(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _split(len(leaves))
    return node(tree(leaves[:cut]), tree(leaves[cut:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, as it stands there."""
    if len(leaves) == 1:
        return []
    cut = _split(len(leaves))
    if index < cut:
        return [*path(index, leaves[:cut]), tree(leaves[cut:])]
    return [*path(index - cut, leaves[cut:]), tree(leaves[:cut])]


def checkpoint(root: bytes, size: int, origin: str = ORIGIN) -> str:
    """The text of a checkpoint."""
    return f"{origin}\n{size}\n{b64(root)}\n"


def opening(data: bytes, **more: object) -> dict[str, Any]:
    return {"entry": b64(data), **more}


def whole(index: int = GIFT) -> dict[str, Any]:
    """The opening that reveals everything."""
    return opening(ENTRY_BYTES[index], seed=url64(seed_of(index)), values=VALUES)


def revealing(*names: str) -> dict[str, Any]:
    """The opening that reveals these fields of the gift."""
    seed = seed_of(GIFT)
    texts = [disclosure(seed, name, VALUES[name]) for name in names]
    return opening(ENTRY_BYTES[GIFT], disclosures=texts)


def join(extra: bytes, index: str, proof: list[str], note: str) -> str:
    """A receipt of parts that may be wrong, in text."""
    lines = ["c2sp.org/tlog-proof@v1", f"extra {b64(extra)}", f"index {index}", *proof]
    return "\n".join(lines) + "\n\n" + note


class Receipt:
    """The parts of a receipt, each of which may be changed before it is written.

    Args:
        index: The entry's place.
        size: The size of the tree.
        opened: The opening; by default all of the gift's, or none of another's.
        entries: The tree's entries; by default the log's.
        sign: Who signs the checkpoint, in this order, each a function of its text.
        origin: The checkpoint's origin.
    """

    def __init__(
        self,
        index: int = GIFT,
        size: int = ENTRIES,
        *,
        opened: dict[str, Any] | None = None,
        entries: list[bytes] | None = None,
        sign: list[Any] | None = None,
        origin: str = ORIGIN,
    ) -> None:
        leaves = [leaf(one) for one in (entries or ENTRY_BYTES)[:size]]
        if opened is None:
            opened = whole() if index == GIFT else opening((entries or ENTRY_BYTES)[index])
        self.extra = canonical(opened)
        self.index = str(index)
        self.proof = [b64(one) for one in path(index, leaves)]
        self.text = checkpoint(tree(leaves), size, origin)
        self.signatures = [one(self.text) for one in (sign or [LOG.sign])]

    @property
    def note(self) -> str:
        return self.text + "\n" + "".join(self.signatures)

    def __str__(self) -> str:
        return join(self.extra, self.index, self.proof, self.note)


def policy(quorum: str, *, count: int = 3, logs: str | None = None) -> str:
    """A policy of `count` witnesses; `quorum` is a number of them, or a line's end."""
    lines = logs if logs is not None else f"log {LOG.vkey}\n"
    lines += "".join(f"witness w{number} {W[number].vkey}\n" for number in range(count))
    if quorum.isdigit():
        names = " ".join(f"w{number}" for number in range(count))
        return lines + f"group enough {quorum} {names}\nquorum enough\n"
    return lines + f"quorum {quorum}\n"
