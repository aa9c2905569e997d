"""Makes the vectors of sealed fields and key sizes: ``python tests/vectors/generate_entries.py``.

Two files under ``docs/vectors/entries/``, each a list of ``{desc, input, want}``:

- ``disclosures.json``: seed, name and value; the salt, the disclosure, the commitment.
- ``key_sizes.json``: the entries that add and revoke keys; for which sizes each key counts.

Everything comes from docs/formats.md, sections 2 and 4, by hmac and hashlib; nothing from
the code under test.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "entries"

Vector = dict[str, Any]

ORIGIN = "shanji.example/keys"


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def disclosure_vectors() -> list[Vector]:
    """Values of the shapes that a sealed field may have."""
    rows: list[tuple[str, str, object]] = [
        ("a name", "donor_name", "示例捐赠人3"),
        ("an empty text", "message", ""),
        ("quotation mark, backslash and line break", "message", 'a "b" \\ c\n'),
        ("a character beyond the basic plane", "message", "谢谢🙏"),
        ("a control character", "message", "\u0001"),
        ("a whole number", "order_number", 20210601),
        ("another name, so another salt", "contact", "示例捐赠人3"),
    ]
    found = []
    for number, (desc, name, value) in enumerate(rows):
        seed = hashlib.sha256(b"vector seed %d" % (number % 6)).digest()[:16]
        salt = url64(hmac.digest(seed, f"shanji/v1/salt/{name}".encode(), "sha256")[:16])
        # For these values json's spelling is RFC 8785's.
        text = json.dumps([salt, name, value], ensure_ascii=False, separators=(",", ":"))
        disclosure = url64(text.encode())
        want = {
            "salt": salt,
            "disclosure": disclosure,
            "commitment": url64(hashlib.sha256(disclosure.encode()).digest()),
        }
        given = {"seed": seed.hex(), "name": name, "value": value}
        found.append({"desc": desc, "input": given, "want": want})
    return found


def vkey(number: int) -> str:
    """An Ed25519 verifier key of the log."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    material = b"\x01" + private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n" + material).digest()[:4].hex()
    return f"{ORIGIN}+{key_id}+{b64encode(material).decode()}"


def key_size_vectors() -> list[Vector]:
    """A log's keys: from the start, rotated, and a spare."""
    first, second, third = vkey(1), vkey(2), vkey(3)
    name = {key: key.split("+")[1] for key in (first, second, third)}

    def added(index: int, key: str) -> Vector:
        fields = {"verifier_key": key, "algorithm": "ed25519"}
        return {"index": index, "kind": "key.added", "fields": fields}

    def revoked(index: int, key: str) -> Vector:
        fields = {"key_id": name[key], "reason": "superseded"}
        return {"index": index, "kind": "key.revoked", "fields": fields}

    def vector(desc: str, keys: list[str], entries: list[Vector], want: list[Any]) -> Vector:
        return {"desc": desc, "input": {"keys": keys, "entries": entries}, "want": want}

    return [
        vector("one key for ever", [first], [], [[name[first], 0, None]]),
        vector(
            "a second key",
            [first],
            [added(7, second)],
            [[name[first], 0, None], [name[second], 8, None]],
        ),
        vector(
            "a rotation",
            [first],
            [added(7, second), revoked(20, first)],
            [[name[first], 0, 20], [name[second], 8, None]],
        ),
        vector(
            "two keys from the start, one revoked, a third added",
            [first, second],
            [revoked(5, second), added(6, third)],
            [[name[first], 0, None], [name[second], 0, 5], [name[third], 7, None]],
        ),
    ]


BUILDERS: dict[str, Callable[[], list[Vector]]] = {
    "disclosures": disclosure_vectors,
    "key_sizes": key_size_vectors,
}


def encode(vectors: list[Vector]) -> str:
    """One vector a line, so that a change shows as a line."""
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
    return f"[\n{lines}\n]\n"


def main() -> None:
    """Write every vector file."""
    FOLDER.mkdir(exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / f"{name}.json").write_text(encode(build()), encoding="utf-8")


if __name__ == "__main__":
    main()
