"""How often workers were lost lately: one that something kills again and again is not replaced for ever."""

from __future__ import annotations

MAX_LOSSES = 8
WINDOW_SECONDS = 120.0
"""A worker lost more often than this within the window is not replaced again."""


class Losses:
    """The latest losses of each worker."""

    def __init__(self) -> None:
        self._at: dict[int, list[float]] = {}

    def too_many(self, worker: int, now: float, why: str) -> str:
        """Count a loss; the reason not to replace the worker, if there is one, else nothing."""
        recent = [t for t in self._at.get(worker, ()) if now - t < WINDOW_SECONDS]
        self._at[worker] = [*recent, now]
        if len(recent) < MAX_LOSSES:
            return ""
        return f"it was lost {len(recent) + 1} times in {WINDOW_SECONDS:g} s, the last time by: {why}"


def not_replaced(worker: int, reason: str) -> str:
    """What sessions are told of a worker that is gone for good."""
    return f"worker {worker} could not be replaced: {reason}"
