"""The book: one log, opened from its data folder, to read, write and prove.

::

    <folder>/ledger.sqlite3      entries, tiles, state: everything but the keys
    <folder>/keys/log-key.pem    the log's Ed25519 private key (PKCS #8)
    <folder>/keys/vault.key      the vault's key, in hex
    <folder>/known-checkpoints/  checkpoints that the log must not be behind, if any

Keys are files of their own, readable by their owner only, so that a copy of the
database alone neither signs nor opens anything. The first entry, ``log.opened``, says
what the log is; the folder is made once and then only opened.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.entry import Entry, parse_entry
from ledger.errors import (
    ConflictError,
    CorruptionError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.known import KnownCheckpoints
from ledger.proposals import Proposals
from ledger.receipt import Opening, Receipt, build_receipt, reveal_fields
from ledger.recorded import Recorded, recall
from ledger.records.log import LOG_OPENED, LogOpened
from ledger.records.request import Prepared, seal_record
from ledger.sequencer import CHINA, QUEUE_MAX, Clock, Sequencer, utc_now
from ledger.store import Head, Reader, Store
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import (
    Ed25519Signer,
    VerifierKey,
    format_verifier_key,
    parse_verifier_key,
    split_note,
)
from ledger.tlog.proofs import verify_inclusion
from ledger.tlog.tiles import TileReader
from ledger.vault import KEY_BYTES, Vault
from ledger.witnessing import Covering, Witnessing

DATABASE = "ledger.sqlite3"
LATEST_MAX = 1000
SYSTEM = "system"
"""Who records what no person does: the first entry."""

Reveal = Literal["all", "none"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that an entry stands in the log of one size."""

    index: int
    size: int
    leaf_hash: bytes
    proof: tuple[bytes, ...]
    root: bytes
    checkpoint: bytes


class Book:
    """One log with its keys; `open` or `create` it, `close` it in the end."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        signer: Ed25519Signer,
        vault: Vault,
        *,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self.folder = folder
        self.store = store
        self.vault = vault
        self.origin = signer.name
        self._signer = signer
        self._clock = clock
        self._queue_max = queue_max
        self._sequencer: Sequencer | None = None
        self._closed = False
        self._halted: str | None = None
        self.witnessing = Witnessing()
        """Whose cosignatures count; set before anybody asks, where there are witnesses."""
        self._lock = threading.Lock()
        self.opened: Entry
        """The log's first entry."""
        self.verifier_keys: tuple[VerifierKey, ...] = (signer.verifier_key,)

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Whether the folder holds a log that has its first entry."""
        if not (folder / DATABASE).exists():
            return False
        store = Store.open(str(folder / DATABASE), create=False)
        try:
            with store.read() as reader:
                return reader.head() is not None
        finally:
            store.close()

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        origin: str,
        organisation: str,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
    ) -> Book:
        """Make a log: its keys, its database and its first entry.

        A creation that was interrupted is completed: keys that are there are kept.

        Raises:
            ConflictError: the folder holds a log already.
            MalformedError: an origin or organisation that a log cannot have.
        """
        if cls.exists(folder):
            raise ConflictError(f"{folder} holds a log already; open it, or choose another folder")
        # Refused before anything is written.
        _opening(Ed25519Signer(origin, Ed25519PrivateKey.generate()).verifier_key, organisation)
        keys = folder / "keys"
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_key(keys / "vault.key", os.urandom(KEY_BYTES).hex().encode() + b"\n")
        private = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        _write_key(keys / "log-key.pem", private)
        signer = Ed25519Signer(origin, _read_log_key(keys / "log-key.pem"))
        store = Store.open(str(folder / DATABASE))
        book = cls(
            folder,
            store,
            signer,
            _read_vault(keys / "vault.key"),
            clock=clock,
            queue_max=queue_max,
        )
        try:
            book._record_opening(organisation)
            book._read_opening()
        except BaseException:
            book.close()
            raise
        return book

    @classmethod
    def open(cls, folder: Path, *, clock: Clock = utc_now, queue_max: int = QUEUE_MAX) -> Book:
        """Open a log that `create` made.

        Raises:
            NotFoundError: no log there.
            CorruptionError: the keys are not the log's.
        """
        if not cls.exists(folder):
            raise NotFoundError(
                f"{folder} holds no log; start the service there once, or name the right folder"
            )
        store = Store.open(str(folder / DATABASE), create=False)
        try:
            with store.read() as reader:
                origin = str(parse_entry(reader.entry(0)).fields["origin"])
            signer = Ed25519Signer(origin, _read_log_key(folder / "keys" / "log-key.pem"))
            vault = _read_vault(folder / "keys" / "vault.key")
            book = cls(folder, store, signer, vault, clock=clock, queue_max=queue_max)
            book._read_opening()
        except BaseException:
            store.close()
            raise
        return book

    @staticmethod
    def parts(folder: Path) -> tuple[Store, Vault | None]:
        """The store, and the vault where its key is there: for an audit, whatever else is wrong.

        Raises:
            NotFoundError: no database there.
        """
        store = Store.open(str(folder / DATABASE), create=False)
        try:
            return store, _read_vault(folder / "keys" / "vault.key")
        except NotFoundError:
            return store, None

    @staticmethod
    def vault_of(keys: Path) -> Vault:
        """The vault whose key is in a folder of keys.

        Raises:
            NotFoundError: there is none.
            MalformedError: it is not one.
        """
        return _read_vault(keys / "vault.key")

    def _record_opening(self, organisation: str) -> None:
        fields = _opening(self._signer.verifier_key, organisation)
        prepared = seal_record(
            kind=LOG_OPENED,
            fields=fields,
            public=fields.model_dump(exclude_none=True),
            values={},
            occurred_on=self._clock().astimezone(CHINA).date().isoformat(),
            documents=[],
            key=LOG_OPENED.name,
            recorded_by=SYSTEM,
            approved_by=None,
            vault=self.vault,
        )
        self.sequencer.record(prepared)

    def _read_opening(self) -> None:
        with self.store.read() as reader:
            self.opened = parse_entry(reader.entry(0))
        self.verifier_keys = tuple(parse_verifier_key(key) for key in self.opened.fields["keys"])
        if self._signer.verifier_key not in self.verifier_keys:
            raise CorruptionError(
                f"the key in {self.folder / 'keys'} is not a key of the log {self.origin}; "
                "put the right key file there",
                code="wrong_log_key",
            )

    @property
    def sequencer(self) -> Sequencer:
        """The write path, started when first asked for.

        Raises:
            NotReadyError: the book was closed before anybody asked for it, or `halt` was
                called (``halted``).
        """
        if self._halted is not None:
            raise NotReadyError(self._halted, code="halted")
        with self._lock:
            if self._sequencer is None:
                if self._closed:
                    raise NotReadyError("the book is closed; open the folder again")
                self._sequencer = Sequencer(
                    self.store,
                    self.vault,
                    self.origin,
                    [self._signer],
                    clock=self._clock,
                    queue_max=self._queue_max,
                    guard=KnownCheckpoints(self.folder, self.verifier_keys).check,
                )
            return self._sequencer

    def halt(self, reason: str) -> None:
        """Sign nothing more for as long as this process runs: a witness contradicts the log."""
        self._halted = reason

    @property
    def proposals(self) -> Proposals:
        """What waits for a second person."""
        return Proposals(self.store, self.vault, self._record, clock=self._clock)

    def _record(self, prepared: Prepared) -> Recorded:
        """Append one record, if the write path takes any."""
        return self.sequencer.record(prepared)

    def head(self) -> Head:
        """The log's newest size, root and checkpoint."""
        with self.store.read() as reader:
            return _head(reader)

    def today(self) -> str:
        """The day it is in Asia/Shanghai, like 2021-12-31."""
        return self._clock().astimezone(CHINA).date().isoformat()

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint that has the required witnesses, with all cosignatures.

        Raises:
            NotFoundError: none has them yet (``no_witnessed_checkpoint``).
        """
        with self.store.read() as reader:
            size = self.witnessing.newest(reader)
            if size is None:
                raise NotFoundError(
                    "no checkpoint has the required witnesses yet; ask again later",
                    code="no_witnessed_checkpoint",
                )
            return reader.cosigned_checkpoint(size)

    def checkpoint_of_size(self, size: int) -> bytes:
        """The checkpoint of a size with all its cosignatures.

        Raises:
            NotFoundError: none was signed at that size.
        """
        with self.store.read() as reader:
            return reader.cosigned_checkpoint(size)

    def writer_stats(self) -> Mapping[str, float]:
        """The write path's counters, whether or not it takes records."""
        with self._lock:
            sequencer = self._sequencer
        return {} if sequencer is None else sequencer.stats()

    def entry(self, index: int) -> tuple[bytes, Entry]:
        """An entry's stored bytes, and parsed.

        Raises:
            NotFoundError: the log has no such entry.
        """
        with self.store.read() as reader:
            data = reader.entry(index)
        return data, parse_entry(data)

    def latest(self, count: int, *, before: int | None = None) -> list[Entry]:
        """At most `count` (and `LATEST_MAX`) entries below index `before`, newest first."""
        with self.store.read() as reader:
            end = _head(reader).size
            end = end if before is None else max(0, min(before, end))
            rows = reader.entries(max(0, end - min(count, LATEST_MAX)), end)
        return [parse_entry(data) for data in reversed(rows)]

    def inclusion(self, index: int, size: int | None = None) -> Inclusion:
        """The inclusion proof of an entry in a size that has a checkpoint; None: the newest.

        Raises:
            NotFoundError: no such entry at that size, or no checkpoint of that size.
        """
        with self.store.read() as reader:
            size = _head(reader).size if size is None else size
            checkpoint = reader.cosigned_checkpoint(size)
            if not 0 <= index < size:
                raise NotFoundError(f"the log of size {size} has no entry {index}")
            leaf = reader.leaf_hash(index)
            proof = tuple(TileReader(size, reader.tile).inclusion(index))
        root = parse_checkpoint(split_note(checkpoint)[0]).root
        return Inclusion(index, size, leaf, proof, root, checkpoint)

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """The consistency proof between two sizes of the log; None: the newest.

        Raises:
            NotFoundError: sizes that are not 1 <= old <= new <= the log's.
        """
        with self.store.read() as reader:
            size = _head(reader).size
            new_size = size if new_size is None else new_size
            if not 1 <= old_size <= new_size <= size:
                raise NotFoundError(
                    f"expected 1 <= old <= new <= {size}, the log's size; "
                    f"got {old_size} and {new_size}"
                )
            return TileReader(new_size, reader.tile).consistency(old_size)

    def opening(self, index: int) -> tuple[bytes, dict[str, Any]] | None:
        """The seed and the personal fields of an entry; None where it has none or no more.

        Raises:
            NotFoundError: the log has no such entry.
        """
        with self.store.read() as reader:
            found = recall(reader, self.vault, index).opening
        return None if found.seed is None else (found.seed, dict(found.values or {}))

    def receipt(self, index: int, *, reveal: Reveal = "none") -> bytes:
        """The receipt of an entry, under the first checkpoint after it: always the same bytes.

        With witnesses it is under the first that enough of them cosigned, once there is one
        (see ``witnessing``).

        Args:
            index: The entry.
            reveal: Which personal fields it opens: all, none, or those named.

        Raises:
            NotFoundError: no such entry, or it has no such field to reveal (any more).
        """
        with self.store.read() as reader:
            found, _ = self._covered(reader, recall(reader, self.vault, index))
        return _reveal(found, index, reveal)

    def receipt_and_standing(self, index: int, *, reveal: Reveal = "none") -> tuple[bytes, bool]:
        """A receipt as `receipt` gives it, and whether it is settled: the same bytes for ever.

        Raises:
            NotFoundError: as in `receipt`.
        """
        with self.store.read() as reader:
            found, covering = self._covered(reader, recall(reader, self.vault, index))
        return _reveal(found, index, reveal), covering.settled

    def witnessed(self, recorded: Recorded) -> Recorded:
        """The answer to a record under the checkpoint that its receipt stands under now."""
        with self.store.read() as reader:
            return self._covered(reader, recorded)[0]

    def _covered(self, reader: Reader, recorded: Recorded) -> tuple[Recorded, Covering]:
        """Move a record's proof under the checkpoint that enough witnesses saw, if one is."""
        covering = self.witnessing.covering(reader, recorded.index)
        if covering.size == recorded.size:
            return replace(recorded, checkpoint=covering.note), covering
        root = parse_checkpoint(split_note(covering.note)[0]).root
        proof = tuple(TileReader(covering.size, reader.tile).inclusion(recorded.index))
        verify_inclusion(recorded.index, covering.size, recorded.leaf_hash, proof, root)
        moved = replace(recorded, size=covering.size, proof=proof, checkpoint=covering.note)
        return moved, covering

    def seed_matches(self, index: int, seed: bytes) -> bool:
        """Whether this is the seed of the entry's sealed fields; takes constant time."""
        found = self.opening(index)
        return found is not None and hmac.compare_digest(found[0], seed)

    def close(self) -> None:
        """Finish what is queued and release the folder."""
        with self._lock:
            self._closed = True
            if self._sequencer is not None:
                self._sequencer.close()
        self.store.close()


def _opening(key: VerifierKey, organisation: str) -> LogOpened:
    """What the first entry says.

    Raises:
        MalformedError: an origin or organisation that a log cannot have.
    """
    values = {
        "origin": key.name,
        "organisation": organisation,
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "keys": [format_verifier_key(key)],
    }
    try:
        return LogOpened.model_validate(values)
    except ValueError as error:
        raise MalformedError(f"expected an origin and an organisation: {error}") from None


def _reveal(found: Recorded, index: int, reveal: Reveal) -> bytes:
    opening = found.opening
    if reveal == "none" or (reveal == "all" and opening.seed is None):
        opening = Opening(opening.entry)
    elif reveal != "all":
        opening = reveal_fields(opening, reveal)
    return build_receipt(Receipt(index, found.proof, found.checkpoint, opening))


def _head(reader: Reader) -> Head:
    head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    return head


def _write_key(path: Path, data: bytes) -> None:
    """Write a key file that only its owner can read, durably; one that is there is kept."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_log_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing; put the log's key file back") from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedError(f"{path}: expected an Ed25519 private key in PEM (PKCS #8)")
    return key


def _read_vault(path: Path) -> Vault:
    try:
        return Vault(bytes.fromhex(path.read_text("ascii").strip()))
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing; put the vault's key file back") from None
    except ValueError:
        raise MalformedError(f"{path}: expected {KEY_BYTES} bytes in hex") from None
