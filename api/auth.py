"""Who is asking: bearer tokens, each of one person in one role.

Tokens are kept outside the database, in ``tokens.json`` of the data folder (0600): a
list of ``{sha256, person, role, created_at}``. The file holds digests only, so that
whoever reads it learns no token; a token is shown once, when it is made. The service
looks again whether the file has changed, so a new token works at once, and one that is
revoked stops working within `FRESH_SECONDS`.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import ConflictError, CorruptionError, MalformedError, NotFoundError
from ledger.records.kind import Role

TOKENS_FILE = "tokens.json"
TOKENS_MAX = 10_000
TOKEN_PREFIX = "shanji_"
"""So that a token that leaks into a text is recognised as one."""
TOKEN_BYTES = 32
TOKEN_CHARS_MAX = 200
FRESH_SECONDS = 0.2
"""So long the service trusts what it read: asking the file system costs more than the
rest of a look-up, and every record needs one."""
ID_CHARS = 12
"""A token's id: so many characters of its digest name it in lists."""

_PERSON = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RESERVED = frozenset(("system",))


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking: a pseudonymous id, as it stands in entries, and a role."""

    id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of the tokens file."""

    sha256: str
    person: Person
    created_at: str

    @property
    def id(self) -> str:
        """What names the token in lists; it opens nothing."""
        return self.sha256[:ID_CHARS]


class Tokens:
    """The tokens of one data folder, as the service looks them up."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / TOKENS_FILE
        self._clock = clock
        self._fresh_until = -math.inf
        self._seen: tuple[int, ...] | None = None
        self._grants: Mapping[str, Grant] = {}
        self._by_id: Mapping[str, Grant] = {}

    def find(self, token: str) -> Person | None:
        """The person whose token this is, or None; as `grant`."""
        grant = self.grant(token)
        return None if grant is None else grant.person

    def grant(self, token: str) -> Grant | None:
        """The line of the file that this token has, or None.

        What is compared is the token's digest. The place of a digest in the table
        tells nothing about a token, and the comparison takes constant time.

        Raises:
            CorruptionError: the tokens file cannot be read as one.
        """
        digest = _digest(token[: TOKEN_CHARS_MAX + 1])
        if digest not in self._grants or self._clock() >= self._fresh_until:
            self._refresh()
        grant = self._grants.get(digest)
        if grant is None or not hmac.compare_digest(grant.sha256, digest):
            return None
        return grant

    def grant_of_id(self, token_id: str) -> Grant | None:
        """The line with that id, for who holds a session that the token began; or None.

        Raises:
            CorruptionError: the tokens file cannot be read as one.
        """
        if token_id not in self._by_id or self._clock() >= self._fresh_until:
            self._refresh()
        return self._by_id.get(token_id)

    def _refresh(self) -> None:
        self._fresh_until = self._clock() + FRESH_SECONDS
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._forget()
            return
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            try:
                grants = _read(self._path)
            except BaseException:
                # Nobody is let in by what was read before, where the new list is damaged.
                self._forget()
                raise
            # Not before: other threads look tokens up meanwhile.
            self._grants = {grant.sha256: grant for grant in grants}
            self._by_id = {grant.id: grant for grant in grants}
            self._seen = seen

    def _forget(self) -> None:
        self._seen, self._grants, self._by_id = None, {}, {}


def create_token(folder: Path, person: str, role: Role) -> str:
    """Make a token for a person in a role; the only time that it is shown.

    Raises:
        MalformedError: not a person's id.
        ConflictError: the file holds `TOKENS_MAX` tokens already.
    """
    if not _PERSON.fullmatch(person) or person in _RESERVED:
        raise MalformedError(
            f"expected a person's id of lower-case letters, digits and dashes (at most 64, a "
            f"pseudonym, never a name), got {person[:70]!r}",
            code="invalid_person",
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    grant = Grant(_digest(token), Person(person, role), now)
    with _locked(folder) as path:
        grants = _read(path)
        if len(grants) >= TOKENS_MAX:
            raise ConflictError(f"{path} holds {TOKENS_MAX} tokens; revoke those not used any more")
        _write(path, [*grants, grant])
    return token


def list_tokens(folder: Path) -> list[Grant]:
    """The tokens that there are, in the order of their making.

    Raises:
        CorruptionError: the tokens file cannot be read as one.
    """
    return _read(folder / TOKENS_FILE)


def revoke_token(folder: Path, token_id: str) -> Grant:
    """Take a token away; it stops working at once.

    Args:
        token_id: What `list_tokens` calls it.

    Raises:
        NotFoundError: no token has that id.
    """
    with _locked(folder) as path:
        grants = _read(path)
        found = next((grant for grant in grants if grant.id == token_id), None)
        if found is None:
            raise NotFoundError(
                f"there is no token {token_id[:40]!r}; `shanji token list` shows all"
            )
        _write(path, [grant for grant in grants if grant is not found])
    return found


def parse_role(name: str) -> Role:
    """The role of that name.

    Raises:
        MalformedError: there is no such role.
    """
    try:
        return Role(name)
    except ValueError:
        raise MalformedError(
            f"expected a role, one of {', '.join(Role)}; got {name[:40]!r}", code="unknown_role"
        ) from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Hold the folder's tokens for oneself, so that two changes at once both count."""
    handle = os.open(folder / (TOKENS_FILE + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / TOKENS_FILE
    finally:
        os.close(handle)


def _read(path: Path) -> list[Grant]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    try:
        return [_grant(one) for one in orjson.loads(data)]
    except (ValueError, KeyError, TypeError):
        raise CorruptionError(
            f"{path}: expected a list of tokens as `shanji token create` writes it; put a good "
            "copy back, or remove the file and make new tokens",
            code="tokens_file",
        ) from None


def _grant(value: Any) -> Grant:
    digest, person = value["sha256"], value["person"]
    if not _DIGEST.fullmatch(digest) or not _PERSON.fullmatch(person):
        raise ValueError
    return Grant(digest, Person(person, Role(value["role"])), str(value["created_at"]))


def _write(path: Path, grants: list[Grant]) -> None:
    """Replace the file as a whole: a reader sees the old list or the new one."""
    lines = [
        {
            "sha256": grant.sha256,
            "person": grant.person.id,
            "role": grant.person.role.value,
            "created_at": grant.created_at,
        }
        for grant in grants
    ]
    write_private(path, orjson.dumps(lines, option=orjson.OPT_INDENT_2) + b"\n")


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, durably and as a whole."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        # Interrupted, or the disk is full: nothing half written stays.
        part.unlink(missing_ok=True)
        raise
