"""Somebody else's verifier reads docs/vectors: standard library and cryptography, none of our code.

It knows docs/formats.md and the C2SP specifications. Where a vector must be refused, it is
refused by any exception: which one is our own affair.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from foreign_evidence import consistent_roots
from foreign_reader import (
    entries_of,
    leaf,
    node,
    open_checkpoint,
    split,
    tree_hash,
    verify_receipt,
)

VECTORS = Path(__file__).resolve().parents[2] / "docs" / "vectors"
LOGS = ("kinds", "kinds_2", "small_log")


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


SMALL = load("golden/small_log")


def hashes(texts: list[str]) -> list[bytes]:
    found = [bytes.fromhex(text) for text in texts]
    assert all(len(one) == 32 for one in found)
    return found


def inclusion(given: dict[str, Any]) -> str:
    """RFC 9162, section 2.1.3.2."""
    assert type(given["index"]) is type(given["size"]) is int
    here, last = given["index"], given["size"] - 1
    assert 0 <= here <= last
    (value,) = hashes([given["leaf"]])
    for one in hashes(given["proof"]):
        assert last > 0
        if here & 1 or here == last:
            value = node(one, value)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            value = node(value, one)
        here, last = here >> 1, last >> 1
    assert last == 0
    assert value.hex() == given["root"]
    return "verified"


def consistency(given: dict[str, Any]) -> str:
    """RFC 6962, section 2.1.2."""
    old, new = given["old_size"], given["new_size"]
    assert type(old) is type(new) is int
    assert 0 <= old <= new
    if old == 0:
        assert not given["proof"]
        assert given["old_root"] == hashlib.sha256(b"").hexdigest()
        return "verified"
    (old_root,) = hashes([given["old_root"]])
    roots = consistent_roots(old, new, hashes(given["proof"]), old_root)
    assert [one.hex() for one in roots] == [given["old_root"], given["new_root"]]
    return "verified"


def checkpoint(given: dict[str, Any]) -> list[Any]:
    """c2sp.org/tlog-checkpoint."""
    *lines, end = given["text"].split("\n")
    assert not end
    origin, size, root, *extensions = lines
    assert origin
    assert all(extensions)
    assert given["extensions"] or not extensions
    assert size == "0" or (size.isascii() and size.isdecimal() and size[0] != "0")
    assert int(size) < 2**63
    data = base64.b64decode(root, validate=True)
    assert len(data) == 32
    assert base64.b64encode(data).decode() == root
    return [origin, int(size), data.hex(), *([extensions] if extensions else [])]


def cosignature(given: dict[str, Any]) -> int:
    """c2sp.org/tlog-cosignature, type 0x04."""
    checkpoint({"text": given["text"], "extensions": True})
    signature = bytes.fromhex(given["signature"])
    assert len(signature) == 8 + 64
    time = int.from_bytes(signature[:8], "big")
    assert time < 2**63
    message = f"cosignature/v1\ntime {time}\n{given['text']}".encode()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(given["public_key"]))
    key.verify(signature[8:], message)
    return time


def sealed(given: dict[str, Any]) -> dict[str, str]:
    """docs/formats.md, section 4. For the values here json's spelling is RFC 8785's."""
    label = b"shanji/v1/salt/" + given["name"].encode()
    salt = url64(hmac.digest(bytes.fromhex(given["seed"]), label, "sha256")[:16])
    fields = [salt, given["name"], given["value"]]
    disclosure = url64(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
    commitment = url64(hashlib.sha256(disclosure.encode()).digest())
    return {"salt": salt, "disclosure": disclosure, "commitment": commitment}


def key_sizes(given: dict[str, Any]) -> list[list[Any]]:
    """docs/formats.md, section 2."""
    found: list[list[Any]] = [[key.split("+")[1], 0, None] for key in given["keys"]]
    for entry in given["entries"]:
        if entry["kind"] == "key.added":
            key_id = entry["fields"]["verifier_key"].split("+")[1]
            found.append([key_id, entry["index"] + 1, None])
        else:
            (one,) = (one for one in found if one[0] == entry["fields"]["key_id"])
            one[2] = entry["index"]
    return found


CHECKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "tlog/inclusion": inclusion,
    "tlog/consistency": consistency,
    "tlog/cosignatures": cosignature,
    "entries/disclosures": sealed,
    "entries/key_sizes": key_sizes,
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_vector_says_what_the_specification_says(name: str) -> None:
    vectors = load(name)
    assert vectors
    for vector in vectors:
        if "want" in vector:
            assert CHECKS[name](vector["input"]) == vector["want"], vector["desc"]
            continue
        assert vector["want_error"]
        try:
            CHECKS[name](vector["input"])
        except (AssertionError, InvalidSignature, ValueError, IndexError):
            continue
        pytest.fail(f"not refused: {vector['desc']}")


def test_good_checkpoints_and_damaged_ones() -> None:
    for vector in load("tlog/checkpoints"):
        if "want" in vector:
            origin, size, root, *_ = checkpoint(vector["input"])
            assert [origin, size, root] == vector["want"][:3], vector["desc"]


def verified(note: str, key: str) -> str | None:
    """The key's name if its first signature on the note holds; None if there is none by it."""
    name, key_id, encoded = key.split("+", 2)
    material = base64.b64decode(encoded)
    text, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        _, signer, value = line.split(" ")
        signature = base64.b64decode(value)
        if (signer, signature[:4].hex()) == (name, key_id):
            public = Ed25519PublicKey.from_public_bytes(material[1:])
            public.verify(signature[4:], f"{text}\n".encode())
            return name
    return None


def test_notes() -> None:
    seen = 0
    for vector in load("tlog/notes"):
        if "want" in vector:
            given, want = vector["input"], vector["want"]
            names = {verified(given["note"], key) for key in given["keys"]} - {None}
            assert names == set(want["verified"]), vector["desc"]
            assert given["note"].rpartition("\n\n")[0] + "\n" == want["text"]
            seen += 1
        elif vector["want_error"] == "VerificationError":
            given = vector["input"]
            with pytest.raises((InvalidSignature, ValueError)):
                [verified(given["note"], key) for key in given["keys"]]
            seen += 1
    assert seen


@pytest.mark.parametrize("name", LOGS)
def test_entries(name: str) -> None:
    """Each stands where it says, behind the entry that it names, with what it commits to."""
    previous = "0" * 64
    for index, record in enumerate(load(f"golden/{name}")["records"]):
        data = record["entry"].encode()
        entry = json.loads(data)
        plain = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert plain.encode() == data
        assert (entry["version"], entry["index"]) == (1, index)
        assert entry["previous"] == previous
        previous = leaf(data).hex()
        assert previous == record["leaf_hash"]
        assert entry.get("sealed", {}) == record.get("commitments", {})
        for field, disclosure in record.get("disclosures", {}).items():
            assert url64(hashlib.sha256(disclosure.encode()).digest()) == entry["sealed"][field]
            value = json.loads(base64.urlsafe_b64decode(disclosure + "=="))[2]
            want = sealed({"seed": record["seed"], "name": field, "value": value})
            assert want["disclosure"] == disclosure


def test_the_small_log() -> None:
    """Roots, checkpoint, tiles, growth and receipts of twelve entries."""
    entries = [record["entry"].encode() for record in SMALL["records"]]
    leaves = [leaf(one) for one in entries]
    roots = [hashlib.sha256(b"").digest()]
    roots += [tree_hash(leaves[:size]) for size in range(1, 13)]
    assert [one.hex() for one in roots] == SMALL["roots"]
    key = SMALL["verifier_key"]
    assert open_checkpoint(SMALL["checkpoint"].encode(), key) == (SMALL["origin"], 12, roots[12])
    assert split(base64.b64decode(SMALL["tiles"]["tile/0/000.p/12"])) == leaves
    assert entries_of(base64.b64decode(SMALL["tiles"]["tile/entries/000.p/12"])) == entries
    for size, proof in SMALL["consistency"].items():
        old = roots[int(size)]
        assert consistent_roots(int(size), 12, hashes(proof), old) == (old, roots[12])
    for receipt in SMALL["receipts"].values():
        assert verify_receipt(receipt.encode(), key) == entries[9]


def test_the_receipts_as_files() -> None:
    folder = VECTORS / "receipts"
    key = (folder / "log.vkey").read_text().strip()
    assert verify_receipt((folder / "gift.tlog-proof").read_bytes(), key)
    with pytest.raises(AssertionError):
        verify_receipt((folder / "tampered.tlog-proof").read_bytes(), key)


def test_cosigned_checkpoints() -> None:
    """Who saw a checkpoint, where the policy's outcome is no refusal (Ed25519 only)."""
    for vector in load("policy/checkpoints"):
        if "want" not in vector:
            continue
        given, want = vector["input"], vector["want"]
        text, _, lines = given["note"].rpartition("\n\n")
        seen = set()
        for line in given["policy"].splitlines():
            word, *rest = line.split(" ")
            if word != "witness":
                continue
            name, key_id, encoded = rest[1].split("+", 2)
            for signature_line in lines.splitlines():
                _, signer, value = signature_line.split(" ")
                signature = base64.b64decode(value)
                if (signer, signature[:4].hex()) != (name, key_id):
                    continue
                time = cosignature(
                    {
                        "public_key": base64.b64decode(encoded)[1:].hex(),
                        "text": f"{text}\n",
                        "signature": signature[4:].hex(),
                    }
                )
                if 0 < time <= given["now"] + 300:
                    seen.add((rest[0], time))
        best = {name: max(time for who, time in seen if who == name) for name, _ in seen}
        assert best == dict(want["cosigned"]), vector["desc"]
