"""What every handler of the service does around its own work: tokens, counting, errors as statuses."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, NoReturn, Protocol, TypeVar

import structlog
from grpc_status import rpc_status

from raygrad.proto.errors import RaygradError
from raygrad.proto.v1.status import as_raygrad_error, cut, to_status

from .metrics import Metrics

log = structlog.get_logger("raygrad")


class Context(Protocol):
    """What handlers need of gRPC's context of a call."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...

    async def abort_with_status(self, status: Any) -> NoReturn: ...


class Service(Protocol):
    """What handlers need of the service that they belong to."""

    metrics: Metrics

    def authenticate(self, context: Context) -> None: ...


S = TypeVar("S", bound=Service)
Request = TypeVar("Request")
Reply = TypeVar("Reply")
Handler = Callable[[S, Request, Context], Awaitable[Reply]]
Streamer = Callable[[S, Request, Context], AsyncIterator[Reply]]


def unary(handler: Handler[S, Request, Reply]) -> Handler[S, Request, Reply]:
    """A handler with one reply: authenticated, counted, its errors as statuses."""

    @functools.wraps(handler)
    async def answer(self: S, request: Request, context: Context) -> Reply:
        try:
            with self.metrics.call(handler.__name__):
                self.authenticate(context)
                return await handler(self, request, context)
        except Exception as exc:
            await fail(handler.__name__, context, exc)

    return answer


def streaming(handler: Streamer[S, Request, Reply]) -> Streamer[S, Request, Reply]:
    """A handler with a stream of replies: authenticated, counted, its errors as statuses."""

    @functools.wraps(handler)
    async def answer(self: S, request: Request, context: Context) -> AsyncIterator[Reply]:
        try:
            with self.metrics.call(handler.__name__):
                self.authenticate(context)
                async for reply in handler(self, request, context):
                    yield reply
        except Exception as exc:
            await fail(handler.__name__, context, exc)

    return answer


async def fail(method: str, context: Context, exc: Exception) -> NoReturn:
    """End the call with the status of the error. What is not ours is a bug: its trace goes to the log."""
    error = as_raygrad_error(exc)
    log.info("call failed", method=method, error=type(error).__name__, message=cut(str(error)))
    if type(error) is RaygradError and error is not exc:
        log.error("unexpected error", method=method, exc_info=exc)
    status = rpc_status.to_status(to_status(error))
    await context.abort_with_status(status)
