"""``shanji witness``: run an independent witness of any C2SP log, and look at what it saw."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands.console import Lang, default_language, read_file, say
from ledger.errors import MalformedError, NotReadyError

if TYPE_CHECKING:
    from ledger.audit.witness.state import Met

_WORDS = {
    "zh": {
        "key": "密钥已写入 {file}，请妥善保管；上面是它的公钥。",
        "serve": "见证人 {name} 在 http://{host}:{port}/ 上为 {count} 个账本见证。Ctrl-C 停止。",
        "latest": "{origin}：{size} 条，见证于 {at}",
        "nothing": "尚未见证任何账本。",
        "forks": "发现 {count} 处分叉：shanji witness evidence 可列出证据。",
        "fork": "分叉：账本 {origin} 为 {size} 条签过两个不同的树根。两份检查点如下，足以为证：",
        "unproven": "存疑：账本 {origin} 签过 {size} 条的检查点，但其一致性证明有误（任何人都可能"
        "提交错误的证明，单凭此不足为证）：",
        "none": "没有发现分叉。",
    },
    "en": {
        "key": "The key is in {file}; keep it safe. Above is its verifier key.",
        "serve": "The witness {name} at http://{host}:{port}/ witnesses {count} logs. "
        "Ctrl-C stops it.",
        "latest": "{origin}: {size} entries, cosigned at {at}",
        "nothing": "No log was cosigned yet.",
        "forks": "{count} forks were found: shanji witness evidence lists the evidence.",
        "fork": "Fork: the log {origin} signed two roots for {size} entries. These two "
        "checkpoints prove it:",
        "unproven": "Unproven: the log {origin} signed a checkpoint of {size} entries whose "
        "consistency proof was wrong (anybody may send a wrong proof, so this alone proves "
        "nothing):",
        "none": "No fork was found.",
    },
}

State = Annotated[Path, typer.Option("--state", help="The witness's state file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    witness = typer.Typer(
        help="An independent witness: it cosigns a log's checkpoints if the log only grew.",
        no_args_is_help=True,
    )
    witness.command("key")(key)
    witness.command("serve")(serve)
    witness.command("status")(status)
    witness.command("evidence")(evidence)
    app.add_typer(witness, name="witness")


def key(
    name: Annotated[str, typer.Argument(help="The witness's name, like witness.example.org/w1.")],
    file: Annotated[Path, typer.Option("--output", "-o", help="The new file for the key.")],
    post_quantum: Annotated[
        bool, typer.Option("--post-quantum", help="An ML-DSA-44 key in place of Ed25519.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Make a witness's key; its verifier key goes to stdout, for policies."""
    from ledger.audit.witness.key import create_key, read_key
    from ledger.tlog.note import SignatureType, format_verifier_key

    kind = SignatureType.ML_DSA_44 if post_quantum else SignatureType.COSIGNATURE_ED25519
    create_key(file, name, kind, _clock)
    sys.stdout.write(format_verifier_key(read_key(file, _clock).verifier_key) + "\n")
    say(_WORDS[lang or default_language()]["key"].format(file=file))


def serve(
    key: Annotated[
        list[Path], typer.Option("--key", help="The key file; once more for a second key.")
    ],
    policy: Annotated[
        str,
        typer.Option(
            "--policy", help="A policy file (c2sp.org/tlog-policy): its log lines are the logs."
        ),
    ],
    state: State,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = (
        8100
    ),
    new: Annotated[
        bool,
        typer.Option("--new", help="Make the state file: only for a key that cosigned nothing."),
    ] = False,
    lang: Lang = None,
) -> None:
    """Witness logs over HTTP (c2sp.org/tlog-witness) until Ctrl-C."""
    from ledger.audit.witness.judge import Witness
    from ledger.audit.witness.key import read_key
    from ledger.audit.witness.serving import run
    from ledger.audit.witness.state import WitnessState
    from ledger.tlog.note import format_verifier_key
    from ledger.tlog.policy import POLICY_BYTES_MAX, parse_policy

    signers = [read_key(one, _clock) for one in key]
    logs = parse_policy(read_file(policy, POLICY_BYTES_MAX))
    if not logs.log_keys:
        raise MalformedError(f"{policy}: expected at least one log line; add 'log <vkey>'")
    keys = [format_verifier_key(one.verifier_key) for one in signers]
    memory = WitnessState.create(state, keys) if new else WitnessState.open(state, keys)
    words = _WORDS[lang or default_language()]

    def announce(bound_host: str, bound_port: int) -> None:
        values = {"name": signers[0].name, "host": bound_host, "port": bound_port}
        sys.stdout.write(words["serve"].format(count=len(logs.origins), **values) + "\n")
        sys.stdout.write("".join(f"{one}\n" for one in keys))
        sys.stdout.flush()

    try:
        run(Witness(logs, memory, signers, _clock), host, port, announce)
    except OSError as error:
        raise NotReadyError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port",
            code="port_in_use",
        ) from None


def status(state: State, as_json: Json = False, lang: Lang = None) -> None:
    """What the witness has cosigned last, log by log."""
    from ledger.audit.witness.state import WitnessState

    memory = WitnessState.open(state)
    found, forks = memory.all_latest(), memory.forks()
    if as_json:
        value = {"logs": [_as_json(one) for one in found], "forks": len(forks)}
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    words = _WORDS[lang or default_language()]
    for one in found:
        values = {"origin": one.origin, "size": one.size, "at": _time(one.met_at)}
        sys.stdout.write(words["latest"].format(**values) + "\n")
    if not found:
        sys.stdout.write(words["nothing"] + "\n")
    if forks:
        sys.stdout.write(words["forks"].format(count=len(forks)) + "\n")


def evidence(
    state: State,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder: both checkpoints of each fork as files."),
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Checkpoints that cannot both be true: exit code 1 where there are any."""
    from ledger.audit.witness.state import WitnessState

    memory = WitnessState.open(state)
    forks, unproven = memory.forks(), memory.unproven()
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(forks, 1):
            for letter, one in zip("ab", pair, strict=True):
                (output / f"fork-{number}-{letter}.checkpoint").write_bytes(one.note)
    if as_json:
        value = {
            "forks": [[_as_json(one) for one in pair] for pair in forks],
            "unproven": [_as_json(one) for one in unproven],
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        _print_evidence(forks, unproven, _WORDS[lang or default_language()])
    if forks:
        raise typer.Exit(1)


def _print_evidence(
    forks: list[tuple[Met, Met]], unproven: list[Met], words: dict[str, str]
) -> None:
    for pair in forks:
        values = {"origin": pair[0].origin, "size": pair[0].size}
        sys.stdout.write(words["fork"].format(**values) + "\n")
        for one in pair:
            sys.stdout.write((one.note + one.lines).decode() + "\n")
    for one in unproven:
        values = {"origin": one.origin, "size": one.size}
        sys.stdout.write(words["unproven"].format(**values) + "\n" + one.note.decode() + "\n")
    if not forks:
        sys.stdout.write(words["none"] + "\n")


def _as_json(one: Met) -> dict[str, Any]:
    return {
        "origin": one.origin,
        "size": one.size,
        "root": one.root.hex(),
        "standing": one.standing,
        "time": one.met_at,
        "checkpoint": (one.note + one.lines).decode(),
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock() -> int:
    return int(time.time())
