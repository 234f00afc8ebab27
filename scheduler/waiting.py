"""From the event loop into the scheduler, and back when it has an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .promises import copy, settle

T = TypeVar("T")


def when_done(future: Future[T], act: Callable[[Future[T]], None]) -> None:
    """Call `act` with the settled future on the running loop; never, if the loop ends first."""
    loop = asyncio.get_running_loop()

    def wake(settled: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(act, settled)

    future.add_done_callback(wake)


async def settled(future: Future[T]) -> T:
    """The future's result. A cancelled wait leaves the future alone."""
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
        """What `call` promises, or the error that it raises; who cancels it cancels what is promised."""
        outer: Future[T] = Future()
        self._do(lambda: self._forward(call, outer))
        return outer

    def _do(self, work: Callable[[], Any]) -> None:
        if self._pool is None:
            work()
        else:
            self._pool.submit(work)

    async def __call__(self, call: Callable[[], Future[T]]) -> T:
        """The result of what `call` promises, which is given up when this wait is."""
        future = self.submit(call)
        try:
            return await settled(future)
        finally:
            future.cancel()  # changes nothing once it is settled

    async def slow(self, call: Callable[[], Future[T]]) -> T:
        """The same, where the call itself may take long whatever the cluster, and is done in any case."""
        if self._pool is not None:
            return await settled(self.submit(call))
        return await settled(await asyncio.to_thread(call))

    def close(self) -> None:
        """End the thread; what it has not begun is cancelled."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _forward(self, call: Callable[[], Future[T]], outer: Future[T]) -> None:
        """Settle `outer` as the future that `call` returns settles; not even call for nobody."""
        if outer.cancelled():
            return
        try:
            inner = call()
        except Exception as exc:
            settle(outer, error=exc)
            return
        inner.add_done_callback(lambda done: copy(done, outer))
        outer.add_done_callback(lambda done: self._give_up(inner) if done.cancelled() else None)

    def _give_up(self, promised: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the thread has ended, and the scheduler with it
            self._do(promised.cancel)
