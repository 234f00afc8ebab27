"""What all sessions together may need of each worker: it must fit, or the newest of them is refused."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from raygrad.proto.errors import ResourceError

from .admission import USABLE, Need, mib

Held = dict[int, Need]
"""By worker."""


class Reservations:
    """The most that the plans of each session need. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}

    def reserve(
        self, session: str, needed: Mapping[int, Need], memory: int, sessions: Collection[str]
    ) -> None:
        """Make what a session needs of its workers at least `needed`; `memory` is one worker's bytes.

        `sessions` are those that are open: what others held is free. Raises `ResourceError` that names the
        sessions in the way.
        """
        with self._lock:
            self._held = {name: held for name, held in self._held.items() if name in sessions}
            mine = self._held.get(session, {})
            raised = {worker: need.at_least(mine.get(worker)) for worker, need in needed.items()}
            for worker, need in raised.items():
                self._require(session, worker, need.total, int(memory * USABLE))
            if session in sessions:
                self._held[session] = {**mine, **raised}

    def _require(self, session: str, worker: int, needed: int, usable: int) -> None:
        others = {
            name: held[worker].total
            for name, held in self._held.items()
            if name != session and worker in held
        }
        if needed + sum(others.values()) > usable:
            largest = sorted(others, key=lambda name: -others[name])[:3]
            named = ", ".join(f"{name} {mib(others[name])}" for name in largest)
            raise ResourceError(
                f"worker {worker} has {mib(usable)}; this session needs {mib(needed)} of it, and "
                f"{len(others)} others hold {mib(sum(others.values()))} (session {named}): close one"
            )
