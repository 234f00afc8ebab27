"""A step of plain PyTorch in a process of its own: what somebody has who writes it by hand.

Its own, since glibc decides from what a process has freed before whether it keeps freed memory: beside a
raygrad client PyTorch takes LeNet's mini-batch in 10 ms or in 16, by chance; alone, with glibc's defaults,
mostly in 16, and in some processes in 10 now and then. `tuned` sets the allocator as raygrad's workers do,
which PyTorch does not do by itself.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import torch
from networks import NETWORKS, Feeds, Step, mini_batches

from raygrad.workers.allocator import keep_freed_memory

STOP_SECONDS = 10.0
DEADLINE_SECONDS = 600.0
"""For all the steps of a process."""
LAYOUTS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


@contextlib.contextmanager
def plain_step(name: str, batch: int, layout: str, *, tuned: bool = False) -> Iterator[Step]:
    """A function that lets a process of its own do one step of the network `name`, until the block ends."""
    command = [sys.executable, __file__, name, str(batch), layout, "tuned" if tuned else "as it is"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def step() -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("step\n")
            process.stdin.flush()
            if process.stdout.readline() != "done\n":
                raise RuntimeError(f"PyTorch's process ended: exit status {process.wait(STOP_SECONDS)}")

        watchdog = threading.Timer(DEADLINE_SECONDS, process.kill)
        watchdog.start()
        try:
            yield step
        finally:
            watchdog.cancel()
            process.kill()


def torch_step(name: str, feeds: Feeds, layout: torch.memory_format) -> Step:
    """Zero the gradients, add up those of all mini-batches."""
    module = NETWORKS[name].module().to(memory_format=layout)
    tensors = [(torch.from_numpy(f["x"]).to(memory_format=layout), torch.from_numpy(f["y"])) for f in feeds]

    def step() -> None:
        module.zero_grad(set_to_none=True)
        for x, y in tensors:
            module(x, y).backward()

    return step


def main() -> None:
    """Do a step for each line that comes in."""
    name, batch, layout, tuning = sys.argv[1:]
    if tuning == "tuned":
        keep_freed_memory()
    torch.set_num_threads(os.cpu_count() or 1)
    step = torch_step(name, mini_batches(NETWORKS[name].shape, int(batch)), LAYOUTS[layout])
    for _ in sys.stdin:
        step()
        print("done", flush=True)


if __name__ == "__main__":
    main()
