"""Calls to a server: the channel, credentials, deadlines, safe retries, and statuses made errors again.

All calls of a process run on one event loop, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import re
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_status import rpc_status

from raygrad.proto.errors import ConfigurationError, DeadlineError, RaygradError, UnavailableError
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc
from raygrad.proto.v1.status import from_code, from_status

T = TypeVar("T")
TLS = bool | str | Path | bytes | None
"""No encryption (`None`), or whom to trust: the system's authorities (`True`), or a PEM file or bytes."""

MESSAGE_BYTES = 4 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.per_rpc_retry_buffer_size", 2 * MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
BROKEN_WRITE = "Internal error from Core"
"""How grpc.aio says that the connection broke while it was writing, in a status that means something else."""
_starting = threading.Lock()  # a cache alone lets threads that come together make a loop each
_NAMED_SCHEMES = ("unix:", "dns:", "ipv4:", "ipv6:")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
FIRST_DELAY, LONGEST_DELAY = 0.05, 2.0  # seconds between retries


def event_loop() -> asyncio.AbstractEventLoop:
    """The process's event loop for calls; it starts with the first of them, whichever thread makes it."""
    with _starting:
        return _event_loop()


@functools.cache
def _event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="raygrad-client", daemon=True).start()
    return loop


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Run `work` on the event loop; cancelling the future cancels it."""
    return asyncio.run_coroutine_threadsafe(work, event_loop())


class Link:
    """A channel to one server. Used on the event loop only."""

    def __init__(self, target: str, *, timeout: float, token: str | None = None, tls: TLS = None) -> None:
        """`timeout` seconds bound every call, its retries included."""
        self.target = target
        self.timeout = timeout
        self.metadata = (("authorization", f"Bearer {_checked_token(token)}"),) if token else ()
        self._channel = _channel(_with_port(target), tls)
        self.stub = rpc.GraphServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close the channel; calls that still run are cancelled."""
        await self._channel.close(None)

    async def call(self, attempt: Callable[[float], Awaitable[T]]) -> T:
        """What `attempt` returns; it gets the seconds that are left, and is made again while nobody answers.

        Only for what may be done twice: requests with an identity, or without effect.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        for delay in delays():
            try:
                with self.errors():
                    return await attempt(deadline - loop.time())
            except UnavailableError:
                if loop.time() + delay >= deadline:
                    raise
            await asyncio.sleep(delay)
        raise AssertionError("delays() never ends")

    async def unary(self, method: str, request: Any) -> Any:
        """The reply to a request, retried."""
        return await self.call(lambda left: self.open(method, request, left))

    def open(self, method: str, requests: Any, timeout: float | None) -> Any:
        """One gRPC call: awaited for a single reply, iterated for a stream of them."""
        call: Any = getattr(self.stub, method)
        return call(requests, timeout=timeout, metadata=self.metadata)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what the server said as the error it meant."""
        try:
            yield
        except grpc.aio.AioRpcError as exc:
            raise self._error_of(exc) from exc
        except grpc.aio.UsageError as exc:  # the channel is closed
            raise UnavailableError(f"the connection to {self.target} is closed") from exc

    def _error_of(self, exc: grpc.aio.AioRpcError) -> RaygradError:
        status = rpc_status.from_call(exc)  # type: ignore[arg-type]  # has what it reads of a call
        if status is not None:
            return from_status(status)
        details = exc.details() or "no details"
        broken = details.startswith(BROKEN_WRITE)
        error = from_code("UNAVAILABLE" if broken else exc.code().name, details)
        if isinstance(error, UnavailableError):
            error.message = f"no server answers at {self.target}: {error.message}"
        if isinstance(error, DeadlineError):
            error.message = f"{self.target} did not answer in {self.timeout:g} s"
        return error


def delays() -> Iterator[float]:
    """Seconds to wait between tries: growing, with full jitter, so that clients do not come all at once."""
    longest = FIRST_DELAY
    while True:
        yield random.uniform(FIRST_DELAY / 2, longest)
        longest = min(2 * longest, LONGEST_DELAY)


async def replies(call: Any) -> AsyncGenerator[Any, None]:
    """The stream of a call's replies; leaving it early cancels the call."""
    try:
        async for reply in call:
            yield reply
    finally:
        call.cancel()


def _checked_token(token: str) -> str:
    """A token that a header carries; `ConfigurationError` for spaces and, as files have them, line ends."""
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError(
            "a token is ASCII without spaces and line ends: strip what was read of a file"
        )
    return token


def _with_port(target: str) -> str:
    """The target; `ConfigurationError` if gRPC would look for a server at port 443, or at a URL, in vain."""
    if isinstance(target, str) and target.startswith(_NAMED_SCHEMES):
        return target
    found = _ADDRESS.fullmatch(target) if isinstance(target, str) else None
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise ConfigurationError(f"the address of a server is HOST:PORT, the port 1 to 65535; got {target!r}")
    return target


def _options(target: str) -> list[tuple[str, int]]:
    """The channel's options: a server on this machine is never asked for by way of a proxy."""
    found = _ADDRESS.fullmatch(target)
    here = target.startswith("unix:") or (
        found is not None and _LOOPBACK.fullmatch(found["host"]) is not None
    )
    return [*OPTIONS, ("grpc.enable_http_proxy", 0)] if here else [*OPTIONS]


def _channel(target: str, tls: TLS) -> grpc.aio.Channel:
    if tls is None or tls is False:
        return grpc.aio.insecure_channel(target, options=_options(target))
    credentials = grpc.ssl_channel_credentials(_authorities(tls))
    return grpc.aio.secure_channel(target, credentials, options=_options(target))


def _authorities(tls: bool | str | Path | bytes) -> bytes | None:
    """The PEM of the authorities to trust; `None` for the system's."""
    if isinstance(tls, (bool, bytes)):
        return tls if isinstance(tls, bytes) else None
    try:
        return Path(tls).read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"tls: {tls} cannot be read: {exc.strerror}") from exc
