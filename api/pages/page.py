"""From what a page shows to HTML: the templates, and what every page has in common.

Templates escape everything that is not markup made here. A page is private to nobody,
but it is in the reader's language, so caches are told what it varies by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.pages.assets import asset_path
from api.pages.format import HASH_SHOWN, format_instant, format_number, format_yuan
from api.pages.language import elder_of, elder_switched, language_of, remember, switched
from api.pages.navigation import served_paths, ways_of
from api.pages.texts import HTML_LANG, LANGUAGES, Translator, catalogue
from ledger.book import Book
from ledger.errors import NotFoundError
from ledger.store import Head, Reader
from ledger.tlog.note import VerifierKey, format_verifier_key, key_id, split_note

_FOLDER = Path(__file__).parent / "templates"
_HEADERS = {"vary": "accept-language, cookie"}


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as a page names it: one size for everything on the page.

    `verifier_keys` are those that signed the newest checkpoint: a receipt is verified with
    them. `spare_keys` are announced and sign nothing yet.
    """

    origin: str
    organisation: str
    size: int
    root: str
    recorded_at: str
    verifier_keys: tuple[str, ...]
    spare_keys: tuple[str, ...]

    @property
    def last(self) -> int:
        """The index of the newest entry that the page knows of."""
        return self.size - 1


def log_state(book: Book, head: Head) -> LogState:
    """The state of the log at a head."""
    _, signatures = split_note(head.checkpoint)
    signed = {(one.name, one.key_id) for one in signatures}
    active = book.key_history.active
    used = [one for one in active if (one.name, _id_of(one)) in signed]
    return LogState(
        book.origin,
        str(book.opened.fields["organisation"]),
        head.size,
        head.root.hex(),
        head.last_recorded_at,
        tuple(format_verifier_key(key) for key in used),
        tuple(format_verifier_key(key) for key in active if key not in used),
    )


def _id_of(key: VerifierKey) -> bytes:
    return key_id(key.name, key.signature_type, key.public_key)


def snapshot_log(book: Book, reader: Reader) -> LogState:
    """The state of the log in a snapshot.

    Raises:
        NotFoundError: the log is empty.
    """
    head = reader.head()
    if head is None:
        raise NotFoundError("the log is empty")
    return log_state(book, head)


def translator_of(request: Request) -> Translator:
    """The texts in the language of this request, plain ones in elder mode."""
    return Translator(language_of(request), elder_of(request))


def render(
    request: Request,
    template: str,
    *,
    log: LogState | None,
    values: Mapping[str, Any],
    status: int = 200,
) -> HTMLResponse:
    """Render a page.

    Args:
        request: It decides the language.
        template: The template's file name.
        log: The state that the page is of; None where it tells nothing of the log.
        values: What the template shows besides.
        status: The HTTP status.
    """
    translator = translator_of(request)
    other = next(one for one in LANGUAGES if one != translator.language)
    html = (
        _environment()
        .get_template(template)
        .render(
            t=translator.markup,
            word=translator.word,
            language=translator.language,
            html_lang=HTML_LANG[translator.language],
            other_lang=HTML_LANG[other],
            other_href=switched(request, other),
            elder=translator.plain,
            elder_href=elder_switched(request, not translator.plain),
            path=request.url.path,
            ways=ways_of(request, translator),
            served=served_paths(request),
            log=log,
            **values,
        )
    )
    response = HTMLResponse(html, status, dict(_HEADERS))
    remember(request, response)
    return response


def render_error(request: Request, status: int, title: str, detail: str) -> HTMLResponse:
    """An error as a page in the look of the others, for who asked for HTML.

    Args:
        request: What was asked.
        status: The HTTP status.
        title: The problem's title, in Chinese.
        detail: What was expected, what came, what to do; in English, as the core tells it.
    """
    translator = translator_of(request)
    name = f"error.{status}"
    if name not in catalogue():
        name = "error.client" if status < 500 else "error.server"
    heading = title if translator.language == "zh" else translator.text(name)
    advice = translator.text(f"{name}_advice")
    values = {"status": status, "heading": heading, "advice": advice, "detail": detail}
    return render(request, "error.html", log=None, values=values, status=status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": asset_path, "hash_shown": HASH_SHOWN}
    environment.filters |= {
        "number": format_number,
        "yuan": format_yuan,
        "instant": format_instant,
    }
    return environment
