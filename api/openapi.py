"""The OpenAPI document: what FastAPI derives from the routes, and what it cannot know.

The request of POST /v1/entries is one of the kinds' models, each with an example that
works on the demonstration; every route may answer with a problem. A new kind appears
here without a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import PROBLEM, TYPE_PREFIX
from api.routes.bulk import BulkLine
from ledger.records.catalog import KINDS
from ledger.records.kind import Kind
from ledger.records.request import example_body, record_model

RECORDABLE = tuple(kind for kind in KINDS if kind.recorders)
REFERENCE = "#/components/schemas/{model}"

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457). `code` is stable; `detail` says what was expected, what "
    "came and what to do.",
    "required": ["type", "title", "title_en", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "examples": [f"{TYPE_PREFIX}invalid_record"]},
        "title": {"type": "string", "description": "In Chinese."},
        "title_en": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["invalid_record"]},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "examples": ["fields.amount_fen"]},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "details": {"type": "object"},
    },
}
_PROBLEM_ANSWER: dict[str, Any] = {
    "description": "A problem.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Make the document; the app keeps it."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A person's token."}
    }
    record_schema = _add_records(schemas)
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            responses.pop("422", None)
            responses["default"] = _PROBLEM_ANSWER
    paths = document["paths"]
    paths["/v1/entries"]["post"]["requestBody"] = _records(record_schema, RECORDABLE)
    approved = tuple(kind for kind in RECORDABLE if kind.approvers)
    paths["/v1/proposals"]["post"]["requestBody"] = _records(record_schema, approved)
    return document


def _records(schema: Mapping[str, Any], kinds: Sequence[Kind[Any]]) -> dict[str, Any]:
    """The request that is one record, with an example of each of these kinds."""
    examples = {
        kind.name: {
            "summary": f"{kind.title_zh} {kind.title_en}",
            "value": example_body(kind),
        }
        for kind in kinds
    }
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"required": True, "content": content}


def _add_records(schemas: dict[str, Any]) -> dict[str, Any]:
    """Put the kinds' models among the schemas; the schema that is one of them."""
    models: dict[str, type[BaseModel]] = {kind.name: record_model(kind) for kind in RECORDABLE}
    every: list[type[BaseModel]] = [*models.values(), BulkLine]
    found, definitions = models_json_schema(
        [(model, "validation") for model in every],
        ref_template=REFERENCE,
    )
    schemas.update(definitions["$defs"])
    references = {name: found[model, "validation"]["$ref"] for name, model in models.items()}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "kind", "mapping": references},
    }
