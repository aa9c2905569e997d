"""A form for every record kind, made from its schema: drawn, mended, and recorded."""

from __future__ import annotations

import pytest
from bodies import DOCUMENT, FULL
from caller import Caller
from clerk import Clerk, errors_of, form_values
from scribe import Scribe
from told import tell_before

from api.pages.staff.fields import form_of
from api.pages.staff.typed import write_values
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import Role

RECORDABLE = [kind.name for kind in KINDS if kind.recorders]


def recorder_of(kind: str) -> Role:
    return sorted(KIND_BY_NAME[kind].recorders)[0]


def typed(kind: str) -> dict[str, str]:
    """The full body of a kind as a person would type it."""
    return write_values(form_of(kind), FULL[kind])


@pytest.mark.parametrize("kind", RECORDABLE)
def test_every_kind_is_recorded_by_its_form(world: Caller, kind: str) -> None:
    """What is typed becomes the very body of `FULL`, public and sealed, and is recorded once."""
    tell_before(Scribe(world.book), kind)
    person = Clerk(world, recorder_of(kind))
    page = person.get(f"/staff/record/{kind}")
    values = {**form_values(page, f"/staff/record/{kind}"), **typed(kind)}
    values["occurred_on"] = FULL[kind].get("occurred_on", "2022-01-10")
    values["documents.0"] = DOCUMENT
    if KIND_BY_NAME[kind].approvers:
        approver = next(iter(KIND_BY_NAME[kind].approvers))
        values["approver_token"] = world.tokens[approver]
    size = world.book.head().size
    answer = person.send(f"/staff/record/{kind}", values)
    if answer.status_code != 303:
        raise AssertionError(errors_of(person.shown(answer, answer.status_code)))
    assert answer.headers["location"] == f"/staff/recorded/{size}"
    _, entry = world.book.entry(size)
    assert entry.kind == kind
    assert entry.fields == FULL[kind]["fields"]
    assert list(entry.documents) == [DOCUMENT]
    opening = world.book.opening(size)
    assert (opening[1] if opening else None) == FULL[kind].get("sealed")
    assert f"第 {size} 号条目" in person.follow(answer).html
    # A repeated tap, and a reload of the sent form, do nothing twice.
    again = person.send(f"/staff/record/{kind}", values)
    assert again.headers["location"] == f"/staff/recorded/{size}?again=1"
    assert world.book.head().size == size + 1
