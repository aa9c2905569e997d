"""Makes the golden vectors: ``python tests/vectors/generate_golden.py [--force]``.

They freeze the formats: what a log, a receipt and a trace proof look like, byte for
byte. The ledger itself makes them, with fixed keys, clock and randomness, once; from
then on a program that gives other bytes is wrong. So existing vectors are never
overwritten: a new need is a new version or kind (design, section 3), whose records are
added at the end of ``golden_records_2.KINDS_2``. ``--force`` is for the time before the
first real log.

Under ``docs/vectors``, ``golden/kinds.json`` has a log with the first record kinds,
``golden/kinds_2.json`` one with those that came later, ``golden/small_log.json`` one of
twelve entries with its roots, checkpoint, tiles, receipts and traces; ``receipts/`` has
a receipt, a damaged one and the log's key as files.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from golden_records import KINDS, SMALL, Told
from golden_records_2 import KINDS_2

from ledger.book import SYSTEM, Book
from ledger.entry import build_disclosure
from ledger.receipt import Receipt, build_receipt, parse_receipt
from ledger.recorded import Recorded
from ledger.records.request import prepare
from ledger.tlog.merkle import leaf_hash, root_of
from ledger.tlog.note import format_verifier_key
from ledger.tlog.tiles import TileReader, format_bundle
from ledger.trace import trace_proof
from ledger.vault import Vault

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors"

ORGANISATION = "示例区慈善会"
LOG_KEY_SEED = hashlib.sha256(b"golden log key").digest()
VAULT_KEY = hashlib.sha256(b"golden vault key").digest()
START = datetime(2021, 6, 1, 2, 0, 0, 123456, tzinfo=UTC)
STEP = timedelta(minutes=1)
GIFT = 9
"""The gift whose receipts are golden."""

GROWING = "golden/kinds_2.json"
"""A new kind adds its records at the end of this log; those before stay as they are."""

FROZEN = (
    "these vectors exist and would change, but formats are frozen: change the program until "
    "it gives these bytes, or add a new version or kind; --force overwrites them"
)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def fixed_random() -> Callable[[int], bytes]:
    """Bytes that look random and are the same each time."""
    numbers = itertools.count()
    return lambda size: hashlib.sha256(b"golden seed %d" % next(numbers)).digest()[:size]


def create(folder: Path, origin: str, clock: Clock) -> Book:
    """A new log with the golden keys."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    (keys / "vault.key").write_text(VAULT_KEY.hex() + "\n")
    private = Ed25519PrivateKey.from_private_bytes(LOG_KEY_SEED)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / "log-key.pem").write_bytes(pem)
    return Book.create(folder, origin=origin, organisation=ORGANISATION, clock=clock)


def record(book: Book, clock: Clock, batches: Sequence[Sequence[Told]]) -> list[dict[str, Any]]:
    """Record the batches; one vector for each entry, the first of all included."""
    opened = {"kind": "log.opened", "origin": book.origin, "organisation": ORGANISATION}
    vectors = [vector(book, 0, opened, None, SYSTEM, None)]
    vault = Vault(VAULT_KEY, fixed_random())
    for batch in batches:
        clock.now += STEP
        prepared = [
            prepare(
                one.body,
                key=f"golden-{len(vectors) + number}",
                recorded_by=one.recorded_by,
                approved_by=one.approved_by,
                vault=vault,
            )
            for number, one in enumerate(batch)
        ]
        futures: list[Future[Recorded]] = book.sequencer.submit(prepared)
        for one, ready, future in zip(batch, prepared, futures, strict=True):
            index = future.result().index
            seed = ready.row.seed
            vectors.append(vector(book, index, one.body, seed, one.recorded_by, one.approved_by))
    return vectors


def vector(
    book: Book,
    index: int,
    request: dict[str, Any],
    seed: bytes | None,
    recorded_by: str,
    approved_by: str | None,
) -> dict[str, Any]:
    """One record: what went in, and every byte that came of it."""
    data, entry = book.entry(index)
    value: dict[str, Any] = {
        "kind": entry.kind,
        "index": index,
        "recorded_at": entry.recorded_at,
        "recorded_by": recorded_by,
    }
    if approved_by is not None:
        value["approved_by"] = approved_by
    value["request"] = request
    if seed is not None:
        value["seed"] = seed.hex()
    value["entry"] = data.decode()
    value["leaf_hash"] = leaf_hash(data).hex()
    opening = book.opening(index)
    if opening is not None:
        opened_seed, values = opening
        value["commitments"] = dict(entry.sealed)
        value["disclosures"] = {
            name: build_disclosure(opened_seed, name, text) for name, text in values.items()
        }
    return value


def inputs(book: Book) -> dict[str, Any]:
    """What the log was made with."""
    return {
        "origin": book.origin,
        "organisation": ORGANISATION,
        "log_key_seed": LOG_KEY_SEED.hex(),
        "verifier_key": format_verifier_key(book.verifier_keys[0]),
    }


def kinds(folder: Path, origin: str, batches: Sequence[Sequence[Told]]) -> dict[str, Any]:
    """A log that has kinds, one after another."""
    clock = Clock()
    book = create(folder, origin, clock)
    try:
        return {**inputs(book), "records": record(book, clock, batches)}
    finally:
        book.close()


def small_log(folder: Path) -> dict[str, Any]:
    """The log of twelve entries, with all that is served and given out of it."""
    clock = Clock()
    book = create(folder, "shanji.example/golden", clock)
    try:
        records = record(book, clock, SMALL)
        entries = [one["entry"].encode() for one in records]
        leaves = [leaf_hash(one) for one in entries]
        with book.store.read() as reader:
            traces = {
                "forward": trace_proof(reader, 5, "forward").decode(),
                "backward": trace_proof(reader, 8, "backward").decode(),
            }
            tree = TileReader(len(leaves), reader.tile)
            consistency = {str(size): tree.consistency(size) for size in range(1, len(leaves) + 1)}
            tile = reader.tile(0, 0, len(leaves))
        return {
            **inputs(book),
            "records": records,
            "roots": [root_of(leaves[:size]).hex() for size in range(len(leaves) + 1)],
            "checkpoint": book.checkpoint().decode(),
            "consistency": {
                size: [one.hex() for one in proof] for size, proof in consistency.items()
            },
            "tiles": {
                f"tile/0/000.p/{len(leaves)}": b64encode(tile).decode(),
                f"tile/entries/000.p/{len(leaves)}": b64encode(format_bundle(entries)).decode(),
            },
            "receipts": {
                "full": book.receipt(GIFT, reveal="all").decode(),
                "partial": book.receipt(GIFT, reveal=["donor_name"]).decode(),
                "none": book.receipt(GIFT, reveal="none").decode(),
            },
            "traces": traces,
        }
    finally:
        book.close()


def tampered(receipt: bytes) -> bytes:
    """The receipt with ten times the amount, else well-formed."""
    parsed = parse_receipt(receipt)
    entry = parsed.opening.entry.replace(b"500", b"5000")
    opening = type(parsed.opening)(entry, parsed.opening.seed, parsed.opening.values)
    return build_receipt(Receipt(parsed.index, parsed.proof, parsed.checkpoint, opening))


def as_text(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def make() -> dict[str, bytes]:
    """All files by their path under ``docs/vectors``."""
    folder = Path(tempfile.mkdtemp())
    try:
        small = small_log(folder / "small")
        receipt = small["receipts"]["full"].encode()
        return {
            "golden/kinds.json": as_text(
                kinds(folder / "kinds", "shanji.example/golden-kinds", KINDS)
            ),
            "golden/kinds_2.json": as_text(
                kinds(folder / "kinds-2", "shanji.example/golden-kinds-2", KINDS_2)
            ),
            "golden/small_log.json": as_text(small),
            "receipts/gift.tlog-proof": receipt,
            "receipts/tampered.tlog-proof": tampered(receipt),
            "receipts/log.vkey": small["verifier_key"].encode() + b"\n",
        }
    finally:
        shutil.rmtree(folder)


def is_frozen(name: str, old: bytes, new: bytes) -> bool:
    """Whether writing `new` over `old` would change a vector, and not only add some."""
    if name != GROWING:
        return old != new
    try:
        before, after = json.loads(old), json.loads(new)
        kept = after["records"][: len(before["records"])]
        return {**after, "records": kept} != before
    except (ValueError, KeyError, TypeError):
        return True


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the vectors that are not there yet; the exit code, 1 where one would change."""
    files = make()
    if arguments != ["--force"]:
        for name, data in files.items():
            path = folder / name
            if path.exists() and is_frozen(name, path.read_bytes(), data):
                sys.stderr.write(f"{name}: {FROZEN}\n")
                return 1
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
