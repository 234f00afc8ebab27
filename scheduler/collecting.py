"""Python's garbage collector, while much is made that stays."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator


class _Pause:
    """The collector is off while somebody is inside; on again, if it was, when the last one leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._was_on = False

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._was_on = gc.isenabled()
                gc.disable()

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._was_on:
                gc.enable()


_pause = _Pause()


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """No collection inside: each would look at all that is being made, and free nothing of it."""
    _pause.enter()
    try:
        yield
    finally:
        _pause.leave()
