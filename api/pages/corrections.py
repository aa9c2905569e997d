"""A correction for people: both sides as a table, and the drafted notice (更正说明).

The notice is made from the log alone and is a draft: what only people know (where and when
it is published, who signs) is left blank. Personal fields stay sealed; persons are shown by
their pseudonymous ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.pages.directory import Directory
from api.pages.entries import shown_text
from api.pages.format import format_instant
from api.pages.kinds import kind_title
from api.pages.texts import LANGUAGES, Translator
from ledger.correction import Correction, read_correction, read_later_uses
from ledger.entry import Entry
from ledger.errors import NotFoundError
from ledger.flows import REVERSAL
from ledger.records.later_uses import LaterUses
from ledger.store import Reader

BLANKS = ("published_on", "published_where", "contact", "signed_by")
BLANK = "＿＿＿＿＿＿＿＿"


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One value on both sides, as people read it."""

    label: str
    old: str
    new: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A drafted notice: title, paragraphs with facts, and blanks to fill in."""

    title: str
    paragraphs: tuple[tuple[str, tuple[str, ...]], ...]
    blanks: tuple[str, ...]

    def as_text(self) -> str:
        """The notice as plain text."""
        lines = [self.title, ""]
        for sentence, facts in self.paragraphs:
            lines += [sentence, *(f"  - {fact}" for fact in facts), ""]
        return "\n".join([*lines, *(f"{blank} {BLANK}" for blank in self.blanks)]) + "\n"


@dataclass(frozen=True, slots=True)
class UseRow:
    """A later use of an entry: what it is, why it stands in the way, how it is undone."""

    entry: int
    title: str
    why: str
    of: tuple[int, ...]
    undone_by: str


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What the page of a correction shows."""

    correction: Correction
    rows: tuple[ComparedRow, ...]
    notice: Notice


def correction_view(
    reader: Reader, index: int, origin: str, organisation: str, translator: Translator
) -> CorrectionView | None:
    """The correction that an entry belongs to; None where it belongs to none.

    Raises:
        NotFoundError: no such entry.
    """
    try:
        found = read_correction(reader, index)
    except NotFoundError as error:
        if error.code != "no_correction":
            raise
        return None
    directory = Directory(reader, translator)
    rows = tuple(_rows(found, directory, translator))
    return CorrectionView(found, rows, _notice(found, rows, origin, organisation, translator))


def correction_json(reader: Reader, index: int, origin: str, organisation: str) -> dict[str, Any]:
    """A correction as plain values, with its notice in every language.

    Raises:
        NotFoundError: no such entry, or nothing corrects it (``no_correction``).
    """
    found = read_correction(reader, index)
    notice = {}
    for language in LANGUAGES:
        view = correction_view(reader, index, origin, organisation, Translator(language))
        assert view is not None, "it was found above"
        notice[language] = view.notice.as_text()
    return {**found.as_json(), "notice": notice}


def later_uses_json(found: LaterUses, size: int) -> dict[str, Any]:
    """What has to be undone first, as plain values with the kinds' titles."""
    titles = {one: Translator(one) for one in LANGUAGES}
    return {
        "index": found.entry,
        "as_of": size,
        "undo_first": [
            {
                **one.as_json(),
                **{f"title_{name}": kind_title(one.kind, titles[name]) for name in LANGUAGES},
                "links": {"self": f"/v1/entries/{one.entry}", "page": f"/entries/{one.entry}"},
            }
            for one in found.uses
        ],
        "truncated": found.truncated,
    }


def use_rows(reader: Reader, index: int, translator: Translator) -> tuple[list[UseRow], bool]:
    """What has to be undone before an entry can be reversed, and whether that is not all."""
    found = read_later_uses(reader, index)
    rows = [
        UseRow(
            one.entry,
            kind_title(one.kind, translator),
            translator.text("units.comma").join(translator.word("why", why) for why in one.why),
            one.of,
            translator.text("uses.never")
            if one.undone_by is None
            else kind_title(one.undone_by, translator),
        )
        for one in found.uses
    ]
    return rows, found.truncated


def format_uses(reader: Reader, index: int, translator: Translator) -> str:
    """What has to be undone first, as lines of text, in that order."""
    rows, truncated = use_rows(reader, index, translator)
    if not rows:
        return translator.text("uses.none") + "\n"
    lines = [translator.text("uses.about")]
    for row in rows:
        of = translator.text("units.comma").join(f"#{one}" for one in row.of)
        lines.append(f"#{row.entry} {row.title} ({row.why}: {of}) → {row.undone_by}")
    if truncated:
        lines.append(translator.text("uses.truncated"))
    return "\n".join(lines) + "\n"


def _rows(found: Correction, directory: Directory, translator: Translator) -> Iterator[ComparedRow]:
    new_entry = found.replacements[0] if found.replacements else found.corrected
    for one in found.differences:
        side = found.corrected if one.old is not None else new_entry
        label, old = shown_text(side, one.path, one.old, directory, translator)
        _, new = shown_text(new_entry, one.path, one.new, directory, translator)
        yield ComparedRow(label, old, new, one.differs)


def _notice(
    found: Correction,
    rows: tuple[ComparedRow, ...],
    origin: str,
    organisation: str,
    translator: Translator,
) -> Notice:
    text = translator.text
    paragraphs: list[tuple[str, tuple[str, ...]]] = [
        (text("notice.what", organisation=organisation, origin=origin), ()),
        (
            _entry_words("notice.entry", found.corrected, translator),
            tuple(text("notice.fact", label=row.label, value=row.old) for row in rows if row.old)
            if found.entry.kind == REVERSAL
            else (),
        ),
    ]
    if found.hidden:
        paragraphs.append((text("notice.hidden"), ()))
    else:
        paragraphs.append((text("notice.why", reason=found.reason), ()))
        paragraphs.append(_right(found, rows, translator))
    paragraphs.append((_entry_words("notice.how", found.entry, translator), ()))
    for index in found.notices:
        paragraphs.append((text("notice.published", entry=index), ()))
    paragraphs.append((text("notice.as_of", size=found.size, last=found.size - 1), ()))
    blanks = tuple(text(f"notice.{name}") for name in BLANKS)
    return Notice(text("notice.title"), tuple(paragraphs), blanks)


def _right(
    found: Correction, rows: tuple[ComparedRow, ...], translator: Translator
) -> tuple[str, tuple[str, ...]]:
    """What is right now."""
    text = translator.text
    changed = [row for row in rows if row.differs]
    if found.entry.kind != REVERSAL:
        (row,) = rows
        return text("notice.annotated", label=row.label, old=row.old or "—", new=row.new), ()
    if not found.replacements:
        return text("notice.reversed"), ()
    entries = text("units.comma").join(f"#{one.index}" for one in found.replacements)
    facts = tuple(
        text("notice.change", label=row.label, old=row.old or "—", new=row.new or "—")
        for row in changed
    )
    return text("notice.replaced", entries=entries), facts


def _entry_words(key: str, entry: Entry, translator: Translator) -> str:
    approved = (
        translator.text("notice.approved", person=entry.approved_by) if entry.approved_by else ""
    )
    return translator.text(
        key,
        entry=entry.index,
        kind=kind_title(entry.kind, translator),
        day=entry.occurred_on,
        instant=format_instant(entry.recorded_at),
        person=entry.recorded_by,
        approved=approved,
    )
