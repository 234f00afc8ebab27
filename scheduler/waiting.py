"""From the event loop into the scheduler, and back when it has an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def when_done(future: Future[T], act: Callable[[Future[T]], None]) -> None:
    """Call `act` with the settled future on the running loop; never, if the loop ends first."""
    loop = asyncio.get_running_loop()

    def wake(settled: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(act, settled)

    future.add_done_callback(wake)


async def settled(future: Future[T]) -> T:
    """The future's result. A cancelled wait leaves the future alone: the work may have other waiters."""
    if future.done():
        return future.result()
    done = asyncio.Event()
    when_done(future, lambda _: done.set())
    await done.wait()
    return future.result()


class Calls:
    """How the event loop calls the scheduler.

    With a cluster that works in its caller's thread, calls go through a thread of their own, one after
    the other; otherwise they only queue something, and are made at once.
    """

    def __init__(self, inline: bool) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="raygrad-calls") if inline else None

    def submit(self, call: Callable[[], Future[T]]) -> Future[T]:
        """What `call` promises, or the error that it raises."""
        outer: Future[T] = Future()
        if self._pool is None:
            _forward(call, outer)
        else:
            self._pool.submit(_forward, call, outer)
        return outer

    async def __call__(self, call: Callable[[], Future[T]]) -> T:
        """The result of what `call` promises."""
        return await settled(self.submit(call))

    async def slow(self, call: Callable[[], Future[T]]) -> T:
        """The same, where the call itself may take long whatever the cluster."""
        if self._pool is not None:
            return await self(call)
        return await settled(await asyncio.to_thread(call))

    def close(self) -> None:
        """End the thread; what it has not begun is cancelled."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _forward(call: Callable[[], Future[T]], outer: Future[T]) -> None:
    """Settle `outer` as the future that `call` returns settles."""
    try:
        call().add_done_callback(lambda inner: _copy(inner, outer))
    except BaseException as exc:
        outer.set_exception(exc)


def _copy(inner: Future[T], outer: Future[T]) -> None:
    try:
        outer.set_result(inner.result())
    except BaseException as exc:
        outer.set_exception(exc)
