"""Vectors of verdicts: the file's layout, and the signed checkpoint in it."""

from __future__ import annotations

import base64

from verdict_cases import CHECKPOINT, CONTENT, FILE, Case, case, mismatch, undecided, verified
from verdict_log import (
    ENTRIES,
    GIFT,
    LOG,
    NEXT_LOG,
    ORIGIN,
    OTHER_LOG,
    STRANGER,
    Receipt,
    W,
    b64,
    opening,
)

HEADER = "c2sp.org/tlog-proof@v1"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def flip(text: str, at: int, by: int = 1) -> str:
    """Another base64 letter at a place."""
    at %= len(text)
    other = ALPHABET[(ALPHABET.index(text[at]) + by) % 64]
    return text[:at] + other + text[at + 1 :]


def layout_cases() -> list[Case]:
    """Every size and place; then lines added, cut, exchanged, converted."""
    found = [
        case(f"entry {index} of {size}", str(one := Receipt(index, size)), verified(one))
        for size in range(1, ENTRIES + 1)
        for index in sorted({0, size // 2, size - 1})
    ]
    gift = Receipt()
    text = str(gift)
    lines = text.split("\n")
    good = verified(gift)
    extra, index = lines[1], lines[2]

    def changed(at: int, line: str) -> str:
        return "\n".join([*lines[:at], line, *lines[at + 1 :]])

    not_ours = {
        "an empty file": "",
        "another first line": text.replace("@v1", "@v2", 1),
        "the first line without its newline": HEADER,
        "a byte order mark": "\ufeff" + text,
        "a blank before the first line": " " + text,
        "a newline before the first line": "\n" + text,
        "Windows line ends": text.replace("\n", "\r\n"),
        "old Macintosh line ends": text.replace("\n", "\r"),
        "a web page": "<!doctype html><title>no</title>\n",
        "a checkpoint alone": gift.note,
        "a PDF": "%PDF-1.7\n%%EOF\n",
        "the first line in capitals": text.replace("c2sp.org", "C2SP.ORG", 1),
    }
    found += [case(desc, one, undecided(FILE, "not_a_receipt")) for desc, one in not_ours.items()]
    cut = {
        "only the first line": HEADER + "\n",
        "cut before the empty line": text[: text.index("\n\n")],
        "cut after one newline": text[: text.index("\n\n") + 1],
        "cut after the empty line": text[: text.index("\n\n") + 2],
    }
    found += [case(desc, one, undecided(FILE, "receipt_truncated")) for desc, one in cut.items()]
    malformed = {
        "cut within the origin": text[: text.index("\n\n") + 6],
        "cut after the checkpoint's text": text[: text.rindex("\n\n") + 1],
        "cut after the checkpoint's empty line": text[: text.rindex("\n\n") + 2],
        "cut within the signature": text[:-10],
        "the last newline cut": text[:-1],
        "no extra line": "\n".join([lines[0], *lines[2:]]),
        "extra without its blank": changed(1, extra.replace(" ", "", 1)),
        "extra with two blanks": changed(1, extra.replace(" ", "  ", 1)),
        "extra with a tab": changed(1, extra.replace(" ", "\t", 1)),
        "extra in capitals": changed(1, extra.replace("extra", "EXTRA")),
        "an empty extra": changed(1, "extra "),
        "extra after the index": "\n".join([lines[0], index, extra, *lines[3:]]),
        "two extra lines": "\n".join([*lines[:2], *lines[1:]]),
        "extra in base64url": changed(
            1, "extra " + base64.urlsafe_b64encode(gift.extra + b"\xff\xfe\xff").decode()
        ),
        "extra with a blank within": changed(1, extra[:40] + " " + extra[40:]),
        "extra without its padding": changed(1, extra.rstrip("=") + ("" if "=" in extra else "=")),
        "extra that is not ASCII": changed(1, extra[:40] + "é" + extra[41:]),
        "no index line": "\n".join([*lines[:2], *lines[3:]]),
        "two index lines": "\n".join([*lines[:3], *lines[2:]]),
        "index without a number": changed(2, "index "),
        "index with a plus": changed(2, "index +6"),
        "index with a zero before": changed(2, "index 06"),
        "index with a blank after": changed(2, "index 6 "),
        "a negative index": changed(2, "index -6"),
        "index in hexadecimal": changed(2, "index 0x6"),
        "index with a fraction": changed(2, "index 6.0"),
        "index in full-width digits": changed(2, "index ６"),
        "index of twenty digits": changed(2, "index 10000000000000000000"),
        "a proof line of 31 bytes": changed(3, b64(bytes(31))),
        "a proof line of 33 bytes": changed(3, b64(bytes(33))),
        "a proof line with a blank": changed(3, lines[3] + " "),
        "a proof line without padding": changed(3, lines[3].rstrip("=")),
        "a proof line with unused bits set": changed(3, flip(lines[3][:43], 42) + "="),
        "a proof line in hexadecimal": changed(3, "00" * 32),
        "64 proof lines": "\n".join([*lines[:3], *[lines[3]] * 64, *lines[7:]]),
        "a comment among the lines": "\n".join([*lines[:3], "# comment", *lines[3:]]),
        "the checkpoint's empty line only": text.replace("\n\n", "\n", 1),
        "a blank on the empty line": text.replace("\n\n", "\n \n", 1),
    }
    found += [case(desc, one, undecided(FILE)) for desc, one in malformed.items()]
    contradicting = {
        "one index less": changed(2, "index 5"),
        "one index more": changed(2, "index 7"),
        "index 0": changed(2, "index 0"),
        "the last index": changed(2, "index 10"),
        "an index of the tree's size": changed(2, "index 11"),
        "an index of nineteen digits": changed(2, "index 9223372036854775807"),
        "an index above 2**63": changed(2, "index 9999999999999999999"),
        "an index that a double cannot hold": changed(2, "index 9007199254740993"),
        "63 proof lines": "\n".join([*lines[:3], *[lines[3]] * 63, *lines[7:]]),
        "no proof lines": "\n".join([*lines[:3], *lines[7:]]),
        "a proof line too few": "\n".join([*lines[:3], *lines[4:]]),
        "a proof line too many": "\n".join([*lines[:4], *lines[3:]]),
        "two proof lines exchanged": "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
        "the proof upside down": "\n".join([*lines[:3], *lines[6:2:-1], *lines[7:]]),
    }
    for number in range(4):
        for place in (0, 20, 41):
            line = flip(lines[3 + number], place)
            contradicting[f"proof line {number}, letter {place}"] = changed(3 + number, line)
    found += [case(desc, one, mismatch(CONTENT)) for desc, one in contradicting.items()]
    found.append(
        # What stands after it is taken for the checkpoint then, and is not what was signed.
        case("an empty proof line", "\n".join([*lines[:4], "", *lines[4:]]), mismatch(CHECKPOINT))
    )
    padded = str(Receipt()) + STRANGER.sign(gift.text)
    found += [
        case("the same file again", text, good),
        case("a signature line more", padded, good),
        case("bytes that are not UTF-8", text.encode().replace(b"\xe2", b"\xff"), undecided(FILE)),
        case("a zero byte at the end", text + "\0", undecided(FILE)),
        case("UTF-16", text.encode("utf-16"), undecided(FILE, "not_a_receipt")),
    ]
    return found


def _note(desc: str, note: str, want: Case) -> Case:
    gift = Receipt()
    return case(desc, str(gift).replace(gift.note, note), want)


def note_cases() -> list[Case]:
    """The checkpoint: each line changed, older, newer, of another log; its signatures."""
    gift = Receipt()
    text, signature = gift.text, gift.signatures[0]
    origin, size, root = text.split("\n")[:3]
    body = signature.rstrip("\n").split(" ")[2]
    good = verified(gift)

    def signed(changed: str) -> str:
        return changed + "\n" + LOG.sign(changed)

    altered = {
        "another size": text.replace("\n11\n", "\n12\n"),
        "a smaller size": text.replace("\n11\n", "\n10\n"),
        "a size of 0": text.replace("\n11\n", "\n0\n"),
        "a size with a zero before": text.replace("\n11\n", "\n011\n"),
        "another origin": text.replace(ORIGIN, ORIGIN + "x"),
        "another letter of the origin": text.replace("shanji", "shanjj"),
        "an extension line": text + "more\n",
        "a blank after the size": text.replace("\n11\n", "\n11 \n"),
        "the root's unused bits set": text.replace(root, flip(root[:43], 42) + "="),
    }
    for place in (0, 10, 20, 30, 41):
        altered[f"letter {place} of the root"] = text.replace(root, flip(root, place))
    found = [
        _note(f"unsigned change: {desc}", one + "\n" + signature, mismatch(CHECKPOINT))
        for desc, one in altered.items()
    ]
    for place in (6, 8, 20, 40, 60, 80, 88):
        line = signature.replace(body, flip(body, place))
        found.append(
            _note(f"letter {place} of the signature", text + "\n" + line, mismatch(CHECKPOINT))
        )
    signed_wrong = {
        "a size with a zero before": text.replace("\n11\n", "\n011\n"),
        "a negative size": text.replace("\n11\n", "\n-11\n"),
        "a size of 2**63": text.replace("\n11\n", "\n9223372036854775808\n"),
        "a size of twenty digits": text.replace("\n11\n", "\n10000000000000000000\n"),
        "an extension line": text + "more\n",
        "only two lines": "\n".join(text.split("\n")[:2]) + "\n",
        "a root of 31 bytes": f"{origin}\n{size}\n{b64(bytes(31))}\n",
        "a root in hexadecimal": f"{origin}\n{size}\n{'00' * 32}\n",
        "the root's unused bits set": text.replace(root, flip(root[:43], 42) + "="),
        "an empty line among the three": f"{origin}\n\n{size}\n{root}\n",
        "an origin of 256 bytes": f"{'o' * 256}\n{size}\n{root}\n",
    }
    found += [
        _note(f"signed by the log: {desc}", signed(one), undecided(FILE))
        for desc, one in signed_wrong.items()
    ]
    content = {
        "the root of another tree": f"{origin}\n{size}\n{b64(bytes(32))}\n",
        "the largest size": text.replace("\n11\n", "\n9223372036854775807\n"),
        "the empty log": f"{origin}\n0\n{root}\n",
    }
    found += [
        _note(f"signed by the log: {desc}", signed(one), mismatch(CONTENT))
        for desc, one in content.items()
    ]
    for size_then in (7, 8, 10):
        older = Receipt(GIFT, size_then)
        found.append(case(f"an older checkpoint, of {size_then}", str(older), verified(older)))
        found.append(
            _note(f"the checkpoint of {size_then}, the proof of 11", older.note, mismatch(CONTENT))
        )
        newer = Receipt(GIFT, size_then)
        newer.text, newer.signatures = gift.text, gift.signatures
        found.append(
            case(f"the checkpoint of 11, the proof of {size_then}", str(newer), mismatch(CONTENT))
        )
    too_old = Receipt(4, 5)
    found.append(_note("a checkpoint from before the entry", too_old.note, mismatch(CONTENT)))
    other = Receipt(sign=[OTHER_LOG.sign], origin=OTHER_LOG.name)
    found += [
        case("another log's receipt", str(other), undecided(FILE, "unknown_signer")),
        case(
            "another log's receipt with its key", str(other), verified(other), keys=[OTHER_LOG.vkey]
        ),
        case(
            "the right log signs another log's checkpoint",
            str(Receipt(sign=[LOG.sign], origin=OTHER_LOG.name)),
            mismatch(CHECKPOINT),
        ),
        _note("no signature", text, undecided(FILE)),
        _note("no signature after the empty line", text + "\n", undecided(FILE)),
        _note("the signature twice", text + "\n" + signature * 2, good),
        _note(
            "a bad signature after the good one",
            text + "\n" + signature + signature.replace(body, flip(body, 20)),
            good,
        ),
        _note(
            "a bad signature before the good one",
            text + "\n" + signature.replace(body, flip(body, 20)) + signature,
            mismatch(CHECKPOINT),
        ),
        _note(
            "signed by a stranger",
            text + "\n" + STRANGER.sign(text),
            undecided(FILE, "unknown_signer"),
        ),
        _note("a stranger first", text + "\n" + STRANGER.sign(text) + signature, good),
        _note("cosigned by witnesses whom a key cannot judge", gift.note + W[0].cosign(text), good),
        _note(
            "signed by the next key",
            text + "\n" + NEXT_LOG.sign(text),
            undecided(FILE, "unknown_signer"),
        ),
        _note("64 signatures", text + "\n" + signature + STRANGER.sign(text) * 63, good),
        _note("65 signatures", text + "\n" + signature + STRANGER.sign(text) * 64, undecided(FILE)),
    ]
    lines = {
        "a hyphen for the dash": signature.replace("\u2014", "-"),
        "an en dash": signature.replace("\u2014", "\u2013"),
        "no blank after the dash": signature.replace("\u2014 ", "\u2014"),
        "two blanks after the dash": signature.replace("\u2014 ", "\u2014  "),
        "two blanks before the signature": signature.replace(f" {body}", f"  {body}"),
        "a word after the signature": signature.replace(body, f"{body} more"),
        "no key name": f"\u2014 {body}\n",
        "a plus in the key name": signature.replace(ORIGIN, "a+b"),
        "a no-break space in the key name": signature.replace(ORIGIN, "a\u00a0b"),
        "an ideographic space in the key name": signature.replace(ORIGIN, "a\u3000b"),
        "the signature's unused bits set": signature.replace(body, flip(body[:91], 90) + "="),
        "a signature without padding": signature.replace(body, body.rstrip("=")),
        "a signature of no bytes": f"\u2014 {ORIGIN} {b64(LOG.key_id)}\n",
        "an empty line after it": signature + "\n",
        "text after it": signature + "text\n",
        "a tab in it": signature.replace(" ", "\t"),
        "an escape character": signature.replace(ORIGIN, "a\x1bb"),
        "a delete character and no more": signature.replace(ORIGIN, "\x7f\x1f"),
    }
    found += [
        _note(f"signature line: {desc}", text + "\n" + line, undecided(FILE))
        for desc, line in lines.items()
    ]
    unknown = {
        "another name": signature.replace(f" {ORIGIN} ", " another.example "),
        "another key id": signature.replace(body, flip(body, 0)),
        "the last letter of the key id": signature.replace(body, flip(body, 4)),
        "a zero-width no-break space after the name": signature.replace(ORIGIN, ORIGIN + "\ufeff"),
        "the name in capitals": signature.replace(f" {ORIGIN} ", f" {ORIGIN.upper()} "),
    }
    found += [
        _note(f"signature line: {desc}", text + "\n" + line, undecided(FILE, "unknown_signer"))
        for desc, line in unknown.items()
    ]
    raw = LOG.private.sign(text.encode())
    order = 2**252 + 27742317777372353535851937790883648493
    number = int.from_bytes(raw[32:], "little")
    sizes = {
        "of one byte": raw[:1],
        "of 63 bytes": raw[:63],
        "of 65 bytes": raw + b"\0",
        "of zeros": bytes(64),
        "with S plus the group's order": raw[:32] + (number + order).to_bytes(32, "little"),
        "with S of zero": raw[:32] + bytes(32),
        "with R above the field's prime": b"\xff" * 31 + b"\x7f" + raw[32:],
        "with the sign of R turned": raw[:31] + bytes([raw[31] ^ 0x80]) + raw[32:],
    }
    found += [
        _note(f"a signature {desc}", text + "\n" + LOG.line(one), mismatch(CHECKPOINT))
        for desc, one in sizes.items()
    ]
    empty = Receipt(opened=opening(b""))
    found.append(case("an empty entry", str(empty), mismatch(CONTENT)))
    return found
