"""What routes of signed-in pages ask for: the session, a posted form, a role.

::

    @router.get("/staff/x")
    def x(request: Request, session: SessionOf) -> Response: ...

    @router.post("/staff/x")
    def send(request: Request, session: SessionOf, form: FormOf) -> Response: ...

`SessionOf` leads to the sign-in page where nobody has signed in. `FormOf` reads the body and
refuses it unless it is a form of this very session (``sessions``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from api.dependencies import read_body
from api.sessions import Session, Sessions, SignInNeededError
from ledger.errors import MalformedError, NotAllowedError
from ledger.records.kind import Role

CSRF_FIELD = "csrf"
FORM_BYTES_MAX = 512 * 1024
FORM_FIELDS_MAX = 6000
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """What was posted: each name with its values, in the order in which they came."""

    values: Mapping[str, tuple[str, ...]]

    def get(self, name: str) -> str:
        """The first value of a name, without surrounding blanks; empty where there is none."""
        return self.values.get(name, ("",))[0].strip()

    def names(self, prefix: str) -> Iterator[str]:
        """The names that start so."""
        return (name for name in self.values if name.startswith(prefix))


def get_sessions(request: Request) -> Sessions:
    """The sessions of the service's data folder."""
    return cast(Sessions, request.app.state.sessions)


def require_role(session: Session, *roles: Role) -> None:
    """Let only these roles go on.

    Raises:
        NotAllowedError: ``role``: the person has another one.
    """
    if session.person.role not in roles:
        raise NotAllowedError(
            f"this page is for the role {' or '.join(sorted(roles))}; you signed in as "
            f"{session.person.role}",
            code="role",
        )


async def read_form(request: Request) -> Form:
    """A posted form, unchecked.

    Raises:
        MalformedError: ``malformed_form``, or its body is too large or too slow.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM_TYPE:
        raise MalformedError(
            f"expected a form ({FORM_TYPE}), got {media_type[:60]!r}", code="malformed_form"
        )
    body = await read_body(request, FORM_BYTES_MAX)
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except ValueError:
        raise MalformedError(
            f"expected at most {FORM_FIELDS_MAX} fields of a form in UTF-8", code="malformed_form"
        ) from None
    values: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        # Browsers send line ends of a text area as CR LF.
        values[name] = (*values.get(name, ()), value.replace("\r\n", "\n"))
    return Form(values)


async def _session(request: Request) -> Session:
    session = get_sessions(request).find(request)
    if session is None:
        raise SignInNeededError
    return session


SessionOf = Annotated[Session, Depends(_session)]


async def _form(request: Request, session: SessionOf) -> Form:
    form = await read_form(request)
    sessions = get_sessions(request)
    sessions.check(request, form.get(CSRF_FIELD), sessions.csrf_of(session))
    return form


FormOf = Annotated[Form, Depends(_form)]
