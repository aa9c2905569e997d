"""Where units went and whose units these are, read from the store.

The walk itself is in ``flows``; this module gives it the database to walk over, by
range overlaps on two indexes and never by a scan of the log, and makes the proof of
an answer: every entry that the walk met, each with its inclusion proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from ledger.entry import parse_entry
from ledger.errors import LedgerError, NotFoundError
from ledger.flows import Flow, Moves, Walk
from ledger.store import Reader
from ledger.tlog.tiles import TileReader
from ledger.verify import TRACE_ENTRIES_MAX, Direction, build_trace, moves_of, walk

TOO_LARGE = "trace_too_large"


class StoreFlows:
    """A `flows.FlowSource` over one snapshot of the store.

    Flows are given as the entries' postings cut them, without the label borders that
    the stored rows have, so that a walk over the store and one over a proof's entries
    meet the very same flows.

    Args:
        reader: The snapshot.
        entries_max: How many entries may be met; a walk that meets more stops with a
            `LedgerError` (``trace_too_large``). None: as many as there are.
    """

    def __init__(self, reader: Reader, *, entries_max: int | None = None) -> None:
        self._reader = reader
        self._entries_max = entries_max
        self._moves: dict[int, Moves] = {}
        self.data: dict[int, bytes] = {}

    def arrivals(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        rows = self._reader.arrivals(asset, account, first, end)
        return self._whole(rows, lambda flow: flow.target_first)

    def departures(self, asset: str, account: str, first: int, end: int) -> list[Flow]:
        rows = self._reader.departures(asset, account, first, end)
        return self._whole(rows, lambda flow: flow.source_first)

    def _whole(self, rows: Sequence[Flow], side: Callable[[Flow], int | None]) -> list[Flow]:
        """The entries' own flows that hold these rows, each once, in the same order."""
        found: dict[tuple[int, int, int], Flow] = {}
        for row in rows:
            number = side(row) or 0
            for flow in self.moves(row.entry).posting(row.posting):
                first = side(flow)
                if first is not None and first <= number < first + flow.length:
                    found[flow.entry, flow.posting, flow.part] = flow
        return list(found.values())

    def moves(self, entry: int) -> Moves:
        if entry not in self._moves:
            if self._entries_max is not None and len(self.data) >= self._entries_max:
                raise LedgerError(
                    f"the walk meets more than {self._entries_max} entries", code=TOO_LARGE
                )
            data = self._reader.entry(entry)
            self.data[entry] = data
            self._moves[entry] = moves_of(parse_entry(data))
        return self._moves[entry]

    def reversed_by(self, entry: int) -> int | None:
        data = self._reader.object(f"reversed/{entry}")
        return None if data is None else int(orjson.loads(data)["entry"])


def trace(reader: Reader, entry: int, direction: Direction) -> tuple[Walk, ...]:
    """Trace an entry's units as of the reader's snapshot.

    Raises:
        NotFoundError: the log has no such entry.
        LedgerError: the walk meets too many flows (``trace_too_large``).
    """
    return walk(StoreFlows(reader), entry, direction)


def trace_proof(reader: Reader, entry: int, direction: Direction) -> bytes:
    """A file that `verify.verify_trace` checks offline, under the newest checkpoint.

    Raises:
        NotFoundError, LedgerError: as in `trace`.
    """
    head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    source = StoreFlows(reader)
    walks = walk(source, entry, direction)
    if len(source.data) > TRACE_ENTRIES_MAX:
        raise LedgerError(
            f"the trace rests on {len(source.data)} entries, a proof holds at most "
            f"{TRACE_ENTRIES_MAX}; trace an entry that moved less",
            code=TOO_LARGE,
        )
    tree = TileReader(head.size, reader.tile)
    entries = [(index, data, tree.inclusion(index)) for index, data in source.data.items()]
    return build_trace(
        entry=entry,
        direction=direction,
        checkpoint=reader.cosigned_checkpoint(head.size),
        entries=entries,
        walks=walks,
    )
