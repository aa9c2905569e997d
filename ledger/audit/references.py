"""Which entries are about which: the index of references, from the entries alone.

The rules check what an entry refers to (``rules``); here only the index that turns it
round is compared, and for an entry that breaks a rule too.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ledger.audit.report import Notes, Rows
from ledger.entry import Entry
from ledger.store import Reader


class ReferenceRows:
    """Takes the entries one by one, in order; `finish` compares the rows.

    It holds eight bytes for each reference, and not a row: a fund that every gift refers
    to has very many.
    """

    def __init__(self, reader: Reader, notes: Notes) -> None:
        self._reader = reader
        self._notes = notes
        self._sources: dict[int, array[int]] = {}
        self._complete = True

    def take(self, entry: Entry) -> None:
        """Note what an entry refers to."""
        for target in entry.references:
            self._sources.setdefault(target, array("q")).append(entry.index)

    def stop(self, index: int) -> None:
        """An entry is missing or cannot be read: what it refers to is not known."""
        if self._complete:
            self._complete = False
            why = f"entry {index} is missing or unreadable"
            self._notes.not_checked.append(f"the index of references ({why})")

    def finish(self) -> None:
        """Compare the stored rows, in their order, with what the entries say."""
        if not self._complete:
            return
        stored = Rows(self._reader, "entry_reference", self._notes)
        for expected in self._expected():
            while stored.row is not None and stored.row < expected:
                self._find(stored.row, "no entry refers so")
                stored.next()
            if stored.broken:
                return
            if stored.row == expected:
                stored.next()
                self._notes.count("entry_reference")
            else:
                self._find(expected, "the row is missing")
        for row in stored:
            self._find(row, "no entry refers so")

    def _expected(self) -> Iterator[tuple[int, int]]:
        return (
            (target, source) for target in sorted(self._sources) for source in self._sources[target]
        )

    def _find(self, row: tuple[int, ...], message: str) -> None:
        target, source = row
        place = f"entry_reference {target} {source}"
        self._notes.find("reference_row", place, source, message)
