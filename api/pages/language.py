"""How a reader wants the pages: which language, and whether in elder mode 长辈版.

``?lang=zh`` or ``?lang=en`` chooses the language, ``?elder=1`` or ``?elder=0`` the mode of
larger type and plainer words; each is remembered in a cookie, which holds nothing else.
Without a choice, the browser's Accept-Language decides, Chinese first, at the usual size.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.pages.texts import LANGUAGES
from ledger.verify import Language

COOKIE = "lang"
PARAMETER = "lang"
ELDER = "elder"
"""Cookie and parameter of the elder mode: 1 is on, 0 is off."""
REMEMBERED_SECONDS = 365 * 24 * 3600
HEADER_PARTS_MAX = 20
"""Parts of Accept-Language that are read."""


def language_of(request: Request) -> Language:
    """The language that this request's page is in."""
    wanted = _known(request.query_params.get(PARAMETER)) or _known(request.cookies.get(COOKIE))
    return wanted or _preferred(request.headers.get("accept-language", ""))


def elder_of(request: Request) -> bool:
    """Whether this request's page is in elder mode."""
    asked = request.query_params.get(ELDER)
    wanted = asked if asked in ("0", "1") else request.cookies.get(ELDER)
    return wanted == "1"


def remember(request: Request, response: Response) -> None:
    """Keep what was asked for; without such a wish, nothing is set."""
    language = _known(request.query_params.get(PARAMETER))
    if language is not None:
        _keep(request, response, COOKIE, language)
    if request.query_params.get(ELDER) in ("0", "1"):
        _keep(request, response, ELDER, request.query_params[ELDER])


def _keep(request: Request, response: Response, cookie: str, value: str) -> None:
    response.set_cookie(
        cookie,
        value,
        max_age=REMEMBERED_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def switched(request: Request, language: Language) -> str:
    """The link to this very page in another language."""
    return _changed(request, PARAMETER, language)


def elder_switched(request: Request, elder: bool) -> str:
    """The link to this very page in elder mode, or out of it."""
    return _changed(request, ELDER, "1" if elder else "0")


def _changed(request: Request, parameter: str, value: str) -> str:
    return "?" + str(request.url.include_query_params(**{parameter: value}).query)


def _known(text: str | None) -> Language | None:
    return next((language for language in LANGUAGES if language == text), None)


def _preferred(header: str) -> Language:
    """The first of our languages by quality (RFC 9110, section 12.5.4)."""
    best: Language = LANGUAGES[0]
    best_quality = 0.0
    for part in header.split(",")[:HEADER_PARTS_MAX]:
        tag, _, parameter = part.partition(";")
        language = _known(tag.strip().lower().split("-")[0])
        quality = _quality(parameter)
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
