"""A log whose keys change: old receipts verify for ever, a revoked key signs nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from log_keys import key_id, key_text, pem, private_key, put_key, verifier_key
from scribe import (
    FIRST_GIFT,
    LOG_KEY,
    ORGANISATION,
    ORIGIN,
    Scribe,
    StepClock,
    audited,
    open_copy,
    other_book,
)
from tamper import Tamper

from ledger.audit.public import audit_public
from ledger.audit.replay import audit
from ledger.audit.report import Report
from ledger.audit.source_store import StoreSource
from ledger.book import Book
from ledger.errors import (
    CorruptionError,
    NotAllowedError,
    NotReadyError,
    UndecidedError,
    VerificationError,
)
from ledger.keys.access import KeyAccess
from ledger.keys.files import generate_key, signer_of, write_private_key
from ledger.keys.sealed import is_encrypted
from ledger.receipt import build_receipt, parse_receipt
from ledger.tlog.checkpoint import parse_checkpoint, sign_checkpoint
from ledger.tlog.note import (
    Ed25519Signer,
    Signer,
    VerifierKey,
    add_signatures,
    format_verifier_key,
    split_note,
)
from ledger.tlog.policy import Policy, format_policy, parse_policy
from ledger.verify import verify_checkpoint, verify_growth, verify_receipt

NEW = 2
OLD_KEY, NEW_KEY = verifier_key(LOG_KEY, ORIGIN), verifier_key(NEW, ORIGIN)
ADD = {"verifier_key": key_text(NEW, ORIGIN), "algorithm": "ed25519", "reason": "轮换"}
REVOKE = {"key_id": key_id(LOG_KEY, ORIGIN), "reason": "superseded"}


def new_key(book: Book) -> Path:
    """Put the new key's file into the folder of the keys."""
    return put_key(NEW, book.folder / "keys" / f"log-key-{NEW}.pem")


def signers(checkpoint: bytes) -> list[str]:
    """The ids of the keys that signed, in order."""
    return [one.key_id.hex() for one in split_note(checkpoint)[1]]


def policy_of(book: Book) -> Policy:
    """The policy as somebody gets it, through its file."""
    return parse_policy(format_policy(book.key_history.policy()))


def forged(receipt: bytes, signer: Signer) -> bytes:
    """A receipt whose checkpoint somebody else signed."""
    parsed = parse_receipt(receipt)
    signed = parse_checkpoint(split_note(parsed.checkpoint)[0])
    note = sign_checkpoint(signed.origin, signed.size, signed.root, [signer])
    return build_receipt(replace(parsed, checkpoint=note))


def rotated(world: Scribe) -> list[bytes]:
    """Receipts from before a rotation, from both its entries, between them and after."""
    receipts = [world.book.receipt(FIRST_GIFT)]
    new_key(world.book)
    receipts.append(world.record("key.added", ADD).receipt)
    receipts.append(world.book.sequencer.record(world.gift(1)).receipt)
    receipts.append(world.record("key.revoked", REVOKE).receipt)
    receipts.append(world.book.sequencer.record(world.gift(2)).receipt)
    return receipts


def test_one_policy_verifies_from_the_first_receipt_to_the_last(world: Scribe) -> None:
    receipts = rotated(world)
    old, new = key_id(LOG_KEY, ORIGIN), key_id(NEW, ORIGIN)
    found = [signers(parse_receipt(one).checkpoint) for one in receipts]
    assert found == [[old], [old, new], [old, new], [new], [new]]
    policy = policy_of(world.book)
    for one in receipts:
        verify_receipt(one, policy)
    with world.book.store.read() as reader:
        for _, checkpoint in reader.checkpoints(0, 1000):
            verify_checkpoint(checkpoint, policy)
    size = parse_checkpoint(split_note(parse_receipt(receipts[0]).checkpoint)[0]).size
    verify_growth(receipts[0], receipts[-1], world.book.consistency(size), policy)
    audited(world.book)


def test_a_receipt_by_a_revoked_key_after_its_revocation_does_not_verify(world: Scribe) -> None:
    receipts = rotated(world)
    policy, thief = policy_of(world.book), Ed25519Signer(ORIGIN, private_key(LOG_KEY))
    for receipt in receipts[3:]:
        with pytest.raises(VerificationError) as caught:
            verify_receipt(forged(receipt, thief), policy)
        assert caught.value.code == "key_not_valid_at_size"
    # What it signed in its time stays good.
    for receipt in receipts[:3]:
        verify_receipt(forged(receipt, thief), policy)


def test_a_key_signs_nothing_from_before_it_was_added(world: Scribe) -> None:
    receipts = rotated(world)
    early = Ed25519Signer(ORIGIN, private_key(NEW))
    with pytest.raises(VerificationError) as caught:
        verify_receipt(forged(receipts[0], early), policy_of(world.book))
    assert caught.value.code == "key_not_valid_at_size"


def test_the_book_tells_all_keys_and_those_that_sign(world: Scribe) -> None:
    assert world.book.verifier_keys == world.book.key_history.active == (OLD_KEY,)
    rotated(world)
    assert world.book.verifier_keys == (OLD_KEY, NEW_KEY)
    assert world.book.key_history.active == (NEW_KEY,)
    first, second = world.book.key_history.terms
    assert (first.added_by, first.revoked_by) == (0, FIRST_GIFT + 5)
    assert (second.added_by, second.revoked_by) == (FIRST_GIFT + 3, None)
    assert world.entry(FIRST_GIFT + 5).references == [0]


def test_both_entries_in_one_batch(world: Scribe) -> None:
    new_key(world.book)
    added, revoked = world.submit(
        [world.prepare("key.added", ADD), world.prepare("key.revoked", REVOKE)]
    )
    assert added.checkpoint == revoked.checkpoint
    assert signers(added.checkpoint) == [key_id(NEW, ORIGIN)]
    verify_receipt(added.receipt, policy_of(world.book))
    audited(world.book)


def test_another_process_finds_the_new_key_by_itself(world: Scribe) -> None:
    with other_book(world.book) as other:
        there = Scribe(other)
        there.submit([there.gift(1)])
        rotated(world)
        done = other.sequencer.record(there.gift(3))
        assert signers(done.checkpoint) == [key_id(NEW, ORIGIN)]
        assert other.key_history == world.book.key_history
    audited(world.book)


def test_a_key_that_is_not_here_yet_leaves_the_old_one_to_sign(world: Scribe) -> None:
    done = world.record("key.added", ADD)
    assert signers(done.checkpoint) == [key_id(LOG_KEY, ORIGIN)]
    new_key(world.book)
    done = world.book.sequencer.record(world.gift(1))
    assert signers(done.checkpoint) == [key_id(LOG_KEY, ORIGIN), key_id(NEW, ORIGIN)]
    audited(world.book)


def test_nothing_is_recorded_that_no_key_could_sign(
    world: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.sequencer.PROBE_SECONDS", 3600)
    world.record("key.added", ADD)
    size = world.book.head().size
    with pytest.raises(NotReadyError, match="nothing was recorded") as caught:
        world.record("key.revoked", REVOKE)
    assert caught.value.code == "no_log_key"
    with pytest.raises(NotReadyError):
        world.book.sequencer.ready()
    assert world.book.head().size == size
    assert world.book.key_history.active == (OLD_KEY, NEW_KEY)
    # The old key still signs everything else, and the revocation works once the file is there.
    world.submit([world.gift(1)])
    world.book.sequencer.ready()
    new_key(world.book)
    assert signers(world.record("key.revoked", REVOKE).checkpoint) == [key_id(NEW, ORIGIN)]
    audited(world.book)


def test_it_opens_with_the_new_key_alone_and_not_with_the_old(world: Scribe) -> None:
    rotated(world)
    folder = world.book.folder
    world.book.close()
    (folder / "keys" / "log-key.pem").unlink()
    book = Book.open(folder, clock=StepClock())
    verify_receipt(book.receipt(FIRST_GIFT), policy_of(book))
    book.close()
    (folder / "keys" / f"log-key-{NEW}.pem").write_bytes(pem(LOG_KEY))
    with pytest.raises(CorruptionError, match="is not a key of the log") as caught:
        Book.open(folder)
    assert caught.value.code == "wrong_log_key"


def test_a_post_quantum_key_signs_beside_the_other(world: Scribe) -> None:
    try:
        private = generate_key("ml-dsa-44")
    except UndecidedError as error:
        pytest.skip(error.message)
    key = signer_of(ORIGIN, private).verifier_key
    write_private_key(world.book.folder / "keys" / "quantum.pem", private, KeyAccess())
    fields = {"verifier_key": format_verifier_key(key), "algorithm": "ml-dsa-44", "reason": "x"}
    world.record("key.added", fields)
    done = world.book.sequencer.record(world.gift(1))
    assert signers(done.checkpoint) == [key_id(LOG_KEY, ORIGIN), key.key_id.hex()]
    for trust in ([OLD_KEY], [key], policy_of(world.book)):
        verify_receipt(done.receipt, trust)
    # It does not stand in for the Ed25519 key.
    with pytest.raises(VerificationError, match="ML-DSA-44"):
        verify_receipt(tampered(done.receipt), [key])
    audited(world.book)


def tampered(receipt: bytes) -> bytes:
    """The same with one bit of its last signature changed."""
    parsed = parse_receipt(receipt)
    text, lines = split_note(parsed.checkpoint)
    last = lines[-1]
    broken = replace(last, signature=last.signature[:-1] + bytes([last.signature[-1] ^ 1]))
    note = add_signatures(parsed.checkpoint, [broken])
    assert split_note(note)[0] == text
    return build_receipt(replace(parsed, checkpoint=note))


# Keys at rest


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("ledger.keys.sealed.SCRYPT_LOG_N", 10)
    path = tmp_path / "passphrase"
    path.write_bytes(b"a secret\n")
    return path


def test_a_log_whose_keys_lie_elsewhere_and_encrypted(tmp_path: Path, passphrase: Path) -> None:
    folder, safe = tmp_path / "data", tmp_path / "safe"
    access = KeyAccess(safe, passphrase)
    book = Book.create(folder, origin=ORIGIN, organisation=ORGANISATION, access=access)
    book.close()
    assert sorted(path.name for path in safe.iterdir()) == ["log-key.pem", "vault.key"]
    assert all(is_encrypted(path.read_bytes()) for path in safe.iterdir())
    assert not (folder / "keys").exists()
    Book.open(folder, access=KeyAccess(safe, passphrase)).close()
    store, vault = Book.parts(folder, access)
    assert vault is not None
    store.close()
    for other in (KeyAccess(safe), KeyAccess(safe, prompt=lambda: "wrong")):
        with pytest.raises(NotAllowedError):
            Book.open(folder, access=other)
        with pytest.raises(NotAllowedError):
            Book.parts(folder, other)


def test_the_environment_opens_a_book(
    tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHANJI_KEYS", str(tmp_path / "safe"))
    monkeypatch.setenv("SHANJI_PASSPHRASE_FILE", str(passphrase))
    Book.create(tmp_path / "data", origin=ORIGIN, organisation=ORGANISATION).close()
    Book.open(tmp_path / "data").close()
    assert is_encrypted((tmp_path / "safe" / "vault.key").read_bytes())


# The audit


@pytest.fixture
def changed(world: Scribe, tmp_path: Path) -> Iterator[Book]:
    """A log after a rotation, in a copy for a forger."""
    rotated(world)
    world.book.close()
    book = open_copy(world.book.folder, tmp_path / "changed")
    yield book
    book.close()


def audit_of(book: Book, keys: Sequence[VerifierKey] = (), known: Sequence[bytes] = ()) -> Report:
    return audit(book.store, vault=book.vault, keys=keys, known=known)


def sign_again(book: Book, number: int, numbers: Sequence[int]) -> int:
    """Replace a stored checkpoint by one that other keys signed; its size."""
    forger = Tamper(book.folder)
    rows = forger.rows("checkpoint")
    size, root, _ = rows[number]
    keys = [Ed25519Signer(ORIGIN, private_key(one)) for one in numbers]
    note = sign_checkpoint(ORIGIN, size, root, keys)
    rows[number] = (size, root, note)
    forger.replace("checkpoint", rows)
    if number == -1:
        (head,) = forger.rows("head")
        forger.replace("head", [(*head[:5], note)])
    forger.close()
    return int(size)


@pytest.mark.parametrize(
    ("number", "numbers"),
    [(-1, [LOG_KEY]), (-2, [LOG_KEY]), (-1, [LOG_KEY, NEW]), (0, [NEW]), (1, [LOG_KEY, NEW])],
)
def test_a_checkpoint_by_a_key_that_does_not_count_there(
    changed: Book, number: int, numbers: Sequence[int]
) -> None:
    size = sign_again(changed, number, numbers)
    report = audit_of(changed)
    assert [(one.code, one.place) for one in report.findings] == [
        ("key_not_valid_at_size", f"checkpoint {size}")
    ]


def test_between_the_two_entries_either_key_may_sign(changed: Book) -> None:
    sign_again(changed, -3, [LOG_KEY])
    sign_again(changed, -4, [NEW])
    assert audit_of(changed).clean


@pytest.mark.parametrize("keys", [(), (OLD_KEY,), (NEW_KEY,), (OLD_KEY, NEW_KEY)])
def test_an_auditor_with_any_of_the_keys_follows_the_others(
    changed: Book, keys: Sequence[VerifierKey]
) -> None:
    kept = [changed.receipt(index) for index in (FIRST_GIFT, changed.head().size - 1)]
    report = audit_of(changed, keys, [*kept, changed.checkpoint()])
    assert report.findings == ()
    assert report.checked["known"] == 3


def public_audit_of(book: Book, keys: Sequence[VerifierKey]) -> Report:
    """The audit of what everybody can read."""
    # A snapshot that is not closed is let go by the collector, when the database may be gone.
    with closing(StoreSource(book.store)) as source:
        return audit_public(source, keys=keys)


@pytest.mark.parametrize("keys", [(), (NEW_KEY,), (OLD_KEY, NEW_KEY)])
def test_public_data_is_audited_by_the_keys_of_its_entries(
    changed: Book, keys: Sequence[VerifierKey]
) -> None:
    report = public_audit_of(changed, keys)
    assert report.findings == ()
    with pytest.raises(UndecidedError):
        public_audit_of(changed, [OLD_KEY])
    size = sign_again(changed, -1, [LOG_KEY])
    for given in ((), (OLD_KEY,)):
        report = public_audit_of(changed, given)
        assert [(one.code, one.place) for one in report.findings] == [
            ("key_not_valid_at_size", f"checkpoint {size}")
        ]


def test_a_stranger_s_key_is_none_of_the_log_s(changed: Book) -> None:
    report = audit_of(changed, [verifier_key(9, ORIGIN)])
    assert {one.code for one in report.findings} == {"log_keys", "checkpoint_signature"}


def test_an_audit_that_goes_on_knows_the_keys(world: Scribe, tmp_path: Path) -> None:
    rotated(world)
    book = world.book
    more = {"vault": book.vault, "keys": [OLD_KEY], "state": tmp_path / "state"}
    assert audit(book.store, **more).clean
    world.submit([world.gift(5)])
    assert audit(book.store, **more).clean
