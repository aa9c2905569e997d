"""The sealed side of the audit: openings against commitments, keys and order numbers.

The two tables that the entries alone do not give, idempotency keys and order numbers,
are rebuilt from the vault's rows and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from ledger.entry import Entry, open_sealed
from ledger.errors import LedgerError
from ledger.store import Reader
from ledger.vault import Vault

SLICE = 500
"""Entries whose rows are looked up together."""

Find = Callable[[str, str, int | None, str], None]


class SealedRows:
    """Takes the entries one by one, and checks what the vault has for them."""

    def __init__(self, reader: Reader, vault: Vault, find: Find) -> None:
        self._reader = reader
        self._vault = vault
        self._find = find
        self._keys: dict[str, tuple[bytes, int]] = {}
        self._orders: dict[bytes, int] = {}
        self._rows = reader.scan("vault")
        self._row = next(self._rows, None)
        self.without_opening: set[int] = set()
        """Entries whose openings are gone; each must have been erased by an entry."""
        self.checked = {"vault": 0, "idempotency": 0, "order_number": 0}

    def take(self, entry: Entry) -> None:
        """Check one entry's vault row; entries come in rising order."""
        index = entry.index
        while self._row is not None and self._row[0] < index:
            self._unexplained(self._row[0])
        if self._row is None or self._row[0] != index:
            self._find("vault_missing", f"vault {index}", index, "the row is not stored")
            return
        try:
            row = self._vault.decrypt(index, self._row[1])
        except LedgerError as error:
            self._find("vault_row", f"vault {index}", index, error.message)
            self._advance()
            return
        self._advance()
        self.checked["vault"] += 1
        if row.seed is not None:
            try:
                open_sealed(entry.sealed, row.seed, row.values or {})
            except LedgerError as error:
                self._find("commitment", f"vault {index}", index, error.message)
        elif entry.sealed:
            self.without_opening.add(index)
        self._keys[row.key] = (row.request, index)
        if row.order is not None:
            self._orders[row.order] = index
        if len(self._keys) >= SLICE:
            self._compare()

    def _advance(self) -> None:
        self._row = next(self._rows, None)

    def _unexplained(self, index: int) -> None:
        self._find("vault_extra", f"vault {index}", index, "a vault row that no entry has")
        self._advance()

    def _compare(self) -> None:
        stored = self._reader.idempotency(self._keys)
        for key, wanted in self._keys.items():
            if stored.get(key) != wanted:
                index = wanted[1]
                self._find(
                    "idempotency", f"idempotency {key}", index, "the row is missing or differs"
                )
        orders = self._reader.order_numbers(self._orders)
        for digest, index in self._orders.items():
            if orders.get(digest) != index:
                place = f"order_number {digest.hex()}"
                self._find("order_number", place, index, "the row is missing or differs")
        self.checked["idempotency"] += len(self._keys)
        self.checked["order_number"] += len(self._orders)
        self._keys, self._orders = {}, {}

    def finish(self, erased: Set[int] | None) -> None:
        """After the last entry: what is left over belongs to no entry.

        Args:
            erased: The entries whose openings the log says were erased; None where the
                rules could not be replayed to the end.
        """
        if erased is not None:
            for index in sorted(self.without_opening - erased):
                self._find(
                    "opening_missing", f"vault {index}", index, "seed and values are not stored"
                )
            for index in sorted(erased - self.without_opening):
                self._find("not_erased", f"vault {index}", index, "the log says that it was erased")
        while self._row is not None:
            self._unexplained(self._row[0])
        self._compare()
        for table in ("idempotency", "order_number"):
            stored = sum(1 for _ in self._reader.scan(table))
            if stored != self.checked[table]:
                self._find(
                    table,
                    table,
                    None,
                    f"{stored} rows are stored, the entries account for {self.checked[table]}",
                )
