"""``shanji``: the command line. Each command is a module of ``commands``.

Commands of the service (``serve``, ``token``) come from the ``api`` package through the
entry-point group ``shanji.commands``, since the library does not import the service;
without the server's packages they are absent.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from ledger.commands import (
    anchoring,
    attending,
    auditing,
    comparing,
    exporting,
    importing,
    importing_goods,
    keeping,
    keying,
    mirroring,
    monitoring,
    publishing,
    releasing,
    resuming,
    sampling,
    stating,
    tracing,
    verifying,
    witnessing,
)
from ledger.commands.console import say
from ledger.errors import (
    CorruptionError,
    FatalError,
    LedgerError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RetryableError,
    UndecidedError,
    VerificationError,
)
from ledger.keys.access import KEYS_VARIABLE, PASSPHRASE_VARIABLE

DATABASE_VARIABLE = "SHANJI_DATABASE"
"""As ``ledger.store.place`` reads it, which this command does without when it verifies."""

EXIT_CODES: tuple[tuple[type[LedgerError], int], ...] = (
    (VerificationError, 1),
    (CorruptionError, 1),
    (RejectedError, 1),
    (MalformedError, 2),
    (NotFoundError, 2),
    (UndecidedError, 3),
    (RetryableError, 3),
    (OutcomeUnknownError, 3),
    (FatalError, 3),
    (NotAllowedError, 4),
)
"""0 verified or done, 1 mismatch found, 2 usage, 3 could not decide, 4 not allowed."""

MODULES = (
    verifying,
    comparing,
    tracing,
    auditing,
    attending,
    stating,
    importing,
    importing_goods,
    keeping,
    witnessing,
    mirroring,
    monitoring,
    resuming,
    releasing,
    anchoring,
    exporting,
    publishing,
    keying,
    sampling,
)
"""The modules of the library's own commands, in the order in which help lists them."""

GARBAGE_EVERY = 50_000
"""New objects between two looks for cycles: what a command imports stays, and to look at it again
and again took a sixth of the service's start."""

ENTRY_POINTS = "shanji.commands"
SERVER_PACKAGES = frozenset(
    (
        "alembic",
        "fastapi",
        "httpx",
        "jinja2",
        "obstore",
        "pydantic",
        "pydantic_settings",
        "python_calamine",
        "sqlalchemy",
        "sqlmodel",
        "starlette",
        "uvicorn",
    )
)


@cache
def build() -> typer.Typer:
    """The application with all commands that this installation has; one a process."""
    app = typer.Typer(
        name="shanji",
        help="Shanji 善迹: a donation traceability ledger that anyone can verify.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(set_keys)
    for module in MODULES:
        module.register(app)
    for point in entry_points(group=ENTRY_POINTS):
        try:
            register = point.load()
        except ModuleNotFoundError as error:
            if _is_server_package(error):
                continue
            raise
        register(app)
    return app


def set_keys(
    keys: Annotated[
        Path | None,
        typer.Option(help="The folder of the keys, where it is not in the data folder."),
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="The file with the passphrase of encrypted keys.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="The log's database, like postgresql://user@host/name."),
    ] = None,
) -> None:
    """Shanji 善迹: a donation traceability ledger that anyone can verify."""
    if database is not None:
        os.environ[DATABASE_VARIABLE] = database
    # Every command, the service included, finds them where the environment would name them.
    if keys is not None:
        os.environ[KEYS_VARIABLE] = str(keys)
    if passphrase_file is not None:
        os.environ[PASSPHRASE_VARIABLE] = str(passphrase_file)


def _is_server_package(error: ModuleNotFoundError) -> bool:
    return (error.name or "").partition(".")[0] in SERVER_PACKAGES


def exit_code(error: LedgerError) -> int:
    """The exit code of an error that ends a command."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 3)


def main() -> None:
    """Run a command; a ledger error becomes one line and its exit code.

    SIGTERM ends it as Ctrl-C does: what it has opened is closed, what it has begun is undone or
    can be gone on with, and no process that it started is left.
    """
    gc.set_threshold(max(GARBAGE_EVERY, gc.get_threshold()[0]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        build()()
    except LedgerError as error:
        say(f"shanji: {error.message}")
        sys.exit(exit_code(error))
    except ModuleNotFoundError as error:
        if not _is_server_package(error):
            raise
        say(
            f"shanji: this command needs the server's packages ({error.name}): install "
            "shanji[server], or run it in the environment that scripts/run makes"
        )
        sys.exit(2)
