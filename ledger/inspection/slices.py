"""What one step of the inspection compares: a bundle of entries, or some signed notes, or files.

A step reads its own snapshot and keeps nothing, so that it never holds up the database. It
returns what is wrong, in words; it raises only where it could not look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from ledger.entry import FIRST_PREVIOUS
from ledger.errors import CorruptionError, LedgerError, RetryableError
from ledger.fitting import (
    FittingTiles,
    read_key_history,
    require_cosigned,
    require_signed,
)
from ledger.keys.access import KeyAccess
from ledger.keys.files import VAULT_KEY, read_vault_key
from ledger.keys.ring import Keyring
from ledger.known import FOLDER, SUFFIX, read_known
from ledger.store import Reader, Store
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.tiles import TILE_WIDTH, TileReader, tile_width
from ledger.vault import Vault

NOTES_AT_ONCE = 64
"""Checkpoints, or cosignatures, of one step: a signature costs as much as sixty hashes."""
TOKENS = "tokens.json"
TOKENS_BYTES_MAX = 16_000_000


@dataclass(slots=True)
class Slice:
    """What one step looked at: how many rows or files, and what was wrong."""

    rows: int = 0
    findings: list[str] = field(default_factory=list)

    def find(self, place: str, error: LedgerError) -> None:
        """Note what is wrong at a place; an error that only asks to wait is raised again."""
        if isinstance(error, RetryableError):
            raise error
        self.findings.append(f"{place}: {error.message}")


def inspect_log(store: Store, vault: Vault) -> Iterator[Slice]:
    """A round over the entries, a bundle a step, as far as the log goes when it gets there."""
    number = 0
    while True:
        with store.read() as reader:
            head = reader.head()
            if head is None or number * TILE_WIDTH >= head.size:
                return
            yield _bundle(reader, vault, number, tile_width(head.size, 0, number))
        number += 1


def _bundle(reader: Reader, vault: Vault, number: int, width: int) -> Slice:
    """One bundle: tree, chain, and the rows that hang on each entry."""
    found = Slice(width)
    first = number * TILE_WIDTH
    try:
        entries = FittingTiles(reader).entries(number, width)
        before = reader.entry(first - 1) if first else None
    except LedgerError as error:
        found.find(f"entries {first} to {first + width - 1}", error)
        return found
    previous = FIRST_PREVIOUS if before is None else leaf_hash(before).hex()
    for index, data in enumerate(entries, first):
        entry = orjson.loads(data)
        if (entry["index"], entry["previous"]) != (index, previous):
            found.findings.append(f"entry {index}: it does not continue the chain")
        previous = leaf_hash(data).hex()
        for target in entry["references"]:
            if index not in reader.referrers(target, after=index - 1, limit=1):
                found.findings.append(f"entry_reference {target} {index}: the row is missing")
    _kinds(reader, first, entries, found)
    _sealed(reader, vault, range(first, first + width), found)
    return found


def _kinds(reader: Reader, first: int, entries: Sequence[bytes], found: Slice) -> None:
    """The rows by which these entries are found by their kind."""
    kinds: dict[str, list[int]] = {}
    for index, data in enumerate(entries, first):
        kinds.setdefault(orjson.loads(data)["kind"], []).append(index)
    for kind, indices in kinds.items():
        for index in set(indices) - reader.those_of_kinds(indices, (kind,)):
            found.findings.append(f"entry_kind {kind} {index}: the row is missing")


def _sealed(reader: Reader, vault: Vault, indices: range, found: Slice) -> None:
    """The vault's rows of these entries, and what repeats them in clear."""
    rows = {}
    for index in indices:
        try:
            stored = reader.vault(index)
            if stored is None:
                raise CorruptionError("the row is missing")
            rows[index] = vault.decrypt(index, stored)
        except LedgerError as error:
            found.find(f"vault {index}", error)
    try:
        keys = reader.idempotency([row.key for row in rows.values()])
        orders = reader.order_numbers([row.order for row in rows.values() if row.order])
    except LedgerError as error:
        found.find(f"idempotency or order_number of entries {indices}", error)
        return
    for index, row in rows.items():
        if keys.get(row.key) != (row.request, index):
            found.findings.append(f"idempotency: the row of entry {index} is another or missing")
        if row.order is not None and orders.get(row.order) != index:
            found.findings.append(f"order_number: the row of entry {index} is another or missing")


def inspect_notes(store: Store) -> Iterator[Slice]:
    """A round over the checkpoints and the cosignatures, some a step."""
    for table in ("checkpoint", "cosignature"):
        after: tuple[int, ...] = ()
        while True:
            found = Slice()
            with store.read() as reader:
                try:
                    after = _notes(reader, table, after, found)
                except LedgerError as error:
                    found.find(f"{table}, a row after {after}", error)
                    yield found
                    break
            if not found.rows:
                break
            yield found


def _notes(reader: Reader, table: str, after: tuple[int, ...], found: Slice) -> tuple[int, ...]:
    """The next rows of a table of notes; the key of the last one."""
    keys, tiles = read_key_history(reader).keys, FittingTiles(reader)
    for row in reader.scan(table, after=after):
        try:
            if table == "checkpoint":
                size, root, note = row
                signed = require_signed(note, keys)
                tree = TileReader(size, tiles.tile)
                if not signed.root == root == tree.root() or signed.size != size:
                    raise CorruptionError("its row, its note and the tree differ")
            else:
                _, size, key, line = row
                require_cosigned(key, line, reader.checkpoint(size))
        except LedgerError as error:
            found.find(f"{table} {row[0]}", error)
        found.rows += 1
        after = (row[0],)
        if found.rows >= NOTES_AT_ONCE:
            break
    return after


def inspect_files(folder: Path, origin: str, store: Store, access: KeyAccess) -> Slice:
    """The files beside the database: keys that are the log's, and others that can be read.

    A damaged token only stops working, so tokens are read and not compared.
    """
    found = Slice()
    keys = access.folder_of(folder)
    with store.read() as reader:
        history = read_key_history(reader)
        first = reader.vault(0)
    try:
        found.rows += 1
        ring = Keyring.open(keys, origin, access)
        try:
            if not any(ring.has(key) for key in history.active):
                raise CorruptionError("none of them is a key with which the log signs now")
        finally:
            ring.close()
    except LedgerError as error:
        found.find(f"key files in {keys}", error)
    try:
        found.rows += 1
        if first is not None:
            Vault(read_vault_key(keys / VAULT_KEY, access)).decrypt(0, first)
    except LedgerError as error:
        found.find(f"{keys / VAULT_KEY}", error)
    _read_others(folder, found, history.keys)
    return found


def _read_others(folder: Path, found: Slice, keys: Sequence[VerifierKey]) -> None:
    """Tokens, and the checkpoints that were heard of."""
    try:
        with (folder / TOKENS).open("rb") as file:
            found.rows += 1
            orjson.loads(file.read(TOKENS_BYTES_MAX))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        found.findings.append(f"{folder / TOKENS}: it cannot be read: {error}")
    place = folder / FOLDER
    for name in sorted(os.listdir(place)) if place.is_dir() else ():
        if name.endswith(SUFFIX):
            found.rows += 1
            try:
                read_known(place / name, keys)
            except LedgerError as error:
                found.find(str(place / name), error)
