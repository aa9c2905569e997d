"""Receipts and openings: who may see what, and what may be cached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from caller import Caller, gift
from scribe import FIRST_GIFT
from typer.testing import CliRunner

from ledger.cli import build
from ledger.entry import base64url, open_disclosures, open_sealed, parse_base64url
from ledger.receipt import parse_receipt
from ledger.records.kind import OPENERS, Role
from ledger.tlog.note import format_verifier_key
from ledger.verify import verify_receipt

VALUES = {"donor_name": "示例捐赠人", "order_number": "ORDER-1", "message": "加油"}
PATH = f"/v1/entries/{FIRST_GIFT}/receipt"
OPENING = f"/v1/entries/{FIRST_GIFT}/opening"


@pytest.fixture
def seed(untouched: Caller) -> str:
    found = untouched.book.opening(FIRST_GIFT)
    assert found is not None
    return base64url(found[0])


def verified(service: Caller, data: bytes) -> Any:
    return verify_receipt(data, service.book.verifier_keys)


def test_anybody_gets_the_receipt_without_an_opening(service: Caller) -> None:
    answer = service.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    name = f'attachment; filename="{FIRST_GIFT}.tlog-proof"'
    assert answer.headers["content-disposition"] == name
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "authorization, seed"
    found = verified(service, answer.content)
    assert found.entry.index == FIRST_GIFT
    assert found.values == {}
    assert set(found.hidden) == set(VALUES)
    service.record(gift())
    assert service.get(PATH).content == answer.content


def test_it_is_not_sent_again_to_who_has_it(untouched: Caller) -> None:
    etag = untouched.get(PATH).headers["etag"]
    again = untouched.get(PATH, headers={"If-None-Match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag
    other = untouched.get(PATH, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("role", sorted(Role))
def test_a_role_sees_what_it_may(untouched: Caller, role: Role) -> None:
    answer = untouched.get(PATH, role=role)
    opening = untouched.get(OPENING, role=role)
    if role in OPENERS:
        assert verified(untouched, answer.content).values == VALUES
        assert answer.headers["cache-control"] == "private, no-store"
        assert "etag" not in answer.headers
        assert opening.status_code == 200
        assert opening.headers["cache-control"] == "private, no-store"
    else:
        assert verified(untouched, answer.content).values == {}
        untouched.problem(opening, 403, "opening_not_allowed")
        all_of_it = untouched.get(PATH, role=role, params={"reveal": "all"})
        untouched.problem(all_of_it, 403, "opening_not_allowed")


def test_who_holds_the_seed_sees_all(untouched: Caller, seed: str) -> None:
    answer = untouched.get(PATH, seed=seed)
    assert verified(untouched, answer.content).values == VALUES
    assert answer.headers["cache-control"] == "private, no-store"
    value = untouched.value(OPENING, seed=seed)
    assert (value["index"], value["seed"], value["values"]) == (FIRST_GIFT, seed, VALUES)
    sealed = untouched.value(f"/v1/entries/{FIRST_GIFT}")["entry"]["sealed"]
    open_sealed(sealed, parse_base64url(value["seed"]), value["values"])
    for name, disclosure in value["disclosures"].items():
        assert open_disclosures(sealed, [disclosure]) == {name: VALUES[name]}


def test_a_part_can_be_revealed(untouched: Caller, seed: str) -> None:
    answer = untouched.get(PATH, seed=seed, params={"reveal": "message,donor_name"})
    assert answer.headers["cache-control"] == "private, no-store"
    found = verified(untouched, answer.content)
    assert found.values == {"message": "加油", "donor_name": "示例捐赠人"}
    assert found.hidden == ("order_number",)
    assert parse_receipt(answer.content).opening.seed is None
    unknown = untouched.get(PATH, seed=seed, params={"reveal": "message,diagnosis"})
    untouched.problem(unknown, 404, "unknown_field")
    untouched.problem(untouched.get(PATH, seed=seed, params={"reveal": ""}), 404, "unknown_field")
    untouched.problem(untouched.get(PATH, params={"reveal": "message"}), 403, "opening_not_allowed")


def test_who_may_see_all_may_ask_for_nothing(untouched: Caller, seed: str) -> None:
    answer = untouched.get(PATH, seed=seed, params={"reveal": "none"})
    assert answer.content == untouched.get(PATH).content


@pytest.mark.parametrize("path", [PATH, OPENING])
def test_a_wrong_seed_opens_nothing_whoever_asks(service: Caller, path: str, seed: str) -> None:
    wrong = base64url(bytes(16))
    service.problem(service.get(path, seed=wrong), 403, "wrong_seed")
    service.problem(service.get(path, seed=wrong, role=Role.AUDITOR), 403, "wrong_seed")
    other = service.record(gift(donor_name="另一位"))["index"]
    elsewhere = path.replace(str(FIRST_GIFT), str(other))
    service.problem(service.get(elsewhere, seed=seed), 403, "wrong_seed")


@pytest.mark.parametrize("text", ["", "abc", "=" * 22, "A" * 21, "A" * 23, "A" * 500, "é" * 22])
def test_what_is_no_seed_is_told(untouched: Caller, text: str) -> None:
    answer = untouched.get(PATH, headers={"Seed": text.encode("latin-1")})
    untouched.problem(answer, 400, "invalid_seed")


def test_an_entry_without_personal_fields_has_no_opening(untouched: Caller) -> None:
    untouched.problem(untouched.get("/v1/entries/1/opening", role=Role.AUDITOR), 404, "no_opening")
    answer = untouched.get("/v1/entries/1/receipt", role=Role.AUDITOR)
    assert verified(untouched, answer.content).entry.index == 1
    untouched.problem(untouched.get("/v1/entries/1/opening", seed="A" * 22), 403, "wrong_seed")


@pytest.mark.parametrize("what", ["receipt", "opening", "trace"])
def test_an_entry_that_is_not_there(untouched: Caller, what: str) -> None:
    size = untouched.book.head().size
    answer = untouched.get(f"/v1/entries/{size}/{what}", role=Role.AUDITOR)
    untouched.problem(answer, 404, "no_entry")
    answer = untouched.get(f"/v1/entries/{2**53 - 1}/{what}", role=Role.AUDITOR)
    untouched.problem(answer, 404, "no_entry")
    for text in ("-1", "x", "1.5", str(2**53)):
        answer = untouched.get(f"/v1/entries/{text}/{what}", role=Role.AUDITOR)
        assert untouched.problem(answer, 400, "invalid_parameter")["errors"][0]["field"] == "index"


def test_an_answer_to_a_record_equals_the_receipt_fetched_later(service: Caller) -> None:
    value = service.record(gift(donor_name="某人"))
    answer = service.get(value["links"]["receipt"], role=Role.CLERK)
    assert answer.text == value["receipt"]


def test_a_donor_fetches_by_the_seed_and_shows_one_field_to_a_third_party(
    service: Caller, tmp_path: Path
) -> None:
    """No token anywhere: the seed is the capability, the proof needs only the log's key."""
    body = gift(3_000, donor_name="示例捐赠人庚辛", message="不给别人看")
    recorded = service.record(body)
    opening = parse_receipt(recorded["receipt"].encode()).opening
    assert opening.seed is not None
    seed = base64url(opening.seed)
    path = f"/v1/entries/{recorded['index']}"
    assert service.value(f"{path}/opening", seed=seed)["values"]["message"] == "不给别人看"
    answer = service.get(f"{path}/receipt?reveal=donor_name", seed=seed)
    fetched = verify_receipt(answer.content, service.book.verifier_keys)
    assert fetched.values == {"donor_name": "示例捐赠人庚辛"}
    # The same file is made offline from the receipt that the donor has.
    whole, shown = tmp_path / "whole.tlog-proof", tmp_path / "shown.tlog-proof"
    whole.write_text(recorded["receipt"])
    words = ["reveal", str(whole), "--field", "donor_name", "--output", str(shown)]
    assert CliRunner().invoke(build(), words).exit_code == 0
    assert shown.read_bytes() == answer.content
    key = format_verifier_key(service.book.verifier_keys[0])
    told = CliRunner().invoke(build(), ["verify", str(shown), "--key", key])
    assert told.exit_code == 0
    assert "示例捐赠人庚辛" in told.stdout
    assert "不给别人看" not in told.stdout
