"""The Ray actor: a thin shell around `Executor`. One call after the other, no restarts, no retries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ray

from raygrad.proto.errors import KernelError, RaygradError

from .allocator import keep_freed_memory
from .backends import open_backend
from .calls import Call, Reply, WorkerInfo
from .executor import Bundle, Executor
from .kernels.base import Backend

T = TypeVar("T")

Step = tuple[str, tuple[object, ...]]
"""A method of the executor and its arguments."""


class PreparationError(Exception):
    """A worker could not do what a call relies on: its state is not what the scheduler believes."""


@ray.remote(max_restarts=0, max_task_retries=0)
class WorkerActor:
    """One worker process. Recovery is the scheduler's: Ray neither restarts nor retries."""

    def __init__(self, backend: str, executor: Callable[[Backend], Executor]) -> None:
        keep_freed_memory()
        self._executor = executor(open_backend(backend))

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
        except Exception as exc:  # the other calls of the group have their own outcomes
            return KernelError(f"{type(exc).__name__}: {exc}")

    def do(self, before: Sequence[Step], method: str, *arguments: object) -> Any:
        """One of the executor's other methods."""
        self.prepare(before)
        return getattr(self._executor, method)(*arguments)

    def prepare(self, before: Sequence[Step]) -> None:
        """What was ordered before a call and needs no answer of its own."""
        for method, arguments in before:
            try:
                getattr(self._executor, method)(*arguments)
            except Exception as exc:
                raise PreparationError(f"{method}: {type(exc).__name__}: {exc}") from exc
