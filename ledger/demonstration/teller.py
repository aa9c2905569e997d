"""Who records what in the demonstration, and how its bodies are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ledger.book import Book
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Role
from ledger.records.request import prepare

PEOPLE: Mapping[Role, str] = {
    Role.REGISTRAR: "registrar-1",
    Role.CLERK: "clerk-1",
    Role.APPROVER: "approver-1",
    Role.WAREHOUSE: "warehouse-1",
    Role.SHOP: "shop-keeper-1",
    Role.AUDITOR: "auditor-1",
}
"""The demonstration's persons, one a role."""

ORIGIN = "shanji.example/demonstration"
ORGANISATION = "示例区慈善会（演示）"

SLICE = 1000

Progress = Callable[[int], None]


class Teller:
    """Records bodies as the right persons, one by one or many at a time."""

    def __init__(self, book: Book, progress: Progress | None) -> None:
        self._book = book
        self._progress = progress
        self.count = 0

    def tell(
        self,
        kind: str,
        day: str,
        fields: Mapping[str, Any],
        sealed: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> int:
        """Record one body; its index."""
        body = body_of(kind, day, fields, sealed)
        return self.tell_many([body], key)[-1]

    def tell_many(self, bodies: Iterable[dict[str, Any]], key: str | None = None) -> list[int]:
        """Record many bodies in order; their indices."""
        indices: list[int] = []
        rest = iter(bodies)
        while some := list(islice(rest, SLICE)):
            prepared = []
            for body in some:
                self.count += 1
                recorder, approver = people_of(body["kind"])
                prepared.append(
                    prepare(
                        body,
                        key=key or f"demonstration/{self.count}",
                        recorded_by=recorder,
                        approved_by=approver,
                        vault=self._book.vault,
                    )
                )
            futures = self._book.sequencer.submit(prepared)
            indices += [future.result().index for future in futures]
            if self._progress is not None:
                self._progress(self.count)
        return indices


def people_of(kind: str) -> tuple[str, str | None]:
    """Who records a kind, and who approves it, in the demonstration."""
    found = KIND_BY_NAME[kind]
    role = next(role for role in PEOPLE if role in found.recorders)
    approver = next((PEOPLE[role] for role in PEOPLE if role in found.approvers), None)
    return PEOPLE[role], approver


def body_of(
    kind: str, day: str, fields: Mapping[str, Any], sealed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": kind, "occurred_on": day, "fields": dict(fields)}
    if sealed:
        body["sealed"] = dict(sealed)
    return body


def donor(number: int, order: str) -> dict[str, str]:
    """Made-up personal fields of a donor."""
    return {
        "donor_name": f"示例捐赠人{number:06d}",
        "contact": f"示例联系方式{number:06d}",
        "order_number": order,
        "message": "愿更多人受益",
    }


def gifts(
    day: str, amounts_fen: Iterable[int], order_prefix: str, fields: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for number, amount in enumerate(amounts_fen, start=1):
        order = f"{order_prefix}-{number:06d}"
        yield body_of("donation.money", day, {**fields, "amount_fen": amount}, donor(number, order))
