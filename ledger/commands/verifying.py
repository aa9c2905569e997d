"""``shanji verify`` and ``shanji verify-growth``: offline, without a database."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ledger.commands.console import Lang, default_language, read_file
from ledger.errors import LedgerError, MalformedError, UndecidedError, VerificationError
from ledger.receipt import RECEIPT_BYTES_MAX
from ledger.tlog.note import NOTE_BYTES_MAX, VerifierKey, decode_base64, parse_verifier_key
from ledger.tlog.tiles import TILE_BYTES, TileReader, format_tile_path
from ledger.verify import (
    TRACE_BYTES_MAX,
    VerifiedGrowth,
    VerifiedReceipt,
    VerifiedTrace,
    checkpoint_of,
    tell,
    verify_checkpoint,
    verify_growth,
    verify_receipt,
    verify_trace,
)

FETCH_SECONDS_MAX = 30
KEY_CHARS_MAX = 8192

Keys = Annotated[
    list[str],
    typer.Option(
        "--key",
        help="The log's verifier key (name+id+base64), or a file that holds it; "
        "get it from elsewhere than the receipt. May be given again.",
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


def verify(
    file: Annotated[str, typer.Argument(help="A .tlog-proof or trace proof file; - for stdin.")],
    key: Keys,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Verify a receipt or a trace proof offline."""

    def check() -> VerifiedReceipt | VerifiedTrace:
        keys = [read_key(one) for one in key]
        data = read_file(file, TRACE_BYTES_MAX)
        if data.startswith(b"{"):
            return verify_trace(data, keys)
        if len(data) > RECEIPT_BYTES_MAX:
            raise MalformedError(f"expected a receipt of at most {RECEIPT_BYTES_MAX} bytes")
        return verify_receipt(data, keys)

    _decide(check, lang, as_json)


def growth(
    old: Annotated[str, typer.Argument(help="The earlier checkpoint, or a receipt.")],
    new: Annotated[str, typer.Argument(help="The later checkpoint, or a receipt.")],
    key: Keys,
    proof: Annotated[
        str | None,
        typer.Option(help="The consistency proof: the JSON of /v1/proofs/consistency."),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="The log's URL: the proof is computed from its tiles.")
    ] = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Verify that a log only grew between two of its checkpoints."""

    def check() -> VerifiedGrowth:
        keys = [read_key(one) for one in key]
        before, after = read_file(old, RECEIPT_BYTES_MAX), read_file(new, RECEIPT_BYTES_MAX)
        if (proof is None) == (log is None):
            raise typer.BadParameter("give the proof with --proof FILE, or the log with --log URL")
        if proof is not None:
            hashes = _read_proof(read_file(proof, NOTE_BYTES_MAX))
        else:
            hashes = _fetch_proof(str(log), before, after, keys)
        return verify_growth(before, after, hashes, keys)

    _decide(check, lang, as_json)


def _decide(check: Any, lang: Literal["zh", "en"] | None, as_json: bool) -> None:
    """Run a check, tell its verdict, and exit with its code."""
    language = lang or default_language()
    try:
        result = check()
    except VerificationError as error:
        _tell_failure("mismatch", 1, error, language, as_json)
    except (MalformedError, UndecidedError) as error:
        _tell_failure("undecided", 3, error, language, as_json)
    if as_json:
        sys.stdout.write(json.dumps(_as_json(result, language), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(tell(result, language) + "\n")
        if isinstance(result, VerifiedReceipt):
            for name, value in result.values.items():
                sys.stdout.write(f"  {name}: {value}\n")


def _tell_failure(
    verdict: str, code: int, error: LedgerError, language: str, as_json: bool
) -> None:
    text = _VERDICTS[verdict][language].format(error.message.rstrip(".") + ".")
    if as_json:
        value = {"verdict": verdict, "code": error.code, "message": error.message, "text": text}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text + "\n")
    raise typer.Exit(code)


def _as_json(result: Any, language: Literal["zh", "en"]) -> dict[str, Any]:
    value: dict[str, Any] = {"verdict": "verified", "text": tell(result, language)}
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


def read_key(text: str) -> VerifierKey:
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


def _fetch_proof(log: str, old: bytes, new: bytes, keys: list[VerifierKey]) -> list[bytes]:
    """Compute the consistency proof from the log's tiles (c2sp.org/tlog-tiles)."""
    before, _ = verify_checkpoint(checkpoint_of(old), keys)
    after, _ = verify_checkpoint(checkpoint_of(new), keys)
    if not log.startswith(("http://", "https://")):
        raise typer.BadParameter("expected the log's URL, like http://127.0.0.1:8000")

    def fetch(level: int, number: int, width: int) -> bytes:
        url = f"{log.rstrip('/')}/{format_tile_path(level, number, width)}"
        try:
            with urllib.request.urlopen(url, timeout=FETCH_SECONDS_MAX) as answer:
                return bytes(answer.read(TILE_BYTES + 1))
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise UndecidedError(f"{url} could not be fetched: {error}") from None

    if not 0 < before.size <= after.size:
        return []
    return TileReader(after.size, fetch).consistency(before.size)
