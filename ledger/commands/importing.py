"""``shanji import``: the gifts of a spreadsheet, first a plan, then the recording."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, chosen_columns, default_language, say

if TYPE_CHECKING:
    from ledger.intake.gift_list import Choices
    from ledger.intake.plan import Plan
    from ledger.intake.recording import Outcome
    from ledger.intake.sheets import Table

PARTS = ("order_number", "amount", "occurred_on", "exact_time", "donor_name", "message", "contact")
SHOWN_MAX = 20
"""Errors and conflicts that are listed on the terminal; `--errors` writes them all."""

_WORDS = {
    "zh": {
        "plan": "计划：{rows} 行，{gifts} 笔捐赠，合计 {sum} 元；空行 {blank}，"
        "文件内重复 {repeats}，已入账 {recorded}，冲突 {conflicts}，错误 {errors}。",
        "row": "第 {row} 行 {column}：{reason} {remedy}",
        "conflict": "订单冲突，第 {row} 行：{reason}",
        "warning": "注意：{text}",
        "refused": "有错误或冲突，未记录任何内容。请修正后重新导入。",
        "nothing": "没有新增：文件中的捐赠都已入账。",
        "done": "已记录 {count} 笔，合计 {sum} 元，条目 {first} 至 {last}。",
        "planned": "仅显示计划，未记录。",
        "confirm": "请输入合计金额（元）以确认记录：",
        "not_confirmed": "输入的合计与计划不符，未记录。",
    },
    "en": {
        "plan": "Plan: {rows} rows, {gifts} gifts, {sum} yuan together; {blank} blank, "
        "{repeats} repeated in the file, {recorded} recorded before, {conflicts} conflicts, "
        "{errors} errors.",
        "row": "Row {row}, {column}: {reason} {remedy}",
        "conflict": "Conflicting order, row {row}: {reason}",
        "warning": "Note: {text}",
        "refused": "There are errors or conflicts: nothing was recorded. Mend the file, and "
        "import it again.",
        "nothing": "Nothing was added: all gifts of the file are recorded already.",
        "done": "Recorded {count} gifts, {sum} yuan together, entries {first} to {last}.",
        "planned": "This is the plan only; nothing was recorded.",
        "confirm": "Type the sum in yuan to record: ",
        "not_confirmed": "The sum typed is not the plan's; nothing was recorded.",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("import")(import_gifts)


def import_gifts(
    file: Annotated[Path, typer.Argument(help="An XLSX, XLS, ODS or CSV file.")],
    fund: Annotated[str, typer.Option(help="The fund that the gifts go to.")],
    channel: Annotated[str, typer.Option(help="How the gifts came: wechat, bank ...")] = "import",
    project: Annotated[str | None, typer.Option(help="The project they are for.")] = None,
    campaign: Annotated[str | None, typer.Option(help="The campaign that raised them.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help=f"NAME=HEADER, where NAME is one of {', '.join(PARTS)}; repeatable."),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet, where several qualify.")] = None,
    date: Annotated[
        str | None, typer.Option(help="The day of gifts whose row has none, like 2021-09-09.")
    ] = None,
    date_from_order: Annotated[
        bool, typer.Option("--date-from-order", help="Take the day from the order number.")
    ] = False,
    unit: Annotated[
        Literal["yuan", "fen"] | None,
        typer.Option(help="What the amounts are in; yuan, unless they look like fen."),
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Show the plan only.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Write the rows with errors or conflicts to this CSV file.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Record without asking.")] = False,
    person: Annotated[
        str, typer.Option(help="The pseudonymous id of who imports.")
    ] = "import-clerk",
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Record the gifts of a spreadsheet: a plan first, then the recording."""
    from ledger.book import Book
    from ledger.intake.columns import GIFTS
    from ledger.intake.errors_file import write_errors
    from ledger.intake.gift_list import Choices
    from ledger.intake.recording import Target, record_plan

    words = _WORDS[lang or default_language()]
    choices = Choices(
        sheet=sheet,
        columns=chosen_columns(column, GIFTS, "--column"),
        unit=unit,
        date=date,
        date_from_order=date_from_order,
    )
    book = Book.open(data)
    try:
        table, plan = _plan(book, file, choices)
        _show(plan, words)
        if errors is not None and not plan.clean:
            write_errors(errors, table, plan)
        result = _plan_as_json(plan)
        code = 0
        if not plan.clean:
            say(words["refused"])
            code = 1
        elif plan_only:
            say(words["planned"])
        elif not plan.gifts:
            say(words["nothing"])
            result |= {"recorded": 0}
        elif not yes and sys.stdin.isatty() and not _confirmed(plan, words):
            say(words["not_confirmed"])
            code = 4
        else:
            target = Target(fund, channel, person, project, campaign)
            outcome = _record(record_plan, book, plan, target)
            result |= {
                "recorded": outcome.recorded,
                "first": outcome.first,
                "last": outcome.last,
            }
            text = words["done"].format(
                count=outcome.recorded,
                sum=_yuan(outcome.sum_fen),
                first=outcome.first,
                last=outcome.last,
            )
            say(text)
    finally:
        book.close()
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    if code:
        raise typer.Exit(code)


def _plan(book: Any, file: Path, choices: Choices) -> tuple[Table, Plan]:
    from ledger.intake.gift_list import plan_list
    from ledger.intake.recording import known_gifts
    from ledger.intake.sheets import read_file

    known = known_gifts(book)
    return plan_list(file.name, read_file(file), choices, known=known, today=book.today())


def _show(plan: Plan, words: dict[str, str]) -> None:
    headers = ", ".join(f"{name}={header}" for name, header in plan.columns.headers().items())
    source = plan.source
    say(f"{source.name}: {source.media} {source.sheet or source.encoding or ''} [{headers}]")
    say(
        words["plan"].format(
            rows=plan.rows_total,
            gifts=len(plan.gifts),
            sum=_yuan(plan.sum_fen),
            blank=plan.rows_blank,
            repeats=len(plan.repeats),
            recorded=len(plan.already_recorded),
            conflicts=len(plan.conflicts),
            errors=len(plan.errors),
        )
    )
    for notice in plan.warnings:
        say(words["warning"].format(text=notice.message))
    for conflict in plan.conflicts[:SHOWN_MAX]:
        say(words["conflict"].format(row=conflict.row, reason=conflict.reason))
    for error in plan.errors[:SHOWN_MAX]:
        say(
            words["row"].format(
                row=error.row, column=error.column, reason=error.reason, remedy=error.remedy
            )
        )


def _plan_as_json(plan: Plan) -> dict[str, Any]:
    return {
        "clean": plan.clean,
        "digest": plan.digest,
        "file_sha256": plan.source.sha256,
        "columns": plan.columns.headers(),
        "rows": plan.rows_total,
        "blank": plan.rows_blank,
        "gifts": len(plan.gifts),
        "sum_fen": plan.sum_fen,
        "repeats": len(plan.repeats),
        "already_recorded": len(plan.already_recorded),
        "conflicts": [{"row": one.row, "reason": one.reason} for one in plan.conflicts],
        "errors": [
            {"row": one.row, "column": one.column, "code": one.code, "reason": one.reason}
            for one in plan.errors
        ],
        "warnings": [{"code": one.code, "message": one.message} for one in plan.warnings],
    }


def _record(record_plan: Any, book: Any, plan: Plan, target: Any) -> Outcome:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("import", total=len(plan.gifts))
        outcome: Outcome = record_plan(
            book, plan, target, lambda done: bar.update(task, completed=done)
        )
    return outcome


def _confirmed(plan: Plan, words: dict[str, str]) -> bool:
    """At a terminal a person types the total, so that a wrong unit is noticed."""
    typed = input(words["confirm"]).replace(",", "").strip()
    total = _yuan(plan.sum_fen).replace(",", "")
    return typed in (total, total.removesuffix(".00"))


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"
