"""The book: one log in its data folder, made once, opened again, read and proved."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from scribe import (
    FIRST_GIFT,
    ORGANISATION,
    ORIGIN,
    Scribe,
    StepClock,
    audited,
    make_book,
    open_copy,
    whole_log,
)

from ledger.book import DATABASE, LATEST_MAX, Book
from ledger.errors import (
    ConflictError,
    CorruptionError,
    MalformedError,
    NotFoundError,
    NotReadyError,
)
from ledger.store import Appender
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import format_verifier_key, split_note
from ledger.tlog.proofs import verify_consistency, verify_inclusion
from ledger.verify import verify_checkpoint, verify_receipt


@pytest.fixture(scope="module")
def read(world_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The small world, which these tests only read."""
    book = open_copy(world_template, tmp_path_factory.mktemp("read") / "book")
    yield book
    book.close()


# Making and opening


def test_a_log_is_made_with_its_first_entry(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "book"
    assert not Book.exists(folder)
    book = make_book(folder)
    assert Book.exists(folder)
    assert book.opened.kind == "log.opened"
    assert book.opened.fields == {
        "origin": ORIGIN,
        "organisation": ORGANISATION,
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "keys": [format_verifier_key(book.verifier_keys[0])],
    }
    assert (book.opened.recorded_by, book.opened.occurred_on) == ("system", "2022-01-10")
    assert book.head().size == 1
    audited(book)
    book.close()


def test_keys_are_for_their_owner_only(book: Book) -> None:
    keys = book.folder / "keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert sorted(one.name for one in keys.iterdir()) == ["log-key.pem", "vault.key"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in keys.iterdir()} == {0o600}


def test_no_key_is_in_the_database_or_in_a_repr(book: Book) -> None:
    Scribe(book).tell("fund.opened", {"code": "a", "name": "甲", "fund_class": "unrestricted"})
    keys = book.folder / "keys"
    vault_key = bytes.fromhex((keys / "vault.key").read_text())
    log_key = load_pem_private_key((keys / "log-key.pem").read_bytes(), password=None)
    assert isinstance(log_key, Ed25519PrivateKey)
    files = b"".join(one.read_bytes() for one in book.folder.glob(f"{DATABASE}*"))
    shown = repr((book.vault, book.keyring, book, book.sequencer))
    for secret in (vault_key, log_key.private_bytes_raw()):
        assert secret not in files
        assert secret.hex().encode() not in files
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def test_a_log_is_made_once(book: Book) -> None:
    with pytest.raises(ConflictError, match="holds a log already"):
        make_book(book.folder)


@pytest.mark.parametrize(
    ("origin", "organisation"),
    [
        ("", ORGANISATION),
        ("with space", ORGANISATION),
        ("plus+sign", ORGANISATION),
        ("a" * 201, ORGANISATION),
        ("line\nbreak", ORGANISATION),
        (ORIGIN, ""),
        (ORIGIN, "x" * 121),
        (ORIGIN, "控制\x00"),
    ],
)
def test_a_name_that_no_log_can_have_makes_nothing(
    tmp_path: Path, origin: str, organisation: str
) -> None:
    with pytest.raises(MalformedError):
        Book.create(tmp_path / "book", origin=origin, organisation=organisation)
    assert not (tmp_path / "book").exists()


def test_a_log_that_was_not_made_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds no log"):
        Book.open(tmp_path)
    with pytest.raises(NotFoundError, match="is not there"):
        Book.parts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_creation_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "book"

    def fail(appender: Appender) -> None:
        raise MalformedError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(Appender, "commit", fail)
        with pytest.raises(MalformedError, match="the power went"):
            make_book(folder)
    assert not Book.exists(folder)
    keys = {one.name: one.read_bytes() for one in (folder / "keys").iterdir()}
    (folder / "keys" / "log-key.part").write_bytes(b"half a key")
    book = make_book(folder)
    assert {name: (folder / "keys" / name).read_bytes() for name in keys} == keys
    audited(book)
    book.close()


def test_a_key_file_half_written_is_written_anew(tmp_path: Path) -> None:
    keys = tmp_path / "book" / "keys"
    keys.mkdir(parents=True)
    (keys / "vault.part").write_bytes(b"12")
    book = make_book(tmp_path / "book")
    assert len((keys / "vault.key").read_bytes()) == 65
    book.close()


def test_a_log_is_opened_again(book: Book) -> None:
    head, keys = book.head(), book.verifier_keys
    book.close()
    again = Book.open(book.folder, clock=StepClock())
    assert (again.head(), again.verifier_keys, again.origin) == (head, keys, ORIGIN)
    assert again.opened == book.opened
    again.close()
    again.close()


# Keys that are not the log's


def copied(template: Path, folder: Path) -> Path:
    """A copy of the small world's folder; gives that of its keys."""
    shutil.copytree(template, folder)
    return folder / "keys"


@pytest.mark.parametrize("name", ["log-key.pem", "vault.key"])
def test_a_missing_key_is_named(world_template: Path, tmp_path: Path, name: str) -> None:
    keys = copied(world_template, tmp_path / "book")
    (keys / name).unlink()
    with pytest.raises(NotFoundError, match=f"{name} is missing"):
        Book.open(tmp_path / "book")


def x25519_key() -> bytes:
    """A key that cannot sign."""
    return X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log-key.pem", b""),
        ("log-key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("log-key.pem", x25519_key()),
        ("vault.key", b""),
        ("vault.key", b"zz" * 32),
        ("vault.key", b"ab" * 31),
        ("vault.key", "键".encode()),
    ],
)
def test_a_file_that_is_no_key_is_named(
    world_template: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    keys = copied(world_template, tmp_path / "book")
    (keys / name).write_bytes(content)
    with pytest.raises(MalformedError) as caught:
        Book.open(tmp_path / "book")
    assert "ab" * 31 not in str(caught.value)


def test_another_log_s_key_opens_nothing(world_template: Path, tmp_path: Path) -> None:
    keys = copied(world_template, tmp_path / "book")
    other = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (keys / "log-key.pem").write_bytes(other)
    with pytest.raises(CorruptionError, match="is not a key of the log") as caught:
        Book.open(tmp_path / "book")
    assert caught.value.code == "wrong_log_key"


def test_another_vault_key_opens_no_log(world_template: Path, tmp_path: Path) -> None:
    keys = copied(world_template, tmp_path / "book")
    (keys / "vault.key").write_text("ab" * 32)
    with pytest.raises(CorruptionError, match="the vault's key here is not the one") as caught:
        Book.open(tmp_path / "book")
    assert caught.value.code == "wrong_vault_key"


def test_the_parts_for_an_audit_need_no_log_key(world_template: Path, tmp_path: Path) -> None:
    keys = copied(world_template, tmp_path / "book")
    (keys / "log-key.pem").unlink()
    store, vault = Book.parts(tmp_path / "book")
    assert vault is not None
    store.close()
    (keys / "vault.key").unlink()
    store, vault = Book.parts(tmp_path / "book")
    assert vault is None
    store.close()


# Reading


def test_entries_newest_first(read: Book) -> None:
    log = whole_log(read)
    assert read.latest(3) == log[:-4:-1]
    assert read.latest(3, before=5) == [log[4], log[3], log[2]]
    assert read.latest(3, before=1) == [log[0]]
    assert read.latest(3, before=0) == []
    assert read.latest(3, before=-7) == []
    assert read.latest(LATEST_MAX + 1, before=10**9) == log[::-1]
    assert read.latest(0) == []


def test_an_entry_as_stored_and_parsed(read: Book) -> None:
    data, entry = read.entry(FIRST_GIFT)
    assert entry.index == FIRST_GIFT
    assert entry == whole_log(read)[FIRST_GIFT]
    assert b'"amount_fen":100000' in data
    for missing in (read.head().size, -1):
        with pytest.raises(NotFoundError):
            read.entry(missing)


def test_the_newest_checkpoint_is_the_head_s(read: Book) -> None:
    checkpoint, signers = verify_checkpoint(read.checkpoint(), read.verifier_keys)
    assert (checkpoint.size, checkpoint.root) == (read.head().size, read.head().root)
    assert signers == (ORIGIN,)


def test_every_entry_is_proved_in_every_signed_size(read: Book) -> None:
    with read.store.read() as reader:
        sizes = [size for size, _ in reader.checkpoints(0, 100)]
    assert sizes[0] == 1
    for size in sizes:
        for index in range(size):
            one = read.inclusion(index, size)
            assert (one.index, one.size) == (index, size)
            assert parse_checkpoint(split_note(one.checkpoint)[0]).root == one.root
            verify_inclusion(index, size, one.leaf_hash, one.proof, one.root)
    assert read.inclusion(0).size == read.head().size


def test_a_proof_needs_an_entry_and_a_signed_size(read: Book) -> None:
    size = read.head().size
    for index in (-1, size):
        with pytest.raises(NotFoundError):
            read.inclusion(index)
    with pytest.raises(NotFoundError, match="no checkpoint was signed at size 5"):
        read.inclusion(0, 5)
    with pytest.raises(NotFoundError, match="has no entry 1"):
        read.inclusion(1, 1)


def test_any_two_sizes_are_consistent(read: Book) -> None:
    size = read.head().size
    with read.store.read() as reader:
        roots = {
            signed: parse_checkpoint(split_note(note)[0]).root
            for signed, note in reader.checkpoints(0, 100)
        }
    for old in roots:
        verify_consistency(old, size, read.consistency(old), roots[old], roots[size])
    middle = sorted(roots)[1]
    verify_consistency(1, middle, read.consistency(1, middle), roots[1], roots[middle])
    for old, new in ((0, 1), (2, 1), (1, size + 1), (-1, 1), (size + 1, None)):
        with pytest.raises(NotFoundError, match="expected 1 <= old <= new"):
            read.consistency(old, new)


# Receipts

DONOR = {"donor_name": "示例捐赠人", "order_number": "ORDER-1", "message": "加油"}


def test_a_receipt_reveals_what_it_is_told_to(read: Book) -> None:
    everything = verify_receipt(read.receipt(FIRST_GIFT, reveal="all"), read.verifier_keys)
    assert everything.values == DONOR
    assert everything.hidden == ()
    nothing = verify_receipt(read.receipt(FIRST_GIFT), read.verifier_keys)
    assert nothing.values == {}
    assert nothing.hidden == ("donor_name", "message", "order_number")
    some = read.receipt(FIRST_GIFT, reveal=["message", "donor_name", "message"])
    opened = verify_receipt(some, read.verifier_keys)
    assert opened.values == {"donor_name": "示例捐赠人", "message": "加油"}
    assert opened.hidden == ("order_number",)


@pytest.mark.parametrize("reveal", [[], ["contact"], ["donor_name", "else"]])
def test_a_receipt_cannot_reveal_what_is_not_there(read: Book, reveal: list[str]) -> None:
    with pytest.raises(NotFoundError, match="it has donor_name, message, order_number") as caught:
        read.receipt(FIRST_GIFT, reveal=reveal)
    assert caught.value.code == "unknown_field"
    with pytest.raises(NotFoundError, match="it has none"):
        read.receipt(1, reveal=["donor_name"])


def test_a_receipt_is_the_same_for_ever(world: Scribe) -> None:
    before = world.book.receipt(FIRST_GIFT, reveal="all")
    world.submit(world.gift(number) for number in range(1, 9))
    assert world.book.receipt(FIRST_GIFT, reveal="all") == before


def test_an_entry_without_personal_fields_has_nothing_to_reveal(read: Book) -> None:
    assert read.receipt(1, reveal="all") == read.receipt(1)
    assert read.opening(1) is None
    assert not read.seed_matches(1, bytes(16))
    with pytest.raises(NotFoundError):
        read.receipt(read.head().size)


def test_the_seed_is_the_capability(read: Book) -> None:
    opening = read.opening(FIRST_GIFT)
    assert opening is not None
    seed, values = opening
    assert values == DONOR
    assert read.seed_matches(FIRST_GIFT, seed)
    for wrong in (bytes(16), seed[:-1], b"", bytes([seed[0] ^ 1]) + seed[1:]):
        assert not read.seed_matches(FIRST_GIFT, wrong)


def test_every_record_can_be_opened_by_its_receipt(read: Book) -> None:
    for index in range(read.head().size):
        verified = verify_receipt(read.receipt(index, reveal="all"), read.verifier_keys)
        assert verified.entry.index == index
        assert verified.hidden == ()


@pytest.mark.parametrize("used", [True, False])
def test_a_closed_book_records_nothing_more(world: Scribe, used: bool) -> None:
    if used:
        world.submit([world.gift(1)])
    prepared = world.gift(2)
    world.book.close()
    with pytest.raises(NotReadyError):
        world.book.sequencer.submit([prepared])
    again = Book.open(world.book.folder)
    audited(again)
    again.close()
