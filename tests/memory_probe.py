"""What a fused step keeps between its kernels, by the allocator's count. Also run as a program of its own:

    python -m tests.memory_probe BACKEND NETWORK ROWS

prints a `Kept` as JSON. The counts: tracemalloc's for NumPy, which allocates through Python; for PyTorch the
growth of the process, with a malloc that gives freed memory back at once (`ENVIRONMENT`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from raygrad.proto.plan import Mode, PlanKey, StagePlan
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.scheduler import Scheduler
from raygrad.workers.executor import Executor
from raygrad.workers.program import Program

from .random_graphs import even_placement
from .steps import DEADLINE, network_work

ENVIRONMENT: Mapping[str, str] = {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0"}
"""Every block of more than 16 KiB is a mapping of its own, which ends when it is freed."""

Count = Callable[[], int]


def traced() -> int:
    """Bytes allocated through Python now."""
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Watched(Executor):
    """Counts at the start of every kernel: what lives then is what the program keeps."""

    count: Count
    found: list[tuple[int, int]]  # (node, bytes before its kernel)

    def load(self, session: str, plan: StagePlan) -> None:
        super().load(session, plan)
        for program in self._sessions[session].programs.values():
            assert isinstance(program, Program)
            program.steps = tuple(
                dataclasses.replace(s, kernel=self._counted(s.kernel, s.node.id)) for s in program.steps
            )

    def _counted(self, kernel: Callable[..., Any], node: int) -> Callable[..., Any]:
        def counted(*operands: Any) -> Any:
            self.found.append((node, self.count()))
            return kernel(*operands)

        return counted


@dataclasses.dataclass(frozen=True)
class Kept:
    """Bytes of one mini-batch, as the plan predicts and as found."""

    predicted_saved: int  # from the forward to the backward phase
    saved: int
    predicted_peak: int
    peak: int


def measure(backend: str, network: str, rows: int, count: Count) -> Kept:
    """What the second mini-batch of a fused step keeps."""
    given = network_work(network, rows)
    cluster = LocalCluster(1, backend, executor=Watched)
    executor = cluster.executors[0]
    assert isinstance(executor, Watched)
    executor.count, executor.found = count, []
    scheduler = Scheduler(cluster)
    placement = even_placement(given.graph, 1)
    session = given.open(scheduler, placement)
    session.step_batch(given.batches[0]).result(DEADLINE)  # libraries keep something at their first use
    executor.found.clear()
    before = count()
    session.step_batch(given.batches[1]).result(DEADLINE)
    plan = make_plan(given.graph, placement, PlanKey(Mode.STEP, (("N", rows),), ("loss",)))
    forward = {node.id for node in given.graph}
    last = max(i for i, (node, _) in enumerate(executor.found) if node in forward)
    saved = executor.found[last + 1][1]
    peak = max(found for _, found in executor.found)
    scheduler.close()
    return Kept(plan.saved_bytes[0], saved - before, plan.peak_bytes[0], peak - before)


if __name__ == "__main__":
    kept = measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), resident)
    sys.stdout.write(json.dumps(dataclasses.asdict(kept)))
