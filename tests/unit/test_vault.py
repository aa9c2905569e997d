"""The vault: rows open with their key, at their place, and in no other way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.entry import SEED_BYTES
from ledger.errors import CorruptionError, MalformedError
from ledger.vault import DIGEST_BYTES, KEY_BYTES, NONCE_BYTES, SystemRandom, Vault, VaultRow

KEY = bytes(range(KEY_BYTES))
FULL = VaultRow(
    "key-1",
    b"r" * DIGEST_BYTES,
    b"o" * DIGEST_BYTES,
    bytes(range(16)),
    {"donor_name": "示例捐赠人", "lines": [{"quantity": 3}]},
)
ROWS = {
    "full": FULL,
    "without order": VaultRow("key-2", FULL.request, None, FULL.seed, FULL.values),
    "erased": VaultRow("key-3", FULL.request, FULL.order),
    "bare": VaultRow("key-4", FULL.request),
}


def counting() -> Callable[[int], bytes]:
    """Randomness that counts up: 1, 2, 3."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@pytest.mark.parametrize("name", sorted(ROWS))
@pytest.mark.parametrize("index", [0, 1, 10**12])
def test_a_row_opens_as_it_was(name: str, index: int) -> None:
    vault = Vault(KEY)
    stored = vault.encrypt(index, ROWS[name])
    assert vault.decrypt(index, stored) == ROWS[name]
    assert Vault(KEY).decrypt(index, stored) == ROWS[name]


def test_a_row_tells_nothing_in_clear() -> None:
    stored = Vault(KEY).encrypt(5, FULL)
    for secret in ("示例捐赠人".encode(), b"key-1", b"donor_name", bytes(range(16))):
        assert secret not in stored
    assert "示例" not in repr(FULL)
    assert repr(FULL.seed) not in repr(FULL)


def test_each_row_has_a_fresh_nonce() -> None:
    vault = Vault(KEY)
    nonces = {vault.encrypt(0, FULL)[:NONCE_BYTES] for _ in range(50)}
    assert len(nonces) == 50
    assert len({vault.digests.new_seed() for _ in range(50)}) == 50


def test_randomness_is_passed_in() -> None:
    vault = Vault(KEY, counting())
    assert vault.digests.new_seed() == (1).to_bytes(16, "big")
    assert vault.encrypt(0, FULL)[:NONCE_BYTES] == (2).to_bytes(NONCE_BYTES, "big")
    assert Vault(KEY, counting()).encrypt(3, FULL) == Vault(KEY, counting()).encrypt(3, FULL)


def test_a_row_belongs_to_its_entry_and_its_key() -> None:
    stored = Vault(KEY).encrypt(5, FULL)
    for vault, index in ((Vault(KEY), 6), (Vault(bytes(KEY_BYTES)), 5)):
        with pytest.raises(CorruptionError, match=f"vault row {index}") as got:
            vault.decrypt(index, stored)
        assert got.value.code == "vault_row"
        assert got.value.details == {"index": index}


def test_any_flipped_bit_and_any_cut_is_found() -> None:
    vault = Vault(KEY, counting())
    stored = vault.encrypt(5, FULL)
    damaged = [stored[:length] for length in range(len(stored))]
    damaged += [stored + b"\0"]
    for place in range(len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 1 << place % 8
        damaged.append(bytes(changed))
    for data in damaged:
        with pytest.raises(CorruptionError):
            vault.decrypt(5, data)


@pytest.mark.parametrize(
    "plain",
    [
        b"not json",
        b"{}",
        b'{"key":"k"}',
        b'{"key":"k","request":"=="}',
        b'{"key":"k","request":"YQ","order":"=="}',
        b'{"key":"k","request":"YQ","seed":"=="}',
    ],
)
def test_a_row_of_another_shape_is_damage(plain: bytes) -> None:
    vault = Vault(KEY)
    nonce = bytes(NONCE_BYTES)
    stored = nonce + vault._cipher.encrypt(nonce, plain, b"5")
    with pytest.raises(CorruptionError):
        vault.decrypt(5, stored)


def test_digests_depend_on_key_purpose_and_data() -> None:
    digests = {
        Vault(key).digest(purpose, data)
        for key in (KEY, bytes(KEY_BYTES))
        for purpose in ("order", "request")
        for data in (b"", b"X-1", b"X-2")
    }
    assert len(digests) == 12
    assert {len(one) for one in digests} == {DIGEST_BYTES}
    assert Vault(KEY).digest("order", b"X-1") == Vault(KEY).digest("order", b"X-1")


@pytest.mark.parametrize("key", [b"", bytes(KEY_BYTES - 1), bytes(KEY_BYTES + 1)])
def test_a_key_has_its_length(key: bytes) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        Vault(key)


def test_a_vault_does_not_show_its_key() -> None:
    assert KEY.hex() not in repr(Vault(KEY))
    assert repr(KEY) not in repr(Vault(KEY))


def test_system_randomness_is_given_out_once() -> None:
    """By several threads at once, and not again in a forked process."""
    random = SystemRandom()
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(random, [SEED_BYTES, NONCE_BYTES] * 2000))
    assert {len(one) for one in drawn} == {SEED_BYTES, NONCE_BYTES}
    assert len(set(drawn)) == len(drawn)


def test_a_forked_process_draws_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    random = SystemRandom()
    random(SEED_BYTES)
    expected = random._drawn[SEED_BYTES][-1]
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert random(SEED_BYTES) != expected
