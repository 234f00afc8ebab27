"""A training step through the service against the same network in plain PyTorch.

LeNet (batch 64, 1×28×28) and ResNet-14 (batch 64, 3×32×32), 8 mini-batches to a step. raygrad: a
client here, a server of its own process, two workers on Ray, over a real socket. The peer: plain PyTorch in
a process of its own, its default threads, default layout. PyTorch's channels-last layout is measured too, and
`torch_tuned`: that layout, and glibc told to keep freed memory, as raygrad's workers do. They take turns in
one run, and all the others are idle meanwhile. `--rounds` counts the turns in each of several sets of
processes of the peers.

Where the time goes is told in CPU milliseconds per mini-batch: `kernels` is the same step by `rg.local`
(kernels and exact sums, one thread, nothing else on the machine); `ray` is what the workers' and Ray's
own processes take beyond that (calls, arguments, and two workers sharing caches); `scheduler` is the
server's process (its side of gRPC, the machine, Ray's driver), and `client` this one's side of gRPC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import harness
from in_process import cpu_seconds
from networks import MINI_BATCHES, NETWORKS, Step, mini_batches, raygrad_step
from plain import plain_step
from processes import CpuSeconds
from serving import server

import raygrad as rg

BATCH = 64
PROCESSES = 5
"""Sets of processes of the peers: how glibc treats a process's memory is settled anew in each."""


def measure(name: str, address: str, server_pid: int, rounds: int) -> dict[str, float]:
    """The figures of one network."""
    candidate = NETWORKS[name]
    network, feeds = candidate.network(), mini_batches(candidate.shape, BATCH)
    with rg.connect(address, network.graph) as session:
        ours = raygrad_step(session, network, feeds)
        ours()  # plans, compiles and warms up
        seconds = harness.medians(turns(name, ours, rounds))
        steps = rounds * PROCESSES
        shares = cpu_shares(ours, cpu_seconds(name, BATCH, steps), server_pid, steps)
    figures = {f"{side}_ms": 1e3 * s / MINI_BATCHES for side, s in seconds.items()}
    figures["ratio"] = seconds["torch"] / seconds["raygrad"]
    figures["ratio_channels_last"] = seconds["torch_channels_last"] / seconds["raygrad"]
    figures["ratio_tuned"] = seconds["torch_tuned"] / seconds["raygrad"]
    return {f"train_step.{name}.{key}": value for key, value in {**figures, **shares}.items()}


def turns(name: str, ours: Step, rounds: int) -> dict[str, list[float]]:
    """Seconds of each side's steps, the peers in one set of processes after another."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(PROCESSES):
        with (
            plain_step(name, BATCH, "default") as default,
            plain_step(name, BATCH, "channels_last") as channels_last,
            plain_step(name, BATCH, "channels_last", tuned=True) as tuned,
        ):
            sides = {
                "raygrad": ours,
                "torch": default,
                "torch_channels_last": channels_last,
                "torch_tuned": tuned,
            }
            for side, found in harness.interleave(sides, rounds).items():
                seconds[side] += found
    return seconds


def cpu_shares(step: Step, kernels: float, server_pid: int, rounds: int) -> Mapping[str, float]:
    """CPU milliseconds per mini-batch, by what they were spent on; `kernels` in seconds per step."""
    before = CpuSeconds.now(server_pid)
    for _ in range(rounds):
        step()
    spent = CpuSeconds.now(server_pid) - before
    each = 1e3 / (rounds * MINI_BATCHES)
    beyond = spent.workers + spent.ray - kernels * rounds
    return {
        "cpu_ms.kernels": kernels * rounds * each,
        "cpu_ms.ray": beyond * each,
        "cpu_ms.scheduler": spent.scheduler * each,
        "cpu_ms.client": spent.client * each,
    }


def main() -> None:
    """Run, print, and write the figures if asked to."""
    options = harness.parser(__doc__, rounds=4).parse_args()
    figures: dict[str, float] = {}
    with server(workers=2, backend="torch-cpu") as running:
        for name in NETWORKS:
            figures |= measure(name, running.address, running.pid, options.rounds)
    harness.report(figures, options.json)


if __name__ == "__main__":
    main()
