"""The entry by example: canonical bytes, each check of a parsed entry, sealed fields."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from typing import Any

import pytest

from ledger.entry import (
    DEPTH_MAX,
    DISCLOSURE_CHARS_MAX,
    DOCUMENTS_MAX,
    FIRST_PREVIOUS,
    INTEGER_MAX,
    POSTINGS_MAX,
    REFERENCES_MAX,
    SEALED_MAX,
    TAKES_MAX,
    base64url,
    build_commitment,
    build_disclosure,
    format_canonical,
    format_entry,
    hmac_sha256,
    open_disclosures,
    open_sealed,
    parse_base64url,
    parse_canonical,
    parse_disclosure,
    parse_entry,
    read_checked_entry,
    seal,
)
from ledger.errors import MalformedError, VerificationError
from ledger.tlog.tiles import ENTRY_BYTES_MAX

SEED = bytes(range(16))
HASH = "ab" * 32
PARTS: dict[str, Any] = {
    "index": 7,
    "previous": HASH,
    "recorded_at": "2021-09-09T03:28:00.123456Z",
    "occurred_on": "2021-09-09",
    "recorded_by": "clerk-1",
    "approved_by": None,
    "kind": "donation.money",
    "fields": {"amount_fen": 500, "fund": "general"},
    "sealed": {"donor_name": "A" * 43},
    "postings": [
        {"asset": "CNY", "amount": 500, "from": "world:donor", "to": "fund:general", "at": 40}
    ],
    "references": [1, 2],
    "documents": [HASH],
}
OUT: dict[str, Any] = {
    "asset": "CNY",
    "amount": 5,
    "from": "fund:general",
    "to": "world:supplier",
    "takes": [[0, 2], [9, 12]],
}
IN: dict[str, Any] = PARTS["postings"][0]
ACROSS: dict[str, Any] = {**OUT, "to": "fund:other", "at": 0}


def entry_bytes(**changes: Any) -> bytes:
    return format_entry(**{**PARTS, **changes})


def raw(**changes: Any) -> bytes:
    """Canonical bytes of an entry with keys set, or with `None` removed, unchecked."""
    value = {"version": 1, **PARTS, **changes}
    return format_canonical({key: item for key, item in value.items() if item is not None})


class TestCanonical:
    @pytest.mark.parametrize(
        ("value", "data"),
        [
            ({"b": 1, "a": [True, False, "x"]}, b'{"a":[true,false,"x"],"b":1}'),
            ("示例", '"示例"'.encode()),
            ('"\\\b\f\n\r\t\x00\x1f\x7f/', b'"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f/"'),
            ((1, 2), b"[1,2]"),
            (INTEGER_MAX, b"9007199254740991"),
            (-INTEGER_MAX, b"-9007199254740991"),
            ({}, b"{}"),
            ("\U0001f381", '"\U0001f381"'.encode()),
        ],
    )
    def test_written_form(self, value: object, data: bytes) -> None:
        assert format_canonical(value) == data
        read = parse_canonical(data)
        assert read == (list(value) if isinstance(value, tuple) else value)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            1.0,
            float("nan"),
            INTEGER_MAX + 1,
            -INTEGER_MAX - 1,
            10**30,
            {"a": None},
            [1.5],
            "e\u0301",
            "\ud800",
            {"A": 1},
            {"": 1},
            {"1a": 1},
            {"\u00e9": 1},
            {"a" * 65: 1},
            {1: 1},
            {"a-b": 1},
            b"bytes",
            {1, 2},
        ],
        ids=repr,
    )
    def test_what_has_no_place_is_refused(self, value: object) -> None:
        with pytest.raises(MalformedError, match="expected"):
            format_canonical(value)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"\xff",
            b'"\xed\xa0\x80"',
            b'{"a":1,"a":1}',
            b'{"b":1,"a":1}',
            b'{"a": 1}',
            b' {"a":1}',
            b'{"a":1}\n',
            b'"\\u0041"',
            b'"\\/"',
            b'"\\u000a"',
            b'"\\u001F"',
            b'"\\ud83c\\udf81"',
            b"1.0",
            b"1e2",
            b"-0",
            b"01",
            b"9007199254740992",
            b"18446744073709551616",
            b"1" * 400,
            b"null",
            b"NaN",
            b"\xef\xbb\xbf1",
            '"e\u0301"'.encode(),
            b'"\\ud800"',
            b"1 1",
        ],
    )
    def test_other_spellings_are_refused(self, data: bytes) -> None:
        with pytest.raises(MalformedError, match="expected"):
            parse_canonical(data)

    def test_nesting_has_a_limit(self) -> None:
        deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
        assert format_canonical(parse_canonical(deepest)) == deepest
        with pytest.raises(MalformedError, match=f"at most {DEPTH_MAX} levels"):
            parse_canonical(b"[" + deepest + b"]")
        with pytest.raises(MalformedError):
            parse_canonical(b"[" * 100_000)


class TestFormat:
    def test_keys_are_sorted_and_absent_approval_is_left_out(self) -> None:
        data = entry_bytes()
        assert data.startswith(b'{"documents":["abab')
        assert b"approved_by" not in data
        assert b'"approved_by":"approver-1"' in entry_bytes(approved_by="approver-1")

    def test_parse_gives_the_parts_back(self) -> None:
        for approved_by in (None, "approver-1"):
            entry = parse_entry(entry_bytes(approved_by=approved_by))
            for name, value in {**PARTS, "approved_by": approved_by}.items():
                assert getattr(entry, name) == value

    def test_an_entry_fits_into_a_bundle_or_is_refused(self) -> None:
        room = ENTRY_BYTES_MAX - len(entry_bytes(fields={"text": ""}))
        largest = entry_bytes(fields={"text": "x" * room})
        assert len(parse_entry(largest).fields["text"]) == room
        with pytest.raises(MalformedError, match="at most 65535 bytes") as got:
            entry_bytes(fields={"text": "x" * (room + 1)})
        assert got.value.code == "entry_too_large"
        with pytest.raises(MalformedError, match="at most 65535 bytes"):
            parse_entry(largest + b" ")


class TestParse:
    def test_the_smallest_and_the_largest_of_everything(self) -> None:
        data = raw(
            index=0,
            previous=FIRST_PREVIOUS,
            fields={},
            sealed={f"name_{number}": "-" * 43 for number in range(SEALED_MAX)},
            postings=[OUT] * POSTINGS_MAX,
            references=list(range(REFERENCES_MAX)),
            documents=[HASH] * DOCUMENTS_MAX,
        )
        assert len(parse_entry(data).postings) == POSTINGS_MAX

    @pytest.mark.parametrize("posting", [IN, OUT, ACROSS])
    @pytest.mark.parametrize("asset", ["CNY", "points", "minutes", "item:mask-n95"])
    def test_postings_in_out_and_across(self, posting: dict[str, Any], asset: str) -> None:
        assert parse_entry(raw(postings=[{**posting, "asset": asset}])).postings[0]["asset"]

    @pytest.mark.parametrize("data", [b"[]", b'"text"', b"1", b"true"])
    def test_it_must_be_an_object(self, data: bytes) -> None:
        with pytest.raises(MalformedError, match="a JSON object"):
            parse_entry(data)

    @pytest.mark.parametrize("name", sorted({"version", *PARTS} - {"approved_by"}))
    def test_no_key_may_be_missing(self, name: str) -> None:
        with pytest.raises(MalformedError, match=rf"missing or unknown: \['{name}'\]"):
            parse_entry(raw(**{name: None}))

    def test_no_key_may_be_added(self) -> None:
        with pytest.raises(MalformedError, match=r"missing or unknown: \['note'\]"):
            parse_entry(raw(note="", approved_by="approver-1"))

    @pytest.mark.parametrize("version", [0, 2, True, "1"])
    def test_only_version_1_is_known(self, version: object) -> None:
        with pytest.raises(MalformedError, match="expected version 1"):
            parse_entry(raw(version=version))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("index", -1),
            ("index", "7"),
            ("index", True),
            ("previous", "AB" * 32),
            ("previous", HASH + "\n"),
            ("previous", HASH[1:]),
            ("recorded_at", "2021-09-09T03:28:00Z"),
            ("recorded_at", "2021-09-09T03:28:00.123456+08:00"),
            ("recorded_at", "２021-09-09T03:28:00.123456Z"),
            ("occurred_on", "2021-9-9"),
            ("occurred_on", 20210909),
            ("recorded_by", "Clerk"),
            ("recorded_by", ""),
            ("recorded_by", "c" * 65),
            ("approved_by", "-a"),
            ("approved_by", False),
            ("kind", "donation"),
            ("kind", "donation.Money"),
            ("kind", "donation.money_"),
            ("fields", []),
            ("sealed", []),
            ("sealed", {f"name_{number}": "A" * 43 for number in range(SEALED_MAX + 1)}),
            ("postings", {}),
            ("postings", [OUT] * (POSTINGS_MAX + 1)),
            ("references", [-1]),
            ("references", [True]),
            ("references", list(range(REFERENCES_MAX + 1))),
            ("documents", [HASH.upper()]),
            ("documents", [1]),
            ("documents", [HASH] * (DOCUMENTS_MAX + 1)),
        ],
    )
    def test_each_part_is_checked(self, name: str, value: object) -> None:
        with pytest.raises(MalformedError, match=f"^{name}: expected") as got:
            parse_entry(raw(**{name: value}))
        assert got.value.field == name

    @pytest.mark.parametrize("commitment", ["A" * 42, "A" * 44, "A" * 42 + "=", 1])
    def test_commitments_are_checked(self, commitment: object) -> None:
        with pytest.raises(MalformedError, match=r"^sealed\.donor_name: expected"):
            parse_entry(raw(sealed={"donor_name": commitment}))

    @pytest.mark.parametrize(
        ("posting", "where"),
        [
            ("text", ""),
            ([], ""),
            ({**OUT, "from": 1}, ".from"),
            ({**OUT, "from": "fund"}, ".from"),
            ({**OUT, "from": "fund:General"}, ".from"),
            ({**OUT, "to": "world:" + "a" * 65}, ".to"),
            ({key: OUT[key] for key in OUT if key != "to"}, ".to"),
            ({**OUT, "asset": "USD"}, ".asset"),
            ({**OUT, "asset": "item:"}, ".asset"),
            ({**OUT, "from": "world:donor"}, ""),
            ({**IN, "to": "world:donor"}, ""),
            ({"asset": "CNY", "amount": 5, "from": "world:a", "to": "world:b"}, ""),
            ({key: OUT[key] for key in OUT if key != "takes"}, ""),
            ({key: IN[key] for key in IN if key != "at"}, ""),
            ({key: IN[key] for key in IN if key != "amount"}, ""),
            ({**IN, "note": ""}, ""),
            ({**IN, "amount": 0}, ".amount"),
            ({**IN, "amount": -5}, ".amount"),
            ({**IN, "amount": "5"}, ".amount"),
            ({**IN, "at": -1}, ".at"),
            ({**IN, "at": INTEGER_MAX - IN["amount"] + 1}, ".at"),
            ({**OUT, "takes": {}}, ".takes"),
            ({**OUT, "takes": [[0, 5], 1]}, ".takes"),
            ({**OUT, "takes": [[0, 5, 6]]}, ".takes"),
            ({**OUT, "takes": [[-5, 0]]}, ".takes"),
            ({**OUT, "takes": [[0, True]]}, ".takes"),
            ({**OUT, "takes": [[5, 5], [0, 5]]}, ".takes"),
            ({**OUT, "takes": [[6, 1]]}, ".takes"),
            ({**OUT, "takes": [[0, 4]]}, ".takes"),
            ({**OUT, "takes": [[0, 6]]}, ".takes"),
            ({**OUT, "takes": []}, ".takes"),
            ({**OUT, "takes": [[n, n + 1] for n in range(TAKES_MAX + 1)]}, ".takes"),
        ],
    )
    def test_postings_are_checked(self, posting: object, where: str) -> None:
        with pytest.raises(MalformedError) as got:
            parse_entry(raw(postings=[IN, posting]))
        assert got.value.field == f"postings[1]{where}"
        assert len(got.value.message) < 400

    def test_numbers_go_up_to_the_largest_integer(self) -> None:
        highest = {**IN, "at": INTEGER_MAX - IN["amount"]}
        assert parse_entry(raw(postings=[highest])).postings == [highest]


class TestBase64Url:
    @pytest.mark.parametrize(
        ("data", "text"), [(b"", ""), (b"\xfb\xff", "-_8"), (b"a", "YQ"), (b"abc", "YWJj")]
    )
    def test_round_trip(self, data: bytes, text: str) -> None:
        assert base64url(data) == text
        assert parse_base64url(text) == data

    @pytest.mark.parametrize(
        "text", ["YQ==", "+/8", "YR", "Y", "Y Q", "YQ\n", "示例", "\ud800", "="]
    )
    def test_one_spelling_only(self, text: str) -> None:
        with pytest.raises(MalformedError, match="seed: expected base64url without padding"):
            parse_base64url(text, "seed")


class TestSealed:
    def test_a_disclosure_is_made_as_the_design_says(self) -> None:
        salt = hmac.new(SEED, b"shanji/v1/salt/donor_name", hashlib.sha256).digest()[:16]
        salt_text = base64.urlsafe_b64encode(salt).decode().rstrip("=")
        text = json.dumps(
            [salt_text, "donor_name", "示例"], ensure_ascii=False, separators=(",", ":")
        )
        disclosure = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        assert build_disclosure(SEED, "donor_name", "示例") == disclosure
        digest = hashlib.sha256(disclosure.encode()).digest()
        commitment = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert build_commitment(disclosure) == commitment
        assert seal(SEED, {"donor_name": "示例"}) == {"donor_name": commitment}
        assert parse_disclosure(disclosure) == (salt_text, "donor_name", "示例")

    def test_a_field_may_have_any_name_that_is_text(self) -> None:
        disclosure = build_disclosure(SEED, "姓名", "示例")
        assert parse_disclosure(disclosure)[1:] == ("姓名", "示例")
        with pytest.raises(MalformedError):
            build_disclosure(SEED, "e\u0301", "示例")

    @pytest.mark.parametrize("length", [0, 16, 64])
    def test_the_hmac_is_that_of_the_standard_library(self, length: int) -> None:
        key = bytes(range(length))
        for message in (b"", b"x", b"x" * 200):
            assert hmac_sha256(key, message) == hmac.new(key, message, hashlib.sha256).digest()

    def test_the_commitment_of_rfc_9901(self) -> None:
        # RFC 9901, section 4.2.3: the digest of the disclosure of family_name.
        disclosure = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
        assert build_commitment(disclosure) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"

    @pytest.mark.parametrize(
        "value", [{}, [], ["salt", "name"], ["salt", "name", 1, 2], [1, "name", 1], ["salt", 1, 1]]
    )
    def test_other_shapes_are_no_disclosure(self, value: object) -> None:
        with pytest.raises(MalformedError, match=r"\[salt, name, value\]"):
            parse_disclosure(base64url(format_canonical(value)))

    def test_a_disclosure_must_be_canonical(self) -> None:
        with pytest.raises(MalformedError, match="canonical JSON"):
            parse_disclosure(base64url(b'["salt", "name", 1]'))
        with pytest.raises(MalformedError, match="disclosure: expected base64url"):
            parse_disclosure("=")

    def test_the_longest_text_of_a_record_can_be_disclosed(self) -> None:
        # A record allows 2,000 characters; NFC makes three of this one, four bytes each.
        longest = unicodedata.normalize("NFC", "\U0001d160" * 2000)
        assert len(longest.encode()) == 24_000
        disclosure = build_disclosure(SEED, "message", longest)
        assert parse_disclosure(disclosure)[2] == longest
        with pytest.raises(MalformedError, match="at most 65536 characters"):
            parse_disclosure("A" * (DISCLOSURE_CHARS_MAX + 1))

    def test_open_some(self) -> None:
        values = {"donor_name": "示例", "amount": 3, "flags": [True]}
        sealed = seal(SEED, values)
        disclosures = [build_disclosure(SEED, name, values[name]) for name in ("flags", "amount")]
        assert open_disclosures(sealed, disclosures) == {"flags": [True], "amount": 3}
        assert open_disclosures(sealed, []) == {}
        with pytest.raises(MalformedError, match="each field once, got 'flags' twice"):
            open_disclosures(sealed, [*disclosures, disclosures[0]])

    @pytest.mark.parametrize(
        "disclosure",
        [
            build_disclosure(SEED, "donor_name", "other"),
            build_disclosure(bytes(16), "donor_name", "示例"),
            build_disclosure(SEED, "contact", "示例"),
        ],
    )
    def test_open_some_refuses_what_was_not_committed(self, disclosure: str) -> None:
        with pytest.raises(VerificationError, match="does not match") as got:
            open_disclosures(seal(SEED, {"donor_name": "示例"}), [disclosure])
        assert got.value.code == "commitment_mismatch"

    def test_open_all(self) -> None:
        values = {"donor_name": "示例", "contact": "c"}
        open_sealed(seal(SEED, values), SEED, values)

    @pytest.mark.parametrize(
        ("seed", "values", "wrong"),
        [
            (bytes(16), {"a": "x", "b": "y"}, "['a', 'b']"),
            (SEED, {"a": "x", "b": "z"}, "['b']"),
            (SEED, {"a": "x"}, "['b']"),
            (SEED, {"a": "x", "b": "y", "c": "z"}, "['c']"),
        ],
    )
    def test_open_all_tells_which_differ(
        self, seed: bytes, values: dict[str, str], wrong: str
    ) -> None:
        with pytest.raises(VerificationError) as got:
            open_sealed(seal(SEED, {"a": "x", "b": "y"}), seed, values)
        assert got.value.message.endswith(f"commitments of {wrong}")
        assert got.value.code == "commitment_mismatch"


def test_what_was_checked_elsewhere_is_read_alike() -> None:
    data = entry_bytes()
    assert read_checked_entry(data) == parse_entry(data)


def test_a_sound_entry_in_another_spelling_is_none() -> None:
    data = entry_bytes()
    with pytest.raises(MalformedError, match="canonical"):
        parse_entry(data.replace(b",", b", ", 1))


def test_keys_beyond_those_that_are_remembered_are_checked_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ledger.entry._KEYS_SEEN", set())
    monkeypatch.setattr("ledger.entry._KEYS_SEEN_MAX", 0)
    for _ in range(2):
        assert parse_canonical(b'{"a_key":1}') == {"a_key": 1}
        with pytest.raises(MalformedError, match="snake_case"):
            parse_canonical(b'{"A key":1}')
