"""The auditor's pages: their addresses. See the package for what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from api.answers import JSON, PRIVATE, attachment
from api.dependencies import INDEX_MAX, BookOf, get_board, get_book
from api.forms import FormOf, SessionOf, get_sessions, read_form, require_role
from api.pages.audit.accounts import account_view
from api.pages.audit.attention import DECISIONS, attention_view, find_item, indices_of, item_view
from api.pages.audit.commands import log_commands
from api.pages.audit.consistency import Compared, compare_notes, compare_sizes, read_sizes
from api.pages.audit.downloads import EXPORT_ENTRIES_MAX, ZIP, export_answer, zip_of
from api.pages.audit.integrity import inspection_view, integrity_view
from api.pages.audit.sampling import COUNT_DEFAULT, COUNT_MAX, Asked, draw_here, read_asked
from api.pages.directory import Directory
from api.pages.format import format_number
from api.pages.kinds import kind_title
from api.pages.page import LogState, render, snapshot_log, translator_of
from api.pages.staff.fields import Leaf, form_of
from api.pages.staff.frame import go_to, render_staff
from api.pages.staff.recording import new_key, record, told
from api.pages.staff.sheet import tell
from api.pages.staff.typed import Problem
from api.pages.texts import Translator
from api.routes.accounts import ACCOUNT_PATTERN, ASSET_PATTERN
from api.sessions import Session
from ledger.audit.sample import SEED_CHARS_MAX, Sample
from ledger.book import Book, read_key_history
from ledger.commands.audit_page import sample_page
from ledger.commands.sampling import sample_csv, sample_json
from ledger.errors import LedgerError, MalformedError
from ledger.feed import Feed
from ledger.records.catalog import KINDS
from ledger.records.kind import Role
from ledger.records.request import check_key
from ledger.statistics.adding_up import Balance, add_up

router = APIRouter(prefix="/audit", include_in_schema=False, default_response_class=HTMLResponse)

ROWS_MAX = 50
"""Funds or items in one table; those that differ are always shown."""
COUNTED_MAX = 1_000
"""Checkpoints, cosignatures and time stamps that are counted; of more, a page says so."""

LINE_SHOWN = 40
"""Characters of what was pasted that are shown beside what is wrong with it."""
TYPED_CHARS_MAX = 1_000
"""What is typed into a field is shown again beside what is wrong with it; not more than so much."""

Number = Annotated[int, Query(ge=0, le=INDEX_MAX)]
Size = Annotated[int | None, Query(ge=1, le=INDEX_MAX)]
Typed = Annotated[str, Query(max_length=TYPED_CHARS_MAX)]
Count = Annotated[int, Query(ge=1, le=COUNT_MAX)]
KindName = Annotated[str | None, Query(pattern=r"^([a-z_]+\.[a-z_]+)?$", max_length=64)]
Topic = Annotated[str | None, Query(pattern=r"^[a-z_]{1,64}$")]
Flag = Annotated[str, Query(pattern=r"^[a-z_]{1,64}$")]
Indices = Annotated[str, Query(pattern=r"^[0-9,]{1,1000}$")]
FundCode = Annotated[str | None, Query(pattern=r"^([a-z0-9][a-z0-9-]{0,63})?$")]


@router.get("")
def overview(request: Request, book: BookOf) -> Response:
    """Does it add up: each sum by two ways."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        sums = add_up(reader)
        directory = Directory(reader, translator_of(request))
        values = {
            "sums": sums,
            "funds": _rows(sums.funds),
            "items": _rows(sums.items),
            "rules": [(directory.place("rule", one), units) for one, units in sums.rules.items()],
            "shops": [
                (directory.place("site", one), units, one) for one, units in sums.shops.items()
            ],
        }
    return render(request, "audit/overview.html", log=log, values=values)


@router.get("/accounts/{asset}/{account}")
def account(
    request: Request,
    book: BookOf,
    asset: Annotated[str, Path(pattern=ASSET_PATTERN)],
    account: Annotated[str, Path(pattern=ACCOUNT_PATTERN)],
    came: Number = 0,
    went: Number = 0,
) -> Response:
    """One account: what came in and what went out, by the numbers of its units."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        directory = Directory(reader, translator)
        view = account_view(reader, asset, account, (came, went), directory, translator)
    values = {"view": view, "of": f"{asset}/{account}", "came": came, "went": went}
    return render(request, "audit/account.html", log=log, values=values)


@router.get("/integrity")
def integrity(request: Request, book: BookOf) -> Response:
    """Size, root, checkpoint, keys, witnesses, time stamps."""
    feed: Feed = request.app.state.feed
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        view = integrity_view(book, reader, log.recorded_at, feed.standings(), feed.require)
    values = {"view": view, "inspection": inspection_view(request.app.state.inspector)}
    return render(request, "audit/integrity.html", log=log, values=values)


@router.get("/consistency")
def consistency(
    request: Request, book: BookOf, old: Typed | None = None, new: Typed = ""
) -> Response:
    """The form, and for two sizes their proof."""
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        sizes: tuple[int | str, int | str] = (old or "", new or log.size)
        compared: Compared | None = None
        errors: list[tuple[str, str]] = []
        match None if old is None else read_sizes(old, new, log.size):
            case (str(field), str(reason)):
                facts = {"size": format_number(log.size), "typed": old if field == "old" else new}
                errors = [(field, translator.text(f"consistency.{reason}", **facts))]
            case (int(), int()) as sizes:
                compared = compare_sizes(reader, *sizes)
    values = {"compared": compared, "errors": errors, "sizes": sizes, "pasted": ("", "")}
    return _consistency_page(request, log, values, 400 if errors else 200)


@router.post("/consistency")
async def compare(request: Request) -> Response:
    """Two pasted checkpoints: held against the log's keys, each other, and the tiles."""
    form = await read_form(request)
    pasted = (form.get("first"), form.get("second"))
    return await run_in_threadpool(_compared, request, pasted, form.get("do") == "evidence")


def _compared(request: Request, pasted: tuple[str, str], as_file: bool) -> Response:
    book = get_book(request)
    compared: Compared | None = None
    errors: list[tuple[str, str]] = []
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        policy = read_key_history(reader).policy()
        try:
            compared = compare_notes(reader, policy, *(one.encode() for one in pasted))
        except MalformedError as error:
            field = error.field or "first"
            lines = pasted[field == "second"].strip().splitlines()
            facts = {"lines": len(lines), "start": lines[0][:LINE_SHOWN] if lines else ""}
            reason = "no_checkpoint" if lines else "nothing_pasted"
            errors = [(field, translator_of(request).text(f"consistency.{reason}", **facts))]
    if as_file and compared is not None and compared.evidence is not None:
        found = compared.evidence
        command = log_commands(request, log).evidence(*(name for name, _ in found.files))
        readme = f"{found.told_zh}\n\n{found.told_en}\n\n{command}\n"
        data = zip_of([*found.files, ("README.txt", readme.encode())])
        return Response(data, media_type=ZIP, headers=attachment("shanji-evidence.zip"))
    values = {"compared": compared, "errors": errors, "sizes": ("", log.size), "pasted": pasted}
    return _consistency_page(request, log, values, 400 if errors else 200)


def _consistency_page(
    request: Request, log: LogState, values: dict[str, Any], status: int = 200
) -> Response:
    more = {"commands": log_commands(request, log), **values}
    return render(request, "audit/consistency.html", log=log, values=more, status=status)


@router.get("/attention")
def attention(request: Request, book: BookOf, topic: Topic = None, start: Number = 0) -> Response:
    """What asks for a person's judgement; who signed in as an auditor may decide."""
    translator = translator_of(request)
    session = get_sessions(request).find(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        board = get_board(request).of(reader, holds=book.holds())
        directory, public = Directory(reader, translator), session is None
        view = attention_view(board, topic, start, directory, translator, public=public)
    decides = session is not None and session.person.role == Role.AUDITOR
    values = {"view": view, "topic": topic, "decides": decides, "public": public}
    answer = render(request, "audit/attention.html", log=log, values=values)
    if session is not None:
        answer.headers["cache-control"] = PRIVATE
    return answer


@router.get("/attention/decide")
def decide(
    request: Request, book: BookOf, session: SessionOf, flag: Flag, entries: Indices
) -> Response:
    """The form for a decision on one flag."""
    require_role(session, Role.AUDITOR)
    return _decision_page(request, book, session, flag, entries, {}, [])


@router.post("/attention/decide")
def send_decision(request: Request, book: BookOf, session: SessionOf, form: FormOf) -> Response:
    """Record a decision as an entry; the same form sent twice records once."""
    require_role(session, Role.AUDITOR)
    flag, entries = form.get("flag"), form.get("entries")
    typed = {name: form.get(name) for name in ("decision", "reason", "key")}
    translator = translator_of(request)
    errors = []
    if typed["decision"] not in DECISIONS:
        errors.append(("decision", translator.text("attention.decision_missing")))
    if not typed["reason"]:
        errors.append(("reason", translator.text("attention.reason_missing")))
    if errors:
        return _decision_page(request, book, session, flag, entries, typed, errors)
    fields: dict[str, Any] = {
        "flag": flag,
        "entries": indices_of(entries),
        "decision": typed["decision"],
        "reason": typed["reason"],
    }
    if form.get("total"):
        fields["entries_total"] = indices_of(form.get("total"))[0]
    body = {"kind": "attention.disposed", "occurred_on": book.today(), "fields": fields}
    check_key(typed["key"])
    try:
        recorded = record(request, session.person, None, body, typed["key"])
    except LedgerError as error:
        _, problems = told(error)
        errors = [_decision_error(one, translator) for one in problems]
        return _decision_page(request, book, session, flag, entries, typed, errors)
    return go_to(f"/entries/{recorded.index}")


def _decision_error(problem: Problem, translator: Translator) -> tuple[str, str]:
    """A field of the form, and what is wrong: at the reason what is about the whole."""
    parts = form_of("attention.disposed").public.parts
    name = problem.path.removeprefix("fields.")
    leaf = next((one for one in parts if isinstance(one, Leaf) and one.name == name), None)
    found = tell(problem, leaf, translator)
    text = f"{found.text} {found.detail}".rstrip()
    return (name if name in ("decision", "reason") else "reason"), text


def _decision_page(
    request: Request,
    book: Book,
    session: Session,
    flag: str,
    entries: str,
    typed: dict[str, str],
    errors: list[tuple[str, str]],
) -> Response:
    """The form, with what was typed and what is wrong with it.

    Raises:
        NotFoundError: nothing asks for attention by that name and these entries.
    """
    translator = translator_of(request)
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        board = get_board(request).of(reader, holds=book.holds())
        item = find_item(board, flag, indices_of(entries))
        view = item_view(item, Directory(reader, translator), translator)
    values = {
        "one": view,
        "entries": entries,
        "typed": {"key": new_key(), "decision": "", "reason": "", **typed},
        "errors": errors,
        "decisions": [("", "")] + [(one, translator.word("value", one)) for one in DECISIONS],
    }
    status = 400 if errors else 200
    return render_staff(
        request, session, "audit/decide.html", log=log, values=values, status=status
    )


@router.get("/sample")
def sample(
    request: Request,
    book: BookOf,
    seed: Typed = "",
    n: Typed = "",
    kind: Typed = "",
    fund: Typed = "",
    size: Size = None,
) -> Response:
    """A reproducible sample to tick off."""
    translator = translator_of(request)
    drawn: Sample | None = None
    typed = {"seed": seed, "n": n, "kind": kind, "fund": fund}
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        asked, wrong = read_asked(reader, typed, size or log.size)
        too_large = asked.size > asked.entries_max
        if asked.seed and not wrong and not too_large:
            drawn = draw_here(reader, asked)
        directory = Directory(reader, translator)
        rows = [
            (one, kind_title(one.kind, translator), directory.amount(one.asset, one.amount))
            for one in (drawn.drawn if drawn else ())
        ]
    most = {"seed": SEED_CHARS_MAX, "n": COUNT_MAX}
    errors = [
        (one, translator.text(f"sample.wrong_{one}", typed=typed[one], most=most.get(one, 0)))
        for one in wrong
    ]
    values = {
        "errors": errors,
        "typed": {**typed, "n": n or asked.count},
        "asked": asked,
        "drawn": drawn,
        "rows": rows,
        "too_large": too_large,
        "count_max": COUNT_MAX,
        "query": urlencode(_query(asked)),
        "kinds": [("", translator.text("sample.any"))]
        + [(one.name, kind_title(one.name, translator)) for one in KINDS],
        "command": log_commands(request, log).sample(
            asked.seed or "SEED", asked.count, asked.kind, asked.fund
        ),
    }
    status = 400 if errors else 200
    return render(request, "audit/sample.html", log=log, values=values, status=status)


@router.get("/sample.{form}")
def sample_file(
    book: BookOf,
    form: Annotated[Literal["csv", "json", "html"], Path()],
    seed: Annotated[str, Query(min_length=1, max_length=SEED_CHARS_MAX)],
    size: Annotated[int, Query(ge=1, le=INDEX_MAX)],
    n: Count = COUNT_DEFAULT,
    kind: KindName = None,
    fund: FundCode = None,
) -> Response:
    """The sample as the command writes it: a table, JSON, a page to print."""
    with book.store.read() as reader:
        drawn = draw_here(reader, Asked(seed, n, size, kind or None, fund or None))
    if form == "csv":
        data, media_type = sample_csv(drawn), "text/csv; charset=utf-8"
    elif form == "json":
        data, media_type = sample_json(drawn).encode(), JSON
    else:
        data, media_type = sample_page(drawn).encode(), "text/html; charset=utf-8"
    return Response(data, media_type=media_type, headers=attachment(f"sample.{form}"))


@router.get("/downloads")
def downloads(request: Request, book: BookOf) -> Response:
    """Everything to take away, and what to run on one's own machine."""
    with book.store.read() as reader:
        log = snapshot_log(book, reader)
        rows = {
            name: reader.count(name, COUNTED_MAX + 1)
            for name in ("checkpoint", "cosignature", "anchor")
        }
    values = {
        "commands": log_commands(request, log),
        "may_export": log.size <= EXPORT_ENTRIES_MAX,
        "export_max": EXPORT_ENTRIES_MAX,
        "counts": {
            name: f"{min(count, COUNTED_MAX):,}" + ("+" if count > COUNTED_MAX else "")
            for name, count in rows.items()
        },
    }
    return render(request, "audit/downloads.html", log=log, values=values)


@router.get("/export.zip")
def export_all(book: BookOf) -> Response:
    """The whole log as tables with their manifest, where it is small enough for one answer."""
    return export_answer(book.store, book.head().size)


def _query(asked: Asked) -> dict[str, str | int]:
    more = {"kind": asked.kind, "fund": asked.fund}
    chosen = {name: value for name, value in more.items() if value is not None}
    return {"seed": asked.seed, "n": asked.count, "size": asked.size, **chosen}


def _rows(balances: Sequence[Balance]) -> tuple[list[Balance], int]:
    """What one table shows, and how many more there are, which all add up."""
    wrong = [one for one in balances if one.difference]
    right = [one for one in balances if not one.difference]
    shown = wrong + right[: max(0, ROWS_MAX - len(wrong))]
    return sorted(shown, key=lambda one: one.code), len(balances) - len(shown)
