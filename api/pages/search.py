"""One search box: it knows what was typed, and says what it looked for.

An entry's number, a receipt's short code or locator, a hash, a day, the code or the name
of a thing. Everything that the text can be is tried, each by index or in a bounded look.

An external order number is sealed (design, section 3): whether the ledger has it is told
to nobody here, not even by an answer that takes longer, because it is never looked for.
Who holds the receipt proves it there; staff find it in their own pages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from api.pages.directory import Directory
from api.pages.kinds import kind_title
from api.pages.listing import first_of_day
from api.pages.texts import Translator
from ledger.day import parse_day
from ledger.entry import parse_entry
from ledger.errors import LedgerError, MalformedError
from ledger.locator import log_id, parse_locator, parse_short_code
from ledger.store import LeafPlaces, Reader

TEXT_MAX = 200
NAMED_MAX = 2_000
"""Things of one family whose names are looked through."""
NAMED_SHOWN = 20
NAMED_FOUND_MAX = 200
"""Things of one family in which the text stands anywhere."""
ORDER_CHARS_MIN = 8
"""Letters and digits that an order number of a payment platform has at least."""

FAMILIES = ("project", "fund", "item", "campaign", "site", "party", "rule", "wish", "shipment")

_HASH = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?")
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ORDER = re.compile(rf"[0-9A-Za-z_-]{{{ORDER_CHARS_MIN},64}}")


@dataclass(frozen=True, slots=True)
class Result:
    """Something that was found; `what` says what it is to the text."""

    what: str
    name: str
    href: str
    note: str = ""


@dataclass(slots=True)
class Findings:
    """The answer.

    Attributes:
        looked_for: What the text was taken for, in the order in which it was tried.
        results: What was found.
        hints: What to do where the text looks like something that is not found here.
    """

    looked_for: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def locator_entry(text: str, origin: str) -> int | None:
    """The entry that a locator leads to; None where the text is none, or another log's.

    A locator may hold the seed that opens personal fields: who finds one in the box leads
    on without it and shows it nowhere.
    """
    try:
        found = parse_locator(text.strip().rpartition("#")[2])
    except LedgerError:
        return None
    return found.index if found.log_id == log_id(origin) else None


def search(
    text: str,
    *,
    reader: Reader,
    leaves: LeafPlaces,
    origin: str,
    size: int,
    directory: Directory,
    translator: Translator,
) -> Findings:
    """Look for a text in everything that the pages show.

    Args:
        text: As it was typed, at most `TEXT_MAX` characters; not empty.
        reader: The snapshot to look in; `size` is its size.
        leaves: Where leaf hashes stand in the log.
        origin: The log's, for short codes.
        directory: Names of things in that snapshot.
        translator: The words of the answer.
    """
    typed = unicodedata.normalize("NFKC", text[:TEXT_MAX]).strip()
    looker = _Looker(typed, reader, leaves, origin, size, directory, translator)
    looker.number()
    looker.short_code()
    looker.hash()
    looker.day()
    looker.things()
    if not looker.found.results:
        looker.mistyped()
        looker.order_number()
    return looker.found


class _Looker:
    def __init__(
        self,
        typed: str,
        reader: Reader,
        leaves: LeafPlaces,
        origin: str,
        size: int,
        directory: Directory,
        translator: Translator,
    ) -> None:
        self._typed = typed
        self._reader = reader
        self._leaves = leaves
        self._origin = origin
        self._size = size
        self._directory = directory
        self._translator = translator
        self._mistyped = False
        self.found = Findings()

    def number(self) -> None:
        """The number of an entry, with or without #."""
        digits = self._typed.removeprefix("#")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(self._size))):
            return
        self.found.looked_for.append(self._text("number"))
        if int(digits) < self._size:
            self._entry(int(digits), "number")

    def short_code(self) -> None:
        """A receipt's short code."""
        if len(re.sub(r"\W", "", self._typed)) < ORDER_CHARS_MIN:
            return
        try:
            index = parse_short_code(self._origin, self._typed)
        except MalformedError:
            return
        except LedgerError:
            if "-" in self._typed or " " in self._typed:
                self.found.looked_for.append(self._text("short_code"))
                self._mistyped = True
            return
        self.found.looked_for.append(self._text("short_code"))
        if index < self._size:
            self._entry(index, "short_code")

    def mistyped(self) -> None:
        """What nothing else is may be a short code with a wrong symbol."""
        if self._mistyped:
            self.found.hints.append(self._text("short_code_wrong"))

    def hash(self) -> None:
        """A leaf hash, a root, the SHA-256 of a document."""
        digest = self._typed.lower()
        if not _HASH.fullmatch(digest):
            return
        self.found.looked_for.append(self._text("hash"))
        data = bytes.fromhex(digest)
        leaf = self._leaves.find(self._reader, data)
        if leaf is not None:
            self._entry(leaf, "leaf")
        size = self._reader.size_of_root(data)
        if size is not None:
            name = self._translator.text("found.of_size", size=f"{size:,}")
            self._add("root", name, f"/entries/{size - 1}" if size else "/entries")
        named = self._reader.objects(f"documented/{digest}/", limit=NAMED_SHOWN + 1)
        for _, found in named[:NAMED_SHOWN]:
            self._entry(orjson.loads(found)["entry"], "document")
        if len(named) > NAMED_SHOWN:
            self.found.hints.append(self._text("more_documents"))

    def day(self) -> None:
        """A day: the entries that were recorded on it."""
        parts = _DAY.fullmatch(self._typed)
        if parts is None:
            return
        year, month, day = parts.groups()
        try:
            asked = parse_day(f"{year}-{int(month):02d}-{int(day):02d}", "q")
        except MalformedError:
            return
        self.found.looked_for.append(self._text("day"))
        first = first_of_day(self._reader, self._size, asked)
        if first < self._size:
            name = self._translator.text("found.on_day", day=asked)
            self._add("day", name, f"/entries?from={asked}&to={asked}")

    def things(self) -> None:
        """Things by their code, or with the text in their name, code or other names."""
        if not self._typed or _HASH.fullmatch(self._typed.lower()):
            return
        self.found.looked_for.append(self._text("thing"))
        asked = self._typed.casefold()
        for family in FAMILIES:
            for code, thing in self._candidates(family, asked):
                place = self._directory.place(family, code)
                what = self._translator.word("family", family)
                href = place.href or f"/entries/{thing['entry']}"
                self.found.results.append(Result(what, place.name, href, code))

    def _candidates(self, family: str, asked: str) -> Iterator[tuple[str, Any]]:
        """The thing of that very code, and those that are named so."""
        exact = self._directory.thing(family, asked) if _CODE.fullmatch(asked) else None
        if exact is not None:
            yield asked, exact
        shown = 0
        # What the database takes for it may be another field's text: names are compared here.
        text = orjson.dumps(asked).decode()[1:-1]
        found = self._reader.objects_with(
            f"{family}/", text, looked_at=NAMED_MAX, limit=NAMED_FOUND_MAX
        )
        for key, data in found:
            code = key.removeprefix(f"{family}/")
            thing = orjson.loads(data)
            latest = thing["versions"][-1] if "versions" in thing else thing
            names = (code, str(latest.get("name", "")), *latest.get("aliases", ()))
            if code != asked and any(asked in name.casefold() for name in names):
                shown += 1
                if shown > NAMED_SHOWN:
                    self.found.hints.append(self._text("more"))
                    return
                yield code, thing

    def order_number(self) -> None:
        """What may be an order number of a payment platform is not looked for."""
        digits = sum(one.isdigit() for one in self._typed)
        hash_ = _HASH.fullmatch(self._typed.lower())
        if _ORDER.fullmatch(self._typed) and digits >= ORDER_CHARS_MIN // 2 and not hash_:
            self.found.hints.append(self._text("order_number"))

    def _entry(self, index: int, what: str) -> None:
        entry = parse_entry(self._reader.entry(index))
        title = kind_title(entry.kind, self._translator)
        name = self._translator.text("entry.title", index=index, kind=title)
        self._add(what, name, f"/entries/{index}", entry.occurred_on)

    def _add(self, what: str, name: str, href: str, note: str = "") -> None:
        self.found.results.append(Result(self._translator.text(f"found.{what}"), name, href, note))

    def _text(self, name: str) -> str:
        return self._translator.text(f"looked.{name}")
