"""Why nothing is written in a data folder: a file each, until somebody has decided.

A hold is a text file in the data folder, so that every process that opens the folder, a
command as well as the service, writes nothing while it is there. Where machines share a
database on a server, it is a row there under the same code (``holding``):

- ``halted.txt``: a witness has seen more of this log than is here, or another history.
- ``restore-unconfirmed.txt``: the log was restored from a backup, and neither its witnesses
  nor a person has said yet that nothing newer of it was ever signed.
- ``damaged.txt``: something stored is not what was recorded (``inspection``).

Lifting a hold keeps its text, with who lifted it and when, in ``lifted-`` and its name.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import MalformedError, NotReadyError

REASON_CHARS_MAX = 10_000
LIFTED_PREFIX = "lifted-"


@dataclass(frozen=True, slots=True)
class Hold:
    """One cause of writing nothing: its stable code, and its file in the data folder."""

    code: str
    file: str


HALTED = Hold("halted", "halted.txt")
UNCONFIRMED = Hold("restore_unconfirmed", "restore-unconfirmed.txt")
DAMAGED = Hold("damaged", "damaged.txt")
HOLDS: Sequence[Hold] = (HALTED, DAMAGED, UNCONFIRMED)
"""All of them, the gravest first."""


def read_hold(folder: Path, hold: Hold) -> str | None:
    """Why nothing is written in a data folder any more; None where this does not hold it.

    Raises:
        MalformedError: the file is there and cannot be read.
    """
    path = folder / hold.file
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(REASON_CHARS_MAX).strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MalformedError(f"{path} cannot be read: {error.strerror}") from None


def require_free(folder: Path, holds: Sequence[Hold] = HOLDS) -> None:
    """Return if none of these holds the data folder.

    Raises:
        NotReadyError: with the code of the first that does.
        MalformedError: as for `read_hold`.
    """
    for hold in holds:
        reason = read_hold(folder, hold)
        if reason is None:
            continue
        raise NotReadyError(told(folder, hold, reason), code=hold.code)


def told(folder: Path, hold: Hold, reason: str) -> str:
    """The reason, and what lifts the hold."""
    if hold is UNCONFIRMED:
        return f"{reason} (or confirm it yourself: shanji resume --data {folder})"
    return f"{reason} (once that is decided, move {folder / hold.file} away)"


def told_shared(folder: Path, hold: Hold, reason: str) -> str:
    """The reason, and what lifts the hold from every machine that shares the database."""
    if hold is UNCONFIRMED:
        return told(folder, hold, reason)
    return (
        f"{reason} (it holds every machine that shares the database; once that is decided: "
        f"shanji release {hold.code} --data {folder})"
    )


def require_none(folder: Path, rows: Mapping[str, str], holds: Sequence[Hold] = HOLDS) -> None:
    """Return if none of these is among the rows of a shared database.

    Args:
        folder: The data folder, for what the message says.
        rows: Reasons by code.
        holds: Which ones.

    Raises:
        NotReadyError: with the code of the first that is.
    """
    for hold in holds:
        if hold.code in rows:
            raise NotReadyError(told_shared(folder, hold, rows[hold.code]), code=hold.code)


def write_hold(folder: Path, hold: Hold, reason: str) -> None:
    """Keep, durably, why nothing may be written in a data folder; what was first said stays.

    Raises:
        OSError: the disk failed.
    """
    if (folder / hold.file).exists():
        return
    _write(folder, hold.file, reason)


def lift_hold(folder: Path, hold: Hold, by: str) -> bool:
    """Let the folder be written again; the text is kept, with who said so and when.

    Args:
        folder: The data folder.
        hold: Which one.
        by: Who decided it, and when, in words.

    Returns:
        Whether it was held.

    Raises:
        OSError: the disk failed; it is still held.
    """
    reason = read_hold(folder, hold)
    if reason is None:
        return False
    _write(folder, LIFTED_PREFIX + hold.file, f"{reason}\n{by}")
    (folder / hold.file).unlink(missing_ok=True)
    _sync(folder)
    return True


def _write(folder: Path, name: str, text: str) -> None:
    # Its own: several witnesses, each heard by a thread, may say the same at once.
    part = folder / f"{name}.{secrets.token_hex(8)}.part"
    with part.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / name)
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
