"""Back-pressure: who wants to send another mini-batch waits here until there is room for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from .promises import settle


class Room:
    """Futures of those who wait. Thread-safe."""

    def __init__(self, there_is: Callable[[], bool]) -> None:
        """`there_is` tells whether there is room now."""
        self._there_is = there_is
        self._lock = threading.Lock()
        self._waiting: list[Future[None]] = []

    def wait(self) -> Future[None]:
        """Done when there is room."""
        room: Future[None] = Future()
        with self._lock:
            if self._there_is():
                room.set_result(None)
            else:
                self._waiting.append(room)
        return room

    def offer(self) -> None:
        """Something has changed: let those in who wait, if there is room."""
        if self._there_is():
            self.open()

    def open(self) -> None:
        """Let everybody in: there is room, or nothing that is sent will be kept any more."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for room in waiting:
            settle(room)
