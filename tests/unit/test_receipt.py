"""Receipts: written and read back, and each way in which a file is not one."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import sample_log

from ledger.entry import format_canonical
from ledger.errors import MalformedError, NotFoundError
from ledger.receipt import (
    HEADER,
    RECEIPT_BYTES_MAX,
    Opening,
    Receipt,
    build_receipt,
    parse_receipt,
    reveal_fields,
)

SEED = bytes(range(16))
ENTRY = b"entry bytes"
HASHES = (bytes(32), bytes(range(32)))
CHECKPOINT = b"origin\n2\nroot\n\n\xe2\x80\x94 name signature\n"
OPENINGS = {
    "full": Opening(ENTRY, SEED, {"donor_name": "示例", "order_number": "X-1"}),
    "partial": Opening(ENTRY, disclosures=("YQ", "YWI")),
    "none": Opening(ENTRY),
}


def text_of(opening: object) -> bytes:
    """A receipt whose extra line holds this value."""
    return receipt(b64encode(format_canonical(opening)))


def receipt(extra: bytes = b"", index: bytes = b"index 3", proof: bytes = b"") -> bytes:
    extra = extra or b64encode(format_canonical({"entry": ""}))
    return HEADER + b"\nextra " + extra + b"\n" + index + proof + b"\n\n" + CHECKPOINT


@pytest.mark.parametrize("form", sorted(OPENINGS))
@pytest.mark.parametrize("proof", [(), HASHES, HASHES[:1] * 63])
def test_what_was_built_is_read_back(form: str, proof: tuple[bytes, ...]) -> None:
    whole = Receipt(12, proof, CHECKPOINT, OPENINGS[form])
    data = build_receipt(whole)
    assert parse_receipt(data) == whole
    assert build_receipt(parse_receipt(data)) == data


def test_the_file_is_the_one_of_the_specification() -> None:
    data = build_receipt(Receipt(12, HASHES, CHECKPOINT, OPENINGS["full"]))
    extra = (
        b'{"entry":"ZW50cnkgYnl0ZXM=","seed":"AAECAwQFBgcICQoLDA0ODw",'
        + '"values":{"donor_name":"示例","order_number":"X-1"}}'.encode()
    )
    assert data == (
        b"c2sp.org/tlog-proof@v1\nextra "
        + b64encode(extra)
        + b"\nindex 12\n"
        + b64encode(HASHES[0])
        + b"\n"
        + b64encode(HASHES[1])
        + b"\n\n"
        + CHECKPOINT
    )


def test_nothing_secret_is_in_a_repr() -> None:
    for opening in OPENINGS.values():
        assert "示例" not in repr(opening)
        assert "YWI" not in repr(opening)
        assert repr(SEED) not in repr(opening)


def test_the_smallest_receipt() -> None:
    assert parse_receipt(receipt()) == Receipt(3, (), CHECKPOINT, Opening(b""))


@pytest.mark.parametrize("data", [b"", b"\n", HEADER, b"c2sp.org/tlog-proof@v2\nextra \n", b"{}"])
def test_another_first_line_is_no_receipt(data: bytes) -> None:
    with pytest.raises(MalformedError, match="whose first line is") as got:
        parse_receipt(data)
    assert got.value.code == "not_a_receipt"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_a_receipt_without_its_checkpoint_was_cut_short(end: bytes) -> None:
    with pytest.raises(MalformedError, match="cut short") as got:
        parse_receipt(receipt().removesuffix(b"\n\n" + CHECKPOINT) + end)
    assert got.value.code == "receipt_truncated"


LINE = b"\n" + b64encode(bytes(32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEADER + b"\n\n" + CHECKPOINT, "a line 'extra ...'"),
        (HEADER + b"\nindex 3\n\n" + CHECKPOINT, "a line 'extra ...'"),
        (HEADER + b"\nextra eyJ\n\n" + CHECKPOINT, "a line 'index <n>'"),
        (receipt(index=b"index 03"), "a line 'index <n>'"),
        (receipt(index=b"index -3"), "a line 'index <n>'"),
        (receipt(index=b"index " + b"9" * 20), "a line 'index <n>'"),
        (receipt(index=b"index 3 "), "a line 'index <n>'"),
        (receipt(index="index ３".encode()), "a line 'index <n>'"),
        (receipt(proof=LINE * 64), "at most 63 hashes, got 64"),
        (receipt(proof=b"\n" + b64encode(bytes(31))), "proof lines of 32 bytes"),
        (receipt(proof=LINE + b"\r"), "proof line"),
        (receipt(proof=LINE[:-1]), "proof line"),
        (receipt(proof="\né".encode()), "proof line: expected base64"),
        (receipt(extra=b"e30"), "extra line"),
        (receipt(extra=b" e30="), "extra line"),
        (receipt(extra=b64encode(b"not json")), "canonical JSON"),
        (receipt(extra=b64encode(b'{"entry": ""}')), "canonical JSON"),
        (b"".join((receipt(), b"x" * RECEIPT_BYTES_MAX)), "at most 1000000 bytes"),
    ],
)
def test_each_line_is_checked(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_receipt(data)


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        ([], "an opening with the entry"),
        ({}, "an opening with the entry"),
        ({"entry": "", "note": ""}, "an opening with the entry"),
        ({"entry": "", "seed": "AAECAwQFBgcICQoLDA0ODw"}, "an opening with the entry"),
        ({"entry": "", "seed": "", "values": {}, "disclosures": []}, "an opening with the entry"),
        ({"entry": 1}, "the entry as base64"),
        ({"entry": "YQ"}, "entry of the opening"),
        ({"entry": "", "seed": 1, "values": {"a": 1}}, "a seed as text"),
        ({"entry": "", "seed": "AAECAwQFBgcICQoLDA0ODw", "values": []}, "a seed as text"),
        ({"entry": "", "seed": "AAECAwQFBgcICQoLDA0ODw", "values": {}}, "at least one value"),
        ({"entry": "", "seed": "A===", "values": {"a": 1}}, "opening: seed"),
        ({"entry": "", "seed": "AAEC", "values": {"a": 1}}, "a seed of 16 bytes"),
        (
            {
                "entry": "",
                "seed": "AAECAwQFBgcICQoLDA0ODw",
                "values": {f"n{number}": 1 for number in range(33)},
            },
            "at most 32 values",
        ),
        ({"entry": "", "disclosures": {}}, "at most 32 disclosures"),
        ({"entry": "", "disclosures": ["YQ"] * 33}, "at most 32 disclosures"),
        ({"entry": "", "disclosures": [1]}, "disclosures as text"),
        ({"entry": "", "disclosures": []}, "at least one disclosure"),
    ],
)
def test_the_opening_is_checked(opening: object, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_receipt(text_of(opening))


def test_a_receipt_of_a_log_is_read_and_written_alike() -> None:
    log: Any = sample_log.gifts(5)
    for reveal in ("all", "none", ["contact"], ["contact", "donor_name"]):
        data = log.receipt(3, reveal)
        assert build_receipt(parse_receipt(data)) == data


def test_single_fields_are_revealed_from_what_opens_them() -> None:
    entry = sample_log.gifts(3).data[1]
    whole = Opening(entry, sample_log.seed_of(1), sample_log.VALUES)
    name = sorted(sample_log.VALUES)[0]
    one = reveal_fields(whole, [name])
    assert (one.seed, len(one.disclosures)) == (None, 1)
    assert reveal_fields(one, [name]) == one
    for opening, names, has in ((whole, [], name), (one, ["nothing"], name), (one, [], name)):
        with pytest.raises(NotFoundError, match=has):
            reveal_fields(opening, names)
