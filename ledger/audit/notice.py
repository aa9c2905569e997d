"""The notice of the day: a checkpoint on paper, for a notice board or a newspaper.

A root that hangs in a hall or stands in a newspaper cannot be changed any more, by the
federation neither. The notice gives it in three forms: base64 as in the checkpoint, words
to be read aloud (BIP 39: 24 words of a public list, in Chinese and English, with a
checksum), and a QR code of the checkpoint's text with its Ed25519 signature, which any
scanner reads and any C2SP client verifies.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from mnemonic import Mnemonic

from ledger.entry import parse_entry
from ledger.errors import CorruptionError, MalformedError, NotFoundError
from ledger.sequencer import CHINA
from ledger.store import Reader
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.note import format_signature, split_note
from ledger.verify import Language

WORDS = 24
"""256 bits of the root and 8 bits of checksum, 11 bits a word."""
QR_VERSION_MAX = 20
ED25519_SIGNATURE_BYTES = 64
PRINT_DARK, PRINT_LIGHT = "#000", "#fff"

_LISTS = {"zh": "chinese_simplified", "en": "english"}
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the notice of a day says.

    Attributes:
        day: The day (Asia/Shanghai) whose end it shows.
        recorded_at: When the last entry before that end was recorded, UTC.
        organisation: Whose log it is.
        checkpoint: Origin, size and root.
        note: The signed checkpoint.
        stamped_by: Authorities that stamped it, with their times.
    """

    day: str
    recorded_at: str
    organisation: str
    checkpoint: Checkpoint
    note: bytes
    stamped_by: Sequence[tuple[str, str]] = ()


def notice_of_day(reader: Reader, day: str, stamped_by: Sequence[tuple[str, str]] = ()) -> Notice:
    """The notice of a day: the log as of the last entry recorded on it or before.

    Args:
        reader: A snapshot.
        day: A day in Asia/Shanghai, like 2021-09-09.
        stamped_by: Authorities and their times, where the caller has verified them.

    Raises:
        NotFoundError: nothing was recorded by then.
    """
    head = reader.head()
    size = 0 if head is None else _size_at_end(reader, day, head.size)
    found = reader.newest_checkpoint(size) if size else None
    if found is None:
        raise NotFoundError(f"nothing was recorded by the end of {day}", code="no_checkpoint")
    size, note = found
    last = parse_entry(reader.entry(size - 1))
    organisation = str(parse_entry(reader.entry(0)).fields["organisation"])
    checkpoint = parse_checkpoint(split_note(note)[0])
    return Notice(day, last.recorded_at, organisation, checkpoint, note, tuple(stamped_by))


def _size_at_end(reader: Reader, day: str, size: int) -> int:
    """How many entries were recorded by the end of a day: their times only rise."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _day_of(parse_entry(reader.entry(middle)).recorded_at) <= day:
            low = middle + 1
        else:
            high = middle
    return low


def _day_of(recorded_at: str) -> str:
    return datetime.fromisoformat(recorded_at).astimezone(CHINA).date().isoformat()


# Words


@cache
def _wordlist(language: Language) -> Mnemonic:
    return Mnemonic(_LISTS[language])


def root_words(root: bytes, language: Language) -> list[str]:
    """A root as 24 words of the public list of BIP 39, the last with a checksum."""
    words: list[str] = _wordlist(language).to_mnemonic(root).split()
    return words


def parse_words(text: str) -> bytes:
    """The root that words say; Chinese ones may stand without spaces.

    Raises:
        MalformedError: not 24 words of one of the lists, or misheard: the checksum fails.
    """
    words = [word for word in re.split(r"[\s,，、0-9.]+", text.lower()) if word]
    language: Language = "en"
    if words and not any(word.isascii() for word in words):
        words, language = [*"".join(words)], "zh"
    wordlist = _wordlist(language)
    unknown = [word for word in words if word not in wordlist.wordlist]
    if len(words) != WORDS or unknown:
        what = f"; not in the list: {' '.join(unknown[:5])}" if unknown else ""
        raise MalformedError(f"expected {WORDS} words of the list, got {len(words)}{what}")
    try:
        return bytes(wordlist.to_entropy(words))
    except ValueError:
        raise MalformedError(
            "the words do not fit each other (their checksum fails): one was misheard or mistyped"
        ) from None


# QR, text, page


def qr_text(note: bytes) -> bytes:
    """What the QR code holds: the checkpoint with its Ed25519 signature by the log.

    Post-quantum signatures and cosignatures do not fit a code that a phone reads.

    Raises:
        CorruptionError: the note has no such signature.
    """
    text, signatures = split_note(note)
    origin = parse_checkpoint(text).origin
    for one in signatures:
        if one.name == origin and len(one.signature) == ED25519_SIGNATURE_BYTES:
            return text + b"\n" + format_signature(one)
    raise CorruptionError("the checkpoint carries no Ed25519 signature of the log")


def qr_svg(data: bytes) -> str:
    """A QR code as an SVG element.

    Raises:
        MalformedError: more than a code of `QR_VERSION_MAX` holds.
    """
    code = segno.make_qr(data, error="m", boost_error=False)
    if int(code.version) > QR_VERSION_MAX:
        raise MalformedError("the checkpoint is too long for a QR code; shorten the origin")
    out = io.BytesIO()
    code.save(
        out, kind="svg", xmldecl=False, svgclass="qr", lineclass=None, omitsize=True, border=4
    )
    return out.getvalue().decode()


_TITLES = {
    "title": ("账本公示", "Notice of the log"),
    "day": ("公示日", "Day"),
    "origin": ("账本", "Log"),
    "organisation": ("机构", "Organisation"),
    "size": ("条目数", "Entries"),
    "root": ("树根", "Root"),
    "last": ("最后记录时间（UTC）", "Last recorded at (UTC)"),
    "stamped": ("时间戳", "Time stamps"),
    "words": (
        "朗读用词（BIP 39 词表，末词含校验）",
        "Words to read aloud (BIP 39 list, with a checksum)",
    ),
    "scan": ("签名检查点", "Signed checkpoint"),
    "why": (
        "此树根由截至公示日的全部条目算出。保留本公示，即可在以后核对账本未被改写："
        "shanji audit --known，或 shanji verify-growth。",
        "This root is computed from all entries up to the day. Keep this notice: later it shows "
        "whether the log was rewritten (shanji audit --known, or shanji verify-growth).",
    ),
    "limits": (
        "证明只说明记录了什么、且记录未被改动；不能证明款物已经送达。",
        "A proof shows what was recorded and that it is unaltered; it does not show that money "
        "or goods arrived.",
    ),
}


def _words_of(language: Language) -> dict[str, str]:
    place = 0 if language == "zh" else 1
    return {name: both[place] for name, both in _TITLES.items()}


def format_notice(notice: Notice, language: Language) -> str:
    """The notice as plain text, for a terminal or a newspaper's column."""
    words = _words_of(language)
    root = notice.note.decode().split("\n")[2]
    lines = [
        f"{words['title']} · {notice.organisation}",
        f"{words['day']}: {notice.day}",
        f"{words['origin']}: {notice.checkpoint.origin}",
        f"{words['size']}: {notice.checkpoint.size}",
        f"{words['root']}: {root}",
        f"{words['last']}: {notice.recorded_at}",
        *(f"{words['stamped']}: {name} {time}" for name, time in notice.stamped_by),
        f"{words['words']}:",
        f"  {' '.join(root_words(notice.checkpoint.root, 'zh'))}",
        f"  {' '.join(root_words(notice.checkpoint.root, 'en'))}",
        words["why"],
        words["limits"],
    ]
    return "\n".join(lines) + "\n"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def notice_style() -> str:
    """The page's style, which stands in the page itself so that one file is the whole."""
    return (_TEMPLATES / "notice.css").read_text("utf-8")


def notice_page(notice: Notice, language: Language, *, style_href: str | None = None) -> str:
    """The notice as an HTML page for A4, without scripts.

    Args:
        style_href: Where a service serves `notice_style`; None for one file that has it
            inside and needs no other.
    """
    return (
        _templates()
        .get_template("notice.html")
        .render(
            notice=notice,
            language=language,
            html_lang="zh-CN" if language == "zh" else "en",
            t=_words_of(language),
            root=notice.note.decode().split("\n")[2],
            words_zh=root_words(notice.checkpoint.root, "zh"),
            words_en=root_words(notice.checkpoint.root, "en"),
            qr=Markup(qr_svg(qr_text(notice.note))),
            qr_text=qr_text(notice.note).decode(),
            style=Markup(notice_style()),
            style_href=style_href,
        )
    )
