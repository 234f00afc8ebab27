"""The Ray actor: a thin shell around `Executor`. One call after the other, no restarts, no retries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ray

from raygrad.proto.errors import RaygradError, words

from .allocator import keep_freed_memory
from .backends import open_backend
from .calls import Call, Reply, WorkerInfo
from .executor import Bundle, Executor
from .kernels.base import Backend

T = TypeVar("T")

Step = tuple[str, tuple[object, ...]]
"""A method of the executor and its arguments."""


class PreparationError(Exception):
    """A worker could not do what a call relies on: its state is not what the scheduler believes.

    It names its actor: Ray raises it, unchanged, from the calls on other workers that wait for this one's.
    """

    def __init__(self, actor_id: str, message: str) -> None:
        super().__init__(actor_id, message)
        self.actor_id = actor_id
        self.message = message

    def __str__(self) -> str:
        return self.message


@ray.remote(max_restarts=0, max_task_retries=0)
class WorkerActor:
    """One worker process. Recovery is the scheduler's: Ray neither restarts nor retries."""

    def __init__(self, backend: str, executor: Callable[[Backend], Executor]) -> None:
        keep_freed_memory()
        self._executor = executor(open_backend(backend))
        self._broken = ""  # by what, if something failed that later calls rely on

    def info(self) -> WorkerInfo:
        """What the worker is."""
        return self._executor.info()

    def measure(self, measurement: Callable[[Backend], T]) -> T:
        """Run a measurement on the worker's backend."""
        return measurement(self._executor.backend)

    def run(self, before: Sequence[Step], call: Call, *bundles: Bundle) -> Any:
        """Run a segment: the reply, and a bundle for each edge, as separate objects."""
        self.prepare(before)
        reply, sent = self._executor.run(call, bundles)
        return (reply, *sent) if sent else reply

    def run_all(self, before: Sequence[Step], calls: Sequence[Call]) -> list[Reply | RaygradError]:
        """Run segments that send nothing to other stages, one after the other; each has its own outcome."""
        self.prepare(before)
        return [self._outcome(call) for call in calls]

    def _outcome(self, call: Call) -> Reply | RaygradError:
        try:
            return self._executor.run(call)[0]
        except RaygradError as exc:
            return exc

    def do(self, before: Sequence[Step], method: str, *arguments: object) -> Any:
        """One of the executor's other methods."""
        self.prepare(before)
        return self._do((method, arguments))

    def prepare(self, before: Sequence[Step]) -> None:
        """What was ordered before a call and needs no answer of its own."""
        if self._broken:  # and not yet replaced: what is queued must not go on in a state that nobody knows
            raise PreparationError(_own_id(), self._broken)
        for step in before:
            self._do(step)

    def _do(self, step: Step) -> Any:
        method, arguments = step
        try:
            return getattr(self._executor, method)(*arguments)
        except Exception as exc:
            self._broken = f"{method}: {words(exc)}"
            raise PreparationError(_own_id(), self._broken) from exc


def _own_id() -> str:
    return str(ray.get_runtime_context().get_actor_id())
