"""A form for every record kind, made from its schema: drawn, mended, and recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from bodies import DOCUMENT, FULL
from caller import Caller
from clerk import Clerk, errors_of, form_values
from scribe import Scribe
from told import tell_before

from api.pages.staff.fields import Field, Group, Leaf, Rows, form_of
from api.pages.staff.typed import read_body, write_values
from api.pages.texts import catalogue
from ledger import records
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.kind import Role

GENERIC = ("an amount in fen (0.01 yuan)", "a time of the day, like 09:30", "SHA-256 in hex")
"""What the shape of a field says already."""
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


def test_midnight_is_typed_as_a_time_and_ends_the_day() -> None:
    form = form_of("service.recorded")
    body = deepcopy(FULL["service.recorded"])
    body["fields"]["ends_at"] = "24:00"
    values = write_values(form, body)
    assert values["fields.ends_at"] == "00:00"
    assert read_body(form, values).body["fields"] == body["fields"]


def described(part: Field) -> Iterator[Field]:
    """The parts of a form of which the schema says more than their type."""
    if part.description:
        yield part
    if isinstance(part, Group):
        for one in part.parts:
            yield from described(one)
    elif isinstance(part, Rows):
        yield from described(part.of)


@pytest.mark.parametrize("kind", RECORDABLE)
def test_what_a_schema_says_of_a_field_is_said_in_both_languages(kind: str) -> None:
    """Neither help nor a label is missing where the schema has something to say."""
    for part in form_of(kind).parts():
        for one in described(part):
            own = f"help.{kind.replace('.', '_')}__{one.name}"
            amount = isinstance(one, Leaf) and one.shape in ("yuan", "time")
            general = one.description in GENERIC
            assert amount or general or own in catalogue() or f"help.{one.name}" in catalogue(), (
                f"add {own} to help.toml: {one.description}"
            )


def test_every_rule_of_the_records_is_told_in_both_languages() -> None:
    """A new rule needs its line in help.toml; what no form can run into is left out."""
    codes: set[str] = set()
    opening = {"log_already_open"}
    for path in sorted(Path(records.__file__).parent.glob("*.py")):
        codes |= set(re.findall(r'reject\(\s*"([a-z_]+)"', path.read_text("utf-8")))
    assert len(codes) > 80
    told = {
        name.partition(".")[2] for name in catalogue() if name.startswith(("refusal.", "problem."))
    }
    assert codes - opening - told == set()
