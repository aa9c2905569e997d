"""A clean plan of goods → entries: rehearsed as a whole, then recorded batch by batch.

In this order: the site, items and facilities that the ledger has not yet; the gifts in
kind; the distributions, each out of exactly its offer's lot; and the digest of the account.
Every record has its idempotency key from what it is about, so an interrupted recording is
finished by importing the lists again, and a second import adds nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import orjson

from ledger.appending import append_one
from ledger.book import Book
from ledger.entry import FIRST_PREVIOUS, Entry, parse_entry
from ledger.errors import LedgerError, RejectedError
from ledger.intake.goods_account import format_account
from ledger.intake.goods_matching import PARTS_MAX
from ledger.intake.goods_plan import (
    GoodsPlan,
    KnownGoods,
    ListName,
    Name,
    day_of,
)
from ledger.intake.recording import SLICE, Progress
from ledger.records.request import Prepared, prepare
from ledger.sequencer import utc_now
from ledger.state import State

ABOUT_MAX = 200
"""The account's entry names so many of the flagged records."""
RECIPIENT_CLASS = "organisation"


@dataclass(frozen=True, slots=True)
class GoodsTarget:
    """Through which site the goods go, and who records them."""

    site: str
    site_name: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class GoodsOutcome:
    """What a recording added: entries by kind, and the first and last of them."""

    by_kind: Mapping[str, int]
    first: int | None
    last: int | None

    @property
    def recorded(self) -> int:
        """All entries that were added."""
        return sum(self.by_kind.values())


class _Step(NamedTuple):
    """One record to be: its key, its body, and the row that it is of, for errors."""

    key: str
    body: dict[str, Any]
    list: ListName | None = None
    row: int = 0


def known_goods(book: Book) -> Callable[[Sequence[Name]], Mapping[Name, KnownGoods]]:
    """What the ledger has of offers and deliveries, as `plan_goods` asks for it."""

    def known(names: Sequence[Name]) -> dict[Name, KnownGoods]:
        found: dict[Name, KnownGoods] = {}
        wanted = list(names)
        with book.store.read() as reader:
            for _ in range(PARTS_MAX):
                keys = {_key(book, name): name for name in wanted}
                indices = {
                    keys[key]: index for key, (_, index) in reader.idempotency(list(keys)).items()
                }
                entries = reader.chosen_entries(list(indices.values()))
                for name, index in indices.items():
                    found[name] = _known(parse_entry(entries[index]))
                wanted = [(*name[:4], name[4] + 1) for name in indices if name[0] == "delivery"]
                if not wanted:
                    break
        return found

    return known


def registered_items(book: Book) -> Callable[[str], Mapping[str, Any] | None]:
    """The ledger's items by code, name or alias, as `plan_goods` asks for them."""

    def registered(text: str) -> Mapping[str, Any] | None:
        with book.store.read() as reader:
            alias = reader.object(f"item-alias/{text}")
            code = text if alias is None else orjson.loads(alias)["item"]
            item = reader.object(f"item/{code}")
        found: Mapping[str, Any] | None = None if item is None else orjson.loads(item)
        return found

    return registered


def record_goods(
    book: Book, plan: GoodsPlan, target: GoodsTarget, progress: Progress | None = None
) -> GoodsOutcome:
    """Record a clean plan, and the digest of its account.

    Everything is first put to the ledger's rules in memory, by the code that records; if
    one record is refused, nothing is recorded.

    Args:
        book: The log.
        plan: What `plan_goods` gave with `known_goods` and `registered_items` of this book.
        target: The site and who records.
        progress: Called with the number of records so far.

    Raises:
        RejectedError: the plan is not clean, or a record breaks a rule (the row is named).
        LedgerError: the write path failed; import the lists again to finish.
    """
    if not plan.clean:
        raise RejectedError(
            f"the plan has {len(plan.errors)} errors and {len(plan.conflicts)} conflicts; "
            "mend the lists first",
            code="plan_not_clean",
        )
    steps = [*_registrations(book, plan, target), *_movements(book, plan, target)]
    _rehearse(book, steps, target)
    by_kind: dict[str, int] = {}
    indices: list[int] = []
    rest = iter(steps)
    while some := list(islice(rest, SLICE)):
        futures = book.sequencer.submit([_prepared(book, one, target) for one in some])
        for step, future in zip(some, futures, strict=True):
            recorded = future.result()
            indices.append(recorded.index)
            kind = step.body["kind"]
            by_kind[kind] = by_kind.get(kind, 0) + 1
        if progress is not None:
            progress(len(indices))
    account = _account_step(book, plan)
    if account is not None:
        indices.append(book.sequencer.record(_prepared(book, account, target)).index)
        by_kind[account.body["kind"]] = 1
    return GoodsOutcome(by_kind, min(indices, default=None), max(indices, default=None))


def _known(entry: Entry) -> KnownGoods:
    return KnownGoods(
        entry.index,
        str(entry.fields.get("item")),
        entry.postings[0]["amount"] if entry.postings else 0,
        str(entry.fields.get("lot")),
        str(entry.fields.get("site")),
        entry.occurred_on,
        entry.documents,
    )


def _key(book: Book, name: Name) -> str:
    """The idempotency key of an offer or of a delivery's part: a keyed digest of its name."""
    digest = book.vault.digest("import-goods", json.dumps(name).encode())
    return f"import-goods/{name[0]}/{digest.hex()}"


def _registrations(book: Book, plan: GoodsPlan, target: GoodsTarget) -> Iterator[_Step]:
    """What the gifts and distributions name and the ledger has not: on the first day."""
    day = plan.first_day
    if day is None:
        return
    with book.store.read() as reader:
        if reader.object(f"site/{target.site}") is None:
            fields: dict[str, Any] = {
                "code": target.site,
                "name": target.site_name,
                "site_class": "warehouse",
            }
            yield _registration("site.registered", day, fields)
        used = {one.item for one in plan.offers} | {one.item for one in plan.deliveries}
        for code, goods in sorted(plan.items.items()):
            if goods.registration is not None and code in used:
                yield _registration("item.registered", day, goods.registration)
        for code, name in sorted(plan.facilities.items()):
            if reader.object(f"party/{code}") is None:
                fields = {"code": code, "party_class": "organisation", "name": name}
                yield _registration("party.registered", day, fields)


def _registration(kind: str, day: str, fields: Mapping[str, Any]) -> _Step:
    body = {"kind": kind, "occurred_on": day, "fields": dict(fields)}
    return _Step(f"import-goods/{kind}/{fields['code']}", body)


def _movements(book: Book, plan: GoodsPlan, target: GoodsTarget) -> Iterator[_Step]:
    """The gifts in the list's order, then the distributions as they happened."""
    for one in plan.offers:
        if one.entry is None:
            fields = {
                "item": one.item,
                "quantity": one.amount,
                "site": target.site,
                "lot": one.lot,
                **({"best_before": one.offer.best_before} if one.offer.best_before else {}),
            }
            body: dict[str, Any] = {
                "kind": "donation.goods",
                "occurred_on": one.offer.offered.day,
                "fields": fields,
                "documents": [plan.files["offers"]],
            }
            if one.offer.donor:
                body["sealed"] = {"donor_name": one.offer.donor}
            yield _Step(_key(book, one.name), body, "offers", one.offer.row)
    for delivery in plan.deliveries:
        row = delivery.delivery
        for part in delivery.parts:
            if part.entry is None:
                fields = {
                    "item": delivery.item,
                    "quantity": part.amount,
                    "site": target.site,
                    "lot": part.lot,
                    "recipient_class": RECIPIENT_CLASS,
                    "recipient": delivery.facility,
                    **({"requested_on": row.requested.day} if row.requested else {}),
                }
                body = {
                    "kind": "goods.distributed",
                    "occurred_on": day_of(row).day,
                    "fields": fields,
                    "documents": [plan.files["deliveries"]],
                }
                yield _Step(_key(book, part.name), body, "deliveries", row.row)


def _account_step(book: Book, plan: GoodsPlan) -> _Step | None:
    """The account's digest, about the first gift and the flagged records.

    None where the ledger has it, or where nothing of these lists is recorded.
    """
    key = f"import-goods/account/{plan.digest}"
    flagged = {one.row for one in plan.flagged if one.list == "deliveries"}
    names = [plan.offers[0].name] if plan.offers else []
    names += [
        part.name for one in plan.deliveries if one.delivery.row in flagged for part in one.parts
    ]
    names = names[:ABOUT_MAX]
    with book.store.read() as reader:
        if not names or key in reader.idempotency([key]):
            return None
        rows = reader.idempotency([_key(book, name) for name in names])
    data = format_account(plan)
    body = {
        "kind": "document.attached",
        "occurred_on": book.today(),
        "fields": {
            "sha256": hashlib.sha256(data).hexdigest(),
            "media_type": "application/json",
            "size_bytes": len(data),
            "shows": "实物导入核对表：每一行、每一件的去向 / account of an import of goods: every "
            "row and every unit by outcome",
            "about": sorted(index for _, index in rows.values()),
        },
        "documents": sorted(set(plan.files.values())),
    }
    return _Step(key, body)


def _prepared(book: Book, step: _Step, target: GoodsTarget) -> Prepared:
    try:
        return prepare(
            step.body,
            key=step.key,
            recorded_by=target.recorded_by,
            approved_by=None,
            vault=book.vault,
        )
    except LedgerError as error:
        raise _of_row(step, error) from None


def _rehearse(book: Book, steps: Sequence[_Step], target: GoodsTarget) -> None:
    """Append everything to a copy of the state that is then dropped."""
    at = utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    today = book.today()
    with book.store.read() as reader:
        state = State(reader)
        head = reader.head()
        first = head.size if head else 0
        for index, step in enumerate(steps, first):
            prepared = _prepared(book, step, target)
            try:
                append_one(prepared, state, index, FIRST_PREVIOUS, at, today)
            except LedgerError as error:
                raise _of_row(step, error) from None


def _of_row(step: _Step, error: LedgerError) -> RejectedError:
    where = f"{step.list}, row {step.row}" if step.list else step.body["kind"]
    return RejectedError(
        f"{where}: {error.message} Nothing was recorded.",
        code=error.code,
        field=error.field,
        details={**error.details, "list": step.list, "row": step.row},
    )
