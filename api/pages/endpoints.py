"""The service's paths for programs, listed from its own OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API."""

    method: str
    path: str
    summary: str
    description: str


def list_endpoints(document: Mapping[str, Any]) -> list[Endpoint]:
    """Every operation of an OpenAPI document, by its path."""
    return [
        Endpoint(
            method.upper(),
            path,
            operations[method].get("summary", ""),
            operations[method].get("description", ""),
        )
        for path, operations in sorted(document["paths"].items())
        for method in METHODS
        if method in operations
    ]
