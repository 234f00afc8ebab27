"""The Ray actor: a thin shell around `Executor`. One call after the other, no restarts, no retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import ray

from .backends import open_backend
from .calls import Call, WorkerInfo
from .executor import Bundle, Executor
from .kernels.base import Backend

T = TypeVar("T")


@ray.remote(max_restarts=0, max_task_retries=0)
class WorkerActor:
    """One worker process. Recovery is the scheduler's: Ray neither restarts nor retries."""

    def __init__(self, backend: str, executor: Callable[[Backend], Executor]) -> None:
        self._executor = executor(open_backend(backend))

    def info(self) -> WorkerInfo:
        """What the worker is."""
        return self._executor.info()

    def measure(self, measurement: Callable[[Backend], T]) -> T:
        """Run a measurement on the worker's backend."""
        return measurement(self._executor.backend)

    def run(self, call: Call, *bundles: Bundle) -> Any:
        """Run a segment: the reply, and a bundle for each edge, as separate objects."""
        reply, sent = self._executor.run(call, bundles)
        return (reply, *sent) if sent else reply

    def do(self, method: str, *arguments: object) -> Any:
        """One of the executor's other methods."""
        return getattr(self._executor, method)(*arguments)
