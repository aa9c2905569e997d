"""One place to do what people do: record, be refused, look at flags, pages and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from browser import Page, read
from caller import Caller

from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Role

DAY = "2022-01-10"


@dataclass(frozen=True)
class Desk:
    """Records through ``POST /v1/entries`` with a token of a role that may."""

    caller: Caller

    def post(
        self,
        kind: str,
        fields: dict[str, Any],
        sealed: dict[str, Any] | None = None,
        *,
        day: str = DAY,
        role: Role | None = None,
        documents: Sequence[str] = (),
    ) -> Any:
        """The answer to a record."""
        found = KIND_BY_NAME[kind]
        body: dict[str, Any] = {"kind": kind, "occurred_on": day, "fields": fields}
        if sealed is not None:
            body["sealed"] = sealed
        if documents:
            body["documents"] = list(documents)
        chosen = role or sorted(found.recorders)[0]
        approval = sorted(found.approvers)[0] if found.approvers else None
        return self.caller.post(body, role=chosen, approval=approval)

    def tell(self, kind: str, fields: dict[str, Any], *args: Any, **more: Any) -> int:
        """Record it; the index of its entry."""
        answer = self.post(kind, fields, *args, **more)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["index"])

    def refused(self, kind: str, fields: dict[str, Any], *args: Any, **more: Any) -> Any:
        """Be refused: the problem; nothing was recorded."""
        before = self.size()
        answer = self.post(kind, fields, *args, **more)
        assert answer.status_code in (400, 409, 422), answer.text
        assert self.size() == before
        return answer.json()

    def size(self) -> int:
        return int(self.caller.value("/v1/log")["size"])

    def entry(self, index: int) -> Any:
        """An entry as the API shows it."""
        return self.caller.value(f"/v1/entries/{index}")

    def flags(self, code: str, day: str = DAY) -> list[Any]:
        """What asks for attention under a code, each with its entries."""
        items = self.caller.value(f"/v1/attention?as_of={day}&limit=500")["items"]
        found = [one for one in items if one["code"] == code]
        assert all(one["entries"] for one in found)
        return found

    def page(self, path: str, language: str = "zh") -> Page:
        return read(self.caller, path, language)

    def texts(self, path: str, language: str = "zh") -> str:
        """The words of a page's paragraphs, one after another."""
        return "\n".join(one.text for one in self.page(path, language).all("p"))

    def gift(self, fund: str, amount_fen: int, day: str = DAY, **more: Any) -> int:
        """Record a gift of money."""
        fields = {"fund": fund, "channel": "bank", "amount_fen": amount_fen, **more}
        return self.tell("donation.money", fields, day=day)
