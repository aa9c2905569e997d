"""Key files under a passphrase: what they look like, and how they open.

A log key is a PKCS #8 file in PEM. Encrypted, it is the standard's EncryptedPrivateKeyInfo
with PBES2 (RFC 8018), scrypt (RFC 7914) and AES-256-CBC, which OpenSSL reads and writes
(``openssl pkcs8 -topk8 -scrypt``); so are other such files read. It is laid out here
because `cryptography` writes only PBKDF2 with 2,048 rounds, which a guess costs little.

A vault key is 32 bytes in hex. Encrypted, it is three lines::

    shanji-vault-key/v1
    scrypt <log2 of N> <r> <p> <base64 of the 16-byte salt>
    <base64 of nonce (12 bytes) || AES-256-GCM ciphertext || tag (16 bytes)>

The cipher's key is scrypt's 32 bytes, its associated data the first two lines with their
newlines, its plaintext the 32 bytes of the vault's key.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Callable
from typing import TypeAlias

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.errors import LedgerError, MalformedError, NotAllowedError, UndecidedError
from ledger.tlog.note import decode_base64, encode_base64
from ledger.vault import KEY_BYTES, NONCE_BYTES, TAG_BYTES

PrivateKey: TypeAlias = Ed25519PrivateKey | MLDSA44PrivateKey
Random = Callable[[int], bytes]
Passphrase = Callable[[], bytes]
"""Gives the passphrase, or raises; asked only where something is encrypted."""

SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P = 14, 8, 5
"""16 MiB, a fifth of a second: OpenSSL's default limit of memory allows no larger N."""
SCRYPT_LOG_N_MAX, SCRYPT_R_MAX, SCRYPT_P_MAX = 20, 16, 16
"""What a file may ask for: at most 2 GiB and some seconds."""
SALT_BYTES = 16
BLOCK_BYTES = 16

VAULT_FORMAT = "shanji-vault-key/v1"
ENCRYPTED_LABEL = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

_KDF_LINE = re.compile(r"scrypt ([1-9][0-9]?) ([1-9][0-9]?) ([1-9][0-9]?) (\S{24})")
_OID_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_OID_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_OID_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def is_encrypted(data: bytes) -> bool:
    """Whether a key file's bytes are under a passphrase."""
    return ENCRYPTED_LABEL in data or data.startswith(VAULT_FORMAT.encode() + b"\n")


def format_private_key(key: PrivateKey, passphrase: bytes | None, random: Random) -> bytes:
    """A log key as a PEM file: PKCS #8, encrypted where a passphrase is given."""
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, start = random(SALT_BYTES), random(BLOCK_BYTES)
    padding = BLOCK_BYTES - len(plain) % BLOCK_BYTES
    derived = _derive(passphrase, salt, SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
    encryptor = Cipher(AES256(derived), CBC(start)).encryptor()
    body = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    costs = b"".join(map(_der_integer, (1 << SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)))
    kdf = _der(0x30, _OID_SCRYPT + _der(0x30, _der(0x04, salt) + costs))
    scheme = _der(0x30, _OID_AES_256_CBC + _der(0x04, start))
    algorithm = _der(0x30, _OID_PBES2 + _der(0x30, kdf + scheme))
    whole = _der(0x30, algorithm + _der(0x04, body))
    lines = encodebytes(whole).replace(b"\n", b"")
    rows = [lines[at : at + 64] for at in range(0, len(lines), 64)]
    return b"\n".join([ENCRYPTED_LABEL, *rows, b"-----END ENCRYPTED PRIVATE KEY-----", b""])


def parse_private_key(data: bytes, where: str, passphrase: Passphrase) -> PrivateKey:
    """Read a log key from its PEM file.

    Raises:
        MalformedError: no Ed25519 or ML-DSA-44 private key.
        NotAllowedError: the passphrase is missing (``passphrase_needed``) or another one
            (``wrong_passphrase``).
        UndecidedError: ML-DSA-44, and this machine's OpenSSL has none.
    """
    encrypted = is_encrypted(data)
    secret = passphrase() if encrypted else None
    try:
        key = load_pem_private_key(data, secret)
    except UnsupportedAlgorithm:
        raise UndecidedError(
            f"{where}: the key is of a type that the OpenSSL of this machine does not have; "
            "ML-DSA-44 needs OpenSSL 3.5: take the file out of the folder, or update",
            code="unsupported_algorithm",
        ) from None
    except (ValueError, TypeError):
        # OpenSSL does not say whether the passphrase or the file is wrong.
        if encrypted:
            raise wrong_passphrase(where) from None
        key = None
    if not isinstance(key, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise MalformedError(
            f"{where}: expected an Ed25519 private key in PEM (PKCS #8), or one of ML-DSA-44"
        )
    return key


def format_vault_key(key: bytes, passphrase: bytes | None, random: Random) -> bytes:
    """The vault's key as a file, encrypted where a passphrase is given."""
    if passphrase is None:
        return key.hex().encode() + b"\n"
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    costs = f"{SCRYPT_LOG_N} {SCRYPT_R} {SCRYPT_P}"
    head = f"{VAULT_FORMAT}\nscrypt {costs} {encode_base64(salt)}\n".encode()
    derived = _derive(passphrase, salt, SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
    sealed = nonce + AESGCM(derived).encrypt(nonce, key, head)
    return head + encode_base64(sealed).encode() + b"\n"


def parse_vault_key(data: bytes, where: str, passphrase: Passphrase) -> bytes:
    """Read the vault's key from its file: 32 bytes.

    Raises:
        MalformedError: neither form.
        NotAllowedError: as in `parse_private_key`.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if is_encrypted(data):
        return _open_vault_key(text, where, passphrase)
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MalformedError(f"{where}: expected {KEY_BYTES} bytes in hex, a vault key")
    return key


def _open_vault_key(text: str, where: str, passphrase: Passphrase) -> bytes:
    lines = text.split("\n")
    match = _KDF_LINE.fullmatch(lines[1]) if len(lines) == 4 and not lines[3] else None
    if match is None:
        raise MalformedError(f"{where}: expected a vault key of format {VAULT_FORMAT}")
    log_n, r, p = (int(match[number]) for number in (1, 2, 3))
    if log_n > SCRYPT_LOG_N_MAX or r > SCRYPT_R_MAX or p > SCRYPT_P_MAX:
        raise MalformedError(
            f"{where}: expected scrypt costs of at most {SCRYPT_LOG_N_MAX} {SCRYPT_R_MAX} "
            f"{SCRYPT_P_MAX}, got {log_n} {r} {p}"
        )
    try:
        salt, sealed = decode_base64(match[4], "salt"), decode_base64(lines[2], "vault key")
    except LedgerError as error:
        raise MalformedError(f"{where}: {error.message}") from None
    if len(sealed) != NONCE_BYTES + KEY_BYTES + TAG_BYTES:
        raise MalformedError(f"{where}: expected a sealed key of {KEY_BYTES} bytes")
    derived = _derive(passphrase(), salt, log_n, r, p)
    head = "\n".join(lines[:2]).encode() + b"\n"
    try:
        return AESGCM(derived).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], head)
    except InvalidTag:
        raise wrong_passphrase(where) from None


def wrong_passphrase(where: str) -> NotAllowedError:
    """The error for a passphrase that does not open a file."""
    return NotAllowedError(
        f"{where}: the passphrase does not open this key, or the file was altered; give the "
        "right one, or put the file back from a backup",
        code="wrong_passphrase",
    )


def _derive(passphrase: bytes, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log_n, r=r, p=p).derive(passphrase)


def _der(tag: int, body: bytes) -> bytes:
    """One element of DER (X.690): tag, length, body."""
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def _der_integer(value: int) -> bytes:
    # One bit more than the number has, for the sign.
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
