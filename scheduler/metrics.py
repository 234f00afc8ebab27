"""What the server counts, for Prometheus."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from raygrad.proto.v1.status import as_raygrad_error

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("raygrad_calls_total", "Calls ended", ["method", "code"], registry=self.registry)
        self.seconds = Histogram(
            "raygrad_call_seconds", "Time of a call", ["method"], buckets=_SECONDS, registry=self.registry
        )
        self.mini_batches = Counter(
            "raygrad_mini_batches_total", "Mini-batches answered", ["code"], registry=self.registry
        )
        self.running = Gauge(
            "raygrad_mini_batches_running", "Mini-batches not answered yet", registry=self.registry
        )
        self.sessions = Gauge("raygrad_sessions", "Open sessions", registry=self.registry)

    @contextlib.contextmanager
    def call(self, method: str) -> Iterator[None]:
        """Count a call and its time, under the code it ends with."""
        begin, code = time.perf_counter(), "OK"
        try:
            yield
        except BaseException as exc:
            code = "CANCELLED" if isinstance(exc, GeneratorExit) else as_raygrad_error(exc).code
            raise
        finally:
            self.calls.labels(method, code).inc()
            self.seconds.labels(method).observe(time.perf_counter() - begin)

    def serve(
        self, port: int, address: str = "127.0.0.1"
    ) -> tuple[int, contextlib.AbstractContextManager[None]]:
        """Serve the figures over HTTP; the port, and what stops it again."""
        server, thread = start_http_server(port, address, self.registry)

        @contextlib.contextmanager
        def running() -> Iterator[None]:
            try:
                yield
            finally:
                server.shutdown()
                server.server_close()
                thread.join(timeout=10)

        return int(server.server_address[1]), running()
