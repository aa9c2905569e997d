"""Records sealed beside the writer are those that are sealed here."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from ledger.entry import open_sealed
from ledger.errors import MalformedError
from ledger.records import sealing
from ledger.records.request import Prepared, prepare, validate
from ledger.records.sealing import APART_FROM, Unsealed, seal_slices
from ledger.vault import Digests, Vault

VAULT = Vault(bytes(range(32)))


def gift(number: int, **more: Any) -> Unsealed:
    """A gift with sealed fields."""
    fields = {"fund": "general", "amount_fen": 100 + number, "channel": "bank", **more}
    sealed = {"donor_name": "示例捐赠人", "order_number": f"EXAMPLE-{number}"}
    body = {"kind": "donation.money", "occurred_on": "2021-09-09", "fields": fields}
    return Unsealed({**body, "sealed": sealed}, f"test/{number}")


SLICES = [[gift(number) for number in range(start, start + 3)] for start in range(0, 15, 3)]


def sealed(records: int = APART_FROM, vault: Vault = VAULT, **more: Any) -> list[Prepared]:
    """All records of the slices, prepared."""
    slices = more.get("slices", SLICES)
    return [one for some in seal_slices(slices, records, "clerk-1", vault) for one in some]


def check(found: list[Prepared]) -> None:
    """Each is what `prepare` gives, but for the seed, and its own seed opens it."""
    wanted = [one for some in SLICES for one in some]
    assert len(found) == len(wanted)
    for one, asked in zip(found, wanted, strict=True):
        here = prepare(
            asked.body, key=asked.key, recorded_by="clerk-1", approved_by=None, vault=VAULT
        )
        assert (one.kind, one.fields, one.public) == (here.kind, here.fields, here.public)
        assert (one.occurred_on, one.documents) == (here.occurred_on, here.documents)
        assert (one.recorded_by, one.approved_by) == ("clerk-1", None)
        for name in ("key", "request", "order", "values"):
            assert getattr(one.row, name) == getattr(here.row, name)
        assert one.row.seed is not None
        assert one.row.values is not None
        open_sealed(one.sealed, one.row.seed, one.row.values)
    assert len({one.row.seed for one in found}) == len(found)


Pool = Callable[[Executor], None]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Puts another executor in the place of the process."""

    def put(executor: Executor) -> None:
        @contextmanager
        def instead(_processes: int) -> Iterator[Executor]:
            with executor:
                yield executor

        monkeypatch.setattr(sealing, "worker_pool", instead)
        monkeypatch.setattr(sealing, "cores", lambda: 2)

    return put


class Counting(ThreadPoolExecutor):
    """Counts what it is asked for; from some slice on it is broken."""

    def __init__(self, *, refuses_from: int = 99, breaks_at: int = 99) -> None:
        super().__init__(1)
        self.asked = 0
        self._refuses_from = refuses_from
        self._breaks_at = breaks_at

    def submit(self, work: Any, /, *arguments: Any, **more: Any) -> Future[Any]:
        """See `Executor`."""
        self.asked += 1
        if self.asked >= self._refuses_from:
            raise BrokenExecutor
        if self.asked != self._breaks_at:
            return super().submit(work, *arguments, **more)
        broken: Future[Any] = Future()
        broken.set_exception(BrokenExecutor())
        return broken


def test_another_process_gives_what_this_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "cores", lambda: 2)
    check(sealed())


@pytest.mark.parametrize("broken", [{}, {"refuses_from": 2}, {"breaks_at": 3}])
def test_what_the_other_does_not_do_is_done_here(pool: Pool, broken: dict[str, int]) -> None:
    other = Counting(**broken)
    pool(other)
    check(sealed())
    assert other.asked == len(SLICES)


def test_few_records_one_core_and_chosen_seeds_stay_here(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Counting()
    pool(other)
    check(sealed(APART_FROM - 1))
    check(sealed(vault=Vault(bytes(range(32)), os.urandom)))
    monkeypatch.setattr(sealing, "cores", lambda: 1)
    check(sealed())
    assert other.asked == 0


def test_what_was_validated_before_is_sealed_as_it_is() -> None:
    slices = [[Unsealed({}, one.key, validate(one.body)) for one in some] for some in SLICES]
    check(sealed(0, slices=slices))
    with pytest.raises(MalformedError, match="Idempotency-Key"):
        sealed(0, slices=[[Unsealed({}, "a b", slices[0][0].found)]])


def test_a_refused_record_is_told_in_the_same_words(pool: Pool) -> None:
    slices = [SLICES[0], [gift(1, amount_fen=0)]]
    with pytest.raises(MalformedError) as here:
        sealed(0, slices=slices)
    pool(Counting())
    with pytest.raises(MalformedError) as there:
        sealed(slices=slices)
    assert str(there.value) == str(here.value)


def test_the_digests_travel_and_show_no_key() -> None:
    there: Digests = pickle.loads(pickle.dumps(VAULT.digests))
    assert there.digest("order", b"1") == VAULT.digest("order", b"1")
    assert there.portable
    assert there.new_seed() != there.new_seed()
    assert "key" not in repr(there)
