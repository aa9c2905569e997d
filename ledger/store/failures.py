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
    except sa.exc.PendingRollbackError as error:
        # The connection was lost earlier in the same snapshot; whoever asked then was told why.
        raise _away("the connection was lost before") from error
    except sa.exc.DBAPIError as error:
        raise _translate(error.orig) from _without_values(error)
    except UnicodeEncodeError:
        raise MalformedError(
            "expected text of whole characters, got half a surrogate pair; send the text as UTF-8",
            code="not_unicode",
        ) from None
    except UnicodeDecodeError as error:
        # The driver's own message quotes what the file says, and cannot read it.
        raise _damaged(str(error)) from error
    except Exception as error:
        # COPY and pipelines are the driver's own: nobody wraps what they raise.
        if not type(error).__module__.startswith("psycopg"):
            raise
        raise _translate(error) from RuntimeError(_primary(error) or type(error).__name__)


def _without_values(error: sa.exc.DBAPIError) -> sa.exc.DBAPIError:
    """The same failure; a server's detail and context, which quote rows, are left out."""
    primary = _primary(error.orig)
    if primary is None:
        return error
    return sa.exc.DBAPIError(error.statement, None, RuntimeError(primary))


def _primary(error: BaseException | None) -> str | None:
    """The first line of what a server said; None where it was no server's answer."""
    if getattr(error, "sqlstate", None) is None:
        return None
    return str(getattr(getattr(error, "diag", None), "message_primary", None) or "it failed")


def _translate(error: BaseException | None) -> LedgerError:
    text = _primary(error) or str(error).strip()
    if not isinstance(error, sqlite3.Error):
        return _translate_server(error, text)
    # Extended codes have the primary code in their lowest byte.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if not code and text.startswith("Could not decode to UTF-8"):
        code = sqlite3.SQLITE_CORRUPT
    return _BY_CODE.get(code, _failed)(text)


def _translate_server(error: BaseException | None, text: str) -> LedgerError:
    """A server's failure, by its SQLSTATE; the driver's own have none."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        if type(error).__name__ == "DataError":
            return _no_text(text)
        if type(error).__name__ != "OperationalError":
            return _failed(text)
        # While connecting, the server's reason is there as text only.
        return _crowded(text) if any(one in text for one in _NO_CONNECTION_LEFT) else _away(text)
    return (_BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or _failed)(text)


def reason(error: sa.exc.DBAPIError) -> LedgerError:
    """What a failure of the database says of the database itself: it is full, away, damaged."""
    return _translate(error.orig)


def outcome_unknown(error: BaseException | None) -> bool:
    """Whether a commit that failed with this may have happened all the same.

    A server that answers a commit with an error of these classes has rolled it back. One
    that is shut down, or whose connection broke, may have committed before.
    """
    if isinstance(error, sqlite3.Error):
        return True
    return (getattr(error, "sqlstate", None) or "")[:2] not in ("22", "23", "25", "40", "53")


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


def _away(text: str) -> LedgerError:
    return NotReadyError(
        f"the database server cannot be reached, or ended the connection ({text}); start it, or "
        "name the right one; then try again",
        code="database_away",
    )


def _crowded(text: str) -> LedgerError:
    return NotReadyError(
        f"the database server has no connection left ({text}); raise max_connections, or run "
        "fewer processes; then try again",
        code="database_connections",
    )


def _slow(text: str) -> LedgerError:
    return NotReadyError(
        f"the database took too long and was told to stop ({text}); nothing was written; try "
        "again in a moment",
        code="database_slow",
    )


def _read_only(text: str) -> LedgerError:
    return NotReadyError(
        f"the database takes no writes ({text}): it is a standby, or set to read only; name the "
        "primary, then try again",
        code="database_read_only",
    )


def _not_allowed(text: str) -> LedgerError:
    return FatalError(
        f"the database's user may not do this ({text}); grant it what docs/operations.md lists",
        code="database_unwritable",
    )


def _no_text(text: str) -> LedgerError:
    return MalformedError(
        f"expected text that a database can hold, without the character NUL ({text}); leave it out",
        code="not_unicode",
    )


_NO_CONNECTION_LEFT = (
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
)
"""What a server says that has no connection left, or none for the user or the database."""

_BY_STATE: dict[str, Callable[[str], LedgerError]] = {
    "25006": _read_only,
    "25P03": _away,
    "53100": _full,
    "53300": _crowded,
    "55P03": _busy,
    "57014": _slow,
    "22021": _no_text,
    "42501": _not_allowed,
    "42P01": _damaged,
}
_BY_CLASS: dict[str, Callable[[str], LedgerError]] = {
    "08": _away,
    "23": _refused,
    "40": _busy,
    "57": _away,
    "XX": _damaged,
}
"""By PostgreSQL's SQLSTATE, and by its class (postgresql.org/docs, appendix A)."""

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
