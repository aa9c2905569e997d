"""The entry: canonical bytes, the hash chain, sealed fields (design, section 3).

An entry is one JSON object in the canonical form of RFC 8785, restricted to what
every program reads alike: ASCII snake_case keys, NFC strings, integers below 2**53
in size, booleans, arrays, objects. `parse_entry` accepts bytes only if writing them
again gives the same bytes, so what is hashed is the one way to say it.

Personal fields never enter an entry: it holds their commitments, the digests of
SD-JWT disclosures (RFC 9901, section 4.2), salted from one random seed an entry.

This format is frozen by the golden vectors in ``docs/vectors``: a new need is a new
`version` or a new kind, never a change here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import orjson

from ledger.errors import MalformedError, VerificationError
from ledger.flows import is_world
from ledger.frozen import frozen
from ledger.tlog.tiles import ENTRY_BYTES_MAX
from ledger.units import UNITS_MAX

VERSION = 1
FIRST_PREVIOUS = "0" * 64
"""`previous` of the entry at index 0."""

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 16
SEED_BYTES = 16
SALT_BYTES = 16
POSTINGS_MAX = 256
REFERENCES_MAX = 1024
DOCUMENTS_MAX = 64
SEALED_MAX = 32
TAKES_MAX = 4096
DISCLOSURE_CHARS_MAX = 65_536
"""A text of 2,000 characters, as long as records may hold, takes up to 32,000 of these."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PERSON = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KIND = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*")
_COMMITMENT = re.compile(r"[A-Za-z0-9_-]{43}")
_ASSET = re.compile(r"CNY|points|minutes|item:[a-z0-9][a-z0-9-]{0,63}")
_ACCOUNT = re.compile(r"[a-z]+:[a-z0-9][a-z0-9-]{0,63}")

_REQUIRED = frozenset(
    (
        "version",
        "index",
        "previous",
        "recorded_at",
        "occurred_on",
        "recorded_by",
        "kind",
        "fields",
        "sealed",
        "postings",
        "references",
        "documents",
    )
)
_OPTIONAL = frozenset(("approved_by",))
_KNOWN = _REQUIRED | _OPTIONAL
_TEXTS = (
    ("previous", _HEX_HASH),
    ("recorded_at", _INSTANT),
    ("occurred_on", _DAY),
    ("recorded_by", _PERSON),
    ("kind", _KIND),
)
_POSTING_KEYS = {
    (enters, leaves): {"asset", "amount", "from", "to"}
    | (set() if enters else {"takes"})
    | (set() if leaves else {"at"})
    for enters in (True, False)
    for leaves in (True, False)
}
"""The keys of a posting, by whether its units come from and go to the outside."""


@frozen
class Entry:
    """One parsed entry; the meaning of each field stands in design, section 3."""

    index: int
    previous: str
    recorded_at: str
    occurred_on: str
    recorded_by: str
    approved_by: str | None
    kind: str
    fields: Mapping[str, Any]
    sealed: Mapping[str, str]
    postings: Sequence[Mapping[str, Any]]
    references: Sequence[int]
    documents: Sequence[str]


def format_canonical(value: object) -> bytes:
    """Write a value in canonical form.

    Raises:
        MalformedError: it holds something the restricted form has no place for.
    """
    check_value(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_canonical(data: bytes) -> Any:
    """Read canonical bytes.

    Raises:
        MalformedError: not JSON, outside the restricted form, or written otherwise
            than canonically (order, spaces, escapes, duplicate keys, number form).
    """
    value = _read_json(data)
    if format_canonical(value) != data:
        raise MalformedError(
            "expected canonical JSON (RFC 8785: sorted keys, no spaces, no duplicates); "
            "writing it again gives other bytes"
        )
    return value


def _read_json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedError(
            f"expected canonical JSON, got bytes that are not JSON: {error}"
        ) from None


def check_value(value: object, depth: int = 0) -> None:
    """Refuse what the restricted canonical form has no place for.

    Raises:
        MalformedError: null, a fraction, a large integer, a string that is not NFC or
            not Unicode, a key that is not ASCII snake_case, or nesting over `DEPTH_MAX`.
    """
    kind = type(value)
    if kind is str:
        _check_text(value)  # type: ignore[arg-type]
    elif kind is int:
        if not -INTEGER_MAX <= value <= INTEGER_MAX:  # type: ignore[operator]
            raise MalformedError(f"expected an integer below 2**53 in size, got {value}")
    elif kind is dict or kind is list or kind is tuple:
        if depth >= DEPTH_MAX:
            raise MalformedError(f"expected at most {DEPTH_MAX} levels of nesting")
        items: Any = value
        if kind is dict:
            for key in items:
                # Looked up first: whole logs are checked, and they have few keys.
                if key not in _KEYS_SEEN:
                    _check_key(key)
            items = items.values()
        for item in items:
            # Most values are plain texts, which need no call of their own.
            if type(item) is not str:
                check_value(item, depth + 1)
            elif not item.isascii():
                _check_text(item)
    elif kind is not bool:
        raise MalformedError(
            f"expected a string, integer, boolean, array or object, got {kind.__name__}"
        )


_KEYS_SEEN: set[object] = set()
"""Keys that were found good, at most `_KEYS_SEEN_MAX`."""
_KEYS_SEEN_MAX = 4096


def _check_key(key: object) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise MalformedError(f"expected a snake_case ASCII key, got {key!r}")
    if len(_KEYS_SEEN) < _KEYS_SEEN_MAX:
        _KEYS_SEEN.add(key)


def _check_text(text: str) -> None:
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            raise MalformedError("expected Unicode text in NFC; normalise it first")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise MalformedError("expected Unicode text, got a lone surrogate") from None


def format_entry(
    *,
    index: int,
    previous: str,
    recorded_at: str,
    occurred_on: str,
    recorded_by: str,
    approved_by: str | None,
    kind: str,
    fields: Mapping[str, Any],
    sealed: Mapping[str, str],
    postings: Sequence[Mapping[str, Any]],
    references: Sequence[int],
    documents: Sequence[str],
) -> bytes:
    """Write an entry's bytes; the caller has checked the values (records and units do).

    Raises:
        MalformedError: the bytes would be more than a bundle can hold (65,535).
    """
    value: dict[str, Any] = {
        "version": VERSION,
        "index": index,
        "previous": previous,
        "recorded_at": recorded_at,
        "occurred_on": occurred_on,
        "recorded_by": recorded_by,
        "kind": kind,
        "fields": fields,
        "sealed": sealed,
        "postings": postings,
        "references": references,
        "documents": documents,
    }
    if approved_by is not None:
        value["approved_by"] = approved_by
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if len(data) > ENTRY_BYTES_MAX:
        raise MalformedError(
            f"expected an entry of at most {ENTRY_BYTES_MAX} bytes, got {len(data)}; "
            "shorten its texts or record it in parts",
            code="entry_too_large",
        )
    return data


def parse_entry(data: bytes) -> Entry:
    """Read an entry from its stored bytes.

    Raises:
        MalformedError: not canonical, or not an entry of a version that is known here.
    """
    if len(data) > ENTRY_BYTES_MAX:
        raise MalformedError(f"expected at most {ENTRY_BYTES_MAX} bytes, got {len(data)}")
    value = _read_json(data)
    try:
        _check_entry(value)
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data
    except MalformedError:
        # What is wrong with the bytes as such is told before what is wrong with the entry.
        parse_canonical(data)
        raise
    if not canonical:
        parse_canonical(data)
    return _entry_of(value)


def _check_entry(value: Any) -> None:
    """Refuse what is no entry; of its parts only the fields can hold any value."""
    if not isinstance(value, dict):
        raise MalformedError("expected an entry, a JSON object")
    keys = value.keys()
    if not _REQUIRED <= keys <= _KNOWN:
        wrong = sorted((keys ^ _REQUIRED) - _OPTIONAL)
        raise MalformedError(f"expected the keys of an entry; missing or unknown: {wrong}")
    if value["version"] != VERSION or type(value["version"]) is not int:
        raise MalformedError(
            f"expected version {VERSION}, got {value['version']!r}; a newer program may read it"
        )
    _integer(value["index"], "index")
    for name, pattern in _TEXTS:
        _text(value[name], name, pattern)
    if "approved_by" in value:
        _text(value["approved_by"], "approved_by", _PERSON)
    if not isinstance(value["fields"], dict):
        _refuse("fields", "an object", value["fields"])
    check_value(value["fields"], 1)
    sealed = value["sealed"]
    if not isinstance(sealed, dict) or len(sealed) > SEALED_MAX:
        _refuse("sealed", f"an object of at most {SEALED_MAX} commitments", sealed)
    for name, commitment in sealed.items():
        if name not in _KEYS_SEEN:
            _check_key(name)
        if type(commitment) is not str or not _COMMITMENT.fullmatch(commitment):
            _text(commitment, f"sealed.{name}", _COMMITMENT)
    for number, posting in enumerate(_array(value["postings"], "postings", POSTINGS_MAX)):
        _check_posting(posting, number)
    for number in _array(value["references"], "references", REFERENCES_MAX):
        _integer(number, "references")
    for digest in _array(value["documents"], "documents", DOCUMENTS_MAX):
        _text(digest, "documents", _HEX_HASH)


def read_checked_entry(data: bytes) -> Entry:
    """Read bytes that `parse_entry` has accepted before; nothing is checked again.

    For whoever had them checked in another process: reading alone is a fraction of it.
    """
    return _entry_of(orjson.loads(data))


def _entry_of(value: Mapping[str, Any]) -> Entry:
    return Entry(
        value["index"],
        value["previous"],
        value["recorded_at"],
        value["occurred_on"],
        value["recorded_by"],
        value.get("approved_by"),
        value["kind"],
        value["fields"],
        value["sealed"],
        value["postings"],
        value["references"],
        value["documents"],
    )


def _check_posting(posting: object, number: int) -> None:
    """One posting (design, section 4): `takes` where it leaves, `at` where it arrives."""
    where = f"postings[{number}]"
    if not isinstance(posting, dict):
        _refuse(where, "an object", posting)
    source = _text(posting.get("from"), f"{where}.from", _ACCOUNT)
    target = _text(posting.get("to"), f"{where}.to", _ACCOUNT)
    _text(posting.get("asset"), f"{where}.asset", _ASSET)
    enters, leaves = is_world(source), is_world(target)
    keys = _POSTING_KEYS[enters, leaves]
    if posting.keys() != keys or (enters and leaves):
        _refuse(where, f"the keys {sorted(keys)}, at most one side of it outside", sorted(posting))
    amount = _integer(posting["amount"], f"{where}.amount")
    if amount == 0:
        _refuse(f"{where}.amount", "a positive integer", amount)
    if not leaves and _integer(posting["at"], f"{where}.at") + amount > UNITS_MAX:
        _refuse(f"{where}.at", f"numbers up to {UNITS_MAX}", posting["at"])
    if not enters:
        _check_takes(posting["takes"], amount, f"{where}.takes")


def _check_takes(takes: object, amount: int, where: str) -> None:
    """The ranges that leave: together as many units as the posting moves."""
    left = amount
    for pair in _array(takes, where, TAKES_MAX):
        if not isinstance(pair, list) or len(pair) != 2:
            _refuse(where, "pairs [first, end)", pair)
        first, end = (_integer(one, where) for one in pair)
        if first >= end:
            _refuse(where, "ranges that hold a unit", pair)
        left -= end - first
    if left:
        _refuse(where, f"ranges of {amount} units", takes)


def _refuse(where: str, expected: str, got: object) -> NoReturn:
    shown = repr(got)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise MalformedError(f"{where}: expected {expected}, got {shown}", field=where)


def _integer(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        _refuse(where, "an integer from 0 up", value)
    return value


def _text(value: object, where: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(where, f"text like {pattern.pattern}", value)
    return value


def _array(value: object, where: str, length_max: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > length_max:
        _refuse(where, f"an array of at most {length_max}", value)
    return value


# Sealed fields


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def base64url(data: bytes) -> str:
    """Base64url without padding, as SD-JWT and the QR code write bytes."""
    # One pass over the characters: a gift with four sealed fields writes fifteen such texts.
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode()


def parse_base64url(text: str, where: str = "base64url") -> bytes:
    """Read base64url without padding; only its one canonical spelling.

    Raises:
        MalformedError: other characters, padding, or unused bits that are not zero.
    """
    try:
        data = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = None
    if data is None or base64url(data) != text:
        raise MalformedError(f"{where}: expected base64url without padding, got {text[:40]!r}")
    return data


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_BLOCK_BYTES = 64


class Hmac:
    """HMAC-SHA-256 (RFC 2104) under one key of at most 64 bytes.

    Written out because `hmac.digest` lets go of the interpreter's lock for each of its two
    microseconds, and a thread that answers requests then waits for the one that writes: six
    times a gift, up to some milliseconds each. Hashing short bytes keeps the lock. The key's
    two blocks are made once for all messages.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = block.translate(_INNER)
        self._outer = block.translate(_OUTER)

    def digest(self, message: bytes) -> bytes:
        """The message's 32 bytes."""
        sha256 = hashlib.sha256
        return sha256(self._outer + sha256(self._inner + message).digest()).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 of one message; see `Hmac`."""
    return Hmac(key).digest(message)


def build_disclosure(seed: bytes, name: str, value: object) -> str:
    """The SD-JWT disclosure of one sealed field (RFC 9901, section 4.2.1).

    Args:
        seed: The entry's 16 random bytes.
        name: The field's name, ASCII snake_case.
        value: The field's value, in the restricted canonical form.
    """
    return _disclosure(Hmac(seed), name, value).decode()


def _disclosure(salts: Hmac, name: str, value: object) -> bytes:
    salt = salts.digest(b"shanji/v1/salt/" + name.encode())[:SALT_BYTES]
    check_value(name)
    if type(value) is not str or not value.isascii():
        check_value(value, 1)
    # The salt needs no check, and the rest had it: what `format_canonical` writes.
    plain = orjson.dumps([base64url(salt), name, value], option=orjson.OPT_SORT_KEYS)
    return b2a_base64(plain, newline=False).translate(_URL_SAFE, b"=")


def build_commitment(disclosure: str) -> str:
    """The commitment of a disclosure: base64url(SHA-256(ASCII(disclosure)))."""
    return base64url(hashlib.sha256(disclosure.encode("ascii")).digest())


def seal(seed: bytes, values: Mapping[str, object]) -> dict[str, str]:
    """The commitments of an entry's personal fields, by name."""
    salts, sha256 = Hmac(seed), hashlib.sha256
    return {
        name: base64url(sha256(_disclosure(salts, name, value)).digest())
        for name, value in values.items()
    }


def parse_disclosure(disclosure: str) -> tuple[str, str, Any]:
    """Read a disclosure into ``(salt, name, value)``.

    Raises:
        MalformedError: not the base64url of a canonical ``[salt, name, value]``.
    """
    if len(disclosure) > DISCLOSURE_CHARS_MAX:
        raise MalformedError(f"expected a disclosure of at most {DISCLOSURE_CHARS_MAX} characters")
    value = parse_canonical(parse_base64url(disclosure, "disclosure"))
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not isinstance(value[0], str)
        or not isinstance(value[1], str)
    ):
        raise MalformedError("expected a disclosure, the canonical JSON of [salt, name, value]")
    return value[0], value[1], value[2]


def open_disclosures(sealed: Mapping[str, str], disclosures: Sequence[str]) -> dict[str, Any]:
    """The values that disclosures reveal, each checked against its commitment.

    Raises:
        MalformedError: not a disclosure, or one field twice.
        VerificationError: the entry has no such commitment.
    """
    values: dict[str, Any] = {}
    for disclosure in disclosures:
        _, name, value = parse_disclosure(disclosure)
        if name in values:
            raise MalformedError(f"expected each field once, got {name!r} twice")
        if sealed.get(name) != build_commitment(disclosure):
            raise VerificationError(
                f"the disclosure of {name!r} does not match the entry's commitment; "
                "the value shown is not the value that was recorded",
                code="commitment_mismatch",
                field=name,
            )
        values[name] = value
    return values


def open_sealed(sealed: Mapping[str, str], seed: bytes, values: Mapping[str, Any]) -> None:
    """Check that seed and values are the whole opening of an entry's sealed fields.

    Raises:
        VerificationError: another set of fields, or a value or seed that differs.
    """
    if seal(seed, values) != dict(sealed):
        wrong = sorted(
            name
            for name in {*sealed, *values}
            if name not in values
            or sealed.get(name) != build_commitment(build_disclosure(seed, name, values[name]))
        )
        raise VerificationError(
            f"seed and values do not match the entry's commitments of {wrong}",
            code="commitment_mismatch",
        )
