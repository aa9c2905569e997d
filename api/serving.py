"""Running the service: take the port, open or make the log, serve, stop cleanly.

The port is taken first, so that a port in use leaves nothing half-done. The address is
printed when the service answers there, not before.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import orjson
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.app import create_app
from api.auth import Tokens, create_token, write_private
from api.connections import Connection
from api.settings import Settings
from api.stopping import STOPPING
from api.workers import Workers
from ledger import demonstration
from ledger.book import Book
from ledger.errors import CorruptionError, MalformedError, NotReadyError
from ledger.records.kind import Role
from ledger.tlog.note import format_verifier_key

DEMONSTRATION_TOKENS = "demonstration-tokens.json"
BACKLOG = 2048
ACCEPTED_AT_ONCE = 1
"""By one of several workers: what else waits at the port is for the others too."""
STOP_SECONDS_MORE = 30
"""So much longer than its requests a worker may take to end: the writer finishes its batch."""
HEADER_BYTES_MAX = 32 * 1024
"""A request's line and headers together."""
DEMONSTRATION_FIRST_KEY = "demonstration/1"


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if STOPPING.asked:
            # Told before this server listened for it, and lost on the way.
            self.should_exit = True
        elif self.started:
            for one in sockets or ():
                one.listen(BACKLOG)
            # What is there now stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            self._announce()


def run(settings: Settings, *, demonstration: bool, full: bool) -> None:
    """Serve until Ctrl-C or SIGTERM, then finish what is under way and return.

    Args:
        settings: Where, and which log.
        demonstration: Load the demonstration, if the log is new or it is not complete.
        full: All of its gifts, not a tenth.

    Raises:
        LedgerError: the service cannot start; the message says what to do.
    """
    # SIGTERM ends as Ctrl-C does, during the start and the demonstration too.
    STOPPING.listen()
    _set_up_logging(settings)
    with suppress(KeyboardInterrupt), bind(settings.host, settings.port) as listener:
        tokens = prepare_log(settings, with_demonstration=demonstration, full=full)
        STOPPING.check()
        if settings.workers == 1:
            _serve(settings, listener, tokens)
        else:
            _serve_by_workers(settings, listener, tokens)
    sys.stderr.write("已停止 stopped\n")


def bind(host: str, port: int) -> socket.socket:
    """Take the address.

    Raises:
        NotReadyError: the port is in use, or may not be taken.
        MalformedError: the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise MalformedError(
            f"--host: expected an address of this machine like 127.0.0.1, got {host!r}",
            code="invalid_host",
        ) from None
    # With the protocol named, asyncio sends at once (TCP_NODELAY) on every connection;
    # without it, each answer of two parts would wait some 40 ms for the client's kernel.
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise NotReadyError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; stop what "
            "uses it, or choose another with --port",
            code="port_in_use",
        ) from None
    return listener


def prepare_log(settings: Settings, *, with_demonstration: bool, full: bool) -> Mapping[Role, str]:
    """Make the log on the first start, and load the demonstration if it is wanted.

    Returns:
        The demonstration's tokens by role; empty for a log without it.

    Raises:
        LedgerError: no folder can be made there, it holds another log, or a new log
            lacks its name.
    """
    book = _open_or_create(settings, with_demonstration)
    try:
        if with_demonstration and not demonstration.is_loaded(book):
            _check_is_demonstration(book)
            _load_demonstration(book, full)
        if demonstration.is_loaded(book):
            return _demonstration_tokens(settings.data)
        return {}
    finally:
        with STOPPING.closing():
            book.close()


def _open_or_create(settings: Settings, with_demonstration: bool) -> Book:
    try:
        if not Book.exists(settings.data, settings.database):
            return _create(settings, with_demonstration)
        book = Book.open(
            settings.data,
            database=settings.database,
            access=settings.key_access,
            queue_max=settings.queue_max,
        )
    except OSError as error:
        raise MalformedError(
            f"the data folder {settings.data} cannot be used ({error.strerror}); choose another "
            "with --data, or give the service the right to write there",
            code="data_folder",
        ) from None
    if settings.origin not in (None, book.origin):
        book.close()
        raise MalformedError(
            f"{settings.data} holds the log {book.origin}, not {settings.origin}; choose another "
            "folder with --data, or leave --origin out",
            code="another_log",
        )
    return book


def _create(settings: Settings, with_demonstration: bool) -> Book:
    origin, organisation = settings.origin, settings.organisation
    if with_demonstration:
        origin = origin or demonstration.ORIGIN
        organisation = organisation or demonstration.ORGANISATION
    if origin is None or organisation is None:
        raise MalformedError(
            f"{settings.data} holds no log yet; a new one needs --origin (its name for ever, like "
            "ledger.example.org/main) and --organisation (whose it is), or --demonstration",
            code="log_needs_name",
        )
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return Book.create(
            settings.data,
            origin=origin,
            organisation=organisation,
            database=settings.database,
            access=settings.key_access,
            queue_max=settings.queue_max,
        )
    except MalformedError as error:
        raise MalformedError(
            f"--origin {origin!r}, --organisation {organisation!r}: {error.message}",
            code="log_needs_name",
        ) from None


def _check_is_demonstration(book: Book) -> None:
    with book.store.read() as reader:
        head = reader.head()
        begun = DEMONSTRATION_FIRST_KEY in reader.idempotency([DEMONSTRATION_FIRST_KEY])
    if not begun and head is not None and head.size > 1:
        raise MalformedError(
            f"{book.folder} holds the log {book.origin} with records of its own; the "
            "demonstration goes into a folder of its own (--data)",
            code="another_log",
        )


def _load_demonstration(book: Book, full: bool) -> None:
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("载入演示 loading the demonstration: {task.completed} 条 records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("load", total=None)
        count = demonstration.load(
            book, full=full, progress=lambda done: progress.update(task, completed=done)
        )
    console.print(f"演示已载入 demonstration loaded: {count} 条 records", highlight=False)


def _demonstration_tokens(folder: Path) -> Mapping[Role, str]:
    """The demonstration's tokens: made once, kept to be shown again at the next start."""
    path = folder / DEMONSTRATION_TOKENS
    if not path.exists():
        made = {
            role.value: create_token(folder, person, role)
            for role, person in demonstration.PEOPLE.items()
        }
        write_private(path, orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
    try:
        kept = {Role(role): str(token) for role, token in orjson.loads(path.read_bytes()).items()}
    except (ValueError, AttributeError):
        raise CorruptionError(
            f"{path}: expected the demonstration's tokens; remove the file, and new ones are made",
            code="tokens_file",
        ) from None
    tokens = Tokens(folder)
    return {role: token for role, token in kept.items() if tokens.find(token) is not None}


def _serve(settings: Settings, listener: socket.socket, tokens: Mapping[Role, str]) -> None:
    app = create_app(settings)
    config = _configured(settings, app, BACKLOG)
    _run(_Server(config, lambda: _announce(app.state.book, listener, tokens)), listener)


def _serve_by_workers(
    settings: Settings, listener: socket.socket, tokens: Mapping[Role, str]
) -> None:
    def announce() -> None:
        book = Book.open(settings.data, database=settings.database, access=settings.key_access)
        try:
            _announce(book, listener, tokens)
        finally:
            book.close()

    stop_seconds = settings.shutdown_seconds + STOP_SECONDS_MORE
    Workers(settings.workers, serve_worker, settings, listener, stop_seconds).run(announce)


def serve_worker(
    number: int, settings: Settings, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve as one of several workers, in a process of its own (``workers``)."""
    _set_up_logging(settings)
    if number:
        # One of them reads all that is stored, again and again; that is enough.
        settings = settings.model_copy(update={"inspection_rows_per_second": 0})
    config = _configured(settings, create_app(settings), ACCEPTED_AT_ONCE)
    _run(_Server(config, ready), listener)


def _run(server: _Server, listener: socket.socket) -> None:
    """Serve until told to end. The server hears signals itself; one that comes again while what
    it has opened is being closed interrupts that no more."""
    with STOPPING.closing():
        server.run(sockets=[listener])


def _configured(settings: Settings, app: FastAPI, accepted_at_once: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        backlog=accepted_at_once,
        limit_concurrency=settings.connections_max,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )


def _announce(book: Book, listener: socket.socket, tokens: Mapping[Role, str]) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    lines = [
        "善迹 Shanji",
        f"  地址 address       http://{shown}:{port}/",
        f"  账本 log           {book.origin}（{book.head().size} 条 entries）",
    ]
    lines += [f"  公钥 verifier key  {format_verifier_key(key)}" for key in book.key_history.active]
    if tokens:
        lines.append("  演示令牌 tokens of the demonstration")
        lines += [f"    {role.value:<10} {token}" for role, token in tokens.items()]
        lines.append("  请勿将演示令牌用于真实数据。 Never use these tokens with real data.")
    else:
        lines.append("  新建令牌 make a token: shanji token create PERSON ROLE --data DIR")
    lines.append("  按 Ctrl-C 停止。 Ctrl-C stops it.")
    print("\n".join(lines), flush=True)


def _set_up_logging(settings: Settings) -> None:
    """Everything that is logged goes to stderr; stdout is for what was asked."""
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("shanji.access").setLevel(
        logging.INFO if settings.access_log else logging.WARNING
    )
