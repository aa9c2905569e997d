"""Names for what the statistics group by: codes of things, purposes, age bands."""

from __future__ import annotations

from collections.abc import Callable

from api.pages.directory import Directory
from api.pages.entries import common_word
from api.pages.texts import Translator
from ledger.records.totals import UNSPECIFIED
from ledger.statistics import Statistics

ROWS_MAX = 30
"""Rows of one table on the page; the data has all."""
_FAMILY_OF_KEY = {"project": "project", "organiser": "party", "item": "item"}


def statistics_names(
    statistics: Statistics, directory: Directory, translator: Translator
) -> Callable[[str, str], str]:
    """What a page calls the value of a key; looked up while the snapshot is open."""
    tables = (statistics.people_reached, statistics.service)
    cells = [one for table in tables for one in table.cells[:ROWS_MAX]]
    for key, family in _FAMILY_OF_KEY.items():
        directory.look_up(family, [one.key[key] for one in cells if key in one.key])
    directory.look_up("item", [one["item"] for one in statistics.goods[:ROWS_MAX]])
    found = {
        (key, value): directory.place(_FAMILY_OF_KEY[key], value).name
        for one in cells
        for key, value in one.key.items()
    }
    found |= {
        ("item", one["item"]): directory.place("item", one["item"]).name
        for one in statistics.goods[:ROWS_MAX]
    }
    found["purpose", UNSPECIFIED] = translator.text("statistics.unspecified")
    return lambda key, value: found.get((key, value)) or common_word(key, value, translator)
