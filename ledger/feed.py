"""The feed: sends each new checkpoint to the witnesses, and keeps what they answer.

One thread a witness, so that a slow one delays no other. Each looks whether the log has
grown since its witness last cosigned; if so it offers the newest checkpoint, whatever
came between, with a consistency proof from there (c2sp.org/tlog-witness). With nothing
new it stays silent. When a witness is away the log goes on, and the thread comes back
after a wait that doubles. Any number of processes may feed one log: what one has stored
the others see.

A witness that has seen a larger log than this one, or one that this one does not
continue, says that this database is an old copy or a fork. Then the book is halted:
another signature would be a second history. To learn it before the first signature,
every start offers the newest checkpoint once, new or not. A log that was restored from a
backup waits for that: it is written again when every witness that can be asked has agreed.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import httpx

from ledger.book import Book
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotReadyError,
    UndecidedError,
    VerificationError,
)
from ledger.tlog.cosignature import Clock, cosignature_timestamp, verifier_for
from ledger.tlog.note import (
    Verifier,
    format_signature,
    format_verifier_key,
    parse_signatures,
    split_note,
)
from ledger.tlog.policy import Policy, Witness
from ledger.tlog.submission import PATH, SIZE_MEDIA_TYPE, format_submission, parse_size
from ledger.tlog.witnessed import FUTURE_SECONDS_MAX

REQUEST_SECONDS_MAX = 10
"""How long a witness may take to answer."""
ANSWER_BYTES_MAX = 65_536
"""The longest answer that is read; a post-quantum signature line has 3.3 KB."""
POLL_SECONDS = 1.0
"""How often a thread looks whether the log has grown; also the least time between offers."""
POLL_SECONDS_REQUIRED = 0.2
"""The same where answers wait for witnesses; our own process wakes the thread besides."""
START_SECONDS_MAX = 5.0
"""How long a start waits for what the witnesses say before the first record is taken."""
BACKOFF_SECONDS_MIN = 1.0
BACKOFF_SECONDS_MAX = 300.0
"""A witness that is away is asked again after a random part of a time that doubles."""
OFFERS_MAX = 4
"""Offers in a row to one witness that each time names another size."""

Chance = Callable[[], float]
"""Gives a random number from 0 to 1."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a witness stands, as seen by this process.

    Attributes:
        name: The name of its key.
        verifier_key: The key, as text.
        last_size, last_time: The largest checkpoint that it cosigned, and the time it
            stated; None before the first.
        trouble: A stable code of what went wrong last; None where nothing did.
        message: The same in words.
    """

    name: str
    verifier_key: str
    last_size: int | None
    last_time: int | None
    trouble: str | None
    message: str | None


@dataclass(slots=True)
class _TroubleError(Exception):
    """An offer that failed; the witness is asked again later."""

    code: str
    message: str


@dataclass(slots=True)
class _Waiters:
    """Who waits until an entry is covered by a checkpoint with the required witnesses."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[tuple[int, Future[None]]] = field(default_factory=list)


class Feed:
    """Feeds one log to the witnesses of its book's policy; `start` and `close` it.

    Args:
        book: The log, whose `witnessing` has the policy.
        clock: The time, in seconds since 1970.
        chance: For the waits between tries.
    """

    def __init__(
        self,
        book: Book,
        *,
        clock: Clock = lambda: int(time.time()),
        chance: Chance = random.random,
    ) -> None:
        self._book = book
        self._waiters = _Waiters()
        self.require = book.witnessing.require
        self._confirmed = False
        self._threads = [
            _WitnessThread(book, one, self._resolve, self._confirm, clock, chance)
            for one in book.witnessing.policy.witnesses
            if one.url
        ]

    def start(self, seconds_max: float | None = None) -> None:
        """Start, and hear each witness once.

        Args:
            seconds_max: How long it waits for that; None is `START_SECONDS_MAX`.
        """
        for one in self._threads:
            one.start()
        end = time.monotonic() + (START_SECONDS_MAX if seconds_max is None else seconds_max)
        for one in self._threads:
            one.heard.wait(max(0.0, end - time.monotonic()))

    def close(self) -> None:
        """Stop; what waits for witnesses is told that the service stops."""
        for one in self._threads:
            one.stop()
        for one in self._threads:
            one.join()
        with self._waiters.lock:
            waiting, self._waiters.waiting = self._waiters.waiting, []
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(
                    NotReadyError("the service is stopping; repeat with the same key later")
                )

    def _confirm(self) -> None:
        """Once every witness has agreed, a log that was restored may be written."""
        if self._confirmed or self._book.halted is not None:
            return
        if all(one.agreed.is_set() for one in self._threads):
            names = ", ".join(one.key.partition("+")[0] for one in self._threads)
            try:
                self._book.confirm_restored(f"the witnesses {names} have seen nothing newer")
            except OSError as error:
                # It stays held, and the next turn tries again.
                log.error("that the log may be written could not be kept: %s", error)
                return
            self._confirmed = True

    def covered(self, index: int) -> Future[None]:
        """Done when a checkpoint with the required witnesses covers the entry."""
        future: Future[None] = Future()
        with self._waiters.lock:
            self._waiters.waiting = [one for one in self._waiters.waiting if not one[1].done()]
            self._waiters.waiting.append((index, future))
        self._resolve()
        for one in self._threads:
            one.wake()
        return future

    def standings(self) -> list[Standing]:
        """Each witness of the policy, and those of earlier policies that ever cosigned."""
        troubles: Mapping[str, _TroubleError | None] = {
            one.key: one.trouble for one in self._threads
        }
        keys = {format_verifier_key(one.key): one for one in self._book.witnessing.policy.witnesses}
        found: list[Standing] = []
        with self._book.store.read() as reader:
            for key in [*keys, *(key for key in reader.witness_keys() if key not in keys)]:
                last = reader.last_cosignature(key)
                time_of = None
                if last is not None:
                    time_of = cosignature_timestamp(parse_signatures(last[1])[0])
                trouble = troubles.get(key)
                if trouble is None and key not in troubles:
                    trouble = _TroubleError("not_asked", "the policy gives no URL for it")
                    if key not in keys:
                        trouble = _TroubleError("not_in_policy", "the policy does not name it")
                found.append(
                    Standing(
                        key.partition("+")[0],
                        key,
                        None if last is None else last[0],
                        time_of,
                        None if trouble is None else trouble.code,
                        None if trouble is None else trouble.message,
                    )
                )
        return found

    def _resolve(self) -> None:
        """Answer those whose entry is covered now."""
        with self._waiters.lock:
            if not self._waiters.waiting:
                return
        with self._book.store.read() as reader:
            newest = self._book.witnessing.newest(reader) or 0
        with self._waiters.lock:
            done = [one for one in self._waiters.waiting if one[0] < newest]
            self._waiters.waiting = [one for one in self._waiters.waiting if one[0] >= newest]
        for _, future in done:
            if future.set_running_or_notify_cancel():
                future.set_result(None)


class _WitnessThread(threading.Thread):
    """Offers checkpoints to one witness.

    `heard` is set after the first offer, whatever came of it; `agreed` once the witness has
    cosigned what the log offered: it has seen no more, and no other history.
    """

    def __init__(
        self,
        book: Book,
        witness: Witness,
        stored: Callable[[], None],
        agreed: Callable[[], None],
        clock: Clock,
        chance: Chance,
    ) -> None:
        super().__init__(name=f"feed {witness.key.name}", daemon=True)
        self.key = format_verifier_key(witness.key)
        self.heard = threading.Event()
        self.agreed = threading.Event()
        self.trouble: _TroubleError | None = None
        self._book = book
        self._witness = witness
        self._stored = stored
        self._tell_agreed = agreed
        self._clock = clock
        self._chance = chance
        self._url = f"{witness.url.rstrip('/')}/{PATH}"
        self._poll = POLL_SECONDS_REQUIRED if book.witnessing.require else POLL_SECONDS
        self._wake = threading.Condition()
        self._woken = False
        self._closing = False
        self._failures = 0
        self._last: int | None = None
        """The size that it cosigned last, as this process knows; None before it was heard."""

    def wake(self) -> None:
        """Look now whether there is something new."""
        with self._wake:
            self._woken = True
            self._wake.notify()

    def stop(self) -> None:
        """End soon: after the offer that is under way."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def run(self) -> None:
        with httpx.Client(timeout=REQUEST_SECONDS_MAX) as client:
            while not self._closing:
                wait = self._turn(client)
                self.heard.set()
                self._pause(wait)

    def _pause(self, seconds: float) -> None:
        """Wait; a wake-up ends it early unless the witness is being left alone."""
        end = time.monotonic() + seconds
        with self._wake:
            while not self._closing and (left := end - time.monotonic()) > 0:
                if self._woken and not self._failures:
                    break
                self._wake.wait(left)
            self._woken = False

    def _turn(self, client: httpx.Client) -> float:
        """Offer what is new, if anything is; the seconds to wait afterwards."""
        try:
            self._offer_newest(client)
            self._failures, self.trouble = 0, None
            self.agreed.set()
            self._tell_agreed()
            # Another process may have stored what somebody here waits for.
            self._stored()
        except _TroubleError as trouble:
            self._note(trouble)
        except LedgerError as error:
            self._note(_TroubleError("store", error.message))
        if not self._failures:
            return self._poll
        whole = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2.0 ** (self._failures - 1))
        return whole * (0.5 + 0.5 * self._chance())

    def _note(self, trouble: _TroubleError) -> None:
        if self.trouble is None or self.trouble.code != trouble.code:
            log.warning("witness %s: %s", self._witness.key.name, trouble.message)
        self.trouble = trouble
        # Beyond this the wait is at its longest; the power would overflow a float.
        self._failures = min(self._failures + 1, 32)

    def _offer_newest(self, client: httpx.Client) -> None:
        """Offer the newest checkpoint, unless this witness has cosigned it.

        Raises:
            _TroubleError: it is away, refuses, or contradicts the log.
            LedgerError: the store could not be read or written.
        """
        size, old = self._sizes()
        if self._last is not None:
            old = max(old, self._last)
            if size <= old:
                return
        for _ in range(OFFERS_MAX):
            answer = self._post(client, old, size)
            if answer.status_code == 200:
                self._keep(size, answer.content)
                self._last = size
                return
            if answer.status_code == 422:
                self._halt(
                    "contradicted",
                    f"the witness refuses the proof from size {old} to {size} "
                    f"({_words(answer)}): it saw another history of this log",
                )
            if answer.status_code != 409:
                raise _TroubleError(
                    "refused", f"it answered {answer.status_code}: {_words(answer)}"
                )
            theirs = _conflict_size(answer)
            size, _ = self._sizes()
            if theirs > size:
                self._halt(
                    "behind",
                    f"the witness has cosigned size {theirs} of this log, which has only "
                    f"{size} entries here",
                )
            if theirs == old:
                raise _TroubleError("refused", f"it names the size {theirs} that it was offered")
            old = theirs
        raise _TroubleError("refused", f"it named another size {OFFERS_MAX} times in a row")

    def _sizes(self) -> tuple[int, int]:
        """The log's size, and the last one that this witness cosigned."""
        with self._book.store.read() as reader:
            head = reader.head()
            last = reader.last_cosignature(self.key)
        return (0 if head is None else head.size), (0 if last is None else last[0])

    def _halt(self, code: str, message: str) -> None:
        """The log here is an old copy or a fork: sign nothing more.

        Raises:
            _TroubleError: always.
        """
        reason = (
            f"{self._witness.key.name}: {message}. This database is an older copy of the log, or "
            "a fork of it, and signs nothing more: restore the newest copy, or examine the "
            "witness; only a person can decide which of the two is right"
        )
        log.error("%s", reason)
        self._book.halt(reason)
        raise _TroubleError(code, message)

    def _post(self, client: httpx.Client, old: int, size: int) -> httpx.Response:
        with self._book.store.read() as reader:
            note = reader.checkpoint(size)
        proof = self._book.consistency(old, size) if 0 < old < size else []
        body = format_submission(old, proof, note)
        try:
            with client.stream("POST", self._url, content=body) as answer:
                data = b""
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > ANSWER_BYTES_MAX:
                        raise _TroubleError(
                            "refused", f"its answer has more than {ANSWER_BYTES_MAX} bytes"
                        )
                return httpx.Response(
                    answer.status_code,
                    headers={"content-type": answer.headers.get("content-type", "")},
                    content=data,
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _TroubleError("away", f"it cannot be reached: {type(error).__name__}") from None

    def _keep(self, size: int, answer: bytes) -> None:
        """Verify what it answered, and write its cosignature down."""
        with self._book.store.read() as reader:
            text = split_note(reader.checkpoint(size))[0]
        try:
            line = _own_line(answer, text, verifier_for(self._witness.key), self._clock())
        except (MalformedError, VerificationError, UndecidedError) as error:
            raise _TroubleError("bad_cosignature", error.message) from None
        with self._book.store.append() as store:
            if self._book.witnessing.keep(store, size, [(self.key, line)]):
                store.commit()
        self._stored()


def _own_line(answer: bytes, text: bytes, verifier: Verifier, now: int) -> bytes:
    """The witness's verified signature line in its answer; lines by other keys are ignored.

    Raises:
        MalformedError: not signature lines, or none by the witness's key.
        VerificationError: the cosignature fails, or states no time or one of the future.
    """
    for one in parse_signatures(answer):
        if (one.name, one.key_id) == (verifier.name, verifier.key_id):
            verifier.verify(text, one.signature)
            timestamp = cosignature_timestamp(one)
            if not 0 < timestamp <= now + FUTURE_SECONDS_MAX:
                raise VerificationError(
                    f"its cosignature states the time {timestamp}, and it is {now}; set the clocks"
                )
            return format_signature(one)
    raise MalformedError("its answer has no signature by the key that the policy gives")


def _conflict_size(answer: httpx.Response) -> int:
    """The size in an answer of 409.

    Raises:
        _TroubleError: the answer has none.
    """
    body = answer.content
    try:
        if answer.headers["content-type"].partition(";")[0].strip() != SIZE_MEDIA_TYPE:
            raise MalformedError("another media type")
        return parse_size(body.removesuffix(b"\n"))
    except MalformedError:
        raise _TroubleError("refused", "it answered 409 without its size") from None


def _words(answer: httpx.Response) -> str:
    """What a witness says to its refusal, safe to show."""
    text = answer.content[:200].decode("ascii", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip() or "no words"


def check_policy(policy: Policy, origin: str, require: int) -> None:
    """Whether a log can be fed by this policy.

    Raises:
        MalformedError: it names other logs only, a URL is none of HTTP, or fewer
            witnesses can be asked than are required.
    """
    if policy.log_keys and origin not in policy.origins:
        raise MalformedError(
            f"expected a policy for the log {origin}, got one for {', '.join(policy.origins)}",
            code="invalid_setting",
            field="policy",
        )
    asked = [one for one in policy.witnesses if one.url]
    for one in asked:
        if not one.url.startswith(("http://", "https://")):
            raise MalformedError(
                f"expected the URL of witness {one.key.name} to begin with http:// or https://",
                code="invalid_setting",
                field="policy",
            )
    if require > len(asked):
        raise MalformedError(
            f"{require} witnesses are required, and the policy gives the URL of {len(asked)}",
            code="invalid_setting",
            field="require_witnesses",
        )
