"""The lines of bank statements, kept beside the log while they are matched.

::

    <data>/statements/draft-<token>  read, and not recorded yet; a day at most
    <data>/statements/<entry>        the lines of a recorded statement

The log holds a statement's totals and the SHA-256 of its file. The lines name people, so they
are here, encrypted, for `DAYS_MAX` days after they were last given; afterwards, after a restore
or on another machine, the same file is given again, and is the same by that SHA-256.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from api.imports.sealed_files import read_sealed, write_sealed
from ledger.book import Book
from ledger.errors import NotFoundError
from ledger.intake.bank_lines import BankLine, BankStatement

FOLDER = "statements"
DRAFT = "draft-"
DRAFT_SECONDS_MAX = 24 * 3600
DAYS_MAX = 400
"""A year's statement can be matched until the year's audit is over."""
TOKEN_CHARS = 32


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement that was read: whose it is, of which account."""

    person: str
    account: str
    statement: BankStatement


class StatementFiles:
    """The kept lines of one book's statements."""

    def __init__(self, book: Book) -> None:
        self._vault = book.vault
        self._folder = book.folder / FOLDER

    def token_of(self, person: str, key: str) -> str:
        """What names the draft of a form: the same form makes the same draft."""
        digest = self._vault.digest("statement-draft", f"{person}\0{key}".encode())
        return digest.hex()[:TOKEN_CHARS]

    def keep_draft(self, token: str, draft: Draft) -> None:
        """Keep what was read until its person has looked at it."""
        self._sweep()
        self._write(DRAFT + token, asdict(draft))

    def draft(self, token: str) -> Draft:
        """A draft.

        Raises:
            NotFoundError: there is none, or none any more.
        """
        value = self._read(DRAFT + token)
        return Draft(value["person"], value["account"], _statement(value["statement"]))

    def drop_draft(self, token: str) -> None:
        """Delete a draft, if it is there."""
        (self._folder / (DRAFT + token)).unlink(missing_ok=True)

    def keep(self, entry: int, statement: BankStatement) -> None:
        """Keep the lines of a recorded statement."""
        self._write(str(entry), asdict(statement))

    def find(self, entry: int) -> BankStatement | None:
        """The lines of a recorded statement; None where its file has to be given again."""
        try:
            return _statement(self._read(str(entry)))
        except NotFoundError:
            return None

    def _sweep(self) -> None:
        """Delete what was kept for long enough."""
        now = time.time()
        for path in self._folder.glob("*"):
            most = DRAFT_SECONDS_MAX if path.name.startswith(DRAFT) else DAYS_MAX * 24 * 3600
            # Another request may have moved it into its place, or dropped it.
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < now - most:
                    path.unlink()

    def _read(self, name: str) -> Any:
        return orjson.loads(read_sealed(self._vault, self._path(name), f"{FOLDER}/{name}"))

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_sealed(self._vault, self._path(name), f"{FOLDER}/{name}", orjson.dumps(value))

    def _path(self, name: str) -> Path:
        return self._folder / name


def _statement(value: Mapping[str, Any]) -> BankStatement:
    return BankStatement(**{**value, "lines": tuple(BankLine(**one) for one in value["lines"])})
