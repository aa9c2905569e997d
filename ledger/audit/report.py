"""What an audit found, as values."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.errors import LedgerError, RetryableError

if TYPE_CHECKING:
    # Public data is audited without loading the database's packages.
    from ledger.store import Reader

FORMAT = "shanji-audit/v1"
"""Of the report's JSON (docs/formats.md)."""
FINDINGS_MAX = 1000
"""An audit that finds more stops listing them and says so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        code: What kind of thing, stable, for programs.
        place: The table (or part of the log) and row, in words.
        index: The entry that it is about, if it is about one.
        message: What was expected and what was found.
        evidence: Signed notes that contradict each other, to be kept and shown.
    """

    code: str
    place: str
    index: int | None
    message: str
    evidence: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Speed:
    """What an audit cost. No figure stands alone: machines are shared.

    Attributes:
        jobs: Processes for the hashing part.
        entries: How many were read.
        milliseconds, entries_per_second: By the clock on the wall.
        cpu_milliseconds: Of all processes on this machine.
        entry_bytes: The bytes of the entries that were read.
        sha256_milliseconds: What one core needs for plain SHA-256 of the same bytes, entry by
            entry; measured in the same run on one chunk in eight.
        wall_ratio_ppm, cpu_ratio_ppm: That over `milliseconds` and `cpu_milliseconds`, in
            millionths.
        peak_memory_bytes: The most memory of each process, added up.
    """

    jobs: int
    entries: int
    milliseconds: int
    entries_per_second: int
    cpu_milliseconds: int
    entry_bytes: int
    sha256_milliseconds: int
    wall_ratio_ppm: int
    cpu_ratio_ppm: int
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an audit.

    Attributes:
        origin, size, root: The log, how many entries were replayed, and the root (hex)
            computed from them.
        over: ``database`` (every table was compared) or ``public`` (what anyone can read).
        checkpoint: The newest signed checkpoint, as text.
        findings: What is wrong; empty when all adds up.
        truncated: True where more was found than is listed.
        checked: How many of each thing were compared.
        not_checked: What could not be checked, and why.
        relies_on: The earlier audit that this one began from: size, root, checkpoint and
            when it finished; None where everything was read.
        kinds: How many entries of each kind the log has.
        sums: By fund, item, points rule, and minutes (``tally``).
        second_opinion: The root computed by merkletools, or None.
        started_at, finished_at: In UTC.
        speed: What it cost.
        versions: Of the programs that took part.
        machine: System, architecture, cores.
        witnesses: Each witness with its last size and time, and whether it is trusted.
    """

    origin: str
    over: str
    size: int
    root: str
    checkpoint: str
    findings: Sequence[Finding]
    truncated: bool
    checked: Mapping[str, int]
    not_checked: Sequence[str]
    relies_on: Mapping[str, Any] | None
    kinds: Mapping[str, int]
    sums: Mapping[str, Any]
    second_opinion: str | None
    started_at: str
    finished_at: str
    speed: Speed
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    witnesses: Sequence[Mapping[str, object]] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Plain values in the restricted canonical form: no null, no fraction.

        What is None is absent; what has names of the log's own is a list.
        """
        value: dict[str, Any] = {
            "format": FORMAT,
            "clean": self.clean,
            **{key: one for key, one in asdict(self).items() if one is not None},
            "kinds": [{"kind": key, "entries": count} for key, count in self.kinds.items()],
            "sums": {
                name: [{"name": key, **row} for key, row in rows.items()]
                for name, rows in self.sums.items()
            },
            "findings": [
                {key: _text(one) for key, one in asdict(finding).items() if one is not None}
                for finding in self.findings
            ],
            "not_checked": [_text(one) for one in self.not_checked],
            "witnesses": [dict(one) for one in self.witnesses],
            "entries_per_second": self.speed.entries_per_second,
        }
        return value


def _text(value: Any) -> Any:
    """Texts that come from a damaged log, in NFC and without halves of surrogate pairs."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value.encode("utf-8", "replace").decode())
    if isinstance(value, (list, tuple)):
        return [_text(one) for one in value]
    return value


@dataclass(slots=True)
class Notes:
    """What the parts of an audit write down as they go."""

    findings: list[Finding] = field(default_factory=list)
    truncated: bool = False
    checked: dict[str, int] = field(default_factory=dict)
    not_checked: list[str] = field(default_factory=list)

    def find(
        self,
        code: str,
        place: str,
        index: int | None,
        message: str,
        evidence: Sequence[str] = (),
    ) -> None:
        """Note a finding."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code, place, index, message, tuple(evidence)))
        else:
            self.truncated = True

    def count(self, what: str, number: int = 1) -> None:
        """Note how many things of a kind were compared."""
        self.checked[what] = self.checked.get(what, 0) + number


class Rows:
    """A table's rows in the order of its key, the next one in view.

    A row that cannot be read is a finding, and the last one that is seen: `broken`.
    """

    def __init__(self, reader: Reader, table: str, notes: Notes, after: Sequence[Any] = ()) -> None:
        self.table = table
        self.broken = False
        self.row: tuple[Any, ...] | None = None
        self._notes = notes
        self._rows = iter(reader.scan(table, after=after))
        self.next()

    def next(self) -> None:
        """Go on to the next row; `row` is None behind the last one."""
        before = self.row
        try:
            row = next(self._rows, None)
            self.row = None if row is None else tuple(row)
        except RetryableError:
            raise
        except LedgerError as error:
            self.row, self.broken = None, True
            place = f"{self.table}, the first row"
            if before is not None:
                place = f"{self.table}, a row after {before[0]}"
            self._notes.find("row_unreadable", place, None, error.message)
            self._notes.not_checked.append(f"the rows of {place} on")

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows that are left."""
        while (row := self.row) is not None:
            self.next()
            yield row


def words(key: Sequence[Any]) -> str:
    """A row's key, in words."""
    return " ".join(one.hex() if isinstance(one, bytes) else str(one) for one in key)
