"""Where the database of a data folder is: a file in it, or a PostgreSQL server.

In this order: what was asked for, ``SHANJI_DATABASE``, the folder's ``database.url`` (one
line; the first start of a service that was told a database writes it, so that every command
on the folder finds the same log), and else the file ``ledger.sqlite3`` in the folder.

A URL may hold a password: the file is for its owner only, as the keys beside it are, and
`shown` takes the password out of what people and logs see.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ledger.errors import MalformedError

DATABASE = "ledger.sqlite3"
URL_FILE = "database.url"
URL_BYTES_MAX = 4096
DATABASE_VARIABLE = "SHANJI_DATABASE"
SQLITE_PREFIX = "sqlite:///"
POSTGRESQL_PREFIXES = ("postgresql://", "postgres://")
FILE_MODE = 0o600
_SECRETS = re.compile(r"(://[^:/?@]*:(?=[^@/]*@)|[?&](?:ssl)?password=)[^&@/]+")


def is_postgresql(url: str) -> bool:
    """Whether it names a PostgreSQL database, and no file."""
    return url.startswith(POSTGRESQL_PREFIXES)


def own_place(folder: Path) -> str:
    """The database of a data folder by what the folder itself says."""
    return read_url(folder) or str(folder / DATABASE)


def place_of(folder: Path, url: str | None = None) -> str:
    """The URL or the path of the database of the log in a data folder.

    Args:
        folder: The data folder.
        url: What was asked for; None for what the environment or the folder says.

    Raises:
        MalformedError: neither a PostgreSQL URL nor the path of a file.
    """
    asked = url or os.environ.get(DATABASE_VARIABLE) or own_place(folder)
    if is_postgresql(asked) or "://" not in asked or asked.startswith(SQLITE_PREFIX):
        return asked
    raise MalformedError(
        f"expected a database like postgresql://user@host/name, or the path of a file, got "
        f"{shown(asked)}",
        code="unknown_database_url",
        field="database",
    )


def read_url(folder: Path) -> str | None:
    """What the folder says; None where it says nothing.

    Raises:
        MalformedError: the file cannot be read, or is not one line.
    """
    path = folder / URL_FILE
    try:
        with path.open("rb") as file:
            text = file.read(URL_BYTES_MAX + 1).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} cannot be read: {error}", code="database_url") from None
    line = text.strip()
    if not line or "\n" in line or len(text) > URL_BYTES_MAX:
        raise MalformedError(
            f"{path}: expected one line with the URL of the log's database", code="database_url"
        )
    return line


def write_url(folder: Path, url: str) -> None:
    """Keep where the log of the folder is, durably; the same again changes nothing.

    Raises:
        OSError: the disk failed.
    """
    if read_url(folder) == url:
        return
    part = folder / f"{URL_FILE}.part"
    handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(url + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / URL_FILE)


def shown(url: str) -> str:
    """A URL for people: without its password."""
    return _SECRETS.sub(r"\1***", url)
