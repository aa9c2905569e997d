"""The registry family: parties, funds, projects, campaigns, items, sites.

Each entry gives a thing its code; codes are unique within a family and never reused
(domain, section 1). The registered thing is the state object ``<family>/<code>``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.entry import Entry
from ledger.records.kind import (
    Code,
    Day,
    Draft,
    Fen,
    Fields,
    Kind,
    Name,
    Plan,
    Role,
    Sealed,
    Text,
    claim_code,
    clean,
    registers,
    reject,
)
from ledger.state import State, references_of

REGISTRAR = frozenset((Role.REGISTRAR,))

Purposes = Annotated[
    list[Code],
    Field(max_length=32, description="what the money may be spent on; purpose codes"),
]


class PartyRegistered(Fields):
    """Somebody the ledger speaks of: an organisation by name, a person by code only."""

    code: Code
    party_class: Literal["organisation", "supplier", "platform", "person"]
    name: Name | None = Field(None, description="public; not for a person, who is a code")
    registration_number: Annotated[str, Field(min_length=1, max_length=40), clean(40)] | None = (
        Field(None, description="统一社会信用代码 of an organisation")
    )


class PartySealed(Sealed):
    """Who a person is, and how to reach somebody."""

    person_name: Name | None = None
    contact: Text | None = None


def _plan_party(draft: Draft[PartyRegistered], state: State) -> Plan:
    fields = draft.fields
    claim_code(state, "party", fields.code)
    if fields.party_class == "person" and (fields.name or fields.registration_number):
        reject(
            "person_named",
            "fields.name: a person is registered by code only; put the name into "
            "sealed.person_name",
            field="fields.name",
        )
    if fields.party_class != "person" and fields.name is None:
        reject("name_missing", "fields.name: an organisation needs its name", field="fields.name")
    return Plan()


PARTY_REGISTERED = Kind(
    name="party.registered",
    title_zh="登记相关方",
    title_en="Party registered",
    moves="nothing",
    fields=PartyRegistered,
    sealed=PartySealed,
    recorders=frozenset((Role.REGISTRAR, Role.CLERK, Role.SHOP)),
    plan=_plan_party,
    effects=registers("party"),
    example={
        "occurred_on": "2021-10-08",
        "fields": {"code": "volunteer-9001", "party_class": "person"},
        "sealed": {"person_name": "示例志愿者", "contact": "示例联系方式"},
    },
)


class FundOpened(Fields):
    """A fund: restricted 限定性, unrestricted 非限定性, or agency 受托代理."""

    code: Code
    name: Name
    fund_class: Literal["restricted", "unrestricted", "agency"]
    purposes: Purposes = Field(
        default_factory=list, description="required unless the fund is unrestricted"
    )
    fee_clause: Text | None = Field(None, description="what fee the donors agreed to, if any")


def _plan_fund(draft: Draft[FundOpened], state: State) -> Plan:
    claim_code(state, "fund", draft.fields.code)
    if (draft.fields.fund_class == "unrestricted") == bool(draft.fields.purposes):
        reject(
            "purposes_mismatch",
            "fields.purposes: a restricted or agency fund needs at least one purpose, "
            "an unrestricted fund has none",
            field="fields.purposes",
        )
    return Plan()


FUND_OPENED = Kind(
    name="fund.opened",
    title_zh="设立资金",
    title_en="Fund opened",
    moves="nothing",
    fields=FundOpened,
    recorders=REGISTRAR,
    plan=_plan_fund,
    effects=registers("fund"),
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "school-meals",
            "name": "营养午餐资金",
            "fund_class": "restricted",
            "purposes": ["school-meals"],
        },
    },
)


class ProjectOpened(Fields):
    """A project, which belongs to one fund."""

    code: Code
    name: Name
    fund: Code
    purpose: Code = Field(description="one of the fund's purposes; any for an unrestricted fund")
    project_class: Literal["regular", "micro", "emergency"] | None = Field(
        None,
        description="micro: of the micro-project library 微慈善项目库; emergency: the rescue phase "
        "of an emergency, from starts_on to ends_on",
    )
    target_fen: Fen | None = None
    starts_on: Day
    ends_on: Day | None = None


def _plan_project(draft: Draft[ProjectOpened], state: State) -> Plan:
    fields = draft.fields
    claim_code(state, "project", fields.code)
    fund = state.find("fund", fields.fund, "fields.fund")
    if fund["purposes"] and fields.purpose not in fund["purposes"]:
        reject(
            "purpose_not_of_fund",
            f"fields.purpose: the fund {fields.fund} is for {', '.join(fund['purposes'])}, "
            f"not for {fields.purpose}",
            field="fields.purpose",
        )
    _check_period(fields.starts_on, fields.ends_on)
    return Plan(references=references_of(fund))


def _check_period(starts_on: str, ends_on: str | None) -> None:
    if ends_on is not None and ends_on < starts_on:
        reject(
            "period_reversed",
            f"fields.ends_on: {ends_on} is before starts_on {starts_on}",
            field="fields.ends_on",
        )


PROJECT_OPENED = Kind(
    name="project.opened",
    title_zh="设立项目",
    title_en="Project opened",
    moves="nothing",
    fields=ProjectOpened,
    recorders=REGISTRAR,
    plan=_plan_project,
    effects=registers("project"),
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "winter-visits",
            "name": "冬日探访",
            "fund": "general",
            "purpose": "elderly-care",
            "starts_on": "2021-11-01",
        },
    },
)


class CampaignFiled(Fields):
    """A public campaign 公开募捐 with its filing 募捐方案备案."""

    code: Code
    name: Name
    filing_number: Annotated[str, Field(min_length=1, max_length=60), clean(60)]
    fund: Code
    platform: Code | None = Field(None, description="the party code of the online platform")
    starts_on: Day
    ends_on: Day


def _plan_campaign(draft: Draft[CampaignFiled], state: State) -> Plan:
    fields = draft.fields
    claim_code(state, "campaign", fields.code)
    about = [state.find("fund", fields.fund, "fields.fund")]
    if fields.platform is not None:
        about.append(state.find("party", fields.platform, "fields.platform"))
    _check_period(fields.starts_on, fields.ends_on)
    return Plan(references=references_of(*about))


CAMPAIGN_FILED = Kind(
    name="campaign.filed",
    title_zh="募捐方案备案",
    title_en="Campaign filed",
    moves="nothing",
    fields=CampaignFiled,
    recorders=REGISTRAR,
    plan=_plan_campaign,
    effects=registers("campaign"),
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "winter-warmth-2021",
            "name": "暖冬行动",
            "filing_number": "示例备案编号-2021-010",
            "fund": "general",
            "starts_on": "2021-11-01",
            "ends_on": "2022-01-31",
        },
    },
)


class Pack(Fields):
    """A larger unit that an item is counted in, and how many base units it holds."""

    unit: Name
    factor: Annotated[int, Field(ge=2, le=1_000_000)]


class ItemRegistered(Fields):
    """A kind of goods with its base unit; lists may count it in packs and by aliases."""

    code: Code
    name: Name
    unit: Name = Field(description="the base unit that is counted, like 盒")
    packs: Annotated[list[Pack], Field(max_length=8)] = Field(default_factory=list)
    aliases: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    perishable: bool = Field(False, description="a best-before date is required")


def _plan_item(draft: Draft[ItemRegistered], state: State) -> Plan:
    fields = draft.fields
    claim_code(state, "item", fields.code)
    units = [fields.unit, *(pack.unit for pack in fields.packs)]
    if len(set(units)) != len(units):
        reject("unit_twice", "fields.packs: each unit has one meaning", field="fields.packs")
    for alias in {fields.name, *fields.aliases}:
        taken = state.get(f"item-alias/{alias}")
        if taken is not None:
            reject(
                "alias_taken",
                f"fields.aliases: {alias!r} already means the item {taken['item']}",
                field="fields.aliases",
                item=taken["item"],
            )
    return Plan()


def _effects_item(entry: Entry, state: State, sign: int) -> None:
    fields = entry.fields
    state.put(f"item/{fields['code']}", {**fields, "entry": entry.index})
    for alias in sorted({fields["name"], *fields["aliases"]}):
        state.put(f"item-alias/{alias}", {"item": fields["code"], "entry": entry.index})


ITEM_REGISTERED = Kind(
    name="item.registered",
    title_zh="登记物资品类",
    title_en="Item registered",
    moves="nothing",
    fields=ItemRegistered,
    recorders=frozenset((Role.REGISTRAR, Role.WAREHOUSE)),
    plan=_plan_item,
    effects=_effects_item,
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "blanket",
            "name": "毛毯",
            "unit": "条",
            "packs": [{"unit": "包", "factor": 10}],
        },
    },
)


class SiteRegistered(Fields):
    """A place that holds stock: a warehouse or a charity supermarket 慈善超市."""

    code: Code
    name: Name
    site_class: Literal["warehouse", "charity_supermarket"]
    address: Text | None = None


class SiteSealed(Sealed):
    """Who answers for the place."""

    contact: Text | None = None


def _plan_site(draft: Draft[SiteRegistered], state: State) -> Plan:
    claim_code(state, "site", draft.fields.code)
    return Plan()


SITE_REGISTERED = Kind(
    name="site.registered",
    title_zh="登记场所",
    title_en="Site registered",
    moves="nothing",
    fields=SiteRegistered,
    sealed=SiteSealed,
    recorders=REGISTRAR,
    plan=_plan_site,
    effects=registers("site"),
    example={
        "occurred_on": "2021-10-08",
        "fields": {
            "code": "warehouse-north",
            "name": "北片区物资仓",
            "site_class": "warehouse",
        },
    },
)
