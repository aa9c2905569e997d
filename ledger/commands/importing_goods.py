"""``shanji import-goods``: offers and deliveries of goods, first a plan, then the recording."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, chosen_columns, default_language, say

if TYPE_CHECKING:
    from ledger.book import Book
    from ledger.intake.goods_plan import GoodsPlan
    from ledger.intake.goods_recording import GoodsOutcome
    from ledger.intake.sheets import Table

DELIVERED = ("delivered", "completed", "已送达", "已签收", "已发放")
TESTS = ("test", "test_match", "测试")
SHOWN_MAX = 20
"""Errors and conflicts that are listed on the terminal; `--errors` writes all rows."""

_WORDS = {
    "zh": {
        "list": {"offers": "捐赠清单", "deliveries": "发放清单", "items": "品类清单"},
        "total": "{list}（{file}）：{rows} 行，{units} 件。",
        "outcome": "  {word}：{rows} 行，{units} 件",
        "delivered": "  其中已送达：{rows} 行，{units} 件",
        "flag": "存疑 {word}：{rows} 行，{units} 件",
        "row": "{list} 第 {row} 行 {column}：{reason} {remedy}",
        "conflict": "{list} 第 {row} 行与条目 #{entry} 冲突：{reason} {remedy}",
        "refused": "有 {count} 处错误或冲突，未记录任何内容。请修正后重新导入。",
        "planned": "仅显示计划，未记录：待新增 {count} 条记录。",
        "nothing": "没有新增：清单内容均已入账。",
        "done": "已新增 {count} 个条目：{first} 至 {last}。",
        "confirm": "请输入待入账的发放件数以确认记录：",
        "not_confirmed": "输入的件数与计划不符，未记录。",
        "recorded": "入账",
        "unreadable": "无法读取",
        "test": "测试行，未入账",
        "not_delivered": "未送达，不入账",
        "repeated": "完全重复，跳过",
        "zero_quantity": "数量为零，无可入账",
        "negative_quantity": "数量为负，拒绝",
        "quantity_too_large": "数量超出上限，拒绝",
        "no_offer": "找不到对应的捐赠，拒绝",
        "beyond_offer": "超出捐赠余量，拒绝",
        "delivered_before_request": "发放日期早于申请日期",
        "delivered_before_offer": "发放日期早于捐赠日期",
        "reason_given": "已送达却注明未成原因",
        "split": "由多笔捐赠合并发放",
        "quantity_odd": "捐赠数量异常大",
    },
    "en": {
        "list": {"offers": "offers", "deliveries": "deliveries", "items": "items"},
        "total": "{list} ({file}): {rows} rows, {units} units.",
        "outcome": "  {word}: {rows} rows, {units} units",
        "delivered": "  of these delivered: {rows} rows, {units} units",
        "flag": "Flagged, {word}: {rows} rows, {units} units",
        "row": "{list}, row {row} {column}: {reason} {remedy}",
        "conflict": "{list}, row {row} contradicts entry #{entry}: {reason}; {remedy}",
        "refused": "There are {count} errors or conflicts: nothing was recorded. Mend the lists, "
        "and import them again.",
        "planned": "This is the plan only; nothing was recorded. {count} records are new.",
        "nothing": "Nothing was added: all of the lists is recorded already.",
        "done": "Added {count} entries: {first} to {last}.",
        "confirm": "Type the number of units of the deliveries to be recorded: ",
        "not_confirmed": "The number typed is not the plan's; nothing was recorded.",
        "recorded": "recorded",
        "unreadable": "unreadable",
        "test": "marked as a test, left out",
        "not_delivered": "not delivered, left out",
        "repeated": "exact repeats, skipped",
        "zero_quantity": "quantity zero, nothing to record",
        "negative_quantity": "quantity below zero, refused",
        "quantity_too_large": "quantity over the limit, refused",
        "no_offer": "no such offer, refused",
        "beyond_offer": "more than is left of the offer, refused",
        "delivered_before_request": "delivered before it was asked for",
        "delivered_before_offer": "delivered before the offer",
        "reason_given": "delivered, with a reason why not",
        "split": "out of several offers",
        "quantity_odd": "an unusually large offer",
    },
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("import-goods")(import_goods)


def import_goods(
    offers: Annotated[Path, typer.Argument(help="The list of offers: XLSX, XLS, ODS or CSV.")],
    deliveries: Annotated[Path, typer.Argument(help="The list of deliveries.")],
    site: Annotated[str, typer.Option(help="The code of the site that the goods go through.")],
    items: Annotated[
        Path | None, typer.Option(help="A list of the items: code, name, unit.")
    ] = None,
    site_name: Annotated[
        str | None, typer.Option(help="The site's name, where it is new; by default its code.")
    ] = None,
    offers_column: Annotated[
        list[str] | None, typer.Option(help="PART=HEADER of the offers; repeatable.")
    ] = None,
    deliveries_column: Annotated[
        list[str] | None, typer.Option(help="PART=HEADER of the deliveries; repeatable.")
    ] = None,
    items_column: Annotated[
        list[str] | None, typer.Option(help="PART=HEADER of the items; repeatable.")
    ] = None,
    delivered: Annotated[
        list[str] | None, typer.Option(help="A status that means delivered; repeatable.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="A status or reason that means a test; repeatable.")
    ] = None,
    repeats: Annotated[
        str, typer.Option(help="Exact repeats of a row: skip, or record each.")
    ] = "skip",
    unit: Annotated[str, typer.Option(help="The unit of new items where no list has one.")] = "件",
    plan_only: Annotated[bool, typer.Option("--plan", help="Show the plan only.")] = False,
    account: Annotated[
        Path | None, typer.Option(help="Write the account of every row and unit to this file.")
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(help="Write rows with errors, left out or flagged to CSV files there."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Record without asking.")] = False,
    person: Annotated[
        str, typer.Option(help="The pseudonymous id of who imports.")
    ] = "import-clerk",
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Record goods offered and delivered, each delivery out of its offer's lot."""
    from ledger.book import Book
    from ledger.intake.goods_account import account_of, format_account
    from ledger.intake.goods_lists import DELIVERIES, ITEMS, OFFERS
    from ledger.intake.goods_plan import Settings
    from ledger.intake.goods_recording import GoodsTarget

    if repeats not in ("skip", "record"):
        raise typer.BadParameter(f"--repeats: expected skip or record, got {repeats!r}")
    words = _WORDS[lang or default_language()]
    settings = Settings(
        site,
        frozenset(one.casefold() for one in delivered or DELIVERED),
        frozenset(one.casefold() for one in test or TESTS),
        repeats == "record",
        unit,
    )
    given = {
        "offers": (offers, OFFERS, chosen_columns(offers_column, OFFERS, "--offers-column")),
        "deliveries": (
            deliveries,
            DELIVERIES,
            chosen_columns(deliveries_column, DELIVERIES, "--deliveries-column"),
        ),
    }
    if items is not None:
        given["items"] = (items, ITEMS, chosen_columns(items_column, ITEMS, "--items-column"))
    book = Book.open(data)
    try:
        plan, tables = _plan(book, given, settings)
        result = {"clean": plan.clean, **account_of(plan)}
        result["errors"] = [
            {"list": name, "row": one.row, "column": one.column, "code": one.code}
            | {"reason": one.reason, "remedy": one.remedy}
            for name, one in plan.errors
        ]
        result["conflicts"] = [
            {"list": one.list, "row": one.row, "entry": one.entry, "reason": one.reason}
            for one in plan.conflicts
        ]
        _show(plan, tables, result, words)
        if account is not None:
            account.write_bytes(format_account(plan))
        if errors is not None:
            _write_lists(errors, plan, tables)
        target = GoodsTarget(site, site_name or site, person)
        code, added = _carry_out(book, plan, target, words, plan_only=plan_only, yes=yes)
        result["added"] = added
    finally:
        book.close()
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    if code:
        raise typer.Exit(code)


def _plan(book: Book, given: dict[str, Any], settings: Any) -> tuple[GoodsPlan, dict[str, Table]]:
    from ledger.intake.goods_lists import read_deliveries, read_items, read_offers
    from ledger.intake.goods_matching import plan_goods
    from ledger.intake.goods_recording import known_goods, registered_items
    from ledger.intake.sheets import read_table

    tables: dict[str, Table] = {}
    columns: dict[str, dict[str, str]] = {}
    for name, (path, layout, chosen) in given.items():
        table = read_table(path, headers=list(chosen.values()), layout=layout)
        tables[name], columns[name] = table, layout.guess(table.columns, chosen)
        said = ", ".join(f"{part}={header}" for part, header in columns[name].items())
        say(f"{path.name}: {table.source.media} {table.source.encoding or ''} [{said}]")
    today = book.today()
    offers, wrong_offers = read_offers(tables["offers"], columns["offers"], today)
    deliveries, wrong_deliveries = read_deliveries(
        tables["deliveries"], columns["deliveries"], today, settings.is_delivered
    )
    items, wrong_items = (
        read_items(tables["items"], columns["items"]) if "items" in tables else ([], [])
    )
    errors: list[Any] = [("offers", one) for one in wrong_offers]
    errors += [("deliveries", one) for one in wrong_deliveries]
    errors += [("items", one) for one in wrong_items]
    plan = plan_goods(
        offers,
        deliveries,
        items,
        settings=settings,
        registered=registered_items(book),
        known=known_goods(book),
        files={name: table.source.sha256 for name, table in tables.items()},  # type: ignore[misc]
        errors=errors,
    )
    return plan, tables


def _show(
    plan: GoodsPlan, tables: dict[str, Table], result: dict[str, Any], words: dict[str, Any]
) -> None:
    for name in ("offers", "deliveries"):
        found = result[name]
        said = {"list": words["list"][name], "file": tables[name].source.name}
        say(words["total"].format(rows=_n(found["rows"]), units=_n(found["units"]), **said))
        if "delivered" in found:
            counts = {what: _n(count) for what, count in found["delivered"].items()}
            say(words["delivered"].format(**counts))
        for code, one in found["outcomes"].items():
            counts = {"rows": _n(one["rows"]), "units": _n(one["units"])}
            say(words["outcome"].format(word=words[code], **counts))
    for code, one in result["flags"].items():
        counts = {"rows": _n(one["rows"]), "units": _n(one["units"])}
        say(words["flag"].format(word=words[code], **counts))
    for name, error in plan.errors[:SHOWN_MAX]:
        said = {"list": words["list"][name], "row": error.row, "column": error.column}
        say(words["row"].format(reason=error.reason, remedy=error.remedy, **said))
    for conflict in plan.conflicts[:SHOWN_MAX]:
        said = {"list": words["list"][conflict.list], "row": conflict.row}
        said |= {"entry": conflict.entry, "reason": conflict.reason, "remedy": conflict.remedy}
        say(words["conflict"].format(**said))


def _carry_out(
    book: Book,
    plan: GoodsPlan,
    target: Any,
    words: dict[str, Any],
    *,
    plan_only: bool,
    yes: bool,
) -> tuple[int, dict[str, Any]]:
    """Record the plan if it is to be; the exit code, and what was added."""
    if not plan.clean:
        say(words["refused"].format(count=len(plan.errors) + len(plan.conflicts)))
        return 1, {}
    if plan_only:
        say(words["planned"].format(count=_n(plan.new_records)))
        return 0, {}
    if plan.new_records and not yes and sys.stdin.isatty() and not _confirmed(plan, words):
        say(words["not_confirmed"])
        return 4, {}
    outcome = _record(book, plan, target)
    if not outcome.recorded:
        say(words["nothing"])
    else:
        places = {"first": outcome.first, "last": outcome.last}
        say(words["done"].format(count=_n(outcome.recorded), **places))
    return 0, {**outcome.by_kind, "first": outcome.first, "last": outcome.last}


def _record(book: Book, plan: GoodsPlan, target: Any) -> GoodsOutcome:
    from rich.console import Console
    from rich.progress import Progress

    from ledger.intake.goods_recording import record_goods

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("import-goods", total=None)
        return record_goods(book, plan, target, lambda done: bar.update(task, completed=done))


def _confirmed(plan: GoodsPlan, words: dict[str, Any]) -> bool:
    """At a terminal a person types the units, so that a wrong column is noticed."""
    typed = input(words["confirm"]).replace(",", "").strip()
    return typed == str(sum(one.delivery.quantity for one in plan.deliveries))


def _write_lists(folder: Path, plan: GoodsPlan, tables: dict[str, Table]) -> None:
    """One CSV file for each list that has such rows, in its own layout."""
    from ledger.intake.errors_file import format_rows, write_file
    from ledger.intake.goods_plan import remarks_of

    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        remarks = remarks_of(plan, name)
        if remarks:
            write_file(folder / f"{name}.csv", format_rows(table, remarks))


def _n(number: int) -> str:
    return f"{number:,}"
