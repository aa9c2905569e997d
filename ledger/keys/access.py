"""How this process comes to its keys: in which folder they lie, what opens them.

By default the keys are in the data folder's ``keys/`` and in clear. ``SHANJI_KEYS`` names
a folder outside it, ``SHANJI_PASSPHRASE_FILE`` the file with the passphrase. A person at a
terminal is asked for it where neither says it; it is never an argument, which other
users of the machine can read.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ledger.errors import MalformedError, NotAllowedError, NotFoundError

KEYS_VARIABLE = "SHANJI_KEYS"
PASSPHRASE_VARIABLE = "SHANJI_PASSPHRASE_FILE"
KEYS_FOLDER = "keys"
PASSPHRASE_BYTES_MAX = 1024

Prompt = Callable[[], str]


class KeyAccess:
    """Where keys lie and the passphrase that opens them; the repr shows neither secret.

    Args:
        folder: The folder of the keys; None for ``keys/`` in the data folder.
        passphrase_file: The file whose first line is the passphrase.
        prompt: Asks a person, where there is no file; None where there is nobody.
    """

    def __init__(
        self,
        folder: Path | None = None,
        passphrase_file: Path | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self.folder = folder
        self.passphrase_file = passphrase_file
        self.prompt = prompt
        self._passphrase: bytes | None = None

    def __repr__(self) -> str:
        return f"KeyAccess({str(self.folder)!r}, {str(self.passphrase_file)!r})"

    def folder_of(self, data: Path) -> Path:
        """The folder of the keys of the log in a data folder."""
        return data / KEYS_FOLDER if self.folder is None else self.folder

    @property
    def has_passphrase(self) -> bool:
        """Whether new keys are to be encrypted: somebody has set a passphrase."""
        return self.passphrase_file is not None

    def passphrase(self) -> bytes:
        """The passphrase, read or asked for once.

        Raises:
            NotAllowedError: there is none to be had (``passphrase_needed``).
            NotFoundError, MalformedError: the passphrase file cannot be used.
        """
        if self._passphrase is None:
            self._passphrase = self._find()
        return self._passphrase

    def _find(self) -> bytes:
        if self.passphrase_file is not None:
            return read_passphrase(self.passphrase_file)
        typed = "" if self.prompt is None else self.prompt()
        if not typed:
            raise NotAllowedError(
                "the keys are encrypted, and no passphrase was given; name the file that holds it "
                f"with --passphrase-file or {PASSPHRASE_VARIABLE}",
                code="passphrase_needed",
            )
        return typed.encode()


def read_passphrase(path: Path) -> bytes:
    """The passphrase in a file: its only line, without the line's end.

    Raises:
        NotFoundError: no such file, or it cannot be read.
        MalformedError: empty, too long, or several lines.
    """
    try:
        with path.open("rb") as file:
            data = file.read(PASSPHRASE_BYTES_MAX + 2)
    except OSError as error:
        raise NotFoundError(f"passphrase file {path}: {error.strerror}") from None
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if not line or len(line) > PASSPHRASE_BYTES_MAX or b"\n" in line:
        raise MalformedError(
            f"passphrase file {path}: expected one line of 1 to {PASSPHRASE_BYTES_MAX} bytes"
        )
    return line


def access_from(environment: Mapping[str, str]) -> KeyAccess:
    """What the environment says; a person at a terminal is asked where it says nothing."""
    folder, file = environment.get(KEYS_VARIABLE), environment.get(PASSPHRASE_VARIABLE)
    return KeyAccess(
        Path(folder) if folder else None,
        Path(file) if file else None,
        ask if sys.stdin is not None and sys.stdin.isatty() else None,
    )


def default_access() -> KeyAccess:
    """That of this process's environment."""
    return access_from(os.environ)


def ask() -> str:
    """Ask the person at the terminal for the passphrase, without showing it."""
    return getpass.getpass("密钥口令 passphrase of the keys: ")
