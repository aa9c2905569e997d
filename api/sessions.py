"""Who sits at the pages: sessions in a signed cookie, and what protects forms.

::

    token ──► sign-in ──► cookie {session id, token id, times}, signed ──► each request:
              (limited)   HttpOnly, SameSite=Strict, Secure on https        signature, limits,
                                                                            the token's grant

A session is begun with a person's token (``auth``); there are no passwords. The cookie holds
the token's id, never the token, and the grant is looked up anew on each request: who is
revoked is out. It ends after `IDLE_SECONDS` without a request, after `ABSOLUTE_SECONDS` at the
latest, and when its person signs out: then its id stands in a file, so that a copy of the
cookie is worth nothing either (OWASP ASVS 3.3).

A form is taken only with the session's own CSRF token, and from a page of this site: a strict
cookie, the header ``Origin`` and the token each suffice alone. The key that signs is in a file
of the data folder, beside the tokens, so that every process on the folder knows every session.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Grant, Person, Tokens, write_private
from ledger.errors import ConflictError, CorruptionError, NotAllowedError
from ledger.keys.files import write_new

COOKIE = "shanji_session"
VISIT_COOKIE = "shanji_visit"
"""Who has not signed in yet: what the sign-in form's CSRF token is bound to."""
KEY_FILE = "session.key"
ENDED_FILE = "sessions-ended"
KEY_BYTES = 32
ID_BYTES = 16
IDLE_SECONDS = 60 * 60
"""So long a session lives without a request."""
ABSOLUTE_SECONDS = 12 * 60 * 60
"""So long a session lives at most: a working day."""
REFRESH_SECONDS = 60
"""A cookie is written anew when the last request that it knows of is so old."""
COOKIE_CHARS_MAX = 1000
ENDED_MAX = 20_000
"""Sessions whose sign-out is remembered; older ones have expired by then."""
ATTEMPTS_MAX = 10
ATTEMPT_SECONDS = 5 * 60
"""So many failed sign-ins one address may have within these seconds."""
ADDRESSES_MAX = 10_000
PATH_CHARS_MAX = 500

SIGN_IN = "/staff/sign-in"
HOME = "/staff"


class SignInNeededError(Exception):
    """Nobody has signed in, or the session is over: the request leads to the sign-in page."""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in person. `started` and `seen` are Unix times."""

    id: str
    token_id: str
    person: Person
    started: int
    seen: int


class Sessions:
    """The sessions of one data folder.

    Args:
        folder: Where the key and the list of ended sessions lie.
        tokens: The folder's tokens.
        clock: Unix time.
    """

    def __init__(
        self, folder: Path, tokens: Tokens, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._tokens = tokens
        self._clock = clock
        self._ended_seen: tuple[int, ...] | None = None
        self._ended: frozenset[str] = frozenset()
        self.attempts = Attempts(clock)

    @cached_property
    def _key(self) -> bytes:
        return _read_key(self._folder / KEY_FILE)

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._key,
            salt="shanji/session/v1",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self, grant: Grant) -> Session:
        """A new session of the person whose token this is."""
        now = int(self._clock())
        return Session(_new_id(), grant.id, grant.person, now, now)

    def find(self, request: Request) -> Session | None:
        """The session of a request's cookie; None without one, or where it is over.

        Raises:
            CorruptionError: the tokens, the key or the list of ended sessions is damaged.
        """
        text = request.cookies.get(COOKIE, "")
        if not text or len(text) > COOKIE_CHARS_MAX:
            return None
        try:
            value: Any = self._serializer.loads(text)
        except BadSignature:
            return None
        # What is signed was made by `_format`: its form needs no second look.
        id_, token_id, started, seen = value
        now = self._clock()
        if now - seen > IDLE_SECONDS or now - started > ABSOLUTE_SECONDS:
            return None
        grant = self._tokens.grant_of_id(token_id)
        if grant is None or id_ in self._ended_ids():
            return None
        return Session(id_, token_id, grant.person, started, seen)

    def keep(self, request: Request, response: Response, session: Session) -> None:
        """Write the session's cookie, unless the browser has one that is fresh enough."""
        now = int(self._clock())
        if request.cookies.get(COOKIE) and now - session.seen < REFRESH_SECONDS:
            return
        self.write(request, response, session, now)

    def write(
        self, request: Request, response: Response, session: Session, now: int | None = None
    ) -> None:
        """Write the session's cookie."""
        seen = session.seen if now is None else now
        value = [session.id, session.token_id, session.started, seen]
        _set(request, response, COOKIE, str(self._serializer.dumps(value)))

    def end(self, request: Request, response: Response, session: Session) -> None:
        """Sign out: no copy of the cookie opens anything any more."""
        path = self._folder / ENDED_FILE
        now = int(self._clock())
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            lines = [
                (one, until)
                for one, until in _read_ended(path)
                if until > now and one != session.id
            ]
            lines.append((session.id, session.started + ABSOLUTE_SECONDS))
            text = "".join(f"{one} {until}\n" for one, until in lines[-ENDED_MAX:])
            write_private(path, text.encode())
        finally:
            os.close(handle)
        _clear(request, response, COOKIE)

    def _ended_ids(self) -> frozenset[str]:
        path = self._folder / ENDED_FILE
        try:
            stat = path.stat()
        except FileNotFoundError:
            return frozenset()
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen != self._ended_seen:
            self._ended = frozenset(one for one, _ in _read_ended(path))
            self._ended_seen = seen
        return self._ended

    # Forms

    def csrf_of(self, session: Session) -> str:
        """What each form of a session carries."""
        return self._mac("csrf", session.id)

    def visit(self, request: Request, response: Response) -> None:
        """Give who has not signed in what the sign-in form is bound to."""
        if not _is_id(request.cookies.get(VISIT_COOKIE, "")):
            _set(request, response, VISIT_COOKIE, request.state.visit)

    def csrf_of_visit(self, request: Request) -> str:
        """What the sign-in form carries."""
        visit = request.cookies.get(VISIT_COOKIE, "")
        if not _is_id(visit):
            visit = getattr(request.state, "visit", None) or _new_id()
        request.state.visit = visit
        return self._mac("visit", visit)

    def check(self, request: Request, given: str, expected: str) -> None:
        """A form is from our own page, of this very session.

        Raises:
            NotAllowedError: ``csrf``: it came from elsewhere, or the page is an old one.
        """
        same = hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
        if not same or not is_same_origin(request):
            raise NotAllowedError(
                "expected a form of this site, of the session that is signed in now; nothing was "
                "done: open the page again and send it once more",
                code="csrf",
            )

    def _mac(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self._key, f"shanji/{purpose}/v1\0{text}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Attempts:
    """Failed sign-ins by address, as far as this process saw them.

    Guessing a token of 32 bytes is hopeless; this keeps who tries from costing anything.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def blocked_seconds(self, request: Request) -> int:
        """How long this address must wait before it may try again; 0 for not at all."""
        times = self._failed.get(_address(request))
        if times is None or len(times) < ATTEMPTS_MAX:
            return 0
        return max(0, int(times[0] + ATTEMPT_SECONDS - self._clock()) + 1)

    def failed(self, request: Request) -> None:
        """Count a failure; where there are too many addresses, the oldest is forgotten."""
        address = _address(request)
        times = self._failed.setdefault(address, deque(maxlen=ATTEMPTS_MAX))
        self._failed.move_to_end(address)
        times.append(self._clock())
        while len(self._failed) > ADDRESSES_MAX:
            self._failed.popitem(last=False)


def is_same_origin(request: Request) -> bool:
    """Whether a form was sent from a page of this site, as far as the browser says.

    Browsers say ``Origin`` with every POST; the host is compared, for a proxy may have taken
    the TLS off. What says nothing is no browser, and has the CSRF token or fails.
    """
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def own_path(text: str) -> str:
    """A path of ours to go on to after the sign-in; `HOME` for anything else.

    Browsers read ``//host`` and backslashes as the way to another site.
    """
    parts = text[: PATH_CHARS_MAX + 1]
    safe = (
        len(text) <= PATH_CHARS_MAX
        and parts.startswith("/")
        and not parts.startswith("//")
        and parts.isascii()
        and parts.isprintable()
        and not set(parts) & set("\\ ")
        and not parts.startswith(SIGN_IN)
    )
    return text if safe else HOME


def _new_id() -> str:
    return secrets.token_urlsafe(ID_BYTES)


def _is_id(text: str) -> bool:
    return len(text) == len(_ID_FORM) and text.replace("-", "").replace("_", "").isalnum()


_ID_FORM = base64.urlsafe_b64encode(bytes(ID_BYTES)).rstrip(b"=")


def _read_key(path: Path) -> bytes:
    """The key that signs sessions, made by the first who needs it.

    Raises:
        CorruptionError: the file holds something else.
    """
    if not path.exists():
        # One at a time: what another request or process is writing is no key yet.
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(ConflictError):  # Made by another meanwhile.
                write_new(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        finally:
            os.close(handle)
    text = path.read_text("ascii", "replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CorruptionError(
            f"{path}: expected {KEY_BYTES} bytes in hex; remove the file, and everyone signs in "
            "again",
            code="session_key",
        )
    return key


def _read_ended(path: Path) -> list[tuple[str, int]]:
    try:
        lines = path.read_text("ascii", "replace").split("\n")
    except FileNotFoundError:
        return []
    try:
        return [(one, int(until)) for one, until in (line.split(" ") for line in lines if line)]
    except ValueError:
        raise CorruptionError(
            f"{path}: expected lines of a session's id and a time; remove the file and "
            f"{KEY_FILE}, and everyone signs in again",
            code="sessions_ended",
        ) from None


def _address(request: Request) -> str:
    """Whose attempts count together: one IPv4 address, or one network of IPv6."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))


def _is_https(request: Request) -> bool:
    # The service takes no address from a proxy; this word of one can only make us stricter.
    forwarded = request.headers.get("x-forwarded-proto", "").lower()
    return request.url.scheme == "https" or forwarded == "https"


def _set(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        path="/",
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )


def _clear(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(
        name, path="/", httponly=True, samesite="strict", secure=_is_https(request)
    )
