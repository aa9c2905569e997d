"""What must be the same in the data folder of every machine that shares one database.

A log on a server is served by any number of machines, each with a data folder of its own, and
some of what lies there decides what a request is answered: which keys sign, who has a token,
which key signs the sessions' cookies. At its start each service notes digests of them in the
database and says so where the service that started before it, wherever that was, had others.
The vault's key is no matter of telling: what another key has sealed cannot be read at all, so
a folder with the wrong one is refused (``fitting.require_right_vault``).
"""

from __future__ import annotations

import hashlib
import logging
import socket
from datetime import UTC, datetime
from pathlib import Path

from api.auth import TOKENS_FILE
from api.sessions import KEY_FILE
from ledger.book import Book
from ledger.errors import LedgerError
from ledger.tlog.note import format_verifier_key

PURPOSE = b"shanji/v1/same-on-each-machine/"
"""Goes before what is hashed: the digest of a key is of no use for anything else."""
LOG_KEYS = "keys"

logger = logging.getLogger(__name__)

_TOLD = {
    LOG_KEYS: "which keys sign: checkpoints get other signatures, and an entry that adds or "
    "revokes a key may stop one machine; copy the key files, or finish the rotation on each",
    TOKENS_FILE: "a token that is known on one is unknown on the other, and one that was revoked "
    "may still be good there; copy the file to each machine after each change",
    KEY_FILE: "who has signed in on one is signed out by the other; copy the file to each machine",
}


def digests(book: Book, folder: Path) -> dict[str, bytes]:
    """The digest of each thing that must be the same; of a file that is not there, of nothing."""
    keys = "\n".join(sorted(map(format_verifier_key, book.keyring.verifier_keys))).encode()
    found = {LOG_KEYS: keys}
    for name in (TOKENS_FILE, KEY_FILE):
        path = folder / name
        found[name] = path.read_bytes() if path.is_file() else b""
    return {
        name: hashlib.sha256(PURPOSE + name.encode() + b"\0" + data).digest()
        for name, data in found.items()
    }


def compare(book: Book, folder: Path, machine: str | None = None) -> list[str]:
    """Note what this machine has, and log what the one before it had otherwise.

    Args:
        book: The log, open.
        folder: Its data folder here.
        machine: What to call this one; None for its name and the folder.

    Returns:
        What differs, in words; nothing where the database is a file of this folder.
    """
    if not book.store.shared:
        return []
    here = machine or f"{socket.gethostname()}:{folder.absolute()}"
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        differing = book.store.agree(digests(book, folder), here, now)
    except (LedgerError, OSError) as error:
        logger.warning("whether other machines have the same keys is not known: %s", error)
        return []
    told = [
        f"{one.name} here ({here}) is not what {_who(one.machine, here)} had at its start of "
        f"{one.noted_at}: {_TOLD[one.name]} (docs/operations.md)"
        for one in differing
    ]
    for text in told:
        logger.warning("%s", text)
    return told


def _who(machine: str, here: str) -> str:
    """The machine in a sentence about this one: it may have changed its own files since."""
    return "this machine itself" if machine == here else machine
