"""A server of its own process for a benchmark: a Ray that it starts, a real socket on loopback."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY = re.compile(r"ready at (\S+)")
START_SECONDS = 90.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """Where it listens, and its process."""

    address: str
    pid: int


@contextlib.contextmanager
def server(workers: int, backend: str, *options: str) -> Iterator[Server]:
    """`raygrad serve` on a free port with a Ray of its own, until the block ends."""
    arguments = ["--ray", "local", "--workers", str(workers), "--backend", backend, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("raygrad")), "serve", *arguments, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Server(_address(process), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _address(process: subprocess.Popen[str]) -> str:
    """Read from the ready line; an error if the server ends first or takes too long."""
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := READY.search(line):
                return found.group(1)
    finally:
        watchdog.cancel()
    raise RuntimeError(f"the server ended before it was ready (exit status {process.wait(STOP_SECONDS)})")
