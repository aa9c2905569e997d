"""The registers: what codes mean (funds, projects, items, sites ...) and their totals.

They are derived from the entries; each answer says as of which size of the log.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers import Answer, Json
from api.dependencies import CODE_PATTERN, PAGE_DEFAULT, BookOf, CodeInPath, Limit
from ledger.errors import NotFoundError

router = APIRouter(prefix="/v1", tags=["registers"])

FAMILIES = {
    "parties": "party",
    "funds": "fund",
    "projects": "project",
    "campaigns": "campaign",
    "items": "item",
    "sites": "site",
    "rules": "rule",
    "shipments": "shipment",
}
"""The registers' names in paths, and of their families in the state."""

TOTALS = {"rule": "points-total"}
"""Where a family's totals are not under ``<family>-total``."""

ACCOUNTS: dict[str, tuple[str, str]] = {"fund": ("CNY", "fund"), "party": ("points", "points")}
"""The account of a registered thing, ``(asset, class)``, where it has one."""


class Registered(Answer):
    """A registered thing: its public fields, and totals that its entries add up to."""

    code: str
    fields: dict[str, Any]
    totals: dict[str, int]
    links: dict[str, str]


class RegisteredAnswer(Registered):
    """One registered thing, as of one size of the log."""

    as_of: int


class Register(Answer):
    """A register by rising code; `next` leads on."""

    as_of: int
    things: list[Registered]
    next: str | None = None


def _add_register(register: str, family: str) -> None:
    """Add the two routes of one register, so that OpenAPI shows each by its own name."""

    @router.get(f"/{register}", response_model=Register, summary=f"List the {register}")
    def read_register(
        book: BookOf,
        after: Annotated[
            str | None, Query(pattern=CODE_PATTERN, description="Only codes after this one.")
        ] = None,
        limit: Limit = PAGE_DEFAULT,
    ) -> Response:
        """What is registered, by rising code, with totals."""
        with book.store.read() as reader:
            head = reader.head()
            start = "" if after is None else f"{family}/{after}"
            rows = reader.objects(f"{family}/", after=start, limit=limit + 1)
            totals = reader.chosen_objects([_totals_key(key) for key, _ in rows[:limit]])
        things = [
            _thing(register, key, data, totals.get(_totals_key(key))) for key, data in rows[:limit]
        ]
        value: dict[str, Any] = {"as_of": head.size if head else 0, "things": things}
        if len(rows) > limit:
            value["next"] = f"/v1/{register}?after={things[-1]['code']}&limit={limit}"
        return Json(value)

    @router.get(
        f"/{register}/{{code}}", response_model=RegisteredAnswer, summary=f"Read a {family}"
    )
    def read_registered(book: BookOf, code: CodeInPath) -> Response:
        """One registered thing with its totals."""
        key = f"{family}/{code}"
        with book.store.read() as reader:
            head = reader.head()
            data = reader.object(key)
            if data is None:
                raise NotFoundError(
                    f"there is no {family} with code {code!r}; /v1/{register} lists those that "
                    "there are",
                    code="no_such_code",
                )
            thing = _thing(register, key, data, reader.object(_totals_key(key)))
        return Json({**thing, "as_of": head.size if head else 0})


for _register, _family in FAMILIES.items():
    _add_register(_register, _family)


def _totals_key(key: str) -> str:
    """Where the totals of a registered thing are."""
    family, _, code = key.partition("/")
    return f"{TOTALS.get(family, f'{family}-total')}/{code}"


def _thing(register: str, key: str, data: bytes, totals: bytes | None) -> dict[str, Any]:
    family, _, code = key.partition("/")
    fields = orjson.loads(data)
    links = {"self": f"/v1/{register}/{code}"}
    if isinstance(fields.get("entry"), int):
        links["entry"] = f"/v1/entries/{fields['entry']}"
    if family in ACCOUNTS:
        asset, account_class = ACCOUNTS[family]
        links["account"] = f"/v1/accounts/{asset}/{account_class}:{code}"
    return {
        "code": code,
        "fields": fields,
        "totals": orjson.loads(totals) if totals is not None else {},
        "links": links,
    }
