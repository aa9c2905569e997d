"""The verifier by example: receipts, growth, trace proofs, and what it says of them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import sample_log

from ledger import verify
from ledger.entry import build_disclosure, format_canonical, parse_canonical
from ledger.errors import (
    LedgerError,
    MalformedError,
    UndecidedError,
    UnknownSignerError,
    VerificationError,
)
from ledger.receipt import Opening, Receipt, build_receipt
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import Ed25519Signer, format_verifier_key
from ledger.tlog.policy import parse_policy
from ledger.tlog.proofs import build_consistency
from ledger.verify import (
    EntryFlows,
    checkpoint_of,
    format_amount,
    moves_of,
    tell,
    verify_checkpoint,
    verify_growth,
    verify_receipt,
    verify_trace,
    walk,
    walks_as_json,
)

KEYS = sample_log.KEYS
OTHER_KEY = sample_log.STRANGER.verifier_key
GIFTS = sample_log.gifts(7)
PURCHASE = sample_log.purchase()


def receipt(**changes: Any) -> bytes:
    """The receipt of gift 4 with other parts."""
    parts = {
        "index": 4,
        "proof": GIFTS.inclusion(4),
        "checkpoint": GIFTS.checkpoint(),
        "opening": Opening(GIFTS.data[4], sample_log.seed_of(4), sample_log.VALUES),
    }
    return build_receipt(Receipt(**{**parts, **changes}))


class TestCheckpoint:
    def test_it_names_the_signers(self) -> None:
        second = Ed25519Signer("w.example", sample_log.STRANGER._private_key)
        note = GIFTS.checkpoint(signers=(sample_log.SIGNER, second))
        checkpoint, signers = verify_checkpoint(note, [*KEYS, second.verifier_key])
        assert (checkpoint.origin, checkpoint.size) == (sample_log.ORIGIN, 7)
        assert signers == (sample_log.ORIGIN, "w.example")

    def test_two_keys_of_one_name_are_told_once(self) -> None:
        note = GIFTS.checkpoint(signers=(sample_log.SIGNER, sample_log.STRANGER))
        assert verify_checkpoint(note, [*KEYS, OTHER_KEY])[1] == (sample_log.ORIGIN,)

    def test_no_key_decides_nothing(self) -> None:
        with pytest.raises(UndecidedError, match="at least one verifier key"):
            verify_checkpoint(GIFTS.checkpoint(), [])

    def test_an_unknown_signer_decides_nothing(self) -> None:
        with pytest.raises(UnknownSignerError):
            verify_checkpoint(GIFTS.checkpoint(), [OTHER_KEY])

    def test_another_log_of_the_same_key(self) -> None:
        stranger = Ed25519Signer("other.example", sample_log.SIGNER._private_key)
        note = sign_checkpoint("other.example", 0, EMPTY_ROOT, [stranger])
        with pytest.raises(LedgerError) as got:
            verify_checkpoint(note, [*KEYS, stranger.verifier_key])
        assert isinstance(got.value, VerificationError | MalformedError)


class TestReceipt:
    def test_all_is_revealed(self) -> None:
        found = verify_receipt(GIFTS.receipt(4), KEYS)
        assert (found.entry.index, found.checkpoint.size) == (4, 7)
        assert found.leaf_hash == GIFTS.leaves[4]
        assert found.signers == (sample_log.ORIGIN,)
        assert dict(found.values) == sample_log.VALUES
        assert found.hidden == ()

    def test_some_is_revealed(self) -> None:
        found = verify_receipt(GIFTS.receipt(4, ["donor_name"]), KEYS)
        assert dict(found.values) == {"donor_name": sample_log.VALUES["donor_name"]}
        assert found.hidden == ("contact", "order_number")

    def test_nothing_is_revealed(self) -> None:
        found = verify_receipt(GIFTS.receipt(4, "none"), KEYS)
        assert dict(found.values) == {}
        assert found.hidden == ("contact", "donor_name", "order_number")

    def test_an_entry_without_personal_fields(self) -> None:
        found = verify_receipt(PURCHASE.receipt(3), KEYS)
        assert (dict(found.values), found.hidden) == ({}, ())

    @pytest.mark.parametrize(
        "changes",
        [
            {"index": 3},
            {"index": 7},
            {"index": 10**18},
            {"proof": GIFTS.inclusion(3)},
            {"proof": GIFTS.inclusion(4)[:-1]},
            {"proof": (*GIFTS.inclusion(4), bytes(32))},
            {"proof": ()},
            {"checkpoint": GIFTS.checkpoint(6)},
            {"opening": Opening(GIFTS.data[3])},
            {"opening": Opening(GIFTS.data[4].replace(b"100", b"101"))},
            {"opening": Opening(GIFTS.data[4], bytes(16), sample_log.VALUES)},
            {"opening": Opening(GIFTS.data[4], sample_log.seed_of(4), {"contact": "x"})},
            {
                "opening": Opening(
                    GIFTS.data[4],
                    disclosures=[build_disclosure(sample_log.seed_of(4), "contact", "x")],
                )
            },
        ],
    )
    def test_what_was_altered_is_a_mismatch(self, changes: dict[str, Any]) -> None:
        with pytest.raises(VerificationError):
            verify_receipt(receipt(**changes), KEYS)

    def test_an_entry_must_stand_where_it_says(self) -> None:
        # Not the log of one who follows the rules: its entry 0 says that it is entry 5.
        log = sample_log.make_log([{"index": 5}])
        with pytest.raises(VerificationError, match="says index 5, but it stands at 0") as got:
            verify_receipt(
                build_receipt(Receipt(0, (), log.checkpoint(), Opening(log.data[0]))), KEYS
            )
        assert got.value.code == "index_mismatch"

    def test_what_is_in_the_log_must_be_an_entry(self) -> None:
        log = sample_log.SampleLog([b"no entry"], {})
        with pytest.raises(MalformedError):
            verify_receipt(
                build_receipt(Receipt(0, (), log.checkpoint(), Opening(log.data[0]))), KEYS
            )

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_it_is_told_with_its_limits(self, language: Any) -> None:
        text = tell(verify_receipt(GIFTS.receipt(4), KEYS), language)
        assert sample_log.ORIGIN in text
        assert "1.00 CNY" in text
        assert ("不能证明款物已经送达" if language == "zh" else "does not show that") in text
        bought = tell(verify_receipt(PURCHASE.receipt(3), KEYS), language)
        assert ("6.00 CNY、7 pack" if language == "zh" else "6.00 CNY, 7 pack") in bought
        opened = tell(verify_receipt(PURCHASE.receipt(0), KEYS), language)
        assert "2021-09-09）" in opened if language == "zh" else "2021-09-09)" in opened


class TestGrowth:
    def grown(self, old: int, new: int) -> list[bytes]:
        return build_consistency(old, new, GIFTS.node)

    @pytest.mark.parametrize(("old", "new"), [(1, 7), (3, 7), (4, 6), (7, 7)])
    def test_a_log_that_only_grew(self, old: int, new: int) -> None:
        proof = self.grown(old, new)
        found = verify_growth(GIFTS.checkpoint(old), GIFTS.checkpoint(new), proof, KEYS)
        assert (found.old.size, found.new.size) == (old, new)
        assert f"{old} 条增至 {new} 条" in tell(found, "zh")
        assert f"from {old} to {new} entries" in tell(found, "en")

    def test_a_receipt_holds_a_checkpoint(self) -> None:
        data = GIFTS.receipt(4)
        assert checkpoint_of(data) == GIFTS.checkpoint()
        assert checkpoint_of(b"anything") == b"anything"
        assert verify_growth(GIFTS.checkpoint(3), data, self.grown(3, 7), KEYS).new.size == 7

    def test_a_rewritten_log(self) -> None:
        other = sample_log.purchase()
        with pytest.raises(VerificationError):
            verify_growth(other.checkpoint(3), GIFTS.checkpoint(7), self.grown(3, 7), KEYS)
        with pytest.raises(VerificationError, match="two histories"):
            verify_growth(other.checkpoint(3), GIFTS.checkpoint(3), [], KEYS)

    def test_the_older_one_comes_first(self) -> None:
        with pytest.raises(UndecidedError, match="give the older one first") as got:
            verify_growth(GIFTS.checkpoint(7), GIFTS.checkpoint(3), self.grown(3, 7), KEYS)
        assert got.value.code == "order"

    def test_two_logs_do_not_grow_into_each_other(self) -> None:
        signer = Ed25519Signer("another.example/log", sample_log.STRANGER._private_key)
        other = sign_checkpoint(signer.name, 3, bytes(32), [signer])
        keys = [format_verifier_key(one) for one in (KEYS[0], signer.verifier_key)]
        policy = parse_policy("".join(f"log {one}\n" for one in keys).encode() + b"quorum none\n")
        with pytest.raises(UndecidedError, match="of one log") as got:
            verify_growth(other, GIFTS.checkpoint(7), [], policy)
        assert got.value.code == "other_log"

    def test_an_empty_log_shows_nothing(self) -> None:
        with pytest.raises(UndecidedError, match="empty log"):
            verify_growth(GIFTS.checkpoint(0), GIFTS.checkpoint(3), [], KEYS)


def trace_value(**changes: Any) -> dict[str, Any]:
    value = parse_canonical(PURCHASE.trace(1, "forward", [1, 3, 4]))
    assert isinstance(value, dict)
    return {**value, **changes}


def member(number: int, /, log: Any = PURCHASE, **changes: Any) -> dict[str, Any]:
    return {
        "index": number,
        "entry": b64encode(log.data[number]).decode(),
        "proof": [b64encode(one).decode() for one in log.inclusion(number)],
        **changes,
    }


class TestTrace:
    def test_forward(self) -> None:
        found = verify_trace(PURCHASE.trace(1, "forward", [1, 3, 4]), KEYS)
        assert (found.entry, found.direction, found.checkpoint.size) == (1, "forward", 5)
        assert [one.index for one in found.entries] == [1, 3, 4]
        assert [(one.state, one.account, one.amount) for one in found.walks[0].ends] == [
            ("left", "world:beneficiary", 257),
            ("held", "stock:hq", 243),
        ]
        for language in ("zh", "en"):
            text = tell(found, language)
            assert "3" in text
            assert ("仍在账上" if language == "zh" else "still held") in text

    def test_backward(self) -> None:
        found = verify_trace(PURCHASE.trace(4, "backward", [1, 3, 4]), KEYS)
        assert dict(found.walks[0].amounts) == {"CNY": 257}
        assert "来源由 3 个条目" in tell(found, "zh")
        assert "the way back from entry 4" in tell(found, "en")
        assert "still held" not in tell(found, "en")

    def test_an_entry_that_moved_nothing(self) -> None:
        assert verify_trace(PURCHASE.trace(0, "forward", [0]), KEYS).walks == ()

    def test_an_entry_left_out_shows_as_held(self) -> None:
        # What nobody can see from a part of a log; `tell` says so.
        walks = walks_as_json(walk(EntryFlows([PURCHASE.entries[1]]), 1, "forward"))
        data = format_canonical(trace_value(entries=[member(1)], walks=walks))
        assert verify_trace(data, KEYS).walks[0].ends[0].state == "held"

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"entries": [member(1), member(3)]}, "not the walk that the file states"),
            ({"entries": [member(3), member(4)]}, "needs entry 1"),
            ({"entries": []}, "needs entry 1"),
            ({"entry": 2}, "needs entry 2"),
            ({"entry": -1}, "needs entry -1"),
            ({"direction": "backward"}, "not the walk that the file states"),
            ({"walks": []}, "not the walk that the file states"),
            ({"checkpoint": PURCHASE.checkpoint(4).decode()}, "expected a"),
            ({"entries": [member(1, index=2)]}, "does not lead"),
            ({"entries": [member(1, proof=[])]}, "expected a proof of"),
            ({"entries": [member(1, entry=member(2)["entry"])]}, "does not lead"),
        ],
    )
    def test_what_was_altered_is_a_mismatch(self, changes: dict[str, Any], error: str) -> None:
        with pytest.raises(VerificationError, match=error):
            verify_trace(format_canonical(trace_value(**changes)), KEYS)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"format": "shanji-trace/v2"}, "a trace proof of format"),
            ({"note": ""}, "a trace proof of format"),
            ({"entry": True}, "a trace proof of format"),
            ({"entry": "1"}, "a trace proof of format"),
            ({"direction": "up"}, "a trace proof of format"),
            ({"checkpoint": 1}, "a trace proof of format"),
            ({"entries": {}}, "a trace proof of format"),
            ({"walks": {}}, "a trace proof of format"),
            ({"entries": [member(1), member(1)]}, "each entry once"),
            ({"entries": [1]}, "entries as {index"),
            ({"entries": [{"index": 1}]}, "entries as {index"),
            ({"entries": [member(1, index="1")]}, "entries as {index"),
            ({"entries": [member(1, index=True)]}, "entries as {index"),
            ({"entries": [member(1, proof={})]}, "entries as {index"),
            ({"entries": [member(1, proof=[""] * 64)]}, "entries as {index"),
            ({"entries": [member(1, entry=1)]}, "base64 text"),
            ({"entries": [member(1, proof=[1])]}, "base64 text"),
            ({"entries": [member(1, entry="YQ")]}, "entry or hash"),
            ({"entries": [member(1, proof=["YQ=="])]}, "expected"),
            ({"entries": [member(1, index=-1)]}, "expected"),
        ],
    )
    def test_what_is_no_trace_proof(self, changes: dict[str, Any], error: str) -> None:
        with pytest.raises(MalformedError, match=error):
            verify_trace(format_canonical(trace_value(**changes)), KEYS)

    @pytest.mark.parametrize("data", [b"", b"[]", b"1", b"not json", b'{"a": 1}'])
    def test_what_is_no_object(self, data: bytes) -> None:
        with pytest.raises(MalformedError):
            verify_trace(data, KEYS)

    def test_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = PURCHASE.trace(1, "forward", [1, 3, 4])
        monkeypatch.setattr(verify, "TRACE_ENTRIES_MAX", 2)
        with pytest.raises(MalformedError, match="at most 2 entries"):
            verify_trace(data, KEYS)
        monkeypatch.setattr(verify, "TRACE_BYTES_MAX", len(data) - 1)
        with pytest.raises(MalformedError, match=f"at most {len(data) - 1} bytes"):
            verify_trace(data, KEYS)

    def test_unknown_keys_decide_nothing(self) -> None:
        with pytest.raises(UnknownSignerError):
            verify_trace(PURCHASE.trace(1, "forward", [1, 3, 4]), [OTHER_KEY])

    def test_an_entry_must_stand_where_it_says(self) -> None:
        log = sample_log.make_log([{"index": 5}])
        data = format_canonical(
            trace_value(
                entry=5,
                checkpoint=log.checkpoint().decode(),
                entries=[member(0, log)],
                walks=[],
            )
        )
        with pytest.raises(VerificationError, match="says index 5, but it stands at 0"):
            verify_trace(data, KEYS)

    @pytest.mark.parametrize("side", ["out", "in"])
    @pytest.mark.parametrize("shared", [0, 1, 10])
    def test_units_that_moved_twice(self, side: str, shared: int) -> None:
        # A ledger that signs this breaks its promise; the trace shows which entries.
        gift = PURCHASE.entries[1].postings[0]
        spent = {"asset": "CNY", "amount": 10, "from": "fund:general", "to": "world:beneficiary"}
        twice = (
            [[spent | {"takes": [[400, 410]]}], [spent | {"takes": [[410 - shared, 420 - shared]]}]]
            if side == "out"
            else [[gift | {"at": 500 - shared}]]
        )
        log = sample_log.make_log([{"postings": one} for one in ([gift], *twice)])
        data = log.trace(0, "forward", range(len(log.data)))
        if shared:
            with pytest.raises(VerificationError, match="move the same units of CNY in") as got:
                verify_trace(data, KEYS)
            assert got.value.code == "units_twice"
        else:
            assert verify_trace(data, KEYS).entries == tuple(log.entries)

    def test_parts_that_do_not_sum_to_the_whole(self) -> None:
        # A reversal that gives back less than was taken: signed, but it does not fit.
        gift = PURCHASE.entries[1].postings[0]
        spent = {
            "asset": "CNY",
            "amount": 500,
            "from": "fund:general",
            "takes": [[0, 500]],
            "to": "world:beneficiary",
        }
        back = {
            "asset": "CNY",
            "amount": 400,
            "from": "world:beneficiary",
            "to": "fund:general",
            "at": 500,
        }
        log = sample_log.make_log(
            [
                {"postings": [gift]},
                {"postings": [spent]},
                {"kind": "entry.reversed", "fields": {"entry": 1}, "postings": [back]},
                {
                    "kind": "entry.reversed",
                    "fields": {"entry": 0},
                    "postings": [gift | {"at": 900}],
                },
            ]
        )
        with pytest.raises(VerificationError, match="do not sum to the whole") as got:
            verify_trace(log.trace(3, "backward", [0, 3]), KEYS)
        assert got.value.code == "trace_gap"


class TestEntryFlows:
    @pytest.mark.parametrize("named", [True, "1", None, [1]])
    def test_a_reversal_of_no_entry_reverses_nothing(self, named: object) -> None:
        log = sample_log.make_log([{"kind": "entry.reversed", "fields": {"entry": 0}}])
        entry = log.entries[0]
        assert moves_of(entry).reverses == 0
        entry.fields["entry"] = named
        assert moves_of(entry).reverses is None

    @pytest.mark.parametrize(
        ("first", "end", "entries"),
        [(0, 1, [1]), (499, 501, [1, 2]), (500, 501, [2]), (999, 2000, [2]), (1000, 2000, [])],
    )
    def test_only_what_overlaps(self, first: int, end: int, entries: list[int]) -> None:
        found = EntryFlows(PURCHASE.entries).arrivals("CNY", "fund:general", first, end)
        assert [flow.entry for flow in found] == entries

    def test_an_unused_account_has_no_flows(self) -> None:
        source = EntryFlows(PURCHASE.entries)
        assert source.arrivals("CNY", "fund:none", 0, 9) == []
        assert source.departures("points", "fund:general", 0, 9) == []


@pytest.mark.parametrize(
    ("asset", "amount", "text"),
    [
        ("CNY", 0, "0.00 CNY"),
        ("CNY", 5, "0.05 CNY"),
        ("CNY", 123456789, "1,234,567.89 CNY"),
        ("item:relief-pack", 7250, "7,250 relief-pack"),
        ("points", 60, "60 points"),
    ],
)
def test_amounts_for_people(asset: str, amount: int, text: str) -> None:
    assert format_amount(asset, amount) == text
