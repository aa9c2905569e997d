"""Today: where a working day begins."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.forms import SessionOf
from api.pages.staff.frame import render_staff
from api.sessions import HOME

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get(HOME)
def today(request: Request, session: SessionOf) -> Response:
    """What waits, and where to begin."""
    return render_staff(request, session, "staff/today.html", values={})
