"""A sample for its page: the very draw of ``shanji sample``, within what a page may cost.

Without a filter the indices are drawn by their keys alone and only the drawn entries are
read; with one, every entry is. Beyond the limits the page gives the command instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.dependencies import CODE_PATTERN
from api.pages.format import parse_number
from ledger.audit.sample import SEED_CHARS_MAX, Sample, Wanted, draw, draw_unfiltered
from ledger.errors import LedgerError
from ledger.records.catalog import KIND_BY_NAME
from ledger.store import Reader
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import split_note

COUNT_DEFAULT = 25
COUNT_MAX = 500
"""Entries of a sample that is drawn here; `shanji sample` draws more."""
ENTRIES_MAX = 200_000
"""Entries of a log that is drawn from here without a filter: one HMAC each."""
FILTERED_MAX = 20_000
"""The same with a filter: each is read and parsed."""
READ_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sample is asked for; `size` is that of a signed checkpoint."""

    seed: str
    count: int
    size: int
    kind: str | None
    fund: str | None

    @property
    def wanted(self) -> Wanted:
        """The filter."""
        return Wanted(self.kind, self.fund)

    @property
    def entries_max(self) -> int:
        """The largest log that this is drawn from here."""
        return ENTRIES_MAX if self.wanted == Wanted() else FILTERED_MAX


def read_asked(reader: Reader, typed: Mapping[str, str], size: int) -> tuple[Asked, list[str]]:
    """What was typed into the form, the default where it is wrong; and which fields are wrong."""
    seed, kind, fund = typed["seed"], typed["kind"], typed["fund"].strip()
    count = parse_number(typed["n"]) if typed["n"].strip() else COUNT_DEFAULT
    wrong: dict[str, bool] = {
        "seed": len(seed) > SEED_CHARS_MAX,
        "n": count is None or not 1 <= count <= COUNT_MAX,
        "kind": bool(kind) and kind not in KIND_BY_NAME,
        "fund": bool(fund)
        and (not re.fullmatch(CODE_PATTERN, fund) or reader.object(f"fund/{fund}") is None),
    }
    asked = Asked(
        "" if wrong["seed"] else seed,
        COUNT_DEFAULT if count is None or wrong["n"] else count,
        size,
        None if wrong["kind"] or not kind else kind,
        None if wrong["fund"] or not fund else fund,
    )
    return asked, [name for name, is_so in wrong.items() if is_so]


def draw_here(reader: Reader, asked: Asked) -> Sample:
    """Draw the sample.

    Raises:
        NotFoundError: no checkpoint of that size.
        LedgerError: ``sample_too_large``: the log is too large for a page.
        MalformedError: the seed or the count is out of range.
    """
    if asked.size > asked.entries_max:
        raise LedgerError(
            f"a page draws from at most {asked.entries_max} entries, this log has {asked.size}; "
            "run shanji sample",
            code="sample_too_large",
        )
    checkpoint = parse_checkpoint(split_note(reader.checkpoint(asked.size))[0])
    if asked.wanted == Wanted():
        return draw_unfiltered(reader.chosen_entries, checkpoint, asked.seed, asked.count)
    return draw(
        lambda: _entries(reader, asked.size),
        checkpoint,
        seed=asked.seed,
        count=asked.count,
        wanted=asked.wanted,
    )


def _entries(reader: Reader, size: int) -> Iterator[tuple[bytes, bytes]]:
    for first in range(0, size, READ_TOGETHER):
        for data in reader.entries(first, min(first + READ_TOGETHER, size)):
            yield data, leaf_hash(data)
