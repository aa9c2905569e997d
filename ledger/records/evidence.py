"""Documents and bank statements: what lies outside the log and what it says.

A file itself is never in the log, only its SHA-256. A bank line and gifts are matched
many to many; a difference is shown, never forced away (domain, section 1).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ledger.entry import Entry
from ledger.records.corrections import CORRECTIONS
from ledger.records.disclosures import Disclosed, note_disclosed
from ledger.records.kind import (
    AMOUNT_FEN_MAX,
    Code,
    Day,
    Draft,
    Fields,
    Hash,
    Index,
    Kind,
    Name,
    Plan,
    Role,
    Sealed,
    Text,
    clean,
    reject,
)
from ledger.state import State, references_of

ABOUT_MAX = 200
LINES_MAX = 200
SIZE_BYTES_MAX = 2**40
CLERK = frozenset((Role.CLERK,))

Balance = Annotated[int, Field(ge=-AMOUNT_FEN_MAX, le=AMOUNT_FEN_MAX)]
Total = Annotated[int, Field(ge=0, le=AMOUNT_FEN_MAX)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class DocumentAttached(Fields):
    """A file that shows something about earlier entries."""

    sha256: Hash
    media_type: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]{1,80}$")]
    size_bytes: Annotated[int, Field(ge=1, le=SIZE_BYTES_MAX)]
    shows: Text
    about: Annotated[list[Index], Field(min_length=1, max_length=ABOUT_MAX)]
    notice_of: Index | None = Field(
        None, description="the correction whose published notice (更正说明) this is"
    )
    discloses: Disclosed | None = Field(
        None, description="the duty of disclosure (信息公开) that its publication meets"
    )
    year: Annotated[int, Field(ge=2000, le=9999)] | None = Field(
        None, description="of an annual report: the year that it is about"
    )


class DocumentSealed(Sealed):
    """What the file is called."""

    file_name: Name | None = None


def _plan_document(draft: Draft[DocumentAttached], state: State) -> Plan:
    fields = draft.fields
    for number, index in enumerate(fields.about):
        state.entry(index, f"fields.about.{number}")
    _check_year(fields, draft.occurred_on)
    notice_of = [] if fields.notice_of is None else [fields.notice_of]
    for index in notice_of:
        found = state.entry(index, "fields.notice_of")
        if found.kind not in CORRECTIONS:
            reject(
                "not_a_correction",
                f"fields.notice_of: entry {index} is a {found.kind}; name the entry that "
                f"corrects ({' or '.join(CORRECTIONS)})",
                field="fields.notice_of",
            )
    return Plan(references=references_of(fields.about, notice_of))


def _check_year(fields: DocumentAttached, day: str) -> None:
    """An annual report, and nothing else, is about a year, which is over."""
    over = fields.year is None or f"{fields.year:04d}-12-31" < day
    if (fields.discloses == "annual_report") != (fields.year is not None) or not over:
        reject(
            "annual_report_year",
            "fields.year: expected the year of an annual report that is over, and none for "
            "another document",
            field="fields.year",
        )


def _effects_document(entry: Entry, state: State, sign: int) -> None:
    note_disclosed(entry, state)
    notice_of = entry.fields.get("notice_of")
    if notice_of is not None:
        key = f"notices-of/{notice_of}"
        found = (state.get(key) or {"entries": []})["entries"]
        state.put(key, {"entries": [*found, entry.index]})


DOCUMENT_ATTACHED = Kind(
    name="document.attached",
    title_zh="附加凭证文件",
    title_en="Document attached",
    moves="nothing",
    fields=DocumentAttached,
    sealed=DocumentSealed,
    recorders=frozenset((Role.CLERK, Role.WAREHOUSE, Role.SHOP, Role.REGISTRAR)),
    plan=_plan_document,
    effects=_effects_document,
    example={
        "occurred_on": "2021-10-09",
        "fields": {
            "sha256": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
            "media_type": "application/pdf",
            "size_bytes": 48_213,
            "shows": "捐赠协议",
            "about": [2],
        },
        "sealed": {"file_name": "示例捐赠协议.pdf"},
    },
)


class StatementImported(Fields):
    """A bank statement's totals; its lines are sealed."""

    account_alias: Code
    period_from: Day
    period_to: Day
    opening_fen: Balance
    closing_fen: Balance
    credits: Count
    credits_fen: Total
    debits: Count
    debits_fen: Total
    lines_sha256: Hash = Field(description="of the file that the lines came in")


class StatementSealed(Sealed):
    """The lines as the bank gave them."""

    lines: Annotated[str, Field(min_length=1, max_length=6000), clean(6000)] | None = None


def _plan_statement(draft: Draft[StatementImported], state: State) -> Plan:
    fields = draft.fields
    if fields.period_to < fields.period_from:
        reject(
            "period_reversed",
            f"fields.period_to: {fields.period_to} is before {fields.period_from}",
            field="fields.period_to",
        )
    moved = fields.credits_fen - fields.debits_fen
    if fields.opening_fen + moved != fields.closing_fen:
        reject(
            "statement_does_not_add_up",
            f"fields.closing_fen: {fields.opening_fen} + {fields.credits_fen} - "
            f"{fields.debits_fen} is {fields.opening_fen + moved}, not {fields.closing_fen}",
            field="fields.closing_fen",
        )
    last = state.get(f"statement/{fields.account_alias}")
    if last is None:
        return Plan()
    if fields.period_from <= last["period_to"]:
        reject(
            "statement_overlaps",
            f"fields.period_from: entry {last['entry']} has this account up to "
            f"{last['period_to']} already",
            field="fields.period_from",
            entry=last["entry"],
        )
    return Plan(references=references_of(last))


def _effects_statement(entry: Entry, state: State, sign: int) -> None:
    """The account's last statement; where that is reversed, the one before it again."""
    key = f"statement/{entry.fields['account_alias']}"
    last = entry if sign > 0 else _statement_before(entry, state)
    state.put(key, None if last is None else _standing(last, state))


def _statement_before(entry: Entry, state: State) -> Entry | None:
    """The statement of the same account that one follows; it refers to nothing else."""
    return state.entry(entry.references[0], "references") if entry.references else None


def _standing(entry: Entry, state: State) -> dict[str, Any]:
    before = _statement_before(entry, state)
    gap = 0 if before is None else entry.fields["opening_fen"] - before.fields["closing_fen"]
    value = {name: entry.fields[name] for name in ("period_to", "closing_fen")}
    return {**value, "gap_before_fen": gap, "entry": entry.index}


STATEMENT_IMPORTED = Kind(
    name="statement.imported",
    title_zh="导入银行对账单",
    title_en="Statement imported",
    moves="nothing",
    fields=StatementImported,
    sealed=StatementSealed,
    recorders=CLERK,
    plan=_plan_statement,
    effects=_effects_statement,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "account_alias": "bank-main",
            "period_from": "2021-12-01",
            "period_to": "2021-12-31",
            "opening_fen": 1_000_000,
            "closing_fen": 1_010_000,
            "credits": 1,
            "credits_fen": 10_000,
            "debits": 0,
            "debits_fen": 0,
            "lines_sha256": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
        },
    },
)


class StatementLine(Fields):
    """One credit line of a statement."""

    line: Annotated[int, Field(ge=1, le=10**6)]
    amount_fen: Annotated[int, Field(ge=1, le=AMOUNT_FEN_MAX)]


class StatementMatched(Fields):
    """Bank lines and the gifts that they brought; the difference stays visible."""

    statement: Index
    lines: Annotated[list[StatementLine], Field(min_length=1, max_length=LINES_MAX)]
    gifts: Annotated[list[Index], Field(min_length=1, max_length=1000)]
    difference_fen: Balance = Field(description="the lines' sum less the gifts' sum")
    reason: Text | None = Field(None, description="required where there is a difference")


def _plan_matched(draft: Draft[StatementMatched], state: State) -> Plan:
    fields = draft.fields
    statement = state.entry(fields.statement, "fields.statement")
    if statement.kind != "statement.imported":
        reject(
            "not_a_statement",
            f"fields.statement: entry {fields.statement} is {statement.kind}",
            field="fields.statement",
        )
    undone = state.get(f"reversed/{fields.statement}")
    if undone is not None:
        reject(
            "statement_reversed",
            f"fields.statement: entry {undone['entry']} reversed this statement; match the lines "
            "of the one that was imported in its place",
            field="fields.statement",
            entry=undone["entry"],
        )
    for one in fields.lines:
        taken = state.get(f"bank-line/{fields.statement}/{one.line}")
        if taken is not None or [line.line for line in fields.lines].count(one.line) > 1:
            reject(
                "line_matched",
                f"fields.lines: line {one.line} is matched already",
                field="fields.lines",
                **({} if taken is None else {"entry": taken["entry"]}),
            )
    brought = sum(one.amount_fen for one in fields.lines)
    before = (state.get(f"bank-matched/{fields.statement}") or {"amount_fen": 0})["amount_fen"]
    if before + brought > statement.fields["credits_fen"]:
        reject(
            "lines_over_statement",
            f"fields.lines: the statement has {statement.fields['credits_fen']} fen of credits, "
            f"{before} are matched, these lines are {brought} more",
            field="fields.lines",
        )
    given = 0
    for number, gift in enumerate(fields.gifts):
        where = f"fields.gifts.{number}"
        entry = state.entry(gift, where)
        if entry.kind not in ("donation.money", "donation.matched"):
            reject("not_a_gift", f"{where}: entry {gift} is {entry.kind}, no gift", field=where)
        if state.get(f"reversed/{gift}") is not None:
            reject("gift_reversed", f"{where}: gift {gift} was reversed", field=where)
        if state.get(f"bank-match/{gift}") is not None or fields.gifts.count(gift) > 1:
            reject("gift_matched", f"{where}: gift {gift} is matched already", field=where)
        given += entry.fields["amount_fen"]
    difference = brought - given
    if difference != fields.difference_fen:
        reject(
            "difference",
            f"fields.difference_fen: lines less gifts is {difference}, not {fields.difference_fen}",
            field="fields.difference_fen",
            expected=difference,
        )
    if difference and fields.reason is None:
        reject(
            "difference_unexplained",
            "fields.reason: say why lines and gifts differ",
            field="fields.reason",
        )
    return Plan(references=references_of([fields.statement], fields.gifts))


def _effects_matched(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    claim = {"entry": entry.index} if sign > 0 else None
    for one in fields["lines"]:
        state.put(f"bank-line/{fields['statement']}/{one['line']}", claim)
    for gift in fields["gifts"]:
        state.put(f"bank-match/{gift}", claim)
    key = f"matches-of/{fields['statement']}"
    entries = (state.get(key) or {"entries": []})["entries"]
    entries = [one for one in entries if one != entry.index] + [entry.index] * (sign > 0)
    state.put(key, {"entries": entries} if entries else None)
    brought = sum(one["amount_fen"] for one in fields["lines"])
    state.add(f"bank-matched/{fields['statement']}", amount_fen=sign * brought)
    state.add("bank-total", matched_lines=sign * len(fields["lines"]))
    state.add("bank-total", difference_fen=sign * fields["difference_fen"])


STATEMENT_MATCHED = Kind(
    name="statement.matched",
    title_zh="银行流水匹配",
    title_en="Statement matched",
    moves="nothing",
    fields=StatementMatched,
    recorders=CLERK,
    plan=_plan_matched,
    effects=_effects_matched,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "statement": 12,
            "lines": [{"line": 1, "amount_fen": 10_000}],
            "gifts": [5],
            "difference_fen": 0,
        },
    },
)


class BalanceAsserted(Fields):
    """What the bank says that the funds have together, beside what the ledger says."""

    account_alias: Code
    as_of: Day
    funds: Annotated[list[Code], Field(min_length=1, max_length=200)]
    bank_fen: Balance
    difference_fen: Balance = Field(description="the bank's balance less the ledger's")
    reason: Text | None = Field(None, description="required where there is a difference")


def _check_as_of(as_of: str, occurred_on: str) -> None:
    if as_of > occurred_on:
        reject(
            "as_of_later",
            f"fields.as_of: {as_of} is after the day of the statement itself, {occurred_on}",
            field="fields.as_of",
        )


def _plan_asserted(draft: Draft[BalanceAsserted], state: State) -> Plan:
    fields = draft.fields
    _check_as_of(fields.as_of, draft.occurred_on)
    about: list[Any] = []
    held = 0
    for number, code in enumerate(dict.fromkeys(fields.funds)):
        about.append(state.find("fund", code, f"fields.funds.{number}"))
        held += state.holdings("CNY", f"fund:{code}").balance()
    if fields.bank_fen - held != fields.difference_fen:
        reject(
            "difference",
            f"fields.difference_fen: the ledger holds {held} fen in these funds, so the "
            f"difference is {fields.bank_fen - held}",
            field="fields.difference_fen",
            expected=fields.bank_fen - held,
        )
    if fields.difference_fen and fields.reason is None:
        reject(
            "difference_unexplained",
            "fields.reason: say why bank and ledger differ",
            field="fields.reason",
        )
    return Plan(references=references_of(*about))


BALANCE_ASSERTED = Kind(
    name="balance.asserted",
    title_zh="余额核对",
    title_en="Balance asserted",
    moves="nothing",
    fields=BalanceAsserted,
    recorders=frozenset((Role.CLERK, Role.AUDITOR)),
    plan=_plan_asserted,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "account_alias": "bank-main",
            "as_of": "2021-12-31",
            "funds": ["epidemic-relief"],
            "bank_fen": 0,
            "difference_fen": 0,
        },
    },
)
