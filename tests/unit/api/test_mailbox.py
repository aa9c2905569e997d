"""The writer's answers reach whoever awaits them, whenever they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future

import pytest

from api.mailbox import Mailbox
from ledger.errors import RejectedError
from ledger.receipt import Opening
from ledger.recorded import Recorded

RECORDED = Recorded(0, bytes(32), 1, (), b"", Opening(b"{}"))
SECONDS_MAX = 60


async def batch_answered_by_another_thread() -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    futures: list[Future[Recorded]] = [Future() for _ in range(5)]
    waiters = [mailbox.expect(one) for one in futures]
    waiters[0].cancel()

    def answer() -> None:
        futures[1].set_exception(RejectedError("no", code="no"))
        for one in (futures[0], *futures[2:]):
            one.set_result(RECORDED)
        mailbox.wake()

    threading.Thread(target=answer).start()
    async with asyncio.timeout(SECONDS_MAX):
        assert await asyncio.gather(*waiters[2:]) == [RECORDED] * 3
        with pytest.raises(RejectedError):
            await waiters[1]
    assert waiters[0].cancelled()


async def answer_that_came_before_it_was_expected() -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    future: Future[Recorded] = Future()
    future.set_result(RECORDED)
    mailbox.wake()
    await asyncio.sleep(0)
    async with asyncio.timeout(SECONDS_MAX):
        assert await mailbox.expect(future) is RECORDED


def test_wake_after_the_loop_was_closed() -> None:
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    loop.close()
    mailbox.wake()


@pytest.mark.parametrize(
    "story", [batch_answered_by_another_thread, answer_that_came_before_it_was_expected]
)
def test_mailbox(story: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(story())
