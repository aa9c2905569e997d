"""Codes that a form suggests: the registered things by name, and words in common use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson

from api.pages.directory import Directory
from api.pages.texts import Translator
from ledger.entry import parse_entry
from ledger.store import Reader

SUGGESTED_MAX = 300
"""Codes of one family that a form carries; who needs another one types it."""
SENDINGS_MAX = 100
"""The newest sendings, among which those are suggested of which something is still on the way."""

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
    if family == "shipment":
        return list(_on_the_way(reader, Directory(reader, translator)))
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


def _on_the_way(reader: Reader, directory: Directory) -> Iterator[Suggestion]:
    """The shipments that are still to be received, the newest first: what, from where to where."""
    head = reader.head()
    size = 0 if head is None else head.size
    sent = reader.newest_of_kinds(["goods.moved"], before=size, limit=SENDINGS_MAX)
    found = reader.chosen_entries(sent)
    for index in sent:
        fields = parse_entry(found[index]).fields
        code, asset = fields["shipment"], f"item:{fields['item']}"
        left = reader.account_total(asset, f"transit:{code}")
        if left is not None and left.held:
            amount = directory.amount(asset, left.held)
            item = directory.place("item", fields["item"]).name
            places = (directory.place("site", fields[one]).name for one in ("from_site", "to_site"))
            yield code, f"{item} {amount.number} {amount.unit} · {' → '.join(places)}"
