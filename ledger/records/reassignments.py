"""Money across funds for a reason: fees, purpose changes, leftovers (domain, section 1).

What `money.allocated` refuses, because it would loosen what donors gave for, is possible
here, each with its own condition: a fee by the fund's clause and a dated cap, a purpose
change by consent or filing, a leftover after its project was closed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.disclosures import note_major
from ledger.records.gifts import find_project
from ledger.records.kind import (
    APPROVERS,
    Code,
    Draft,
    Fen,
    Fields,
    Kind,
    Plan,
    Role,
    Text,
    clean,
    reject,
)
from ledger.records.rules import BASIS_POINTS, rule_in_force
from ledger.records.spending import earmarked
from ledger.records.totals import add_fund, add_money
from ledger.state import Move, State, references_of
from ledger.units import Rank

CLERK = frozenset((Role.CLERK,))


def only(project: str | None) -> Rank:
    """Money of one earmark, or only money without any."""
    wanted = project or ""
    return lambda label: () if label == wanted else None


class FeeCharged(Fields):
    """A management fee taken from a fund, as its donors agreed."""

    from_fund: Code
    from_project: Code | None = None
    to_fund: Code
    amount_fen: Fen
    rule: Code = Field(description="the fee cap in force")
    rule_version: Annotated[int, Field(ge=1, le=10_000)]
    reason: Text


def _plan_fee(draft: Draft[FeeCharged], state: State) -> Plan:
    fields = draft.fields
    source = state.find("fund", fields.from_fund, "fields.from_fund")
    target = state.find("fund", fields.to_fund, "fields.to_fund")
    if fields.from_fund == fields.to_fund:
        reject("fee_to_itself", "fields.to_fund: expected another fund", field="fields.to_fund")
    if source.get("fee_clause") is None:
        reject(
            "no_fee_clause",
            f"fields.from_fund: the fund {fields.from_fund} has no fee clause; "
            "its donors agreed to no fee",
            field="fields.from_fund",
        )
    rule = rule_in_force(
        state,
        code=fields.rule,
        version=fields.rule_version,
        topic="fee_cap",
        day=draft.occurred_on,
        where="fields.rule",
    )
    total = state.get(f"fund-total/{fields.from_fund}") or {}
    # What was passed on counts where it went; else money sent round would raise the cap.
    base = total.get("raised_fen", 0) - total.get("refunded_fen", 0)
    base += total.get("received_fen", 0) - total.get("allocated_fen", 0)
    cap = max(0, base) * rule["fee_cap"]["basis_points_max"] // BASIS_POINTS
    charged = total.get("fees_fen", 0)
    if charged + fields.amount_fen > cap:
        reject(
            "fee_over_cap",
            f"fields.amount_fen: by the rule {fields.rule} version {fields.rule_version} fees of "
            f"{fields.from_fund} may reach {cap} fen; {charged} were charged before",
            field="fields.amount_fen",
            cap=cap,
            charged=charged,
        )
    about = [source, target, rule]
    about += find_project(state, fields.from_project, fields.from_fund)
    move = Move(
        "CNY",
        fields.amount_fen,
        f"fund:{fields.from_fund}",
        f"fund:{fields.to_fund}",
        rank=earmarked(fields.from_project),
        label="",
    )
    return Plan((move,), references_of(*about))


def _effects_fee(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    amount = sign * fields["amount_fen"]
    add_money(state, fields["from_fund"], fields.get("from_project"), fees_fen=amount)
    add_fund(state, fields["to_fund"], received_fen=amount)


FEE_CHARGED = Kind(
    name="fee.charged",
    title_zh="提取管理费",
    title_en="Fee charged",
    moves="CNY fund → fund",
    fields=FeeCharged,
    recorders=CLERK,
    approvers=APPROVERS,
    plan=_plan_fee,
    effects=_effects_fee,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "from_fund": "giving-day",
            "from_project": "giving-day-2021",
            "to_fund": "general",
            "amount_fen": 10_000,
            "rule": "fee-cap",
            "rule_version": 1,
            "reason": "按募捐方案提取管理费",
        },
    },
)


class PurposeChanged(Fields):
    """Restricted money put to another purpose, with the consent that allows it."""

    from_fund: Code
    from_project: Code | None = None
    to_fund: Code
    to_project: Code | None = None
    amount_fen: Fen
    basis: Literal["donor_consent", "filing"] = Field(
        description="the donors' consent, or the filed change of the campaign's plan"
    )
    filing_number: Annotated[str, Field(min_length=1, max_length=60), clean(60)] | None = None
    reason: Text


def _plan_changed(draft: Draft[PurposeChanged], state: State) -> Plan:
    fields = draft.fields
    if not draft.documents:
        reject(
            "consent_missing",
            "documents: a purpose change needs the consent or filing document; attach its SHA-256",
            field="documents",
        )
    if fields.basis == "filing" and fields.filing_number is None:
        reject(
            "filing_number_missing",
            "fields.filing_number: name the filing that changed the purpose",
            field="fields.filing_number",
        )
    if (fields.from_fund, fields.from_project) == (fields.to_fund, fields.to_project):
        reject(
            "allocation_to_itself",
            "fields.to_fund: expected another fund or another project",
            field="fields.to_fund",
        )
    about: list[Any] = [
        state.find("fund", fields.from_fund, "fields.from_fund"),
        state.find("fund", fields.to_fund, "fields.to_fund"),
        *find_project(state, fields.from_project, fields.from_fund),
        *find_project(state, fields.to_project, fields.to_fund),
    ]
    return Plan((_across(fields),), references_of(*about))


def _across(fields: PurposeChanged | LeftoverAssigned) -> Move:
    project = fields.project if isinstance(fields, LeftoverAssigned) else fields.from_project
    return Move(
        "CNY",
        fields.amount_fen,
        f"fund:{fields.from_fund}",
        f"fund:{fields.to_fund}",
        rank=only(project),
        label=fields.to_project or "",
    )


def _effects_across(entry: Entry, state: State, sign: int) -> None:
    note_major(entry, state, sign)
    fields = entry.fields
    amount = sign * fields["amount_fen"]
    source = fields.get("from_project", fields.get("project"))
    add_money(state, fields["from_fund"], source, allocated_fen=amount)
    add_money(state, fields["to_fund"], fields.get("to_project"), received_fen=amount)


PURPOSE_CHANGED = Kind(
    name="purpose.changed",
    title_zh="变更用途",
    title_en="Purpose changed",
    moves="CNY fund → fund",
    fields=PurposeChanged,
    recorders=CLERK,
    approvers=APPROVERS,
    plan=_plan_changed,
    effects=_effects_across,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "from_fund": "child-medical",
            "from_project": "children-2021",
            "to_fund": "migrant-medical",
            "amount_fen": 10_000,
            "basis": "donor_consent",
            "reason": "捐赠人书面同意用于重疾救助",
        },
        "documents": ["5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"],
    },
)


class LeftoverAssigned(Fields):
    """What a closed project left over 剩余财产, put to a similar purpose."""

    project: Code
    from_fund: Code
    to_fund: Code
    to_project: Code | None = None
    amount_fen: Fen
    basis: Text = Field(description="the filing or agreement that says where leftovers go")


def _plan_leftover(draft: Draft[LeftoverAssigned], state: State) -> Plan:
    fields = draft.fields
    project = state.find("project", fields.project, "fields.project")
    if project["fund"] != fields.from_fund:
        reject(
            "project_of_other_fund",
            f"fields.from_fund: {fields.project} belongs to the fund {project['fund']}",
            field="fields.from_fund",
        )
    closed = state.get(f"project-closed/{fields.project}")
    if closed is None:
        reject(
            "project_not_closed",
            f"fields.project: {fields.project} is not closed; close it first",
            field="fields.project",
        )
    about: list[Any] = [
        project,
        closed,
        state.find("fund", fields.from_fund, "fields.from_fund"),
        state.find("fund", fields.to_fund, "fields.to_fund"),
        *find_project(state, fields.to_project, fields.to_fund),
    ]
    return Plan((_across(fields),), references_of(*about))


LEFTOVER_ASSIGNED = Kind(
    name="leftover.assigned",
    title_zh="处理剩余财产",
    title_en="Leftover assigned",
    moves="leftover CNY fund → fund",
    fields=LeftoverAssigned,
    recorders=CLERK,
    approvers=APPROVERS,
    plan=_plan_leftover,
    effects=_effects_across,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "project": "pilot-2021",
            "from_fund": "general",
            "to_fund": "general",
            "amount_fen": 1_000,
            "basis": "募捐方案约定的剩余财产处理方式",
        },
    },
)
