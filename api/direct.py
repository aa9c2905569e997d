"""The one hot route, past the framework's routing: ``POST /v1/entries``.

Finding the route, solving its dependencies and the layers around it cost more than what the
ledger does with a record. The route stands in the application too, which documents it and
answers other methods.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_of, respond
from api.routes.entries import PATH, record
from ledger.errors import LedgerError


class Direct:
    """The middleware; `app` is everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await record(request)
        except LedgerError as error:
            response = respond(request, problem_of(error, PATH))
        await response(scope, receive, send)
