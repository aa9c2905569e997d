"""Everything to take away: an export on demand, within limits, and evidence as one file.

Never a part: a log that is too large for one answer is not cut, the page has the command
that exports it. One export runs at a time.
"""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from api.answers import PRIVATE, attachment
from ledger.audit.export.exporting import export
from ledger.errors import LedgerError, NotReadyError
from ledger.sequencer import utc_now
from ledger.store import Store

EXPORT_ENTRIES_MAX = 20_000
"""Entries of a log that is exported in one answer, in a few seconds."""
ZIP = "application/zip"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of files in an archive, so that the same files give the same bytes."""

_running = threading.Lock()


def export_answer(store: Store, size: int) -> FileResponse:
    """The whole log as tables (CSV) with their manifest, in one archive.

    Raises:
        LedgerError: ``export_too_large``: nothing was made.
        NotReadyError: ``export_running``: another one is being made.
    """
    if size > EXPORT_ENTRIES_MAX:
        raise LedgerError(
            f"a log of at most {EXPORT_ENTRIES_MAX} entries is exported in one answer, this one "
            f"has {size}; run shanji export on the federation's machine, or shanji mirror on yours",
            code="export_too_large",
        )
    if not _running.acquire(blocking=False):
        raise NotReadyError(
            "another export is being made; ask again in a minute", code="export_running"
        )
    try:
        folder = tempfile.TemporaryDirectory(prefix="shanji-export-")
        try:
            made = Path(folder.name)
            manifest = export(store, made / "export", formats=["csv"], now=utc_now())
            archive = made / "export.zip"
            _zip_folder(made / "export", archive)
        except BaseException:
            folder.cleanup()
            raise
    finally:
        _running.release()
    return FileResponse(
        archive,
        media_type=ZIP,
        headers={**attachment(f"shanji-export-{manifest['size']}.zip"), "cache-control": PRIVATE},
        background=BackgroundTask(folder.cleanup),
    )


def zip_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Small files as one archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)
    return held.getvalue()


def _zip_folder(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, Path("export") / path.relative_to(folder))
