"""Writing an export: a new folder, all tables of one snapshot, the manifest last.

The folder counts as an export when it has its manifest; what was interrupted has none,
and is removed by the next try into the same folder.
"""

from __future__ import annotations

import platform
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import orjson

from ledger.audit.export.tables import (
    ACCOUNTS,
    ANCHORS,
    CHECKPOINTS,
    COSIGNATURES,
    ENTRIES,
    HOLDINGS,
    KIND_PREFIX,
    MOVEMENTS,
    Table,
    all_tables,
    dictionary,
    dictionary_page,
)
from ledger.audit.export.writing import TableFiles, as_json, file_digest
from ledger.entry import Entry, parse_entry
from ledger.errors import ConflictError, CorruptionError, FatalError, NotFoundError
from ledger.store import Reader, Store
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note

MANIFEST = "manifest.json"
PART = "manifest.part"
FORMAT = "shanji-export/1"
PROGRESS_ENTRIES = 1000
ACCOUNTS_PAGE = 500

Format = Literal["csv", "parquet"]
Progress = Callable[[int, int], None]


def export(
    store: Store,
    folder: Path,
    *,
    formats: Sequence[Format],
    now: datetime,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Export a whole log.

    Args:
        store: The log.
        folder: A new folder, an empty one, or one where an export was interrupted.
        formats: ``csv``, ``parquet``, or both.
        now: The time that the manifest names.
        progress: Called with entries done and the log's size.

    Returns:
        The manifest: origin, size, root, checkpoint, and of each table its rows, sums
        and files with their SHA-256.

    Raises:
        ConflictError: the folder holds something else.
        NotFoundError: the log is empty.
        NotReadyError: Parquet is wanted and pyarrow is absent.
        FatalError: the disk failed or is full.
    """
    _claim(folder)
    tables = all_tables()
    files: dict[str, TableFiles] = {}
    try:
        for table in tables:
            files[table.name] = TableFiles(folder, table, formats)
        with store.read() as reader:
            head = reader.head()
            if head is None:
                raise NotFoundError("the log is empty; there is nothing to export")
            _write_entries(reader, head.size, files, progress)
            _write_state(reader, files)
            for size, root, note in reader.scan("checkpoint"):
                files[CHECKPOINTS.name].add((size, root.hex(), note.decode()))
            for number, size, key, line in reader.scan("cosignature"):
                files[COSIGNATURES.name].add((number, size, key, line.decode()))
            for size, authority, response, certificates, _ in reader.scan("anchor"):
                stamp = b64encode(response).decode()
                files[ANCHORS.name].add((size, authority, stamp, certificates.decode()))
            cosigned = b"".join(line for _, line in reader.cosignatures(head.size))
            opened = parse_entry(reader.entry(0))
        for one in files.values():
            one.close()
        manifest = {
            "format": FORMAT,
            "origin": opened.fields["origin"],
            "size": head.size,
            "root": head.root.hex(),
            "checkpoint": (head.checkpoint + cosigned).decode(),
            "made_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "versions": {"shanji": version("shanji"), "python": platform.python_version()},
            "tables": [_described(files[table.name]) for table in tables],
        }
        _write_dictionary(folder, tables)
        _write_manifest(folder, manifest)
    except OSError as error:
        _abandon(files)
        raise FatalError(
            f"{folder} cannot be written ({error.strerror}); make room or choose another folder, "
            "then export again",
            code="export_unwritable",
        ) from None
    except BaseException:
        _abandon(files)
        raise
    return manifest


def _abandon(files: dict[str, TableFiles]) -> None:
    for one in files.values():
        one.abandon()


def _claim(folder: Path) -> None:
    """Take a new or empty folder, or clear what an interrupted export left.

    Raises:
        ConflictError, FatalError: as in `export`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(path.name for path in folder.iterdir())
        if found and PART not in found:
            raise ConflictError(
                f"{folder} holds {'an export' if MANIFEST in found else 'other files'}; export "
                "into a new folder"
            )
        names = {f"{table.name}.{form}" for table in all_tables() for form in ("csv", "parquet")}
        for name in found:
            if name in names:
                (folder / name).unlink()
        (folder / PART).write_text("")
    except OSError as error:
        raise FatalError(
            f"{folder} cannot be used ({error.strerror}); choose another folder",
            code="export_unwritable",
        ) from None


def _write_entries(
    reader: Reader, size: int, files: dict[str, TableFiles], progress: Progress | None
) -> None:
    """Entries, the tables of the kinds, and the movements, in one walk."""
    names = _account_names(reader)
    for index, data, leaf in reader.scan("entry"):
        entry = parse_entry(data)
        files[ENTRIES.name].add(
            (
                index,
                entry.kind,
                entry.occurred_on,
                entry.recorded_at,
                entry.recorded_by,
                entry.approved_by,
                as_json(list(entry.references)),
                as_json(list(entry.documents)),
                as_json(dict(entry.sealed)),
                entry.previous,
                leaf.hex(),
                data.decode(),
            )
        )
        found = files.get(f"{KIND_PREFIX}{entry.kind}")
        if found is None:
            raise CorruptionError(f"entry {index} is of the unknown kind {entry.kind}")
        found.add(_fields(found.table, entry))
        if progress is not None and (index + 1) % PROGRESS_ENTRIES == 0:
            progress(index + 1, size)
    if files[ENTRIES.name].rows != size:
        raise CorruptionError(
            f"expected {size} entries, {files[ENTRIES.name].rows} are stored; run shanji audit"
        )
    for (
        entry_index,
        posting,
        part,
        source,
        first,
        target,
        target_first,
        length,
        label,
    ) in reader.scan("flow"):
        asset, source_name = names[source]
        files[MOVEMENTS.name].add(
            (
                entry_index,
                posting,
                part,
                asset,
                source_name,
                first,
                names[target][1],
                target_first,
                length,
                label,
            )
        )


def _fields(table: Table, entry: Entry) -> list[Any]:
    row: list[Any] = [entry.index]
    for column in table.columns[1:]:
        value = entry.fields.get(column.name.removeprefix("fields."))
        row.append(as_json(value) if column.type == "json" and value is not None else value)
    return row


def _account_names(reader: Reader) -> dict[int, tuple[str, str]]:
    """Every account's asset and name by its number."""
    return {id_: (asset, name) for id_, asset, name, _ in reader.scan("account")}


def _write_state(reader: Reader, files: dict[str, TableFiles]) -> None:
    """Accounts and what they hold: two scans in the order of the account's number."""
    held = groupby(reader.scan("holding"), key=lambda row: row[0])
    waiting = next(held, None)
    for id_, asset, name, received in reader.scan("account"):
        total = 0
        if waiting is not None and waiting[0] == id_:
            for _, first, length, label in waiting[1]:
                total += length
                files[HOLDINGS.name].add((asset, name, first, length, label))
            waiting = next(held, None)
        files[ACCOUNTS.name].add((id_, asset, name, received, total))
    if waiting is not None:
        raise CorruptionError(
            f"units are held in account {waiting[0]}, which does not exist; run shanji audit"
        )


def _described(one: TableFiles) -> dict[str, Any]:
    described = []
    for writer in one.writers:
        length, digest = file_digest(writer.path)
        described.append({"name": writer.path.name, "bytes": length, "sha256": digest})
    sums: dict[str, Any] = {}
    for column, groups in one.sums.items():
        sums[column] = groups if one.table.sums_by else groups.get("", 0)
    return {
        "name": one.table.name,
        "rows": one.rows,
        "columns": [column.name for column in one.table.columns],
        "sums": sums,
        "files": described,
    }


def _write_dictionary(folder: Path, tables: Sequence[Table]) -> None:
    (folder / "dictionary.json").write_bytes(
        orjson.dumps(dictionary(tables), option=orjson.OPT_INDENT_2)
    )
    (folder / "dictionary.md").write_text(dictionary_page(tables), "utf-8")


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """The manifest gets its name when all else is there."""
    text = split_note(manifest["checkpoint"].encode())[0]
    if parse_checkpoint(text).size != manifest["size"]:
        raise CorruptionError("the head and its checkpoint differ; run shanji audit")
    part = folder / PART
    part.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    part.rename(folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an export.

    Raises:
        NotFoundError: there is none.
        CorruptionError: it is none of ours.
    """
    try:
        value = orjson.loads((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise NotFoundError(
            f"{folder / MANIFEST} cannot be read ({error.strerror}): there is no export, or it "
            "was interrupted"
        ) from None
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        with suppress(AttributeError):
            value = value.get("format")
        raise CorruptionError(f"{folder / MANIFEST}: expected format {FORMAT}, got {value!r:.60}")
    return value


def rows_of(reader: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    """CSV rows as dicts by the header."""
    header = next(reader)
    for row in reader:
        yield dict(zip(header, row, strict=True))
