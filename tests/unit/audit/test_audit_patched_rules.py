"""The audit finds what a modified recorder wrote, by the rule that it broke.

For each refusal code one record breaks that rule; a recorder that ignores it records it;
the audit, with the rules as they are, names the entry and the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bodies import DOCUMENT
from modified_recorder import ALONE, NO_ENTRY, ignore_rule
from refusals import Case
from scribe import Scribe, open_copy
from unit.records.test_record_rules import CASES, raised_codes

from ledger.audit.replay import audit
from ledger.audit.report import Finding
from ledger.errors import LedgerError
from ledger.store import Store


@contextmanager
def copied(template: Path, folder: Path) -> Iterator[Scribe]:
    book = open_copy(template, folder)
    try:
        yield Scribe(book)
    finally:
        book.close()


def cases_of(code: str) -> list[Case]:
    """The records that break a rule: one that breaks no other, or all that are listed."""
    return [ALONE[code]] if code in ALONE else [one for one in CASES if one.code == code]


def told_without_the_rule(world: Scribe, case: Case) -> int | None:
    """The entry that a recorder without this rule makes; None where it makes none."""
    for kind, fields in case.before:
        by = "recorder-2" if kind == "service.confirmed" else "recorder-1"
        world.tell(kind, fields, by=by, documents=[DOCUMENT])
    size = world.book.head().size
    with pytest.MonkeyPatch.context() as patch:
        ignore_rule(case.code, patch)
        try:
            more = {"documents": [DOCUMENT], **case.more}
            return world.tell(case.kind, case.fields, day=case.day, **more)
        except LedgerError:
            assert world.book.head().size == size
            return None


def findings(world: Scribe) -> list[Finding]:
    """What the audit finds; the schema, which is not what this is about, left out."""
    book = world.book
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "check", lambda self: [])
        return list(audit(book.store, vault=book.vault, keys=book.verifier_keys).findings)


def test_every_code_is_played_or_listed() -> None:
    played = {case.code for case in CASES} - set(NO_ENTRY)
    assert set(raised_codes()) == played | set(NO_ENTRY)
    assert set(ALONE) <= played


@pytest.mark.parametrize("code", sorted({case.code for case in CASES} - set(NO_ENTRY)))
def test_the_audit_finds_what_a_recorder_without_the_rule_wrote(
    world_template: Path, tmp_path: Path, code: str
) -> None:
    for number, case in enumerate(cases_of(code)):
        with copied(world_template, tmp_path / str(number)) as world:
            index = told_without_the_rule(world, case)
            if index is None:
                # Another rule stands behind this one; the next record breaks only this.
                continue
            found = findings(world)
            named = [one for one in found if one.message.startswith(f"{code}: ")]
            assert [(one.code, one.index) for one in named] == [("rule_broken", index)], found
            return
    pytest.fail(f"no record was made that breaks {code}; add one to ALONE, or list it")


@pytest.mark.parametrize("code", sorted(set(NO_ENTRY) & {case.code for case in CASES}))
def test_without_these_rules_there_is_nothing_to_record(
    world_template: Path, tmp_path: Path, code: str
) -> None:
    """Each case that is listed: nothing is recorded, or nothing that is an entry."""
    for number, case in enumerate(cases_of(code)):
        with copied(world_template, tmp_path / str(number)) as world:
            index = told_without_the_rule(world, case)
            if index is not None:
                found = [one.code for one in findings(world) if one.index == index]
                assert found == ["entry_format"]
