"""Reads and records imports in the background, one at a time, and takes up what was begun.

A thread of the service looks for imports in the states ``reading`` and ``recording``: told of
one by the page that made it so, at the start, and once a minute. The place is held by a lock of
the data folder, so that of several processes one works; when it dies, the lock is free.

What a crash leaves behind: before the first gift, an import to be recorded anew; between two
slices, some gifts in the log. Recording begins again with the same bytes. Gifts that are there
are found by their order numbers and skipped, and each gift's idempotency key is made of its
order number, so that none can enter twice, whatever was answered when. To take an import back
(`undo`) is work of the same thread, under keys of the same kind.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import orjson

from api.imports.desk import Desk
from api.imports.job import AT_WORK, Job, Status, Summary, Trouble
from api.imports.undo import TakenBack, Undo, UndoStatus, take_back
from ledger.book import Book
from ledger.errors import (
    FatalError,
    LedgerError,
    OutcomeUnknownError,
    RejectedError,
    RetryableError,
)
from ledger.intake.errors_file import format_errors_csv
from ledger.intake.gift_list import plan_list
from ledger.intake.plan import Plan
from ledger.intake.recording import known_gifts, record_plan, rehearse_plan
from ledger.intake.sheets import Table
from ledger.units import joined

PAUSE_SECONDS = 60.0
"""How often the folder is looked at without being asked."""
ELSEWHERE_SECONDS = 2.0
"""How soon again, where another process works on an import."""
TRIES_MAX = 5
RETRY_SECONDS = 1.0
"""A full queue or an uncertain answer is tried again so often, after so long times the try."""
PROBLEMS_SHOWN = 200
"""Problems that the page lists; the file of problems has all."""
GIFTS_SHOWN = 5
SPANS_MAX = 20
"""Ranges of entries that the result names; it counts all."""

Outcome = Literal["recorded", "known", "refused"]

logger = logging.getLogger(__name__)


class _StoppingError(Exception):
    """The service stops: what is begun stays begun."""


class Worker:
    """The background worker of one service."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._desk = Desk(book)
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._rows: Counter[Outcome] = Counter()
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._asked.set()
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._asked.set()

    def rows(self) -> Mapping[Outcome, int]:
        """Rows of lists so far, by what became of them; those of this process."""
        return dict(self._rows)

    def wait(self, number: int, seconds: float) -> None:
        """Wait a moment for an import to be read or recorded: most are small."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or not self._is_at_work(self._desk.read(number)),
                seconds,
            )

    def close(self) -> None:
        """Stop between two slices; the import goes on at the next start."""
        self._stopping.set()
        self._asked.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stopping.is_set():
            self._asked.wait(pause)
            self._asked.clear()
            pause = PAUSE_SECONDS
            try:
                self._desk.sweep()
                if self._next() is not None:
                    with self._desk.working() as held:
                        if held:
                            self._work_all()
                        else:
                            pause = ELSEWHERE_SECONDS
            except _StoppingError:
                return
            except (LedgerError, OSError) as error:
                # No import can be looked at; those that can be are told on their own page.
                logger.error("imports: %s", type(error).__name__)

    def _work_all(self) -> None:
        """Everything there is to do, the oldest first."""
        while not self._stopping.is_set():
            job = self._next()
            if job is None:
                return
            self._work(job)
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> Job | None:
        """The oldest import with something to do."""
        waiting = [job for job in self._desk.jobs() if self._is_at_work(job)]
        return waiting[-1] if waiting else None

    def _is_at_work(self, job: Job) -> bool:
        if job.status != "done":
            return job.status in AT_WORK
        undo = self._desk.open_undo(job.number)
        return undo is not None and undo.status == "recording"

    def _work(self, job: Job) -> None:
        """One import, as far as it goes; what stops it is kept with it."""
        before: Status = job.status
        try:
            if before == "reading":
                self._read(job)
            elif before == "recording":
                self._record(job)
            else:
                self._take_back(job)
        except _StoppingError:
            raise
        except LedgerError as error:
            message = error.message
            if isinstance(error, FatalError):
                logger.error("import %d: %s (%s)", job.number, error.message, error.code)
                message = "the server met a fault; tell its operator, the log says more"
            self._end(job, before, Trouble(error.code, message, error.field))
        except Exception as error:
            # Nobody expected it: the import stops, the worker goes on with the others. The
            # message may quote the file, so it goes nowhere.
            logger.error("import %d: %s", job.number, type(error).__name__)
            self._end(job, before, Trouble("internal_error", type(error).__name__))

    def _end(self, job: Job, before: Status, trouble: Trouble) -> None:
        if before == "done":
            self._desk.change_undo(job.number, ("recording",), "stopped", trouble=trouble)
            return
        with self._desk.changing(job.number) as change:
            if change.job.status == before:
                change.to("unread" if before == "reading" else "stopped", trouble=trouble)

    # Reading

    def _read(self, job: Job) -> None:
        self._desk.drop(job.number, "details", "problems")
        table, plan = self._plan(job)
        trouble = None
        if plan.clean and plan.gifts:
            try:
                rehearse_plan(self._book, plan, job.target)
            except RejectedError as error:
                trouble = Trouble(error.code, error.message, error.field)
        self._desk.keep(job.number, "details", orjson.dumps(_details(table, plan)))
        if not plan.clean:
            self._desk.keep(job.number, "problems", format_errors_csv(table, plan))
        summary = summary_of(plan)
        self._rows["refused"] += summary.problems
        self._rows["known"] += summary.recorded + summary.repeats
        with self._desk.changing(job.number) as change:
            if change.job.status == "reading":
                change.to("planned", trouble=trouble, summary=summary)

    def _plan(self, job: Job) -> tuple[Table, Plan]:
        return plan_list(
            job.file_name,
            self._desk.file(job),
            job.choices,
            known=known_gifts(self._book),
            today=self._book.today(),
        )

    # Recording

    def _record(self, job: Job) -> None:
        """Record what is not there yet, again where the answer was "later" or uncertain."""
        for number in range(1, TRIES_MAX + 1):
            # Read anew each time: what was recorded before is known by its order number.
            _, plan = self._plan(job)
            job = self._begin(job, plan)
            try:
                self._record_once(job, plan)
                break
            except (RetryableError, OutcomeUnknownError):
                if number == TRIES_MAX:
                    raise
                self._stopping.wait(RETRY_SECONDS * number)
            self._check_stopping()
        indices = self._recorded_since(plan, job.begun_size or 0)
        spans = _spans(indices)
        if len(spans) > SPANS_MAX:
            self._desk.keep(job.number, "spans", orjson.dumps(spans))
        with self._desk.changing(job.number) as change:
            change.to(
                "done",
                recorded=len(indices),
                first=min(indices, default=None),
                last=max(indices, default=None),
                spans=spans[:SPANS_MAX],
            )

    def _record_once(self, job: Job, plan: Plan) -> None:
        earlier = len(self._recorded_since(plan, job.begun_size or 0))

        def progress(done: int) -> None:
            with self._desk.changing(job.number) as change:
                change.to("recording", recorded=earlier + done)
            self._check_stopping()

        outcome = record_plan(self._book, plan, job.target, progress)
        self._rows["recorded"] += outcome.recorded

    # Taking back

    def _take_back(self, job: Job) -> None:
        """Reverse what the import recorded, again where the answer was "later" or uncertain."""
        undo = self._desk.undo(job.number)
        if undo is None:
            return
        for number in range(1, TRIES_MAX + 1):
            try:
                self._take_back_once(job, undo)
                return
            except (RetryableError, OutcomeUnknownError):
                if number == TRIES_MAX:
                    raise
                self._stopping.wait(RETRY_SECONDS * number)
            self._check_stopping()

    def _take_back_once(self, job: Job, undo: Undo) -> None:
        found = TakenBack((), 0, ())

        def progress(so_far: TakenBack) -> None:
            nonlocal found
            found = so_far
            self._count_undo(job, "recording", so_far)
            self._check_stopping()

        take_back(self._book, job.number, undo, self._desk.spans(job), progress)
        rows = [(one.entry, one.code, one.message) for one in found.refused]
        self._desk.keep(job.number, "refused", orjson.dumps(rows))
        spans = _spans(found.entries)
        self._count_undo(job, "done", found, spans=spans[:SPANS_MAX])

    def _count_undo(self, job: Job, status: UndoStatus, found: TakenBack, **more: Any) -> None:
        counts = {
            "reversed": len(found.entries),
            "before": found.before,
            "refused": len(found.refused),
        }
        self._desk.change_undo(job.number, ("recording",), status, **counts, **more)

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise _StoppingError

    def _begin(self, job: Job, plan: Plan) -> Job:
        """Hold the plan against what was approved; note from where on entries are this import's.

        Raises:
            RejectedError: ``import_changed``: other gifts would be recorded than were approved.
        """
        approved = job.summary
        same = approved is not None and plan.digest == approved.digest and plan.clean
        if same and job.begun_size is None:
            # Somebody may have recorded some of the gifts since; afterwards it is ourselves.
            same = approved is not None and plan.sum_fen == approved.sum_fen
        if not same:
            raise RejectedError(
                "what would be recorded now is not what was approved: the ledger has changed "
                "since; withdraw this import and upload the file again",
                code="import_changed",
            )
        if job.begun_size is not None:
            return job
        with self._desk.changing(job.number) as change:
            change.job.require("recording")
            return change.to("recording", begun_size=self._book.head().size)

    def _recorded_since(self, plan: Plan, size: int) -> list[int]:
        """The entries from a size on that hold the file's order numbers, rising."""
        book = self._book
        orders = [one.order_number for one in plan.gifts]
        orders += [one.order_number for one in plan.already_recorded]
        digests = [book.vault.digest("order", order.encode()) for order in orders]
        with book.store.read() as reader:
            found = reader.order_numbers(digests)
        return sorted(index for index in found.values() if index >= size)


def _spans(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Entries as ranges that include both ends, rising."""
    found = joined((one, one + 1) for one in sorted(indices))
    return [(first, end - 1) for first, end in found]


def summary_of(plan: Plan) -> Summary:
    """What a plan says, without anything that stands in the file."""
    source = plan.source
    wrong = {one.row for one in plan.errors} | {one.row for one in plan.conflicts}
    return Summary(
        digest=plan.digest,
        media=source.media,
        encoding=source.encoding,
        sheet=source.sheet,
        unit=plan.unit,
        headers=plan.columns.headers(),
        rows=plan.rows_total,
        blank=plan.rows_blank,
        gifts=len(plan.gifts),
        sum_fen=plan.sum_fen,
        repeats=len(plan.repeats),
        recorded=len(plan.already_recorded),
        conflicts=len(plan.conflicts),
        errors=len(plan.errors),
        problems=len(wrong),
        earliest=plan.earliest,
        latest=plan.latest,
    )


def _details(table: Table, plan: Plan) -> dict[str, Any]:
    """What the page shows of a plan: for who may see personal fields."""
    problems = [
        (one.row, one.column, one.value, one.code, one.reason, one.remedy) for one in plan.errors
    ]
    problems += [
        (one.row, plan.columns.order_number, "", "order_conflict", one.reason, one.remedy)
        for one in plan.conflicts
    ]
    return {
        "columns": [one for one in table.columns if one],
        "sheets": [one for one in (table.source.sheet, *table.source.other_sheets) if one],
        "problems": sorted(problems, key=lambda one: one[0])[:PROBLEMS_SHOWN],
        "notices": [(one.code, one.message, one.count, one.rows) for one in plan.warnings],
        "gifts": [
            (one.row, one.occurred_on, one.amount_fen, one.donor_name)
            for one in plan.gifts[:GIFTS_SHOWN]
        ],
    }
