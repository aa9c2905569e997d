"""The audit of public data: checkpoint, tiles and bundles, from wherever they are served.

Everything that entries alone give: the signature, the chain, the leaf hashes, the tree,
every tile against it, the rules, the units, the references. What only the federation's
database has (the vault, keys of requests, order numbers, its derived tables) is not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.hashing import Checked, Chunk
from ledger.audit.history import History
from ledger.audit.past import check_past
from ledger.audit.pipeline import processes
from ledger.audit.report import Notes, Report
from ledger.audit.result import Run, carry_out
from ledger.audit.rules import Rules
from ledger.audit.shadow import Shadow
from ledger.audit.signatures import NOT_VALID, Signatures, trust_in
from ledger.audit.source import LogSource, Opener
from ledger.audit.spans import Span, spans
from ledger.audit.standing import Standing, load
from ledger.audit.tally import Tally
from ledger.audit.walk import CHUNK_BYTES_MAX, CHUNK_ENTRIES, Progress, Walk, own_keys
from ledger.day import Clock, utc_now
from ledger.entry import Entry
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    UndecidedError,
    UnknownSignerError,
)
from ledger.keys.history import KeyHistory
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.merkle import HASH_SIZE, leaf_hash
from ledger.tlog.note import VerifierKey, split_note
from ledger.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, parse_bundle, tile_width

OVER = "public"
_NOT_PUBLIC = "vault, idempotency keys, order numbers, proposals, derived tables (not public)"


@dataclass(frozen=True, slots=True)
class Signed:
    """A source's checkpoint under keys.

    Attributes:
        keys: Those that were given, or else those of the log's first entry.
    """

    note: bytes
    checkpoint: Checkpoint
    keys: Sequence[VerifierKey]


def open_signed(
    source: LogSource, keys: Sequence[VerifierKey], *, undecided: bool = False
) -> Signed:
    """A source's newest checkpoint, its signature verified.

    Args:
        keys: Those that are trusted; without any, those that the first entry names.
        undecided: Whether to give it unverified where no key was given and those of the
            first entry did not sign it; the caller finds in the entries who did.

    Raises:
        NotFoundError: there is no checkpoint.
        UndecidedError: no key is known, or none of those that were given signed it.
        VerificationError, MalformedError: the signature fails, or it is no checkpoint.
    """
    note = source.checkpoint()
    # Only to know how wide the first bundle is; the same text is verified below.
    width = tile_width(parse_checkpoint(split_note(note)[0]).size, 0, 0)
    own = own_keys(lambda: parse_bundle(source.bundle(0, width), width)[0]) if width else []
    trusted = list(keys) or own
    if not trusted:
        raise UndecidedError(
            "no verifier key is known: entry 0 cannot be read or names none; give one with --key"
        )
    verifiers = [verifier_for(key) for key in dict.fromkeys(trusted)]
    try:
        checkpoint, _ = open_checkpoint(note, trusted[0].name, verifiers)
    except UnknownSignerError:
        if keys or not undecided:
            raise
        return Signed(note, parse_checkpoint(split_note(note)[0]), trusted)
    return Signed(note, checkpoint, trusted)


class _Public:
    """A `walk.Log`: one checkpoint of a source, and all that it covers."""

    def __init__(
        self,
        source: LogSource,
        keys: Sequence[VerifierKey],
        shadow: Shadow,
        notes: Notes,
        *,
        parse: bool,
    ) -> None:
        self.source = source
        self._shadow = shadow
        self.notes = notes
        self.parses = parse
        self.apart = False
        self.opener: Opener | None = None
        self.ended = False
        signed = open_signed(source, keys, undecided=parse)
        self._given = tuple(keys)
        # Those that were given have signed the newest checkpoint, which vouches for the rest.
        self._signatures = Signatures((), KeyHistory(), notes)
        self.keys, self.note, self.checkpoint = signed.keys, signed.note, signed.checkpoint

    def _entries(self, number: int, width: int) -> list[bytes]:
        return parse_bundle(self.source.bundle(number, width), width)

    def entry(self, index: int) -> bytes:
        """The bytes of an entry, as they are served now."""
        number, place = divmod(index, TILE_WIDTH)
        width = tile_width(self.checkpoint.size, 0, number)
        return self._entries(number, width)[place]

    def read_tile(self, level: int, number: int, width: int) -> bytes:
        """A tile, as it is served."""
        return self.source.tile(level, number, width)

    def chunks(self, walk: Walk) -> Iterator[Chunk]:
        """See `walk.Log`."""
        size, start = self.checkpoint.size, walk.tree.size
        previous, number = walk.previous, 0
        data: list[bytes] = []
        held, at = 0, start
        while at < size:
            bundle, place = divmod(at, TILE_WIDTH)
            width = tile_width(size, 0, bundle)
            try:
                entries = self._entries(bundle, width)[place:]
            except (NotFoundError, MalformedError) as error:
                self.notes.find("bundle", f"bundle {bundle}", at, error.message)
                self.notes.not_checked.append(f"entries from {at} on")
                self.ended = True
                break
            data += entries
            held += sum(map(len, entries))
            at += len(entries)
            if at % CHUNK_ENTRIES == 0 or held >= CHUNK_BYTES_MAX:
                yield Chunk(number, start, data, previous, None, self.parses, self.apart)
                previous = leaf_hash(data[-1]).hex()
                start, number, held, data = at, number + 1, 0, []
        if data:
            yield Chunk(number, start, data, previous, None, self.parses, self.apart)

    def spans(self, walk: Walk) -> Iterator[Span]:
        """See `walk.Log`."""
        if self.opener is None:
            return iter(())
        return spans(self.opener, walk.tree.size, self.checkpoint.size, CHUNK_ENTRIES)

    def begin_chunk(self, walk: Walk, chunk: Chunk | Span, checked: Checked) -> None:
        """Nothing stands beside the entries; tiles are compared when they are full."""

    def take(self, index: int, entry: Entry | None) -> None:
        """See `walk.Log`; it may add or revoke a key."""
        if entry is not None:
            self._signatures.take(entry)

    def full_tile(self, level: int, number: int, hashes: bytes) -> None:
        """See `walk.Log`; leaf hashes are kept, to know entries again that are served again."""
        if level == 0 and self.parses:
            self._shadow.write_leaves(number, hashes)
        self._compare_tile(level, number, hashes)

    def _compare_tile(self, level: int, number: int, hashes: bytes) -> None:
        width = len(hashes) // HASH_SIZE
        index = number << TILE_HEIGHT * (level + 1)
        place = f"tile {level} {number}"
        try:
            served = self.source.tile(level, number, width)
        except (NotFoundError, MalformedError) as error:
            self.notes.find("tile", place, index, error.message)
            return
        if served != hashes:
            self.notes.find("tile", place, index, "the tile differs from the entries' hashes")

    def reach(self, walk: Walk, size: int) -> None:
        """The one checkpoint is compared at the end."""

    def batch_ended(self, size: int) -> None:
        """Which sizes were signed before is not public."""

    def keep(self, standing: Standing) -> None:
        """See `walk.Log`."""
        standing.keys = self._signatures.kept()

    def finish(self, walk: Walk, history: History) -> None:
        """Compare the right edge and the root."""
        size, root = walk.tree.size, walk.tree.root()
        if self.ended:
            return
        for level, hashes in enumerate(walk.tree.edges):
            if hashes:
                self.notes.count("tiles")
                self._compare_tile(level, size >> TILE_HEIGHT * (level + 1), hashes)
        self.notes.count("checkpoints")
        if root != self.checkpoint.root:
            self.notes.find(
                "root_mismatch",
                f"checkpoint {size}",
                size - 1,
                f"signed root {self.checkpoint.root.hex()}, the entries give {root.hex()}",
                [self.note.decode("utf-8", "replace")],
            )
        if self.parses and size:
            self._check_keys(size)
        history.finish(size, self.note)

    def begin(self, standing: Standing) -> None:
        """Go on from an audit that ended, or was killed."""
        self._signatures.begin(standing.keys, standing.size)

    def _check_keys(self, size: int) -> None:
        """The checkpoint is signed by a key that counts at its size, as the entries say."""
        known = self._signatures.history.keys
        if self._given and known and not set(known) & set(self._given):
            self.notes.find("log_keys", "entry 0", 0, "the log names none of the keys given")
            return
        try:
            self._signatures.open(self.note, published=True)
        except LedgerError as error:
            code = NOT_VALID if error.code == NOT_VALID else "checkpoint_signature"
            self.notes.find(code, f"checkpoint {size}", None, error.message)


def audit_public(
    source: LogSource,
    *,
    keys: Sequence[VerifierKey] = (),
    known: Sequence[bytes] = (),
    progress: Progress | None = None,
    state: Path | None = None,
    full: bool = False,
    hashes_only: bool = False,
    jobs: int = 1,
    executor: Executor | None = None,
    clock: Clock = utc_now,
) -> Report:
    """Audit a log by its public data.

    Args:
        source: The log.
        hashes_only: Leave out what needs the entries to be read: signature, chain, leaf
            hashes, tree and tiles remain.
        keys, known, progress, state, full, jobs, executor, clock: As in `replay.audit`.

    Returns:
        The report.

    Raises:
        RetryableError: the source cannot be reached now; what was done is kept in `state`.
        UndecidedError: no verifier key is known, or none of them signed the checkpoint.
        VerificationError: a key's signature on the checkpoint fails.
        NotFoundError: the source has no checkpoint.
        CorruptionError, ConflictError: as in `replay.audit`.
    """
    notes = Notes()
    run = Run(OVER, jobs, clock)
    keep = state if not hashes_only else None
    shadow = Shadow.temporary() if keep is None else Shadow.open(keep)

    def steps() -> None:
        log = _Public(source, keys, shadow, notes, parse=not hashes_only)
        _audit(log, known, progress, shadow, executor, notes, run)

    return carry_out(run, notes, shadow, steps, place="source", full=full, must_begin=True)


def _audit(
    log: _Public,
    known: Sequence[bytes],
    progress: Progress | None,
    shadow: Shadow,
    executor: Executor | None,
    notes: Notes,
    run: Run,
) -> None:
    """The steps of an audit, one after the other; what it comes to lies in `run`."""
    log.apart = run.jobs > 1 or executor is not None
    if run.jobs > 1 and executor is None and not log.parses:
        # Workers of this machine's find what is here; of an executor's, nobody knows.
        log.opener = log.source.opener
    size = log.checkpoint.size
    standing = run.begin(load(shadow, log.checkpoint.origin, OVER), notes)
    log.begin(standing)
    tally = Tally(standing.tally)
    rules = Rules(shadow, notes, tally, None) if log.parses else None
    history = History(known, trust_in(KeyHistory(), log.keys), notes)
    walk = run.walk = Walk(log, shadow, standing, notes, tally, rules, history)
    shadow.attach(lambda index: walk.vouch(index, log.entry(index)))
    notes.not_checked.append(_NOT_PUBLIC)
    if rules is None:
        notes.not_checked.append("the form of entries, rules, units (hashes only)")
    if check_past(walk, size, log.read_tile, history, notes):
        with processes(run.jobs if executor is None else 1) as pool:
            walk.run(executor or pool, run.jobs, size, progress)
        notes.count("entries", walk.tree.size - walk.relied_on)
        log.finish(walk, history)
        run.checkpoint = log.note.decode("utf-8", "replace")
        if walk.relied_on:
            notes.not_checked.append(
                f"the first {walk.relied_on} entries and their tiles, which the earlier audit read"
            )
    if progress is not None:
        progress(walk.tree.size, size)
