"""The sealed side of the audit: openings against commitments, keys and order numbers.

The two tables that the entries alone do not give, idempotency keys and order numbers,
are rebuilt from the vault's rows and compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ledger.audit.report import Notes, Rows, words
from ledger.entry import Entry, open_sealed
from ledger.errors import LedgerError
from ledger.store import Reader
from ledger.vault import Vault, VaultRow

SLICE = 500
"""Entries whose rows are looked up together."""


class SealedRows:
    """Takes the entries one by one, and checks what the vault has for them.

    Args:
        size: Entries that an earlier part of the audit has checked.
        before: What that part kept (`kept`).
    """

    def __init__(
        self,
        reader: Reader,
        vault: Vault,
        notes: Notes,
        size: int = 0,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        self._reader = reader
        self._vault = vault
        self._notes = notes
        self._rows = Rows(reader, "vault", notes, (size - 1,) if size else ())
        self._begun_at = size
        self._taken: list[tuple[int, VaultRow]] = []
        before = before or {"expected": {"idempotency": 0, "order_number": 0}, "erased": []}
        self._expected: dict[str, int] = dict(before["expected"])
        self._without_opening: set[int] = set(before["erased"])

    def kept(self) -> dict[str, Any]:
        """What the next part of the audit goes on from."""
        self._compare()
        return {"expected": dict(self._expected), "erased": sorted(self._without_opening)}

    def take(self, index: int, entry: Entry | None) -> None:
        """Check one entry's vault row; entries come in rising order.

        Args:
            index: The entry's place.
            entry: The entry; None where it cannot be read.
        """
        while self._rows.row is not None and self._rows.row[0] < index:
            self._unexplained(self._rows.row[0])
            self._rows.next()
        if self._rows.row is None or self._rows.row[0] != index:
            if not self._rows.broken:
                self._find("vault_missing", index, "the row is not stored")
            return
        ciphertext = self._rows.row[1]
        self._rows.next()
        try:
            row = self._vault.decrypt(index, ciphertext)
        except LedgerError as error:
            self._find("vault_row", index, error.message)
            return
        self._notes.count("vault")
        if entry is not None:
            self._check_opening(entry, row)
        self._taken.append((index, row))
        if len(self._taken) >= SLICE:
            self._compare()

    def _find(self, code: str, index: int, message: str) -> None:
        self._notes.find(code, f"vault {index}", index, message)

    def _check_opening(self, entry: Entry, row: VaultRow) -> None:
        if row.seed is None:
            if entry.sealed:
                self._without_opening.add(entry.index)
            return
        try:
            open_sealed(entry.sealed, row.seed, row.values or {})
        except LedgerError as error:
            self._find("commitment", entry.index, error.message)

    def _unexplained(self, index: int) -> None:
        self._find("vault_extra", index, "a vault row that no entry has")

    def _compare(self) -> None:
        """Look up the keys and order numbers that the vault's rows name."""
        keys = self._reader.idempotency([row.key for _, row in self._taken])
        orders = [row.order for _, row in self._taken if row.order is not None]
        found = self._reader.order_numbers(orders)
        for index, row in self._taken:
            if keys.get(row.key) != (row.request, index):
                self._missing("idempotency", row.key, index)
            if row.order is not None and found.get(row.order) != index:
                self._missing("order_number", row.order.hex(), index)
        self._expected["idempotency"] += len(self._taken)
        self._expected["order_number"] += len(orders)
        self._taken = []

    def _missing(self, table: str, key: str, index: int) -> None:
        self._notes.find(table, f"{table} {key}", index, "the row is missing or differs")

    def finish(
        self, erased: Set[int] | None, erased_again: Set[int] = frozenset(), *, part: bool
    ) -> None:
        """After the last entry: what is left over belongs to no entry.

        Args:
            erased_again: Those that a restore erased again, for erasures that the log had
                recorded after the backup was made.
            part: Whether the rows of earlier entries were compared by an earlier audit; then
                they are counted, and not read again.
            erased: The entries whose openings the log says were erased; None where the
                rules could not be replayed to the end.
        """
        if erased is not None:
            self._look_again(erased)
            for index in sorted(self._without_opening - erased - erased_again):
                self._find("opening_missing", index, "seed and values are not stored")
            for index in sorted(erased - self._without_opening):
                self._find("not_erased", index, "the log says that its opening was erased")
        for row in self._rows:
            self._unexplained(row[0])
        self._compare()
        for table, expected in self._expected.items():
            self._notes.count(table, expected)
            if part:
                stored, broken = self._reader.count(table), False
            else:
                rows = Rows(self._reader, table, self._notes)
                stored, broken = sum(1 for _ in rows), rows.broken
            if stored != expected and not broken:
                self._find_extra(table)

    def _look_again(self, erased: Set[int]) -> None:
        """Openings of earlier entries that were erased since they were compared."""
        for index in sorted(erased - self._without_opening):
            ciphertext = self._reader.vault(index) if index < self._begun_at else None
            if ciphertext is None:
                continue
            try:
                row = self._vault.decrypt(index, ciphertext)
            except LedgerError as error:
                self._find("vault_row", index, error.message)
                continue
            if row.seed is None:
                self._without_opening.add(index)

    def _find_extra(self, table: str) -> None:
        """Name the rows that no vault row explains."""
        for row in Rows(self._reader, table, self._notes):
            index = row[-1]
            ciphertext = self._reader.vault(index)
            try:
                kept = None if ciphertext is None else self._vault.decrypt(index, ciphertext)
            except LedgerError:
                kept = None
            explained = kept is not None and row[0] in (kept.key, kept.order)
            if not explained:
                place = f"{table} {words(row[:1])}"
                self._notes.find(table, place, index, "a row that no entry explains")
