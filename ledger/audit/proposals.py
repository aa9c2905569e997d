"""The audit of the proposals: every row opens, none is missing, approvals are in the log.

Proposals are no part of the log, so the entries do not give them. What holds them
together are their numbers without gaps, the row that counts them, the rows of their
idempotency keys, and the keys under which the approved ones were recorded.
"""

from __future__ import annotations

from typing import Any

from ledger.audit.report import Notes, Rows
from ledger.errors import LedgerError
from ledger.proposals import (
    COUNT_ROW,
    KEY_ROWS,
    RECORDED_KEYS,
    Proposal,
    is_number_row,
    number_of_key,
    number_row,
    read_proposal,
    read_row,
    recorded_key,
)
from ledger.store import Reader
from ledger.vault import Vault

MISSING_NAMED_MAX = 100
"""Missing proposals of one gap that get a finding each; the rest of the gap gets one."""


class ProposalRows:
    """Checks the whole table at the end of an audit."""

    def __init__(self, reader: Reader, vault: Vault, notes: Notes) -> None:
        self._reader = reader
        self._vault = vault
        self._notes = notes
        self._count: int | None = None
        self._next = 1
        self._keys: dict[str, int] = {}
        """Rows of keys that were read and not yet asked for by a proposal, and reversed."""
        self._wanted: dict[str, int] = {}

    def check(self) -> None:
        """Read every row, then compare what the rows say of each other."""
        rows = Rows(self._reader, "proposal", self._notes)
        for row, ciphertext in rows:
            self._notes.count("proposal")
            try:
                self._take(row, ciphertext)
            except LedgerError as error:
                self._find(row, error.message)
        if rows.broken:
            return
        self._miss_until((self._count or 0) + 1)
        if self._count is None and (self._next > 1 or self._keys):
            self._find(COUNT_ROW, "the row is missing")
        elif self._count is not None and self._next > self._count + 1:
            self._find(COUNT_ROW, f"it counts {self._count}, the last is {self._next - 1}")
        for row, number in self._wanted.items():
            if self._keys.pop(row, None) != number:
                self._find(row, f"the row that leads to proposal {number} is missing or differs")
        for row in self._keys:
            self._find(row, "the row leads to no proposal")
        self._check_recorded()

    def _take(self, row: str, ciphertext: bytes) -> None:
        if is_number_row(row):
            self._miss_until(int(row))
            self._next = max(self._next, int(row) + 1)
            proposal = read_proposal(self._vault, row, ciphertext)
            self._wanted[KEY_ROWS + proposal.key] = proposal.number
            self._check_index(row, proposal)
            return
        value: Any = read_row(self._vault, row, ciphertext)
        if row == COUNT_ROW:
            self._count = value[0]
        else:
            self._keys[row] = value

    def _miss_until(self, number: int) -> None:
        # The row that says how far it goes may itself be wrong, by any number of digits.
        named = min(number, self._next + MISSING_NAMED_MAX)
        while self._next < named:
            self._find(number_row(self._next), "the row is missing")
            self._next += 1
        if self._next < number:
            last = number_row(number - 1)
            self._find(number_row(self._next), f"this row and all to {last} are missing")
            self._next = number

    def _check_index(self, row: str, proposal: Proposal) -> None:
        """An approved proposal is the entry that was recorded under its key, and no other is."""
        key = recorded_key(self._vault, proposal.number)
        found = self._reader.idempotency([key]).get(key)
        if proposal.status == "approved":
            if found is None or found[1] != proposal.index:
                self._find(row, f"it says that entry {proposal.index} recorded it; that is not so")
        elif found is not None and proposal.status != "open":
            self._find(row, f"it says {proposal.status}, and entry {found[1]} recorded it")

    def _check_recorded(self) -> None:
        """Every entry that a proposal made has its proposal."""
        for key, _, entry in self._reader.scan("idempotency", after=(RECORDED_KEYS,)):
            if not key.startswith(RECORDED_KEYS):
                break
            number = number_of_key(self._vault, key)
            if number is not None and self._reader.proposal(number_row(number)) is None:
                self._find(number_row(number), f"the row is missing, entry {entry} came of it")

    def _find(self, row: str, message: str) -> None:
        self._notes.find("proposal", f"proposal {row}", None, message)
