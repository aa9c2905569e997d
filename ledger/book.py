"""The book: one log, opened from its data folder, to read, write and prove.

::

    <folder>/ledger.sqlite3      entries, tiles, state: everything but the keys
    <folder>/database.url        instead of it, where PostgreSQL keeps them (``store.place``)
    <folder>/keys/log-key.pem    the log's Ed25519 private key (PKCS #8), and further ones
    <folder>/keys/vault.key      the vault's key, in hex
    <folder>/known-checkpoints/  checkpoints that the log must not be behind, if any
    <folder>/halted.txt          and others: why nothing is written here (``holds``)

Keys are files of their own, readable by their owner only, so that a copy of the
database alone neither signs nor opens anything; they may be encrypted, or lie elsewhere
(``keys.access``). The first entry, ``log.opened``, says what the log is; the folder is
made once and then only opened.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.beginning import build_opening, make_keys, opening_keys
from ledger.entry import Entry, parse_entry
from ledger.errors import (
    ConflictError,
    CorruptionError,
    NotFoundError,
    NotReadyError,
)
from ledger.fitting import FittingTiles, checked_note, require_right_vault, require_sound
from ledger.fitting import read_key_history as read_key_history
from ledger.holding import Holds
from ledger.holds import HALTED, UNCONFIRMED, Hold
from ledger.keys.access import KeyAccess, default_access
from ledger.keys.files import VAULT_KEY, read_vault_key
from ledger.keys.history import KeyHistory, is_ed25519
from ledger.keys.ring import Keyring
from ledger.known import KnownCheckpoints
from ledger.proposals import Proposals
from ledger.receipt import Opening, Receipt, build_receipt, reveal_fields
from ledger.recorded import Recorded, recall
from ledger.records.log import LOG_OPENED
from ledger.records.request import Prepared, seal_record
from ledger.sequencer import CHINA, COUNTS, GAUGES, QUEUE_MAX, Clock, Sequencer, utc_now
from ledger.store import Head, Reader, Store
from ledger.store.place import DATABASE as DATABASE
from ledger.store.place import is_postgresql, place_of, write_url
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import (
    Ed25519Signer,
    VerifierKey,
    split_note,
)
from ledger.tlog.proofs import verify_inclusion
from ledger.tlog.tiles import TileReader
from ledger.vault import Vault
from ledger.witnessing import Covering, Witnessing

logger = logging.getLogger(__name__)

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
        origin: str,
        keyring: Keyring,
        vault: Vault,
        *,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self.folder = folder
        self.store = store
        self.vault = vault
        self.origin = origin
        self.keyring = keyring
        self._clock = clock
        self._queue_max = queue_max
        self._sequencer: Sequencer | None = None
        self._closed = False
        self.held = Holds(folder, store)
        """What holds it, here and on every machine that shares its database."""
        reason = dict(self.held.read()).get(HALTED)
        self._halted = None if reason is None else self.held.told(HALTED, reason)
        self.witnessing = Witnessing()
        """Whose cosignatures count; set before anybody asks, where there are witnesses."""
        self._lock = threading.Lock()
        self.opened: Entry
        """The log's first entry."""

    @classmethod
    def exists(cls, folder: Path, database: str | None = None) -> bool:
        """Whether the folder's database holds a log that has its first entry."""
        try:
            store = Store.open(place_of(folder, database), create=False)
        except NotFoundError:
            return False
        try:
            with store.read() as reader:
                return reader.head() is not None
        finally:
            store.close()

    @staticmethod
    def origin_of(folder: Path, database: str | None = None) -> str:
        """The name of the log in a folder; its keys are not looked at.

        Raises:
            NotFoundError: no log there.
        """
        store = _open_store(folder, database)
        try:
            return _read_origin(store, folder)
        finally:
            store.close()

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        origin: str,
        organisation: str,
        database: str | None = None,
        access: KeyAccess | None = None,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
    ) -> Book:
        """Make a log: its keys, its database and its first entry.

        A creation that was interrupted is completed: keys that are there are kept, and a
        signer outside this process (``keys.external``) may be there before the log is.
        Where a passphrase is set, new key files are encrypted.

        Raises:
            ConflictError: the folder holds a log already.
            MalformedError: an origin or organisation that a log cannot have.
        """
        elsewhere = is_postgresql(place_of(folder, database))
        if cls.exists(folder, database) or (elsewhere and (folder / DATABASE).exists()):
            raise ConflictError(f"{folder} holds a log already; open it, or choose another folder")
        # Refused before anything is written.
        build_opening(
            [Ed25519Signer(origin, Ed25519PrivateKey.generate()).verifier_key], organisation
        )
        access = access or default_access()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = make_keys(access.folder_of(folder), access)
        ring = Keyring.open(keys, origin, access)
        vault = Vault(read_vault_key(keys / VAULT_KEY, access))
        store = Store.open(place_of(folder, database))
        book = cls(folder, store, origin, ring, vault, clock=clock, queue_max=queue_max)
        try:
            book._record_opening(organisation)
            book._read_opening()
            _keep_place(folder, database)
        except BaseException:
            book.close()
            raise
        return book

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        database: str | None = None,
        access: KeyAccess | None = None,
        clock: Clock = utc_now,
        queue_max: int = QUEUE_MAX,
    ) -> Book:
        """Open a log that `create` made.

        Args:
            folder: The data folder.
            database: Where its log is; None for what the environment or the folder says
                (``store.place``). One that is named is kept in the folder.
            access: Where the keys are and what opens them; None for what the environment
                says (``keys.access``).
            clock: Gives the time of recording.
            queue_max: Records that may wait to be written.

        Raises:
            NotFoundError: no log there, or no keys.
            CorruptionError: the keys are not the log's.
            NotAllowedError: the keys are encrypted, and the passphrase is missing or wrong.
        """
        store = _open_store(folder, database)
        try:
            origin = _read_origin(store, folder)
            access = access or default_access()
            keys = access.folder_of(folder)
            ring = Keyring.open(keys, origin, access)
            vault = Vault(read_vault_key(keys / VAULT_KEY, access))
            book = cls(folder, store, origin, ring, vault, clock=clock, queue_max=queue_max)
            book._read_opening()
            _keep_place(folder, database)
        except BaseException:
            store.close()
            raise
        return book

    @staticmethod
    def parts(folder: Path, access: KeyAccess | None = None) -> tuple[Store, Vault | None]:
        """The store, and the vault where its key is there: for an audit, whatever else is wrong.

        Raises:
            NotFoundError: no database there.
            NotAllowedError: the vault's key is encrypted, and no right passphrase was given.
        """
        store = Store.open(place_of(folder), create=False)
        access = access or default_access()
        try:
            return store, Vault(read_vault_key(access.folder_of(folder) / VAULT_KEY, access))
        except NotFoundError:
            return store, None
        except BaseException:
            store.close()
            raise

    @staticmethod
    def vault_of(keys: Path) -> Vault:
        """The vault whose key is in a folder of keys.

        Raises:
            NotFoundError: there is none.
            MalformedError: it is not one.
            NotAllowedError: it is encrypted, and no right passphrase was given.
        """
        return Vault(read_vault_key(keys / VAULT_KEY, default_access()))

    def _record_opening(self, organisation: str) -> None:
        fields = build_opening(opening_keys(self.keyring, self.origin), organisation)
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
            require_right_vault(reader, self.vault)
        if not any(is_ed25519(key) and self.keyring.has(key) for key in self.key_history.active):
            raise CorruptionError(
                f"what is there ({self.keyring}) is not a key of the log {self.origin} with which "
                "it signs now; put the right key file there",
                code="wrong_log_key",
            )

    @property
    def key_history(self) -> KeyHistory:
        """Which keys the log has had, and for which sizes each counts; as of now."""
        with self.store.read() as reader:
            return read_key_history(reader)

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """Every key that the log has ever had: with them, all that it signed verifies."""
        return self.key_history.keys

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
                    self.keyring,
                    clock=self._clock,
                    queue_max=self._queue_max,
                    guard=KnownCheckpoints(
                        self.folder, lambda: self.verifier_keys, shared=self.store.shared
                    ).check,
                )
            return self._sequencer

    @property
    def halted(self) -> str | None:
        """Why nothing more is signed here, as given to `halt`; None where it is."""
        return self._halted

    def holds(self) -> list[tuple[Hold, str]]:
        """Everything for which nothing is written here now, and why."""
        found = self.held.read()
        if self._halted is not None and HALTED not in (hold for hold, _ in found):
            found.insert(0, (HALTED, self._halted))
        return found

    def halt(self, reason: str) -> None:
        """Sign nothing more, in this process or any other: a witness contradicts the log.

        A person who has found out who is right lifts it (``holding``).
        """
        self._halted = reason
        try:
            self.held.place(HALTED, reason)
        except OSError as error:
            logger.error("that the log is halted could not be kept: %s", error)

    def confirm_restored(self, by: str) -> bool:
        """Let a restored log be written: nothing newer of it is known to who was asked.

        Args:
            by: Who was asked, in words; kept with the time.

        Returns:
            Whether it had waited for that.
        """
        return self.release(UNCONFIRMED, by)

    def release(self, hold: Hold, by: str) -> bool:
        """Let the log be written again, on every machine that shares its database.

        Args:
            hold: What held it.
            by: Who decided that, in words; kept with the time.

        Returns:
            Whether it was held.
        """
        lifted = self.held.lift(hold, f"{self._clock():%Y-%m-%dT%H:%M:%SZ} {by}")
        if lifted:
            logger.warning("%s holds the log no more: %s", hold.code, by)
        return lifted

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
            return checked_note(reader, size)

    def checkpoint_of_size(self, size: int) -> bytes:
        """The checkpoint of a size with all its cosignatures.

        Raises:
            NotFoundError: none was signed at that size.
        """
        with self.store.read() as reader:
            return checked_note(reader, size)

    def writer_stats(self) -> Mapping[str, float]:
        """The write path's counters, whether or not it takes records."""
        with self._lock:
            sequencer = self._sequencer
        return dict.fromkeys((*COUNTS, *GAUGES), 0) if sequencer is None else sequencer.stats()

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
            checkpoint = checked_note(reader, size)
            if not 0 <= index < size:
                raise NotFoundError(f"the log of size {size} has no entry {index}")
            leaf = reader.leaf_hash(index)
            proof = tuple(TileReader(size, FittingTiles(reader).tile).inclusion(index))
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
            return TileReader(new_size, FittingTiles(reader).tile).consistency(old_size)

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
        require_sound(reader, covering.size, covering.note)
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
        self.keyring.close()
        self.store.close()


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


def _no_log(folder: Path) -> NotFoundError:
    return NotFoundError(
        f"{folder} holds no log; start the service there once, or name the right folder"
    )


def _open_store(folder: Path, database: str | None) -> Store:
    """The database of a folder's log, which must be there."""
    try:
        return Store.open(place_of(folder, database), create=False)
    except NotFoundError:
        raise _no_log(folder) from None


def _read_origin(store: Store, folder: Path) -> str:
    """The name of the log in a store: its first entry says it."""
    with store.read() as reader:
        if reader.head() is None:
            raise _no_log(folder)
        return str(parse_entry(reader.entry(0)).fields["origin"])


def _keep_place(folder: Path, database: str | None) -> None:
    """A server that was named is found by every command on the folder from now on."""
    if database is not None and is_postgresql(database):
        write_url(folder, database)
