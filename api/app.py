"""The service as an ASGI application: ``create_app(settings)``.

What it needs for its life is opened in the lifespan and closed after the last request:
the book (whose sequencer finishes what is queued), the tokens, the counters.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import problems
from api.auth import Tokens
from api.direct import Direct
from api.edge import Edge
from api.mailbox import Mailbox
from api.metrics import Counters
from api.openapi import build_openapi
from api.pages import routes as pages
from api.routes import (
    accounts,
    anchors,
    attention,
    bulk,
    corrections,
    entries,
    health,
    keys,
    log,
    proofs,
    proposals,
    receipts,
    registers,
    reports,
    statistics,
    tiles,
    trace,
    witnesses,
)
from api.settings import Settings
from api.witnessed import open_feed
from ledger.book import Book
from ledger.errors import NotReadyError
from ledger.feed import Feed
from ledger.statistics import Latest

ROUTERS = (
    bulk.router,
    entries.router,
    proposals.router,
    receipts.router,
    corrections.router,
    trace.router,
    proofs.router,
    log.router,
    keys.router,
    registers.router,
    reports.router,
    statistics.router,
    accounts.router,
    attention.router,
    anchors.router,
    tiles.router,
    witnesses.router,
    health.router,
    pages.router,
)

GARBAGE_EVERY = 20_000
"""Objects more than were freed, before the collector looks for cycles: a batch of records in
the writer's hands is some thousands, and none of them is garbage."""

logger = logging.getLogger(__name__)

_DESCRIPTION = (
    "A donation traceability ledger. Every answer to a record carries its finished receipt, "
    "which anyone can verify offline; the log is served as C2SP tlog-tiles. Amounts are "
    "integers (fen, base units, points). Errors are problems (RFC 9457)."
)


class Service(FastAPI):
    """FastAPI with our OpenAPI document."""

    def openapi(self) -> dict[str, object]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = build_openapi(self)
        return self.openapi_schema


def create_app(settings: Settings) -> FastAPI:
    """The service over the log in ``settings.data``, which must have been created.

    Its start fails with a `LedgerError` where there is no log, or one that does not fit
    its keys.
    """
    counters = Counters()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feed: Feed | None = None
        gc_before = gc.get_threshold()
        book = await run_in_threadpool(
            Book.open, settings.data, access=settings.key_access, queue_max=settings.queue_max
        )
        try:
            _look_at_writer(book)
            # A log that a witness contradicts is served from here on, and takes nothing.
            feed = await run_in_threadpool(open_feed, book, settings)
            app.state.feed = feed
            app.state.book = book
            app.state.mailbox = Mailbox(asyncio.get_running_loop())
            app.state.tokens = Tokens(settings.data)
            app.state.statistics = Latest()
            app.state.trace_limiter = trace.trace_limiter()
            # What is there now stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_EVERY, *gc_before[1:])
            yield
        finally:
            gc.set_threshold(*gc_before)
            gc.unfreeze()
            if feed is not None:
                await run_in_threadpool(feed.close)
            await run_in_threadpool(book.close)

    app = Service(
        title="Shanji 善迹",
        summary="记录、证明、核验：捐赠去向账本。 Record, prove, verify.",
        description=_DESCRIPTION,
        version=_version(),
        # The documentation pages of FastAPI load scripts from other sites; ours do not.
        docs_url=None,
        redoc_url=None,
        # Nothing leaves the site, whatever else is installed beside it.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.counters = counters
    app.state.bulk_running = 0
    problems.install(app, pages.render_error)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Direct)
    app.add_middleware(Edge, counters=counters, log_access=settings.access_log)
    return app


def _look_at_writer(book: Book) -> None:
    """Start the write path. Where the log must not be written (it is behind a checkpoint that
    was seen), it is served to read; /readyz and every record are answered with the reason."""
    try:
        book.sequencer.ready()
    except NotReadyError as error:
        logger.error("the log is served to read only: %s", error)


def _version() -> str:
    try:
        return version("shanji")
    except PackageNotFoundError:
        return "0"
