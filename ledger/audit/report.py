"""What an audit found, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
    """

    code: str
    place: str
    index: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an audit.

    Attributes:
        origin, size, root: The log, how many entries were replayed, and the root (hex)
            computed from them.
        findings: What is wrong; empty when all adds up.
        truncated: True where more was found than is listed.
        checked: How many of each thing were compared.
        not_checked: What could not be checked, and why.
        second_opinion: The root computed by merkletools, or None.
        seconds, entries_per_second: How long it took.
        versions: Of the programs that took part.
    """

    origin: str
    size: int
    root: str
    findings: Sequence[Finding]
    truncated: bool
    checked: Mapping[str, int]
    not_checked: Sequence[str]
    second_opinion: str | None
    seconds: float
    entries_per_second: int
    versions: Mapping[str, str]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return {"clean": self.clean, **asdict(self)}
