"""Every error the ledger raises, as one tree.

::

    LedgerError
    ├── MalformedError            the input is not in the format it must be in
    ├── VerificationError         well-formed, but it does not verify: a mismatch
    │   └── EvidenceError             with the files from which anybody can check it
    ├── UndecidedError            what was given does not suffice to decide
    │   ├── UnknownSignerError        no signature by a key that was given
    │   └── PendingError              genuine so far, but too few witnesses saw it
    ├── RejectedError             a record breaks a rule of the ledger
    │   ├── ConflictError             what it names is already recorded otherwise
    │   └── InsufficientError         units that are not there
    ├── NotAllowedError           this person may not do this
    ├── NotFoundError             no such entry, account, tile or file
    ├── RetryableError            nothing happened; the same call may succeed later
    │   ├── QueueFullError
    │   └── NotReadyError
    ├── OutcomeUnknownError       the commit's answer was lost; the key will tell
    └── FatalError                stop and read the store again; never mend in place
        └── CorruptionError           what is stored contradicts itself

Each error carries a stable ``code`` (snake_case, for programs) and a message
that says what was expected, what came and what to do. The core knows no HTTP
status and no exit code: ``api/problems.py`` and ``ledger/cli.py`` map types.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class LedgerError(Exception):
    """The root of the tree.

    Args:
        message: What was expected, what came, what to do; for people.
        code: A stable snake_case name for programs; each class has a default.
        field: The dotted path of the input field that is wrong, if one is.
        details: Further plain JSON values for programs (indices, amounts).
    """

    default_code: ClassVar[str] = "ledger_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        self.details: dict[str, object] = dict(details or {})

    def __str__(self) -> str:
        return self.message


class MalformedError(LedgerError):
    """The input is not in the format it must be in."""

    default_code = "malformed"


class VerificationError(LedgerError):
    """Well-formed input that does not verify: evidence of a mismatch."""

    default_code = "mismatch"


class EvidenceError(VerificationError):
    """A mismatch together with the files from which a third party can check it.

    Args:
        message, code, field, details: As for every error.
        files: File names and their bytes; ``ledger.audit.evidence`` reads them again.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        details: Mapping[str, object] | None = None,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        super().__init__(message, code=code, field=field, details=details)
        self.files: dict[str, bytes] = dict(files)


class UndecidedError(LedgerError):
    """What was given does not suffice to decide."""

    default_code = "undecided"


class UnknownSignerError(UndecidedError):
    """A signed note without a signature by any of the given keys."""

    default_code = "unknown_signer"


class PendingError(UndecidedError):
    """Signed by the log, and cosigned by fewer witnesses than the policy asks for.

    Not a mismatch: the same file, fetched again later, may carry the others.

    Args:
        message, code, field, details: As for every error.
        result: What was verified so far, as the verifier would have returned it.
    """

    default_code = "pending"

    def __init__(
        self,
        message: str,
        *,
        result: object = None,
        code: str | None = None,
        field: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, field=field, details=details)
        self.result = result


class RejectedError(LedgerError):
    """A record breaks a rule. ``code`` names the rule; nothing was recorded."""

    default_code = "rejected"


class ConflictError(RejectedError):
    """What the record names is already recorded with other content."""

    default_code = "conflict"


class InsufficientError(RejectedError):
    """The units asked for are not in the account."""

    default_code = "insufficient_units"


class NotAllowedError(LedgerError):
    """This person may not do this."""

    default_code = "not_allowed"


class NotFoundError(LedgerError):
    """No such thing."""

    default_code = "not_found"


class RetryableError(LedgerError):
    """Nothing happened; the same call may succeed later."""

    default_code = "try_again"


class QueueFullError(RetryableError):
    """The bounded queue of the write path is full."""

    default_code = "queue_full"


class NotReadyError(RetryableError):
    """The service cannot take records now."""

    default_code = "not_ready"


class OutcomeUnknownError(LedgerError):
    """The commit may or may not have happened; repeat with the same idempotency key."""

    default_code = "outcome_unknown"


class FatalError(LedgerError):
    """What is in memory can no longer be trusted; drop it and read the store again."""

    default_code = "fatal"


class CorruptionError(FatalError):
    """What is stored contradicts itself."""

    default_code = "corrupt"
