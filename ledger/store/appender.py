"""Writing one batch: under the write lock, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ledger.errors import ConflictError, FatalError, OutcomeUnknownError
from ledger.store import bulk, lookup, operational, postgresql, statements
from ledger.store.failures import outcome_unknown, reason, translated
from ledger.store.lookup import Found, Wanted
from ledger.store.reader import Reader
from ledger.store.rows import AnchorRow, Batch, Head
from ledger.store.tables import TABLES
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import split_note

HEAD_ID = 0
FILL_ROWS = 5_000
"""Rows copied at once from another store."""

_HEAD = ("size", "root", "last_leaf_hash", "last_recorded_at", "checkpoint")
_FIRST_HEAD = f"INSERT INTO head (id, {', '.join(_HEAD)}) VALUES (?{', ?' * len(_HEAD)})"
_NEXT_HEAD = f"UPDATE head SET {', '.join(f'{name} = ?' for name in _HEAD)} WHERE size = ?"
"""As text: SQLAlchemy puts such a statement together anew each time."""


class Appender(Reader):
    """The write transaction: reads see the newest head, and nobody else can write.

    Args:
        connection: The transaction, which has the lock.
        locked: What a server told with the lock.
    """

    def __init__(self, connection: sa.Connection, locked: postgresql.Locked | None = None) -> None:
        super().__init__(connection)
        self._locked = locked
        self._heads = [] if locked is None else [locked.head]
        self._waits_for_commit = False

    def head(self) -> Head | None:
        """As in `Reader`; asked for once, since nobody else can change it."""
        if not self._heads:
            self._heads.append(super().head())
        return self._heads[0]

    def holds(self) -> dict[str, str]:
        """As in `Reader`; no question to a server that told them with the lock."""
        return super().holds() if self._locked is None else self._locked.holds

    def look_up(self, wanted: Wanted) -> Found:
        """What a batch needs to know, in one question.

        Raises:
            MalformedError: text that no database can hold.
        """
        if not self._on_server:
            return lookup.in_file(self, wanted)
        with translated():
            return lookup.on_server(self._connection, wanted)

    def write(self, batch: Batch) -> None:
        """Write a batch's rows; they count only after `commit`.

        Raises:
            ConflictError: the head is not at the first entry's index; nothing counts.
            FatalError: the batch contradicts itself or what is stored, or the disk
                failed; nothing counts.
        """
        with translated():
            try:
                before = self._followed(batch)
                with self._at_once(batch):
                    swapped = self._swap_head(before, batch.head)
                    self._write_log(batch)
                    self._write_state(batch)
                    if self._on_server:
                        postgresql.wait_for_commit(self._connection)
                        self._waits_for_commit = True
                if swapped.rowcount != 1:
                    raise _not_at(batch.entries[0][0])
                self._heads = [batch.head]
            except BaseException:
                # A part of a batch must not be there to be committed by mistake.
                self._connection.rollback()
                self._heads = []
                raise

    def _at_once(self, batch: Batch) -> AbstractContextManager[Any]:
        """Send a small batch's statements to a server without waiting for each answer."""
        if not self._on_server or bulk.needs_copy(batch):
            return nullcontext()
        return postgresql.pipeline(self._connection)

    def _followed(self, batch: Batch) -> Head | None:
        """The head that the batch follows, if it follows it and does not contradict itself."""
        before, head = self.head(), batch.head
        first = head.size - len(batch.entries)
        signed = parse_checkpoint(split_note(head.checkpoint)[0])
        if (signed.size, signed.root) != (head.size, head.root):
            raise FatalError("the head and its checkpoint differ; nothing was written")
        if not batch.entries or [row[0] for row in batch.entries] != list(range(first, head.size)):
            raise FatalError("the batch's entries do not end at the head; nothing was written")
        if first != (0 if before is None else before.size):
            raise _not_at(first)
        return before

    def _swap_head(self, before: Head | None, head: Head) -> Any:
        """Compare and swap the size: two writers can never write the same index.

        Returns:
            The cursor, which has set one row if it was still `before`.
        """
        values = [getattr(head, name) for name in _HEAD]
        if before is None:
            return self._run(_FIRST_HEAD, [HEAD_ID, *values])
        return self._run(_NEXT_HEAD, [*values, before.size])

    def _write_log(self, batch: Batch) -> None:
        """What is recorded, and what it is found by."""
        head, first = batch.head, batch.entries[0][0]
        self._insert("entry", ("index", "data", "leaf_hash"), batch.entries)
        self._insert("tile", ("level", "number", "hashes"), batch.tiles)
        self._upsert("edge", ("level", "hashes"), list(enumerate(batch.edges)))
        self._insert(
            "checkpoint", ("size", "root", "note"), [(head.size, head.root, head.checkpoint)]
        )
        columns = ("entry", "ciphertext")
        self._insert("vault", columns, [row for row in batch.vault if row[0] >= first])
        self._upsert("vault", columns, [row for row in batch.vault if row[0] < first])
        # In the order of their keys, which come at random: neighbours land on the same page.
        self._insert("idempotency", ("key", "digest", "entry"), sorted(batch.idempotency))
        self._insert("order_number", ("digest", "entry"), sorted(batch.order_numbers))

    def _write_state(self, batch: Batch) -> None:
        """What follows from what is recorded: accounts, holdings, flows, objects, references,
        movements."""
        ids = batch.account_ids
        self._upsert("account", ("id", "asset", "name", "received"), batch.accounts)
        self._delete("holding", ("account", "first"), batch.holdings_gone)
        self._upsert("holding", ("account", "first", "length", "label"), batch.holdings_set)
        columns = ("account", "label", "received", "held", "returned")
        self._upsert("pool", columns, batch.pools, add=True)
        sums = ("asset", "accounts", "received", "held")
        self._upsert("asset", sums, batch.assets, add=True)
        gone = [(key,) for key, value in batch.objects if value is None]
        self._delete("state_object", ("key",), gone)
        kept = [(key, value) for key, value in batch.objects if value is not None]
        self._upsert("state_object", ("key", "value"), kept)
        flows = [
            (
                flow.entry,
                flow.posting,
                flow.part,
                ids[flow.asset, flow.source],
                flow.source_first,
                ids[flow.asset, flow.target],
                flow.target_first,
                flow.length,
                flow.label,
            )
            for flow in batch.flows
        ]
        self._insert("flow", tuple(TABLES["flow"].columns.keys()), flows)
        self._insert("entry_reference", ("target", "source"), batch.references)
        self._insert("entry_kind", ("kind", "entry"), sorted(batch.kinds))
        self._insert("movement", tuple(TABLES["movement"].columns.keys()), batch.movements)

    def write_proposals(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Set rows of the proposals, ``(id, ciphertext)``; they count only after `commit`.

        Raises:
            FatalError: the disk failed; nothing counts.
        """
        with translated():
            self._upsert("proposal", ("id", "ciphertext"), rows)

    def write_vault(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Replace rows of the vault, ``(index, ciphertext)``; they count only after `commit`.

        For what is forgotten again in a database that was restored: the log that goes on
        writes its vault with the batches.

        Raises:
            FatalError: the disk failed; nothing counts.
        """
        with translated():
            self._upsert("vault", ("entry", "ciphertext"), rows)

    def write_cosignatures(self, size: int, rows: Sequence[tuple[str, bytes]]) -> int:
        """Keep what witnesses said of a checkpoint; it counts only after `commit`.

        Args:
            size: The checkpoint's size.
            rows: ``(verifier key, signature line)``, verified; those that are there already
                are passed over.

        Returns:
            How many are new; nothing was written where none is.

        Raises:
            NotFoundError: no checkpoint was signed at that size.
            FatalError: the disk failed; nothing counts.
        """
        self.checkpoint(size)
        known = {key for key, _ in self.cosignatures(size)}
        fresh = [(key, line) for key, line in rows if key not in known]
        if not fresh:
            return 0
        table, witness = TABLES["cosignature"], TABLES["witness"]
        with translated():
            last = self._connection.execute(sa.select(sa.func.max(table.c.number))).scalar()
            first = 0 if last is None else last + 1
            self._insert(
                "cosignature",
                ("number", "size", "verifier_key", "line"),
                [(first + place, size, *row) for place, row in enumerate(fresh)],
            )
            for key, _ in fresh:
                row = self._connection.execute(
                    sa.select(witness.c.cosignatures, witness.c.last_size).where(
                        witness.c.verifier_key == key
                    )
                ).first()
                count, before = (0, size) if row is None else row
                columns = ("verifier_key", "cosignatures", "last_size")
                self._upsert("witness", columns, [(key, count + 1, max(before, size))])
        return len(fresh)

    def write_anchor(self, row: AnchorRow) -> None:
        """Add a time stamp; it counts only after `commit`.

        Raises:
            FatalError: the disk failed, or the authority has stamped this size already.
        """
        columns = ("size", "authority", "response", "certificates", "mac")
        with translated():
            self._insert("anchor", columns, [tuple(getattr(row, name) for name in columns)])

    def place_hold(self, code: str, reason: str) -> None:
        """Hold all who share the database; it counts only after `commit`.

        Raises:
            FatalError: the disk failed; nothing counts.
        """
        # What was told with the lock is no more all.
        self._locked = None
        with translated():
            operational.place_hold(self._connection, code, reason)

    def fill(self, reader: Reader) -> None:
        """Write all rows of another store, table by table; they count only after `commit`.

        Raises:
            FatalError: the disk failed, or the rows contradict each other.
        """
        with translated():
            self._heads = []
            for table in TABLES:
                columns = tuple(TABLES[table].columns.keys())
                rows = reader.scan(table)
                while some := list(islice(rows, FILL_ROWS)):
                    self._insert(table, columns, some)

    def _run(self, statement: str, values: Sequence[Any]) -> Any:
        """A statement with a question mark for each value; its cursor."""
        if self._on_server:
            return postgresql.run(self._connection, statement.replace("?", "%s"), values)
        return self._connection.exec_driver_sql(statement, tuple(values))

    @property
    def _on_server(self) -> bool:
        return self._connection.dialect.name != "sqlite"

    def _insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        if self._on_server:
            if rows:
                bulk.insert(self._connection, table, columns, rows)
            return
        query = partial(statements.insert, table, columns)
        for statement, values in statements.in_statements(query, rows):
            self._connection.exec_driver_sql(statement, values)

    def _upsert(
        self,
        table: str,
        columns: tuple[str, ...],
        rows: Sequence[tuple[Any, ...]],
        *,
        add: bool = False,
    ) -> None:
        """Set rows, or add their numbers to those of the rows that are there."""
        if self._on_server:
            if rows:
                bulk.upsert(self._connection, table, columns, rows, add=add)
            return
        query = partial(statements.upsert, table, columns, add=add)
        for statement, values in statements.in_statements(query, rows):
            self._connection.exec_driver_sql(statement, values)

    def _delete(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        if rows and self._on_server:
            bulk.delete(self._connection, table, columns, rows)
        elif rows:
            query = statements.delete(table, columns)
            self._connection.exec_driver_sql(query, [tuple(row) for row in rows])

    def commit(self) -> None:
        """Make what was written durable; all of it, or nothing if the process dies here.

        Raises:
            FatalError: nothing is written that could be committed.
            OutcomeUnknownError: the database failed while committing; the batch may or
                may not be there. Its cause says what ails the database.
        """
        if not self._connection.in_transaction():
            raise FatalError("expected a batch to commit, none is written; nothing happened")
        if self._on_server and not self._waits_for_commit:
            with translated():
                postgresql.wait_for_commit(self._connection)
        try:
            if self._on_server:
                postgresql.commit(self._connection)
            else:
                self._connection.commit()
        except sa.exc.DBAPIError as error:
            if not outcome_unknown(error.orig):
                with translated():
                    raise
            raise OutcomeUnknownError(
                f"the database failed while committing ({error.orig}); whether the batch is "
                "there is unknown: repeat with the same idempotency keys"
            ) from reason(error)


def _not_at(size: int) -> ConflictError:
    return ConflictError(f"the log's head is not at size {size}; nothing was written")
