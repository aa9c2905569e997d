"""The database's failures as the ledger's errors, each saying what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger.errors import CorruptionError, FatalError, LedgerError, MalformedError, NotReadyError


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the database raises inside the block as one of the ledger's errors.

    Raises:
        NotReadyError: somebody else holds what is needed; nothing happened.
        MalformedError: the file is no database; or text that no database can hold.
        CorruptionError: the file is damaged.
        FatalError: the disk failed, or the rows contradict the stored ones.
    """
    try:
        yield
    except sa.exc.TimeoutError:
        raise NotReadyError(
            "all connections to the database are in use; try again in a moment"
        ) from None
    except sa.exc.DBAPIError as error:
        raise _translate(error.orig) from error
    except UnicodeEncodeError:
        raise MalformedError(
            "expected text of whole characters, got half a surrogate pair; send the text as UTF-8",
            code="not_unicode",
        ) from None
    except UnicodeDecodeError as error:
        # The driver's own message quotes what the file says, and cannot read it.
        raise _damaged(str(error)) from error


def _translate(error: BaseException | None) -> LedgerError:
    text = str(error)
    # Extended codes have the primary code in their lowest byte.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if not code and text.startswith("Could not decode to UTF-8"):
        code = sqlite3.SQLITE_CORRUPT
    return _BY_CODE.get(code, _failed)(text)


def _busy(text: str) -> LedgerError:
    return NotReadyError(
        f"another process is writing to the database ({text}); try again in a moment",
        code="database_busy",
    )


def _foreign(text: str) -> LedgerError:
    return MalformedError(
        f"expected a database of Shanji's, got a file of another kind ({text}); "
        "name the right file, or restore it from a backup",
        code="not_a_database",
    )


def _damaged(text: str) -> LedgerError:
    return CorruptionError(
        f"the database file is damaged ({text}); stop the service, keep the file, and restore "
        "the database from a backup",
        code="database_damaged",
    )


def _full(text: str) -> LedgerError:
    return FatalError(
        f"the disk is full ({text}); nothing was written; make room, then try again",
        code="disk_full",
    )


def _unwritable(text: str) -> LedgerError:
    return FatalError(
        f"the database cannot be opened or written ({text}); let this user read and write the "
        "file and its folder, then try again",
        code="database_unwritable",
    )


def _refused(text: str) -> LedgerError:
    return FatalError(
        f"the database refused the rows ({text}); nothing was written; read the store again, "
        "and run shanji audit if it happens again",
        code="rows_refused",
    )


def _failed(text: str) -> LedgerError:
    return FatalError(
        f"the database failed ({text}); check the disk's health, then start the service again",
        code="database_failed",
    )


_BY_CODE: dict[int, Callable[[str], LedgerError]] = {
    sqlite3.SQLITE_BUSY: _busy,
    sqlite3.SQLITE_LOCKED: _busy,
    sqlite3.SQLITE_NOTADB: _foreign,
    sqlite3.SQLITE_CORRUPT: _damaged,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_PERM: _unwritable,
    sqlite3.SQLITE_READONLY: _unwritable,
    sqlite3.SQLITE_CANTOPEN: _unwritable,
    sqlite3.SQLITE_CONSTRAINT: _refused,
}
"""By SQLite's primary result code; whatever is not here is a plain failure."""
