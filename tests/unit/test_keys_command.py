"""``shanji keys``: from the first key to the policy, as a person at a terminal does it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from log_keys import key_id, key_text, put_key
from scribe import FIRST_GIFT, LOG_KEY, ORIGIN, Scribe, audited
from typer.testing import CliRunner

from ledger.book import Book
from ledger.cli import build, exit_code
from ledger.commands import keying
from ledger.errors import (
    ConflictError,
    LedgerError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
    RejectedError,
)
from ledger.keys.sealed import is_encrypted
from ledger.verify import verify_receipt

PEOPLE = ("--person", "registrar-1", "--approved-by", "approver-1")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of the machine that runs the tests, and none left behind."""
    monkeypatch.setattr("ledger.keys.sealed.SCRYPT_LOG_N", 10)
    names = ("SHANJI_DATA", "SHANJI_KEYS", "SHANJI_PASSPHRASE_FILE")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    yield
    for name in names:
        os.environ.pop(name, None)


@pytest.fixture
def data(world: Scribe) -> Path:
    """The folder of a log that nobody has open."""
    world.book.close()
    return world.book.folder


def shanji(data: Path, *arguments: object, before: tuple[object, ...] = ()) -> Any:
    """Run ``shanji keys``; raises what ends the command."""
    words = [*before, "keys", *arguments, "--data", data]
    return CliRunner().invoke(build(), list(map(str, words)), catch_exceptions=False)


def listed(data: Path) -> Any:
    return json.loads(shanji(data, "list", "--json").stdout)


def test_a_rotation_from_its_beginning_to_its_end(data: Path, tmp_path: Path) -> None:
    (first,) = listed(data)["keys"]
    assert first["key_id"] == key_id(LOG_KEY, ORIGIN)
    done = shanji(data, "rotate", *PEOPLE)
    assert "Recorded as entry 20, log size 21" in done.stderr
    old, new = listed(data)["keys"]
    assert [one["active"] for one in (old, new)] == [True, True]
    assert new["private_key_here"]
    assert new["added_by"] == 20
    path = data / "keys" / f"log-key-{new['key_id']}.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    shanji(data, "revoke", old["key_id"], "--reason", "superseded", "--note", "done", *PEOPLE)
    old, new = listed(data)["keys"]
    assert (old["active"], old["last_size"], old["revoked_by"]) == (False, 21, 21)
    lines = shanji(data, "list").stdout.splitlines()
    assert "revoked  valid for checkpoints of size 0 to 21  entries #0, #21" in lines[0]
    assert "active  valid for checkpoints of size 21 on  entries #20" in lines[1]
    assert "停用" in shanji(data, "list", "--lang", "zh").stdout
    # One policy for all of it, which `shanji verify` takes.
    policy = tmp_path / "log.policy"
    shanji(data, "policy", "-o", policy)
    assert policy.read_text() == shanji(data, "policy").stdout
    book = Book.open(data)
    for index in (FIRST_GIFT, 20, 21):
        receipt = tmp_path / f"{index}.tlog-proof"
        receipt.write_bytes(book.receipt(index))
        words = ["verify", str(receipt), "--policy", str(policy)]
        assert CliRunner().invoke(build(), words, catch_exceptions=False).exit_code == 0
    entry = book.entry(21)[1]
    assert (entry.recorded_by, entry.approved_by) == ("registrar-1", "approver-1")
    assert entry.fields["note"] == "done"
    audited(book)
    book.close()


def test_a_key_is_made_apart_and_added(data: Path, tmp_path: Path) -> None:
    made = shanji(data, "create", "-o", tmp_path / "new.pem")
    text = made.stdout.strip()
    assert text.startswith(f"{ORIGIN}+")
    done = shanji(data, "add", tmp_path / "new.pem", *PEOPLE)
    assert "put the private key's file into the folder of the keys" in done.stderr
    assert [one["private_key_here"] for one in listed(data)["keys"]] == [True, False]
    assert listed(data)["keys"][1]["verifier_key"] == text
    with pytest.raises(ConflictError, match="never overwritten"):
        shanji(data, "create", "-o", tmp_path / "new.pem")
    with pytest.raises(RejectedError, match="a key comes once"):
        shanji(data, "add", tmp_path / "new.pem", *PEOPLE)


def test_a_key_is_made_where_no_log_is(tmp_path: Path) -> None:
    made = shanji(tmp_path, "create", "shanji.example/later", "-o", tmp_path / "k.pem")
    assert made.stdout.startswith("shanji.example/later+")
    with pytest.raises(NotFoundError, match="holds no log"):
        shanji(tmp_path / "none", "create", "-o", tmp_path / "l.pem")


def test_a_key_is_added_by_its_text_or_its_descriptor(data: Path, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(key_text(5, ORIGIN) + "\n")
    shanji(data, "add", tmp_path / "key.txt", *PEOPLE)
    (tmp_path / "hsm.toml").write_text(
        f'format = "shanji-signer/v1"\nsocket = "x"\nverifier_key = "{key_text(6, ORIGIN)}"\n'
    )
    shanji(data, "add", tmp_path / "hsm.toml", "--reason", "HSM", *PEOPLE)
    found = [one["key_id"] for one in listed(data)["keys"]]
    assert found[1:] == [key_id(5, ORIGIN), key_id(6, ORIGIN)]
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError, match="expected a private key in PEM, or a verifier key"):
        shanji(data, "add", tmp_path / "bad", *PEOPLE)


def test_the_body_is_printed_for_two_people_to_send(data: Path, tmp_path: Path) -> None:
    put_key(7, data / "keys" / "seven.pem")
    body = json.loads(shanji(data, "add", data / "keys" / "seven.pem", "--print").stdout)
    assert body["kind"] == "key.added"
    assert body["fields"]["verifier_key"] == key_text(7, ORIGIN)
    body = json.loads(
        shanji(data, "revoke", "0011aabb", "--reason", "compromised", "--print").stdout
    )
    assert body["fields"] == {"key_id": "0011aabb", "reason": "compromised"}
    assert len(listed(data)["keys"]) == 1


@pytest.mark.parametrize("people", [(), PEOPLE[:2], PEOPLE[2:]])
def test_two_people_are_needed(data: Path, people: tuple[str, ...]) -> None:
    before = sorted(os.listdir(data / "keys"))
    for words in (("rotate",), ("revoke", "0011aabb", "--reason", "lost")):
        with pytest.raises(MalformedError, match="--person and --approved-by"):
            shanji(data, *words, *people)
    assert sorted(os.listdir(data / "keys")) == before
    with pytest.raises(RejectedError, match="cannot approve"):
        shanji(data, "rotate", "--person", "a", "--approved-by", "a")


def test_keys_are_encrypted_and_opened_by_every_command(data: Path, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("a secret\n")
    (tmp_path / "wrong").write_text("another\n")
    right = ("--passphrase-file", tmp_path / "pass")
    done = shanji(data, "encrypt", before=right)
    assert done.stderr.count("Converted: ") == 2
    assert all(is_encrypted(path.read_bytes()) for path in (data / "keys").iterdir())
    del os.environ["SHANJI_PASSPHRASE_FILE"]
    for before in ((), ("--passphrase-file", tmp_path / "wrong")):
        with pytest.raises(NotAllowedError) as caught:
            shanji(data, "list", before=before)
        assert exit_code(caught.value) == 4
        assert "secret" not in caught.value.message
        os.environ.pop("SHANJI_PASSPHRASE_FILE", None)
    words = [*right, "audit", "--data", data]
    assert CliRunner().invoke(build(), list(map(str, words)), catch_exceptions=False).exit_code == 0
    # A key that is made now is encrypted too.
    shanji(data, "rotate", *PEOPLE, before=right)
    assert all(is_encrypted(path.read_bytes()) for path in (data / "keys").iterdir())
    shanji(data, "encrypt", "--new-passphrase-file", tmp_path / "wrong", before=right)
    with pytest.raises(NotAllowedError):
        shanji(data, "list", before=right)
    done = shanji(data, "decrypt", before=("--passphrase-file", tmp_path / "wrong"))
    assert done.stderr.count("Converted: ") == 3
    del os.environ["SHANJI_PASSPHRASE_FILE"]
    assert len(listed(data)["keys"]) == 2
    assert "No file needed converting" in shanji(data, "decrypt").stderr


def test_a_passphrase_is_typed_twice_at_a_terminal(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAllowedError, match="no passphrase was given"):
        shanji(data, "encrypt")
    typed = iter(["one", "two", "one", "one"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr(keying, "_at_terminal", lambda: True)
    with pytest.raises(MalformedError, match="the same passphrase twice"):
        shanji(data, "encrypt")
    assert listed(data)
    shanji(data, "encrypt")
    with pytest.raises(NotAllowedError):
        shanji(data, "list")


def test_the_keys_may_lie_elsewhere(data: Path, tmp_path: Path) -> None:
    (data / "keys").rename(tmp_path / "safe")
    with pytest.raises(LedgerError, match="is missing"):
        listed(data)
    words = ("--keys", tmp_path / "safe")
    assert "active" in shanji(data, "list", before=words).stdout
    shanji(data, "rotate", *PEOPLE, before=words)
    assert len(list((tmp_path / "safe").glob("log-key-*.pem"))) == 1
    book = Book.open(data)
    verify_receipt(book.receipt(20), book.verifier_keys)
    book.close()
