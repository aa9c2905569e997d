"""Witnesses over HTTP: who cosigned, receipts that wait, a log that a witness contradicts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from caller import Caller, gift, serving
from pdf_reader import read_pdf
from witness_desk import Desk, desks, eventually

from ledger import feed as feed_module
from ledger.audit.witness.judge import Verdict
from ledger.book import Book
from ledger.errors import MalformedError, NotFoundError, PendingError
from ledger.records.kind import Role
from ledger.tlog.note import VerifierKey, format_verifier_key
from ledger.tlog.policy import Group, LogKey, Policy, format_policy
from ledger.tlog.witnessed import open_witnessed
from ledger.verify import verify_receipt

LINES = 40
PATIENT = {"witness_seconds_max": 120}
"""Witnesses that come are waited for, however slow the machine is."""
TOO_LARGE = Verdict(409, b"999999\n", "text/x.tlog.size")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in a test."""
    for name in ("POLL_SECONDS", "POLL_SECONDS_REQUIRED", "BACKOFF_SECONDS_MIN"):
        monkeypatch.setattr(feed_module, name, 0.02)
    monkeypatch.setattr(feed_module, "BACKOFF_SECONDS_MAX", 0.1)


@pytest.fixture
def keys(folder: Path) -> tuple[VerifierKey, ...]:
    book = Book.open(folder)
    book.close()
    return book.verifier_keys


@pytest.fixture
def asked(tmp_path: Path, keys: tuple[VerifierKey, ...]) -> Iterator[list[Desk]]:
    with desks(tmp_path, 2, *keys) as made:
        yield made


@pytest.fixture
def policy(asked: list[Desk], keys: tuple[VerifierKey, ...]) -> Policy:
    """Both witnesses are the quorum."""
    witnesses = tuple(one.as_witness(f"W{n}") for n, one in enumerate(asked))
    group = Group("both", 2, tuple(one.name for one in witnesses))
    return Policy(tuple(map(LogKey, keys)), witnesses, (group,), "both")


@pytest.fixture
def policy_file(tmp_path: Path, policy: Policy) -> Path:
    file = tmp_path / "policy"
    file.write_bytes(format_policy(policy))
    return file


def receipt(caller: Caller, index: int) -> tuple[bytes, str]:
    answer = caller.get(f"/v1/entries/{index}/receipt")
    return answer.content, answer.headers["cache-control"]


def last_sizes(caller: Caller) -> set[int | None]:
    """The sizes that the witnesses cosigned last."""
    return {one["last_size"] for one in caller.value("/v1/witnesses")["witnesses"]}


def test_without_a_policy_nothing_changes(untouched: Caller) -> None:
    value = untouched.value("/v1/witnesses")
    assert (value["require"], value["quorum"], value["witnesses"]) == (0, "none", [])
    assert "immutable" in receipt(untouched, 0)[1]
    size = untouched.book.head().size
    assert untouched.get("/checkpoint").content == untouched.book.head().checkpoint
    assert untouched.get(f"/v1/checkpoints/{size}").content == untouched.book.head().checkpoint
    untouched.problem(untouched.get(f"/v1/checkpoints/{size + 1}"), 404, "no_checkpoint")


def test_receipts_are_pending_and_then_settled(
    folder: Path, asked: list[Desk], policy: Policy, policy_file: Path
) -> None:
    asked[1].away = True
    with serving(folder, policy=policy_file) as caller:
        value = caller.record(gift())
        assert not asked[1].answers
        pending, cache = receipt(caller, value["index"])
        assert "immutable" not in cache
        with pytest.raises(PendingError):
            verify_receipt(pending, policy)
        path = f"/v1/entries/{value['index']}/receipt.pdf"
        paper = read_pdf(caller.get(path).content)
        assert paper.says("待封账：见证人尚不足")
        assert paper.says("2 个见证人中有 0 个联署")
        asked[1].away = False
        eventually(lambda: len(caller.value("/v1/witnesses")["witnesses"][1]) == 5)
        eventually(lambda: "immutable" in receipt(caller, value["index"])[1])
        found = verify_receipt(receipt(caller, value["index"])[0], policy, now=int(time.time()))
        assert found.witnessed is not None
        assert len(found.witnessed.cosigned) == 2
        paper = read_pdf(caller.get(path).content)
        assert not paper.says("待封账")
        assert paper.says("2 个见证人中有 2 个联署")
        note = caller.get("/checkpoint").content
        assert open_witnessed(note, policy).quorum_met
        assert caller.get(f"/v1/checkpoints/{value['size']}").content == note
        listed = caller.value("/v1/witnesses")
        assert [one["name"] for one in listed["witnesses"]] == ["w0.example", "w1.example"]
        assert last_sizes(caller) == {value["size"]}
        assert all(0 <= one["age_seconds"] < 60 for one in listed["witnesses"])
        metrics = caller.get("/metrics").text
        assert f'shanji_witness_size{{witness="w1.example"}} {value["size"]}' in metrics
        assert 'shanji_witness_age_seconds{witness="w0.example"}' in metrics
        inclusion = caller.value(f"/v1/proofs/inclusion?index={value['index']}")
        assert open_witnessed(inclusion["checkpoint"].encode(), policy).quorum_met
    # What is stored is published whether or not the service still has the policy.
    with serving(folder) as caller:
        assert caller.get("/checkpoint").content == note
        listed = caller.value("/v1/witnesses")["witnesses"]
        assert [one["trouble"] for one in listed] == ["not_in_policy"] * 2


def test_answers_wait_for_the_required_witnesses(
    folder: Path, asked: list[Desk], policy: Policy, policy_file: Path
) -> None:
    with serving(folder, policy=policy_file, require_witnesses=2, **PATIENT) as caller:
        body = gift()
        value = caller.record(body, key="first")
        found = verify_receipt(value["receipt"].encode(), policy, now=int(time.time()))
        assert found.entry.index == value["index"]
        assert found.checkpoint.size == value["size"]
        assert receipt(caller, value["index"])[1].endswith("immutable")
        again = caller.post(body, key="first")
        assert again.status_code == 200
        assert again.json()["receipt"] == value["receipt"]
        lines = b"".join(
            json.dumps({**gift(), "idempotency_key": f"line-{n}"}).encode() + b"\n"
            for n in range(5)
        )
        for one in caller.bulk(lines):
            verify_receipt(one["receipt"].encode(), policy)
        proposed = {**gift(), "kind": "money.allocated"}
        proposed["fields"] = {
            "from_fund": "general",
            "to_fund": "relief",
            "amount_fen": 1,
            "reason": "补充",
            "basis": "决议",
        }
        number = caller.call(
            "POST", "/v1/proposals", role=Role.CLERK, key="p", json=proposed
        ).json()["id"]
        approved = caller.call("POST", f"/v1/proposals/{number}/approve", role=Role.APPROVER)
        verify_receipt(approved.json()["receipt"].encode(), policy)


def test_when_witnesses_do_not_come(
    folder: Path, asked: list[Desk], policy: Policy, policy_file: Path
) -> None:
    with serving(folder, policy=policy_file, require_witnesses=2, witness_seconds_max=1) as caller:
        # On a slow machine the witnesses may not have come within the second.
        eventually(lambda: caller.post(gift(), key="before").status_code in (200, 201))
        before = caller.post(gift(), key="before").json()
        asked[0].away = True
        size = caller.book.head().size
        answer = caller.post(gift(), key="late")
        problem = caller.problem(answer, 503, "witnesses_missing")
        assert problem["details"] == {"index": size, "require": 2}
        assert answer.headers["retry-after"]
        assert caller.book.head().size == size + 1
        # Readers get the newest that the required witnesses saw.
        assert open_witnessed(caller.get("/checkpoint").content, policy).checkpoint.size == size
        started = time.monotonic()
        lines = b"".join(
            json.dumps({**gift(), "idempotency_key": f"line-{n}"}).encode() + b"\n"
            for n in range(LINES)
        )
        answers = caller.bulk(lines)
        assert {one["problem"]["code"] for one in answers} == {"witnesses_missing"}
        # All lines share one wait of a second: a wait each would take this long, and more.
        assert time.monotonic() - started < LINES
        caller.get("/readyz")
        asked[0].away = False
        eventually(lambda: caller.post(gift(), key="late").status_code == 200)
        value = caller.post(gift(), key="late").json()
        assert verify_receipt(value["receipt"].encode(), policy).entry.index == size
        eventually(lambda: caller.bulk(lines)[0].get("replayed") is True)
        assert before["index"] < value["index"]


def test_many_writers_wait_together(
    folder: Path, asked: list[Desk], policy: Policy, policy_file: Path
) -> None:
    with serving(folder, policy=policy_file, require_witnesses=1, **PATIENT) as caller:
        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(lambda n: caller.record(gift(), key=f"k{n}"), range(16)))
        assert len({one["index"] for one in values}) == 16
        for one in values:
            opened = open_witnessed(one["receipt"].encode().partition(b"\n\n")[2], policy)
            assert len(opened.cosigned) >= 1


def test_a_witness_that_has_seen_more_stops_the_log(
    folder: Path, asked: list[Desk], policy_file: Path
) -> None:
    with serving(folder, policy=policy_file) as caller:
        size = caller.record(gift())["size"]
        # What is under way to it would be answered by what follows, and the next record refused.
        eventually(lambda: last_sizes(caller) == {size})
        assert caller.value("/v1/attention")["items"] == []
        asked[0].behave = lambda _: TOO_LARGE
        caller.record(gift())
        eventually(lambda: caller.get("/readyz").status_code == 503)
        size = caller.book.head().size
        problem = caller.problem(caller.get("/readyz"), 503, "halted")
        assert "w0.example" in problem["detail"]
        caller.problem(caller.post(gift()), 503, "halted")
        line = json.dumps({**gift(), "idempotency_key": "one"}).encode() + b"\n"
        bulk = caller.call("POST", "/v1/entries/bulk", role=Role.CLERK, content=line)
        caller.problem(bulk, 503, "halted")
        assert caller.book.head().size == size

        def trouble() -> object:
            return caller.value("/v1/witnesses")["witnesses"][0].get("trouble")

        # The thread that halted the log says why a moment later.
        eventually(lambda: trouble() == "behind")
        alarm = caller.value("/v1/attention")["items"][0]
        assert (alarm["code"], alarm["severity"]) == ("witness_contradicts", "warning")
        assert "w0.example" in alarm["details"]["message"]
        assert 'shanji_witness_trouble{witness="w0.example"} 1' in caller.get("/metrics").text
        assert caller.get("/v1/entries/0").status_code == 200
        assert caller.call("GET", "/v1/proposals", role=Role.CLERK).status_code == 200
    # It is heard again before the next start takes anything.
    with serving(folder, policy=policy_file) as caller:
        caller.problem(caller.get("/readyz"), 503, "halted")
        assert caller.get("/metrics").status_code == 200


def test_settings_that_do_not_fit(
    folder: Path, policy_file: Path, tmp_path: Path, keys: tuple[VerifierKey, ...]
) -> None:
    with (
        pytest.raises(MalformedError, match="3 witnesses are required"),
        serving(folder, policy=policy_file, require_witnesses=3),
    ):
        pass
    with pytest.raises(NotFoundError), serving(folder, policy=tmp_path / "none"):
        pass
    other = format_verifier_key(keys[0])
    (tmp_path / "bad").write_text(f"log {other}\n")
    with (
        pytest.raises(MalformedError, match="expected one quorum line"),
        serving(folder, policy=tmp_path / "bad"),
    ):
        pass
