"""One Accumulate stream: mini-batches in, replies out in the order in which they end.

Reading waits for the session's feed budget and for replies that the client has not taken, so that
flow control reaches the client. A mini-batch that fails is answered by its error; the stream goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from raygrad.proto.errors import RaygradError, TruncatedTensorError, UnavailableError
from raygrad.proto.messages import StepResult
from raygrad.proto.tensor import TensorType
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1.status import as_raygrad_error, to_message
from raygrad.proto.v1.tensors import Unpacker, pack
from raygrad.proto.v1.values import batch_from_message, index_of, step_of

from .metrics import Metrics
from .session import Session
from .waiting import Calls, when_done

IN_FLIGHT = 1024
"""Mini-batches of one stream that are read and not yet replied to, at most."""


@dataclass
class _Arriving:
    """A mini-batch of which messages are still to come. After an error the rest of it is passed over."""

    number: int
    identity: pb.MiniBatch
    feeds: Unpacker
    error: RaygradError | None = field(default=None)

    def add(self, message: pb.Tensors) -> bool:
        """Take a message; whether it was the mini-batch's last."""
        try:
            if self.error is None:
                self.feeds.add(message)
        except RaygradError as exc:
            self.error = exc
        return not message.partial


class Accumulation:
    """Runs one stream for one client."""

    def __init__(self, session_of: Callable[[str], Session], calls: Calls, metrics: Metrics) -> None:
        self._session_of = session_of
        self._calls = calls
        self._metrics = metrics
        self._replies: asyncio.Queue[list[pb.AccumulateResponse] | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._running = 0
        self._reader: asyncio.Task[None] | None = None
        self._draining = False

    async def run(
        self, requests: AsyncIterator[pb.AccumulateRequest]
    ) -> AsyncIterator[pb.AccumulateResponse]:
        """The replies; an error ends the stream only if it is about the stream itself."""
        self._reader = asyncio.create_task(self._read(requests))
        self._reader.add_done_callback(lambda _: self._end_if_idle())
        try:
            while (messages := await self._replies.get()) is not None:
                for message in messages:
                    yield message
                self._slots.release()
            await self._outcome(self._reader)
        finally:
            self._reader.cancel()

    def drain(self) -> None:
        """Read no further; what runs is still answered."""
        self._draining = True
        if self._reader is not None:
            self._reader.cancel()

    async def _outcome(self, reader: asyncio.Task[None]) -> None:
        if self._draining:
            raise UnavailableError("the server is shutting down: it takes no more mini-batches")
        await reader

    # -- in -----------------------------------------------------------------------------------

    async def _read(self, requests: AsyncIterator[pb.AccumulateRequest]) -> None:
        first = await anext(requests, None)
        if first is None:
            return
        session = self._session_of(first.session_id)
        request: pb.AccumulateRequest | None = first
        number = 0
        while request is not None:
            await self._slots.acquire()
            self._take(session, await self._whole(number, request, requests, session.feed_types))
            number += 1
            await self._calls(session.room)
            request = await anext(requests, None)

    async def _whole(
        self,
        number: int,
        request: pb.AccumulateRequest,
        requests: AsyncIterator[pb.AccumulateRequest],
        types: Mapping[str, TensorType],
    ) -> _Arriving:
        """The mini-batch that begins with `request`, with all of its messages."""
        arriving = _Arriving(number, request.mini_batch, Unpacker(declared=types))
        while not await _add(arriving, request.feeds):
            following = await anext(requests, None)
            if following is None:
                raise TruncatedTensorError(f"the stream ends within mini-batch {number}")
            request = following
        return arriving

    def _take(self, session: Session, arrived: _Arriving) -> None:
        """Hand a mini-batch on; its reply is queued when it ends."""
        self._running += 1
        self._metrics.running.inc()
        try:
            if arrived.error is not None:
                raise arrived.error
            batch = batch_from_message(arrived.identity, arrived.feeds.finish())
            step = step_of(arrived.identity)
            result = self._calls.submit(lambda: session.step_batch(batch, step))
            when_done(result, lambda done: self._reply(arrived, done))
        except Exception as exc:  # without a reply the stream would never end
            error = as_raygrad_error(exc)
            self._answer([self._failure(arrived, error)], error.code)

    # -- out ----------------------------------------------------------------------------------

    def _reply(self, arrived: _Arriving, done: Future[StepResult]) -> None:
        try:
            result = done.result()
            parts = pack(result.outputs)
            reply = [
                pb.AccumulateResponse(
                    number=arrived.number, step=result.step, index=result.index, outputs=part
                )
                for part in parts
            ]
            self._answer(reply, "OK")
        except BaseException as exc:  # whatever a worker raised is the reply
            error = as_raygrad_error(exc)
            self._answer([self._failure(arrived, error)], error.code)

    def _failure(self, arrived: _Arriving, error: RaygradError) -> pb.AccumulateResponse:
        step, index = step_of(arrived.identity) or 0, index_of(arrived.identity) or 0
        return pb.AccumulateResponse(number=arrived.number, step=step, index=index, error=to_message(error))

    def _answer(self, reply: list[pb.AccumulateResponse], code: str) -> None:
        self._replies.put_nowait(reply)
        self._running -= 1
        self._metrics.running.dec()
        self._metrics.mini_batches.labels(code).inc()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        """After the last reply of a stream that is read to its end (or broke), the end."""
        if self._running == 0 and self._reader is not None and self._reader.done():
            self._replies.put_nowait(None)


async def _add(arriving: _Arriving, message: pb.Tensors) -> bool:
    """Take a message of a mini-batch; copying a part to its place, which takes time, on a thread."""
    return await asyncio.to_thread(arriving.add, message) if message.partial else arriving.add(message)
