"""The server: the service on a socket, with health, reflection, TLS and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from raygrad.proto.errors import ConfigurationError, DeadlineError
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc

from .config import Settings
from .scheduler import Scheduler
from .service import GraphService

log = structlog.get_logger("raygrad")

MESSAGE_BYTES = 4 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a partner
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # clients ping every 30 s
    ("grpc.keepalive_permit_without_calls", 1),
)
SERVICE = pb.DESCRIPTOR.services_by_name["GraphService"].full_name
SERVING = health_pb2.HealthCheckResponse.SERVING


class Server:
    """A scheduler on a socket. `start`, then `stop`, on one event loop."""

    def __init__(self, scheduler: Scheduler, settings: Settings) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._service = GraphService(scheduler, token=settings.token)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in the stubs
        self._grpc = grpc.aio.server(options=OPTIONS, compression=grpc.Compression.NoCompression)
        self._end = contextlib.ExitStack()
        self.address = self.metrics_address = ""

    async def start(self) -> str:
        """Listen; the address, with the port that was taken."""
        rpc.add_GraphServiceServicer_to_server(self._service, self._grpc)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._grpc)
        port = self._bind()
        await self._grpc.start()
        for name in ("", SERVICE):
            await self._health.set(name, SERVING)
        self.address = f"{self._settings.listen.rpartition(':')[0]}:{port}"
        self._serve_metrics()
        return self.address

    def _bind(self) -> int:
        listen, tls = self._settings.listen, self._settings.tls
        try:
            if tls is None:
                return self._grpc.add_insecure_port(listen)
            return self._grpc.add_secure_port(listen, grpc.ssl_server_credentials([tls]))
        except RuntimeError as exc:
            raise ConfigurationError(f"cannot listen on {listen}: {exc}") from exc

    def _serve_metrics(self) -> None:
        if self._settings.metrics_port is not None:
            port, running = self._metrics_server(self._settings.metrics_port)
            self._end.enter_context(running)
            self.metrics_address = f"http://127.0.0.1:{port}/metrics"
            log.info("metrics", address=self.metrics_address)

    def _metrics_server(self, port: int) -> tuple[int, contextlib.AbstractContextManager[None]]:
        try:
            return self._service.metrics.serve(port)
        except OSError as exc:
            raise ConfigurationError(f"metrics_port: cannot listen on {port}: {exc.strerror}") from exc

    async def stop(self) -> None:
        """Drain, then close: refuse what begins something, let what runs end within `drain_seconds`, stop."""
        seconds = self._settings.drain_seconds
        log.info("draining", seconds=seconds)
        await self._health.enter_graceful_shutdown()
        self._service.drain()
        try:
            await asyncio.to_thread(self._scheduler.drain, seconds)
        except DeadlineError as exc:
            log.warning("work was still running", message=str(exc))
        finally:
            await self._grpc.stop(grace=1.0)
            self._service.close()
            await asyncio.to_thread(self._scheduler.close)
            self._end.close()
            log.info("closed")


async def run(scheduler: Scheduler, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the address once clients can connect."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = Server(scheduler, settings)
    try:
        ready(await server.start())
        await stopping.wait()
    finally:
        await server.stop()
