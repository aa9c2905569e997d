"""The tamper lab's example and its worked changes: a receipt of invented people.

The receipt and its key lie in ``static/verify/example.json``, the same that the golden
vectors have; each worked change is made here and judged, for who has no scripts.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from ledger.tlog.note import VerifierKey, parse_verifier_key
from ledger.verdict import Judgement, judge

_EXAMPLE = Path(__file__).parent / "static" / "verify" / "example.json"
_NOW = 1_800_000_000
"""A fixed clock: the example has no cosignatures, so it decides nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A receipt taken apart, each part as a person may change it."""

    entry: str
    opening: dict[str, object]
    index: str
    proof: tuple[str, ...]
    note: str

    def join(self) -> bytes:
        """The receipt of these parts, whether or not it holds."""
        extra = orjson.dumps(
            {**self.opening, "entry": b64encode(self.entry.encode()).decode()},
            option=orjson.OPT_SORT_KEYS,
        )
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64encode(extra).decode()}"]
        lines += [f"index {self.index}", *self.proof]
        return ("\n".join(lines) + "\n\n" + self.note).encode()


@dataclass(frozen=True, slots=True)
class Example:
    """A worked change and what it led to; `name` is its text in the table ``lab``."""

    name: str
    found: Judgement


def example() -> tuple[Parts, VerifierKey]:
    """The example's parts and the key that signed it."""
    value = orjson.loads(_EXAMPLE.read_bytes())
    head, _, note = value["receipt"].partition("\n\n")
    _, extra, index, *proof = head.split("\n")
    opening = orjson.loads(b64decode(extra.removeprefix("extra ")))
    entry = b64decode(opening.pop("entry")).decode()
    parts = Parts(entry, opening, index.removeprefix("index "), tuple(proof), note)
    return parts, parse_verifier_key(value["verifier_key"])


def _letter(text: str, at: int) -> str:
    """Another letter at a place."""
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def _with(parts: Parts, **changes: object) -> bytes:
    values = {name: getattr(parts, name) for name in Parts.__slots__}
    return Parts(**{**values, **changes}).join()


def _renamed(parts: Parts) -> bytes:
    values = {**parts.opening["values"], "donor_name": "别人"}  # type: ignore[dict-item]
    return _with(parts, opening={**parts.opening, "values": values})


_CHANGES: dict[str, Callable[[Parts], bytes]] = {
    "do_nothing": lambda parts: parts.join(),
    "do_amount": lambda parts: _with(
        parts, entry=parts.entry.replace('"amount_fen":500', '"amount_fen":5000')
    ),
    "do_name": _renamed,
    "do_day": lambda parts: _with(parts, entry=parts.entry.replace("2021-06-01", "2021-06-02")),
    "do_space": lambda parts: _with(parts, entry=parts.entry.replace(":", ": ", 1)),
    "do_place": lambda parts: _with(parts, index=str(int(parts.index) - 1)),
    "do_proof": lambda parts: _with(parts, proof=(_letter(parts.proof[0], 5), *parts.proof[1:])),
    "do_short": lambda parts: _with(parts, proof=parts.proof[1:]),
    "do_size": lambda parts: _with(parts, note=parts.note.replace("\n12\n", "\n13\n", 1)),
    "do_root": lambda parts: _with(parts, note=_letter(parts.note, parts.note.index("\n12\n") + 9)),
    "do_signature": lambda parts: _with(parts, note=_letter(parts.note, len(parts.note) - 20)),
    "do_signer": lambda parts: _with(parts, note=parts.note.replace("— shanji", "— Shanji")),
    "do_cut": lambda parts: parts.join()[:700],
}


@cache
def worked_examples() -> tuple[Example, ...]:
    """Each change, judged."""
    parts, key = example()
    return tuple(
        Example(name, judge(change(parts), [key], now=_NOW)) for name, change in _CHANGES.items()
    )
