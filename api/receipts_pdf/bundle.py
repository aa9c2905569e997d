"""Many receipts at once: a ZIP that is made while it is sent, or one PDF to print.

The ZIP holds for each entry the PDF and its proof file. It is written piece by piece, so
that a thousand receipts take no more memory than one. Its members are dated by their
entries, so the same receipts are the same ZIP. One PDF is made as a whole and therefore
holds fewer (`typesetting.PAPERS_MAX`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from api.receipts_pdf.paper import Paper
from api.receipts_pdf.typesetting import typeset
from ledger.errors import MalformedError

ZIP_MEDIA_TYPE = "application/zip"

_SPAN = re.compile(r"#?(0|[1-9][0-9]{0,15})(?:-#?(0|[1-9][0-9]{0,15}))?")
_DOS_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)
"""A ZIP can name no earlier time."""


def parse_spans(texts: Iterable[str], entries_max: int) -> list[int]:
    """Indices from texts like ``12`` and ``20-40``, each once, in the order given.

    Raises:
        MalformedError: another form, a range that ends before it begins, or more entries
            than `entries_max` (``too_many_receipts``).
    """
    found: dict[int, None] = {}
    for text in texts:
        match = _SPAN.fullmatch(text.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else -1
        if last < first:
            raise MalformedError(
                f"expected an entry's index like 12, or a range like 20-40, got {text[:40]!r}",
                code="invalid_span",
                field="entries",
            )
        if last - first < entries_max:
            found |= dict.fromkeys(range(first, last + 1))
        if last - first >= entries_max or len(found) > entries_max:
            raise MalformedError(
                f"expected at most {entries_max} receipts at once; ask for them in several parts",
                code="too_many_receipts",
                field="entries",
                details={"entries_max": entries_max},
            )
    if not found:
        raise MalformedError(
            "expected at least one entry, like 12, or a range like 20-40",
            code="invalid_span",
            field="entries",
        )
    return list(found)


class ZipPieces:
    """A ZIP archive that is handed on in pieces and never held as a whole."""

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self._zip = ZipFile(cast(IO[bytes], self._outlet), "w")

    def add(self, paper: Paper) -> bytes:
        """Make a receipt's PDF, put it in with the proof file; the archive's next bytes.

        Raises:
            LedgerError: as `typesetting.typeset`.
        """
        pdf = typeset([paper])
        moment = max(datetime.fromtimestamp(paper.made_at, UTC), _DOS_EPOCH)
        for name, data, method in (
            (f"{paper.index}.pdf", pdf, ZIP_STORED),
            (paper.file, paper.receipt.encode(), ZIP_DEFLATED),
        ):
            member = ZipInfo(name, moment.timetuple()[:6])
            member.compress_type = method
            self._zip.writestr(member, data)
        return self._outlet.take()

    def end(self) -> bytes:
        """The archive's directory, its last bytes."""
        self._zip.close()
        return self._outlet.take()


class _Outlet:
    """A file that cannot seek, for `ZipFile` to write to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


def zip_pieces(papers: Iterable[Paper]) -> Iterator[bytes]:
    """The pieces of a ZIP of these receipts, each made when it is asked for."""
    archive = ZipPieces()
    for paper in papers:
        yield archive.add(paper)
    yield archive.end()


def bundle_name(indices: Sequence[int], suffix: str) -> str:
    """A file's name for these entries: ``receipts-12-40.zip``."""
    low, high = min(indices), max(indices)
    return f"receipts-{low}{suffix}" if low == high else f"receipts-{low}-{high}{suffix}"
