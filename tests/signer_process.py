"""A signer in a process of its own, as a module for an HSM would be: speaks the protocol.

``python signer_process.py NUMBER MODE``; MODE is ``good``, or how it misbehaves.
"""

from __future__ import annotations

import base64
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from log_keys import private_key


def answer(line: str, number: int, mode: str) -> bytes:
    """The answer to one request line."""
    name, verb, _key_id, text = line.split()
    assert (name, verb) == ("shanji-signer/v1", "sign")
    signature = private_key(number).sign(base64.b64decode(text))
    if mode == "wrong":
        signature = private_key(number + 1).sign(base64.b64decode(text))
    answers = {
        "error": b"error the card\x1b is not there\n",
        "garbage": b"\xff\xfe\n",
        "other": b"hello\n",
        "long": b"signature " + b"A" * 100_000 + b"\n",
        "half": b"signature AAAA",
    }
    return answers.get(mode, b"signature " + base64.b64encode(signature) + b"\n")


def main() -> None:
    number, mode = int(sys.argv[1]), sys.argv[2]
    for count, line in enumerate(sys.stdin):
        if mode == "die" or (mode == "die-later" and count):
            os._exit(3)
        if mode == "hang":
            time.sleep(60)
        sys.stdout.buffer.write(answer(line, number, mode))
        sys.stdout.buffer.flush()
        if mode == "once":
            os._exit(0)
        if mode == "half":
            os._exit(0)


if __name__ == "__main__":
    main()
