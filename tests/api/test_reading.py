"""Entries, proofs, traces, the log, kinds, registers and accounts, read as JSON."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import oracle_merkle
import orjson
import pytest
from caller import Caller, gift
from scribe import FIRST_GIFT, ORGANISATION, ORIGIN, REGISTERS

from api.routes.registers import FAMILIES
from ledger.entry import parse_entry
from ledger.records.catalog import KINDS
from ledger.records.kind import Role
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import parse_verifier_key
from ledger.tlog.proofs import verify_consistency, verify_inclusion
from ledger.verify import verify_checkpoint, verify_trace

REFUND = {
    "kind": "donation.refunded",
    "occurred_on": "2022-01-10",
    "fields": {"gift": FIRST_GIFT, "amount_fen": 40_000, "reason": "重复付款"},
}


def test_an_entry_is_shown_with_its_hash(untouched: Caller) -> None:
    answer = untouched.get(f"/v1/entries/{FIRST_GIFT}")
    value = answer.json()
    data, entry = untouched.book.entry(FIRST_GIFT)
    assert value["leaf_hash"] == leaf_hash(data).hex()
    assert value["entry"]["fields"] == entry.fields
    assert set(value["entry"]["sealed"]) == {"donor_name", "order_number", "message"}
    # The stored bytes themselves are in the answer.
    assert data in answer.content
    assert "reversed_by" not in value
    for name in ("receipt", "trace", "inclusion"):
        assert untouched.get(value["links"][name]).status_code == 200


def test_an_entry_is_asked_about_again_and_sent_when_it_was_reversed(service: Caller) -> None:
    path = f"/v1/entries/{FIRST_GIFT + 2}"
    answer = service.get(path)
    assert answer.headers["cache-control"] == "public, no-cache"
    headers = {"If-None-Match": answer.headers["etag"]}
    assert service.get(path, headers=headers).status_code == 304
    body = {
        "kind": "entry.reversed",
        "occurred_on": "2022-01-10",
        "fields": {"entry": FIRST_GIFT + 2, "reason": "积分发放有误"},
    }
    reversal = service.record(body, approval=Role.APPROVER)["index"]
    again = service.get(path, headers=headers)
    assert again.status_code == 200
    assert again.json()["reversed_by"] == reversal


def test_entries_are_listed_newest_first_by_cursor(untouched: Caller) -> None:
    size = untouched.book.head().size
    seen: list[int] = []
    path: str | None = "/v1/entries?limit=7"
    while path is not None:
        page = untouched.value(path)
        assert page["as_of"] == size
        seen += [one["index"] for one in page["entries"]]
        path = page.get("next")
    assert seen == list(range(size - 1, -1, -1))
    assert untouched.value("/v1/entries?before=0")["entries"] == []
    assert untouched.value(f"/v1/entries?before={10**9}&limit=1")["entries"][0]["index"] == size - 1
    one = untouched.value("/v1/entries?before=5&limit=1")["entries"][0]
    assert {**one, "referred_by": []} == untouched.value("/v1/entries/4")


def test_later_entries_about_an_entry_are_listed(untouched: Caller) -> None:
    # Fund 1: the first gift; holder 6: the points; both of them also by the paged list.
    gift = FIRST_GIFT
    assert untouched.value(f"/v1/entries/{gift}")["referred_by"] == [
        {"index": gift + 2, "kind": "points.issued"}
    ]
    path = "/v1/entries/2/referrers?limit=2"
    size = untouched.value("/v1/log")["size"]
    seen: list[int] = []
    while path:
        page = untouched.value(path)
        assert page["as_of"] == size
        assert len(page["referred_by"]) <= 2
        seen += [one["index"] for one in page["referred_by"]]
        path = page.get("next")
    entries = [untouched.value(f"/v1/entries/{index}")["entry"] for index in range(size)]
    assert seen == [index for index, one in enumerate(entries) if 2 in one["references"]]
    assert len(seen) == 3
    assert untouched.call("GET", f"/v1/entries/{size}/referrers").status_code == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "before=-1", "before=x", f"before={2**60}"]
)
def test_a_wrong_parameter_is_named(untouched: Caller, query: str) -> None:
    problem = untouched.problem(untouched.get(f"/v1/entries?{query}"), 400, "invalid_parameter")
    assert [one["field"] for one in problem["errors"]] == [query.partition("=")[0]]


def test_inclusion_proofs_verify(service: Caller) -> None:
    for number in range(3):
        service.record(gift(number + 1))
    size = service.book.head().size
    for index in (0, FIRST_GIFT, size - 1):
        for asked in (None, size - 1, size):
            if asked is not None and index >= asked:
                continue
            query = {"index": index} | ({} if asked is None else {"size": asked})
            value = service.value("/v1/proofs/inclusion", params=query)
            root, proof = b64decode(value["root"]), [b64decode(one) for one in value["proof"]]
            leaf = bytes.fromhex(value["leaf_hash"])
            verify_inclusion(index, value["size"], leaf, proof, root)
            keys = service.book.verifier_keys
            checkpoint, _ = verify_checkpoint(value["checkpoint"].encode(), keys)
            assert (checkpoint.size, checkpoint.root) == (asked or size, root)


def test_inclusion_that_cannot_be_proved(untouched: Caller) -> None:
    size = untouched.book.head().size
    path = "/v1/proofs/inclusion"
    untouched.problem(untouched.get(path), 400, "invalid_parameter")
    untouched.problem(untouched.get(f"{path}?index={size}"), 404, "not_found")
    untouched.problem(untouched.get(f"{path}?index=0&size={size + 1}"), 404, "no_checkpoint")
    # The registers were written in one batch: no checkpoint was signed inside it.
    untouched.problem(untouched.get(f"{path}?index=0&size=3"), 404, "no_checkpoint")


def test_consistency_proofs_verify_between_all_sizes(untouched: Caller) -> None:
    size = untouched.book.head().size
    with untouched.book.store.read() as reader:
        leaves = [leaf_hash(data) for data in reader.entries(0, size)]
    for old in range(1, size + 1):
        value = untouched.value("/v1/proofs/consistency", params={"old": old})
        roots = [b64decode(value[name]) for name in ("old_root", "new_root")]
        proof = [b64decode(one) for one in value["proof"]]
        assert value["new"] == size
        assert roots[0] == oracle_merkle.tree_hash(leaves[:old])
        verify_consistency(old, size, proof, roots[0], roots[1])
        assert "new_checkpoint" in value
        assert ("old_checkpoint" in value) == (old in (1, 17, 18, 19, 20))
    between = untouched.value("/v1/proofs/consistency?old=5&new=9")
    assert "new_checkpoint" not in between
    proof = [b64decode(one) for one in between["proof"]]
    verify_consistency(
        5,
        9,
        proof,
        oracle_merkle.tree_hash(leaves[:5]),
        oracle_merkle.tree_hash(leaves[:9]),
    )


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("old=0", 400, "invalid_parameter"),
        ("", 400, "invalid_parameter"),
        ("old=5&new=4", 404, "not_found"),
        ("old=5&new=100", 404, "not_found"),
        ("old=100", 404, "not_found"),
    ],
)
def test_consistency_that_cannot_be_proved(
    untouched: Caller, query: str, status: int, code: str
) -> None:
    untouched.problem(untouched.get(f"/v1/proofs/consistency?{query}"), status, code)


def test_a_trace_tells_where_units_went(service: Caller) -> None:
    refund = service.record(REFUND, approval=Role.APPROVER)["index"]
    value = service.value(f"/v1/entries/{FIRST_GIFT}/trace")
    assert value["direction"] == "forward"
    assert value["as_of"] == service.book.head().size
    (walk,) = value["walks"]
    ends = {(one["state"], one["amount"]) for one in walk["ends"]}
    assert ends == {("held", 60_000), ("left", 40_000)}
    assert sum(one["amount"] for one in walk["ends"]) == walk["amount"] == 100_000
    back = service.value(f"/v1/entries/{refund}/trace?direction=backward")
    assert [(one["state"], one["entry"]) for one in back["walks"][0]["ends"]] == [
        ("entered", FIRST_GIFT)
    ]
    assert service.value("/v1/entries/1/trace")["walks"] == []


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_trace_proof_verifies(untouched: Caller, direction: str) -> None:
    path = f"/v1/entries/{FIRST_GIFT}/trace?direction={direction}&proof=true"
    answer = untouched.get(path)
    name = f'attachment; filename="{FIRST_GIFT}-{direction}.tlog-trace.json"'
    assert answer.headers["content-disposition"] == name
    assert answer.headers["content-type"] == "application/json"
    verified = verify_trace(answer.content, untouched.book.verifier_keys)
    assert verified.direction == direction


def test_a_trace_that_goes_nowhere_is_refused(untouched: Caller) -> None:
    answer = untouched.get(f"/v1/entries/{FIRST_GIFT}/trace?direction=sideways")
    untouched.problem(answer, 400, "invalid_parameter")


def test_the_log_tells_what_it_is(untouched: Caller) -> None:
    value = untouched.value("/v1/log")
    assert (value["origin"], value["organisation"]) == (ORIGIN, ORGANISATION)
    keys = [parse_verifier_key(key) for key in value["verifier_keys"]]
    note = untouched.get(value["links"]["checkpoint"]).content
    checkpoint, _ = verify_checkpoint(note, keys)
    assert (checkpoint.size, checkpoint.root) == (value["size"], b64decode(value["root"]))
    newest = untouched.value("/v1/entries?limit=1")["entries"][0]["entry"]
    assert value["checkpoint_time"] == newest["recorded_at"]


def test_every_kind_is_listed_and_described(untouched: Caller) -> None:
    listed = untouched.value("/v1/kinds")["kinds"]
    assert [one["name"] for one in listed] == [kind.name for kind in KINDS]
    for one in listed:
        detail = untouched.value(one["links"]["self"])
        assert {key: detail[key] for key in one} == one
        assert detail["request_schema"]["properties"]["kind"]["const"] == one["name"]
        assert ("example" in detail) == bool(one["recorders"])
    untouched.problem(untouched.get("/v1/kinds/donation.magic"), 404, "no_kind")


def test_registers_are_listed_by_cursor(untouched: Caller) -> None:
    size = untouched.book.head().size
    registered: dict[str, list[str]] = {}
    for kind, fields in REGISTERS:
        registered.setdefault(kind.partition(".")[0], []).append(fields["code"])
    for register, family in FAMILIES.items():
        seen: list[Any] = []
        path: str | None = f"/v1/{register}?limit=1"
        while path is not None:
            page = untouched.value(path)
            assert page["as_of"] == size
            seen += page["things"]
            path = page.get("next")
        assert [one["code"] for one in seen] == sorted(registered.get(family, []))
        for one in seen:
            assert untouched.value(one["links"]["self"]) == {**one, "as_of": size}
            if "entry" in one["links"]:
                entry = untouched.value(one["links"]["entry"])["entry"]
                assert entry["fields"]["code"] == one["code"]


def test_totals_follow_what_is_recorded(service: Caller) -> None:
    service.record(gift(5_000))
    service.record(REFUND, approval=Role.APPROVER)
    fund = service.value("/v1/funds/general")
    assert fund["totals"] == {"gifts": 2, "raised_fen": 105_000, "refunded_fen": 40_000}
    assert service.value("/v1/items/rice")["totals"] == {"given": 20, "valued_fen": 0}
    assert service.value("/v1/rules/points-for-money")["totals"] == {"issued": 500}
    account = service.value(fund["links"]["account"])
    assert (account["received"], account["held"]) == (105_000, 65_000)


def test_a_thing_that_is_not_registered(untouched: Caller) -> None:
    untouched.problem(untouched.get("/v1/funds/nowhere"), 404, "no_such_code")
    untouched.problem(untouched.get("/v1/funds/No%20Code"), 400, "invalid_parameter")
    untouched.problem(untouched.get("/v1/wishes"), 404, "no_such_path")


def test_an_account_tells_which_units_it_holds(service: Caller) -> None:
    service.record(REFUND, approval=Role.APPROVER)
    value = service.value("/v1/accounts/CNY/fund:general")
    assert value["ranges"] == [{"first": 0, "end": 60_000, "label": ""}]
    assert (value["received"], value["held"]) == (100_000, 60_000)
    assert value["as_of"] == service.book.head().size
    rice = service.value("/v1/accounts/item:rice/stock:depot")
    assert (rice["received"], rice["held"]) == (20, 20)
    points = service.value("/v1/accounts/points/points:holder-1")
    assert points["held"] == 500


def test_an_account_with_many_ranges_is_read_by_cursor(service: Caller) -> None:
    lots = [f"L{number}" for number in range(2, 7)]
    for lot in lots:
        fields = {"item": "rice", "quantity": 3, "site": "depot", "lot": lot}
        body = {"kind": "donation.goods", "occurred_on": "2022-01-10", "fields": fields}
        service.record(body, role=Role.WAREHOUSE)
    seen: list[Any] = []
    path: str | None = "/v1/accounts/item:rice/stock:depot?limit=2"
    while path is not None:
        page = service.value(path)
        assert page["held"] == 35
        seen += page["ranges"]
        path = page.get("next")
    assert len(seen) == 6
    assert sum(one["end"] - one["first"] for one in seen) == 35


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("CNY/fund:nowhere", 404, "no_account"),
        ("points/fund:general", 404, "no_account"),
        ("CNY/world:donor", 404, "outside_account"),
        ("gold/fund:general", 400, "invalid_parameter"),
        ("CNY/general", 400, "invalid_parameter"),
    ],
)
def test_an_account_that_is_not_there(untouched: Caller, path: str, status: int, code: str) -> None:
    untouched.problem(untouched.get(f"/v1/accounts/{path}"), status, code)


def test_entries_in_answers_parse_as_entries(untouched: Caller) -> None:
    for one in untouched.value("/v1/entries?limit=50")["entries"]:
        data = orjson.dumps(one["entry"], option=orjson.OPT_SORT_KEYS)
        assert parse_entry(data).index == one["index"]
