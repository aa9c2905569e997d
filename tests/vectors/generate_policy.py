"""Makes the test vectors of policies: ``python tests/vectors/generate_policy.py``.

Three files under ``docs/vectors/policy/``, each a list of ``{desc, input, want | want_error}``:

- ``files.json``: a policy file, and what it says; ``want_error`` is an error's class.
- ``quorums.json``: a policy and the names of witnesses that cosigned; is it a quorum?
- ``checkpoints.json``: a policy, a signed note and the reader's clock; who signed, who
  saw it, who was passed over, and whether that suffices. ``want_code`` is an error's code.

Everything is made here with cryptography and hashlib from c2sp.org/tlog-policy,
c2sp.org/signed-note and c2sp.org/tlog-cosignature; nothing comes from the code under
test. Files that are no UTF-8 are given as Latin-1 under ``latin1``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "policy"

Vector = dict[str, Any]

ORIGIN = "shanji.example/policy"
NOW = 1_700_000_000
ROOT = hashlib.sha256(b"a root").digest()


class Party:
    """A log (type 1) or witness (type 4) with a key of its own."""

    def __init__(self, name: str, kind: int, number: int) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.material = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(name.encode() + b"\n" + self.material).digest()[:4]
        encoded = base64.b64encode(self.material).decode()
        self.vkey = f"{name}+{self.key_id.hex()}+{encoded}"

    def line(self, signature: bytes) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + signature).decode()}\n"

    def sign(self, text: str) -> str:
        return self.line(self.private.sign(text.encode()))

    def cosign(self, text: str, time: int) -> str:
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return self.line(time.to_bytes(8, "big") + self.private.sign(message))


LOG = Party(ORIGIN, 1, 1)
NEXT_LOG = Party(ORIGIN, 1, 2)
OTHER_LOG = Party("other.example/log", 1, 3)
W = [Party(f"witness.example/w{number}", 4, 10 + number) for number in range(6)]
STRANGER = Party("stranger.example", 4, 20)
TWIN = Party("twin.example", 4, 10)

HEAD = f"log {LOG.vkey}\n"
THREE = "".join(f"witness W{number} {W[number].vkey}\n" for number in range(3))
SPEC = (
    f"log {LOG.vkey}\n\n"
    + "".join(f"witness X{n + 1} {W[n].vkey}\n" for n in range(3))
    + "group X-witnesses 2 X1 X2 X3\n\n"
    + "".join(f"witness Y{n - 2} {W[n].vkey}\n" for n in range(3, 6))
    + "group Y-witnesses any Y1 Y2 Y3\n\n"
    "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)


def said(
    logs: list[list[Any]] | None = None,
    witnesses: list[list[str]] | None = None,
    groups: list[list[Any]] | None = None,
    quorum: str = "none",
) -> Vector:
    """What a file says: logs as [vkey, url, first, last], and so on."""
    return {
        "logs": logs or [],
        "witnesses": witnesses or [],
        "groups": groups or [],
        "quorum": quorum,
    }


def file_vectors() -> list[Vector]:
    """Policy files, good ones and each rule broken."""
    log = [LOG.vkey, "", 0, None]
    three = [[f"W{number}", W[number].vkey, ""] for number in range(3)]
    key_id = LOG.key_id.hex()
    quorum = "quorum none\n"
    many = [Party(f"many.example/{number}", 4, 100 + number) for number in range(32)]
    many_lines = "".join(f"witness M{n} {one.vkey}\n" for n, one in enumerate(many))
    many_logs = [Party(f"many.example/{number}", 1, 140 + number) for number in range(32)]
    nested = "group G0 1 M0\n" + "".join(f"group G{n} 1 M{n} G{n - 1}\n" for n in range(1, 32))
    good: list[tuple[str, str, Vector]] = [
        ("only a quorum of none", quorum, said()),
        ("a log", HEAD + quorum, said([log])),
        (
            "a log with a URL",
            f"log {LOG.vkey} https://log.example/\n{quorum}",
            said([[LOG.vkey, "https://log.example/", 0, None]]),
        ),
        (
            "tabs, spaces, empty lines and comments",
            f"\n \t \n  # a comment\n#\n\tlog\t \t{LOG.vkey}  \n #log nothing\n quorum  none\t\n",
            said([log]),
        ),
        ("a quorum of one witness", HEAD + THREE + "quorum W1\n", said([log], three, [], "W1")),
        (
            "a group of all",
            HEAD + THREE + "group g all W0 W1 W2\nquorum g\n",
            said([log], three, [["g", 3, ["W0", "W1", "W2"]]], "g"),
        ),
        (
            "a group of any",
            HEAD + THREE + "group g any W0 W2\nquorum g\n",
            said([log], three, [["g", 1, ["W0", "W2"]]], "g"),
        ),
        (
            "a group of two",
            HEAD + THREE + "group g 2 W0 W1 W2\nquorum g\n",
            said([log], three, [["g", 2, ["W0", "W1", "W2"]]], "g"),
        ),
        ("lines after the quorum", THREE + "quorum W0\n" + HEAD, said([log], three, [], "W0")),
        (
            "a witness called all, one called 2",
            f"witness all {W[0].vkey}\nwitness 2 {W[1].vkey}\ngroup any 2 all 2\nquorum any\n",
            said(
                [],
                [["all", W[0].vkey, ""], ["2", W[1].vkey, ""]],
                [["any", 2, ["all", "2"]]],
                "any",
            ),
        ),
        (
            "names outside ASCII",
            f"witness 见证人 {W[0].vkey} https://见证.example/\nquorum 见证人\n",
            said([], [["见证人", W[0].vkey, "https://见证.example/"]], [], "见证人"),
        ),
        (
            "K and the Kelvin sign are two names",
            f"witness K {W[0].vkey}\nwitness \u212a {W[1].vkey}\nquorum \u212a\n",
            said([], [["K", W[0].vkey, ""], ["\u212a", W[1].vkey, ""]], [], "\u212a"),
        ),
        (
            "a no-break space is part of a name",
            f"witness a\u00a0b {W[0].vkey}\nquorum a\u00a0b\n",
            said([], [["a\u00a0b", W[0].vkey, ""]], [], "a\u00a0b"),
        ),
        (
            "32 witnesses and 32 groups",
            many_lines + nested + "quorum G31\n",
            said(
                [],
                [[f"M{n}", one.vkey, ""] for n, one in enumerate(many)],
                [["G0", 1, ["M0"]]] + [[f"G{n}", 1, [f"M{n}", f"G{n - 1}"]] for n in range(1, 32)],
                "G31",
            ),
        ),
        (
            "32 logs",
            "".join(f"log {one.vkey}\n" for one in many_logs) + quorum,
            said([[one.vkey, "", 0, None] for one in many_logs]),
        ),
        (
            "sizes of a key",
            f"{HEAD}#:shanji key {key_id} sizes 0-99\n{quorum}",
            said([[LOG.vkey, "", 0, 99]]),
        ),
        (
            "sizes without end, before the log's line",
            f"#:shanji key {key_id} sizes 100-\n{HEAD}{quorum}",
            said([[LOG.vkey, "", 100, None]]),
        ),
        (
            "one size",
            f"{HEAD} \t#:shanji\tkey {key_id} sizes 7-7 \n{quorum}",
            said([[LOG.vkey, "", 7, 7]]),
        ),
        (
            "two keys of one log",
            f"{HEAD}log {NEXT_LOG.vkey}\n#:shanji key {key_id} sizes 0-9\n"
            f"#:shanji key {NEXT_LOG.key_id.hex()} sizes 8-\n{quorum}",
            said([[LOG.vkey, "", 0, 9], [NEXT_LOG.vkey, "", 8, None]]),
        ),
        (
            "a comment that only looks like ours",
            f"#:shanjiji key\n#shanji key\n{HEAD}{quorum}",
            said([log]),
        ),
    ]
    bad = {
        "empty": "",
        "no quorum": HEAD + THREE,
        "two quorums": quorum + quorum,
        "quorum without a name": "quorum\n",
        "quorum with two names": THREE + "quorum W0 W1\n",
        "quorum of an unknown name": THREE + "quorum W9\n",
        "quorum defined only below": "quorum W0\n" + THREE,
        "last line without a newline": HEAD + quorum[:-1],
        "carriage returns": (HEAD + quorum).replace("\n", "\r\n"),
        "a form feed": f"\f{quorum}",
        "a zero byte in a comment": f"# \0\n{quorum}",
        "a delete character": f"# \x7f\n{quorum}",
        "an unknown keyword": f"mirror {LOG.vkey}\n{quorum}",
        "a keyword in capitals": f"LOG {LOG.vkey}\n{quorum}",
        "a byte order mark": f"\ufeff{HEAD}{quorum}",
        "a log without a key": f"log\n{quorum}",
        "a log with two URLs": f"log {LOG.vkey} a b\n{quorum}",
        "a log key cut short": f"log {LOG.vkey[:-2]}\n{quorum}",
        "a log key with another id": f"log {LOG.vkey.replace(key_id, '00000000')}\n{quorum}",
        "a log key of a witness's type": f"log {W[0].vkey}\n{quorum}",
        "a witness key of a log's type": f"witness W {LOG.vkey}\n{quorum}",
        "a witness without a name": f"witness {W[0].vkey}\n{quorum}",
        "a witness with too much": f"witness W {W[0].vkey} a b\n{quorum}",
        "one log twice": HEAD + HEAD + quorum,
        "one log key under two names": f"{HEAD}log {Party('other.example', 1, 1).vkey}\n{quorum}",
        "one witness key under two names": (
            f"witness A {W[0].vkey}\nwitness B {TWIN.vkey}\n{quorum}"
        ),
        "one name for two witnesses": f"witness A {W[0].vkey}\nwitness A {W[1].vkey}\n{quorum}",
        "one name for a witness and a group": THREE + "group W0 any W1\n" + quorum,
        "a witness called none": f"witness none {W[0].vkey}\n{quorum}",
        "a group called none": THREE + "group none any W0\n" + quorum,
        "none as a member": THREE + "group g any none\n" + quorum,
        "a group of nothing": THREE + "group g any\n" + quorum,
        "a group without a count": THREE + "group g W0 W1\n" + quorum,
        "a group of zero": THREE + "group g 0 W0\n" + quorum,
        "a group of more than it has": THREE + "group g 2 W0\n" + quorum,
        "a count with a leading zero": THREE + "group g 01 W0\n" + quorum,
        "a count with a sign": THREE + "group g +1 W0\n" + quorum,
        "a count in other digits": THREE + "group g \u0661 W0\n" + quorum,
        "a count in capitals": THREE + "group g ANY W0\n" + quorum,
        "a group with an unknown member": THREE + "group g any W9\n" + quorum,
        "a group with a member defined below": "group g any W0\n" + THREE + quorum,
        "a group in itself": THREE + "group g any g\n" + quorum,
        "a member twice in one group": THREE + "group g 1 W0 W0\n" + quorum,
        "a member of two groups": THREE + "group g any W0\ngroup h any W0 W1\n" + quorum,
        "sizes of an unknown key": f"{HEAD}#:shanji key 00000000 sizes 0-\n{quorum}",
        "sizes of a witness": f"{THREE}#:shanji key {W[0].key_id.hex()} sizes 0-\n{quorum}",
        "sizes twice": HEAD + f"#:shanji key {key_id} sizes 0-9\n" * 2 + quorum,
        "sizes backwards": f"{HEAD}#:shanji key {key_id} sizes 9-8\n{quorum}",
        "sizes without a first": f"{HEAD}#:shanji key {key_id} sizes -8\n{quorum}",
        "sizes with a leading zero": f"{HEAD}#:shanji key {key_id} sizes 01-8\n{quorum}",
        "sizes beyond 63 bits": f"{HEAD}#:shanji key {key_id} sizes 0-{2**63}\n{quorum}",
        "sizes left out": f"{HEAD}#:shanji key {key_id}\n{quorum}",
        "sizes and more": f"{HEAD}#:shanji key {key_id} sizes 0-8 x\n{quorum}",
        "a key id in capitals": f"{HEAD}#:shanji key {key_id.upper()} sizes 0-8\n{quorum}",
        "a line of ours that is not known": f"{HEAD}#:shanji colour red\n{quorum}",
    }
    vectors: list[Vector] = [
        {"desc": desc, "input": {"text": text}, "want": want} for desc, text, want in good
    ]
    # Octets that are no UTF-8: opaque in a name, no name at all in a key.
    vectors.append(
        {
            "desc": "a name that is no UTF-8",
            "input": {"latin1": f"witness \xff {W[0].vkey}\nquorum \xff\n"},
            "want": said([], [["\\udcff", W[0].vkey, ""]], [], "\\udcff"),
        }
    )
    bad_key = f"log \xff{LOG.vkey}\n{quorum}"
    vectors += [
        {"desc": desc, "input": {"text": text}, "want_error": "MalformedError"}
        for desc, text in bad.items()
    ]
    vectors.append(
        {
            "desc": "a key name that is no UTF-8",
            "input": {"latin1": bad_key},
            "want_error": "MalformedError",
        }
    )
    return vectors


def quorum_vectors() -> list[Vector]:
    """Which witnesses are a quorum, by counting members as the spec tells it."""
    two = THREE + "group g 2 W0 W1 W2\nquorum g\n"
    rows: list[tuple[str, str, list[str], bool]] = [
        ("none needs nobody", THREE + "quorum none\n", [], True),
        ("one witness, absent", THREE + "quorum W1\n", ["W0", "W2"], False),
        ("one witness, present", THREE + "quorum W1\n", ["W1"], True),
        ("two of three: one", two, ["W0"], False),
        ("two of three: one twice", two, ["W0", "W0"], False),
        ("two of three: two", two, ["W2", "W0"], True),
        ("two of three: three", two, ["W0", "W1", "W2"], True),
        ("two of three: a stranger does not help", two, ["W0", "W9"], False),
        ("two of three: the group's own name does not help", two, ["W0", "g"], False),
        ("all of three: two", THREE + "group g all W0 W1 W2\nquorum g\n", ["W0", "W1"], False),
        (
            "all of three: three",
            THREE + "group g all W0 W1 W2\nquorum g\n",
            ["W0", "W1", "W2"],
            True,
        ),
        ("any of three: none", THREE + "group g any W0 W1 W2\nquorum g\n", [], False),
        ("the spec's example: all X, no Y", SPEC, ["X1", "X2", "X3"], False),
        ("the spec's example: one X, all Y", SPEC, ["X1", "Y1", "Y2", "Y3"], False),
        ("the spec's example: two X, one Y", SPEC, ["X3", "X1", "Y2"], True),
    ]
    return [
        {"desc": desc, "input": {"text": text, "names": names}, "want": want}
        for desc, text, names, want in rows
    ]


def checkpoint_vectors() -> list[Vector]:
    """Notes judged by a policy."""
    encoded = base64.b64encode(ROOT).decode()
    text = f"{ORIGIN}\n42\n{encoded}\n"
    two = HEAD + THREE + "group g 2 W0 W1 W2\nquorum g\n"
    signed = text + "\n" + LOG.sign(text)
    first, second, third = (one.cosign(text, NOW - n) for n, one in enumerate(W[:3]))
    sized = HEAD + f"log {NEXT_LOG.vkey}\n#:shanji key {LOG.key_id.hex()} sizes 0-41\nquorum none\n"
    other_text = f"{OTHER_LOG.name}\n42\n{encoded}\n"
    broken = W[1].line(W[1].private.sign(text.encode()) + bytes(8))
    both = {"signed_by": [LOG.key_id.hex()], "passed_over": []}
    seen = [["W0", NOW], ["W1", NOW - 1]]

    def good(
        desc: str, policy: str, note: str, cosigned: list[Any], met: bool, **more: Any
    ) -> Vector:
        want = {**both, "cosigned": cosigned, "quorum_met": met, **more}
        return {"desc": desc, "input": {"policy": policy, "note": note, "now": NOW}, "want": want}

    def bad(desc: str, policy: str, note: str, error: str, code: str) -> Vector:
        given = {"policy": policy, "note": note, "now": NOW}
        return {"desc": desc, "input": given, "want_error": error, "want_code": code}

    early, late = NOW + 300, NOW + 301
    rotated = text + "\n" + NEXT_LOG.sign(text)
    return [
        good("two witnesses suffice", two, signed + first + second, seen, True),
        good(
            "cosignatures before the log's",
            two,
            text + "\n" + first + second + LOG.sign(text),
            seen,
            True,
        ),
        good("one witness is too few", two, signed + first, seen[:1], False),
        good(
            "one witness twice is one",
            two,
            signed + first + W[0].cosign(text, NOW - 9),
            seen[:1],
            False,
        ),
        good("no witness", two, signed, [], False),
        good(
            "a stranger is passed over",
            two,
            signed + STRANGER.cosign(text, NOW) + third,
            [["W2", NOW - 2]],
            False,
        ),
        good(
            "a key of the same name is another",
            two,
            signed + Party(W[1].name, 4, 30).cosign(text, NOW),
            [],
            False,
        ),
        good(
            "a time just within the tolerance",
            two,
            signed + W[0].cosign(text, early) + second,
            [["W0", early], ["W1", NOW - 1]],
            True,
        ),
        good(
            "a time from the future",
            two,
            signed + W[0].cosign(text, late) + second,
            [["W1", NOW - 1]],
            False,
            passed_over=[["W0", "future"]],
        ),
        good(
            "no time",
            two,
            signed + W[0].cosign(text, 0) + second,
            [["W1", NOW - 1]],
            False,
            passed_over=[["W0", "untimed"]],
        ),
        good("either of two log keys", sized, rotated, [], True, signed_by=[NEXT_LOG.key_id.hex()]),
        good(
            "both log keys, one of them past its sizes",
            sized,
            rotated + LOG.sign(text),
            [],
            True,
            signed_by=[NEXT_LOG.key_id.hex()],
        ),
        bad(
            "a log key past its sizes", sized, signed, "VerificationError", "key_not_valid_at_size"
        ),
        bad(
            "only witnesses, not the log",
            two,
            text + "\n" + first + second + third,
            "UnknownSignerError",
            "unknown_signer",
        ),
        bad(
            "a witness's signature that fails",
            two,
            signed + first + broken,
            "VerificationError",
            "mismatch",
        ),
        bad(
            "a cosignature over another text",
            two,
            signed + W[0].cosign(text.replace("42", "43"), NOW),
            "VerificationError",
            "mismatch",
        ),
        bad(
            "the log's signature fails",
            two,
            text + "\n" + LOG.sign(text + "x"),
            "VerificationError",
            "mismatch",
        ),
        bad(
            "an unknown log",
            two,
            other_text + "\n" + OTHER_LOG.sign(other_text),
            "UnknownSignerError",
            "unknown_signer",
        ),
        bad(
            "a known log signed another's checkpoint",
            two,
            other_text + "\n" + LOG.sign(other_text),
            "VerificationError",
            "other_log",
        ),
        bad(
            "extension lines",
            two,
            (ext := text + "more\n") + "\n" + LOG.sign(ext),
            "MalformedError",
            "malformed",
        ),
        bad("no note", two, text, "MalformedError", "malformed"),
    ]


BUILDERS: dict[str, Callable[[], list[Vector]]] = {
    "files": file_vectors,
    "quorums": quorum_vectors,
    "checkpoints": checkpoint_vectors,
}


def encode(vectors: list[Vector]) -> str:
    """One vector a line, so that a change shows as a line."""
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
    return f"[\n{lines}\n]\n"


def main() -> None:
    """Write every vector file."""
    FOLDER.mkdir(exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / f"{name}.json").write_text(encode(build()), encoding="utf-8")


if __name__ == "__main__":
    main()
