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

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api import machines, problems
from api.auth import Tokens
from api.dependencies import undamaged
from api.direct import Direct
from api.edge import Edge
from api.imports.worker import Worker
from api.mailbox import Mailbox
from api.metrics import Counters
from api.openapi import build_openapi
from api.pages import finding, gift_routes, thing_pages, verifying
from api.pages import routes as pages
from api.pages.audit import routes as audit
from api.pages.staff import (
    correct,
    desks,
    frame,
    importing,
    lots,
    printing,
    record,
    recorded,
    sign_in,
    statements,
    today,
    undoing,
)
from api.pages.staff import proposals as staff_proposals
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
    printed,
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
from api.sessions import Sessions, SignInNeededError
from api.settings import Settings
from api.witnessed import open_feed
from ledger.attention import KeptBoard
from ledger.book import Book
from ledger.errors import NotReadyError
from ledger.feed import Feed
from ledger.inspection import Inspector, Pace
from ledger.statistics import Latest

ROUTERS = (
    bulk.router,
    entries.router,
    receipts.router,
    printed.router,
    proofs.router,
    log.router,
    keys.router,
    attention.router,
    anchors.router,
    tiles.router,
    witnesses.router,
    health.router,
    pages.static_router,
    sign_in.router,
    verifying.router,
)
"""What these give out is compared with the signed root as it is read, or says what is wrong."""
DERIVED_ROUTERS = (
    proposals.router,
    corrections.router,
    trace.router,
    registers.router,
    reports.router,
    statistics.router,
    accounts.router,
    gift_routes.router,
    pages.router,
    finding.router,
    thing_pages.router,
    today.router,
    audit.router,
    record.router,
    recorded.router,
    staff_proposals.router,
    desks.router,
    correct.router,
    lots.router,
    printing.router,
    importing.router,
    undoing.router,
    statements.router,
)
"""Figures, lists and pages made from the state: not shown where the inspection found damage."""
ALL_ROUTERS = (*ROUTERS, *DERIVED_ROUTERS)

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
        inspector: Inspector | None = None
        imports: Worker | None = None
        board: KeptBoard | None = None
        book = await run_in_threadpool(
            Book.open,
            settings.data,
            database=settings.database,
            access=settings.key_access,
            queue_max=settings.queue_max,
        )
        try:
            # A log that a witness contradicts is served from here on, and takes nothing; one
            # that was restored takes records when all witnesses have agreed.
            feed = await run_in_threadpool(open_feed, book, settings)
            await run_in_threadpool(machines.compare, book, settings.data)
            _look_at_writer(book)
            pace = Pace(settings.inspection_rows_per_second, settings.inspection_audit_seconds)
            inspector = Inspector(book, settings.key_access, pace)
            inspector.start()
            imports = Worker(book)
            imports.start()
            app.state.imports = imports
            app.state.inspector = inspector
            app.state.feed = feed
            app.state.book = book
            app.state.mailbox = Mailbox(asyncio.get_running_loop())
            app.state.lookers = CapacityLimiter(health.LOOKERS_MAX)
            app.state.tokens = Tokens(settings.data)
            board = KeptBoard(book.store.read, book.today)
            app.state.board = board
            await run_in_threadpool(board.begin)
            app.state.sessions = Sessions(settings.data, app.state.tokens)
            app.state.statistics = Latest()
            app.state.trace_limiter = trace.trace_limiter()
            app.state.receipts_limiter = printed.receipts_limiter()
            gc.set_threshold(GARBAGE_EVERY, *gc_before[1:])
            yield
        finally:
            gc.set_threshold(*gc_before)
            if imports is not None:
                await run_in_threadpool(imports.close)
            if inspector is not None:
                await run_in_threadpool(inspector.close)
            if board is not None:
                await run_in_threadpool(board.close)
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
    app.state.uploads_running = 0
    app.state.paths = frozenset(
        route.path
        for router in ALL_ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
    )
    problems.install(app, pages.render_error)
    app.add_exception_handler(SignInNeededError, frame.to_sign_in)
    for router in ROUTERS:
        app.include_router(router)
    for router in DERIVED_ROUTERS:
        app.include_router(router, dependencies=[Depends(undamaged)])
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
