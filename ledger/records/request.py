"""From a request's bytes to a record that is ready to append: parse, validate, seal.

All of it needs no lock and no state, so it runs beside the writer. What people send is
read strictly (no duplicate keys, no fractions, nothing unknown) and every error is
reported at once, by field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Annotated, Any, Literal, NoReturn

import orjson
from pydantic import BaseModel, Field, ValidationError, create_model

from ledger.entry import DOCUMENTS_MAX, seal
from ledger.errors import MalformedError
from ledger.frozen import frozen
from ledger.records.catalog import KIND_BY_NAME
from ledger.records.kind import Day, Draft, Fields, Hash, Kind, NoneSealed, check_common
from ledger.state import State
from ledger.vault import Digests, Vault, VaultRow

BODY_BYTES_MAX = 128 * 1024
"""A record's request; its entry must fit into 65,535 bytes in the end."""
KEY_CHARS_MAX = 200
ERRORS_MAX = 100
"""At most this many field errors are told of one request."""

_KEY = re.compile(rf"[!-~]{{1,{KEY_CHARS_MAX}}}")


@frozen
class Prepared:
    """A validated and sealed record, ready for the writer.

    `public` is what the entry shows as `fields`; `row` what the vault keeps.
    """

    kind: Kind[Any]
    fields: Fields
    public: Mapping[str, Any]
    sealed: Mapping[str, str]
    occurred_on: str
    documents: Sequence[str]
    recorded_by: str
    approved_by: str | None
    row: VaultRow = field(repr=False)


def check_key(key: str) -> str:
    """The idempotency key, if it is one.

    Raises:
        MalformedError: not 1 to 200 visible ASCII characters (``invalid_key``).
    """
    if not _KEY.fullmatch(key):
        raise MalformedError(
            f"Idempotency-Key: expected 1 to {KEY_CHARS_MAX} visible ASCII characters without "
            f"spaces, got {key[:40]!r}; a fresh UUID for each record is right",
            code="invalid_key",
            field="Idempotency-Key",
        )
    return key


def parse_body(data: bytes) -> object:
    """Read a request's JSON strictly.

    Raises:
        MalformedError: too large, not UTF-8, not JSON, a duplicate key, NaN or Infinity.
    """
    if len(data) > BODY_BYTES_MAX:
        raise MalformedError(
            f"expected a body of at most {BODY_BYTES_MAX} bytes, got {len(data)}",
            code="body_too_large",
        )
    if b"\\" not in data:
        # The fast way, if it is plain that no key came twice: orjson keeps the last of two
        # silently, but then the value has fewer colons. A text without a backslash is written
        # again as it came, so that colons inside of texts count the same.
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            pass  # told below, in words
        else:
            if orjson.dumps(value).count(b":") == data.count(b":"):
                return value
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"expected JSON in UTF-8; byte {error.start} is not", code="malformed_json"
        ) from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedError(f"expected JSON: {error}", code="malformed_json") from None
    except ValueError:
        # The only one left: an integer with more digits than Python turns into a number.
        raise MalformedError(
            "expected JSON with numbers below 2^53, got an integer of thousands of digits",
            code="malformed_json",
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = max(counts, key=counts.__getitem__)
        raise MalformedError(
            f"expected each key once in a JSON object, got {twice[:40]!r} twice",
            code="duplicate_key",
        )
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"expected JSON numbers, got {name}", code="malformed_json")


@cache
def record_model(kind: Kind[Any]) -> type[BaseModel]:
    """The model of a whole request of this kind: kind, day, fields, sealed, documents."""
    name = "".join(part.capitalize() for part in re.split(r"[._]", kind.name)) + "Record"
    parts: dict[str, Any] = {
        "kind": (Literal[kind.name], ...),
        "occurred_on": (Day, ...),
        "fields": (kind.fields, ...),
        "documents": (
            Annotated[
                list[Hash],
                Field(max_length=DOCUMENTS_MAX, description="SHA-256 of each attached file"),
            ],
            Field(default_factory=list),
        ),
    }
    if kind.sealed is not NoneSealed:
        parts["sealed"] = (kind.sealed | None, None)
    return create_model(name, __base__=Fields, __doc__=kind.title_en, **parts)


def example_body(kind: Kind[Any]) -> dict[str, Any]:
    """A whole request that works when pasted on the demonstration."""
    return {"kind": kind.name, **kind.example}


def prepare(
    body: object, *, key: str, recorded_by: str, approved_by: str | None, vault: Vault | Digests
) -> Prepared:
    """Validate and seal a record.

    Args:
        body: The parsed request: ``{kind, occurred_on, fields, sealed?, documents?}``.
        key: The idempotency key.
        recorded_by, approved_by: The pseudonymous ids of the persons.
        vault: Makes the digests and the random seed's place; see ``vault``.

    Raises:
        MalformedError: ``invalid_key``, ``unknown_kind``, or ``invalid_record`` with
            every wrong field in ``details["errors"]``.
    """
    check_key(key)
    return seal_validated(
        validate(body), key=key, recorded_by=recorded_by, approved_by=approved_by, vault=vault
    )


def seal_validated(
    found: Validated,
    *,
    key: str,
    recorded_by: str,
    approved_by: str | None,
    vault: Vault | Digests,
) -> Prepared:
    """Seal what `validate` gave: the rest of `prepare`, whose `key` was checked."""
    return seal_record(
        kind=found.kind,
        fields=found.fields,
        public=found.fields.model_dump(exclude_none=True),
        values=found.values,
        occurred_on=found.occurred_on,
        documents=found.documents,
        key=key,
        recorded_by=recorded_by,
        approved_by=approved_by,
        vault=vault,
    )


@frozen
class Validated:
    """A record that is right by itself; `values` are its personal fields."""

    kind: Kind[Any]
    fields: Fields
    values: Mapping[str, Any] = field(repr=False)
    occurred_on: str
    documents: Sequence[str]


def validate(body: object) -> Validated:
    """Validate a record as `prepare` does, without sealing it.

    Raises:
        MalformedError: ``unknown_kind`` or ``invalid_record``, as in `prepare`.
    """
    kind = _kind_of(body)
    try:
        record: Any = record_model(kind).model_validate(body)
    except ValidationError as error:
        _refuse_record(error)
    sealed = getattr(record, "sealed", None)
    values = sealed.model_dump(exclude_none=True) if sealed is not None else {}
    return Validated(kind, record.fields, values, record.occurred_on, record.documents)


def rehearse(body: object, state: State, *, index: int, today: str, recorded_by: str) -> Validated:
    """Put a record to the rules without sealing or recording it.

    Args:
        body: As for `prepare`.
        state: The state to judge by; it is not changed.
        index, today: Where and when it would be recorded.
        recorded_by: Who would record it; alone.

    Returns:
        The record, so that who records it afterwards need not validate it again.

    Raises:
        MalformedError: as `validate`.
        RejectedError: a rule refuses it.
    """
    found = validate(body)
    draft: Draft[Any] = Draft(
        index,
        found.fields,
        frozenset(found.values),
        found.occurred_on,
        today,
        recorded_by,
        None,
        found.documents,
    )
    check_common(found.kind, draft)
    found.kind.plan(draft, state)
    return found


def seal_record(
    *,
    kind: Kind[Any],
    fields: Fields,
    public: Mapping[str, Any],
    values: Mapping[str, Any],
    occurred_on: str,
    documents: Sequence[str],
    key: str,
    recorded_by: str,
    approved_by: str | None,
    vault: Vault | Digests,
) -> Prepared:
    """Seal a validated record; `values` are its personal fields."""
    content = orjson.dumps(
        [kind.name, occurred_on, public, values, documents, recorded_by, approved_by],
        option=orjson.OPT_SORT_KEYS,
    )
    order = next((values[name] for name in kind.unique if name in values), None)
    digests = vault.digests if isinstance(vault, Vault) else vault
    seed = digests.new_seed() if values else None
    row = VaultRow(
        key,
        digests.digest("request", content),
        None if order is None else digests.digest("order", order.encode()),
        seed,
        values if seed is not None else None,
    )
    sealed = {} if seed is None else seal(seed, values)
    return Prepared(
        kind, fields, public, sealed, occurred_on, documents, recorded_by, approved_by, row
    )


def _kind_of(body: object) -> Kind[Any]:
    if not isinstance(body, dict):
        raise MalformedError(
            f"expected a JSON object with kind, occurred_on and fields, got a "
            f"{type(body).__name__}",
            code="invalid_record",
        )
    name = body.get("kind")
    kind = KIND_BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None or not kind.recorders:
        known = ", ".join(one.name for one in KIND_BY_NAME.values() if one.recorders)
        raise MalformedError(
            f"kind: expected one of {known}; got {str(name)[:40]!r}",
            code="unknown_kind",
            field="kind",
        )
    return kind


def _refuse_record(error: ValidationError) -> NoReturn:
    errors = [
        {
            "field": ".".join(str(part) for part in one["loc"]),
            "code": one["type"],
            "message": one["msg"],
        }
        for one in error.errors(include_url=False, include_input=False)[:ERRORS_MAX]
    ]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    raise MalformedError(
        f"{first['field']}: {first['message']}{more}; see the kind's schema under /v1/kinds",
        code="invalid_record",
        field=first["field"],
        details={"errors": errors},
    ) from None
