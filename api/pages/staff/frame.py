"""What all pages of a signed-in person share: their frame, and that nobody keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.answers import PRIVATE
from api.forms import get_sessions
from api.pages.page import LogState, render
from api.sessions import HOME, SIGN_IN, Session
from ledger.records.kind import OPENERS

STAFF_HEADERS: Mapping[str, str] = {
    "cache-control": PRIVATE,
    # With "no-referrer", browsers send forms with "Origin: null", which says nothing.
    "referrer-policy": "same-origin",
}


def render_staff(
    request: Request,
    session: Session,
    template: str,
    *,
    values: Mapping[str, Any],
    log: LogState | None = None,
    status: int = 200,
) -> HTMLResponse:
    """Render a page of a signed-in person; its template extends ``staff/base.html``."""
    sessions = get_sessions(request)
    more = {
        "session": session,
        "csrf": sessions.csrf_of(session),
        "openers": OPENERS,
        **values,
    }
    page = render(request, template, log=log, values=more, status=status)
    page.headers.update(STAFF_HEADERS)
    sessions.keep(request, page, session)
    return page


def go_to(path: str) -> RedirectResponse:
    """After a form was taken: the browser asks for a page, so that a reload sends nothing."""
    return RedirectResponse(path, 303, STAFF_HEADERS)


async def to_sign_in(request: Request, error: Exception) -> Response:
    """Where nobody has signed in: the sign-in page, which leads back to a page asked for."""
    if request.method != "GET":
        return go_to(f"{SIGN_IN}?over=1")
    path = request.url.path
    if request.url.query:
        path += f"?{request.url.query}"
    return go_to(SIGN_IN if path == HOME else f"{SIGN_IN}?next={quote(path, safe='')}")
