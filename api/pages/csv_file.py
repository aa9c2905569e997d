"""A list as a CSV file that a spreadsheet opens safely; it is never cut in silence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

from api.answers import attachment
from ledger.audit.export.writing import BOM, safe_text

ROWS_MAX = 1_000
"""Rows of one file; a longer list leads on to the next file."""


def csv_answer(
    name: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str | int]],
    *,
    more: str = "",
    next_path: str | None = None,
) -> Response:
    """A file of rows: UTF-8 with a BOM, CRLF, no cell that a spreadsheet takes for a formula.

    Args:
        name: What the file is called.
        heads: The columns' names.
        rows: Texts and whole numbers, at most `ROWS_MAX` rows.
        more: A last line that says what the file leaves out; empty where it has all.
        next_path: Where the rows after these are.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([one if isinstance(one, int) else safe_text(one) for one in row])
    if more:
        writer.writerow([safe_text(more)])
    headers = attachment(name)
    if next_path is not None:
        headers["link"] = f'<{next_path}>; rel="next"'
    data = BOM + text.getvalue().encode()
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)
