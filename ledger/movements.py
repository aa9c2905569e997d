"""Running sums: what each account had received and given away after each entry that moved it.

A movement is one entry in one account. Its row says how many movements there were up to it,
and what came in and went out by all of them: once of the whole account in the order of the
log, once of those that *occurred* on the same day. Entries only come after each other, so
neither sum ever changes again, also where something is recorded late: a later entry goes to
the end of its day. The account before any entry, or on any day as of any size, is one row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ledger.frozen import frozen

CACHED_DAYS_MAX = 100_000
"""Days of accounts whose sums are kept in memory; over it they are read again."""


class Sums(NamedTuple):
    """How many movements, and the units that they brought in and took out."""

    number: int = 0
    received: int = 0
    gone: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*(one + two for one, two in zip(self, other, strict=True)))

    def less(self, other: Sums) -> Sums:
        """This one without a part of it."""
        return Sums(*(one - two for one, two in zip(self, other, strict=True)))

    @property
    def held(self) -> int:
        """What is there after them, if nothing was before."""
        return self.received - self.gone


NOTHING = Sums()


@frozen
class MovementRow:
    """One entry in one account: the account's sums up to it, and those of its day.

    The day's are of the account's movements that occurred on `occurred_on`, up to this one.
    """

    account: int
    entry: int
    occurred_on: str
    number: int
    received: int
    gone: int
    day_number: int
    day_received: int
    day_gone: int

    @property
    def sums(self) -> Sums:
        """The account's, in the order of the log."""
        return Sums(self.number, self.received, self.gone)

    @property
    def day_sums(self) -> Sums:
        """Its day's, in the order of the log."""
        return Sums(self.day_number, self.day_received, self.day_gone)


Row = tuple[int, int, str, int, int, int, int, int, int]
"""A `MovementRow` as its table has it."""


class MovementReader(Protocol):
    """Where the newest movements are read from."""

    def newest_movements(self, days: Collection[tuple[int, str]]) -> Sequence[MovementRow]:
        """Of each of these accounts (their ids) its newest movement, and that of the day."""
        ...


class Movements:
    """Takes up what entries move, and makes the rows; it keeps the newest sums it has met.

    Attributes:
        lately: The days of accounts that the last rows were of.
    """

    def __init__(self) -> None:
        self.lately: Sequence[tuple[int, str]] = ()
        self._moved: dict[tuple[int, int], list[int]] = {}
        self._accounts: dict[int, Sums] = {}
        self._days: dict[tuple[int, str], Sums] = {}

    def take(self, account: int, entry: int, incoming: int, outgoing: int) -> None:
        """Units that an entry brings into an account (its id), and takes out."""
        found = self._moved.get((account, entry))
        if found is None:
            self._moved[account, entry] = [incoming, outgoing]
        else:
            found[0] += incoming
            found[1] += outgoing

    def drain(self, reader: MovementReader, days: Mapping[int, str]) -> list[Row]:
        """The rows of what was taken up since the last call, in the order of their key.

        Args:
            reader: The rows that are there.
            days: On which day each entry occurred.
        """
        moved = sorted(self._moved.items())
        self._moved = {}
        self._read(reader, {(account, days[entry]) for (account, entry), _ in moved})
        rows: list[Row] = []
        for (account, entry), (incoming, outgoing) in moved:
            day = days[entry]
            number, received, gone = self._accounts[account]
            all_of_it = Sums(number + 1, received + incoming, gone + outgoing)
            number, received, gone = self._days[account, day]
            of_the_day = Sums(number + 1, received + incoming, gone + outgoing)
            self._accounts[account], self._days[account, day] = all_of_it, of_the_day
            rows.append((account, entry, day, *all_of_it, *of_the_day))
        return rows

    def _read(self, reader: MovementReader, wanted: set[tuple[int, str]]) -> None:
        """Get to know the sums of these days of accounts."""
        if len(self._days) > CACHED_DAYS_MAX:
            self._accounts, self._days = {}, {}
        if wanted:
            self.lately = sorted(wanted)
        unknown = sorted(wanted - self._days.keys())
        if unknown:
            self.preload(unknown, reader.newest_movements(unknown))

    def preload(self, unknown: Sequence[tuple[int, str]], rows: Iterable[MovementRow]) -> None:
        """Take the newest movements of days of accounts that are not known; none, where none is."""
        if not self.lately:
            self.lately = unknown
        known = self._accounts.keys() & {account for account, _ in unknown}
        for row in sorted(rows, key=lambda one: one.entry):
            if row.account not in known:
                self._accounts[row.account] = row.sums
            self._days[row.account, row.occurred_on] = row.day_sums
        for account, day in unknown:
            self._accounts.setdefault(account, NOTHING)
            self._days.setdefault((account, day), NOTHING)
