"""Sessions for asyncio: the names of `raygrad.client.session`, awaited.

::

    async with await rg.aio.connect("localhost:50051", graph) as session:
        await session.put({"w": w})
        await session.accumulate({"x": x, "y": y} for x, y in batches)
        gradients = await session.gradients(mean=True)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import NoReturn, Self, TypeVar, Unpack

from raygrad.proto.builder import Builder, graph_of
from raygrad.proto.errors import (
    DeadlineError,
    GraphError,
    RaygradError,
    SessionNotFoundError,
    UnavailableError,
)
from raygrad.proto.graph import Graph
from raygrad.proto.identity import checked_expect, checked_index, checked_weight
from raygrad.proto.messages import (
    ForwardResult,
    Gradients,
    MiniBatch,
    PlanSummary,
    SessionOptions,
    StepResult,
)
from raygrad.proto.tensor import Array

from .arrays import Feeds, Types, listed
from .connect import TIMEOUT, opened
from .options import Options
from .progress import acounted
from .session import Transport, checked, farewell
from .transport import TLS

T = TypeVar("T")
Batches = Iterable[MiniBatch | Feeds] | AsyncIterable[MiniBatch | Feeds]


class Session:
    """One graph on the workers; every method is that of the blocking `Session`. Belongs to one event loop.

    A call has returned when it was awaited: until then the arrays that it was given must not change.
    """

    def __init__(self, transport: Transport, graph: Graph, timeout: float | None) -> None:
        self.graph = graph
        self.timeout = timeout
        self._other_side = transport
        self._types = Types(graph, copies=transport.keeps)
        self._closed = False

    @property
    def id(self) -> str:
        """The session's id on the server."""
        return self._other_side.id

    @property
    def _transport(self) -> Transport:
        if self._closed:
            raise SessionNotFoundError(f"session {self.id} was closed")
        return self._other_side

    @checked
    async def put(self, tensors: Feeds) -> None:
        """Set parameters and buffers, between steps."""
        arrays = self._types.tensors(tensors)
        await self._call("put", lambda: self._transport.put(arrays))

    async def get(self) -> Mapping[str, Array]:
        """Parameters and buffers as last put, by name."""
        return await self._call("get", self._transport.get)

    @checked
    async def forward(
        self, feeds: Feeds, *, keep: bool = False, index: int | None = None, weight: float = 1.0
    ) -> ForwardResult:
        """The named outputs; with `keep`, a lease on the activations."""
        arrays, identity, factor = self._types.feeds(feeds), checked_index(index), checked_weight(weight)
        return await self._call(
            "forward", lambda: self._transport.forward(arrays, keep=keep, index=identity, weight=factor)
        )

    @checked
    async def backward(
        self, lease: str, cotangents: Feeds | None = None, input_gradients: Sequence[str] | str = ()
    ) -> Mapping[str, Array]:
        """The backward pass of a lease; the gradients of the inputs asked for."""
        given, wanted = self._types.cotangents(cotangents), listed(input_gradients)
        return await self._call("backward", lambda: self._transport.backward(lease, given, wanted))

    @checked
    async def release(self, lease: str) -> None:
        """End a lease without a backward pass."""
        await self._call("release", lambda: self._transport.release(lease))

    @checked
    async def accumulate(self, batches: Batches, *, progress: bool = True) -> list[StepResult]:
        """Forward and backward of every mini-batch, pipelined; the outputs in order.

        If it is cancelled, it does not wait for those on the way: each may be in the step or not.
        """
        total = len(batches) if isinstance(batches, Sequence) else None
        return [result async for result in acounted(self.stream(batches), total, show=progress)]

    @checked
    async def stream(self, batches: Batches) -> AsyncIterator[StepResult]:
        """Like `accumulate`, each result as soon as it is there. Batches that must wait come async."""
        submitted: asyncio.Queue[asyncio.Task[StepResult] | None] = asyncio.Queue()
        running: set[asyncio.Task[StepResult]] = set()
        feeder = asyncio.create_task(self._feed(_asynchronous(batches), submitted, running))
        try:
            while (task := await submitted.get()) is not None:
                yield await task
                running.discard(task)
            await feeder
        except asyncio.CancelledError:
            for task in running:
                task.cancel()  # a deadline of the program's is not to become that of hundreds on the way
            raise
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, *running, return_exceptions=True)

    async def _feed(
        self,
        batches: AsyncIterator[MiniBatch | Feeds],
        submitted: asyncio.Queue[asyncio.Task[StepResult] | None],
        running: set[asyncio.Task[StepResult]],
    ) -> None:
        try:
            async for given in batches:
                batch = self._types.mini_batch(given)
                await self._call("room for a mini-batch", self._transport.room)
                future = await self._begin(partial(self._transport.step_batch, batch))
                task = asyncio.create_task(_awaited(future, self.timeout, "a mini-batch"))
                running.add(task)
                submitted.put_nowait(task)
        finally:
            submitted.put_nowait(None)

    @checked
    async def gradients(
        self, *, mean: bool = False, keep_open: bool = False, expect: int | Collection[int] | None = None
    ) -> Gradients:
        """The sum over the step's mini-batches of weight · gradient, by parameter: a mapping."""
        wanted = checked_expect(expect)
        return await self._call(
            "gradients", lambda: self._transport.gradients(expect=wanted, mean=mean, keep_open=keep_open)
        )

    @checked
    async def plan(self, sizes: Mapping[str, int] | None = None) -> PlanSummary:
        """How the session is spread over the workers, and what is predicted of it."""
        return await self._call("plan", lambda: self._transport.plan(sizes))

    async def close(self) -> None:
        """Free what the session holds. A second time does nothing."""
        await self._close(self.timeout)

    def __reduce__(self) -> NoReturn:
        raise GraphError("a session lives in this process and cannot be pickled or copied: open another one")

    def __repr__(self) -> str:
        return f"<Session {self.id}: {self.graph!r}{', closed' if self._closed else ''}>"

    def _repr_svg_(self) -> str:
        """What notebooks show: the graph."""
        return self.graph.svg()

    async def _close(self, timeout: float | None) -> None:
        if not self._closed:
            self._closed = True
            await _awaited(await self._begin(self._other_side.close), timeout, "close")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an error on the way out does not hide the one that led there, nor keep it back for long."""
        with contextlib.suppress(RaygradError) if exc else contextlib.nullcontext():
            hopeless = isinstance(exc, (UnavailableError, asyncio.CancelledError))
            await self._close(farewell(self.timeout) if hopeless else self.timeout)

    async def _call(self, what: str, call: Callable[[], Future[T]]) -> T:
        return await _awaited(await self._begin(call), self.timeout, what)

    async def _begin(self, call: Callable[[], Future[T]]) -> Future[T]:
        """Make a call; on a thread, if it does its work before it returns."""
        return await asyncio.to_thread(call) if self._other_side.inline else call()


async def connect(
    target: str,
    graph: Graph | Builder,
    *,
    timeout: float = TIMEOUT,
    token: str | None = None,
    tls: TLS = None,
    **options: Unpack[Options],
) -> Session:
    """A session on a server; the arguments are those of the blocking `connect`."""
    whole = graph_of(graph)
    opening = opened(target, whole, SessionOptions.of(options), timeout, token, tls)
    remote = await _awaited(opening, timeout, f"opening a session at {target}")
    return Session(remote, whole, timeout)


async def local(
    graph: Graph | Builder,
    *,
    backend: str = "auto",
    workers: int = 1,
    timeout: float | None = None,
    **options: Unpack[Options],
) -> Session:
    """A session in this process; the arguments are those of the blocking `local`."""
    from .local import (
        check_workers,
        open_in_process,
    )  # the scheduler, which a client of a server does not need

    whole = graph_of(graph)
    check_workers(workers)
    opened = await asyncio.to_thread(open_in_process, whole, SessionOptions.of(options), backend, workers)
    return Session(opened, whole, timeout)


async def _awaited(future: Future[T], timeout: float | None, what: str) -> T:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
    except TimeoutError as exc:
        raise DeadlineError(f"{what} took longer than {timeout:g} s") from exc


async def _asynchronous(batches: Batches) -> AsyncIterator[MiniBatch | Feeds]:
    if isinstance(batches, AsyncIterable):
        async for batch in batches:
            yield batch
    else:
        for batch in batches:
            yield batch
            await asyncio.sleep(0)  # results come in between
