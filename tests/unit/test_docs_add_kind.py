"""The how-to for record kinds is followed: its code is run, recorded, reversed and audited."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scribe import FIRST_GIFT, Scribe, audited, held, stored_object

import ledger.records.catalog
from ledger.audit.replay import audit
from ledger.errors import RejectedError
from ledger.records.catalog import KIND_BY_NAME, KINDS
from ledger.records.corrections import reversal
from ledger.records.kind import Kind

PAGE = "docs/how-to-add-a-record-kind.md"
UNIFORM = {"volunteer": "holder-1", "site": "depot", "item": "rice"}


@pytest.fixture(scope="module")
def kind(repository: Path) -> Iterator[Kind[Any]]:
    """The kind that the page's one block of Python defines."""
    (code,) = re.findall(r"```python\n(.*?)```", (repository / PAGE).read_text("utf-8"), re.DOTALL)
    module = ModuleType("uniforms")
    sys.modules["uniforms"] = module
    exec(compile(code, PAGE, "exec"), module.__dict__)
    yield module.UNIFORM_GIVEN
    del sys.modules["uniforms"]


@pytest.fixture
def catalog(kind: Kind[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog as it is with the kind's line, wherever it was imported."""
    effects = {one.name: one.effects for one in (*KINDS, kind)}
    added = {**KIND_BY_NAME, kind.name: kind, "entry.reversed": reversal(effects)}
    for name, module in list(sys.modules.items()):
        if name.startswith(("ledger", "api", "scribe")) and hasattr(module, "KIND_BY_NAME"):
            monkeypatch.setattr(module, "KIND_BY_NAME", added)
    assert ledger.records.catalog.KIND_BY_NAME is added


@pytest.mark.usefixtures("catalog")
def test_the_kind_is_recorded_and_audited(world: Scribe) -> None:
    given = world.entry(world.tell("uniform.given", UNIFORM))
    assert given.postings == [
        {
            "asset": "item:rice",
            "amount": 1,
            "from": "stock:depot",
            "takes": [[0, 1]],
            "to": "world:beneficiary",
        }
    ]
    assert stored_object(world.book, "uniform/holder-1") == {"entry": given.index}
    with pytest.raises(RejectedError) as caught:
        world.tell("uniform.given", UNIFORM)
    assert (caught.value.code, caught.value.field) == ("uniform_given", "fields.volunteer")
    audited(world.book)


@pytest.mark.usefixtures("catalog")
def test_it_is_reversed_without_more_work(world: Scribe) -> None:
    given = world.tell("uniform.given", UNIFORM)
    world.tell("entry.reversed", {"entry": given, "reason": "未领取"})
    assert sum(end - first for first, end, _ in held(world.book, "item:rice", "stock:depot")) == 20
    assert stored_object(world.book, "uniform/holder-1") is None
    assert stored_object(world.book, "uniform-total") == {"given": 0}
    assert world.tell("uniform.given", UNIFORM) == FIRST_GIFT + 5
    audited(world.book)


@pytest.mark.usefixtures("catalog")
def test_without_its_line_it_is_unknown(world: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    index = world.tell("uniform.given", UNIFORM)
    monkeypatch.undo()
    with pytest.raises(KeyError):
        world.prepare("uniform.given", UNIFORM)
    report = audit(world.book.store, vault=world.book.vault, keys=world.book.verifier_keys)
    assert index in {one.index for one in report.findings}
