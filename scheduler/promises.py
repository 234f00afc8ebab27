"""Promises: futures by token, settled by the scheduler's answers.

Who cancels a future says that nobody waits for it any more.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from typing import Any

from raygrad.proto.errors import DeadlineError, OperationCancelledError, SessionNotFoundError

from .events import Token


class Promises:
    """The unanswered requests of one session; `cancelled` hears of those given up. Thread-safe."""

    def __init__(self, session: str, cancelled: Callable[[Token], None]) -> None:
        self._session = session
        self._cancelled = cancelled
        self._tokens = itertools.count()
        self._futures: dict[Token, Future[Any]] = {}
        self._changed = threading.Condition()
        self._closed = False

    def make(self) -> tuple[Token, Future[Any]]:
        """A new promise; `SessionNotFoundError` once the session is closed."""
        token, future = next(self._tokens), Future[Any]()
        with self._changed:
            if self._closed:
                raise SessionNotFoundError(f"session {self._session} was closed")
            self._futures[token] = future
        future.add_done_callback(lambda done: self._give_up(token) if done.cancelled() else None)
        return token, future

    def _give_up(self, token: Token) -> None:
        self.settle(token)
        self._cancelled(token)

    def settle(self, token: Token, result: Any = None, error: Exception | None = None) -> None:
        """Keep a promise, or break it; a second time changes nothing."""
        with self._changed:
            future = self._futures.pop(token, None)
            self._changed.notify_all()
        if future is not None:
            settle(future, result, error)

    def close(self, error: Exception | None = None) -> bool:
        """Break all promises, and make no more; whether this was the first time."""
        with self._changed:
            already, self._closed = self._closed, True
            futures, self._futures = self._futures, {}
            self._changed.notify_all()
        for future in futures.values():
            settle(future, None, error or SessionNotFoundError(f"session {self._session} was closed"))
        return not already

    @property
    def owed(self) -> bool:
        """Whether a request is unanswered."""
        return bool(self._futures)

    def wait_idle(self, timeout: float) -> None:
        """Until no request is unanswered; `DeadlineError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._futures, timeout):
                open_ = len(self._futures)
                raise DeadlineError(
                    f"{open_} requests of session {self._session} did not end in {timeout:g} s"
                )


def settle(future: Future[Any], result: Any = None, error: Exception | None = None) -> None:
    """Settle a future, unless it was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def compute(pool: Pool | None, work: Callable[[], Any]) -> Future[Any]:
    """A future of `work`: done on the pool, or at once if there is none."""
    if pool is not None:
        return pool.submit(work)
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as exc:
        future.set_exception(exc)
    return future


def then(first: Future[Any], pool: Pool | None, follow: Callable[[Any], Any]) -> Future[Any]:
    """A future of what follows from another one's result; who cancels it cancels that one too."""
    second: Future[Any] = Future()

    def act(done: Future[Any]) -> None:
        if _error(done) is not None:
            copy(done, second)
        else:
            following = compute(pool, lambda: follow(done.result()))
            following.add_done_callback(lambda followed: copy(followed, second))

    first.add_done_callback(act)
    second.add_done_callback(lambda done: first.cancel() if done.cancelled() else None)
    return second


def copy(done: Future[Any], other: Future[Any]) -> None:
    """Settle another future in the same way."""
    error = _error(done)
    settle(other, None if error else done.result(), error)


def _error(done: Future[Any]) -> Exception | None:
    if done.cancelled():
        return OperationCancelledError("the request was given up before it was answered")
    error = done.exception()
    assert error is None or isinstance(error, Exception)
    return error
