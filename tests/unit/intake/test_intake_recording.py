"""What a rehearsal found is recorded; what it did not keep is validated once more."""

from __future__ import annotations

import pytest
from scribe import Scribe, audited, whole_log

from ledger.intake import recording
from ledger.intake.recording import Target, record_plan
from ledger.records import request
from tests.unit.intake.planned import pairs

TARGET = Target("general", "tencent", "clerk-1")


@pytest.mark.parametrize("kept", [0, 2, 9])
def test_gifts_that_are_kept_are_validated_once(
    world: Scribe, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "KEPT_MAX", kept)
    asked: list[object] = []
    validate = request.validate

    def counted(body: object) -> request.Validated:
        asked.append(body)
        return validate(body)

    monkeypatch.setattr(request, "validate", counted)
    plan = pairs(1, 2, 3, 4, 5, day="2021-09-09", unit="yuan", unit_stated=True)
    outcome = record_plan(world.book, plan, TARGET)
    assert outcome.recorded == 5
    assert len(asked) == 10 - min(kept, 5)
    gifts = whole_log(world.book)[-5:]
    assert [one.fields["amount_fen"] for one in gifts] == [100, 200, 300, 400, 500]
    assert {tuple(one.sealed) for one in gifts} == {("order_number",)}
    # Recorded again, each is found by its key: the requests are the same to the byte.
    again = record_plan(world.book, plan, TARGET)
    assert (again.first, again.last) == (outcome.first, outcome.last)
    audited(world.book)
