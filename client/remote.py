"""A session on a server: what `Session` calls, as calls of the service that are safe to repeat."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from raygrad.proto.codec import encode
from raygrad.proto.errors import LeaseError, SessionNotFoundError
from raygrad.proto.graph import Graph
from raygrad.proto.messages import (
    ForwardResult,
    Gradients,
    MiniBatch,
    PlanSummary,
    SessionOptions,
    StepResult,
)
from raygrad.proto.tensor import Array
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1.tensors import Unpacker, pack
from raygrad.proto.v1.values import (
    batch_to_message,
    gradients_request,
    options_to_message,
    plan_from_message,
)
from raygrad.proto.wire import PIECE_BYTES

from .transport import Link, replies, start
from .uplink import Uplink, received


class Remote:
    """One session of one client; its methods return at once, with futures.

    It gives every mini-batch its index, so that one sent twice is known to be the same.
    """

    inline = False
    keeps = False  # what has an effect is packed before a call returns

    def __init__(self, link: Link, session: str) -> None:
        self.id = session
        self._link = link
        self._uplink = Uplink(link, session)
        self._step: int | None = None  # known from the step's first answer
        self._taken = -1  # the last step whose gradients were taken
        self._next_index = 0

    # -- parameters and buffers ---------------------------------------------------------------

    def put(self, tensors: Mapping[str, Array]) -> Future[None]:
        """Put parameters and buffers; an interrupted upload goes on where it stopped."""
        return start(self._put(tensors))

    async def _put(self, tensors: Mapping[str, Array]) -> None:
        upload = pb.PutTensorsRequest(session_id=self.id, upload_id=uuid.uuid4().hex)
        tries = 0

        async def attempt(left: float) -> None:
            nonlocal tries
            tries += 1
            received = await self._received(upload, left) if tries > 1 else {}
            upload.resume = bool(received)
            await self._link.open("PutTensors", _uploading(upload, tensors, received), left)

        await self._link.call(attempt)

    async def _received(self, upload: pb.PutTensorsRequest, left: float) -> dict[str, int]:
        request = pb.DescribeUploadRequest(session_id=self.id, upload_id=upload.upload_id)
        found = await self._link.open("DescribeUpload", request, left)
        return dict(found.received)

    def get(self) -> Future[Mapping[str, Array]]:
        """Parameters and buffers as last put."""
        return start(self._get())

    async def _get(self) -> Mapping[str, Array]:
        _, tensors = await self._collect(
            "GetTensors", lambda: pb.GetTensorsRequest(session_id=self.id), lambda reply: reply.tensors
        )
        return tensors

    # -- mini-batches -------------------------------------------------------------------------

    def step_batch(self, batch: MiniBatch, step: int | None = None) -> Future[StepResult]:
        """Forward and backward of a mini-batch, pipelined with those before."""
        return start(self._step_batch(list(pack(batch.feeds)), batch, step))

    async def _step_batch(self, feeds: list[pb.Tensors], batch: MiniBatch, step: int | None) -> StepResult:
        identity = batch_to_message(
            self._index(batch.index), batch.weight, self._step if step is None else step
        )
        result = await self._uplink.send(identity, feeds)
        self._learn(result.step)
        return result

    def _learn(self, step: int) -> None:
        """An answer named the open step (or came late, of one that was taken meanwhile)."""
        if step > self._taken:
            self._step = step

    def _index(self, given: int | None) -> int:
        """The index of a mini-batch, and from now on none of those up to it."""
        index = self._next_index if given is None else given
        self._next_index = max(self._next_index, index + 1)
        return index

    def room(self) -> Future[None]:
        """Done when another mini-batch may come."""
        return start(self._uplink.room())

    def forward(
        self,
        feeds: Mapping[str, Array],
        *,
        keep: bool = False,
        index: int | None = None,
        weight: float = 1.0,
        step: int | None = None,
    ) -> Future[ForwardResult]:
        """The outputs of a mini-batch; with `keep`, a lease on its activations."""
        return start(self._forward(list(pack(feeds)), keep, index, weight, step))

    async def _forward(
        self, feeds: list[pb.Tensors], keep: bool, index: int | None, weight: float, step: int | None
    ) -> ForwardResult:
        head = pb.ForwardRequest(session_id=self.id, keep=keep)
        if keep:
            identity = batch_to_message(self._index(index), weight, self._step if step is None else step)
            head.mini_batch.CopyFrom(identity)

        def requests() -> Iterator[pb.ForwardRequest]:
            return _headed(head, (pb.ForwardRequest(feeds=part) for part in feeds))

        first, outputs = await self._collect("Forward", requests, lambda reply: reply.outputs)
        if not keep:
            return ForwardResult(outputs)
        self._learn(first.step)
        return ForwardResult(outputs, first.lease, first.step, first.index)

    def backward(
        self,
        lease: str,
        cotangents: Mapping[str, Array] | None = None,
        input_gradients: Sequence[str] = (),
    ) -> Future[Mapping[str, Array]]:
        """The backward pass of a lease; the gradients of the inputs asked for."""
        return start(self._backward(lease, list(pack(cotangents or {})), input_gradients))

    async def _backward(
        self, lease: str, cotangents: list[pb.Tensors], input_gradients: Sequence[str]
    ) -> Mapping[str, Array]:
        head = pb.BackwardRequest(
            session_id=self.id, request_id=uuid.uuid4().hex, lease=lease, input_gradients=input_gradients
        )

        def requests() -> Iterator[pb.BackwardRequest]:
            return _headed(head, (pb.BackwardRequest(cotangents=part) for part in cotangents))

        _, found = await self._collect("Backward", requests, lambda reply: reply.input_gradients)
        return found

    def release(self, lease: str) -> Future[None]:
        """End a lease without a backward pass."""
        return start(self._release(lease))

    async def _release(self, lease: str) -> None:
        await self._once("Release", pb.ReleaseRequest(session_id=self.id, lease=lease), LeaseError)

    async def _once(self, method: str, request: Any, gone: type[Exception]) -> None:
        """A request that ends something. When it is repeated, `gone` says that it was done before."""
        tries = 0

        async def attempt(left: float) -> None:
            nonlocal tries
            tries += 1
            done_before = contextlib.suppress(gone) if tries > 1 else contextlib.nullcontext()
            with done_before, self._link.errors():
                await self._link.open(method, request, left)

        await self._link.call(attempt)

    # -- gradients and plan -------------------------------------------------------------------

    def gradients(
        self,
        *,
        step: int | None = None,
        expect: int | Collection[int] | None = None,
        mean: bool = False,
        keep_open: bool = False,
    ) -> Future[Gradients]:
        """The gradients of a step; unless kept open, the next one begins."""
        return start(self._gradients(step, expect, mean, keep_open))

    async def _gradients(
        self, step: int | None, expect: int | Collection[int] | None, mean: bool, keep_open: bool
    ) -> Gradients:
        request = gradients_request(self.id, self._step if step is None else step, expect, mean, keep_open)
        first, values = await self._collect("GetGradients", lambda: request, lambda reply: reply.gradients)
        if not keep_open and first.step > self._taken:
            self._taken, self._step, self._next_index = first.step, None, 0
        return Gradients(first.step, tuple(first.indices), first.weight, values)

    def plan(self, sizes: Mapping[str, int] | None = None) -> Future[PlanSummary]:
        """How the session is spread over the workers."""
        return start(self._plan(sizes))

    async def _plan(self, sizes: Mapping[str, int] | None) -> PlanSummary:
        request = pb.DescribePlanRequest(session_id=self.id, sizes=sizes)
        return plan_from_message(await self._link.unary("DescribePlan", request))

    # -- ending -------------------------------------------------------------------------------

    def close(self) -> Future[None]:
        """Close the session and the connection."""
        return start(self._close())

    async def _close(self) -> None:
        try:
            await self._uplink.close()
            await self._once("CloseSession", pb.CloseSessionRequest(session_id=self.id), SessionNotFoundError)
        finally:
            await self._link.close()

    # -- streams ------------------------------------------------------------------------------

    async def _collect(
        self, method: str, requests: Callable[[], Any], tensors_of: Callable[[Any], pb.Tensors]
    ) -> tuple[Any, dict[str, Array]]:
        """The first reply of a call, and the tensors of all. `requests` makes the requests of a try."""

        async def attempt(left: float) -> tuple[Any, dict[str, Array]]:
            unpacker, first = Unpacker(), None
            async with contextlib.aclosing(replies(self._link.open(method, requests(), left))) as stream:
                async for reply in stream:
                    first = reply if first is None else first
                    unpacker.add(tensors_of(reply))
            return first, received(unpacker)

        return await self._link.call(attempt)


async def open_session(link_to: Callable[[], Link], graph: Graph, options: SessionOptions) -> Remote:
    """A new session on the server that `link_to` reaches; called on the event loop."""
    document = encode(graph)
    link = link_to()
    head = pb.CreateSessionRequest(request_id=uuid.uuid4().hex, options=options_to_message(options))
    parts = [document[i : i + PIECE_BYTES] for i in range(0, len(document), PIECE_BYTES)]

    async def attempt(left: float) -> str:
        requests = _headed(head, (pb.CreateSessionRequest(document=part) for part in parts))
        reply = await link.open("CreateSession", requests, left)
        return str(reply.session_id)

    try:
        return Remote(link, await link.call(attempt))
    except BaseException:
        await link.close()
        raise


def _headed(head: Any, requests: Iterator[Any]) -> Iterator[Any]:
    """The requests, the fields of `head` in the first of them."""
    for number, request in enumerate(requests):
        if number == 0:
            request.MergeFrom(head)
        yield request


def _uploading(
    head: pb.PutTensorsRequest, tensors: Mapping[str, Array], received: Mapping[str, int]
) -> Iterator[pb.PutTensorsRequest]:
    return _headed(head, (pb.PutTensorsRequest(tensors=part) for part in pack(tensors, received)))
