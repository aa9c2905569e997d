"""A log source over HTTP: a service, a mirror on any static host, an object store."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from ledger.audit.source import CHECKPOINT, PathSource
from ledger.errors import MalformedError, NotFoundError, RetryableError

CONNECT_SECONDS_MAX = 10
READ_SECONDS_MAX = 30
"""How long to wait for the next bytes of an answer."""
ANSWER_SECONDS_MAX = 120
"""How long one whole answer may take."""
TRIES = 5
"""How often to ask before the source counts as away."""
PAUSE_SECONDS_FIRST = 0.25
PAUSE_SECONDS_MAX = 8.0
"""Pauses between tries double, up to this."""
REDIRECTS_MAX = 3
CONNECTIONS_MAX = 16
RAW_BYTES_SLACK = 1024
"""What gzip may add to bytes that it cannot compress."""
URL_CHARS_MAX = 2048

_GONE = frozenset((404, 410))
_AGAIN = frozenset((408, 425, 429))
_GZIP_BITS = 31

Pause = Callable[[float], None]


class _AwayError(Exception):
    """This try failed in a way that the next may not."""


class UrlSource(PathSource):
    """Reads a log below a URL, over connections that stay open.

    Answers are limited in bytes (also after decompression) and in time; a server error
    or a broken connection is asked again a few times, with growing pauses; redirects
    to another host are refused. Proxies are taken from the environment.

    Args:
        url: The log's monitoring prefix, ``https://example.org/log``.
        tries: How often to ask before RetryableError.
        pause: Waits so many seconds; tests pass their own.
        transport: How requests travel; tests pass their own.

    Raises:
        MalformedError: no such URL can be.
    """

    def __init__(
        self,
        url: str,
        *,
        tries: int = TRIES,
        pause: Pause = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = check_url(url)
        self._tries = tries
        self._pause = pause
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(READ_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            headers={"accept-encoding": "gzip", "user-agent": "shanji"},
        )
        super().__init__(self.url, self._fetch)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _fetch(self, path: str, bytes_max: int) -> bytes:
        url = f"{self.url}/{path}"
        seconds = PAUSE_SECONDS_FIRST
        last = ""
        for attempt in range(self._tries):
            if attempt:
                self._pause(seconds)
                seconds = min(2 * seconds, PAUSE_SECONDS_MAX)
            try:
                return self._ask(url, bytes_max)
            except (_AwayError, httpx.TransportError) as error:
                last = str(error) or type(error).__name__
        raise RetryableError(
            f"{url} did not answer after {self._tries} tries ({last}); try again later",
            code="source_away",
        )

    def _ask(self, url: str, bytes_max: int) -> bytes:
        """One try, with its redirects."""
        # A checkpoint that a cache on the way kept would look like a log that stands still.
        headers = {"cache-control": "no-cache"} if url.endswith(f"/{CHECKPOINT}") else {}
        for _ in range(REDIRECTS_MAX + 1):
            with self._client.stream("GET", url, headers=headers) as answer:
                status = answer.status_code
                if status == 200:
                    return _read_body(answer, url, bytes_max)
                if status in _GONE:
                    raise NotFoundError(f"{url} is not there", code="no_tile")
                if not answer.has_redirect_location:
                    raise self._refused(url, status)
                url = self._next_url(answer, url)
        raise MalformedError(
            f"expected at most {REDIRECTS_MAX} redirects from {self.url}; give the address that "
            "it leads to"
        )

    def _refused(self, url: str, status: int) -> Exception:
        if status >= 500 or status in _AGAIN:
            return _AwayError(f"HTTP {status}")
        return RetryableError(
            f"expected {url} to answer with HTTP 200, got {status}; ask whoever runs it",
            code="source_refused",
        )

    def _next_url(self, answer: httpx.Response, url: str) -> str:
        here = httpx.URL(url)
        there = here.join(answer.headers["location"])
        same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
        safer = here.scheme == "http" and there.scheme == "https" and here.host == there.host
        if not (same or safer):
            raise MalformedError(
                f"{url} leads to another host, {there.host}; give that address if you mean it",
                code="other_host",
            )
        return str(there)


def check_url(url: str) -> str:
    """A log's URL without its last slash.

    Raises:
        MalformedError: it is no http or https URL with a host, or has more than a path.
    """
    try:
        if len(url) > URL_CHARS_MAX:
            raise MalformedError(f"expected a URL of at most {URL_CHARS_MAX} characters")
        parsed = httpx.URL(url)
        urlsplit(url)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise MalformedError(f"expected the log's URL, got {url!r} ({error})") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise MalformedError(
            f"expected the log's URL like https://example.org/log, got {url!r}; leave out what "
            "follows the path"
        )
    return url.rstrip("/")


def _read_body(answer: httpx.Response, url: str, bytes_max: int) -> bytes:
    """The body, decompressed, never more than ``bytes_max`` bytes of it in memory."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    chunks = _limited(answer, url, bytes_max)
    if encoding == "identity":
        data = b"".join(chunks)
    elif encoding == "gzip":
        data = _gunzip(chunks, url, bytes_max)
    else:
        raise MalformedError(f"expected {url} plain or in gzip, got it in {encoding!r}")
    if len(data) > bytes_max:
        raise _too_long(url, bytes_max)
    return data


def _limited(answer: httpx.Response, url: str, bytes_max: int) -> Iterator[bytes]:
    """The chunks as they arrive, limited in bytes and in time."""
    most = bytes_max + bytes_max // 1000 + RAW_BYTES_SLACK
    end = time.monotonic() + ANSWER_SECONDS_MAX
    total = 0
    for chunk in answer.iter_raw():
        total += len(chunk)
        if total > most:
            raise _too_long(url, bytes_max)
        if time.monotonic() > end:
            raise _AwayError(f"the answer took more than {ANSWER_SECONDS_MAX} s")
        yield chunk


def _gunzip(chunks: Iterator[bytes], url: str, bytes_max: int) -> bytes:
    """Decompress one gzip member; stops at one byte too many, so that a bomb stays small."""
    unpacked = zlib.decompressobj(_GZIP_BITS)
    parts: list[bytes] = []
    left = bytes_max + 1
    try:
        for chunk in chunks:
            part = unpacked.decompress(chunk, left)
            parts.append(part)
            left -= len(part)
            if left == 0:
                raise _too_long(url, bytes_max)
    except zlib.error as error:
        raise MalformedError(f"expected gzip from {url}: {error}; read it again") from None
    if not unpacked.eof:
        raise _AwayError("the answer was cut")
    if unpacked.unused_data:
        raise MalformedError(f"expected one gzip member from {url}, and nothing behind it")
    return b"".join(parts)


def _too_long(url: str, bytes_max: int) -> MalformedError:
    return MalformedError(
        f"expected at most {bytes_max} bytes from {url}; it serves something else, or an attack"
    )
