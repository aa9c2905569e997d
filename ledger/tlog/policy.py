"""Trust policies: which logs and witnesses to believe, and how many witnesses suffice.

A policy is a text file (c2sp.org/tlog-policy)::

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

A checkpoint is good by it when any one of the log keys signed it and witnesses
cosigned it as the quorum says. Names hold inside the file only; a key is known by
its public key, so the same one may not stand twice.

One thing is ours. A log that changes its key has several ``log`` lines of one name,
and a comment, which every other reader passes over, says for which checkpoints a
key counts, from the first size to the last, both included::

    #:shanji key <8 hex digits of the key id> sizes <first>-[<last>]

The file is octets: names are opaque, so bytes that are no UTF-8 are kept as Python's
``surrogateescape`` writes them. ``witnessed`` judges a checkpoint by a policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ledger.errors import MalformedError
from ledger.tlog.merkle import SIZE_MAX
from ledger.tlog.note import (
    SignatureType,
    VerifierKey,
    format_verifier_key,
    parse_verifier_key,
)

POLICY_BYTES_MAX = 1_048_576
LOGS_MAX = 256
"""Log lines; the spec asks for at least 32. Each rotation of a key adds one."""
WITNESSES_MAX = 256
"""Witness lines; the spec asks for at least 32. A note carries at most 64 signatures."""
GROUPS_MAX = 256
"""Group lines; the spec asks for at least 32."""

NO_QUORUM = "none"
"""The predefined name for a quorum of no witness."""

SIZES_MARK = "#:shanji"
"""Begins the comment lines that are meant for us."""

LOG_KEY_TYPES = (SignatureType.ED25519, SignatureType.ML_DSA_44)
WITNESS_KEY_TYPES = (SignatureType.COSIGNATURE_ED25519, SignatureType.ML_DSA_44)

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANKS = re.compile(r"[ \t]+")
_WORD = re.compile(r"[^\x00-\x20\x7f]+")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,8}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_SIZES = re.compile(r"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})?")


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key that a log signs with, named as the log's origin.

    Checkpoints of ``first_size`` to ``last_size`` leaves, both included, count for it;
    ``last_size`` None is without end. ``url`` is empty where the policy has none.
    """

    key: VerifierKey
    url: str = ""
    first_size: int = 0
    last_size: int | None = None

    def covers(self, size: int) -> bool:
        """Whether a checkpoint of this size counts for the key."""
        return self.first_size <= size and (self.last_size is None or size <= self.last_size)

    @property
    def sizes(self) -> str:
        """The sizes as the policy writes them: ``<first>-[<last>]``."""
        return f"{self.first_size}-{'' if self.last_size is None else self.last_size}"


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under the name that the policy gives it; ``url`` empty where it has none."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Sees a checkpoint when at least ``threshold`` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; every instance is consistent.

    Groups stand in the order in which they may refer to one another. ``quorum`` is the
    name of a witness or group, or ``none``.

    Raises:
        MalformedError: a rule of c2sp.org/tlog-policy is broken.
    """

    log_keys: tuple[LogKey, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    def __post_init__(self) -> None:
        """Check every rule that does not depend on the order of lines."""
        _check_counts(self)
        _check_keys("log", [one.key for one in self.log_keys], LOG_KEY_TYPES)
        _check_keys("witness", [one.key for one in self.witnesses], WITNESS_KEY_TYPES)
        for one in self.log_keys:
            _check_sizes(one)
        urls = [one.url for one in self.log_keys] + [one.url for one in self.witnesses]
        for url in filter(None, urls):
            _check_word("URL", url)
        names: set[str] = set()
        for witness in self.witnesses:
            _define(witness.name, names)
        members: set[str] = set()
        for group in self.groups:
            _check_group(group, names, members)
            _define(group.name, names)
        if self.quorum != NO_QUORUM and self.quorum not in names:
            raise MalformedError(
                f"expected a quorum of a witness or group defined before it, or {NO_QUORUM}, "
                f"got {self.quorum!r}; define it on a line above"
            )

    @property
    def origins(self) -> tuple[str, ...]:
        """The names of the logs, each once, in the order of the file."""
        return tuple(dict.fromkeys(one.key.name for one in self.log_keys))

    def reached_by(self, names: Iterable[str]) -> bool:
        """Whether cosignatures by these witnesses, named as in the policy, are a quorum."""
        if self.quorum == NO_QUORUM:
            return True
        seen = {one.name for one in self.witnesses} & set(names)
        for group in self.groups:
            if sum(member in seen for member in group.members) >= group.threshold:
                seen.add(group.name)
        return self.quorum in seen


# The file


@dataclass(slots=True)
class _Draft:
    """What the lines read so far define."""

    log_keys: list[LogKey] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    sizes: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    quorum: str | None = None


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        MalformedError: a rule of c2sp.org/tlog-policy is broken, with the line's number.
    """
    if not isinstance(data, bytes) or len(data) > POLICY_BYTES_MAX:
        raise MalformedError(f"expected a policy as at most {POLICY_BYTES_MAX} bytes")
    if _FORBIDDEN.search(data):
        raise MalformedError(
            "expected a policy without control characters other than tab and newline; "
            "save it with Unix line ends"
        )
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines.pop():
        raise MalformedError(
            "expected each line of a policy to end in a newline; the file was cut short, or "
            "needs one after its last line"
        )
    draft = _Draft()
    for number, line in enumerate(lines, 1):
        words = [word for word in _BLANKS.split(line) if word]
        try:
            if words:
                _read_line(words, draft)
        except MalformedError as error:
            raise MalformedError(f"line {number} of the policy: {error.message}") from None
    if draft.quorum is None:
        raise MalformedError(
            f"expected one quorum line in the policy, got none; 'quorum {NO_QUORUM}' asks for "
            "no witness"
        )
    return Policy(
        _with_sizes(draft.log_keys, draft.sizes),
        tuple(draft.witnesses),
        tuple(draft.groups),
        draft.quorum,
    )


def format_policy(policy: Policy) -> bytes:
    """Write a policy file; ``parse_policy`` reads the same policy from it."""
    lines: list[str] = []
    for one in policy.log_keys:
        lines.append(" ".join(["log", format_verifier_key(one.key), *_present(one.url)]))
        if one.first_size or one.last_size is not None:
            lines.append(f"{SIZES_MARK} key {one.key.key_id.hex()} sizes {one.sizes}")
    for witness in policy.witnesses:
        words = ["witness", witness.name, format_verifier_key(witness.key)]
        lines.append(" ".join([*words, *_present(witness.url)]))
    for group in policy.groups:
        count = "all" if group.threshold == len(group.members) else str(group.threshold)
        lines.append(" ".join(["group", group.name, count, *group.members]))
    lines.append(f"quorum {policy.quorum}")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _read_line(words: Sequence[str], draft: _Draft) -> None:
    """Take one line's words into the draft."""
    if words[0].startswith("#"):
        if words[0] == SIZES_MARK:
            _read_sizes(words, draft)
        return
    read = _LINES.get(words[0])
    if read is None:
        raise MalformedError(f"expected log, witness, group, quorum or a comment, got {words[0]!r}")
    read(words[1:], draft)


def _read_log(words: Sequence[str], draft: _Draft) -> None:
    if not 1 <= len(words) <= 2:
        raise MalformedError("expected 'log <vkey> [<url>]'")
    draft.log_keys.append(LogKey(parse_verifier_key(words[0]), "".join(words[1:])))


def _read_witness(words: Sequence[str], draft: _Draft) -> None:
    if not 2 <= len(words) <= 3:
        raise MalformedError("expected 'witness <name> <vkey> [<url>]'")
    _define(words[0], draft.names)
    draft.witnesses.append(Witness(words[0], parse_verifier_key(words[1]), "".join(words[2:])))


def _read_group(words: Sequence[str], draft: _Draft) -> None:
    if len(words) < 3:
        raise MalformedError("expected 'group <name> all|any|<k> <member>...'")
    name, count, *members = words
    if count in ("all", "any"):
        threshold = len(members) if count == "all" else 1
    elif _THRESHOLD.fullmatch(count):
        threshold = int(count)
    else:
        raise MalformedError(f"expected all, any or a decimal number of members, got {count!r}")
    group = Group(name, threshold, tuple(members))
    _check_group(group, draft.names, draft.members)
    _define(name, draft.names)
    draft.groups.append(group)


def _read_quorum(words: Sequence[str], draft: _Draft) -> None:
    if len(words) != 1:
        raise MalformedError(f"expected 'quorum <name>' or 'quorum {NO_QUORUM}'")
    if draft.quorum is not None:
        raise MalformedError("expected exactly one quorum line, got a second")
    if words[0] != NO_QUORUM and words[0] not in draft.names:
        raise MalformedError(f"the quorum {words[0]!r} is not defined on a line above")
    draft.quorum = words[0]


def _read_sizes(words: Sequence[str], draft: _Draft) -> None:
    match = _SIZES.fullmatch(words[4]) if len(words) == 5 else None
    if match is None or (words[1], words[3]) != ("key", "sizes") or not _KEY_ID.fullmatch(words[2]):
        # Passing over a limit that was meant would believe too much.
        raise MalformedError(
            f"expected '{SIZES_MARK} key <8 hex digits> sizes <first>-[<last>]'; a newer version "
            "of this program may know this line"
        )
    if words[2] in draft.sizes:
        raise MalformedError(f"expected one line of sizes for the key {words[2]}, got a second")
    draft.sizes[words[2]] = (int(match[1]), int(match[2]) if match[2] else None)


_LINES: Mapping[str, Callable[[Sequence[str], _Draft], None]] = {
    "log": _read_log,
    "witness": _read_witness,
    "group": _read_group,
    "quorum": _read_quorum,
}


def _with_sizes(
    log_keys: Sequence[LogKey], sizes: Mapping[str, tuple[int, int | None]]
) -> tuple[LogKey, ...]:
    """Give each log key its sizes; every line of sizes must belong to exactly one."""
    ids = [one.key.key_id.hex() for one in log_keys]
    for key_id in sizes:
        if ids.count(key_id) != 1:
            raise MalformedError(
                f"expected one log line with the key id {key_id}, whose sizes the policy gives, "
                f"got {ids.count(key_id)}"
            )
    return tuple(
        replace(one, first_size=sizes[key_id][0], last_size=sizes[key_id][1])
        if key_id in sizes
        else one
        for one, key_id in zip(log_keys, ids, strict=True)
    )


def _present(url: str) -> list[str]:
    return [url] if url else []


# The rules


def _check_counts(policy: Policy) -> None:
    for what, count, most in (
        ("logs", len(policy.log_keys), LOGS_MAX),
        ("witnesses", len(policy.witnesses), WITNESSES_MAX),
        ("groups", len(policy.groups), GROUPS_MAX),
    ):
        if count > most:
            raise MalformedError(f"expected at most {most} {what} in a policy, got {count}")


def _check_keys(what: str, keys: Sequence[VerifierKey], types: tuple[SignatureType, ...]) -> None:
    """Each public key once, each of a type that such a signer uses."""
    seen: set[bytes] = set()
    for key in keys:
        if key.signature_type not in types:
            known = " or ".join(f"0x{number:02x}" for number in types)
            raise MalformedError(
                f"expected a {what} key of type {known}, got 0x{key.signature_type:02x} for "
                f"{key.name}; it is another kind of key"
            )
        if key.public_key in seen:
            raise MalformedError(
                f"the public key of {key.name} stands on two {what} lines; remove one"
            )
        seen.add(key.public_key)


def _check_sizes(one: LogKey) -> None:
    last = SIZE_MAX if one.last_size is None else one.last_size
    if not 0 <= one.first_size <= last <= SIZE_MAX:
        raise MalformedError(
            f"expected sizes from a first to a last one, not smaller and below 2**63, for the "
            f"key {one.key.key_id.hex()}, got {one.sizes}"
        )


def _check_word(what: str, word: str) -> None:
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        raise MalformedError(f"expected a {what} without white space and control characters")


def _define(name: str, names: set[str]) -> None:
    """Take a name of a witness or a group; they share one namespace."""
    _check_word("name", name)
    if name == NO_QUORUM:
        raise MalformedError(f"the name {NO_QUORUM!r} is predefined; choose another")
    if name in names:
        raise MalformedError(f"the name {name!r} is defined twice; rename one")
    names.add(name)


def _check_group(group: Group, names: set[str], members: set[str]) -> None:
    """Check a group against the names above it; takes its members."""
    for member in group.members:
        if member not in names:
            raise MalformedError(
                f"the member {member!r} of group {group.name!r} is no witness or group on a "
                "line above"
            )
        if member in members:
            raise MalformedError(
                f"{member!r} is a member of a group already; a witness counts in one way only"
            )
        members.add(member)
    if not 1 <= group.threshold <= len(group.members):
        raise MalformedError(
            f"expected 1 to {len(group.members)} members to suffice for group {group.name!r}, "
            f"got {group.threshold}"
        )
