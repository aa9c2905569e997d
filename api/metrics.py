"""Counters of one process, in Prometheus' text form (version 0.0.4).

Counted here are requests and lines of bulk requests; the rest is read from the ledger
when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Value = int | float
Labels = tuple[tuple[str, str], ...]
"""Names and values; values come from fixed lists, so that none needs escaping."""


@dataclass(slots=True)
class Counters:
    """What this process counts itself; changed in the event loop only."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    bulk_lines: Counter[Literal["recorded", "replayed", "refused"]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Mapping[Labels, Value]


def one(name: str, kind: Literal["counter", "gauge"], text: str, value: Value) -> Metric:
    """A metric that has no labels."""
    return Metric(name, kind, text, {(): value})


def format_metrics(metrics: Iterable[Metric]) -> str:
    """Write metrics in the text form."""
    lines: list[str] = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in sorted(metric.samples.items()):
            inside = ",".join(f'{label}="{text}"' for label, text in labels)
            name = f"{metric.name}{{{inside}}}" if inside else metric.name
            lines.append(f"{name} {value}")
    return "\n".join(lines) + "\n"
