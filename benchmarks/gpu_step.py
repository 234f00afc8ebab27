"""A training step on one GPU against the same network in plain PyTorch on the same GPU.

LeNet (1×28×28) and ResNet-14 (3×32×32), batch 512, 8 mini-batches to a step. raygrad: a session in this
process on one worker with the GPU, exact accumulation (`raygrad_fast`: in the gradient's dtype). The peer:
parameters and gradients stay on the GPU, mini-batches come from the host as raygrad's do; with TF32 off, as
on a worker, and with PyTorch's defaults, which round the factors of convolutions to TF32. They take turns.

The shares of a mini-batch are measured in steps of their own, in which a worker waits for the GPU between
them: `import` (feeds to the GPU), `kernels`, `export` (gradients and outputs to the host), `add` (exact
accumulation, on the CPU), and `rest` (scheduler and client).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import harness
import torch
from networks import MINI_BATCHES, NETWORKS, Feeds, Step, mini_batches, raygrad_step

import raygrad as rg
from raygrad.client.local import InProcess
from raygrad.proto.messages import SessionOptions
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.workers.executor import Executor
from raygrad.workers.kernels.base import Backend

BATCH = 512
BACKEND = "torch-cuda"

T = TypeVar("T")


def plain_step(module: torch.nn.Module, feeds: Feeds, *, tf32: bool) -> Step:
    """A step of plain PyTorch: zero the gradients, add up those of all mini-batches."""
    module = module.to("cuda")
    tensors = [{name: torch.from_numpy(array) for name, array in each.items()} for each in feeds]

    def step() -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=tf32):
            module.zero_grad(set_to_none=True)
            for each in tensors:
                module(**{name: tensor.to("cuda") for name, tensor in each.items()}).backward()
            torch.cuda.synchronize()

    return step


class Timed(Executor):
    """Keeps the seconds of the parts of a run, and waits for the GPU after each."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.seconds: dict[str, float] = defaultdict(float)

    def run(self, *arguments: Any) -> Any:
        return self._timed("run", super().run, *arguments)

    def _fill(self, *arguments: Any) -> Any:
        filled = self._timed("import", super()._fill, *arguments)
        self._kernels_since = time.perf_counter()
        return filled

    def _collect(self, *arguments: Any) -> Any:
        self.backend.synchronize()
        self.seconds["kernels"] += time.perf_counter() - self._kernels_since
        return self._timed("export", super()._collect, *arguments)

    def _add(self, *arguments: Any) -> Any:
        return self._timed("add", super()._add, *arguments)

    def _timed(self, part: str, work: Callable[..., T], *arguments: Any) -> T:
        start = time.perf_counter()
        result = work(*arguments)
        self.backend.synchronize()
        self.seconds[part] += time.perf_counter() - start
        return result


def shares(network: rg.networks.Network, feeds: Feeds, rounds: int) -> Mapping[str, float]:
    """Milliseconds of a mini-batch, by what they are spent on."""
    cluster = LocalCluster(1, BACKEND, executor=Timed)
    scheduler = Scheduler(cluster)
    opened = scheduler.create_session(rg.encode(network.graph), SessionOptions()).result()
    with rg.Session(InProcess(opened, scheduler), network.graph, None) as session:
        step = raygrad_step(session, network, feeds)
        step()  # plans, compiles and warms up
        (worker,) = cluster.executors.values()
        assert isinstance(worker, Timed)
        worker.seconds.clear()
        start = time.perf_counter()
        for _ in range(rounds):
            step()
        seconds = {**worker.seconds, "rest": time.perf_counter() - start - worker.seconds["run"]}
    del seconds["run"]
    return {f"share_ms.{part}": 1e3 * s / (rounds * MINI_BATCHES) for part, s in seconds.items()}


def measure(name: str, rounds: int) -> dict[str, float]:
    """The figures of one network."""
    candidate = NETWORKS[name]
    network, feeds = candidate.network(), mini_batches(candidate.shape, BATCH)
    with (
        rg.local(network.graph, backend=BACKEND) as exact,
        rg.local(network.graph, backend=BACKEND, accumulation="fast") as fast,
    ):
        steps = {
            "raygrad": raygrad_step(exact, network, feeds),
            "raygrad_fast": raygrad_step(fast, network, feeds),
            "torch": plain_step(candidate.module(), feeds, tf32=False),
            "torch_tf32": plain_step(candidate.module(), feeds, tf32=True),
        }
        seconds = harness.medians(harness.interleave(steps, rounds))
    figures = {f"{side}_ms": 1e3 * s / MINI_BATCHES for side, s in seconds.items()}
    figures["ratio"] = seconds["torch"] / seconds["raygrad"]
    figures["ratio_tf32"] = seconds["torch_tf32"] / seconds["raygrad"]
    figures |= shares(network, feeds, rounds)
    return {f"gpu_step.{name}.{key}": value for key, value in figures.items()}


def main() -> None:
    """Run, print, and write the figures if asked to."""
    options = harness.parser(__doc__, rounds=12).parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no CUDA device")
    figures: dict[str, float] = {}
    for name in NETWORKS:
        figures |= measure(name, options.rounds)
    harness.report(figures, options.json)


if __name__ == "__main__":
    main()
