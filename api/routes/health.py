"""Whether the service lives, whether it is ready, and how it does."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from datetime import UTC, datetime

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from api.answers import Answer, Json
from api.dependencies import BookOf, get_counters
from api.imports.worker import Worker
from api.metrics import MEDIA_TYPE, Labels, Metric, format_metrics, one
from ledger.book import Book
from ledger.errors import NotReadyError
from ledger.feed import Feed
from ledger.inspection import Inspector
from ledger.store import Head

router = APIRouter(tags=["health"])

READY_SECONDS_MAX = 5.0
"""So long the database may take to say that it is there."""
LOOKERS_MAX = 2
"""Threads that ask it: theirs alone, for all others may be waiting for it."""
DISK_FREE_BYTES_MIN = 64 * 1024 * 1024
"""With less free space than this, the service is not ready to record."""


class Alive(Answer):
    """The process answers."""

    status: str


class Ready(Answer):
    """Records are taken; the log has this size."""

    status: str
    size: int


@router.get("/livez", response_model=Alive, summary="Is the process alive")
async def read_live() -> Response:
    """Answers as long as the process does."""
    return Json({"status": "ok"})


@router.get("/readyz", response_model=Ready, summary="Is the service ready")
async def read_ready(request: Request, book: BookOf) -> Response:
    """200 where records are taken: the log is readable and can be written; else 503."""
    # Asks no database: where that hangs, this is what can be said at once.
    book.sequencer.ready()
    lookers: CapacityLimiter = request.app.state.lookers
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            size = await to_thread.run_sync(_look, book, limiter=lookers, abandon_on_cancel=True)
    except TimeoutError:
        raise NotReadyError(
            f"the database gave no answer within {READY_SECONDS_MAX:.0f} s; it is slow or cut "
            "off: look at its server",
            code="database_slow",
        ) from None
    return Json({"status": "ok", "size": size})


def _look(book: Book) -> int:
    """The log's size, if it can be read and written."""
    size = book.head().size
    book.held.require_free()
    _check_writable(book)
    return size


def _check_writable(book: Book) -> None:
    """Ask the system, not the database: its lock belongs to the writer.

    Raises:
        NotReadyError: the files may not be written, or the disk is full.
    """
    if not os.access(book.folder, os.W_OK):
        raise NotReadyError("the data folder cannot be written; give the service that right")
    book.store.check_writable()
    free = shutil.disk_usage(book.folder).free
    if free < DISK_FREE_BYTES_MIN:
        raise NotReadyError(
            f"the disk has {free} bytes left, at least {DISK_FREE_BYTES_MIN} are needed; "
            "make room there"
        )


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Read the counters, for Prometheus",
)
def read_metrics(request: Request, book: BookOf) -> Response:
    """Counters of this process and the log's state, in Prometheus' text form."""
    counters = get_counters(request)
    requests: dict[Labels, int] = {
        (("method", method), ("status", str(status))): count
        for (method, status), count in counters.requests.copy().items()
    }
    lines: dict[Labels, int] = {
        (("outcome", name),): count for name, count in counters.bulk_lines.copy().items()
    }
    imports: Worker = request.app.state.imports
    rows: dict[Labels, int] = {
        (("outcome", name),): count for name, count in imports.rows().items()
    }
    metrics = [
        Metric(
            "shanji_process",
            "gauge",
            "The process whose counters these are, of several that serve one port.",
            {(("pid", str(os.getpid())),): 1},
        ),
        Metric("shanji_requests_total", "counter", "Requests answered.", requests),
        Metric("shanji_bulk_lines_total", "counter", "Lines of bulk requests.", lines),
        Metric("shanji_import_rows_total", "counter", "Rows of imported lists.", rows),
        *_sequencer_metrics(book),
        *_log_metrics(book.head()),
        *_witness_metrics(request.app.state.feed),
        *_inspection_metrics(request.app.state.inspector),
    ]
    return Response(format_metrics(metrics), media_type=MEDIA_TYPE)


def _sequencer_metrics(book: Book) -> list[Metric]:
    stats = book.writer_stats()
    if not stats:
        # A halted log has no write path: there is nothing to count.
        return []
    return [
        one("shanji_batches_total", "counter", "Batches committed.", stats["batches"]),
        one("shanji_entries_total", "counter", "Entries recorded.", stats["entries"]),
        one("shanji_replayed_total", "counter", "Records repeated.", stats["replayed"]),
        one("shanji_rejected_total", "counter", "Records rejected by a rule.", stats["rejected"]),
        one("shanji_failed_total", "counter", "Records of failed batches.", stats["failed"]),
        one("shanji_batch_size", "gauge", "Entries of the last batch.", stats["batch_size_last"]),
        one("shanji_commit_seconds", "gauge", "The last commit.", stats["commit_seconds_last"]),
        one("shanji_queue_length", "gauge", "Records that wait.", stats["queue_length"]),
        one("shanji_queue_max", "gauge", "Records that may wait.", stats["queue_max"]),
    ]


def _witness_metrics(feed: Feed) -> list[Metric]:
    now, standings = time.time(), feed.standings()
    ages: dict[Labels, float] = {
        (("witness", one.name),): max(0.0, now - one.last_time)
        for one in standings
        if one.last_time is not None
    }
    sizes: dict[Labels, int] = {
        (("witness", one.name),): one.last_size for one in standings if one.last_size is not None
    }
    troubles: dict[Labels, int] = {
        (("witness", one.name),): int(one.trouble is not None) for one in standings
    }
    return [
        Metric("shanji_witness_age_seconds", "gauge", "Since it last cosigned.", ages),
        Metric("shanji_witness_size", "gauge", "The last size that it cosigned.", sizes),
        Metric("shanji_witness_trouble", "gauge", "Whether it is in trouble.", troubles),
    ]


def _inspection_metrics(inspector: Inspector) -> list[Metric]:
    now, found = time.time(), inspector.standing()
    ages: dict[Labels, float] = {
        (("part", part),): max(0.0, now - ended)
        for part, ended in (("rows", found.round_ended), ("audit", found.audit_ended))
        if ended is not None
    }
    return [
        one("shanji_inspected_rows_total", "counter", "Stored rows compared.", found.rows),
        one("shanji_inspection_rounds_total", "counter", "Rounds over all rows.", found.rounds),
        one("shanji_inspection_audits_total", "counter", "Whole audits.", found.audits),
        one("shanji_damage_found", "gauge", "Things found damaged.", len(found.findings)),
        Metric("shanji_inspection_age_seconds", "gauge", "Since one last ended.", ages),
    ]


def _log_metrics(head: Head) -> list[Metric]:
    age = datetime.now(UTC) - datetime.fromisoformat(head.last_recorded_at)
    seconds = max(0.0, age.total_seconds())
    return [
        one("shanji_log_size", "gauge", "Entries in the log.", head.size),
        one("shanji_checkpoint_age_seconds", "gauge", "Age of the checkpoint.", seconds),
    ]
