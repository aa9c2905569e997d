"""Waiting for witnesses: an answer leaves when enough of them saw its checkpoint.

Only where ``require_witnesses`` asks for it. The record is finished before the wait
begins; when the time is over, the client is told to repeat with the same key.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api.settings import Settings
from ledger.book import Book
from ledger.commands.console import read_file
from ledger.errors import RetryableError
from ledger.feed import Feed, check_policy
from ledger.recorded import Recorded
from ledger.tlog.policy import POLICY_BYTES_MAX, Policy, parse_policy
from ledger.witnessing import Witnessing


def read_policy(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        NotFoundError: no such file.
        MalformedError: no policy.
    """
    return parse_policy(read_file(str(path), POLICY_BYTES_MAX))


def open_witnessing(book: Book, settings: Settings) -> Witnessing:
    """Whose cosignatures count for the log's receipts, as the settings say.

    Raises:
        LedgerError: the policy cannot be read, or is not for this log.
    """
    policy = Policy() if settings.policy is None else read_policy(settings.policy)
    check_policy(policy, book.origin, settings.require_witnesses)
    return Witnessing(policy, settings.require_witnesses)


def open_feed(book: Book, settings: Settings) -> Feed:
    """Tell the book whose cosignatures count, and start to ask the witnesses.

    Raises:
        LedgerError: as in `open_witnessing`.
    """
    book.witnessing = open_witnessing(book, settings)
    feed = Feed(book)
    feed.start()
    return feed


async def await_witnesses(app: FastAPI, recorded: Recorded) -> Recorded:
    """The record's answer under a checkpoint that the required witnesses saw.

    Raises:
        RetryableError: ``witnesses_missing``: it is recorded, and they did not come in time.
    """
    feed: Feed = app.state.feed
    if not feed.require:
        return recorded
    seconds = app.state.settings.witness_seconds_max
    covered = await run_in_threadpool(feed.covered, recorded.index)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wrap_future(covered)
    except TimeoutError:
        raise _missing(recorded.index, feed.require, seconds) from None
    book: Book = app.state.book
    return await run_in_threadpool(book.witnessed, recorded)


class Deadline:
    """The one wait for witnesses that many records of one request share."""

    def __init__(self, app: FastAPI) -> None:
        self._feed: Feed = app.state.feed
        self._book: Book = app.state.book
        self._seconds: int = app.state.settings.witness_seconds_max
        self._end: float | None = None

    def renew(self) -> None:
        """Let the next records wait the whole time, unless earlier ones waited in vain."""
        if self._end is None or time.monotonic() < self._end:
            self._end = None

    def wait(self, recorded: Recorded) -> Recorded:
        """As `await_witnesses`, in a thread.

        Raises:
            RetryableError: as in `await_witnesses`.
        """
        if not self._feed.require:
            return recorded
        if self._end is None:
            self._end = time.monotonic() + self._seconds
        covered: Future[None] = self._feed.covered(recorded.index)
        try:
            covered.result(max(0.0, self._end - time.monotonic()))
        except TimeoutError:
            covered.cancel()
            raise _missing(recorded.index, self._feed.require, self._seconds) from None
        return self._book.witnessed(recorded)


def _missing(index: int, require: int, seconds: int) -> RetryableError:
    return RetryableError(
        f"entry {index} is recorded, but {require} witnesses did not cosign it within {seconds} "
        "seconds; repeat with the same Idempotency-Key to get its receipt",
        code="witnesses_missing",
        details={"index": index, "require": require},
    )
