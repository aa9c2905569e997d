"""``shanji keys``: the log's keys made, added, revoked, encrypted, and told to verifiers."""

from __future__ import annotations

import getpass
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language, say
from ledger.errors import MalformedError, NotAllowedError

if TYPE_CHECKING:
    from ledger.book import Book
    from ledger.keys.history import KeyTerm
    from ledger.tlog.note import VerifierKey

KeyType = Annotated[
    Literal["ed25519", "ml-dsa-44"], typer.Option("--type", help="What the key signs with.")
]
Person = Annotated[
    str, typer.Option("--person", help="The pseudonymous id of who records it, a registrar.")
]
Approver = Annotated[
    str, typer.Option("--approved-by", help="The pseudonymous id of the second person.")
]
Print = Annotated[
    bool,
    typer.Option(
        "--print", help="Record nothing: print the body for POST /v1/entries or /v1/proposals."
    ),
]

_WORDS = {
    "zh": {
        "active": "在用",
        "revoked": "已停用",
        "here": "私钥在此",
        "away": "私钥不在此",
        "sizes": "对大小 {first} 至 {last} 的检查点有效",
        "sizes_on": "对大小 {first} 起的检查点有效",
        "entries": "条目 {entries}",
        "done": "已记录为条目 {index}，账本大小 {size}。",
        "file": "密钥文件：{path}",
        "place": "注意：请把私钥文件放入密钥文件夹 {folder}，之后才会用它签名。",
        "converted": "已转换：{path}",
        "unchanged": "没有需要转换的文件。",
        "policy": "验证策略已写入 {path}",
        "ask": "新的密钥口令 new passphrase: ",
        "again": "再输一次 again: ",
    },
    "en": {
        "active": "active",
        "revoked": "revoked",
        "here": "private key here",
        "away": "private key not here",
        "sizes": "valid for checkpoints of size {first} to {last}",
        "sizes_on": "valid for checkpoints of size {first} on",
        "entries": "entries {entries}",
        "done": "Recorded as entry {index}, log size {size}.",
        "file": "Key file: {path}",
        "place": "Note: put the private key's file into the folder of the keys, {folder}; only "
        "then does the log sign with it.",
        "converted": "Converted: {path}",
        "unchanged": "No file needed converting.",
        "policy": "The policy is in {path}",
        "ask": "新的密钥口令 new passphrase: ",
        "again": "再输一次 again: ",
    },
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    keys = typer.Typer(
        help="The log's keys: make, add, revoke, encrypt them, and tell verifiers.",
        no_args_is_help=True,
    )
    keys.command("list")(list_all)
    keys.command("create")(create)
    keys.command("add")(add)
    keys.command("rotate")(rotate)
    keys.command("revoke")(revoke)
    keys.command("policy")(policy)
    keys.command("encrypt")(encrypt)
    keys.command("decrypt")(decrypt)
    app.add_typer(keys, name="keys")


def list_all(
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the keys as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """List every key that the log has had: id, type, for which sizes it counts, its entries."""
    from ledger.book import Book
    from ledger.keys.history import describe

    book = Book.open(data)
    try:
        terms, size = book.key_history.terms, book.head().size
        here = [book.keyring.has(one.key) for one in terms]
    finally:
        book.close()
    if as_json:
        keys = [
            {**describe(one), "private_key_here": there}
            for one, there in zip(terms, here, strict=True)
        ]
        value = {"origin": book.origin, "size": size, "keys": keys}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    words = _WORDS[lang or default_language()]
    for one, there in zip(terms, here, strict=True):
        sys.stdout.write(_line(one, there, words) + "\n")


def create(
    name: Annotated[
        str | None,
        typer.Argument(help="The key's name: the log's origin; by default that of --data's log."),
    ] = None,
    key_type: KeyType = "ed25519",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The new file; by default in the folder of the keys."),
    ] = None,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Make a private key in a file, encrypted where a passphrase is set; print its verifier key."""
    from ledger.keys.access import default_access
    from ledger.keys.files import generate_key, signer_of, write_private_key
    from ledger.tlog.note import format_verifier_key

    origin = name
    if origin is None:
        from ledger.book import Book

        origin = Book.origin_of(data)
    access = default_access()
    private = generate_key(key_type)
    key = signer_of(origin, private).verifier_key
    path = output or access.folder_of(data) / f"log-key-{key.key_id.hex()}.pem"
    write_private_key(path, private, access)
    say(_WORDS[lang or default_language()]["file"].format(path=path))
    sys.stdout.write(format_verifier_key(key) + "\n")


def add(
    file: Annotated[
        Path, typer.Argument(help="A private key file, a signer's descriptor, or a verifier key.")
    ],
    reason: Annotated[str, typer.Option(help="Why the key is added.")] = "轮换 rotation",
    person: Person = "",
    approved_by: Approver = "",
    print_body: Print = False,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Record that the log signs with a further key (key.added)."""
    from ledger.book import Book

    book = Book.open(data)
    try:
        key = _key_in(file, book.origin)
        if not book.keyring.has(key):
            folder = _key_folder(data)
            say(_WORDS[lang or default_language()]["place"].format(folder=folder))
        _tell(book, *_added(key, reason), (person, approved_by), print_body, lang)
    finally:
        book.close()


def rotate(
    key_type: KeyType = "ed25519",
    reason: Annotated[str, typer.Option(help="Why the key is added.")] = "轮换 rotation",
    person: Person = "",
    approved_by: Approver = "",
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Make a key and record it: from now on it signs beside the old, until that is revoked."""
    from ledger.book import Book
    from ledger.keys.access import default_access
    from ledger.keys.files import generate_key, signer_of, write_private_key

    _check_people(person, approved_by)
    access = default_access()
    book = Book.open(data, access=access)
    try:
        # Before the file: a key that no entry adds would only lie there.
        book.held.require_free()
        private = generate_key(key_type)
        key = signer_of(book.origin, private).verifier_key
        path = access.folder_of(data) / f"log-key-{key.key_id.hex()}.pem"
        # First the file, then the entry: a crash in between leaves a key that signs nothing.
        write_private_key(path, private, access)
        say(_WORDS[lang or default_language()]["file"].format(path=path))
        _tell(book, *_added(key, reason), (person, approved_by), False, lang)
    finally:
        book.close()


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, 8 hex digits.")],
    reason: Annotated[
        Literal["superseded", "compromised", "lost", "retired"],
        typer.Option(help="Why it signs no more."),
    ],
    note: Annotated[str | None, typer.Option(help="More about it, in public.")] = None,
    person: Person = "",
    approved_by: Approver = "",
    print_body: Print = False,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Record that a key signs no more (key.revoked); what it signed stays valid."""
    from ledger.book import Book
    from ledger.keys.history import KEY_REVOKED

    fields = {"key_id": key_id, "reason": reason} | ({} if note is None else {"note": note})
    book = Book.open(data)
    try:
        _tell(book, KEY_REVOKED, fields, (person, approved_by), print_body, lang)
    finally:
        book.close()


def policy(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; by default stdout.")
    ] = None,
    url: Annotated[str, typer.Option(help="Where the log is served, for its lines.")] = "",
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Write the policy with which every receipt verifies, from before and after a rotation."""
    from ledger.book import Book
    from ledger.tlog.policy import format_policy

    book = Book.open(data)
    try:
        text = format_policy(book.key_history.policy(url))
    finally:
        book.close()
    if output is None:
        sys.stdout.write(text.decode())
    else:
        output.write_bytes(text)
        say(_WORDS[lang or default_language()]["policy"].format(path=output))


def encrypt(
    new_passphrase_file: Annotated[
        Path | None,
        typer.Option(help="The file with the new passphrase; by default the one that is set."),
    ] = None,
    data: Data = DATA_DEFAULT,
    lang: Lang = None,
) -> None:
    """Encrypt the private keys and the vault's key where they lie, or change their passphrase."""
    from ledger.keys.access import default_access, read_passphrase
    from ledger.keys.files import convert

    access = default_access()
    words = _WORDS[lang or default_language()]
    if new_passphrase_file is not None:
        passphrase = read_passphrase(new_passphrase_file)
    elif access.has_passphrase:
        passphrase = access.passphrase()
    else:
        passphrase = _typed_twice(words)
    _told(convert(access.folder_of(data), access, passphrase), words)


def decrypt(data: Data = DATA_DEFAULT, lang: Lang = None) -> None:
    """Write the private keys and the vault's key in clear where they lie."""
    from ledger.keys.access import default_access
    from ledger.keys.files import convert

    access = default_access()
    _told(convert(access.folder_of(data), access, None), _WORDS[lang or default_language()])


def _told(paths: list[Path], words: dict[str, str]) -> None:
    for path in paths:
        say(words["converted"].format(path=path))
    if not paths:
        say(words["unchanged"])


def _typed_twice(words: dict[str, str]) -> bytes:
    if not _at_terminal():
        raise NotAllowedError(
            "no passphrase was given; name the file that holds it with --passphrase-file, "
            "SHANJI_PASSPHRASE_FILE or --new-passphrase-file",
            code="passphrase_needed",
        )
    first = getpass.getpass(words["ask"])
    if not first or getpass.getpass(words["again"]) != first:
        raise MalformedError("expected the same passphrase twice, not empty; nothing was changed")
    return first.encode()


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _added(key: VerifierKey, reason: str) -> tuple[str, dict[str, Any]]:
    from ledger.keys.history import KEY_ADDED, algorithm_of
    from ledger.tlog.note import format_verifier_key

    fields = {"verifier_key": format_verifier_key(key), "algorithm": algorithm_of(key)}
    return KEY_ADDED, {**fields, "reason": reason}


def _tell(
    book: Book,
    kind: str,
    fields: dict[str, Any],
    people: tuple[str, str],
    print_body: bool,
    lang: str | None,
) -> None:
    """Record a body in the name of two people, or print it for them to send."""
    from ledger.records.request import prepare

    body = {"kind": kind, "occurred_on": book.today(), "fields": fields}
    if print_body:
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
        return
    _check_people(*people)
    person, approved_by = people
    record = prepare(
        body,
        key=f"keys/{uuid.uuid4()}",
        recorded_by=person,
        approved_by=approved_by,
        vault=book.vault,
    )
    done = book.sequencer.record(record)
    words = _WORDS[lang or default_language()]
    say(words["done"].format(index=done.index, size=done.size))


def _check_people(person: str, approved_by: str) -> None:
    """Two people add and revoke a key, at the command line too.

    Raises:
        MalformedError: one of them was not named.
    """
    if not person or not approved_by:
        raise MalformedError(
            "expected --person and --approved-by, the ids of two people; or --print, to send the "
            "record to the service with their tokens"
        )


def _key_folder(data: Path) -> Path:
    from ledger.keys.access import default_access

    return default_access().folder_of(data)


def _key_in(file: Path, origin: str) -> VerifierKey:
    """The verifier key of a key file, of a descriptor, or written in a text file.

    Raises:
        LedgerError: it is none of these.
    """
    from ledger.keys.access import default_access
    from ledger.keys.external import parse_descriptor
    from ledger.keys.files import read_key_file, read_signer
    from ledger.tlog.note import parse_verifier_key

    data = read_key_file(file)
    if file.suffix == ".toml":
        return parse_descriptor(data, str(file)).verifier_key
    if b"PRIVATE KEY-----" in data:
        return read_signer(file, origin, default_access()).verifier_key
    try:
        return parse_verifier_key(data.decode("utf-8").strip())
    except UnicodeDecodeError:
        raise MalformedError(f"{file}: expected a private key in PEM, or a verifier key") from None


def _line(term: KeyTerm, here: bool, words: dict[str, str]) -> str:
    from ledger.keys.history import algorithm_of

    sizes = words["sizes_on" if term.last_size is None else "sizes"]
    entries = [term.added_by] + ([] if term.revoked_by is None else [term.revoked_by])
    parts = [
        term.key.key_id.hex(),
        algorithm_of(term.key),
        words["active" if term.revoked_by is None else "revoked"],
        sizes.format(first=term.first_size, last=term.last_size),
        words["entries"].format(entries=", ".join(f"#{one}" for one in entries)),
        words["here" if here else "away"],
    ]
    return "  ".join(parts)
