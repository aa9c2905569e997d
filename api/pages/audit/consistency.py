"""Two states of the log: is the later one the earlier one grown, or are there two histories?

Two sizes are read from the tiles here. Pasted checkpoints are held against the log's keys
first, then against each other and against the tiles. Where the log's own key signed two
states of which at most one can be true, the files that prove it are given out: with them and
the log's key anybody can check it (``ledger.audit.evidence``).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from api.pages.format import parse_number
from ledger.audit.evidence import Prefix, format_prefix, judge, tell_judgement
from ledger.errors import MalformedError, NotFoundError, UndecidedError, VerificationError
from ledger.store import Reader
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.note import encode_base64
from ledger.tlog.policy import Policy
from ledger.tlog.proofs import verify_consistency
from ledger.tlog.tiles import TileReader
from ledger.verify import checkpoint_of, open_trusted

Outcome = Literal["verified", "mismatch", "cannot_decide"]

CHECKPOINT_FILE, OTHER_FILE, PREFIX_FILE = "a.checkpoint", "b.checkpoint", "b.consistency"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two states; `signed` says that a checkpoint of that size is in the log."""

    size: int
    root: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files that prove a contradiction, by name; and what they prove, in two languages."""

    files: tuple[tuple[str, bytes], ...]
    told_zh: str
    told_en: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it.

    Attributes:
        reason: Which sentence tells it (``consistency.<reason>`` in the texts).
        message: What the core says besides, in English; empty where nothing.
        old, new: The two states by size; None where they could not be read.
        proof: The consistency proof, base64 hashes as in /v1/proofs/consistency.
    """

    outcome: Outcome
    reason: str
    message: str = ""
    old: Side | None = None
    new: Side | None = None
    proof: tuple[str, ...] = ()
    evidence: Evidence | None = None


def read_sizes(old: str, new: str, size: int) -> tuple[int, int] | tuple[str, str]:
    """Two sizes as they are typed; the log's own where `new` is empty.

    Returns:
        The sizes, 1 <= old <= new <= size; or the field that is wrong and which sentence says
        how (``consistency.<reason>`` in the texts).
    """
    found: list[int] = []
    for name, typed in (("old", old), ("new", new)):
        number = size if name == "new" and not typed.strip() else parse_number(typed)
        if number is None or not 1 <= number <= size:
            return name, "wrong_size"
        found.append(number)
    return (found[0], found[1]) if found[0] <= found[1] else ("new", "wrong_order")


def compare_sizes(reader: Reader, old: int, new: int) -> Compared:
    """Prove from the tiles that the log of one size is contained in that of another.

    Raises:
        NotFoundError: sizes that are not 1 <= old <= new <= the log's.
    """
    size = _head_size(reader)
    if not 1 <= old <= new <= size:
        raise NotFoundError(
            f"expected 1 <= old <= new <= {size}, the log's size; got {old} and {new}",
            code="no_size",
        )
    roots = [_root_at(reader, one) for one in (old, new)]
    proof = TileReader(new, reader.tile).consistency(old)
    verify_consistency(old, new, proof, *roots)
    sides = [_side(reader, one, root) for one, root in zip((old, new), roots, strict=True)]
    return Compared("verified", "grew", old=sides[0], new=sides[1], proof=_shown(proof))


def compare_notes(reader: Reader, policy: Policy, first: bytes, second: bytes) -> Compared:
    """Hold two signed checkpoints (or receipts) against the log's keys and each other.

    Args:
        policy: The log's keys, each with the sizes for which it counts.
        second: Empty for the log's newest checkpoint.

    Raises:
        MalformedError: ``first`` or ``second`` (its `field`) is no checkpoint or receipt.
    """
    head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    notes = [_note(first, "first"), _note(second, "second") if second else head.checkpoint]
    opened: list[Checkpoint] = []
    for note, field in zip(notes, ("first", "second"), strict=True):
        try:
            opened.append(open_trusted(note, policy)[0])
        except MalformedError as error:
            raise MalformedError(error.message, code=error.code, field=field) from None
        except UndecidedError as error:
            return Compared("cannot_decide", "unknown_signer", error.message)
        except VerificationError as error:
            return Compared("mismatch", "forged", error.message)
    if opened[0].size > opened[1].size:
        notes.reverse()
        opened.reverse()
    return _compare(reader, policy, notes, opened)


def _compare(
    reader: Reader, policy: Policy, notes: Sequence[bytes], opened: Sequence[Checkpoint]
) -> Compared:
    """Two checkpoints that the log's keys signed, the smaller first."""
    early, late = opened
    told = partial(
        Compared,
        old=Side(early.size, early.root.hex(), True),
        new=Side(late.size, late.root.hex(), True),
    )
    if early.size == late.size and early.root != late.root:
        files = ((CHECKPOINT_FILE, notes[0]), (OTHER_FILE, notes[1]))
        return told("mismatch", "same_size", evidence=_judged(files, policy))
    size = _head_size(reader)
    if late.size > size:
        return told("cannot_decide", "ahead")
    for note, one in zip(notes, opened, strict=True):
        if one.root != _root_at(reader, one.size):
            evidence = _against_log(reader, policy, note, one)
            return told("mismatch", "other_history", evidence=evidence)
    if early.size == late.size:
        return told("verified", "same")
    if early.size == 0:
        return told("cannot_decide", "empty")
    proof = TileReader(late.size, reader.tile).consistency(early.size)
    verify_consistency(early.size, late.size, proof, early.root, late.root)
    return told("verified", "grew", proof=_shown(proof))


def _against_log(reader: Reader, policy: Policy, note: bytes, one: Checkpoint) -> Evidence:
    """A signed checkpoint that is not of the history which the newest checkpoint covers."""
    head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    if one.size in (0, head.size):
        files = ((CHECKPOINT_FILE, note), (OTHER_FILE, head.checkpoint))
        return _judged(files, policy)
    proof = TileReader(head.size, reader.tile).consistency(one.size)
    prefix = Prefix(one.size, _root_at(reader, one.size), tuple(proof), head.checkpoint)
    files = ((CHECKPOINT_FILE, note), (PREFIX_FILE, format_prefix(prefix)))
    return _judged(files, policy)


def _judged(files: tuple[tuple[str, bytes], ...], policy: Policy) -> Evidence:
    """Evidence, once more judged as its reader will; it must hold."""
    judgement = judge(files[0][1], files[1][1], policy)
    if judgement.verdict != "two_histories":
        raise VerificationError(f"expected two histories, got {judgement.verdict}")
    return Evidence(files, tell_judgement(judgement, "zh"), tell_judgement(judgement, "en"))


def _note(data: bytes, field: str) -> bytes:
    """The checkpoint in what was pasted, or in a receipt."""
    # What is copied from a page loses the last line end, and the note ends with one.
    # An editor may have put its mark before it, which nobody sees.
    text = data.replace(b"\r\n", b"\n").removeprefix(BOM_UTF8).strip() + b"\n"
    try:
        return checkpoint_of(text)
    except MalformedError as error:
        raise MalformedError(error.message, code=error.code, field=field) from None


def _root_at(reader: Reader, size: int) -> bytes:
    return TileReader(size, reader.tile).root()


def _side(reader: Reader, size: int, root: bytes) -> Side:
    try:
        reader.checkpoint(size)
    except NotFoundError:
        return Side(size, root.hex(), False)
    return Side(size, root.hex(), True)


def _shown(proof: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(encode_base64(one) for one in proof)


def _head_size(reader: Reader) -> int:
    head = reader.head()
    return head.size if head else 0
