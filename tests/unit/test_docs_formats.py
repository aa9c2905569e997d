"""Every fenced block of docs/formats.md, computed again from the golden vectors.

Without the ledger: what the page says must be enough to come to the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
import rfc8785

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
LOG = json.loads((ROOT / "docs/vectors/golden/small_log.json").read_text(encoding="utf-8"))
RECEIPTS = ROOT / "docs" / "vectors" / "receipts"
GIFT = LOG["records"][9]

BLOCKS: dict[str, str] = dict(re.findall(r"^```\w+ ([\w-]+)\n(.*?)\n```$", PAGE, re.M | re.S))


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def node(first: int, end: int) -> bytes:
    """The hash over leaves [first, end), by RFC 6962, section 2.1."""
    if end - first == 1:
        return hashlib.sha256(b"\x00" + LOG["records"][first]["entry"].encode()).digest()
    size = 1
    while size * 2 < end - first:
        size *= 2
    pair = node(first, first + size) + node(first + size, end)
    return hashlib.sha256(b"\x01" + pair).digest()


def expected() -> dict[str, str]:
    """Each block by its name."""
    entries = [record["entry"].encode() for record in LOG["records"]]
    seed = bytes.fromhex(GIFT["seed"])
    salt = url64(hmac.new(seed, b"shanji/v1/salt/donor_name", hashlib.sha256).digest()[:16])
    value = GIFT["request"]["sealed"]["donor_name"]
    disclosure_json = json.dumps(
        [salt, "donor_name", value], ensure_ascii=False, separators=(",", ":")
    )
    disclosure = url64(disclosure_json.encode())
    key = LOG["verifier_key"]
    opening = {"disclosures": [disclosure], "entry": b64encode(entries[9]).decode()}
    opening_text = rfc8785.dumps(opening).decode()
    root = b64encode(node(0, 12)).decode()
    checkpoint = LOG["checkpoint"].removesuffix("\n")
    assert checkpoint.startswith(f"shanji.example/golden\n12\n{root}\n\n")
    proof = [node(8, 9), node(10, 12), node(0, 8)]
    receipt = [
        "c2sp.org/tlog-proof@v1",
        "extra " + b64encode(opening_text.encode()).decode(),
        "index 9",
        *(b64encode(one).decode() for one in proof),
        "",
        checkpoint,
    ]
    path = [(9, 10), (8, 10), (8, 12), (0, 12)]
    bundle = len(entries[0]).to_bytes(2, "big") + entries[0]
    return {
        "tile": "\n".join(node(index, index + 1).hex() for index in range(12)),
        "bundle-start": bundle[:32].hex(),
        "checkpoint": checkpoint,
        "verifier-key": key,
        "entry": entries[9].decode(),
        "leaf-hash": node(9, 10).hex(),
        "previous": node(8, 9).hex(),
        "seed": seed.hex(),
        "salt": salt,
        "disclosure-json": disclosure_json,
        "disclosure": disclosure,
        "commitment": url64(hashlib.sha256(disclosure.encode()).digest()),
        "postings": pretty(json.loads(entries[7])["postings"]),
        "conversion": "\n".join(
            f"pack {k}: [{k * 12_000 // 7}, {(k + 1) * 12_000 // 7})" for k in range(7)
        ),
        "receipt": "\n".join(receipt),
        "opening": opening_text[:80] + "\n...\n" + opening_text[-80:],
        "path": "\n".join(f"[{first}, {end}) {node(first, end).hex()}" for first, end in path),
        "walks": pretty(json.loads(LOG["traces"]["forward"])["walks"]),
    }


def pretty(value: Any) -> str:
    """JSON with one object a line where it is short enough, as the page shows it."""
    return compact(value, "")


def compact(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= 90 or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        items = [inner + compact(one, inner) for one in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    members = [f'{inner}"{key}": {compact(one, inner)}' for key, one in value.items()]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


EXPECTED = expected()


def test_every_block_is_checked() -> None:
    # Each fence has a name, and there is no other code on the page.
    assert len(re.findall(r"^```", PAGE, re.M)) == 2 * len(BLOCKS)
    assert sorted(BLOCKS) == sorted([*EXPECTED, "verifier"])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_block_is_what_the_vectors_give(name: str) -> None:
    assert BLOCKS[name] == EXPECTED[name]


def test_the_page_and_the_vectors_agree_on_the_rest() -> None:
    assert GIFT["entry"] == EXPECTED["entry"]
    assert GIFT["leaf_hash"] == EXPECTED["leaf-hash"]
    assert json.loads(GIFT["entry"])["previous"] == EXPECTED["previous"]
    assert json.loads(GIFT["entry"])["sealed"]["donor_name"] == EXPECTED["commitment"]
    assert LOG["receipts"]["partial"] == EXPECTED["receipt"] + "\n"
    assert b64decode(LOG["tiles"]["tile/0/000.p/12"]).hex() == EXPECTED["tile"].replace("\n", "")
    bundle = b64decode(LOG["tiles"]["tile/entries/000.p/12"])
    assert bundle.hex().startswith(EXPECTED["bundle-start"])
    assert EXPECTED["verifier-key"] == (RECEIPTS / "log.vkey").read_text().strip()


def test_lengths_in_the_text() -> None:
    for number, words in ((0, "of\n{} bytes:"), (9, "it has {} bytes")):
        assert words.format(len(LOG["records"][number]["entry"].encode())) in PAGE


def test_json_blocks_say_what_the_log_says() -> None:
    assert json.loads(BLOCKS["postings"]) == json.loads(LOG["records"][7]["entry"])["postings"]
    assert json.loads(BLOCKS["walks"]) == json.loads(LOG["traces"]["forward"])["walks"]


class TestVerifier:
    """The verifier that the page shows does what the page says."""

    @pytest.fixture
    def verify(self) -> Any:
        names: dict[str, Any] = {}
        exec(BLOCKS["verifier"], names)
        return names["verify"]

    def test_good_receipts(self, verify: Any) -> None:
        key = LOG["verifier_key"].encode()
        entry, values = verify(LOG["receipts"]["partial"].encode(), key)
        assert entry == json.loads(GIFT["entry"])
        assert values == {"donor_name": GIFT["request"]["sealed"]["donor_name"]}
        assert verify(LOG["receipts"]["none"].encode(), key)[1] == {}
        assert verify(LOG["receipts"]["none"].encode(), key)[0] == entry

    def test_every_flipped_byte_of_a_receipt_fails(self, verify: Any) -> None:
        key, data = LOG["verifier_key"].encode(), LOG["receipts"]["partial"].encode()
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(Exception):  # noqa: B017, PT011 - the page says: an exception
                verify(bytes(changed), key)

    def test_a_tampered_receipt_and_another_key(self, verify: Any) -> None:
        key = LOG["verifier_key"].encode()
        with pytest.raises(AssertionError):
            verify(tampered(LOG["receipts"]["none"]), key)
        other = json.loads((ROOT / "docs/vectors/golden/kinds.json").read_text("utf-8"))
        with pytest.raises(ValueError, match="not signed by this key"):
            verify(LOG["receipts"]["partial"].encode(), other["verifier_key"].encode())


def tampered(receipt: str) -> bytes:
    """The receipt with ten times the amount."""
    extra = receipt.split("\n")[1].removeprefix("extra ")
    opening = json.loads(b64decode(extra))
    entry = b64decode(opening["entry"]).replace(b"500", b"5000")
    changed = rfc8785.dumps({"entry": b64encode(entry).decode()})
    return receipt.replace(extra, b64encode(changed).decode()).encode()
