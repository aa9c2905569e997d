"""Evidence files: strict to read, and they prove what they say and nothing else."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import foreign_evidence
import pytest
import sample_log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dishonest import KEYS, ORIGIN, SIGNER, VKEY, PaperLog, paper_log

from ledger.audit.evidence import (
    Prefix,
    Served,
    format_prefix,
    format_served,
    judge,
    parse_prefix,
    parse_served,
    tell_judgement,
)
from ledger.errors import MalformedError, UndecidedError, UnknownSignerError, VerificationError
from ledger.receipt import Opening, Receipt, build_receipt
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import format_verifier_key
from ledger.tlog.policy import LogKey, Policy, Witness
from ledger.tlog.proofs import collect_siblings, edge_hash, root_from_subtree
from ledger.tlog.tiles import TileReader

KEY = format_verifier_key(VKEY)
OLD, NEW = 300, 900


def prefix_of(log: PaperLog, old: int) -> Prefix:
    """The true prefix of a log, with its proof."""
    proof = TileReader(log.size, log.tile).consistency(old)
    return Prefix(old, log.root(old), tuple(proof), log.checkpoint())


def leaf_of(log: PaperLog, index: int) -> Served:
    """The bundle of an entry, with the proof of its leaf."""
    reader = TileReader(log.size, log.tile)
    number = index // 256
    width = min(256, log.size - number * 256)
    path = f"tile/entries/{number:03}" + ("" if width == 256 else f".p/{width}")
    return Served(
        path,
        log.bundle(number, width),
        0,
        index,
        leaf_hash(log.entries[index]),
        tuple(reader.inclusion(index)),
    )


@pytest.mark.parametrize("old", [1, 255, 256, 257, 300, 512, 899])
def test_a_prefix_decides_between_two_sizes(old: int) -> None:
    honest = format_prefix(prefix_of(paper_log(NEW), old))
    forked = format_prefix(prefix_of(PaperLog(NEW, old - 1), old))
    first = paper_log(old).checkpoint()
    for one, verdict in ((honest, "one_history"), (forked, "two_histories")):
        for pair in ((first, one), (one, first)):
            judgement = judge(pair[0], pair[1], KEYS)
            assert (judgement.verdict, judgement.reason) == (verdict, "prefix")
            assert (judgement.first.size, judgement.second.size) == (old, NEW)
        foreign = foreign_evidence.check(first, one, KEY)
        assert foreign == ("nothing" if verdict == "one_history" else verdict)
    assert format_prefix(parse_prefix(forked)) == forked


def test_a_prefix_that_nobody_proved_decides_nothing() -> None:
    good = prefix_of(paper_log(NEW), OLD)
    first = paper_log(OLD).checkpoint()
    for wrong in (
        replace(good, root=bytes(32)),
        replace(good, proof=good.proof[:-1]),
        replace(good, proof=(*good.proof[:-1], bytes(32))),
        replace(good, size=OLD - 1),
    ):
        with pytest.raises(UndecidedError):
            judge(first, format_prefix(wrong), KEYS)
    stranger = paper_log(NEW).checkpoint(signers=[sample_log.STRANGER])
    with pytest.raises(UnknownSignerError):
        judge(first, format_prefix(replace(good, checkpoint=stranger)), KEYS)
    changed = good.checkpoint.replace(b"\n900\n", b"\n901\n")
    with pytest.raises(VerificationError):
        judge(first, format_prefix(replace(good, checkpoint=changed)), KEYS)


@pytest.mark.parametrize(
    "change",
    [
        (b"shanji-consistency/v1", b"shanji-consistency/v2"),
        (b"old 300", b"old 0300"),
        (b"old 300", b"new 300"),
        (b"old 300", b"old 9999999999999999999"),
        (b"=\n", b"\n"),
        (b"\n\n", b"\n"),
    ],
)
def test_a_prefix_file_is_read_strictly(change: tuple[bytes, bytes]) -> None:
    data = format_prefix(prefix_of(paper_log(NEW), OLD))
    with pytest.raises(MalformedError):
        parse_prefix(data.replace(*change))


def test_many_hashes_are_refused() -> None:
    good = prefix_of(paper_log(NEW), OLD)
    with pytest.raises(MalformedError, match="at most 63"):
        parse_prefix(format_prefix(replace(good, proof=good.proof * 20)))


def test_sizes_without_a_proof_decide_nothing() -> None:
    with pytest.raises(UndecidedError, match="nothing ties them"):
        judge(paper_log(OLD).checkpoint(), PaperLog(NEW, 0).checkpoint(), KEYS)
    empty = paper_log(0).checkpoint()
    assert judge(empty, paper_log(OLD).checkpoint(), KEYS).reason == "empty"
    wrong = sign_checkpoint(ORIGIN, 0, bytes(32), [SIGNER])
    assert judge(wrong, paper_log(OLD).checkpoint(), KEYS).verdict == "two_histories"


def test_two_entries_at_one_index() -> None:
    mine, other = sample_log.gifts(9), sample_log.make_log([{"fields": {"x": 1}}] * 7)
    receipts = [log.receipt(3) for log in (mine, other)]
    judgement = judge(receipts[0], receipts[1], sample_log.KEYS)
    assert (judgement.verdict, judgement.reason) == ("two_histories", "same_index")
    # Of different indices, or of one entry, nothing follows.
    for one, two in ((mine.receipt(2), receipts[1]), (mine.receipt(3), shorter_receipt())):
        with pytest.raises(UndecidedError):
            judge(one, two, sample_log.KEYS)
    # Witnesses do not matter for what the log's own key signed.
    witness = CosignatureSigner("w.example", Ed25519PrivateKey.generate(), lambda: 1)
    keys = (LogKey(sample_log.KEYS[0]),)
    policy = Policy(keys, (Witness("w", witness.verifier_key),), quorum="w")
    assert judge(receipts[0], receipts[1], policy).verdict == "two_histories"


def shorter_receipt() -> bytes:
    """The receipt of entry 3 in the same log when it had 5 entries."""
    log = sample_log.gifts(9)
    opening = Opening(log.data[3])
    return build_receipt(Receipt(3, log.inclusion(3, 5), log.checkpoint(5), opening))


@pytest.mark.parametrize("index", [0, 255, 256, 700, 899])
def test_served_bundles(index: int) -> None:
    log = paper_log(NEW)
    note, served = log.checkpoint(), leaf_of(log, index)
    right = format_served(served)
    assert judge(note, right, KEYS).verdict == "one_history"
    assert judge(right, note, KEYS).verdict == "one_history"
    assert parse_served(right) == served
    for data in (b"", served.data[:-1], served.data.replace(b"entry", b"Entry")):
        wrong = format_served(replace(served, data=data))
        assert judge(note, wrong, KEYS).verdict == "served_wrong"
        assert foreign_evidence.check(note, wrong, KEY) == "served_wrong"
    # The hashes must lead to the signed root, or anybody could accuse anybody.
    for false in (replace(served, node=bytes(32)), replace(served, position=index ^ 1)):
        with pytest.raises((UndecidedError, MalformedError)):
            judge(note, format_served(false), KEYS)
    with pytest.raises(MalformedError, match="the served path"):
        judge(note, format_served(replace(served, path="tile/entries/009.p/3")), KEYS)


def test_served_files_are_read_strictly() -> None:
    good = json.loads(format_served(leaf_of(paper_log(NEW), 5)))
    changes: tuple[dict[str, object], ...] = (
        {"format": "x"},
        {"height": "0"},
        {"height": -1},
        {"more": 1},
        {"proof": 5},
        {"data": "?"},
        {"edges": []},
        {"path": "tile/0/1"},
    )
    for change in changes:
        data = json.dumps(good | change, sort_keys=True, separators=(",", ":")).encode()
        with pytest.raises((MalformedError, UndecidedError)):
            judge(paper_log(NEW).checkpoint(), data, KEYS)
    for data in (b"{", b"{}", b"[]"):
        with pytest.raises(MalformedError):
            judge(paper_log(NEW).checkpoint(), data, KEYS)


def test_served_edges() -> None:
    log = paper_log(NEW)
    edges = tuple(log.writer(NEW).edges)
    right = Served("tile/0/003.p/132", edges[0], edges=edges)
    assert judge(log.checkpoint(), format_served(right), KEYS).verdict == "one_history"
    wrong = replace(right, edges=(bytes(len(edges[0])), *edges[1:]))
    assert judge(log.checkpoint(), format_served(wrong), KEYS).verdict == "served_wrong"
    for false in (edges[:1], (edges[0][:-32], *edges[1:]), (b"", b"", b"")):
        with pytest.raises(UndecidedError):
            judge(log.checkpoint(), format_served(replace(right, edges=false)), KEYS)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 257, 700])
def test_every_subtree_leads_to_the_root(size: int) -> None:
    log = paper_log(size)
    reader = TileReader(size, log.tile)
    for height in range(size.bit_length()):
        for position in range(size >> height):
            proof = collect_siblings(
                position << height,
                size,
                height,
                reader.node,
                lambda edge: edge_hash(size, edge, reader.node),
            )
            node = reader.node(height, position)
            assert root_from_subtree(height, position, size, node, proof) == log.root()
            assert foreign_evidence.root_of_path(height, position, size, node, proof) == log.root()
            with pytest.raises(VerificationError):
                root_from_subtree(height, position, size, node, [*proof, bytes(32)])
    with pytest.raises(VerificationError):
        root_from_subtree(0, size, size, bytes(32), [])


def test_what_is_told() -> None:
    forked = judge(paper_log(3).checkpoint(), PaperLog(3, 0).checkpoint(), KEYS)
    assert "有两段历史" in tell_judgement(forked, "zh")
    assert "do not prove which one" in tell_judgement(forked, "en")
    same = judge(paper_log(3).checkpoint(), paper_log(3).checkpoint(), KEYS)
    assert "没有矛盾" in tell_judgement(same, "zh")
    assert base64.b64encode(same.first.root) in paper_log(3).checkpoint()
