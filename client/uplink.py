"""A session's stream of mini-batches to the server, which survives a lost connection.

Mini-batches that have no answer are sent again, under the same step and index, when the stream has
to be opened anew; the server adds each of them once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from raygrad.proto.errors import RaygradError, UnavailableError
from raygrad.proto.messages import StepResult
from raygrad.proto.tensor import Array
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1.status import from_message
from raygrad.proto.v1.tensors import Unpacker

from .arrays import own
from .transport import Link, delays, replies


@dataclass(eq=False)
class _Sent:
    """A mini-batch that waits for its answer."""

    messages: list[pb.AccumulateRequest]
    answer: asyncio.Future[StepResult]
    outputs: Unpacker = field(default_factory=Unpacker)

    def receive(self, reply: pb.AccumulateResponse) -> bool:
        """Take a message of the answer; whether it was the last."""
        if reply.HasField("error"):
            self.fail(from_message(reply.error))
            return True
        if not self.outputs.add(reply.outputs):
            return False
        if not self.answer.done():
            self.answer.set_result(StepResult(reply.step, reply.index, received(self.outputs)))
        return True

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Uplink:
    """The stream. Opens with the first mini-batch, and again after a loss. Used on the event loop only."""

    def __init__(self, link: Link, session: str) -> None:
        self._link = link
        self._session = session
        self._queue: deque[_Sent] = deque()  # not yet written to the stream that is open
        self._written: dict[int, _Sent] = {}  # by their number in it
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None
        self._progress = 0.0  # when the server was last heard of
        self._epoch = 0  # which stream is open: those before write nothing any more

    async def send(self, identity: pb.MiniBatch, feeds: Sequence[pb.Tensors]) -> StepResult:
        """The answer to a mini-batch, whose index must be given. Those sent in parallel are pipelined."""
        messages = _messages(self._session, identity, feeds)
        sent = _Sent(messages, asyncio.get_running_loop().create_future())
        self._queue.append(sent)
        self._room.clear()
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await sent.answer

    async def room(self) -> None:
        """Wait until everything is written: flow control decides how soon that is."""
        await self._room.wait()

    async def close(self) -> None:
        """End the stream. What has no answer fails."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._fail(UnavailableError("the session was closed here"))

    # -- the connection -----------------------------------------------------------------------

    async def _run(self) -> None:
        """Keep a stream open while there is something to send or hear; fail everything if that cannot be."""
        self._heard()
        wait = delays()
        while True:
            began = self._progress
            try:
                await self._stream()
                error = UnavailableError("the server ended the stream")
            except UnavailableError as exc:
                error = exc
            except RaygradError as exc:
                self._fail(exc)
                return
            self._take_back()
            if not self._queue:
                return
            wait = delays() if self._progress > began else wait
            delay = next(wait)
            if asyncio.get_running_loop().time() + delay > self._progress + self._link.timeout:
                self._fail(error)
                return
            await asyncio.sleep(delay)

    async def _stream(self) -> None:
        """One connection, until it ends or breaks."""
        with self._link.errors():
            requests = self._requests(self._epoch)
            async with contextlib.aclosing(replies(self._link.open("Accumulate", requests, None))) as stream:
                async for reply in stream:
                    self._heard()
                    sent = self._written.get(reply.number)
                    if sent is not None and sent.receive(reply):
                        del self._written[reply.number]

    async def _requests(self, epoch: int) -> AsyncIterator[pb.AccumulateRequest]:
        """What is queued, as it comes; a mini-batch whose caller is gone is passed over."""
        number = 0
        while epoch == self._epoch:
            if not self._queue:
                self._room.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            sent = self._queue.popleft()
            if sent.answer.done():
                continue
            sent.outputs = Unpacker()
            self._written[number] = sent
            number += 1
            for message in sent.messages:
                yield message

    def _take_back(self) -> None:
        """The stream is gone: what has no answer is sent again, first and in order, on the next one."""
        self._epoch += 1
        self._wake.set()
        self._queue.extendleft(reversed(self._written.values()))
        self._written.clear()

    def _heard(self) -> None:
        self._progress = asyncio.get_running_loop().time()

    def _fail(self, error: BaseException) -> None:
        for sent in [*self._written.values(), *self._queue]:
            sent.fail(error)
        self._written.clear()
        self._queue.clear()
        self._room.set()


def _messages(
    session: str, identity: pb.MiniBatch, feeds: Sequence[pb.Tensors]
) -> list[pb.AccumulateRequest]:
    first = pb.AccumulateRequest(session_id=session, mini_batch=identity, feeds=feeds[0])
    return [first, *(pb.AccumulateRequest(feeds=part) for part in feeds[1:])]


def received(unpacker: Unpacker) -> dict[str, Array]:
    """What an answer brought, as the caller's own arrays."""
    return {name: own(array) for name, array in unpacker.finish().items()}
