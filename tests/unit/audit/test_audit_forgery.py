"""Whole forgeries: entries that are well formed, signatures that are real, rules bent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scribe import FIRST_GIFT, Scribe, make_book, open_copy, tell_small_world
from tamper import Tamper

from ledger.audit.replay import audit
from ledger.audit.report import FINDINGS_MAX, Finding, Report
from ledger.book import Book
from ledger.entry import Entry, format_entry, parse_entry
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Plan
from ledger.state import State
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Ed25519Signer, add_signatures, split_note
from ledger.tlog.tiles import TileWriter
from ledger.units import Holdings

MIDDLE = 100
"""An entry in the middle of the long log: a gift of the batch of 150."""


@pytest.fixture
def copy(long_template: Path, tmp_path: Path) -> Iterator[Book]:
    """A copy of the long log, for one test to change."""
    book = open_copy(long_template, tmp_path / "copy")
    yield book
    book.close()


@pytest.fixture
def forger(copy: Book) -> Iterator[Tamper]:
    """Changes `copy`."""
    made = Tamper(copy.folder)
    yield made
    made.close()


def audit_of(book: Book, **more: Any) -> Report:
    """The audit with all keys."""
    return audit(book.store, vault=book.vault, keys=book.verifier_keys, **more)


def codes(report: Report) -> set[str]:
    """The codes of all findings."""
    return {one.code for one in report.findings}


def one_of(report: Report, code: str) -> Finding:
    """The first finding of a code."""
    return next(one for one in report.findings if one.code == code)


def written(entry: Entry) -> bytes:
    """An entry's bytes."""
    return format_entry(**asdict(entry))


# Entries


def test_two_entries_in_each_others_place(copy: Book, forger: Tamper) -> None:
    rows = forger.rows("entry")
    (_, *one), (_, *other) = rows[MIDDLE : MIDDLE + 2]
    rows[MIDDLE : MIDDLE + 2] = [(MIDDLE, *other), (MIDDLE + 1, *one)]
    forger.replace("entry", rows)
    report = audit_of(copy)
    assert {"entry_index", "chain", "root_mismatch", "tile", "second_opinion"} > codes(report) - {
        "edge",
        "head",
        "commitment",
    }
    assert one_of(report, "entry_index").index == MIDDLE
    assert one_of(report, "chain").index == MIDDLE
    assert one_of(report, "root_mismatch").index is not None


def rewritten(rows: Sequence[Any], index: int, data: bytes) -> list[Any]:
    """The entry rows with one entry replaced, and all later ones chained to it."""
    result = list(rows[:index])
    previous = ""
    for number, old, _ in rows[index:]:
        if number > index:
            data = written(replace(parse_entry(old), previous=previous))
        leaf = leaf_hash(data)
        previous = leaf.hex()
        result.append((number, data, leaf))
    return result


def richer(data: bytes) -> bytes:
    """The gift, of one fen more."""
    entry = parse_entry(data)
    amount = entry.fields["amount_fen"] + 1
    postings = [{**entry.postings[0], "amount": amount}]
    return written(replace(entry, fields={**entry.fields, "amount_fen": amount}, postings=postings))


def test_another_entry_in_its_place(copy: Book, forger: Tamper) -> None:
    rows = forger.rows("entry")
    data = richer(rows[MIDDLE][1])
    rows[MIDDLE] = (MIDDLE, data, leaf_hash(data))
    forger.replace("entry", rows)
    report = audit_of(copy)
    assert one_of(report, "chain").index == MIDDLE + 1
    assert one_of(report, "flow").index == MIDDLE
    assert one_of(report, "root_mismatch").place.startswith("checkpoint ")


def test_a_history_rewritten_from_one_entry_on(copy: Book, forger: Tamper) -> None:
    """Everything that needs no key is made to fit: chain, hashes, tree, head."""
    entries = rewritten(forger.rows("entry"), MIDDLE, richer(copy.entry(MIDDLE)[0]))
    tree = TileWriter(0, [])
    tiles = tree.extend([leaf for _, _, leaf in entries])
    (head,) = forger.rows("head")
    forger.replace("entry", entries)
    forger.replace("tile", tiles)
    forger.replace("edge", list(enumerate(tree.edges)))
    forger.replace("head", [(0, 300, tree.root(), entries[-1][2], *head[4:])])
    report = audit_of(copy)
    assert not codes(report) & {"chain", "leaf_hash", "tile", "edge", "entry_index"}
    mismatches = [one for one in report.findings if one.code == "root_mismatch"]
    assert mismatches[0].index is not None
    assert mismatches[0].index > MIDDLE
    assert report.root == tree.root().hex() == report.second_opinion
    note = mismatches[0].evidence[0].encode()
    with copy.store.read() as reader:
        assert note == reader.checkpoint(mismatches[0].index + 1)


def test_an_unknown_kind_is_told(copy: Book, forger: Tamper) -> None:
    entry = replace(copy.entry(MIDDLE)[1], kind="donation.stars")
    forger.replace("entry", rewritten(forger.rows("entry"), MIDDLE, written(entry)))
    assert one_of(audit_of(copy), "unknown_kind").index == MIDDLE


ODD_ENTRIES: dict[str, dict[str, Any]] = {
    "no postings": {"postings": []},
    "other fields": {"fields": {"fund": ["general"]}},
    "no fields": {"fields": {}},
    "more fields": {"fields": {"fund": "general", "amount_fen": 1, "channel": "x", "more": 1}},
    "defaults left out": {"fields": {"fund": "general", "amount_fen": 179, "channel": "bank"}},
    "no such day": {"occurred_on": "2022-13-45"},
    "a later day": {"occurred_on": "2022-01-11"},
    "an earlier time": {
        "recorded_at": "2022-01-09T23:59:59.999999Z",
        "occurred_on": "2022-01-09",
    },
    "no such time": {"recorded_at": "2022-99-10T02:00:00.000000Z"},
    "the last time": {"recorded_at": "9999-12-31T23:59:59.999999Z"},
    "other references": {"references": [1, 2]},
    "sealed as nothing known": {"sealed": {"shoe_size": "A" * 43}},
    "approved": {"approved_by": "recorder-1"},
    "units that are not there": {
        "postings": [
            {"asset": "CNY", "amount": 1, "from": "fund:none", "takes": [[0, 1]], "to": "world:x"}
        ]
    },
    "an unknown kind with nothing": {"kind": "a.b", "postings": [], "fields": {}},
    "reverses itself": {"kind": "entry.reversed", "fields": {"entry": MIDDLE, "reason": "x"}},
    "reverses what comes later": {
        "kind": "entry.reversed",
        "fields": {"entry": MIDDLE + 1, "reason": "x"},
    },
    "reverses an impossible entry": {
        "kind": "entry.reversed",
        "fields": {"entry": 2**53 - 1, "reason": "x"},
    },
    **{f"is {name}": {"kind": name} for name in KIND_BY_NAME if name != "donation.money"},
}


@pytest.mark.parametrize("name", ODD_ENTRIES)
def test_an_odd_entry_is_found_by_the_rules_alone(copy: Book, forger: Tamper, name: str) -> None:
    entry = replace(copy.entry(MIDDLE)[1], **ODD_ENTRIES[name])
    forger.replace("entry", rewritten(forger.rows("entry"), MIDDLE, written(entry)))
    report = audit_of(copy)
    assert not codes(report) & {"chain", "leaf_hash", "entry_format", "database"}
    about = {one.code for one in report.findings if one.index == MIDDLE}
    expected = {"rule_broken", "fields", "units", "references", "sealed", "unknown_kind"}
    assert about & (expected if name != "an earlier time" else {"recorded_at"})


# Checkpoints


def other_signer(book: Book) -> Ed25519Signer:
    """A key of the forger's own, under the log's name."""
    return Ed25519Signer(book.origin, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_checkpoint_by_another_key(copy: Book, forger: Tamper, which: str) -> None:
    rows = forger.rows("checkpoint")
    number = {"first": 0, "last": -1}[which]
    size, root, _ = rows[number]
    note = sign_checkpoint(copy.origin, size, root, [other_signer(copy)])
    rows[number] = (size, root, note)
    forger.replace("checkpoint", rows)
    if which == "last":
        (head,) = forger.rows("head")
        forger.replace("head", [(*head[:5], note)])
    report = audit_of(copy)
    assert codes(report) == {"checkpoint_signature"}
    assert report.findings[0].place == f"checkpoint {size}"


def test_a_signature_line_that_nobody_knows(copy: Book, forger: Tamper) -> None:
    rows = forger.rows("checkpoint")
    size, root, note = rows[1]
    text, _ = split_note(note)
    _, (line,) = split_note(
        sign_checkpoint(
            "stranger.example",
            1,
            root,
            [Ed25519Signer("stranger.example", Ed25519PrivateKey.from_private_bytes(b"\7" * 32))],
        )
    )
    assert text
    rows[1] = (size, root, add_signatures(note, [line]))
    forger.replace("checkpoint", rows)
    report = audit_of(copy)
    assert [(one.code, one.place) for one in report.findings] == [
        ("checkpoint_signature", f"checkpoint {size}")
    ]


def test_keys_that_the_log_does_not_name(copy: Book) -> None:
    key = other_signer(copy).verifier_key
    report = audit(copy.store, vault=copy.vault, keys=[key])
    assert one_of(report, "log_keys").index == 0
    with copy.store.read() as reader:
        checkpoints = len(reader.checkpoints(0, 1000))
    signatures = [one for one in report.findings if one.code == "checkpoint_signature"]
    assert len(signatures) == checkpoints


def test_without_keys_the_log_s_own_are_taken(copy: Book) -> None:
    report = audit(copy.store, vault=copy.vault)
    assert report.clean
    assert report.origin == copy.origin


def test_without_the_vault_the_report_says_what_was_left_out(copy: Book) -> None:
    report = audit(copy.store, keys=copy.verifier_keys)
    assert report.clean
    assert report.not_checked == (
        "vault, idempotency keys, order numbers, proposals (no vault key)",
        "the keyed digests of time stamps (no vault key)",
    )
    assert "vault" not in report.checked


def test_a_first_entry_without_keys(copy: Book, forger: Tamper) -> None:
    entry = replace(copy.entry(0)[1], fields={"keys": "none"})
    forger.replace("entry", rewritten(forger.rows("entry"), 0, written(entry)))
    report = audit(copy.store, vault=copy.vault)
    assert "checkpoint_signature" in codes(report)
    # A later entry names a key, and with it the log.
    assert report.origin == copy.origin


# A recorder that bends a rule, with the log's own keys


@pytest.fixture
def bent(tmp_path: Path) -> Iterator[Scribe]:
    """A scribe in a small world of its own."""
    book = make_book(tmp_path / "bent")
    scribe = Scribe(book)
    tell_small_world(scribe)
    yield scribe
    book.close()


Bend = Callable[[pytest.MonkeyPatch], None]


def any_purpose(patch: pytest.MonkeyPatch) -> None:
    """A restricted fund pays for anything."""
    patch.setattr("ledger.records.spending.check_purpose", lambda fund, purpose: None)


def no_approval(patch: pytest.MonkeyPatch) -> None:
    """Nobody needs to approve."""
    patch.setattr("ledger.appending.check_common", lambda kind, draft: None)


def any_project(patch: pytest.MonkeyPatch) -> None:
    """Money of another project is taken too."""
    patch.setattr("ledger.records.spending.earmarked", lambda project: lambda label: ())


AID = {"fund": "relief", "purpose": "medical-aid", "amount_fen": 10, "payee_class": "patient"}
BENT: list[tuple[Bend, dict[str, Any], dict[str, Any], str]] = [
    (any_purpose, {**AID, "purpose": "office-party"}, {}, "rule_broken"),
    (no_approval, AID, {"approved_by": None}, "rule_broken"),
    (no_approval, AID, {"approved_by": "recorder-1"}, "rule_broken"),
    (no_approval, AID, {"day": "2022-01-11"}, "rule_broken"),
    (any_project, {**AID, "project": "clinic", "amount_fen": 120}, {}, "rule_broken"),
    (any_project, {**AID, "project": "clinic"}, {}, "units"),
]


@pytest.mark.parametrize(("bend", "fields", "more", "code"), BENT)
def test_a_bent_rule_is_found_at_its_entry(
    bent: Scribe,
    monkeypatch: pytest.MonkeyPatch,
    bend: Bend,
    fields: dict[str, Any],
    more: dict[str, Any],
    code: str,
) -> None:
    for project in ("flood", None, "clinic"):
        gift = {"fund": "relief", "channel": "cash", "amount_fen": 50}
        bent.tell("donation.money", gift | ({"project": project} if project else {}))
    with monkeypatch.context() as patch:
        bend(patch)
        index = bent.tell("aid.paid", fields, **more)
    bent.tell("aid.paid", {**AID, "fund": "general"})
    report = audit_of(bent.book)
    assert (report.findings[0].code, report.findings[0].index) == (code, index)
    assert [
        one for one in report.findings if one.code == "rule_broken" and one.index != index
    ] == []
    if code == "rule_broken":
        assert codes(report) == {"rule_broken"}


def test_a_rule_bent_in_the_middle_of_a_log_leaves_the_rest_checked(
    bent: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    bent.tell("donation.money", {"fund": "relief", "channel": "cash", "amount_fen": 50})
    with monkeypatch.context() as patch:
        any_purpose(patch)
        first = bent.tell("aid.paid", {**AID, "purpose": "office-party"})
        bent.submit([bent.gift(1)])
        second = bent.tell("aid.paid", {**AID, "purpose": "office-party"})
    report = audit_of(bent.book)
    assert [(one.code, one.index) for one in report.findings] == [
        ("rule_broken", first),
        ("rule_broken", second),
    ]
    assert not report.not_checked


def test_units_chosen_otherwise_are_found(bent: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    def newest(holdings: Holdings, amount: int, rank: Any = None) -> list[tuple[int, int]]:
        end = list(holdings.segments())[-1][1]
        return [(end - amount, end)]

    with monkeypatch.context() as patch:
        patch.setattr(Holdings, "pick", newest)
        index = bent.tell("aid.paid", {**AID, "fund": "general"})
    report = audit_of(bent.book)
    assert (report.findings[0].code, report.findings[0].index) == ("units", index)
    assert codes(report) == {"units"}


def test_units_from_nowhere_are_found(bent: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    def enough(state: State, move: Any, holdings: Holdings) -> list[tuple[int, int]]:
        holdings.receive([(move.amount, "")])
        return [(holdings.received - move.amount, holdings.received)]

    with monkeypatch.context() as patch:
        patch.setattr(State, "_chosen", enough)
        index = bent.tell("aid.paid", {**AID, "amount_fen": 10**9})
    report = audit_of(bent.book)
    assert (report.findings[0].code, report.findings[0].index) == ("rule_broken", index)
    assert "insufficient_units" in report.findings[0].message
    assert report.not_checked == (f"rules, units and state from entry {index} on",)


def test_effects_that_differ_are_found_in_the_state(
    bent: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = State.add
    with monkeypatch.context() as patch:
        patch.setattr(
            State,
            "add",
            lambda state, key, **amounts: add(
                state, key, **{name: 2 * one for name, one in amounts.items()}
            ),
        )
        bent.submit([bent.gift(1)])
    report = audit_of(bent.book)
    assert [(one.code, one.place) for one in report.findings] == [
        ("state", f"state_object {key}")
        for key in ("class-total/unrestricted", "fund-total/general", "purpose-total/unspecified")
    ]


def test_references_that_differ_are_found(bent: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KIND_BY_NAME["donation.money"]

    def plan(draft: Any, state: Any) -> Plan:
        return replace(kind.plan(draft, state), references=(2,))

    prepared = replace(bent.gift(1), kind=replace(kind, plan=plan))
    index = bent.book.sequencer.record(prepared).index
    report = audit_of(bent.book)
    assert [(one.code, one.index) for one in report.findings] == [("references", index)]


def test_a_field_that_its_model_does_not_have_is_found(bent: Scribe) -> None:
    gift = bent.gift(1)
    prepared = replace(gift, public={**gift.public, "gift_wrapped": True})
    index = bent.book.sequencer.record(prepared).index
    report = audit_of(bent.book)
    assert (report.findings[0].code, report.findings[0].index) == ("fields", index)


def test_a_commitment_to_something_else_is_found(bent: Scribe) -> None:
    one, other = (bent.gift(1, sealed={"donor_name": name}) for name in ("甲", "乙"))
    index = bent.book.sequencer.record(replace(one, sealed=other.sealed)).index
    report = audit_of(bent.book)
    assert [(one.code, one.index) for one in report.findings] == [("commitment", index)]


def test_an_opening_that_was_lost_is_found(bent: Scribe) -> None:
    gift = bent.gift(1, sealed={"donor_name": "甲"})
    row = replace(gift.row, seed=None, values=None)
    index = bent.book.sequencer.record(replace(gift, row=row)).index
    report = audit_of(bent.book)
    assert [(one.code, one.index) for one in report.findings] == [("opening_missing", index)]


def test_one_key_for_two_entries_is_found(bent: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two vault rows of one key, of which the table can hold one only."""
    vault = bent.book.vault
    encrypt = vault.encrypt
    bent.book.sequencer.record(bent.gift(1, key="twice"))
    with monkeypatch.context() as patch:
        patch.setattr(
            type(vault),
            "encrypt",
            lambda self, index, row: encrypt(index, replace(row, key="twice")),
        )
        index = bent.book.sequencer.record(bent.gift(2, key="other")).index
    report = audit_of(bent.book)
    assert ("idempotency", index) in [(one.code, one.index) for one in report.findings]


# The replay sees each earlier flow once, whether it still remembers it or reads it again


@pytest.mark.parametrize("every", [1, 2, 7, 1000])
def test_reversals_are_replayed_across_the_audit_s_memory(
    world: Scribe, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setattr("ledger.audit.replay.PROGRESS_ENTRIES", every)
    for number in range(8):
        gift = {"fund": "relief", "channel": "cash", "amount_fen": 10 + number}
        world.tell("donation.money", gift | ({"project": "clinic"} if number % 2 else {}))
        paid = world.tell("aid.paid", {**AID, "project": "clinic"})
        world.tell("entry.reversed", {"entry": paid, "reason": "x"})
    world.tell("donation.refunded", {"gift": FIRST_GIFT, "amount_fen": 5, "reason": "x"})
    told: list[tuple[int, int]] = []
    report = audit_of(world.book, progress=lambda done, size: told.append((done, size)))
    assert report.clean, report.findings
    assert told[-1] == (report.size, report.size)
    assert len(told) == -(-report.size // every) + 1


def test_flows_taken_out_stop_no_audit(world: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules look up a gift's flows, which are gone: found, and no crash."""
    monkeypatch.setattr("ledger.audit.replay.PROGRESS_ENTRIES", 1)
    refund = {"gift": FIRST_GIFT, "amount_fen": 5, "reason": "x"}
    index = world.tell("donation.refunded", refund)
    with closing(Tamper(world.book.folder)) as tamper:
        flows = tamper.rows("flow")
        tamper.replace("flow", [row for row in flows if row[0] != FIRST_GIFT])
    report = audit_of(world.book)
    found = {(one.code, one.index) for one in report.findings}
    assert found == {("flow", FIRST_GIFT), ("rule_broken", index)}


def test_findings_without_end_are_cut(copy: Book, forger: Tamper) -> None:
    objects = [(f"fund/x-{number}", orjson.dumps({})) for number in range(FINDINGS_MAX + 5)]
    forger.replace("state_object", sorted([*forger.rows("state_object"), *objects]))
    report = audit_of(copy)
    assert len(report.findings) == FINDINGS_MAX
    assert report.truncated
    assert codes(report) == {"state"}


def test_a_stopped_replay_says_so_once(copy: Book, forger: Tamper) -> None:
    rows = forger.rows("entry")
    for index in (50, 60):
        data = rows[index][1].replace(b'"kind"', b'"kund"')
        rows[index] = (index, data, leaf_hash(data))
    forger.replace("entry", rows)
    report = audit_of(copy)
    assert [one.index for one in report.findings if one.code == "entry_format"] == [50, 60]
    assert report.not_checked == ("rules, units and state from entry 50 on",)
    assert not codes(report) & {"vault_extra", "state"}


def test_the_long_log_has_every_kind(copy: Book) -> None:
    with copy.store.read() as reader:
        kinds = {parse_entry(data).kind for data in reader.entries(0, 300)}
    assert kinds == set(KIND_BY_NAME)
