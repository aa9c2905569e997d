"""What stands on a receipt: plain values from a receipt that has been verified again.

Whatever the page says comes from the receipt's own bytes, which are verified before a
word of it is set, and from the names that the log has registered for its codes. Personal
fields are those that the receipt opens, so the page never shows more than its file. The
one thing that is not the receipt's own is what happened to the entry since: a receipt of
a gift that was reversed or refunded says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from api.pages.directory import Directory
from api.pages.entries import FieldRow, Shown, entry_view
from api.pages.format import format_count_words, format_instant, format_yuan_words
from api.pages.kinds import kind_title, order_of
from api.pages.texts import LANGUAGES, Translator
from api.receipts_pdf.code import locator_picture
from api.receipts_pdf.glyphs import lacking, name_characters, printable
from ledger.book import Book, Reveal
from ledger.correction import corrections_of, replaced_by
from ledger.entry import base64url
from ledger.errors import CorruptionError, LedgerError, PendingError
from ledger.locator import Locator, format_short_code, locator_link, log_id
from ledger.receipt import SUFFIX, parse_receipt
from ledger.store import Reader
from ledger.tlog.policy import Policy
from ledger.verify import Language, VerifiedReceipt, verify_receipt

SUMS_MAX = 6
"""Movements that a receipt writes out in words; it counts the others."""
FACTS_MAX = 30
"""Public fields that a receipt shows; the attached file has all."""
VALUE_CHARS_MAX = 400
"""Characters of one value on paper; the attached file has all of it."""
FILE_MEDIA_TYPE = "text/plain"
"""Of the attached proof file, as `ledger.receipt.MEDIA_TYPE` without its parameter."""
MINUTES_PER_HOUR = 60

Both = tuple[str, str]
"""One text in the reader's language, then in the other one."""

_LIMITS = ("proves", "bound", "arrival", "official", "check")
_MONEY = "CNY"


@dataclass(frozen=True, slots=True)
class Row:
    """A label in both languages, and its value."""

    label: Both
    value: str


@dataclass(frozen=True, slots=True)
class Sum:
    """One movement: how much, in digits and in words, and from where to where."""

    label: Both
    number: str
    words_label: Both
    words: str
    way: str


@dataclass(frozen=True, slots=True)
class Paper:
    """One receipt, ready to be set. `receipt` is the file that the PDF carries.

    `made_at` is when its entry was recorded, in seconds since 1970: the PDF's own date.
    """

    index: int
    file: str
    media_type: str
    receipt: str = field(repr=False)
    made_at: int
    lang: Language
    organisation: str
    title: Both
    kind: Both
    number: str
    about: str
    notices: Sequence[str]
    sums: Sequence[Sum]
    sums_more: str
    headings: Mapping[str, Both]
    facts: Sequence[Row]
    personal: Sequence[Row] = field(repr=False)
    personal_note: str
    proof: Sequence[Row]
    limits: Sequence[Both]
    qr: str = field(repr=False)
    qr_alt: str
    short_code: str
    short_label: Both
    scan: Both
    footer: str
    glyphs: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for the template."""
        return asdict(self)


def draw_up(
    book: Book, index: int, *, reveal: Reveal, language: Language, site: str | None
) -> tuple[Paper, bool]:
    """The paper of an entry's receipt, and whether that is settled (see ``witnessing``).

    Args:
        book: The log.
        index: The entry.
        reveal: Which personal fields it opens; whoever asks must have the right to it.
        language: The reader's; the other one stands beside it in small.
        site: Where the pages are, for the QR code: ``https://host``. None for no code.

    Raises:
        NotFoundError: no such entry, or no such field to reveal.
        CorruptionError: the log's own receipt does not verify.
    """
    data, settled = book.receipt_and_standing(index, reveal=reveal)
    verified = _verified(book, data)
    with book.store.read() as reader:
        drafter = _Drafter(book, reader, language)
        return drafter.paper(data, verified, settled, site), settled


def _verified(book: Book, data: bytes) -> VerifiedReceipt:
    policy: Policy = replace(book.witnessing.policy, log_keys=book.key_history.policy().log_keys)
    try:
        found: object = verify_receipt(data, policy)
    except PendingError as error:
        found = error.result
    except LedgerError as error:
        raise CorruptionError(f"the log's own receipt does not verify: {error}") from None
    assert isinstance(found, VerifiedReceipt)
    return found


class _Drafter:
    """Writes papers in one language from one snapshot."""

    def __init__(self, book: Book, reader: Reader, language: Language) -> None:
        self._book = book
        self._reader = reader
        other = next(one for one in LANGUAGES if one != language)
        self._own, self._other = Translator(language), Translator(other)
        self._directory = Directory(reader, self._own)

    def paper(
        self, data: bytes, verified: VerifiedReceipt, settled: bool, site: str | None
    ) -> Paper:
        entry = verified.entry
        receipt = parse_receipt(data)
        hidden = self._object(f"hidden/{entry.index}")
        sums = [self._sum(one) for one in entry.postings[:SUMS_MAX]]
        more = max(0, len(entry.postings) - SUMS_MAX)
        facts = [] if hidden else self._fields(verified, receipt.opening.entry)
        personal = list(self._personal(verified))
        locator = Locator(log_id(self._book.origin), entry.index, receipt.opening.seed)
        link = None if site is None else locator_link(site, locator)
        organisation = str(self._book.opened.fields["organisation"])
        kind = (kind_title(entry.kind, self._own), kind_title(entry.kind, self._other))
        missing = lacking(
            "".join(row.value for row in (*facts, *personal))
            + "".join(one.number + one.words + one.way for one in sums)
            + organisation
        )
        return Paper(
            index=entry.index,
            file=f"{entry.index}{SUFFIX}",
            media_type=FILE_MEDIA_TYPE,
            receipt=data.decode(),
            made_at=int(datetime.fromisoformat(entry.recorded_at).timestamp()),
            lang=self._own.language,
            organisation=printable(organisation),
            title=self._both("paper.title"),
            kind=kind,
            number=f"#{entry.index}",
            about=self._text("about", index=entry.index, origin=self._book.origin),
            notices=list(self._notices(entry.index, hidden, settled)),
            sums=[_set_sum(one) for one in sums],
            sums_more=self._text("sums_more", count=more) if more else "",
            headings={
                name: self._both(f"paper.{name}")
                for name in ("facts", "personal", "proof", "limits")
            },
            facts=[_set_row(one) for one in (*self._heads(verified), *facts)],
            personal=[_set_row(one) for one in personal],
            personal_note=self._personal_note(verified),
            proof=list(self._proof(verified, data, receipt.opening.seed)),
            limits=[self._both(f"paper.limit_{one}") for one in _LIMITS],
            qr="" if link is None else locator_picture(link),
            qr_alt=self._text("qr_alt"),
            short_code=format_short_code(self._book.origin, entry.index),
            short_label=self._both("paper.short_code"),
            scan=self._both("paper.scan"),
            footer=self._text("footer", file=f"{entry.index}{SUFFIX}", origin=self._book.origin),
            glyphs=self._glyphs(missing),
        )

    def _text(self, key: str, **values: object) -> str:
        return self._own.text(f"paper.{key}", **values)

    def _both(self, key: str, **values: object) -> Both:
        return self._own.text(key, **values), self._other.text(key, **values)

    def _object(self, key: str) -> Any:
        data = self._reader.object(key)
        return None if data is None else orjson.loads(data)

    def _notices(self, index: int, hidden: Any, settled: bool) -> Iterator[str]:
        """What the reader must know before anything else."""
        if hidden is not None:
            yield self._text("hidden", entry=hidden["entry"])
        reversed_by = self._object(f"reversed/{index}")
        if reversed_by is not None:
            yield self._text("reversed", entry=reversed_by["entry"])
        for entry in replaced_by(self._reader, index):
            yield self._text("replaced", entry=entry)
        for entry in corrections_of(self._reader, index):
            if reversed_by is None or entry != reversed_by["entry"]:
                yield self._text("corrected", entry=entry)
        refunded = self._object(f"refunded/{index}")
        if refunded is not None and refunded["amount_fen"]:
            amount = self._directory.amount(_MONEY, refunded["amount_fen"])
            yield self._text("refunded", amount=f"{amount.number} {amount.unit}")
        if not settled:
            yield self._text("pending")

    def _sum(self, posting: Mapping[str, Any]) -> Sum:
        asset, amount = posting["asset"], int(posting["amount"])
        shown = self._directory.amount(asset, amount)
        money = asset == _MONEY
        source = self._directory.account(posting["from"]).name
        target = self._directory.account(posting["to"]).name
        item = "" if shown.item is None else f" {shown.item.name}"
        words = format_count_words(amount) + self._counted(asset)
        if asset == "minutes":
            hours, minutes = divmod(amount, MINUTES_PER_HOUR)
            words += " " + self._text("hours", hours=hours, minutes=minutes)
        return Sum(
            self._both(f"paper.{'amount' if money else 'quantity'}"),
            f"¥{shown.number}" if money else f"{shown.number} {shown.unit}{item}",
            self._both("paper.words"),
            f"人民币{format_yuan_words(amount)}" if money else words,
            f"{source} → {target}",
        )

    def _counted(self, asset: str) -> str:
        """The unit that follows a number in Chinese words."""
        if asset.startswith("item:"):
            return self._directory.amount(asset, 0).unit
        return Translator("zh").word("unit", asset)

    def _heads(self, verified: VerifiedReceipt) -> Iterator[Row]:
        entry = verified.entry
        yield Row(self._both("entry.occurred_on"), entry.occurred_on)
        yield Row(self._both("entry.recorded_at"), format_instant(entry.recorded_at))

    def _fields(self, verified: VerifiedReceipt, data: bytes) -> list[Row]:
        """The public fields, in the order of their kind; what the sums say is left out."""
        entry = verified.entry
        view = entry_view(entry, data, self._reader, self._directory, self._own)
        rows = [
            row
            for one in view.fields
            if one.name != "amount_fen" or not entry.postings
            for row in self._flat(one, ())
        ]
        if len(rows) > FACTS_MAX:
            more = self._text("facts_more", count=len(rows) - FACTS_MAX)
            return [*rows[:FACTS_MAX], Row(self._both("paper.more"), more)]
        return rows

    def _flat(self, one: FieldRow, above: Sequence[str]) -> Iterator[Row]:
        """A field, and the fields inside it, as rows of their own."""
        names = (*above, one.name)
        for value in one.value.items or (one.value,):
            for inner in value.rows:
                yield from self._flat(inner, names)
            if value.text:
                yield Row(self._label(names), self._clip(_shown_text(value)))

    def _label(self, names: Sequence[str]) -> Both:
        own = " · ".join(self._own.word("field", one) for one in names)
        other = " · ".join(self._other.word("field", one) for one in names)
        return _capital(own), _capital(other)

    def _personal(self, verified: VerifiedReceipt) -> Iterator[Row]:
        for name in _in_order(verified.entry.kind, verified.values):
            value = verified.values[name]
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            yield Row(self._label((name,)), self._clip(text))

    def _personal_note(self, verified: VerifiedReceipt) -> str:
        if not verified.entry.sealed:
            return self._text("personal_none")
        if verified.hidden:
            comma = self._own.text("units.comma")
            hidden = _in_order(verified.entry.kind, verified.hidden)
            names = comma.join(self._own.word("field", one) for one in hidden)
            return self._text("personal_hidden", names=names)
        return self._text("personal_all")

    def _clip(self, text: str) -> str:
        if len(text) <= VALUE_CHARS_MAX:
            return text
        return text[:VALUE_CHARS_MAX] + self._text("clipped", count=len(text))

    def _proof(self, verified: VerifiedReceipt, data: bytes, seed: bytes | None) -> Iterator[Row]:
        log, seen = verified.checkpoint, verified.witnessed
        assert seen is not None
        cosigned = len(seen.cosigned)
        witnessed = self._text(
            "witnessed" if seen.witnesses else "witnessed_none",
            count=cosigned,
            witnesses=seen.witnesses,
        )
        keys = "、".join(one.key.key_id.hex() for one in seen.log_keys)
        size = self._text("size_text", size=f"{log.size:,}")
        yield Row(self._both("paper.origin"), log.origin)
        yield Row(self._both("paper.index"), f"{verified.entry.index:,}")
        yield Row(self._both("paper.size"), size)
        yield Row(self._both("proof.root"), log.root.hex())
        yield Row(self._both("proof.leaf"), verified.leaf_hash.hex())
        yield Row(self._both("paper.signed_by"), keys)
        yield Row(self._both("paper.witnesses"), witnessed)
        yield Row(self._both("paper.file_hash"), sha256(data).hexdigest())
        if seed is not None:
            yield Row(self._both("paper.seed"), self._text("seed_text", seed=base64url(seed)))

    def _glyphs(self, missing: Sequence[str]) -> str:
        if not missing:
            return ""
        named, more = name_characters(missing)
        points = " ".join(named) + (f" +{more}" if more else "")
        return self._text("glyphs", points=points)


def _in_order(kind: str, names: Iterable[str]) -> list[str]:
    """Names of fields in the order of their kind."""
    order = order_of(kind)
    return sorted(names, key=lambda one: (order.get(one, len(order)), one))


def _capital(label: str) -> str:
    """A label that begins with a capital, where its script has any."""
    return label[:1].upper() + label[1:]


def _shown_text(value: Shown) -> str:
    return value.text if value.note is None else f"{value.text}（{value.note}）"


def _set_row(row: Row) -> Row:
    return replace(row, value=printable(row.value))


def _set_sum(one: Sum) -> Sum:
    return replace(
        one, number=printable(one.number), words=printable(one.words), way=printable(one.way)
    )
