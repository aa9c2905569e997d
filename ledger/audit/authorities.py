"""Authorities: who stamps this log's checkpoints, and the stamping itself.

The operator names them in a TOML file; certificates stand beside it, fetched from the
authority by a person, never from the answer that they are to verify::

    [[authority]]
    name = "national-time"
    url = "https://tsa.example.org/"
    certificates = "national-time.pem"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ledger.audit.anchors import (
    MEDIA_TYPE_QUERY,
    PEM_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    VerifiedTimestamp,
    build_query,
    parse_certificates,
    stamped_text,
    verify_timestamp,
)
from ledger.errors import (
    CorruptionError,
    LedgerError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.store import AnchorRow, Store
from ledger.vault import Vault

AUTHORITIES_MAX = 16
FILE_BYTES_MAX = 64 * 1024
ANSWER_SECONDS_MAX = 30
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")

Ask = Callable[[str, bytes], bytes]
"""Sends a query (DER) to a URL; gives the answer's bytes."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority.

    Attributes:
        name: The operator's name for it, under which its stamps are kept.
        url: Where it answers RFC 3161 over HTTP.
        certificates: Its root certificate, and what leads to it, PEM.
    """

    name: str
    url: str
    certificates: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stamped:
    """What came of asking one authority."""

    authority: str
    size: int
    timestamp: VerifiedTimestamp | None
    """The stamp; None where asking failed."""
    failure: str = ""
    already: bool = False
    """It was stamped before, and the authority was not asked."""


def read_authorities(path: Path) -> list[Authority]:
    """Read the operator's file.

    Raises:
        NotFoundError: the file, or one of certificates, cannot be read.
        MalformedError: it is not what this module's docstring shows.
    """
    try:
        value = tomllib.loads(_read(path, FILE_BYTES_MAX).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path}: expected TOML: {error}") from None
    rows = value.get("authority")
    if set(value) != {"authority"} or not isinstance(rows, list) or len(rows) > AUTHORITIES_MAX:
        raise MalformedError(f"{path}: expected 1 to {AUTHORITIES_MAX} tables [[authority]]")
    found = [_authority(path, row) for row in rows]
    if len({one.name for one in found}) != len(found):
        raise MalformedError(f"{path}: expected each authority's name once")
    return found


def _authority(path: Path, row: Any) -> Authority:
    keys = {"name", "url", "certificates"}
    if not isinstance(row, dict) or set(row) != keys:
        raise MalformedError(f"{path}: expected an authority with name, url and certificates")
    if not all(isinstance(row[key], str) for key in keys):
        raise MalformedError(f"{path}: expected name, url and certificates as text")
    if not NAME_PATTERN.fullmatch(row["name"]):
        raise MalformedError(
            f"{path}: expected a name of lower-case letters, digits and dashes, got {row['name']!r}"
        )
    if not row["url"].startswith(("http://", "https://")):
        raise MalformedError(f"{path}: expected an http or https URL, got {row['url']!r}")
    pem = _read(path.parent / row["certificates"], PEM_BYTES_MAX)
    parse_certificates(pem)
    return Authority(row["name"], row["url"], pem)


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > bytes_max:
        raise MalformedError(f"{path}: expected at most {bytes_max} bytes")
    return data


def ask(url: str, query: bytes) -> bytes:
    """Send a query over HTTP (RFC 3161, section 3.4).

    Raises:
        NotReadyError: the authority does not answer, or not with a time stamp.
    """
    try:
        with (
            httpx.Client(timeout=ANSWER_SECONDS_MAX) as client,
            client.stream(
                "POST", url, content=query, headers={"content-type": MEDIA_TYPE_QUERY}
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise NotReadyError(f"{url} answered with status {answer.status_code}")
            data = b""
            for part in answer.iter_bytes():
                data += part
                if len(data) > RESPONSE_BYTES_MAX:
                    raise NotReadyError(f"{url} answered with more than {RESPONSE_BYTES_MAX} bytes")
            return data
    except httpx.HTTPError as error:
        raise NotReadyError(f"{url} did not answer: {type(error).__name__}") from None


def row_mac(vault: Vault, row: AnchorRow) -> bytes:
    """The keyed digest that a stored time stamp carries."""
    parts = (b"%d" % row.size, row.authority.encode(), row.response, row.certificates)
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return vault.digest("anchor", data)


def stamp_newest(
    store: Store, vault: Vault, authorities: Sequence[Authority], *, send: Ask = ask
) -> list[Stamped]:
    """Have the log's newest checkpoint stamped by each authority that has not done so.

    Each stamp is verified before it is kept. One authority's failure leaves the others'.

    Raises:
        NotFoundError: the log is empty.
    """
    with store.read() as reader:
        head = reader.head()
        if head is None:
            raise NotFoundError("the log is empty; there is no checkpoint to stamp")
        before = {row.authority: row for row in reader.anchors(head.size)}
    text = stamped_text(head.checkpoint)
    outcomes = []
    for authority in authorities:
        kept = before.get(authority.name)
        try:
            if kept is not None:
                found = verify_row(kept, text)
                outcomes.append(Stamped(authority.name, head.size, found, already=True))
                continue
            found = _stamp(store, vault, authority, head.size, text, send)
        except LedgerError as error:
            outcomes.append(Stamped(authority.name, head.size, None, error.message))
        else:
            outcomes.append(Stamped(authority.name, head.size, found))
    return outcomes


def _stamp(
    store: Store, vault: Vault, authority: Authority, size: int, text: bytes, send: Ask
) -> VerifiedTimestamp:
    query = build_query(text)
    response = send(authority.url, query.data)
    certificates = parse_certificates(authority.certificates)
    found = verify_timestamp(response, text, certificates, nonce=query.nonce)
    row = AnchorRow(size, authority.name, response, authority.certificates, b"")
    row = AnchorRow(size, authority.name, response, authority.certificates, row_mac(vault, row))
    # The network was asked without the write lock; this takes it for one row.
    with store.append() as appender:
        if all(one.authority != authority.name for one in appender.anchors(size)):
            appender.write_anchor(row)
            appender.commit()
    return found


def verify_row(row: AnchorRow, text: bytes) -> VerifiedTimestamp:
    """Verify a kept time stamp under the certificates that were kept with it.

    Raises:
        CorruptionError: it does not verify: the row was altered.
    """
    try:
        certificates = parse_certificates(row.certificates)
        return verify_timestamp(row.response, text, certificates, nonce=None)
    except LedgerError as error:
        raise CorruptionError(
            f"the stored time stamp of {row.authority} at size {row.size}: {error.message}",
            code="anchor",
        ) from None
