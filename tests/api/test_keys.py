"""The log's keys over HTTP: their history, the policy, and two people who change them."""

from __future__ import annotations

from caller import Caller, gift
from log_keys import key_id, key_text, private_key, put_key

from ledger.records.kind import Role
from ledger.tlog.cosignature import verifier_for
from ledger.tlog.note import open_note
from ledger.tlog.policy import parse_policy
from ledger.verify import verify_receipt

NEW = 2


def rotated(service: Caller) -> None:
    """The service takes a new key and gives up the old, by two people."""
    origin = service.book.origin
    (old,) = service.book.verifier_keys
    put_key(NEW, service.book.folder / "keys" / "new.pem")
    for kind, fields in (
        (
            "key.added",
            {"verifier_key": key_text(NEW, origin), "algorithm": "ed25519", "reason": "轮换"},
        ),
        ("key.revoked", {"key_id": old.key_id.hex(), "reason": "superseded"}),
    ):
        body = {"kind": kind, "occurred_on": "2022-01-10", "fields": fields}
        service.problem(service.post(body, role=Role.REGISTRAR), 422, "approval_required")
        service.record(body, role=Role.REGISTRAR, approval=Role.APPROVER)


def test_a_log_begins_with_one_key(untouched: Caller) -> None:
    value = untouched.value("/v1/keys")
    (key,) = value["keys"]
    assert value["origin"] == untouched.book.origin
    assert (key["active"], key["first_size"], key["added_by"]) == (True, 0, 0)
    assert key["links"] == {"added": "/v1/entries/0"}
    assert untouched.value("/v1/log")["verifier_keys"] == [key["verifier_key"]]
    assert untouched.value("/v1/log")["links"]["keys"] == "/v1/keys"


def test_the_history_links_to_the_entries_that_made_it(service: Caller) -> None:
    before = service.get("/v1/entries/17/receipt").content
    rotated(service)
    after = service.record(gift())["receipt"].encode()
    old, new = service.value("/v1/keys")["keys"]
    for key, names in ((old, ("added", "revoked")), (new, ("added",))):
        assert tuple(key["links"]) == names
    kinds = [service.value(link)["entry"]["kind"] for link in old["links"].values()]
    assert kinds == ["log.opened", "key.revoked"]
    assert service.value(new["links"]["added"])["entry"]["kind"] == "key.added"
    assert (old["active"], new["active"]) == (False, True)
    assert service.value("/v1/log")["verifier_keys"] == [
        old["verifier_key"],
        new["verifier_key"],
    ]
    answer = service.get(service.value("/v1/keys")["links"]["policy"])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    policy = parse_policy(answer.content)
    for receipt in (before, after):
        verify_receipt(receipt, policy)
    key = policy.log_keys[1].key
    assert open_note(service.get("/checkpoint").content, [verifier_for(key)]).verified


def test_no_private_key_comes_out(service: Caller) -> None:
    rotated(service)
    secret = private_key(NEW).private_bytes_raw()
    for path in ("/v1/keys", "/v1/keys/policy", "/v1/log", "/metrics", "/readyz"):
        content = service.get(path).content
        assert secret not in content
        assert secret.hex().encode() not in content


def test_pages_show_the_key_that_signs_now(service: Caller) -> None:
    (old,) = service.value("/v1/log")["verifier_keys"]
    assert old in service.get("/").text
    rotated(service)
    page = service.get("/").text
    assert old not in page
    assert key_id(NEW, service.book.origin) in page
