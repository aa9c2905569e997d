"""Key files: in clear, under a passphrase, converted where they lie."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from log_keys import pem, private_key, put_key

from ledger.errors import (
    ConflictError,
    LedgerError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
)
from ledger.keys import sealed as sealed_files
from ledger.keys.access import KeyAccess, access_from, read_passphrase
from ledger.keys.files import (
    convert,
    generate_key,
    key_files,
    read_signer,
    read_vault_key,
    replace_file,
    write_new,
    write_private_key,
)
from ledger.keys.sealed import (
    format_private_key,
    format_vault_key,
    is_encrypted,
    parse_private_key,
    parse_vault_key,
)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess need not be costly here."""
    monkeypatch.setattr(sealed_files, "SCRYPT_P", 1)
    monkeypatch.setattr(sealed_files, "SCRYPT_LOG_N", 10)


SECRET = "口令 with spaces".encode()
KEY = bytes(range(32))


def right() -> bytes:
    return SECRET


def wrong() -> bytes:
    return b"another"


def nobody() -> bytes:
    raise AssertionError("no passphrase is asked for")


def ml_dsa() -> mldsa.MLDSA44PrivateKey:
    try:
        return mldsa.MLDSA44PrivateKey.generate()
    except Exception:
        pytest.skip("this OpenSSL has no ML-DSA-44")


def test_a_log_key_is_written_and_read() -> None:
    plain = format_private_key(private_key(1), None, os.urandom)
    assert plain == pem(1)
    found = parse_private_key(plain, "x", nobody)
    assert found.public_key() == private_key(1).public_key()


def test_a_log_key_opens_with_its_passphrase_only() -> None:
    sealed = format_private_key(private_key(1), SECRET, os.urandom)
    assert is_encrypted(sealed)
    assert parse_private_key(sealed, "x", right).public_key() == private_key(1).public_key()
    with pytest.raises(NotAllowedError, match="passphrase does not open") as caught:
        parse_private_key(sealed, "the file", wrong)
    assert caught.value.code == "wrong_passphrase"
    assert caught.value.message.startswith("the file: ")
    assert private_key(1).private_bytes_raw() not in sealed
    assert format_private_key(private_key(1), SECRET, os.urandom) != sealed


def test_a_post_quantum_key_is_kept_the_same_way() -> None:
    key = ml_dsa()
    for passphrase in (None, SECRET):
        data = format_private_key(key, passphrase, os.urandom)
        assert parse_private_key(data, "x", right).public_key() == key.public_key()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_openssl_reads_what_we_encrypt_and_we_read_what_it_does(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    (tmp_path / "pass").write_bytes(SECRET + b"\n")
    ours.write_bytes(format_private_key(private_key(1), SECRET, os.urandom))
    password = f"file:{tmp_path / 'pass'}"
    command = ["openssl", "pkcs8", "-in", str(ours), "-passin", password]
    assert subprocess.run(command, capture_output=True, check=True).stdout == pem(1)
    (tmp_path / "plain.pem").write_bytes(pem(1))
    command = ["openssl", "pkcs8", "-topk8", "-scrypt", "-in", str(tmp_path / "plain.pem")]
    command += ["-passout", password, "-out", str(theirs)]
    subprocess.run(command, capture_output=True, check=True)
    found = parse_private_key(theirs.read_bytes(), "x", right)
    assert found.public_key() == private_key(1).public_key()
    # The usual form, which `cryptography` writes.
    usual = private_key(1).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET)
    )
    assert parse_private_key(usual, "x", right).public_key() == private_key(1).public_key()


def test_a_vault_key_opens_with_its_passphrase_only() -> None:
    assert parse_vault_key(format_vault_key(KEY, None, os.urandom), "x", nobody) == KEY
    sealed = format_vault_key(KEY, SECRET, os.urandom)
    assert is_encrypted(sealed)
    assert KEY.hex().encode() not in sealed
    assert parse_vault_key(sealed, "x", right) == KEY
    with pytest.raises(NotAllowedError, match="passphrase does not open"):
        parse_vault_key(sealed, "x", wrong)


def test_any_change_of_a_sealed_vault_key_is_noticed() -> None:
    sealed = format_vault_key(KEY, SECRET, os.urandom)
    lines = sealed.decode().split("\n")
    salt = lines[1].split()[-1]
    for data in (
        sealed.replace(b" 1 ", b" 2 "),
        sealed[:-2] + b"\n",
        sealed + b"\n",
        sealed.replace(b"scrypt", b"bcrypt"),
        sealed.replace(b" 10 ", b" 21 "),
        sealed.replace(b" 8 ", b" 99 "),
        "\n".join([lines[0], lines[1].replace(salt, "!" * 24), *lines[2:]]).encode(),
        "\n".join([*lines[:2], "AAAA", ""]).encode(),
    ):
        assert data != sealed
        with pytest.raises(LedgerError):
            parse_vault_key(data, "x", right)


@pytest.mark.parametrize("data", [b"", b"zz" * 32, b"ab" * 31, "键".encode(), b"ab" * 33])
def test_what_is_no_vault_key_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="32 bytes in hex"):
        parse_vault_key(data, "x", nobody)


def test_another_kind_of_key_is_refused() -> None:
    other = X25519PrivateKey.generate()
    data = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for one in (data, b"", b"nothing"):
        with pytest.raises(MalformedError, match="Ed25519 private key in PEM"):
            parse_private_key(one, "x", nobody)


# Where the passphrase comes from


def test_the_passphrase_is_the_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    for data in (SECRET, SECRET + b"\n", SECRET + b"\r\n"):
        path.write_bytes(data)
        assert read_passphrase(path) == SECRET
    for data in (b"", b"\n", b"two\nlines\n", b"x" * 1025):
        path.write_bytes(data)
        with pytest.raises(MalformedError, match="expected one line"):
            read_passphrase(path)
    with pytest.raises(NotFoundError, match="passphrase file"):
        read_passphrase(tmp_path / "none")


def test_a_person_is_asked_once_and_nobody_is_an_error(tmp_path: Path) -> None:
    asked: list[str] = []

    def prompt() -> str:
        asked.append("once")
        return "typed"

    access = KeyAccess(prompt=prompt)
    assert access.passphrase() == access.passphrase() == b"typed"
    assert asked == ["once"]
    for empty in (KeyAccess(), KeyAccess(prompt=lambda: "")):
        with pytest.raises(NotAllowedError, match="no passphrase was given") as caught:
            empty.passphrase()
        assert caught.value.code == "passphrase_needed"
    assert not access.has_passphrase
    assert KeyAccess(passphrase_file=tmp_path).has_passphrase


def test_the_environment_says_where_keys_are(tmp_path: Path) -> None:
    access = access_from({"SHANJI_KEYS": "/else", "SHANJI_PASSPHRASE_FILE": "/secret"})
    assert access.folder_of(tmp_path) == Path("/else")
    assert access.passphrase_file == Path("/secret")
    assert access_from({}).folder_of(tmp_path) == tmp_path / "keys"
    assert access_from({"SHANJI_KEYS": ""}).folder_of(tmp_path) == tmp_path / "keys"


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_bytes(b"hunter2")
    access = KeyAccess(passphrase_file=path)
    access.passphrase()
    assert "hunter2" not in repr(access)


# The folder


def test_a_new_file_is_whole_private_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    write_new(path, b"one")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o600)
    with pytest.raises(ConflictError, match="never overwritten"):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    replace_file(path, b"three")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"three", 0o600)
    assert os.listdir(tmp_path) == ["a.pem"]


def test_key_files_are_pem_and_descriptors(tmp_path: Path) -> None:
    for name in ("b.pem", "a.toml", "vault.key", "a.part", ".hidden.pem", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [one.name for one in key_files(tmp_path)] == ["a.toml", "b.pem"]
    assert key_files(tmp_path / "none") == []


def folder_with_keys(folder: Path) -> Path:
    put_key(1, folder / "log-key.pem")
    put_key(2, folder / "log-key-2.pem")
    write_new(folder / "vault.key", KEY.hex().encode() + b"\n")
    (folder / "hsm.toml").write_bytes(b"not looked at")
    return folder


def test_keys_are_encrypted_changed_and_decrypted_where_they_lie(tmp_path: Path) -> None:
    folder = folder_with_keys(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "pass").write_bytes(SECRET)
    opener = KeyAccess(passphrase_file=tmp_path / "pass")
    changed = convert(folder, KeyAccess(), SECRET)
    assert sorted(path.name for path in changed) == ["log-key-2.pem", "log-key.pem", "vault.key"]
    assert all(is_encrypted(path.read_bytes()) for path in changed)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in changed)
    signer = read_signer(folder / "log-key.pem", "a.example/b", opener)
    assert signer.verifier_key.public_key == private_key(1).public_key().public_bytes_raw()
    assert read_vault_key(folder / "vault.key", opener) == KEY
    # Another passphrase, then none.
    assert len(convert(folder, opener, b"new")) == 3
    with pytest.raises(NotAllowedError):
        read_vault_key(folder / "vault.key", opener)
    (tmp_path / "new").write_bytes(b"new")
    assert len(convert(folder, KeyAccess(passphrase_file=tmp_path / "new"), None)) == 3
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert convert(folder, KeyAccess(), None) == []


def test_a_wrong_passphrase_changes_nothing(tmp_path: Path) -> None:
    folder = folder_with_keys(tmp_path / "keys")
    convert(folder, KeyAccess(), SECRET)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for access in (KeyAccess(prompt=lambda: "another"), KeyAccess()):
        for passphrase in (None, b"new"):
            with pytest.raises(NotAllowedError):
                convert(folder, access, passphrase)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_write_that_fails_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with_keys(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        convert(folder, KeyAccess(), SECRET)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_empty_folder_has_nothing_to_convert(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds no key files"):
        convert(tmp_path, KeyAccess(), SECRET)


def test_a_file_too_large_or_missing_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "large.pem").write_bytes(b"x" * 70_000)
    with pytest.raises(MalformedError, match="at most 65536 bytes"):
        read_signer(tmp_path / "large.pem", "a", KeyAccess())
    with pytest.raises(NotFoundError, match=r"none\.pem is missing"):
        read_signer(tmp_path / "none.pem", "a", KeyAccess())
    with pytest.raises(NotFoundError, match="cannot be read"):
        read_signer(tmp_path, "a", KeyAccess())


def test_new_keys_are_encrypted_where_a_passphrase_is_set(tmp_path: Path) -> None:
    (tmp_path / "pass").write_bytes(SECRET)
    write_private_key(tmp_path / "plain.pem", generate_key("ed25519"), KeyAccess())
    access = KeyAccess(passphrase_file=tmp_path / "pass")
    write_private_key(tmp_path / "sealed.pem", generate_key("ed25519"), access)
    assert re.match(rb"-----BEGIN PRIVATE KEY", (tmp_path / "plain.pem").read_bytes())
    assert is_encrypted((tmp_path / "sealed.pem").read_bytes())
