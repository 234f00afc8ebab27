"""Requests in their order of arrival, though some take long to prepare."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor as Pool

Work = Callable[[], None]


class InOrder:
    """Does work at once, or on a thread: what takes long, and whatever comes while that is not done.

    `thread` does one piece of work after the other. Without it everything is done at once, by the caller.
    `caught_up` is called, on that thread, whenever nothing is left to do.
    """

    def __init__(self, thread: Pool | None, caught_up: Work) -> None:
        self._thread = thread
        self._caught_up = caught_up
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def behind(self) -> bool:
        """Whether there is work that is not done."""
        return self._waiting > 0

    def submit(self, work: Work, *, is_long: bool) -> None:
        """Do `work` after all that was submitted before it."""
        if self._thread is None:
            work()
            return
        with self._lock:
            behind = is_long or self._waiting > 0
            self._waiting += behind
        if behind:
            self._thread.submit(self._do, work)
        else:
            work()

    def _do(self, work: Work) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._waiting -= 1
            if not self.behind:
                self._caught_up()
