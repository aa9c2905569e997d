"""Checking an export: files against the manifest, and the log's root from its entries.

Needs no database: the entries' table holds the very bytes that were hashed, so the root
can be computed again from it and compared with the signed checkpoint in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger.audit.export.exporting import read_manifest, rows_of
from ledger.audit.export.tables import ENTRIES
from ledger.audit.export.writing import ROWS_TOGETHER, file_digest, plain_text, read_csv
from ledger.errors import LedgerError, NotReadyError, UndecidedError, VerificationError
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import EMPTY_ROOT, leaf_hash
from ledger.tlog.tiles import TileWriter
from ledger.verify import Trust, verify_checkpoint


def check_export(folder: Path, trust: Trust, *, now: int | None = None) -> Checkpoint:
    """Check an export as a whole.

    Args:
        folder: The export.
        trust: The log's verifier keys, which the caller has from elsewhere, or a policy.
        now: The caller's clock, in seconds since 1970, for cosignatures.

    Returns:
        The checkpoint that the entries' table was verified against.

    Raises:
        VerificationError: a file is not as the manifest says, or the entries do not give
            the root that was signed.
        UndecidedError: signed by none of the keys, by too few witnesses, or no table of
            the entries is there.
        NotFoundError, CorruptionError: no manifest.
    """
    manifest = read_manifest(folder)
    for table in manifest["tables"]:
        for file in table["files"]:
            _check_file(folder, file)
    checkpoint, _ = verify_checkpoint(manifest["checkpoint"].encode(), trust, now=now)
    (entries,) = (one for one in manifest["tables"] if one["name"] == ENTRIES.name)
    tree = TileWriter(0, [])
    leaves: list[bytes] = []
    for data in _entry_bytes(folder, entries):
        leaves.append(leaf_hash(data))
        if len(leaves) == ROWS_TOGETHER:
            tree.extend(leaves)
            leaves = []
    tree.extend(leaves)
    root = tree.root() if tree.size else EMPTY_ROOT
    if (tree.size, root) != (checkpoint.size, checkpoint.root):
        raise VerificationError(
            f"the {tree.size} exported entries give the root {root.hex()}; signed are "
            f"{checkpoint.size} entries with {checkpoint.root.hex()}",
            code="export_root",
        )
    return checkpoint


def _check_file(folder: Path, file: dict[str, Any]) -> None:
    try:
        found = file_digest(folder / Path(file["name"]).name)
    except LedgerError as error:
        raise VerificationError(error.message, code="export_file") from None
    if found != (file["bytes"], file["sha256"]):
        raise VerificationError(
            f"{file['name']} is not as the manifest says: expected {file['bytes']} bytes with "
            f"SHA-256 {file['sha256']}, got {found[0]} with {found[1]}; get the export again",
            code="export_file",
        )


def _entry_bytes(folder: Path, entries: dict[str, Any]) -> Iterator[bytes]:
    """The entries, from whichever format is there."""
    names = [file["name"] for file in entries["files"]]
    csv_name = next((name for name in names if name.endswith(".csv")), None)
    if csv_name is not None:
        for row in rows_of(read_csv(folder / csv_name)):
            yield plain_text(row["entry"]).encode()
        return
    if not names:
        raise UndecidedError("the manifest names no file of the entries")
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise NotReadyError(
            "Parquet needs pyarrow, which is not installed: install shanji[auditor]",
            code="no_pyarrow",
        ) from None
    for batch in pq.ParquetFile(folder / names[0]).iter_batches(columns=["entry"]):
        for value in batch.column(0):
            yield value.as_py().encode()
