"""A server in this process for tests, a network that breaks, and a small graph to send through both."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import raygrad as rg
from raygrad.scheduler.config import load
from raygrad.scheduler.events import Place, Run, WorkerCommand
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.server import Server

Array = npt.NDArray[Any]
DEADLINE = 30.0  # seconds: for waits that end at once


def mean_square() -> rg.Graph:
    """The mean of (x @ w − y)², for any number of rows."""
    g = rg.Builder()
    x, y = g.input("x", ("N", 4)), g.input("y", ("N", 3))
    w = g.parameter("w", (4, 3))
    with g.label("layer"):
        prediction = x @ w
    g.output("prediction", prediction)
    g.output("loss", (prediction - y).square().mean())
    return g.graph()


def weights(seed: int = 0) -> dict[str, Array]:
    return {"w": np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)}


def mini_batches(count: int, rows: int = 5) -> list[dict[str, Array]]:
    """Mini-batches of `mean_square`, the last one smaller."""
    random = np.random.default_rng(1)
    sizes = [rows] * (count - 1) + [rows - 2]
    return [
        {
            "x": random.normal(size=(n, 4)).astype(np.float32),
            "y": random.normal(size=(n, 3)).astype(np.float32),
        }
        for n in sizes
    ]


class Threaded(LocalCluster):
    """A local cluster that works in the scheduler's thread, as one on Ray does; it may refuse a session."""

    inline = False
    refused = ""

    def execute(self, command: WorkerCommand) -> None:
        session = command.setup.session if isinstance(command, Place) else getattr(command, "session", "")
        if self.refused and session == self.refused:
            raise OSError("nobody is there")
        super().execute(command)

    def flush(self) -> None:
        while self.pump():
            pass


class Busy:
    """A cluster whose workers stop before every call until `go_on`; remembers which calls ran."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.ran: list[int] = []
        self.reached, self._go_on = threading.Event(), threading.Event()
        cluster.before_run = self._wait

    def go_on(self) -> None:
        self._go_on.set()

    def _wait(self, run: Run) -> None:
        self.ran.append(run.key.run.index)
        self.reached.set()
        assert self._go_on.wait(DEADLINE)


def eventually(done: Callable[[], bool]) -> None:
    """Wait for what another thread does; there is nothing to be told by."""
    end = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


@dataclass
class Running:
    """A server that runs, and what it runs on."""

    address: str
    cluster: LocalCluster
    scheduler: Scheduler
    server: Server
    loop: asyncio.AbstractEventLoop
    stopped: bool = False

    def stop(self) -> None:
        """Drain and close; as a signal does it."""
        if not self.stopped:
            self.stopped = True
            asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(DEADLINE)


@contextlib.contextmanager
def running(workers: int = 2, cluster: LocalCluster | None = None, **settings: Any) -> Iterator[Running]:
    """A server on a free port of this machine, over a strict local cluster with the NumPy backend."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    cluster = cluster or LocalCluster(workers, "numpy", strict=True)
    scheduler = Scheduler(cluster)

    async def start() -> Running:
        assert cluster is not None
        server = Server(scheduler, load(**{"listen": "127.0.0.1:0", "drain_seconds": 5.0, **settings}))
        return Running(await server.start(), cluster, scheduler, server, loop)

    found = asyncio.run_coroutine_threadsafe(start(), loop).result(DEADLINE)
    try:
        yield found
    finally:
        found.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        loop.close()


@dataclass
class Network:
    """A TCP relay to a server. It breaks connections on `cut`, and once `break_after` bytes went up."""

    address: str
    break_after: int | None = None
    connections: int = 0
    sent: int = 0  # bytes from clients to the server
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def cut(self) -> None:
        """Break all connections."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def relay(self, listener: socket.socket, target: tuple[str, int]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # the listener is closed: the test is over
                return
            self.connections += 1
            server = socket.create_connection(target, timeout=DEADLINE)
            server.settimeout(None)
            self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.sent += len(data) if up else 0
                if up and self.break_after is not None and self.sent > self.break_after:
                    self.break_after = None
                    self.cut()
                    return
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def network(address: str, break_after: int | None = None) -> Iterator[Network]:
    """A relay in front of the server at `address`."""
    host, _, port = address.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Network(f"127.0.0.1:{listener.getsockname()[1]}", break_after)
        thread = threading.Thread(target=relay.relay, args=(listener, (host, int(port))), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.cut()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(DEADLINE)
