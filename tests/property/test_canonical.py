"""Properties of canonical JSON and sealed fields; rfc8785 is the oracle."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import (
    INTEGER_MAX,
    base64url,
    build_commitment,
    build_disclosure,
    format_canonical,
    open_disclosures,
    open_sealed,
    parse_base64url,
    parse_canonical,
    parse_disclosure,
    seal,
)
from ledger.errors import LedgerError, MalformedError

repeatable = settings(derandomize=True, deadline=None, max_examples=120)

letters = st.characters(exclude_categories=["Cs"])
texts = st.text(letters, max_size=20).map(lambda text: unicodedata.normalize("NFC", text))
integers = st.integers(-INTEGER_MAX, INTEGER_MAX)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
scalars = texts | integers | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)

# What JSON can write and the restricted form cannot.
foreign = (
    st.none()
    | st.floats()
    | st.integers(min_value=INTEGER_MAX + 1)
    | st.integers(max_value=-INTEGER_MAX - 1)
    | st.text(letters, min_size=1).map(lambda text: text + "e\u0301")
    | st.text(max_size=5).map(lambda text: text + "\ud800")
    | st.dictionaries(
        st.text(st.characters(exclude_categories=["Ll"]), max_size=3), scalars, min_size=1
    )
)


@repeatable
@given(values)
def test_the_bytes_are_those_of_rfc8785_and_read_back(value: Any) -> None:
    data = format_canonical(value)
    assert data == rfc8785.dumps(value)
    assert parse_canonical(data) == value
    assert json.loads(data) == value


@repeatable
@given(values, foreign, st.booleans())
def test_what_has_no_place_is_refused_wherever_it_stands(
    value: Any, stranger: Any, in_object: bool
) -> None:
    held = {"a": [value, {"b": stranger}]} if in_object else [value, [stranger]]
    with pytest.raises(MalformedError):
        format_canonical(held)
    try:
        data = json.dumps(held, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return
    with pytest.raises(MalformedError):
        parse_canonical(data)


@repeatable
@given(values, st.integers(1, 4), st.booleans())
def test_another_spelling_of_the_same_value_is_refused(
    value: Any, indent: int, ascii_only: bool
) -> None:
    for data in (
        json.dumps(value, indent=indent).encode() + b"\n",
        json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode(),
        json.dumps(value, ensure_ascii=ascii_only, sort_keys=True).encode(),
    ):
        if data == format_canonical(value):
            assert parse_canonical(data) == value
        else:
            with pytest.raises(MalformedError):
                parse_canonical(data)


@repeatable
@given(st.dictionaries(keys, scalars, min_size=1, max_size=4), st.data())
def test_a_repeated_key_is_refused(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    members = [*value.items(), (name, value[name])]
    text = ",".join(
        f"{json.dumps(key)}:{json.dumps(item, ensure_ascii=False)}" for key, item in sorted(members)
    )
    with pytest.raises(MalformedError):
        parse_canonical(f"{{{text}}}".encode())


@settings(repeatable, max_examples=500)
@given(
    st.binary(max_size=40)
    | st.text('{}[]",:0123456789.eE-+ \\ntrufalsenulabc', max_size=20).map(str.encode)
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except MalformedError:
        return
    assert rfc8785.dumps(value) == data


@repeatable
@given(st.binary(max_size=40))
def test_base64url_round_trips(data: bytes) -> None:
    assert parse_base64url(base64url(data)) == data


@repeatable
@given(st.text(max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = parse_base64url(text)
    except MalformedError:
        return
    assert base64url(data) == text


seeds = st.binary(min_size=16, max_size=16)
openings = st.dictionaries(keys, values, min_size=1, max_size=5)


@repeatable
@given(seeds, openings, st.data())
def test_what_was_sealed_opens_and_nothing_else(
    seed: bytes, opening: dict[str, Any], data: st.DataObject
) -> None:
    sealed = seal(seed, opening)
    open_sealed(sealed, seed, opening)
    shown = data.draw(st.lists(st.sampled_from(sorted(opening)), unique=True))
    disclosures = [build_disclosure(seed, name, opening[name]) for name in shown]
    assert open_disclosures(sealed, disclosures) == {name: opening[name] for name in shown}
    for name, disclosure in zip(shown, disclosures, strict=True):
        assert parse_disclosure(disclosure)[1:] == (name, opening[name])
        assert sealed[name] == build_commitment(disclosure)
    name = data.draw(st.sampled_from(sorted(opening)))
    other = data.draw(
        values.filter(lambda value: format_canonical(value) != format_canonical(opening[name]))
    )
    with pytest.raises(LedgerError, match="do not match"):
        open_sealed(sealed, seed, {**opening, name: other})
    with pytest.raises(LedgerError, match="does not match"):
        open_disclosures(sealed, [build_disclosure(seed, name, other)])


@repeatable
@given(seeds, seeds, openings)
def test_another_seed_opens_nothing(seed: bytes, other: bytes, opening: dict[str, Any]) -> None:
    if seed != other:
        assert not set(seal(seed, opening).values()) & set(seal(other, opening).values())
        with pytest.raises(LedgerError):
            open_sealed(seal(seed, opening), other, opening)
