"""The outermost layer of the service, as plain ASGI: nothing leaves without passing it.

Every answer gets the security headers; every request is counted; HEAD is answered as
GET without the body; an exception that nobody expected becomes a problem, and the log
never gets its message. A plain function around `send` costs microseconds, where a
middleware class that rebuilds request and response costs a multiple.
"""

from __future__ import annotations

import logging
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Counters
from api.problems import respond, unexpected

SECURITY_HEADERS = (
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
)
CACHE_DEFAULT = "no-cache"
_ADDED = tuple(
    (name.encode(), value.encode())
    for name, value in (*SECURITY_HEADERS, ("cache-control", CACHE_DEFAULT))
)
"""As ASGI writes headers, names in lower case: every answer gets those that it lacks."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods that are counted by name; a client's own inventions are not."""

access = logging.getLogger("shanji.access")


class AnswerBrokenError(Exception):
    """An answer broke off after it had begun; its cause is in the log already."""


class Edge:
    """The middleware; `app` is the service inside."""

    def __init__(self, app: ASGIApp, counters: Counters, log_access: bool) -> None:
        self._app = app
        self._counters = counters
        self._log_access = log_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        status = 0
        headless = method == "HEAD"
        if headless:
            scope = {**scope, "method": "GET"}

        async def send_out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.setdefault("headers", [])
                names = {name for name, _ in headers}
                headers.extend(pair for pair in _ADDED if pair[0] not in names)
            elif headless:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, send_out)
        except ClientDisconnect:
            # Nobody is there to answer, and nothing was queued before the whole body came.
            return
        except Exception as error:
            problem = unexpected(error)
            if status:
                raise AnswerBrokenError(problem.instance) from None
            request = Request(scope, receive)
            await respond(request, problem)(scope, receive, send_out)
        finally:
            self._note(scope, method, status, began)

    def _note(self, scope: Scope, method: str, status: int, began: float) -> None:
        if not status:
            return
        self._counters.requests[method if method in METHODS else "other", status] += 1
        if self._log_access:
            # The path as it came, still percent-encoded, so that it cannot forge a line;
            # without its query, so that no mistaken secret in it is kept.
            path = scope.get("raw_path", b"").decode("ascii", "replace")
            spent = (time.perf_counter() - began) * 1000
            access.info("%s %s %d %.1f ms", method, path, status, spent)
