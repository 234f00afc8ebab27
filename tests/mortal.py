"""A worker that fails, once, where a test tells it to: it dies by SIGKILL, or cannot prepare."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raygrad.proto.plan import Segment, StagePlan
from raygrad.proto.tensor import Array
from raygrad.workers.accumulator import Snapshot
from raygrad.workers.calls import Call, Reply
from raygrad.workers.executor import Bundle, Executor
from raygrad.workers.kernels.base import Backend, Tensor
from raygrad.workers.program import Program


class Mortal(Executor):
    """Dies at the first point whose name is the name of a file in `folder`; who removes the file dies."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        super().__init__(backend)
        self._folder = folder
        self._has_given_a_snapshot = False

    def _here(self, point: str) -> None:
        if self._is_armed(point):
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_armed(self, point: str) -> bool:
        try:
            os.unlink(self._folder / point)
        except FileNotFoundError:
            return False
        return True

    def load(self, session: str, plan: StagePlan) -> None:
        if self._is_armed(f"cannot load stage {plan.stage}"):
            raise MemoryError("no room")
        super().load(session, plan)

    def run(self, call: Call, bundles: Sequence[Bundle] = ()) -> tuple[Reply, tuple[Bundle, ...]]:
        if self._has_given_a_snapshot:
            self._here("after a snapshot")
        return super().run(call, bundles)

    def _collect(
        self, program: Program, call: Call, slots: list[Tensor]
    ) -> tuple[dict[str, Any], tuple[Bundle, ...]]:
        """The kernels have run, and nothing has left the worker."""
        self._here(f"{program.segment.title} of {call.run.index}")
        return super()._collect(program, call, slots)

    def _add(self, segment: Segment, state: Any, call: Call, gradients: Mapping[str, Array]) -> bool:
        """The contribution is added, and nobody knows."""
        added = super()._add(segment, state, call, gradients)
        self._here(f"stage {segment.stage} added {call.run.index}")
        return added

    def held(self) -> tuple[int, int, int]:
        """How many activations, sums and sessions there are here."""
        sums = sum(len(state.accumulators) for state in self._sessions.values())
        return len(self.store), sums, len(self._sessions)

    def snapshot(self, session: str, step: int) -> Snapshot:
        self._has_given_a_snapshot = True
        return super().snapshot(session, step)
