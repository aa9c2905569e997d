"""Test vectors of notes, keys, checkpoints and cosignatures, for ``generate_tlog.py``.

The text of the first note, its two public keys and their signatures are those
printed in the documentation of golang.org/x/mod/sumdb/note; the first key goes
by another name here, which changes its id and nothing else. The checkpoint is the
one in c2sp.org/tlog-checkpoint. The rest is made with cryptography and hashlib.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Vector = dict[str, Any]

AUTHOR_KEY = "quote.author+3cd95063+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
AUTHOR_LINE = (
    "— quote.author PNlQY/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
    "pRZb6KE6RyyBwJnAM=\n"
)
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n"
)
NOTE_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)

ORIGIN = "example.com/behind-the-sofa"
ROOT_TEXT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
CHECKPOINT = f"{ORIGIN}\n20852163\n{ROOT_TEXT}\n"


def verifier_key_vectors() -> list[Vector]:
    """Verifier keys as they are written."""
    author = bytes.fromhex("1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6")
    name, _, key64 = AUTHOR_KEY.split("+", 2)
    cosigner = b"\x04" + bytes(range(32))
    cosigner_id = hashlib.sha256(b"witness.example/w1\n" + cosigner).hexdigest()[:8]
    cosigner_key = f"witness.example/w1+{cosigner_id}+{base64.b64encode(cosigner).decode()}"
    bad = {
        "short key, id adjusted": _written_key(name, b"\x01" + author[1:]),
        "long key, id adjusted": _written_key(name, b"\x01" + author + b"\x00"),
        "unknown type, id adjusted": _written_key(name, b"\x02" + author),
        "no key at all, id adjusted": _written_key(name, b""),
        "id of another key": f"{name}+00000000+{key64}",
        "id in capitals": f"{name}+3CD95063+{key64}",
        "id with a sign": f"{name}++74f20a3+{key64}",
        "name changed": f"quote.auther+3cd95063+{key64}",
        "empty name": f"+3cd95063+{key64}",
        "name with a space, id adjusted": _written_key("quote author", b"\x01" + author),
        "name with a no-break space, id adjusted": _written_key("a\u00a0b", b"\x01" + author),
        "name with a control character, id adjusted": _written_key("a\x01b", b"\x01" + author),
        "url-safe base64": AUTHOR_KEY.replace("/", "_"),
        "base64 with a newline": AUTHOR_KEY + "\n",
        "base64 with padding bits set": f"{cosigner_key[:-2]}9=",
        "one plus only": f"{name}+3cd95063",
        "very long": AUTHOR_KEY + "A" * 5000,
        "empty": "",
    }
    vectors: list[Vector] = [
        {
            "desc": "an Ed25519 key",
            "input": AUTHOR_KEY,
            "want": [name, 1, author.hex(), "3cd95063"],
        },
        {
            "desc": "a cosigner's key",
            "input": cosigner_key,
            "want": ["witness.example/w1", 4, bytes(range(32)).hex(), cosigner_id],
        },
    ]
    return vectors + [
        {"desc": desc, "input": text, "want_error": "MalformedError"} for desc, text in bad.items()
    ]


def _written_key(name: str, material: bytes) -> str:
    digest = hashlib.sha256(name.encode() + b"\n" + material).hexdigest()[:8]
    return f"{name}+{digest}+{base64.b64encode(material).decode()}"


def note_vectors() -> list[Vector]:
    """Signed notes, opened with two published keys."""
    both = NOTE_TEXT + "\n" + AUTHOR_LINE + ENOCH_LINE
    broken = ENOCH_LINE[:60] + "ABCD" + ENOCH_LINE[60:]
    broken_author = AUTHOR_LINE[:60] + "ABCD" + AUTHOR_LINE[60:]
    author, enoch = "quote.author", "EnochRoot"

    def vector(desc: str, note: str, keys: list[str], **want: object) -> Vector:
        return {"desc": desc, "input": {"note": note, "keys": keys}, **want}

    def opened(verified: list[str], signatures: int, text: str = NOTE_TEXT) -> Vector:
        return {"text": text, "verified": verified, "signatures": signatures}

    good = [
        vector("one known key", both, [AUTHOR_KEY], want=opened([author], 2)),
        vector("both keys", both, [ENOCH_KEY, AUTHOR_KEY], want=opened([author, enoch], 2)),
        vector(
            "a second signature by a known key is passed over",
            NOTE_TEXT + "\n" + AUTHOR_LINE + broken_author,
            [AUTHOR_KEY],
            want=opened([author], 2),
        ),
        vector(
            "a broken signature by an unknown key is left alone",
            NOTE_TEXT + "\n" + AUTHOR_LINE + broken,
            [AUTHOR_KEY],
            want=opened([author], 2),
        ),
        vector(
            "same name, other key id",
            NOTE_TEXT + "\n" + AUTHOR_LINE + AUTHOR_LINE.replace("PNlQ", "xxxx"),
            [AUTHOR_KEY],
            want=opened([author], 2),
        ),
        vector(
            "a key given twice that signed nothing",
            NOTE_TEXT + "\n" + AUTHOR_LINE,
            [ENOCH_KEY, AUTHOR_KEY, ENOCH_KEY],
            want=opened([author], 1),
        ),
    ]
    return good + _bad_notes(both, broken_author)


def _bad_notes(both: str, broken_author: str) -> list[Vector]:
    text, line = NOTE_TEXT, AUTHOR_LINE
    malformed: dict[str, str] = {
        "text only": text,
        "no signature": text + "\n",
        "no final newline": text + "\n" + line[:-1],
        "a line that is no signature": text + "\n" + line + "Unexpected line.\n",
        "an empty line after the signatures": text + "\n" + line + "\n",
        "control character": "\x01" + text + "\n" + line,
        "carriage returns": both.replace("\n", "\r\n"),
        "tab for a space": text + "\n" + line.replace(" ", "\t"),
        "hyphen for a dash": text + "\n" + line.replace("—", "-"),
        "name with a plus": text + "\n" + line.replace(".author", "+"),
        "name with a wide space": text + "\n" + line.replace(".author", "\u3000"),
        "no name": text + "\n" + line.replace("quote.author ", ""),
        "two spaces": text + "\n" + line.replace("quote.author ", "quote.author  "),
        "no base64": text + "\n— quote.author \n",
        "base64 without padding": text + "\n" + line.replace("=\n", "\n"),
        "base64 with padding bits set": text + "\n" + line.replace("AM=\n", "AN=\n"),
        "base64 of the key id alone": text + "\n— quote.author PNlQYw==\n",
        "65 signatures": text + "\n" + line * 65,
        "empty": "",
    }
    vectors: list[Vector] = [
        {
            "desc": desc,
            "input": {"note": note, "keys": [AUTHOR_KEY]},
            "want_error": "MalformedError",
        }
        for desc, note in malformed.items()
    ]
    others = [
        ("no known key", both, [], "UnknownSignerError"),
        ("signed by others only", text + "\n" + ENOCH_LINE, [AUTHOR_KEY], "UnknownSignerError"),
        ("known key fails", text + "\n" + broken_author, [AUTHOR_KEY], "VerificationError"),
        ("one of two known keys fails", "X" + both, [AUTHOR_KEY, ENOCH_KEY], "VerificationError"),
        ("text changed", both.replace("don't", "do"), [AUTHOR_KEY], "VerificationError"),
        ("empty line added to the text", text + "\n" + both, [AUTHOR_KEY], "VerificationError"),
        (
            "first signature fails, second would do",
            text + "\n" + broken_author + line,
            [AUTHOR_KEY],
            "VerificationError",
        ),
        ("signing key given twice", both, [AUTHOR_KEY, AUTHOR_KEY], "MalformedError"),
    ]
    return vectors + [
        {"desc": desc, "input": {"note": note, "keys": keys}, "want_error": error}
        for desc, note, keys, error in others
    ]


def checkpoint_vectors() -> list[Vector]:
    """Checkpoint texts, parsed."""
    root = base64.b64decode(ROOT_TEXT).hex()
    plain = [ORIGIN, 20852163, root]

    def text(origin: str = ORIGIN, size: str = "20852163", third: str = ROOT_TEXT) -> str:
        return f"{origin}\n{size}\n{third}\n"

    def vector(desc: str, note_text: str, extensions: bool = False, **want: object) -> Vector:
        return {"desc": desc, "input": {"text": note_text, "extensions": extensions}, **want}

    good = [
        vector("the spec's example", CHECKPOINT, want=plain),
        vector("size 0", text(size="0"), want=[ORIGIN, 0, root]),
        vector("the largest size", text(size=str(2**63 - 1)), want=[ORIGIN, 2**63 - 1, root]),
        vector("origin with space and plus", text("a log+1"), want=["a log+1", 20852163, root]),
        vector("origin of 255 bytes", text("é" * 127 + "a"), want=["é" * 127 + "a", *plain[1:]]),
        vector("extension lines allowed", CHECKPOINT + "one\ntwo\n", True, want=plain),
        vector("no extension lines, though allowed", CHECKPOINT, True, want=plain),
    ]
    bad = {
        "extension line": CHECKPOINT + "one\n",
        "two lines": f"{ORIGIN}\n1\n",
        "no final newline": CHECKPOINT[:-1],
        "empty line at the end": CHECKPOINT + "\n",
        "empty": "",
        "empty origin": text(""),
        "origin of 256 bytes": text("é" * 128),
        "control character in the origin": text("a\tb"),
        "carriage returns": CHECKPOINT.replace("\n", "\r\n"),
        "leading zero": text(size="020852163"),
        "two zeros": text(size="00"),
        "plus sign": text(size="+1"),
        "minus sign": text(size="-1"),
        "underscore": text(size="1_000"),
        "digits of another script": text(size="\u0661"),
        "space before the size": text(size=" 1"),
        "size 2**63": text(size=str(2**63)),
        "size of 5,000 digits": text(size="9" * 5000),
        "root of 31 bytes": text(third=base64.b64encode(bytes(31)).decode()),
        "root of 33 bytes": text(third=base64.b64encode(bytes(33)).decode()),
        "root in hex": text(third=root),
        "root with padding bits set": text(third=ROOT_TEXT.replace("I=", "J=")),
        "root without padding": text(third=ROOT_TEXT[:-1]),
        "root in url-safe base64": text(third=ROOT_TEXT.replace("/", "_")),
    }
    vectors = good + [
        vector(desc, note_text, want_error="MalformedError") for desc, note_text in bad.items()
    ]
    allowed_bad = {
        "empty extension line": CHECKPOINT + "one\n\ntwo\n",
        "control character in an extension line": CHECKPOINT + "one\x07\n",
        "extension without newline": CHECKPOINT + "one",
    }
    return vectors + [
        vector(desc, note_text, True, want_error="MalformedError")
        for desc, note_text in allowed_bad.items()
    ]


def cosignature_vectors() -> list[Vector]:
    """Ed25519 cosignatures by one key over the spec's checkpoint, and damaged ones."""
    seed = hashlib.sha256(b"shanji test cosigner").digest()
    private_key = Ed25519PrivateKey.from_private_bytes(seed)
    public_key = private_key.public_key().public_bytes_raw()

    def cosign(timestamp: int, text: str = CHECKPOINT) -> bytes:
        message = f"cosignature/v1\ntime {timestamp}\n{text}".encode()
        return timestamp.to_bytes(8, "big") + private_key.sign(message)

    def vector(desc: str, text: str, signature: bytes, **want: object) -> Vector:
        given = {"public_key": public_key.hex(), "text": text, "signature": signature.hex()}
        return {"desc": desc, "input": given, **want}

    time = 1679315147
    good = cosign(time)
    extended = CHECKPOINT + "extension\n"
    wrong = "VerificationError"
    return [
        vector("the spec's checkpoint and time", CHECKPOINT, good, want=time),
        vector("time 0", CHECKPOINT, cosign(0), want=0),
        vector("the last possible time", CHECKPOINT, cosign(2**63 - 1), want=2**63 - 1),
        vector("an extension line is covered", extended, cosign(time, extended), want=time),
        vector("time beyond the last", CHECKPOINT, cosign(2**63), want_error=wrong),
        vector("extension line added", extended, good, want_error=wrong),
        vector("time changed", CHECKPOINT, _flip(good, 56), want_error=wrong),
        vector("signature changed", CHECKPOINT, _flip(good, 100), want_error=wrong),
        vector("a byte short", CHECKPOINT, good[:-1], want_error=wrong),
        vector("a byte long", CHECKPOINT, good + b"\x00", want_error=wrong),
        vector("time alone", CHECKPOINT, good[:8], want_error=wrong),
        vector("empty", CHECKPOINT, b"", want_error=wrong),
        vector("text that is no checkpoint", "hello\n", cosign(time, "hello\n"), want_error=wrong),
        vector(
            "a plain signature without time",
            CHECKPOINT,
            private_key.sign(CHECKPOINT.encode()),
            want_error=wrong,
        ),
    ]


def _flip(value: bytes, bit: int) -> bytes:
    """The same bytes with one bit flipped."""
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
