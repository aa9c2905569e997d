"""Codes that a form suggests: the registered things by name, and words in common use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from api.pages.texts import Translator
from ledger.store import Reader

SUGGESTED_MAX = 300
"""Codes of one family that a form carries; who needs another one types it."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "channel": ("wechat", "alipay", "tencent", "bank", "cash", "pos"),
    "payee_class": ("student", "patient", "family", "elderly", "disabled", "orphan", "worker"),
    "recipient_class": ("family", "student", "elderly", "patient", "front-line-worker", "station"),
    "wish_class": ("schoolbag", "book", "outing", "clothes", "shoes", "toy", "stationery"),
}
"""Words that are no registered codes; others may be typed."""

Suggestion = tuple[str, str]
"""A code and what it is called."""


def find_suggestions(
    families: Iterable[str], reader: Reader, translator: Translator
) -> dict[str, list[Suggestion]]:
    """For each family the codes to suggest, by rising code."""
    return {family: _of(family, reader, translator) for family in families}


def _of(family: str, reader: Reader, translator: Translator) -> list[Suggestion]:
    if family in WORDS:
        return [(one, translator.word("suggested", one)) for one in WORDS[family]]
    if family == "purpose":
        return [(one, translator.word("suggested", one)) for one in _purposes(reader)]
    found: list[Suggestion] = []
    for key, data in reader.objects(f"{family}/", limit=SUGGESTED_MAX):
        code = key.removeprefix(f"{family}/")
        value = orjson.loads(data)
        value = value["versions"][-1] if "versions" in value else value
        found.append((code, str(value.get("name", code))))
    return found


def _purposes(reader: Reader) -> list[str]:
    """The purposes of funds and projects."""
    found: set[str] = set()
    for _, data in reader.objects("fund/", limit=SUGGESTED_MAX):
        found.update(orjson.loads(data).get("purposes", ()))
    for _, data in reader.objects("project/", limit=SUGGESTED_MAX):
        found.add(str(orjson.loads(data)["purpose"]))
    return sorted(found)[:SUGGESTED_MAX]
