"""Runs every vector under docs/vectors/tlog against ledger.tlog."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger import errors
from ledger.tlog.checkpoint import open_checkpoint, parse_checkpoint
from ledger.tlog.cosignature import (
    CosignatureVerifier,
    cosignature_timestamp,
    verifier_for,
)
from ledger.tlog.merkle import leaf_hash, root_of
from ledger.tlog.note import (
    NoteSignature,
    SignatureType,
    VerifierKey,
    format_verifier_key,
    open_note,
    parse_verifier_key,
)
from ledger.tlog.proofs import root_from_inclusion, verify_consistency, verify_inclusion
from ledger.tlog.tiles import (
    TileWriter,
    format_bundle,
    format_tile_path,
    list_tiles,
    parse_bundle,
    parse_tile_path,
    tile_width,
)

TESTS = Path(__file__).resolve().parents[2]
VECTORS = TESTS.parent / "docs" / "vectors"
sys.path.insert(0, str(TESTS / "vectors"))
generate_tlog = importlib.import_module("generate_tlog")

Vector = dict[str, Any]


def load(name: str) -> list[Any]:
    """Pytest parameters for a vector file."""
    vectors = json.loads((VECTORS / "tlog" / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["desc"]) for vector in vectors]


def expect(vector: Vector) -> Any:
    """The context in which a bad vector's error must be raised: exactly that class."""
    return pytest.raises(getattr(errors, vector["want_error"]))


def unhex(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("name", sorted(generate_tlog.BUILDERS))
def test_files_are_what_the_generator_makes(name: str) -> None:
    written = (VECTORS / "tlog" / f"{name}.json").read_text(encoding="utf-8")
    assert written == generate_tlog.encode(generate_tlog.BUILDERS[name]())


@pytest.mark.parametrize("vector", load("merkle"))
def test_merkle(vector: Vector) -> None:
    leaves = [leaf_hash(entry) for entry in unhex(vector["input"])]
    assert root_of(leaves).hex() == vector["want"]


@pytest.mark.parametrize("vector", load("inclusion"))
def test_inclusion(vector: Vector) -> None:
    given = vector["input"]
    leaf, root = bytes.fromhex(given["leaf"]), bytes.fromhex(given["root"])
    proof = unhex(given["proof"])
    if "want_error" in vector:
        with expect(vector) as caught:
            verify_inclusion(given["index"], given["size"], leaf, proof, root)
        assert type(caught.value).__name__ == vector["want_error"]
    else:
        verify_inclusion(given["index"], given["size"], leaf, proof, root)
        assert root_from_inclusion(given["index"], given["size"], leaf, proof) == root


@pytest.mark.parametrize("vector", load("consistency"))
def test_consistency(vector: Vector) -> None:
    given = vector["input"]
    arguments = (
        given["old_size"],
        given["new_size"],
        unhex(given["proof"]),
        bytes.fromhex(given["old_root"]),
        bytes.fromhex(given["new_root"]),
    )
    if "want_error" in vector:
        with expect(vector) as caught:
            verify_consistency(*arguments)
        assert type(caught.value).__name__ == vector["want_error"]
    else:
        verify_consistency(*arguments)


@pytest.mark.parametrize("vector", load("tile_paths"))
def test_tile_paths(vector: Vector) -> None:
    if "want_error" in vector:
        with expect(vector):
            parse_tile_path(vector["input"])
    else:
        path = parse_tile_path(vector["input"])
        assert [path.level, path.number, path.width] == vector["want"]
        assert format_tile_path(path.level, path.number, path.width) == vector["input"]


@pytest.mark.parametrize("vector", load("tiles"))
def test_tiles(vector: Vector) -> None:
    size = vector["input"]
    want = vector["want"]
    for level, number, width in want.get("widths", []):
        assert tile_width(size, level, number) == width
    if "tiles" in want:
        writer = TileWriter(0, [])
        leaves = [leaf_hash(str(number).encode()) for number in range(size)]
        tiles = {(level, number): data for level, number, data in writer.extend(leaves)}
        assert writer.root().hex() == want["root"]
        for path in list_tiles(size):
            assert isinstance(path.level, int)
            tiles.setdefault((path.level, path.number), writer.edges[path.level])
        got = [
            [level, number, len(data) // 32, hashlib.sha256(data).hexdigest()]
            for (level, number), data in sorted(tiles.items())
        ]
        assert got == want["tiles"]


@pytest.mark.parametrize("vector", load("bundles"))
def test_bundles(vector: Vector) -> None:
    data, width = bytes.fromhex(vector["input"]["data"]), vector["input"]["width"]
    if "want_error" in vector:
        with expect(vector):
            parse_bundle(data, width)
    else:
        assert parse_bundle(data, width) == unhex(vector["want"])
        assert format_bundle(unhex(vector["want"])) == data


@pytest.mark.parametrize("vector", load("verifier_keys"))
def test_verifier_keys(vector: Vector) -> None:
    if "want_error" in vector:
        with expect(vector):
            parse_verifier_key(vector["input"])
    else:
        key = parse_verifier_key(vector["input"])
        got = [key.name, key.signature_type, key.public_key.hex(), key.key_id.hex()]
        assert got == vector["want"]
        assert format_verifier_key(key) == vector["input"]


@pytest.mark.parametrize("vector", load("notes"))
def test_notes(vector: Vector) -> None:
    data = vector["input"]["note"].encode()
    verifiers = [verifier_for(parse_verifier_key(key)) for key in vector["input"]["keys"]]
    if "want_error" in vector:
        with expect(vector) as caught:
            open_note(data, verifiers)
        assert type(caught.value).__name__ == vector["want_error"]
    else:
        note = open_note(data, verifiers)
        want = vector["want"]
        assert note.text.decode() == want["text"]
        assert [signature.name for signature in note.verified] == want["verified"]
        assert len(note.signatures) == want["signatures"]


@pytest.mark.parametrize("vector", load("checkpoints"))
def test_checkpoints(vector: Vector) -> None:
    text = vector["input"]["text"].encode()
    allow = vector["input"]["extensions"]
    if "want_error" in vector:
        with expect(vector):
            parse_checkpoint(text, allow_extensions=allow)
    else:
        checkpoint = parse_checkpoint(text, allow_extensions=allow)
        assert [checkpoint.origin, checkpoint.size, checkpoint.root.hex()] == vector["want"]
        assert checkpoint.text == text


@pytest.mark.parametrize("vector", load("cosignatures"))
def test_cosignatures(vector: Vector) -> None:
    given = vector["input"]
    key = VerifierKey(
        "witness.example/w1",
        SignatureType.COSIGNATURE_ED25519,
        bytes.fromhex(given["public_key"]),
    )
    verifier = CosignatureVerifier(key)
    signature = bytes.fromhex(given["signature"])
    if "want_error" in vector:
        with expect(vector):
            verifier.verify(given["text"].encode(), signature)
    else:
        verifier.verify(given["text"].encode(), signature)
        line = NoteSignature(key.name, key.key_id, signature)
        assert cosignature_timestamp(line) == vector["want"]


@pytest.mark.ml_dsa
@pytest.mark.parametrize("vector", load("ml_dsa_44_foreign"))
def test_ml_dsa_44_by_another_implementation(vector: Vector) -> None:
    given, want = vector["input"], vector["want"]
    verifier = verifier_for(parse_verifier_key(given["verifier_key"]))
    checkpoint, note = open_checkpoint(given["note"].encode(), want["origin"], [verifier])
    assert checkpoint.size == want["size"]
    assert cosignature_timestamp(note.verified[0]) == want["timestamp"]
    changed = given["note"].replace("\n1\n", "\n2\n").encode()
    with pytest.raises(errors.VerificationError):
        open_checkpoint(changed, want["origin"], [verifier])
