"""Makes the test vectors of ledger.tlog: ``python tests/vectors/generate_tlog.py``.

Each file under ``docs/vectors/tlog/`` is a list of ``{desc, input, want | want_error}``, where
``want_error`` is the name of the error's class. What is wanted comes from the
oracle in ``tests/oracle_merkle.py``, from hashlib and cryptography, or was
written down by hand or taken from published specifications; never from the
code under test. Bytes are hex, except where a format is text itself.

``ml_dsa_44_foreign.json`` is not made here: its one signature was made by
another implementation.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Not as tests.oracle_merkle: merkletools installs a package of its own named tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
oracle = importlib.import_module("oracle_merkle")
notes = importlib.import_module("tlog_note_vectors")

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "tlog"

Vector = dict[str, Any]

# The eight entries that Certificate Transparency's own tests have always used.
REFERENCE_ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def hashes(count: int) -> list[bytes]:
    """Leaf hashes of the entries 0, 1, 2 ... as decimal text."""
    return [oracle.leaf(str(number).encode()) for number in range(count)]


def hex_list(values: list[bytes]) -> list[str]:
    return [value.hex() for value in values]


def flip(value: bytes, bit: int = 0) -> bytes:
    """The same bytes with one bit flipped."""
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def merkle_vectors() -> list[Vector]:
    """Leaf hashes and roots."""
    vectors: list[Vector] = [
        {"desc": f"the first {count} reference entries", "input": entries, "want": root}
        for count, root in enumerate([EMPTY_ROOT, *REFERENCE_ROOTS])
        for entries in [REFERENCE_ENTRIES[:count]]
    ]
    for count in (9, 31, 64, 100, 255, 256, 257):
        entries = [str(number).encode().hex() for number in range(count)]
        root = oracle.tree_hash(hashes(count)).hex()
        vectors.append({"desc": f"{count} numbered entries", "input": entries, "want": root})
    return vectors


def inclusion_vectors() -> list[Vector]:
    """Inclusion proofs, good ones and each with every kind of damage."""
    vectors: list[Vector] = []
    for index, size in [(0, 1), (0, 8), (5, 8), (2, 3), (1, 5), (6, 7), (255, 256), (256, 257)]:
        leaves = hashes(size)
        good = {
            "index": index,
            "size": size,
            "leaf": leaves[index].hex(),
            "proof": hex_list(oracle.inclusion(index, leaves)),
            "root": oracle.tree_hash(leaves).hex(),
        }
        name = f"entry {index} of {size}"
        vectors.append({"desc": name, "input": good, "want": "verified"})
        vectors += _damaged_inclusions(name, good)
    return vectors


def _damaged_inclusions(name: str, good: Vector) -> list[Vector]:
    proof: list[str] = good["proof"]
    root: str = good["root"]
    wrong = "VerificationError"
    garbage = "00" * 32
    changes: list[tuple[str, str, Vector]] = [
        ("index + 1", wrong, {"index": good["index"] + 1}),
        ("index xor 2", wrong, {"index": good["index"] ^ 2}),
        ("index far beyond the size", wrong, {"index": 2**64 - 1}),
        ("negative index", "MalformedError", {"index": -1}),
        ("index is a boolean", "MalformedError", {"index": True}),
        ("index is text", "MalformedError", {"index": "0"}),
        ("size doubled", wrong, {"size": good["size"] * 2}),
        ("size 0", wrong, {"size": 0}),
        ("negative size", "MalformedError", {"size": -1}),
        ("size beyond 64 bits", "MalformedError", {"size": 2**64}),
        ("other leaf", wrong, {"leaf": garbage}),
        ("short leaf", "MalformedError", {"leaf": good["leaf"][2:]}),
        ("other root", wrong, {"root": garbage}),
        ("empty root", "MalformedError", {"root": ""}),
        ("trailing garbage", wrong, {"proof": [*proof, garbage]}),
        ("trailing root", wrong, {"proof": [*proof, root]}),
        ("preceding garbage", wrong, {"proof": [garbage, *proof]}),
        ("preceding root", wrong, {"proof": [root, *proof]}),
        ("64 hashes", wrong, {"proof": [garbage] * 64}),
        ("hash too short", "MalformedError", {"proof": [garbage[2:]]}),
    ]
    for position, sibling in enumerate(proof):
        flipped = flip(bytes.fromhex(sibling), 4).hex()
        changed = [*proof[:position], flipped, *proof[position + 1 :]]
        removed = [*proof[:position], *proof[position + 1 :]]
        changes.append((f"hash {position} has a bit flipped", wrong, {"proof": changed}))
        changes.append((f"hash {position} removed", wrong, {"proof": removed}))
    return [
        {"desc": f"{name}: {desc}", "input": {**good, **change}, "want_error": error}
        for desc, error, change in changes
    ]


def consistency_vectors() -> list[Vector]:
    """Consistency proofs, good ones and each with every kind of damage."""
    vectors: list[Vector] = []
    pairs = [(1, 1), (1, 8), (2, 5), (4, 7), (6, 8), (7, 8), (8, 8), (255, 257), (256, 300)]
    for old_size, new_size in pairs:
        leaves = hashes(new_size)
        good = {
            "old_size": old_size,
            "new_size": new_size,
            "proof": hex_list(oracle.consistency(old_size, leaves)),
            "old_root": oracle.tree_hash(leaves[:old_size]).hex(),
            "new_root": oracle.tree_hash(leaves).hex(),
        }
        name = f"{old_size} to {new_size}"
        vectors.append({"desc": name, "input": good, "want": "verified"})
        vectors += _damaged_consistencies(name, good)
    return vectors


def _damaged_consistencies(name: str, good: Vector) -> list[Vector]:
    proof: list[str] = good["proof"]
    wrong = "VerificationError"
    garbage = "00" * 32
    changes: list[tuple[str, str, Vector]] = [
        ("old size + 1", wrong, {"old_size": good["old_size"] + 1}),
        ("old size 0", wrong, {"old_size": 0}),
        ("old size above the new", wrong, {"old_size": 2**64 - 1}),
        ("negative old size", "MalformedError", {"old_size": -1}),
        ("old size is a boolean", "MalformedError", {"old_size": True}),
        ("new size doubled", wrong, {"new_size": good["new_size"] * 2}),
        ("new size 0", wrong, {"new_size": 0}),
        ("new size is a fraction", "MalformedError", {"new_size": 8.0}),
        ("other old root", wrong, {"old_root": garbage}),
        ("other new root", wrong, {"new_root": garbage}),
        ("long new root", "MalformedError", {"new_root": good["new_root"] + "00"}),
        ("trailing garbage", wrong, {"proof": [*proof, garbage]}),
        ("preceding garbage", wrong, {"proof": [garbage, *proof]}),
        ("preceding old root", wrong, {"proof": [good["old_root"], *proof]}),
        ("trailing new root", wrong, {"proof": [*proof, good["new_root"]]}),
        ("64 hashes", wrong, {"proof": [garbage] * 64}),
        ("empty hash", "MalformedError", {"proof": [""]}),
    ]
    if good["old_size"] != good["new_size"]:
        swapped = {"old_root": good["new_root"], "new_root": good["old_root"]}
        changes.append(("swapped roots", wrong, swapped))
        changes.append(("empty proof", wrong, {"proof": []}))
    for position, sibling in enumerate(proof):
        flipped = flip(bytes.fromhex(sibling), 4).hex()
        changed = [*proof[:position], flipped, *proof[position + 1 :]]
        changes.append((f"hash {position} has a bit flipped", wrong, {"proof": changed}))
    return [
        {"desc": f"{name}: {desc}", "input": {**good, **change}, "want_error": error}
        for desc, error, change in changes
    ]


def tile_path_vectors() -> list[Vector]:
    """Tile paths: what they name, and texts that are none."""
    good = {
        "tile/0/000": [0, 0, 256],
        "tile/0/x001/x234/067": [0, 1234067, 256],
        "tile/0/x001/x234/067.p/112": [0, 1234067, 112],
        "tile/63/999.p/1": [63, 999, 1],
        "tile/10/x001/000.p/255": [10, 1000, 255],
        "tile/entries/000.p/1": ["entries", 0, 1],
        "tile/entries/x273/001": ["entries", 273001, 256],
        "tile/1/x036/x028/x797/x018/x963/967": [1, 2**55 - 1, 256],
    }
    bad = {
        "no level": "tile/000",
        "level with a leading zero": "tile/00/000",
        "level 64": "tile/64/000",
        "negative level": "tile/-1/000",
        "unknown level": "tile/data/000",
        "two digits": "tile/0/00",
        "four digits": "tile/0/0000",
        "superfluous group": "tile/0/x000/001",
        "last group with x": "tile/0/x001",
        "first group without x": "tile/0/001/234",
        "capital X": "tile/0/X001/234",
        "number beyond the largest tree": "tile/1/x036/x028/x797/x018/x963/968",
        "width 0": "tile/0/000.p/0",
        "width 256 spelled out": "tile/0/000.p/256",
        "width 257": "tile/0/000.p/257",
        "width with a leading zero": "tile/0/000.p/01",
        "width missing": "tile/0/000.p/",
        "final newline": "tile/0/000\n",
        "leading slash": "/tile/0/000",
        "digits of another script": "tile/0/\u0660\u0660\u0660",
        "very long": "tile/0/" + "x001/" * 1000 + "000",
        "empty": "",
    }
    vectors: list[Vector] = [
        {"desc": path, "input": path, "want": want} for path, want in good.items()
    ]
    vectors += [
        {"desc": desc, "input": path, "want_error": "MalformedError"} for desc, path in bad.items()
    ]
    return vectors


def tile_vectors() -> list[Vector]:
    """The tiles of a tree by size: widths from the formula, digests from the oracle."""
    vectors: list[Vector] = []
    for size in (0, 1, 255, 256, 257, 511):
        leaves = hashes(size)
        tiles = []
        for level in range(2):
            for number in range(3):
                data = oracle.tile(level, number, leaves)
                if data:
                    digest = hashlib.sha256(data).hexdigest()
                    tiles.append([level, number, len(data) // 32, digest])
        root = oracle.tree_hash(leaves).hex()
        vectors.append(
            {"desc": f"{size} leaves", "input": size, "want": {"root": root, "tiles": tiles}}
        )
    # Too large to recompute each time; the widths are those of the spec's own example.
    widths = {
        65535: [[0, 255, 255], [1, 0, 255]],
        65536: [[1, 0, 256], [2, 0, 1]],
        65537: [[0, 256, 1], [1, 0, 256], [1, 1, 0], [2, 0, 1]],
        70000: [[0, 272, 256], [0, 273, 112], [1, 0, 256], [1, 1, 17], [2, 0, 1], [3, 0, 0]],
    }
    vectors += [
        {"desc": f"widths at {size}", "input": size, "want": {"widths": want}}
        for size, want in widths.items()
    ]
    return vectors


def bundle_vectors() -> list[Vector]:
    """Entry bundles."""

    def vector(desc: str, data: str, width: int, **want: object) -> Vector:
        return {"desc": desc, "input": {"data": data, "width": width}, **want}

    return [
        vector("one entry", "0003616263", 1, want=["616263"]),
        vector("an empty entry", "0000", 1, want=[""]),
        vector("two entries", "0001ff00020102", 2, want=["ff", "0102"]),
        vector("fewer entries than asked", "0001ff", 2, want_error="MalformedError"),
        vector("more entries than asked", "0001ff0001ee", 1, want_error="MalformedError"),
        vector("cut inside an entry", "000361", 1, want_error="MalformedError"),
        vector("cut inside a length", "0001ff00", 2, want_error="MalformedError"),
        vector("one byte too many", "0001ff00", 1, want_error="MalformedError"),
        vector("width 257", "0000" * 257, 257, want_error="MalformedError"),
        vector("negative width", "", -1, want_error="MalformedError"),
    ]


BUILDERS: dict[str, Callable[[], list[Vector]]] = {
    "merkle": merkle_vectors,
    "inclusion": inclusion_vectors,
    "consistency": consistency_vectors,
    "tile_paths": tile_path_vectors,
    "tiles": tile_vectors,
    "bundles": bundle_vectors,
    "verifier_keys": notes.verifier_key_vectors,
    "notes": notes.note_vectors,
    "checkpoints": notes.checkpoint_vectors,
    "cosignatures": notes.cosignature_vectors,
}


def encode(vectors: list[Vector]) -> str:
    """The text of a vector file."""
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
    return f"[\n{lines}\n]\n"


def main() -> None:
    """Write every vector file."""
    FOLDER.mkdir(exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / f"{name}.json").write_text(encode(build()), encoding="utf-8")


if __name__ == "__main__":
    main()
