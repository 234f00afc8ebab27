"""CPU seconds of one step by `rg.local`, printed: kernels and exact sums with nothing around them.

A process of its own, since it keeps freed memory as a worker does, which would help the peers too.
"""

from __future__ import annotations

import subprocess
import sys
import time

from networks import NETWORKS, mini_batches, raygrad_step

import raygrad as rg
from raygrad.workers.allocator import keep_freed_memory

DEADLINE_SECONDS = 120.0


def cpu_seconds(name: str, batch: int, steps: int) -> float:
    """Of one step of the network `name`, measured in a process of its own over `steps` of them."""
    command = [sys.executable, __file__, name, str(batch), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure what the command line says."""
    name, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    keep_freed_memory()
    candidate = NETWORKS[name]
    network = candidate.network()
    with rg.local(network.graph, backend="torch-cpu") as session:
        step = raygrad_step(session, network, mini_batches(candidate.shape, batch))
        step()
        before = time.process_time()
        for _ in range(steps):
            step()
    sys.stdout.write(f"{(time.process_time() - before) / steps}\n")


if __name__ == "__main__":
    main()
