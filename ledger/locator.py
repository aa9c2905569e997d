"""What a printed receipt says of where it is: the QR code's locator and the short code.

A *locator* is the fragment of the link in a QR code, ``https://host/r#<locator>``. It
holds which log, which entry, and the entry's seed, which opens its personal fields: the
seed is a capability, so it stands in the fragment, which no browser sends anywhere
(design, section 3). In base64url without padding (RFC 4648, section 5) of::

    form (1)  log id (4)  index (7, big-endian)  seed (16, form 1 only)

Form 1 has a seed, form 2 has none. The log id is SHA-256(origin)[:4], which anybody can
compute from a checkpoint. Each form has one length, so that a link which was cut is seen.

A *short code* is for typing from paper. It finds the public receipt and opens nothing:
the index in Crockford's base32 (no I, L, O, U; upper and lower case alike), at least six
symbols, and two check symbols, the number (index + log id) mod 1021. As 1021 is a prime
below 32 squared, one wrong symbol or two exchanged neighbours never fit, and nearly
never a code of another log. It is written in groups of four: ``0000-3R3X``.

Both are the same bytes for ever: they stand on paper.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from ledger.entry import INTEGER_MAX, SEED_BYTES, base64url, parse_base64url
from ledger.errors import MalformedError, UndecidedError
from ledger.tlog.merkle import check_integer

LOG_ID_BYTES = 4
INDEX_BYTES = 7
"""An index is below 2**53."""

PAGE = "/r"
"""The page that reads a locator."""

CHECK_MODULUS = 1021
CHECK_SYMBOLS = 2
INDEX_SYMBOLS_MIN = 6
INDEX_SYMBOLS_MAX = 11
"""Symbols that an index below 2**53 takes at most."""
GROUP_SYMBOLS = 4

_WITH_SEED, _WITHOUT_SEED = 1, 2
_HEAD_BYTES = 1 + LOG_ID_BYTES + INDEX_BYTES
_LENGTHS = {_WITH_SEED: _HEAD_BYTES + SEED_BYTES, _WITHOUT_SEED: _HEAD_BYTES}
_CHARS_MAX = 64
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {symbol: value for value, symbol in enumerate(_ALPHABET)}
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_BETWEEN = re.compile("[ \t\r\n\u00a0\u2002-\u200b\u3000\\-\u2010-\u2015\u2212\uff0d]+")
"""What people write between groups: spaces and every kind of dash."""


@dataclass(frozen=True, slots=True)
class Locator:
    """Where a receipt is: log, entry, and where it has personal fields the seed to them.

    Raises:
        MalformedError: a part has an impossible form.
    """

    log_id: bytes
    index: int
    seed: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the parts, so that every instance can be written."""
        check_integer("index", self.index, INTEGER_MAX)
        if len(self.log_id) != LOG_ID_BYTES:
            raise MalformedError(f"expected a log id of {LOG_ID_BYTES} bytes")
        if self.seed is not None and len(self.seed) != SEED_BYTES:
            raise MalformedError(f"expected a seed of {SEED_BYTES} bytes")


def log_id(origin: str) -> bytes:
    """The four bytes that name a log in locators: SHA-256(origin)[:4]."""
    return hashlib.sha256(origin.encode()).digest()[:LOG_ID_BYTES]


def format_locator(locator: Locator) -> str:
    """Write a locator, the fragment of a QR code's link: 38 characters, or 16 without seed."""
    form = _WITHOUT_SEED if locator.seed is None else _WITH_SEED
    place = locator.index.to_bytes(INDEX_BYTES, "big")
    return base64url(bytes([form]) + locator.log_id + place + (locator.seed or b""))


def parse_locator(text: str) -> Locator:
    """Read a locator, with or without the ``#`` before it.

    Raises:
        MalformedError: code ``locator_malformed``: it was cut or mistyped, or is of a
            form that this program does not know.
    """
    text = text.removeprefix("#")
    problem = MalformedError(
        "expected a locator, the part after # of the link in a receipt's QR code; it was cut or "
        "changed, so scan it again",
        code="locator_malformed",
    )
    if len(text) > _CHARS_MAX or not text.isascii():
        raise problem
    try:
        data = parse_base64url(text, "locator")
    except MalformedError:
        raise problem from None
    if not data or len(data) != _LENGTHS.get(data[0]):
        raise problem
    index = int.from_bytes(data[1 + LOG_ID_BYTES : _HEAD_BYTES], "big")
    if index > INTEGER_MAX:
        raise problem
    seed = data[_HEAD_BYTES:] if data[0] == _WITH_SEED else None
    return Locator(data[1 : 1 + LOG_ID_BYTES], index, seed)


def locator_link(base: str, locator: Locator) -> str:
    """The link that a QR code holds.

    Args:
        base: The site's address, ``https://host``, with or without a slash at its end.
        locator: What it leads to.
    """
    return f"{base.rstrip('/')}{PAGE}#{format_locator(locator)}"


def format_short_code(origin: str, index: int) -> str:
    """Write the short code of an entry, in groups of four symbols.

    Raises:
        MalformedError: no entry can have this index.
    """
    check_integer("index", index, INTEGER_MAX)
    symbols = _base32(index, INDEX_SYMBOLS_MIN) + _base32(_check_of(origin, index), CHECK_SYMBOLS)
    groups = range(0, len(symbols), GROUP_SYMBOLS)
    return "-".join(symbols[first : first + GROUP_SYMBOLS] for first in groups)


def parse_short_code(origin: str, text: str) -> int:
    """Read a short code as people type it; gives the entry's index.

    Args:
        origin: The log whose code it should be.
        text: The code: case, dashes and spaces do not count, O is 0, I and L are 1, and
            full-width letters and digits are read as theirs.

    Raises:
        MalformedError: code ``short_code_malformed``: no such code.
        UndecidedError: code ``short_code_check``: a symbol is wrong, or it is of
            another log.
    """
    narrow = _BETWEEN.sub("", text[:_CHARS_MAX]).translate(_NARROW)
    symbols = narrow.upper().translate(_ALIKE)
    body, check = symbols[:-CHECK_SYMBOLS], symbols[-CHECK_SYMBOLS:]
    if (
        len(text) > _CHARS_MAX
        or not narrow.isascii()
        or not INDEX_SYMBOLS_MIN <= len(body) <= INDEX_SYMBOLS_MAX
        or not all(one in _VALUES for one in symbols)
        or (len(body) > INDEX_SYMBOLS_MIN and body[0] == "0")
        or _number(body) > INTEGER_MAX
    ):
        raise MalformedError(
            f"expected a short code of at least {INDEX_SYMBOLS_MIN + CHECK_SYMBOLS} letters and "
            "digits, like 0000-3R3X; copy it from the receipt",
            code="short_code_malformed",
        )
    index = _number(body)
    if _number(check) != _check_of(origin, index):
        raise UndecidedError(
            "a letter or digit of the short code is wrong, or it is of another log; compare it "
            "with the receipt",
            code="short_code_check",
        )
    return index


_NARROW = {code + 0xFEE0: code for code in range(0x21, 0x7F)}
"""Full-width letters and digits, as Chinese input methods write them."""


def _check_of(origin: str, index: int) -> int:
    return (index + int.from_bytes(log_id(origin), "big")) % CHECK_MODULUS


def _base32(number: int, symbols_min: int) -> str:
    found = ""
    while number or len(found) < symbols_min:
        number, value = divmod(number, len(_ALPHABET))
        found = _ALPHABET[value] + found
    return found


def _number(symbols: str) -> int:
    found = 0
    for one in symbols:
        found = found * len(_ALPHABET) + _VALUES[one]
    return found
