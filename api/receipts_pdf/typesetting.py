"""From the papers' plain values to PDF bytes: typst, with the two fonts and nothing else.

The typesetter reads no file but its fonts, knows no font of the machine, and is given the
time that it writes into the PDF: the same papers are the same bytes, everywhere. It runs
outside of Python's lock, so that a service goes on beside it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from api.receipts_pdf.glyphs import extra_missing, font_folder
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from typst import Compiler, PDFStandard

    from api.receipts_pdf.paper import Paper

MEDIA_TYPE = "application/pdf"
PAPERS_MAX = 200
"""Receipts in one PDF, which is made as a whole: about 1.3 MB of memory for each."""

_TEMPLATE = Path(__file__).parent / "template" / "receipt.typ"
STANDARDS: list[PDFStandard] = ["a-3a", "ua-1"]
"""PDF/A-3 carries the proof file for decades; level a and PDF/UA-1 can be read aloud."""


def typeset(papers: Sequence[Paper]) -> bytes:
    """One PDF with these papers, each beginning on a page of its own.

    Args:
        papers: At least one, at most `PAPERS_MAX`. The PDF is dated by the first.

    Raises:
        LedgerError: ``receipts_extra_missing``; ``receipt_not_set`` where the typesetter
            refuses: a fault of ours, for what it cannot set is marked before (`glyphs`).
    """
    assert 0 < len(papers) <= PAPERS_MAX
    values = json.dumps([one.as_json() for one in papers], ensure_ascii=False)
    typesetter = _typesetter()
    from typst import TypstError

    try:
        return typesetter.compile(values, papers[0].made_at)
    except TypstError:
        # Its message may quote what is on the paper, so the log and the answer get none of it.
        raise LedgerError(
            f"the receipt of entry {papers[0].index} could not be set as a PDF; take the proof "
            "file (.tlog-proof) instead, and tell the operator which entry it was",
            code="receipt_not_set",
            details={"entry": papers[0].index},
        ) from None


def prepare_typesetter() -> None:
    """Read template and fonts now, to know that they are there before an answer begins.

    Raises:
        LedgerError: ``receipts_extra_missing``.
    """
    _typesetter()


class _Typesetter:
    """A compiler that keeps its fonts; one document at a time."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._lock = threading.Lock()
        self._template = _TEMPLATE.read_bytes()

    def compile(self, values: str, timestamp: int) -> bytes:
        with self._lock:
            found = self._compiler.compile(
                input=self._template,
                format="pdf",
                sys_inputs={"papers": values},
                pdf_standards=STANDARDS,
                timestamp=timestamp,
            )
        assert isinstance(found, bytes)
        return found


@cache
def _typesetter() -> _Typesetter:
    try:
        from typst import Compiler, Fonts
    except ImportError:
        raise extra_missing() from None
    fonts = Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[font_folder()]
    )
    return _Typesetter(Compiler(font_paths=fonts, ignore_system_fonts=True))
