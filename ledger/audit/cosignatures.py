"""The audit of cosignatures: every stored one verifies, and none is missing.

Witnesses are outside of the log, so the entries do not give their cosignatures. What
holds them together are their numbers without gaps, each line's own signature over the
checkpoint of its size, and the row that counts them for each witness.
"""

from __future__ import annotations

from typing import Any

from ledger.audit.report import Notes, Rows
from ledger.errors import LedgerError, RetryableError, VerificationError
from ledger.store import Reader
from ledger.tlog.cosignature import cosignature_timestamp, verifier_for
from ledger.tlog.note import parse_signatures, parse_verifier_key, split_note
from ledger.tlog.policy import WITNESS_KEY_TYPES, Policy


class CosignatureRows:
    """Checks both tables at the end of an audit.

    Args:
        reader: A snapshot of the log.
        notes: Where findings go.
        policy: Whom the auditor trusts, if that is to be told.
    """

    def __init__(self, reader: Reader, notes: Notes, policy: Policy | None) -> None:
        self._reader = reader
        self._notes = notes
        self._trusted = None if policy is None else {one.key for one in policy.witnesses}
        self._counts: dict[str, int] = {}
        self._last: dict[str, tuple[int, int]] = {}

    def check(self) -> list[dict[str, Any]]:
        """Read every row and compare.

        Returns:
            Each witness with its last size and time, and whether the policy trusts it.
        """
        expected = 0
        rows = Rows(self._reader, "cosignature", self._notes)
        for number, size, key, line in rows:
            self._notes.count("cosignature")
            if expected < number:
                self._find(expected, f"{number - expected} rows from here on are missing")
            expected = number + 1
            self._take(number, size, key, line)
        return self._compare(expected, rows.broken)

    def _take(self, number: int, size: int, key_text: str, line: bytes) -> None:
        """One row: the line is one signature by the row's key over its size's checkpoint."""
        try:
            key = parse_verifier_key(key_text)
            if key.signature_type not in WITNESS_KEY_TYPES:
                raise VerificationError("the key is not one that witnesses use")
            signature, *more = parse_signatures(line)
            if more or (signature.name, signature.key_id) != (key.name, key.key_id):
                raise VerificationError("the line is not one signature by the row's key")
            text, _ = split_note(self._reader.checkpoint(size))
            verifier_for(key).verify(text, signature.signature)
            timestamp = cosignature_timestamp(signature)
        except RetryableError:
            raise
        except LedgerError as error:
            self._find(number, error.message)
        else:
            self._last[key_text] = max(self._last.get(key_text, (0, 0)), (size, timestamp))
        self._counts[key_text] = self._counts.get(key_text, 0) + 1

    def _compare(self, next_number: int, broken: bool) -> list[dict[str, Any]]:
        """The rows of the witnesses repeat what the cosignatures say."""
        found: list[dict[str, Any]] = []
        total = 0
        rows = Rows(self._reader, "witness", self._notes)
        for key_text, count, last_size in rows:
            self._notes.count("witness")
            total += count
            size, timestamp = self._last.get(key_text, (0, 0))
            if not broken and (self._counts.pop(key_text, 0), size) != (count, last_size):
                self._notes.find(
                    "witness",
                    f"witness {key_text}",
                    None,
                    f"the row says {count} cosignatures up to size {last_size}; that is not so",
                )
            found.append(self._describe(key_text, size, timestamp))
        if not rows.broken and not broken:
            if next_number < total:
                self._find(next_number, f"{total - next_number} rows from here on are missing")
            for key_text in self._counts:
                self._notes.find("witness", f"witness {key_text}", None, "the row is missing")
        return found

    def _describe(self, key_text: str, size: int, timestamp: int) -> dict[str, Any]:
        value: dict[str, Any] = {"verifier_key": key_text, "last_size": size, "time": timestamp}
        if self._trusted is not None:
            try:
                value["trusted"] = parse_verifier_key(key_text) in self._trusted
            except LedgerError:
                value["trusted"] = False
        return value

    def _find(self, number: int, message: str) -> None:
        self._notes.find("cosignature", f"cosignature {number}", None, message)
