"""Vectors of verdicts: the entry, and what is opened of its personal fields."""

from __future__ import annotations

import json
from typing import Any

from verdict_cases import CONTENT, FILE, Case, case, mismatch, undecided, verified
from verdict_log import (
    ENTRIES,
    ENTRY_BYTES,
    GIFT,
    VALUES,
    Receipt,
    b64,
    canonical,
    commitment,
    disclosure,
    entry_value,
    opening,
    revealing,
    sealed,
    seed_of,
    url64,
    whole,
)


def recorded(data: bytes, *, opened: dict[str, Any] | None = None, index: int = GIFT) -> Receipt:
    """A receipt of a log that recorded these very bytes, whatever they are."""
    entries = [*ENTRY_BYTES[:index], data, *ENTRY_BYTES[index + 1 :]]
    return Receipt(index, ENTRIES, opened=opened or opening(data), entries=entries)


def with_entry(**changes: object) -> bytes:
    return canonical({**entry_value(GIFT), **changes})


def with_posting(**changes: object) -> bytes:
    posting = {**entry_value(GIFT)["postings"][0], **changes}
    return with_entry(postings=[{k: v for k, v in posting.items() if v is not None}])


def content_cases() -> list[Case]:
    """What was recorded differs from what is shown; and entries that are none."""
    value = entry_value(GIFT)
    data = ENTRY_BYTES[GIFT]
    text = data.decode()
    changed = {
        "another amount": with_entry(fields={**value["fields"], "amount_fen": 7_000_000}),
        "another day": with_entry(occurred_on="2026-11-08"),
        "another fund": with_entry(fields={**value["fields"], "fund": "general"}),
        "another recorder": with_entry(recorded_by="clerk-2"),
        "another time": with_entry(recorded_at="2026-11-07T02:00:00.123457Z"),
        "another index in the entry": with_entry(index=7),
        "another entry before": with_entry(previous="0" * 64),
        "another kind": with_entry(kind="donation.goods"),
        "a reference more": with_entry(references=[0]),
        "a document more": with_entry(documents=["0" * 64]),
        "no sealed fields": with_entry(sealed={}),
        "another posting": with_posting(amount=7001),
        "spaces in the JSON": json.dumps(value, ensure_ascii=False, sort_keys=True).encode(),
        "another order of keys": json.dumps(value, separators=(",", ":")).encode(),
        "a newline at the end": data + b"\n",
        "the last byte cut": data[:-1],
        "one bit": data[:100] + bytes([data[100] ^ 1]) + data[101:],
        "no byte": b"",
        "another entry of the log": ENTRY_BYTES[5],
        "not JSON at all": b"gift",
    }
    found = [
        case(f"shown is {desc}", str(Receipt(opened=opening(one))), mismatch(CONTENT))
        for desc, one in changed.items()
    ]
    bad = {
        "a duplicate key": text.replace('"fund":"relief"', '"fund":"general","fund":"relief"'),
        "the same key twice with one value": text.replace(
            '"fund":"relief"', '"fund":"relief","fund":"relief"'
        ),
        "a space": text.replace(":", ": ", 1),
        "keys out of order": json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        "an escaped slash": text.replace("world:donor", "world:donor").replace(
            '"channel":"bank"', '"channel":"b\\/ank"'
        ),
        "an escaped letter": text.replace('"channel":"bank"', '"channel":"\\u0062ank"'),
        "a capital escape": text.replace('"channel":"bank"', '"channel":"\\u001B"'),
        "a long escape of a line break": text.replace('"channel":"bank"', '"channel":"\\u000a"'),
        "a bare control character": text.replace('"channel":"bank"', '"channel":"a\tb"'),
        "a lone surrogate": text.replace('"channel":"bank"', '"channel":"\\ud800"'),
        "text that is not NFC": text.replace('"channel":"bank"', '"channel":"e\u0301"'),
        "a null": text.replace('"channel":"bank"', '"channel":null'),
        "a fraction": text.replace('"amount_fen":7000', '"amount_fen":7000.5'),
        "a fraction of zero": text.replace('"amount_fen":7000', '"amount_fen":7000.0'),
        "an exponent": text.replace('"amount_fen":7000', '"amount_fen":7e3'),
        "a zero before a number": text.replace('"amount_fen":7000', '"amount_fen":07000'),
        "a plus before a number": text.replace('"amount_fen":7000', '"amount_fen":+7000'),
        "minus zero": text.replace('"amount_fen":7000', '"amount_fen":-0'),
        "a number of 2**53": text.replace('"amount_fen":7000', '"amount_fen":9007199254740992'),
        "a number of -2**53": text.replace('"amount_fen":7000', '"amount_fen":-9007199254740992'),
        "a number of thirty digits": text.replace('"amount_fen":7000', f'"amount_fen":{"9" * 30}'),
        "not a number": text.replace('"amount_fen":7000', '"amount_fen":NaN'),
        "a capital in a key": text.replace('"channel"', '"Channel"'),
        "a dash in a key": text.replace('"channel"', '"chan-nel"'),
        "an empty key": text.replace('"amount_fen":7000', '"":7000'),
        "a key of 65 letters": text.replace('"channel"', f'"c{"h" * 64}"'),
        "seventeen levels": text.replace('"bank"', "[" * 15 + "]" * 15),
        "a comma at the end": text.replace('"version":1}', '"version":1,}'),
        "text after it": text + " ",
        "two values": text + text,
        "a byte order mark": "\ufeff" + text,
        "an array": f"[{text}]",
        "a word": "true",
        "a number alone": "7",
        "version 2": text.replace('"version":1', '"version":2'),
        "version true": text.replace('"version":1', '"version":true'),
        "version in quotes": text.replace('"version":1', '"version":"1"'),
    }
    found += [
        case(f"recorded is an entry with {desc}", str(recorded(one.encode())), undecided(CONTENT))
        for desc, one in bad.items()
    ]
    missing = {key: one for key, one in value.items() if key != "documents"}
    wrong = {
        "no documents": canonical(missing),
        "a key more": with_entry(more=1),
        "an index in quotes": with_entry(index="6"),
        "a negative index": with_entry(index=-6),
        "an index that is true": with_entry(index=True),
        "a hash in capitals": with_entry(previous=value["previous"].upper()),
        "a short hash": with_entry(previous="00"),
        "a time without microseconds": with_entry(recorded_at="2026-11-07T02:00:00Z"),
        "a time in full-width digits": with_entry(recorded_at="２026-11-07T02:00:00.123456Z"),
        "a day with a time": with_entry(occurred_on="2026-11-07T00"),
        "a person in capitals": with_entry(recorded_by="Clerk-1"),
        "an approver that is empty": with_entry(approved_by=""),
        "a kind without a family": with_entry(kind="donation"),
        "fields that are a list": with_entry(fields=[]),
        "sealed that is a list": with_entry(sealed=[]),
        "a commitment too short": with_entry(sealed={"donor_name": "A" * 42}),
        "33 sealed fields": with_entry(sealed={f"field_{n}": "A" * 43 for n in range(33)}),
        "postings that are an object": with_entry(postings={}),
        "257 postings": with_entry(postings=value["postings"] * 257),
        "a posting that is a number": with_entry(postings=[1]),
        "a posting without its asset": with_posting(asset=None),
        "a posting of an unknown asset": with_posting(asset="USD"),
        "a posting of nothing": with_posting(amount=0),
        "a posting of a negative amount": with_posting(amount=-1),
        "a posting outside on both sides": with_posting(to="world:supplier", at=None),
        "a posting that takes what enters": with_posting(takes=[[0, 7000]]),
        "a posting without its numbers": with_posting(at=None),
        "a posting past the last number": with_posting(at=2**53 - 7000),
        "a posting to no account": with_posting(to="relief"),
        "takes of too few units": with_posting(
            **{"from": "fund:relief", "to": "world:supplier", "at": None, "takes": [[0, 6999]]}
        ),
        "takes of an empty range": with_posting(
            **{"from": "fund:relief", "to": "world:supplier", "at": None, "takes": [[5, 5]]}
        ),
        "takes that are no pair": with_posting(
            **{"from": "fund:relief", "to": "world:supplier", "at": None, "takes": [[0, 7000, 1]]}
        ),
        "a negative reference": with_entry(references=[-1]),
        "a reference in quotes": with_entry(references=["1"]),
        "a document that is no hash": with_entry(documents=["voucher"]),
        "65 documents": with_entry(documents=["0" * 64] * 65),
    }
    found += [
        case(f"recorded is an entry with {desc}", str(recorded(one)), undecided(CONTENT))
        for desc, one in wrong.items()
    ]
    elsewhere = recorded(with_entry(index=5))
    found.append(
        case(
            "recorded is an entry that says another index",
            str(elsewhere),
            mismatch(CONTENT, "index_mismatch"),
        )
    )
    good = {
        "no sealed fields": with_entry(sealed={}),
        "an approver": with_entry(approved_by="approver-1", sealed={}),
        "a control character escaped": text.replace(
            '"channel":"bank"', '"channel":"\\u001b\\n\\"\\\\"'
        ).encode(),
        "characters beyond the basic plane": with_entry(
            fields={**value["fields"], "channel": "🙏善\u007f"}, sealed={}
        ),
        "the largest number": with_entry(fields={"amount_fen": 2**53 - 1}, sealed={}),
        "sixteen levels": text.replace('"bank"', "[" * 14 + "]" * 14).encode(),
        "a key named like a property of objects": with_entry(
            fields={"constructor": 1, "to_string": "x"}, sealed={}
        ),
        "takes of two ranges": canonical(
            {
                **value,
                "sealed": {},
                "postings": [
                    {
                        "asset": "CNY",
                        "amount": 7000,
                        "from": "fund:relief",
                        "to": "world:supplier",
                        "takes": [[0, 1000], [5000, 11000]],
                    }
                ],
            }
        ),
        "a posting up to the last number": with_posting(at=2**53 - 1 - 7000),
    }
    for desc, one in good.items():
        receipt = recorded(one)
        want = verified(receipt, shown=[])
        if json.loads(one)["sealed"] == {}:
            want["hidden"] = []
        found.append(case(f"recorded is an entry with {desc}", str(receipt), want))
    return found


def opening_cases() -> list[Case]:
    """Everything opened, single fields, nothing; and openings that do not fit."""
    seed = seed_of(GIFT)
    names = sorted(VALUES)
    found: list[Case] = []
    nothing = Receipt(opened=opening(ENTRY_BYTES[GIFT]))
    found.append(case("nothing is opened", str(nothing), verified(nothing, shown=[])))
    for number in range(1, 8):
        shown = [name for bit, name in enumerate(names) if number >> bit & 1]
        receipt = Receipt(opened=revealing(*shown))
        found.append(
            case(f"opened: {', '.join(shown)}", str(receipt), verified(receipt, shown=shown))
        )
    backward = Receipt(opened=revealing(*reversed(names)))
    found.append(case("opened in another order", str(backward), verified(backward)))
    entry = ENTRY_BYTES[GIFT]

    def opened(seed_then: bytes, values: dict[str, Any]) -> Receipt:
        return Receipt(opened=opening(entry, seed=url64(seed_then), values=values))

    other_seed = seed_of(5)
    broken = {
        "another seed": opened(other_seed, VALUES),
        "one bit of the seed": opened(bytes([seed[0] ^ 1]) + seed[1:], VALUES),
        "another name": opened(seed, {**VALUES, "donor_name": "别人"}),
        "an erased field": opened(seed, {n: v for n, v in VALUES.items() if n != "contact"}),
        "an erased value": opened(seed, {**VALUES, "contact": ""}),
        "a field more": opened(seed, {**VALUES, "message": "谢谢"}),
        "two values exchanged": opened(
            seed, {**VALUES, "contact": VALUES["order_number"], "order_number": VALUES["contact"]}
        ),
        "a number for a text": opened(seed, {**VALUES, "contact": 13800000000}),
        "true for a text": opened(seed, {**VALUES, "contact": True}),
        "a list for a text": opened(seed, {**VALUES, "contact": ["13800000000"]}),
        "a field that objects have anyway": opened(
            seed, {"constructor": "x", "contact": "13800000000", "donor_name": "示例捐赠人"}
        ),
        "seed and values of an entry without sealed fields": Receipt(
            3, opened=opening(ENTRY_BYTES[3], seed=url64(seed), values={"donor_name": "x"})
        ),
        "a disclosure of another seed": Receipt(
            opened=opening(entry, disclosures=[disclosure(other_seed, "contact", "13800000000")])
        ),
        "a disclosure of another value": Receipt(
            opened=opening(entry, disclosures=[disclosure(seed, "donor_name", "别人")])
        ),
        "a disclosure of a field that is not sealed": Receipt(
            opened=opening(entry, disclosures=[disclosure(seed, "message", "谢谢")])
        ),
        "a good disclosure and a wrong one": Receipt(
            opened=opening(
                entry,
                disclosures=[
                    disclosure(seed, "contact", VALUES["contact"]),
                    disclosure(seed, "donor_name", "别人"),
                ],
            )
        ),
    }
    found += [
        case(f"an opening with {desc}", str(one), mismatch(CONTENT, "commitment_mismatch"))
        for desc, one in broken.items()
    ]
    contact = disclosure(seed, "contact", VALUES["contact"])
    unreadable = {
        "the same disclosure twice": [contact, contact],
        "an empty disclosure": [""],
        "a disclosure with padding": [contact + "="],
        "a disclosure that is not JSON": [url64(b"salt")],
        "a disclosure of two values": [url64(canonical(["salt", "contact"]))],
        "a disclosure of four values": [url64(canonical(["salt", "contact", "x", "y"]))],
        "a disclosure that is an object": [url64(canonical({"contact": "x"}))],
        "a disclosure with a number for its salt": [url64(canonical([1, "contact", "x"]))],
        "a disclosure with a number for its name": [url64(canonical(["salt", 1, "x"]))],
        "a disclosure with a null": [url64(b'["salt","contact",null]')],
        "a disclosure with a space": [url64(b'["salt", "contact","x"]')],
        "a disclosure of 65,537 letters": ["A" * 65537],
        "a disclosure outside ASCII": ["é"],
        "a disclosure with unused bits set": [contact[:-1] + ("B" if contact[-1] != "B" else "C")],
    }
    found += [
        case(
            f"an opening with {desc}",
            str(Receipt(opened=opening(entry, disclosures=texts))),
            undecided(CONTENT),
        )
        for desc, texts in unreadable.items()
        if len(contact) % 4 or "unused" not in desc
    ]
    spelled = {
        "a space": canonical(whole()).replace(b":", b": ", 1),
        "the entry twice": canonical(whole()).replace(b'{"entry"', b'{"entry":"","entry"'),
        "keys out of order": json.dumps(
            dict(reversed(whole().items())), separators=(",", ":"), ensure_ascii=False
        ).encode(),
        "escaped letters": json.dumps(whole(), separators=(",", ":")).encode(),
        "a key more": canonical({**whole(), "more": 1}),
        "a seed and no values": canonical(opening(entry, seed=url64(seed))),
        "values and no seed": canonical(opening(entry, values=VALUES)),
        "no values": canonical(opening(entry, seed=url64(seed), values={})),
        "values that are a list": canonical(opening(entry, seed=url64(seed), values=[1])),
        "a seed of 15 bytes": canonical(opening(entry, seed=url64(seed[:15]), values=VALUES)),
        "a seed of 17 bytes": canonical(opening(entry, seed=url64(seed + b"\0"), values=VALUES)),
        "a seed with padding": canonical(opening(entry, seed=url64(seed) + "==", values=VALUES)),
        "a seed that is a number": canonical(opening(entry, seed=1, values=VALUES)),
        "both seed and disclosures": canonical({**whole(), "disclosures": [contact]}),
        "no disclosures in the list": canonical(opening(entry, disclosures=[])),
        "33 disclosures": canonical(opening(entry, disclosures=[contact] * 33)),
        "33 values": canonical(
            opening(entry, seed=url64(seed), values={f"field_{n}": "x" for n in range(33)})
        ),
        "disclosures that are numbers": canonical(opening(entry, disclosures=[1])),
        "disclosures that are a text": canonical(opening(entry, disclosures=contact)),
        "no entry": canonical({"seed": url64(seed), "values": VALUES}),
        "an entry that is a number": canonical({"entry": 1}),
        "an entry in base64url": canonical({"entry": url64(b"\xff\xfe" + entry)}),
        "an entry with a blank": canonical({"entry": b64(entry)[:8] + " " + b64(entry)[8:]}),
        "a list": canonical([whole()]),
        "a text": canonical("opening"),
        "a value that is not NFC": canonical(
            opening(entry, seed=url64(seed), values={**VALUES, "donor_name": "e\u0301"})
        ),
        "a null value": canonical(
            opening(entry, seed=url64(seed), values={**VALUES, "donor_name": None})
        ),
        "bytes that are not UTF-8": canonical(whole()).replace("示".encode(), b"\xff\xff\xff"),
        "a prototype": canonical(whole()).replace(b'{"entry"', b'{"__proto__":{},"entry"'),
    }
    for desc, extra in spelled.items():
        receipt = Receipt()
        receipt.extra = extra
        found.append(case(f"an opening with {desc}", str(receipt), undecided(FILE)))
    odd = {"contact": "", "donor_name": 'a "b" \\ c\n🙏', "order_number": 20210601}
    data = with_entry(sealed=sealed(seed, odd))
    receipt = recorded(data, opened=opening(data, seed=url64(seed), values=odd))
    want = {**verified(receipt), "values": odd}
    found.append(case("values of every shape", str(receipt), want))
    assert commitment(contact) == entry_value(GIFT)["sealed"]["contact"]
    return found
