"""``shanji verify``, ``verify-growth`` and ``reveal``: offline, without a database."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import typer

from ledger.audit.source import FolderSource, PathSource
from ledger.commands.console import Lang, default_language, read_file, say
from ledger.entry import open_disclosures, parse_entry
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    PendingError,
    UndecidedError,
    VerificationError,
)
from ledger.receipt import RECEIPT_BYTES_MAX, build_receipt, parse_receipt, reveal_fields
from ledger.tlog.note import NOTE_BYTES_MAX, VerifierKey, decode_base64, parse_verifier_key
from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy
from ledger.tlog.tiles import TileReader
from ledger.tlog.witnessed import WitnessedCheckpoint
from ledger.verdict import facts
from ledger.verify import (
    TRACE_BYTES_MAX,
    Language,
    Trust,
    VerifiedGrowth,
    VerifiedReceipt,
    VerifiedTrace,
    checkpoint_of,
    open_trusted,
    tell,
    verify_growth,
    verify_receipt,
    verify_trace,
)

FETCH_SECONDS_MAX = 30
KEY_CHARS_MAX = 8192

Result = TypeVar("Result")

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="The log's verifier key (name+id+base64), or a file that holds it; "
        "get it from elsewhere than the receipt. May be given again.",
    ),
]
PolicyFile = Annotated[
    str | None,
    typer.Option(
        "--policy",
        help="A trust policy (c2sp.org/tlog-policy) in place of --key: the log's keys, its "
        "witnesses, and how many of them suffice.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

_VERDICTS = {
    "mismatch": {
        "zh": "不一致：{} 请保留此文件，向慈善会核对并联系审计人员。",
        "en": "Mismatch: {} Keep this file, ask the federation, and tell an auditor.",
    },
    "undecided": {
        "zh": "无法判断：{} 请核对公钥是否正确，并重新取得完整的文件。",
        "en": "Cannot decide: {} Check that the key is the right one, and get the file again.",
    },
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("verify")(verify)
    app.command("verify-growth")(growth)
    app.command("reveal")(reveal)


def verify(
    file: Annotated[str, typer.Argument(help="A .tlog-proof or trace proof file; - for stdin.")],
    key: Keys = None,
    policy: PolicyFile = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Verify a receipt or a trace proof offline."""

    def check() -> VerifiedReceipt | VerifiedTrace:
        trust = read_trust(key, policy)
        data = read_file(file, TRACE_BYTES_MAX)
        if data.startswith(b"{"):
            return verify_trace(data, trust, now=int(time.time()))
        if len(data) > RECEIPT_BYTES_MAX:
            raise MalformedError(f"expected a receipt of at most {RECEIPT_BYTES_MAX} bytes")
        return verify_receipt(data, trust, now=int(time.time()))

    _decide(check, lang, as_json)


def reveal(
    file: Annotated[str, typer.Argument(help="A receipt that opens these fields; - for stdin.")],
    field: Annotated[
        list[str],
        typer.Option("--field", help="A personal field to open, like donor_name. Repeatable."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; stdout by default.")
    ] = None,
) -> None:
    """Make a receipt that opens only the fields that you name, to show to somebody else.

    It needs no key, no service and no network; whoever gets it checks it with shanji verify.
    """
    receipt = parse_receipt(read_file(file, RECEIPT_BYTES_MAX))
    opening = reveal_fields(receipt.opening, field)
    # A receipt that would not verify is not passed on.
    open_disclosures(parse_entry(opening.entry).sealed, opening.disclosures)
    data = build_receipt(replace(receipt, opening=opening))
    if output is None:
        sys.stdout.write(data.decode())
    else:
        output.write_bytes(data)
        say(str(output))


def growth(
    old: Annotated[str, typer.Argument(help="The earlier checkpoint, or a receipt.")],
    new: Annotated[str, typer.Argument(help="The later checkpoint, or a receipt.")],
    key: Keys = None,
    policy: PolicyFile = None,
    proof: Annotated[
        str | None,
        typer.Option(help="The consistency proof: the JSON of /v1/proofs/consistency."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            help="The log's URL or a mirror's folder: the proof is computed from the tiles."
        ),
    ] = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Verify that a log only grew between two of its checkpoints."""

    def check() -> VerifiedGrowth:
        trust = read_trust(key, policy)
        before, after = read_file(old, RECEIPT_BYTES_MAX), read_file(new, RECEIPT_BYTES_MAX)
        if (proof is None) == (log is None):
            raise typer.BadParameter("give the proof with --proof FILE, or the log with --log URL")
        if proof is not None:
            hashes = _read_proof(read_file(proof, NOTE_BYTES_MAX))
        else:
            hashes = _fetch_proof(str(log), before, after, trust)
        return verify_growth(before, after, hashes, trust, now=int(time.time()))

    _decide(check, lang, as_json)


def _decide(check: Any, lang: Literal["zh", "en"] | None, as_json: bool) -> None:
    """Run a check, tell its verdict, and exit with its code."""
    language = lang or default_language()
    try:
        result = run_check(check, language, as_json)
    except PendingError as error:
        _tell_result(error.result, "pending", language, as_json)
        raise typer.Exit(3) from None
    _tell_result(result, "verified", language, as_json)


def run_check(check: Callable[[], Result], language: Language, as_json: bool) -> Result:
    """Run a check; one that fails is told, and ends the command with its exit code.

    Raises:
        PendingError: too few witnesses; the caller tells it.
    """
    try:
        return check()
    except PendingError:
        raise
    except VerificationError as error:
        _tell_failure("mismatch", 1, error, language, as_json)
    except (MalformedError, UndecidedError) as error:
        _tell_failure("undecided", 3, error, language, as_json)


def _tell_result(result: Any, verdict: str, language: Literal["zh", "en"], as_json: bool) -> None:
    """Tell what holds: the verdict's sentence, its four facts, what the file reveals."""
    if as_json:
        value = {"verdict": verdict, **_as_json(result, language)}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(tell(result, language) + "\n")
        for fact in facts(result, language):
            colon = "：" if language == "zh" else ": "
            sys.stdout.write(f"  {fact.label}{colon}{fact.text}\n")
        if isinstance(result, VerifiedReceipt):
            for name, value in result.values.items():
                sys.stdout.write(f"  {name}: {plain_lines(value)}\n")


_JOINERS = "\u200c\u200d"
"""Invisible, and part of how people write: of names in some scripts, of pictures."""


def plain_lines(value: object) -> str:
    """A revealed value for a terminal: it can neither look like a line of the verdict, nor move
    the cursor or turn text round; whoever wrote it may be somebody else than who reads it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(
        "\n    | "
        if one == "\n"
        else one
        if one.isprintable() or one in _JOINERS
        else ascii(one)[1:-1]
        for one in text
    )


def _tell_failure(
    verdict: str, code: int, error: LedgerError, language: str, as_json: bool
) -> NoReturn:
    text = _VERDICTS[verdict][language].format(error.message.rstrip(".") + ".")
    if as_json:
        value = {"verdict": verdict, "code": error.code, "message": error.message, "text": text}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text + "\n")
    raise typer.Exit(code)


def _as_json(result: Any, language: Literal["zh", "en"]) -> dict[str, Any]:
    value: dict[str, Any] = {
        "text": tell(result, language),
        "facts": [
            {"name": one.name, "holds": one.holds, "text": one.text}
            for one in facts(result, language)
        ],
    }
    if result.witnessed is not None:
        value["witnesses"] = _witnesses_as_json(result.witnessed)
    match result:
        case VerifiedReceipt(entry=entry, checkpoint=log):
            value |= {
                "index": entry.index,
                "kind": entry.kind,
                "occurred_on": entry.occurred_on,
                "leaf_hash": result.leaf_hash.hex(),
                "signers": list(result.signers),
                "values": dict(result.values),
                "hidden": list(result.hidden),
            }
        case VerifiedTrace(checkpoint=log):
            value |= {
                "entry": result.entry,
                "direction": result.direction,
                "entries": [one.index for one in result.entries],
            }
        case VerifiedGrowth(new=log):
            value |= {"old_size": result.old.size, "old_root": result.old.root.hex()}
    return value | {"origin": log.origin, "size": log.size, "root": log.root.hex()}


def _witnesses_as_json(seen: WitnessedCheckpoint) -> dict[str, Any]:
    return {
        "quorum_met": seen.quorum_met,
        "count": len(seen.cosigned),
        "of": seen.witnesses,
        "log_keys": [
            {"name": one.key.name, "key_id": one.key.key_id.hex(), "sizes": one.sizes}
            for one in seen.log_keys
        ],
        "cosigned": [
            {
                "name": one.witness.key.name,
                "key_id": one.witness.key.key_id.hex(),
                "time": one.timestamp,
            }
            for one in seen.cosigned
        ],
        "passed_over": [
            {"name": one.key.name, "key_id": one.key.key_id.hex(), "reason": why}
            for one, why in seen.passed_over
        ],
    }


def read_trust(keys: list[str] | None, policy: str | None) -> Trust:
    """Whom to believe: the keys given, or the policy in a file."""
    if bool(keys) == bool(policy):
        raise typer.BadParameter("give the log's key with --key, or a policy with --policy FILE")
    if policy is not None:
        return parse_policy(read_file(policy, POLICY_BYTES_MAX))
    return [_read_key(one) for one in keys or ()]


def _read_key(text: str) -> VerifierKey:
    """A verifier key given in full, or in a file."""
    if "+" not in text or Path(text).is_file():
        data = read_file(text, KEY_CHARS_MAX)
        try:
            text = data.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise MalformedError(f"{text}: expected a verifier key as text") from None
    return parse_verifier_key(text)


def _read_proof(data: bytes) -> list[bytes]:
    """The hashes of a consistency proof: our API's JSON, or base64 lines."""
    try:
        value = json.loads(data)
    except ValueError:
        value = {"proof": data.decode("utf-8", "replace").split()}
    hashes = value.get("proof") if isinstance(value, dict) else None
    if not isinstance(hashes, list) or not all(isinstance(one, str) for one in hashes):
        raise MalformedError("expected a consistency proof: JSON with a list `proof` of base64")
    return [decode_base64(one, "proof hash") for one in hashes]


def _fetch_proof(log: str, old: bytes, new: bytes, trust: Trust) -> list[bytes]:
    """Compute the consistency proof from the log's tiles (c2sp.org/tlog-tiles)."""
    before, after = (open_trusted(checkpoint_of(one), trust)[0] for one in (old, new))
    if not 0 < before.size <= after.size:
        return []
    try:
        return TileReader(after.size, _open_log(log).tile).consistency(before.size)
    except NotFoundError as error:
        raise UndecidedError(f"the tiles are not all there: {error.message}") from None


def _open_log(where: str) -> PathSource:
    """A log's tiles by URL or folder, with the standard library alone."""
    if not where.startswith(("http://", "https://")):
        if not Path(where).is_dir():
            raise typer.BadParameter(
                "expected the log's URL, like http://127.0.0.1:8000, or a mirror's folder"
            )
        return FolderSource(Path(where))

    def fetch(path: str, bytes_max: int) -> bytes:
        url = f"{where.rstrip('/')}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=FETCH_SECONDS_MAX) as answer:
                return bytes(answer.read(bytes_max + 1))
        except urllib.error.HTTPError as error:
            with error:
                kind = NotFoundError if error.code == 404 else UndecidedError
                raise kind(f"{url} could not be fetched: {error}") from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise UndecidedError(f"{url} could not be fetched: {error}") from None

    return PathSource(where, fetch)
