"""The log's keys as entries: one comes, one goes (issue 4, "Keys").

A key that is added signs every checkpoint from the one that holds the entry; a key that is
revoked signs none from the one that holds that entry. In between both sign, so that a
rotation overlaps. What was signed before stays valid for ever (``keys.history``).

The whole history is one object of the state, for the write path needs all of it at the
end of every batch. It is there from the first change; until then ``log.opened`` says it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ledger.entry import Entry
from ledger.errors import MalformedError
from ledger.keys.history import (
    ACTIVE_KEYS_MAX,
    ALGORITHMS,
    KEY_ADDED,
    KEY_REVOKED,
    KEYS_MAX,
    KeyHistory,
    history_from_json,
    is_ed25519,
)
from ledger.records.kind import APPROVERS, Draft, Fields, Kind, Plan, Role, Text, reject
from ledger.state import State
from ledger.tlog.note import VERIFIER_KEY_CHARS_MAX, parse_verifier_key

HISTORY = "log-keys"
"""The state's object that holds the history."""

Reason = Literal["superseded", "compromised", "lost", "retired"]


def _written_key(text: str) -> str:
    try:
        parse_verifier_key(text)
    except MalformedError as error:
        raise ValueError(error.message) from None
    return text


class KeyAdded(Fields):
    """A key with which the log signs from the next checkpoint on."""

    verifier_key: Annotated[
        str,
        Field(
            max_length=VERIFIER_KEY_CHARS_MAX,
            description="name+key id+base64 (c2sp.org/signed-note), named as the log's origin",
        ),
        AfterValidator(_written_key),
    ]
    algorithm: Literal["ed25519", "ml-dsa-44"]
    reason: Text


class KeyRevoked(Fields):
    """A key with which the log signs no more."""

    key_id: Annotated[
        str, Field(pattern=r"^[0-9a-f]{8}$", description="the key's id, 8 hex digits")
    ]
    reason: Reason
    note: Text | None = None


def history_of(state: State) -> KeyHistory:
    """The history of the log's keys, the running batch included."""
    kept = state.get(HISTORY)
    if kept is not None:
        return history_from_json(kept)
    return KeyHistory().take(state.entry(0, "log.opened"))


def _plan_added(draft: Draft[KeyAdded], state: State) -> Plan:
    key, history = parse_verifier_key(draft.fields.verifier_key), history_of(state)
    where = "fields.verifier_key"
    origin = history.keys[0].name
    if key.name != origin:
        reject(
            "key_name",
            f"{where}: expected a key named {origin}, as the log, got {key.name}",
            field=where,
        )
    if key.signature_type != ALGORITHMS[draft.fields.algorithm]:
        reject(
            "key_algorithm",
            f"fields.algorithm: {draft.fields.algorithm} has keys of type "
            f"0x{ALGORITHMS[draft.fields.algorithm]:02x}, got one of type "
            f"0x{key.signature_type:02x}; a log signs with ed25519 and ml-dsa-44",
            field="fields.algorithm",
        )
    known = history.term_of(key.key_id)
    if known is not None:
        reject(
            "key_known",
            f"{where}: the key id {key.key_id.hex()} has been the log's since entry "
            f"{known.added_by}; a key comes once, make another",
            field=where,
            entry=known.added_by,
        )
    if len(history.active) >= ACTIVE_KEYS_MAX or len(history.terms) >= KEYS_MAX:
        reject(
            "too_many_keys",
            f"{where}: a log has at most {ACTIVE_KEYS_MAX} active keys, and {KEYS_MAX} in its "
            "life; revoke one first",
            field=where,
        )
    return Plan()


def _plan_revoked(draft: Draft[KeyRevoked], state: State) -> Plan:
    key_id, history = draft.fields.key_id, history_of(state)
    term = history.term_of(bytes.fromhex(key_id))
    if term is None:
        reject(
            "unknown_key",
            f"fields.key_id: the log has no key {key_id}; its keys are "
            f"{', '.join(key.key_id.hex() for key in history.active)}",
            field="fields.key_id",
        )
    if term.revoked_by is not None:
        reject(
            "already_revoked",
            f"fields.key_id: key {key_id} was revoked by entry {term.revoked_by}",
            field="fields.key_id",
            entry=term.revoked_by,
        )
    if [one.key_id for one in history.active if is_ed25519(one)] == [term.key.key_id]:
        reject(
            "last_key",
            f"fields.key_id: {key_id} is the log's only Ed25519 key, and without one nothing "
            "more can be recorded; add its successor first (key.added)",
            field="fields.key_id",
        )
    return Plan(references=(term.added_by,))


def _effects(entry: Entry, state: State, sign: int) -> None:
    state.put(HISTORY, history_of(state).take(entry).as_json())


KEY_ADDED_KIND = Kind(
    name=KEY_ADDED,
    title_zh="启用账本密钥",
    title_en="Key added",
    moves="nothing",
    fields=KeyAdded,
    recorders=frozenset((Role.REGISTRAR,)),
    approvers=APPROVERS,
    plan=_plan_added,
    effects=_effects,
    example={
        "occurred_on": "2021-12-31",
        "fields": {
            "verifier_key": "shanji.example/demonstration+85ce9f44+"
            "AQ2m9MDHpuow1fARVHfctV0Gg6G7gN80egrDAvGnIlYj",
            "algorithm": "ed25519",
            "reason": "年度轮换：新密钥与现用密钥并行签名",
        },
    },
)

KEY_REVOKED_KIND = Kind(
    name=KEY_REVOKED,
    title_zh="停用账本密钥",
    title_en="Key revoked",
    moves="nothing",
    fields=KeyRevoked,
    recorders=frozenset((Role.REGISTRAR,)),
    approvers=APPROVERS,
    plan=_plan_revoked,
    effects=_effects,
    example={
        "occurred_on": "2021-12-31",
        "fields": {"key_id": "55873dde", "reason": "superseded", "note": "备用密钥到期更换"},
    },
)
