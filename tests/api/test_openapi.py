"""The OpenAPI document: complete, true, and with examples that work when pasted."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from caller import ROUTES, Caller

from api.openapi import RECORDABLE
from ledger.demonstration import PEOPLE
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Role
from ledger.verify import verify_receipt


def document(service: Caller) -> Any:
    return service.value("/openapi.json")


def test_every_route_is_documented(untouched: Caller) -> None:
    paths = document(untouched)["paths"]
    for route in ROUTES:
        if not route.include_in_schema:
            continue
        path = route.path.replace(":path}", "}")
        for method in route.methods or ():
            operation = paths[path][method.lower()]
            assert operation["summary"], path
            assert operation["description"], path
            problem = operation["responses"]["default"]["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert "422" not in operation["responses"]


def test_every_reference_leads_somewhere(untouched: Caller) -> None:
    text = untouched.get("/openapi.json").text
    schemas = document(untouched)["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names <= set(schemas)
    assert "#/$defs/" not in text


def test_the_document_names_no_other_site(untouched: Caller) -> None:
    text = untouched.get("/openapi.json").text
    assert re.findall(r"https?://[^\s\"\\]+", text) == []


def test_recording_takes_one_of_all_kinds(untouched: Caller) -> None:
    value = document(untouched)
    operation = value["paths"]["/v1/entries"]["post"]
    assert operation["security"] == [{"bearer": []}]
    headers = {one["name"]: one["required"] for one in operation["parameters"]}
    assert headers == {"Idempotency-Key": True, "Approval": False}
    content = operation["requestBody"]["content"]["application/json"]
    names = {kind.name for kind in RECORDABLE}
    assert names == set(KIND_BY_NAME) - {"log.opened"}
    assert set(content["examples"]) == set(content["schema"]["discriminator"]["mapping"]) == names
    references = [one["$ref"] for one in content["schema"]["oneOf"]]
    assert references == list(content["schema"]["discriminator"]["mapping"].values())
    for name, reference in content["schema"]["discriminator"]["mapping"].items():
        schema = value["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["properties"]["kind"]["const"] == name
        assert {"kind", "occurred_on", "fields"} <= set(schema["required"])
        assert schema["additionalProperties"] is False


def test_each_example_works_when_pasted_on_the_demonstration(loaded: Caller) -> None:
    content = document(loaded)["paths"]["/v1/entries"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    size = loaded.book.head().size
    for number, (name, example) in enumerate(examples.items()):
        kind = KIND_BY_NAME[name]
        approval = next((role for role in PEOPLE if role in kind.approvers), None)
        role = next(role for role in PEOPLE if role in kind.recorders)
        value = loaded.record(example["value"], role=role, approval=approval)
        assert value["index"] == size + number
        verified = verify_receipt(value["receipt"].encode(), loaded.book.verifier_keys)
        assert verified.entry.kind == name
        assert verified.values == example["value"].get("sealed", {})


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/kinds"])
def test_documentation_needs_no_token(untouched: Caller, path: str) -> None:
    assert untouched.get(path).status_code == 200


# What nobody without the right may ever read

CANARIES = {
    "donor_name": "金丝雀甲",
    "contact": "canary-contact-7f3a",
    "order_number": "CANARY-ORDER-5581",
    "message": "金丝雀的留言",
}


def samples(index: int) -> dict[str, str]:
    """A value for each parameter of a path."""
    return {
        "index": str(index),
        "path": "entries/000.p/1",
        "name": "donation.money",
        "code": "general",
        "asset": "CNY",
        "account": "fund:general",
        "digest": "0",
        "id": "1",
        "size": "1",
        "authority": "tsa",
        "form": "csv",
        "number": "1",
        "token": "0" * 32,
    }


def test_no_answer_shows_a_personal_field_without_the_right(service: Caller) -> None:
    body = {
        "kind": "donation.money",
        "occurred_on": "2022-01-10",
        "fields": {"fund": "general", "amount_fen": 100, "channel": "bank"},
        "sealed": CANARIES,
    }
    value = service.record(body)
    index, size = value["index"], value["size"]
    opened = service.book.opening(index)
    assert opened is not None
    values = samples(index)
    paths = [
        re.sub(r"\{(\w+)(?::path)?\}", lambda match: values[match[1]], route.path)
        for route in ROUTES
        if "GET" in (route.methods or ())
    ]
    assert len(paths) > 20
    paths += [
        f"/v1/proofs/inclusion?index={index}",
        "/v1/proofs/consistency?old=1",
        f"/v1/entries/{index}/trace?proof=true",
        f"/v1/entries/{index}/trace?direction=backward&proof=true",
        f"/v1/entries?before={size}&limit=500",
        f"/tile/entries/000.p/{size}",
        f"/v1/entries/{index}/receipt?reveal=all",
        f"/v1/entries/{index}/receipt?reveal=donor_name",
    ]
    for role in (None, Role.REGISTRAR, Role.WAREHOUSE, Role.SHOP):
        for path in paths:
            answer = service.portal.call(
                service._call,
                "GET",
                path,
                {"Authorization": f"Bearer {service.tokens[role]}"} if role else {},
                {},
            )
            assert answer.status_code < 500, path
            assert_hides(answer.content, opened[0], path)


def assert_hides(content: bytes, seed: bytes, path: str) -> None:
    """No canary and no seed, in clear or in any base64 inside."""
    layers = [content]
    for _ in range(3):
        layers += [decoded for layer in layers[-1:] for decoded in base64_parts(layer)]
    for layer in layers:
        assert seed not in layer, path
        for canary in CANARIES.values():
            assert canary.encode() not in layer, path
            assert canary.encode("ascii", "backslashreplace") not in layer, path


def base64_parts(data: bytes) -> list[bytes]:
    """What the longer runs of base64 in some bytes say, joined."""
    parts = []
    for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}={0,2}", data):
        text = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        text = text[: len(text) - (len(text) % 4 == 1)]
        parts.append(base64.b64decode(text + b"=" * (-len(text) % 4)))
    return [b"\n".join(parts)]


def test_the_canary_would_be_seen(service: Caller) -> None:
    """The search above finds what it looks for, where the right is there."""
    body = {
        "kind": "donation.money",
        "occurred_on": "2022-01-10",
        "fields": {"fund": "general", "amount_fen": 100, "channel": "bank"},
        "sealed": CANARIES,
    }
    index = service.record(body)["index"]
    opened = service.book.opening(index)
    assert opened is not None
    for what in ("receipt", "opening", "receipt?reveal=message"):
        answer = service.get(f"/v1/entries/{index}/{what}", role=Role.AUDITOR)
        with pytest.raises(AssertionError):
            assert_hides(answer.content, opened[0], what)
