"""Vectors of verdicts: the keys and policies that a reader trusts, and the witnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verdict_cases import CHECKPOINT, CONTENT, FILE, Case, case, mismatch, undecided, verified
from verdict_log import (
    LOG,
    NEXT_LOG,
    NOW,
    ORIGIN,
    OTHER_LOG,
    SEEN,
    STRANGER,
    Party,
    Receipt,
    W,
    b64,
    policy,
)

ML_DSA = json.loads((Path(__file__).parent / "verdict_ml_dsa.json").read_text(encoding="utf-8"))
"""Keys of type 0x06 and their signatures over the gift's checkpoint. Made once, with this
project's own signer (ledger.tlog.cosignature): signing draws randomness, so the same bytes cannot
be made again. The one place where these vectors come from our code; what another program signed
is in docs/vectors/tlog/ml_dsa_44_foreign.json."""


def post_quantum(which: str) -> Any:
    """A signer's line as `ML_DSA` has it."""
    line: str = ML_DSA["lines"][which]
    return lambda text: line


def key_cases() -> list[Case]:
    """Right, wrong and several keys, and texts that are no keys."""
    gift = Receipt()
    text = str(gift)
    good = verified(gift)
    both = Receipt(sign=[LOG.sign, NEXT_LOG.sign])
    strangers = undecided(FILE, "unknown_signer")
    as_witness = Party(ORIGIN, 4, 1)
    found = [
        case("no key", text, undecided(FILE, "undecided"), keys=[]),
        case("another key of the log", text, strangers, keys=[NEXT_LOG.vkey]),
        case("the key of another log", text, strangers, keys=[OTHER_LOG.vkey]),
        case("two keys of the log", text, good, keys=[LOG.vkey, NEXT_LOG.vkey]),
        case("two keys, the other first", text, good, keys=[NEXT_LOG.vkey, LOG.vkey]),
        case("both keys signed", str(both), verified(both), keys=[LOG.vkey, NEXT_LOG.vkey]),
        case("both signed, one is known", str(both), verified(both), keys=[NEXT_LOG.vkey]),
        case("the same key twice", text, undecided(FILE), keys=[LOG.vkey, LOG.vkey]),
        case(
            "another log's key first",
            text,
            mismatch(CHECKPOINT),
            keys=[OTHER_LOG.vkey, LOG.vkey],
        ),
        case("the key as a witness's", text, strangers, keys=[as_witness.vkey]),
        case(
            "cosigned under the log's name",
            str(one := Receipt(sign=[as_witness.cosign])),
            verified(one),
            keys=[as_witness.vkey],
        ),
        case(
            "both signed, the second falsely",
            str(Receipt(sign=[LOG.sign, lambda text: NEXT_LOG.line(bytes(64))])),
            mismatch(CHECKPOINT),
            keys=[LOG.vkey, NEXT_LOG.vkey],
        ),
    ]
    name, key_id, material = LOG.vkey.split("+", 2)
    broken = {
        "an empty text": "",
        "only a name": name,
        "only name and id": f"{name}+{key_id}",
        "another id": f"{name}+00000000+{material}",
        "an id in capitals": f"{name}+{key_id.upper()}+{material}",
        "another name": f"{name}x+{key_id}+{material}",
        "a name with a blank": f"{name} x+{key_id}+{material}",
        "an unknown type": Party(ORIGIN, 9, 1).vkey,
        "a short key": f"{name}+{key_id}+{b64(bytes([1]) + LOG.public[:31])}",
        "no padding": f"{name}+{key_id}+{material.rstrip('=')}"
        if material.endswith("=")
        else f"{name}+{key_id}+{material}=",
        "one letter of the key": f"{name}+{key_id}+{material[:-2]}AA",
        "a number": "7",
        "more than 4,096 letters": "x" * 5000 + f"+{key_id}+{material}",
    }
    found += [
        case(f"as key {desc}", text, undecided(FILE), keys=[one]) for desc, one in broken.items()
    ]
    quantum = Receipt(sign=[LOG.sign, post_quantum("log")])
    only = Receipt(sign=[post_quantum("log")])
    wrong = Receipt(sign=[LOG.sign, post_quantum("log, one bit wrong")])
    want = verified(quantum)
    found += [
        case(
            "Ed25519 and ML-DSA-44, both known", str(quantum), want, keys=[LOG.vkey, ML_DSA["log"]]
        ),
        case("Ed25519 and ML-DSA-44, Ed25519 known", str(quantum), want),
        case("only ML-DSA-44", str(only), verified(only), keys=[ML_DSA["log"]]),
        case("only ML-DSA-44, not known", str(only), strangers),
        case("ML-DSA-44 wrong", str(wrong), mismatch(CHECKPOINT), keys=[LOG.vkey, ML_DSA["log"]]),
        case("ML-DSA-44 wrong, not known", str(wrong), verified(wrong)),
    ]
    return found


def policy_cases() -> list[Case]:
    """Witnesses in every number, sizes of keys, clocks, and files that are no policies."""
    found: list[Case] = []
    for quorum in ("none", "1", "2", "3", "w1"):
        for count in range(4):
            sign = [LOG.sign, *(one.cosign for one in W[:count])]
            receipt = Receipt(sign=sign)
            enough = (
                {"none": True, "w1": count > 1}.get(quorum)
                if not quorum.isdigit()
                else (count >= int(quorum))
            )
            want = verified(receipt, witnessed=enough, seen=count, of=3)
            desc = f"{count} of 3 witnesses, the quorum is {quorum}"
            found.append(case(desc, str(receipt), want, policy=policy(quorum)))
    two = [LOG.sign, W[0].cosign, W[1].cosign]
    gift = Receipt(sign=two)
    enough = verified(gift, witnessed=True, seen=2, of=3)
    few = verified(gift, witnessed=False, seen=1, of=3)
    text = str(gift)

    def cosigned(desc: str, want: Case, second: Any, *, now: int = NOW) -> Case:
        receipt = Receipt(sign=[LOG.sign, W[0].cosign, second])
        return case(desc, str(receipt), want, policy=policy("2"), now=now)

    found += [
        cosigned("a witness twice", few, W[0].cosign),
        cosigned("a witness that the policy does not name", few, STRANGER.cosign),
        cosigned("a witness of the policy's fourth name", few, W[3].cosign),
        cosigned("a time of zero", few, lambda t: W[1].cosign(t, 0)),
        cosigned("a time in the future", few, lambda t: W[1].cosign(t, NOW + 301)),
        cosigned("a time just ahead", enough, lambda t: W[1].cosign(t, NOW + 300)),
        cosigned(
            "a clock that is years behind",
            verified(gift, witnessed=False, seen=0, of=3),
            W[1].cosign,
            now=SEEN - 301,
        ),
        cosigned("the largest time", few, lambda t: W[1].cosign(t, 2**63 - 1)),
        cosigned("a time of 2**63", mismatch(CHECKPOINT), lambda t: W[1].cosign(t, 2**63)),
        cosigned("a cosignature of zeros", mismatch(CHECKPOINT), lambda t: W[1].line(bytes(72))),
        cosigned(
            "a cosignature of eight bytes", mismatch(CHECKPOINT), lambda t: W[1].line(bytes(8))
        ),
        cosigned("a cosignature cut short", mismatch(CHECKPOINT), lambda t: W[1].line(bytes(71))),
        cosigned(
            "a cosignature over another size",
            mismatch(CHECKPOINT),
            lambda t: W[1].cosign(t.replace("\n11\n", "\n10\n")),
        ),
        cosigned("a plain signature in place of a cosignature", mismatch(CHECKPOINT), W[1].sign),
        cosigned(
            "a cosignature with another time written",
            mismatch(CHECKPOINT),
            lambda t: W[1].line(
                (SEEN + 1).to_bytes(8, "big")
                + W[1].private.sign(f"cosignature/v1\ntime {SEEN}\n{t}".encode())
            ),
        ),
    ]
    before = Receipt(sign=[W[0].cosign, W[1].cosign, LOG.sign])
    alone = Receipt(sign=[W[0].cosign, W[1].cosign])
    found += [
        case(
            "witnesses before the log",
            str(before),
            verified(before, witnessed=True, seen=2, of=3),
            policy=policy("2"),
        ),
        case(
            "witnesses without the log",
            str(alone),
            undecided(FILE, "unknown_signer"),
            policy=policy("2"),
        ),
        case(
            "an altered entry that witnesses saw",
            str(Receipt(3, sign=two)).replace("index 3", "index 2"),
            mismatch(CONTENT, witnessed=True),
            policy=policy("2"),
        ),
        case(
            "an altered entry that too few saw",
            str(Receipt(3, sign=two)).replace("index 3", "index 2"),
            mismatch(CONTENT, witnessed=False),
            policy=policy("3"),
        ),
        case(
            "a size changed",
            text.replace("\n11\n", "\n10\n"),
            mismatch(CHECKPOINT),
            policy=policy("2"),
        ),
        case(
            "a size with a zero before, unsigned",
            text.replace("\n11\n", "\n011\n"),
            undecided(FILE),
            policy=policy("2"),
        ),
        case(
            "another log's key in the policy",
            text,
            undecided(FILE, "unknown_signer"),
            policy=policy("2", logs=f"log {OTHER_LOG.vkey}\n"),
        ),
        case(
            "no log in the policy",
            text,
            undecided(FILE, "unknown_signer"),
            policy=policy("2", logs=""),
        ),
        case(
            "another log's checkpoint, signed by ours",
            str(Receipt(sign=[LOG.sign], origin=OTHER_LOG.name)),
            mismatch(CHECKPOINT, "other_log"),
            policy=policy("none"),
        ),
        case(
            "no witness in the policy",
            str(one := Receipt()),
            verified(one, witnessed=True, seen=0, of=0),
            policy=policy("none", count=0),
        ),
    ]
    keys = f"log {LOG.vkey}\nlog {NEXT_LOG.vkey}\n"
    ids = (LOG.key_id.hex(), NEXT_LOG.key_id.hex())
    rotated = keys + f"#:shanji key {ids[0]} sizes 0-11\n#:shanji key {ids[1]} sizes 9-\n"
    for desc, sign, first_last, want_good in (
        ("the first key within its sizes", LOG.sign, "0-11", True),
        ("the first key after its last size", LOG.sign, "0-10", False),
        ("the first key before its first size", LOG.sign, "12-", False),
        ("the first key at its first size", LOG.sign, "11-", True),
        ("the first key at its only size", LOG.sign, "11-11", True),
    ):
        receipt = Receipt(sign=[sign])
        logs = f"log {LOG.vkey}\n#:shanji key {ids[0]} sizes {first_last}\n"
        want = (
            verified(receipt, witnessed=True, seen=0, of=0)
            if want_good
            else mismatch(CHECKPOINT, "key_not_valid_at_size")
        )
        found.append(case(desc, str(receipt), want, policy=policy("none", count=0, logs=logs)))
    for desc, sign_both in (
        ("the new key", [NEXT_LOG.sign]),
        ("both keys", [LOG.sign, NEXT_LOG.sign]),
    ):
        receipt = Receipt(sign=sign_both)
        want = verified(receipt, witnessed=True, seen=0, of=0)
        found.append(
            case(
                f"after a rotation, {desc}",
                str(receipt),
                want,
                policy=policy("none", count=0, logs=rotated),
            )
        )
    early = Receipt(4, 6, sign=[NEXT_LOG.sign])
    found.append(
        case(
            "the new key before its first size",
            str(early),
            mismatch(CHECKPOINT, "key_not_valid_at_size"),
            policy=policy("none", count=0, logs=rotated),
        )
    )
    forged = Receipt(sign=[LOG.sign, lambda t: NEXT_LOG.line(bytes(64))])
    found.append(
        case(
            "one of two keys signed falsely",
            str(forged),
            mismatch(CHECKPOINT),
            policy=policy("none", count=0, logs=rotated),
        )
    )
    quantum = Receipt(sign=[LOG.sign, post_quantum("witness")])
    untimed = Receipt(sign=[LOG.sign, post_quantum("witness, no time")])
    q_policy = f"log {LOG.vkey}\nwitness q {ML_DSA['witness']}\nquorum q\n"
    log_policy = f"log {LOG.vkey}\nlog {ML_DSA['log']}\nquorum none\n"
    by_log = Receipt(sign=[post_quantum("log")])
    found += [
        case(
            "an ML-DSA-44 witness",
            str(quantum),
            verified(quantum, witnessed=True, seen=1, of=1),
            policy=q_policy,
        ),
        case(
            "an ML-DSA-44 witness without a time",
            str(untimed),
            verified(untimed, witnessed=False, seen=0, of=1),
            policy=q_policy,
        ),
        case(
            "an ML-DSA-44 log key",
            str(by_log),
            verified(by_log, witnessed=True, seen=0, of=0),
            policy=log_policy,
        ),
    ]
    names = {
        "names outside ASCII": policy("2").replace(" w0", " 见证").replace("enough", "足够"),
        "a name that is the Kelvin sign": policy("2").replace(" w0", " \u212a"),
        "comments, tabs and empty lines": "# c\n\n" + policy("2").replace(" ", "\t") + "#\n",
        "URLs": policy("2").replace("\nwitness", " https://log.example/\nwitness", 1),
        "a log line last": policy("2", logs="") + f"log {LOG.vkey}\n",
        "a group of groups": policy("2").replace(
            "quorum enough", "group all-of all enough\nquorum all-of"
        ),
    }
    found += [
        case(f"a policy with {desc}", text, enough, policy=one) for desc, one in names.items()
    ]
    latin = policy("2").replace(" w0", " w\xff").encode("latin-1")
    found.append(case("a policy with a name that is not UTF-8", text, enough, policy=latin))
    base = policy("2")
    broken = {
        "nothing": "",
        "no quorum": base.replace("quorum enough\n", ""),
        "two quorums": base + "quorum none\n",
        "an unknown quorum": base.replace("quorum enough", "quorum other"),
        "a quorum above its group": "quorum enough\n" + base.replace("quorum enough\n", ""),
        "no newline at the end": base[:-1],
        "Windows line ends": base.replace("\n", "\r\n"),
        "an unknown word": base + "trust all\n",
        "a name of objects for a word": base + "constructor x\n",
        "a word in capitals": base.replace("quorum", "QUORUM"),
        "a witness called none": base.replace(" w0", " none"),
        "a witness twice by name": base.replace("witness w1", "witness w0"),
        "a witness twice by key": base.replace(W[1].vkey, W[0].vkey),
        "a log twice by key": f"log {LOG.vkey}\n" + base,
        "a log's key for a witness": base.replace(W[1].vkey, NEXT_LOG.vkey),
        "a witness's key for a log": base.replace(LOG.vkey, W[3].vkey),
        "a group of more than it has": base.replace("enough 2", "enough 4"),
        "a group of zero": base.replace("enough 2", "enough 0"),
        "a group of 02": base.replace("enough 2", "enough 02"),
        "a group of nobody": base.replace("enough 2 w0 w1 w2", "enough any"),
        "a group with a stranger": base.replace("w0 w1 w2\n", "w0 w1 w9\n"),
        "a group with a member twice": base.replace("w0 w1 w2\n", "w0 w1 w1\n"),
        "a member of two groups": base.replace("quorum", "group more any w0\nquorum"),
        "a group named as a witness": base.replace("enough", "w0").replace(" w0 w1 w2", " w1 w2"),
        "a key that is broken": base.replace(W[1].vkey, W[1].vkey[:-4]),
        "three words after log": base.replace(LOG.vkey, f"{LOG.vkey} a b"),
        "a zero byte": base + "# \0\n",
        "sizes without a key": base + f"#:shanji key {ids[1]} sizes 0-\n",
        "sizes twice": base + f"#:shanji key {ids[0]} sizes 0-\n" * 2,
        "sizes that end before they begin": base + f"#:shanji key {ids[0]} sizes 5-4\n",
        "sizes of 2**63": base + f"#:shanji key {ids[0]} sizes 0-9223372036854775808\n",
        "sizes in words": base + f"#:shanji key {ids[0]} sizes all\n",
        "an unknown comment of ours": base + "#:shanji trust more\n",
        "a byte order mark": "\ufeff" + base,
    }
    found += [
        case(f"a policy with {desc}", text, undecided(FILE), policy=one)
        for desc, one in broken.items()
    ]
    return found
