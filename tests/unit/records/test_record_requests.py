"""From bytes to a prepared record: strict JSON, strict fields, every error told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from bodies import DOCUMENT, FULL
from scribe import TODAY, Scribe, audited

from ledger.entry import DOCUMENTS_MAX, build_commitment, build_disclosure
from ledger.errors import MalformedError
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.request import (
    BODY_BYTES_MAX,
    ERRORS_MAX,
    KEY_CHARS_MAX,
    check_key,
    parse_body,
    prepare,
    record_model,
)
from ledger.vault import Vault

VAULT = Vault(bytes(32), random=lambda count: b"\7" * count)
Path = tuple[str | int, ...]


def whole(kind: str) -> dict[str, Any]:
    """The whole request with a kind's full body."""
    return {
        "kind": kind,
        "occurred_on": TODAY,
        "documents": [DOCUMENT],
        **deepcopy(FULL[kind]),
    }


def ready(body: object, **more: Any) -> Any:
    """The body, prepared."""
    people: dict[str, Any] = {"recorded_by": "recorder-1", "approved_by": None}
    return prepare(body, **{"key": "key-1", "vault": VAULT, **people, **more})


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside a body with its path."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path, value


def changed(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of the body with one value replaced."""
    copy: Any = deepcopy(body)
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return dict(copy)


def errors_of(body: object) -> list[dict[str, str]]:
    """The errors that preparing the body tells."""
    with pytest.raises(MalformedError) as caught:
        ready(body)
    assert caught.value.code == "invalid_record"
    assert caught.value.field == caught.value.details["errors"][0]["field"]  # type: ignore[index]
    return caught.value.details["errors"]  # type: ignore[return-value]


ALL = list(FULL)
INTEGERS = [
    (kind, path, value) for kind in ALL for path, value in leaves(FULL[kind]) if type(value) is int
]
TEXTS = [
    (kind, path, value)
    for kind in ALL
    for path, value in leaves(whole(kind))
    if type(value) is str and path != ("kind",)
]
OBJECTS = [
    (kind, path[:-1])
    for kind in ALL
    for path, _ in leaves(whole(kind))
    if isinstance(path[-1], str)
]


SIGNED = {"opening_fen", "closing_fen", "bank_fen", "difference_fen"}
"""A bank account may be overdrawn, and a difference lie on either side."""


def test_the_full_bodies_are_well_formed() -> None:
    for kind in ALL:
        assert ready(whole(kind)).public == FULL[kind]["fields"]
    assert len(INTEGERS) > 20
    assert len(TEXTS) > 90


@pytest.mark.parametrize(("kind", "path", "value"), INTEGERS)
def test_an_integer_is_an_integer(kind: str, path: Path, value: int) -> None:
    too_low = -(10**30) if path[-1] in SIGNED else -abs(value) - 1
    for wrong in (float(value), str(value), True, [value], too_low, 10**30):
        (error, *_) = errors_of(changed(whole(kind), path, wrong))
        assert error["field"].startswith(".".join(map(str, path[:2])))


@pytest.mark.parametrize(("kind", "path", "value"), TEXTS)
def test_text_is_clean_text(kind: str, path: Path, value: str) -> None:
    for wrong in (
        value + "\x00",
        value + "\t",
        value + "\x7f",
        value + "\u0085",
        value + "\ufffe",
        value + "\ud800",
        value + "\ue000",
        value + "\u202e",
        "",
        value + "x" * 6001,
        7,
        False,
        [value],
    ):
        (error, *_) = errors_of(changed(whole(kind), path, wrong))
        assert error["field"].startswith(".".join(map(str, path[:2])))
        assert error["message"]


@pytest.mark.parametrize(("kind", "path"), sorted(set(OBJECTS), key=str))
def test_nothing_unknown_is_taken(kind: str, path: Path) -> None:
    (error,) = errors_of(changed(whole(kind), (*path, "surprise"), 1))
    assert error["code"] == "extra_forbidden"
    assert error["field"] == ".".join(map(str, (*path, "surprise")))


@pytest.mark.parametrize("kind", ALL)
def test_nothing_needed_is_left_out(kind: str) -> None:
    for part in ("kind", "occurred_on", "fields"):
        body = whole(kind)
        del body[part]
        with pytest.raises(MalformedError) as caught:
            ready(body)
        assert caught.value.field == part
    (error, *_) = errors_of({**whole(kind), "fields": {}})
    assert error["code"] == "missing"


@pytest.mark.parametrize("kind", ALL)
def test_a_schema_is_made_for_every_kind(kind: str) -> None:
    schema = record_model(KIND_BY_NAME[kind]).model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"]["kind"]["const"] == kind
    assert ("sealed" in schema["properties"]) == ("sealed" in FULL[kind])


def test_a_kind_without_sealed_fields_takes_none() -> None:
    (error,) = errors_of({**whole("fund.opened"), "sealed": {"name": "示例"}})
    assert error == {
        "field": "sealed",
        "code": "extra_forbidden",
        "message": "Extra inputs are not permitted",
    }


# Text


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("party.registered", ("fields", "name")),
        ("party.registered", ("fields", "registration_number")),
        ("party.registered", ("sealed", "contact")),
        ("campaign.filed", ("fields", "filing_number")),
        ("donation.money", ("sealed", "order_number")),
        ("donation.money", ("sealed", "exact_time")),
        ("donation.refunded", ("sealed", "order_number")),
        ("purchase.made", ("sealed", "invoice_number")),
        ("item.registered", ("fields", "packs", 0, "unit")),
        ("item.registered", ("fields", "aliases", 1)),
    ],
)
def test_text_is_made_nfc(world: Scribe, kind: str, path: Path) -> None:
    body = changed(whole(kind), path, "cafe\u0301\uac00")
    prepared = ready(body, vault=world.book.vault, approved_by=approver(kind))
    value: Any = {"fields": prepared.public, "sealed": prepared.row.values}
    for step in path:
        value = value[step]
    assert value == "caf\u00e9\uac00"
    done = world.book.sequencer.record(
        ready(
            {**body, "occurred_on": "2021-09-09"},
            vault=world.book.vault,
            approved_by=approver(kind),
        )
    )
    assert world.entry(done.index).kind == kind
    audited(world.book)


@pytest.mark.parametrize("kind", ["donation.money", "donation.matched", "donation.refunded"])
@pytest.mark.parametrize(
    "order",
    ["1.465E+27", " A-1", "A-1 ", "A 1", "A-1\n", "A-\u200b1", "A-\u202e1", "\uff21-1", "A\u30001"],
)
def test_an_order_number_has_one_spelling(world: Scribe, kind: str, order: str) -> None:
    body = {**whole(kind), "sealed": {"order_number": order}}
    with pytest.raises(MalformedError, match="order_number"):
        ready(body, vault=world.book.vault, approved_by=approver(kind))


def approver(kind: str) -> str | None:
    """Who approves a kind, if it needs that."""
    return "approver-1" if KIND_BY_NAME[kind].approvers else None


def test_text_that_grows_in_nfc_is_measured_afterwards(world: Scribe) -> None:
    # U+0958 is two characters in NFC.
    letter = "\u0958"
    body = whole("fund.opened")
    body["fields"]["name"] = letter * 61
    (error,) = errors_of(body)
    assert error["field"] == "fields.name"
    assert "122 characters in NFC, 120 are allowed" in error["message"]
    body["fields"]["name"] = letter * 60
    done = world.book.sequencer.record(ready(body, vault=world.book.vault))
    assert len(world.entry(done.index).fields["name"]) == 120
    audited(world.book)


def test_lines_and_every_script_are_kept(world: Scribe) -> None:
    text = "第一行\n第二行 𠮷 👨‍👩‍👧 עברית"
    body = whole("rule.published")
    body["fields"]["text"] = text
    done = world.book.sequencer.record(ready(body, vault=world.book.vault))
    assert world.entry(done.index).fields["text"] == text


@pytest.mark.parametrize("text", ["\U0002ebf0", "\U000323af", "\U0003fffd", "\U0001fbff\U0001fae8"])
def test_names_with_the_newest_characters_are_taken_by_every_python(text: str) -> None:
    body = whole("fund.opened")
    body["fields"]["name"] = text
    assert ready(body).public["name"] == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\u3000 ", "is blank"),
        ("\x85", "is blank"),
        ("a\tb", "control character U\\+0009"),
        ("\ue81e", "private character U\\+E81E"),
        ("\u0378", "unassigned character U\\+0378"),
        ("\U0002fffe", "unassigned character U\\+2FFFE"),
    ],
)
def test_text_that_nobody_can_read_is_refused(text: str, why: str) -> None:
    body = whole("fund.opened")
    body["fields"]["name"] = text
    with pytest.raises(MalformedError, match=why):
        ready(body)


@pytest.mark.parametrize(
    ("kind", "field"), [("service.recorded", "starts_at"), ("service.recorded", "ends_at")]
)
def test_full_width_digits_are_no_time(kind: str, field: str) -> None:
    body = whole(kind)
    body["fields"][field] = "1\uff10:30"
    (error,) = errors_of(body)
    assert error["field"] == f"fields.{field}"


@pytest.mark.parametrize(
    "day",
    [
        "2021-02-29",
        "2021-9-9",
        "2021-09-09 ",
        "20210909",
        "1999-12-31",
        "2021-13-01",
        "0000-00-00",
        "2021-W01-1",
        "２０２１-０９-０９",
        "2021-09-09\n",
        "",
        "21-09-09",
    ],
)
def test_a_day_is_a_day_of_the_calendar(day: str) -> None:
    (error, *_) = errors_of({**whole("fund.opened"), "occurred_on": day})
    assert error["field"] == "occurred_on"


@pytest.mark.parametrize("code", ["", "A", "a b", "-a", "a_b", "a" * 49, "a\n", "ａ", "a.b", "a/b"])
def test_a_code_is_lower_case_letters_digits_and_dashes(code: str) -> None:
    body = whole("fund.opened")
    body["fields"]["code"] = code
    (error, *_) = errors_of(body)
    assert (error["field"], error["code"]) == ("fields.code", "string_pattern_mismatch")


def test_documents_are_hashes() -> None:
    for wrong in (["AB" * 32], ["ab" * 31], [7], "ab" * 32, [DOCUMENT] * (DOCUMENTS_MAX + 1)):
        (error, *_) = errors_of({**whole("fund.opened"), "documents": wrong})
        assert error["field"].startswith("documents")
    prepared = ready({**whole("fund.opened"), "documents": [DOCUMENT] * DOCUMENTS_MAX})
    assert len(prepared.documents) == DOCUMENTS_MAX


# Errors


def test_all_errors_are_told_at_once() -> None:
    body = whole("donation.money")
    body["fields"] = {"fund": "No", "amount_fen": 1.5, "channel": 7, "else": 1}
    body["occurred_on"] = "yesterday"
    found = {error["field"]: error["code"] for error in errors_of(body)}
    assert found == {
        "occurred_on": "string_pattern_mismatch",
        "fields.fund": "string_pattern_mismatch",
        "fields.amount_fen": "int_type",
        "fields.channel": "string_type",
        "fields.else": "extra_forbidden",
    }


def test_errors_show_no_personal_value() -> None:
    body = whole("donation.money")
    body["sealed"]["donor_name"] = "示例捐赠人\x00"
    body["sealed"]["contact"] = ["12345"]
    with pytest.raises(MalformedError) as caught:
        ready(body)
    told = str(caught.value) + json.dumps(caught.value.details, ensure_ascii=False)
    assert "示例捐赠人" not in told
    assert "12345" not in told


def test_at_most_so_many_errors_are_told() -> None:
    body = whole("fund.opened")
    body["fields"] |= {f"extra_{number}": 1 for number in range(2 * ERRORS_MAX)}
    assert len(errors_of(body)) == ERRORS_MAX


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_body_is_an_object(body: object) -> None:
    with pytest.raises(MalformedError, match="expected a JSON object") as caught:
        ready(body)
    assert caught.value.code == "invalid_record"


@pytest.mark.parametrize("kind", ["donation.cash", "", 7, None, ["donation.money"], "log.opened"])
def test_a_kind_is_one_that_people_record(kind: object) -> None:
    with pytest.raises(MalformedError, match=r"expected one of party\.registered, ") as caught:
        ready({**whole("fund.opened"), "kind": kind})
    assert (caught.value.code, caught.value.field) == ("unknown_kind", "kind")
    assert "log.opened," not in caught.value.message


@pytest.mark.parametrize(
    "key", ["", "a b", "a\n", "键", "a" * (KEY_CHARS_MAX + 1), "\x7f", "a\x00"]
)
def test_a_key_is_visible_ascii(key: str) -> None:
    with pytest.raises(MalformedError, match="Idempotency-Key") as caught:
        ready(whole("fund.opened"), key=key)
    assert (caught.value.code, caught.value.field) == ("invalid_key", "Idempotency-Key")


def test_a_good_key_is_given_back() -> None:
    for key in ("!", "~" * KEY_CHARS_MAX, "0f8fad5b-d9cb-469f-a165-70867728950e"):
        assert check_key(key) == key


# JSON


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"{}{}", "malformed_json"),
        (b"{'a':1}", "malformed_json"),
        (b'{"a":01}', "malformed_json"),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":[-Infinity]}', "malformed_json"),
        (b'{"a":"\xff"}', "malformed_json"),
        (b'\xef\xbb\xbf{"a":1}', "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"1" * 5000, "malformed_json"),
        (b'{"a":1,"b":2,"a":3}', "duplicate_key"),
        (b'{"b":[{"a":1,"\\u0061":1}]}', "duplicate_key"),
        (b" " * (BODY_BYTES_MAX + 1), "body_too_large"),
    ],
)
def test_json_is_strict(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_body(data)
    assert caught.value.code == code


def test_an_integer_of_thousands_of_digits_is_told_in_our_words() -> None:
    with pytest.raises(MalformedError, match=r"numbers below 2\^53"):
        parse_body(b'{"a":' + b"1" * 5000 + b"}")


def test_good_json_is_read() -> None:
    assert parse_body(b' {"a": [1, 1.0, true, null, "\\ud83d\\ude00"]} ') == {
        "a": [1, 1.0, True, None, "😀"]
    }
    filled = b'"' + b"x" * (BODY_BYTES_MAX - 2) + b'"'
    assert parse_body(filled) == "x" * (BODY_BYTES_MAX - 2)


# What is prepared


def test_what_is_sealed_is_committed_and_kept_for_the_vault() -> None:
    sealed = {"donor_name": "示例匿名氏", "order_number": "ORDER-9"}
    prepared = ready({**whole("donation.money"), "sealed": sealed})
    seed = b"\7" * 16
    assert prepared.row.seed == seed
    assert prepared.row.values == sealed
    assert prepared.sealed == {
        name: build_commitment(build_disclosure(seed, name, value))
        for name, value in sealed.items()
    }
    assert prepared.row.order == VAULT.digest("order", b"ORDER-9")
    assert "示例匿名氏" not in repr(prepared)


@pytest.mark.parametrize("sealed", [None, {}, {"message": None}])
def test_without_sealed_values_there_is_no_seed(sealed: object) -> None:
    body = {**whole("donation.money"), "sealed": sealed}
    prepared = ready(body)
    assert prepared.row.seed is None
    assert prepared.row.values is None
    assert prepared.row.order is None
    assert prepared.sealed == {}
    del body["sealed"]
    assert ready(body).row == prepared.row


def test_an_order_number_counts_only_where_it_is_unique() -> None:
    assert ready(whole("donation.refunded"), approved_by="approver-1").row.order is None


def test_the_digest_is_of_the_content_and_of_nothing_else() -> None:
    body = whole("donation.money")
    digest = ready(body).row.request
    shuffled = json.loads(json.dumps(body, sort_keys=True))
    assert ready(shuffled, key="other").row.request == digest
    assert (
        ready({**body, "fields": {**body["fields"], "visibility": "named"}}).row.request == digest
    )
    others = [
        ready(changed(body, path, value)).row.request
        for path, value in (
            (("fields", "amount_fen"), 5_001),
            (("sealed", "message"), "另一条"),
            (("occurred_on",), "2021-09-08"),
            (("documents",), []),
        )
    ]
    others.append(ready(body, recorded_by="recorder-2").row.request)
    others.append(ready(body, approved_by="approver-1").row.request)
    others.append(ready(body, vault=Vault(b"\1" * 32)).row.request)
    assert len({digest, *others}) == len(others) + 1


def test_an_entry_that_would_be_too_large_leaves_nothing(world: Scribe) -> None:
    unit = "\U00020bb7" * 120
    world.tell("item.registered", {"code": "tea", "name": "茶", "unit": unit})
    line = {"item": "tea", "quantity": 1, "cost_fen": 1, "unit": unit}
    few, many = (
        world.prepare(
            "purchase.made", {**FULL["purchase.made"]["fields"], "lines": [line] * number}
        )
        for number in (50, 100)
    )
    size = world.book.head().size
    too_large, gift, purchase = world.book.sequencer.submit([many, world.gift(1), few])
    with pytest.raises(MalformedError, match="at most 65535 bytes") as caught:
        too_large.result()
    assert caught.value.code == "entry_too_large"
    assert (gift.result().index, purchase.result().index) == (size, size + 1)
    assert world.entry(size + 1).postings[0]["takes"] == [[0, 1]]
    audited(world.book)
