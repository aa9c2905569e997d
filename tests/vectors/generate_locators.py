"""Makes the vectors of locators and short codes: ``python tests/vectors/generate_locators.py``.

Two files under ``docs/vectors/locators/``, each a list of ``{desc, input, want | want_error}``:

- ``locators.json``: the fragment of a QR code's link; its log id, index and seed, in hex.
- ``short_codes.json``: an origin and what a person typed; the index.

Made from docs/formats.md, section 14, with hashlib and arithmetic; nothing comes from the
code under test.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "locators"

Vector = dict[str, Any]

ORIGIN = "shanji.example/golden"
LOG = hashlib.sha256(ORIGIN.encode()).digest()[:4]
SEED = bytes(range(200, 216))
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def locator_vectors() -> list[Vector]:
    """Locators of both forms, and what is none."""
    found: list[Vector] = []
    for index in (0, 9, 120, 2**32, 2**53 - 1):
        for seed in (SEED, b""):
            text = url64(bytes([1 if seed else 2]) + LOG + index.to_bytes(7, "big") + seed)
            want = {"log_id": LOG.hex(), "index": index, "seed": seed.hex() or None}
            desc = f"entry {index}, {'with' if seed else 'without'} a seed"
            found.append({"desc": desc, "input": text, "want": want})
    whole = found[2]["input"]
    found.append({"desc": "with its #", "input": "#" + whole, "want": found[2]["want"]})
    nine = (9).to_bytes(7, "big")
    bad = {
        "empty": "",
        "only the #": "#",
        "cut by one": whole[:-1],
        "cut by four": whole[:-4],
        "cut to the length of the other form": whole[:16],
        "one more": whole + "A",
        "padded": whole + "==",
        "another alphabet": url64(b"\x01" + LOG + nine + b"\xfb\xff" * 8)
        .replace("-", "+")
        .replace("_", "/"),
        "a space within": whole[:5] + " " + whole[5:],
        "unused bits set": whole[:-1] + SYMBOLS[(SYMBOLS.index("A") + 7) % 32],
        "a form that is unknown": url64(b"\x03" + LOG + nine + SEED),
        "form 0": url64(b"\x00" + LOG + nine),
        "form 2 with a seed": url64(b"\x02" + LOG + nine + SEED),
        "form 1 without a seed": url64(b"\x01" + LOG + nine),
        "an index of 2**53": url64(b"\x02" + LOG + (2**53).to_bytes(7, "big")),
        "outside ASCII": "Ａ" + whole[1:],
        "a whole link": "https://shanji.example/r#" + whole,
    }
    found += [
        {"desc": desc, "input": text, "want_error": "locator_malformed"}
        for desc, text in bad.items()
    ]
    return found


def base32(number: int, width: int) -> str:
    text = ""
    while number:
        text, number = SYMBOLS[number % 32] + text, number // 32
    return text.rjust(width, "0")


def short_code(index: int, origin: str = ORIGIN) -> str:
    """The code without its dashes."""
    tag = int.from_bytes(hashlib.sha256(origin.encode()).digest()[:4], "big")
    return base32(index, 6) + base32((index + tag) % 1021, 2)


def grouped(code: str) -> str:
    return "-".join(code[first : first + 4] for first in range(0, len(code), 4))


def short_code_vectors() -> list[Vector]:
    """Codes as they are printed and as people type them, and wrong ones."""
    good = {
        f"entry {index}": (grouped(short_code(index)), index)
        for index in (0, 9, 120, 1023, 10**6, 2**30 - 1, 2**30, 2**53 - 1)
    }
    code = short_code(2**30 - 7)
    good |= {
        "without dashes": (code, 2**30 - 7),
        "small letters": (grouped(code).lower(), 2**30 - 7),
        "spaces and long dashes": (f" {code[:3]} \u2014 {code[3:]}\u3000", 2**30 - 7),
        "full width": ("".join(chr(ord(one) + 0xFEE0) for one in code), 2**30 - 7),
        "o for 0": (short_code(9).replace("0", "o"), 9),
        "I and l for 1": (short_code(33).replace("1", "I", 1).replace("1", "l"), 33),
    }
    found: list[Vector] = [
        {"desc": desc, "input": {"origin": ORIGIN, "text": text}, "want": index}
        for desc, (text, index) in good.items()
    ]
    code = short_code(123456)
    bad = {
        "empty": ("", "short_code_malformed"),
        "one symbol short": (code[1:], "short_code_malformed"),
        "one zero more": ("0" + code, "short_code_malformed"),
        "an index of 2**53": (short_code(2**53), "short_code_malformed"),
        "the letter U": ("U" + code[1:], "short_code_malformed"),
        "a sign": ("*" + code[1:], "short_code_malformed"),
        "a sharp s, which becomes two letters": ("ß" + code[1:], "short_code_malformed"),
        "very long": ("0" * 1000, "short_code_malformed"),
        "of another log": (short_code(123456, "other.example/log"), "short_code_check"),
        "two neighbours exchanged": (code[:4] + code[5] + code[4] + code[6:], "short_code_check"),
    }
    for place, symbol in enumerate(code):
        other = SYMBOLS[(SYMBOLS.index(symbol) + 1 + place) % 32]
        text = code[:place] + other + code[place + 1 :]
        bad[f"symbol {place} is wrong"] = (text, "short_code_check")
    found += [
        {"desc": desc, "input": {"origin": ORIGIN, "text": text}, "want_error": error}
        for desc, (text, error) in bad.items()
    ]
    return found


BUILDERS: dict[str, Callable[[], list[Vector]]] = {
    "locators": locator_vectors,
    "short_codes": short_code_vectors,
}


def encode(vectors: list[Vector]) -> str:
    return json.dumps(vectors, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / f"{name}.json").write_text(encode(build()), encoding="utf-8")
