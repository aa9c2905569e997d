"""Sign in with a person's token, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.auth import Tokens
from api.forms import CSRF_FIELD, FormOf, SessionOf, get_sessions, read_form
from api.pages.page import render
from api.pages.staff.frame import STAFF_HEADERS, go_to
from api.sessions import SIGN_IN, own_path

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

NEXT_CHARS_MAX = 2000


@router.get(SIGN_IN)
def sign_in(
    request: Request,
    next: Annotated[str, Query(max_length=NEXT_CHARS_MAX)] = "",
    over: bool = False,
) -> Response:
    """The page to sign in on; who has signed in goes on."""
    if get_sessions(request).find(request) is not None and not over:
        return go_to(own_path(next))
    return _page(request, next, problem="over" if over else None)


@router.post(SIGN_IN)
async def send_token(request: Request) -> Response:
    """Begin a session, where the token is one of ours."""
    form = await read_form(request)
    sessions = get_sessions(request)
    sessions.check(request, form.get(CSRF_FIELD), sessions.csrf_of_visit(request))
    wait = sessions.attempts.blocked_seconds(request)
    if wait:
        page = _page(request, form.get("next"), problem="wait", status=429)
        page.headers["retry-after"] = str(wait)
        return page
    tokens: Tokens = request.app.state.tokens
    grant = await run_in_threadpool(tokens.grant, form.get("token"))
    if grant is None:
        sessions.attempts.failed(request)
        return _page(request, form.get("next"), problem="unknown", status=403)
    answer = go_to(own_path(form.get("next")))
    sessions.write(request, answer, sessions.begin(grant))
    return answer


@router.post("/staff/sign-out")
def sign_out(request: Request, session: SessionOf, form: FormOf) -> Response:
    """End the session, here and for every copy of its cookie."""
    answer = go_to(SIGN_IN)
    get_sessions(request).end(request, answer, session)
    return answer


def _page(request: Request, next_: str, *, problem: str | None, status: int = 200) -> HTMLResponse:
    sessions = get_sessions(request)
    values = {
        "csrf": sessions.csrf_of_visit(request),
        "next": own_path(next_),
        "problem": problem,
    }
    page = render(request, "staff/sign_in.html", log=None, values=values, status=status)
    page.headers.update(STAFF_HEADERS)
    sessions.visit(request, page)
    return page
