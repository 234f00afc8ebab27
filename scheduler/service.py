"""The gRPC service: a request in, one call of the scheduler, a reply out.

Handlers run on one event loop and never block it: what may take long (documents, plans, parts of
tensors that are put together) runs on threads. Whatever goes wrong leaves as the status of a `RaygradError`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping

import structlog

from raygrad.proto.errors import (
    AuthenticationError,
    LimitError,
    TruncatedTensorError,
    UnavailableError,
)
from raygrad.proto.limits import DEFAULT, Limits
from raygrad.proto.tensor import Array
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc
from raygrad.proto.v1.tensors import Unpacker, pack
from raygrad.proto.v1.values import (
    expect_of,
    index_of,
    info_to_message,
    options_from_message,
    plan_to_message,
    step_of,
    weight_of,
)

from .accumulation import Accumulation
from .answers import Answers
from .content import content_of
from .handlers import Context, Request, streaming, unary
from .metrics import Metrics
from .scheduler import Scheduler
from .session import Session
from .uploads import Uploads
from .waiting import Calls

log = structlog.get_logger("raygrad")


class GraphService(rpc.GraphServiceServicer):
    """`raygrad.v1.GraphService` over a scheduler. Belongs to one event loop."""

    def __init__(self, scheduler: Scheduler, *, token: str = "", limits: Limits = DEFAULT) -> None:
        """With a `token`, every call must carry it as `authorization: Bearer …`."""
        self.metrics = Metrics()
        self.metrics.sessions.set_function(lambda: len(scheduler.sessions()))
        self._scheduler = scheduler
        self._token = f"Bearer {token}" if token else ""
        self._limits = limits
        self._calls = Calls(scheduler.cluster.inline)
        self._uploads = Uploads()
        self._backwards: Answers[Mapping[str, Array]] = Answers()
        self._accumulations: set[Accumulation] = set()
        self._draining = False

    def authenticate(self, context: Context) -> None:
        """Raise `AuthenticationError` unless the call carries the token."""
        if not self._token:
            return
        sent = dict(context.invocation_metadata() or ()).get("authorization", "")
        if not hmac.compare_digest(str(sent).encode(), self._token.encode()):
            raise AuthenticationError("this server wants its token as the metadata 'authorization: Bearer …'")

    def close(self) -> None:
        """End what runs beside the event loop."""
        self._calls.close()

    def drain(self) -> None:
        """Refuse what begins something; end the streams of mini-batches once what they sent is answered.

        Sessions, parameters and mini-batches begin something. The backward pass or the release of a lease
        and the gradients of a step end what was begun, and are served until the server closes.
        """
        self._draining = True
        for accumulation in self._accumulations:
            accumulation.drain()

    def _require_open(self) -> None:
        if self._draining:
            raise UnavailableError("the server is shutting down")

    # -- sessions -----------------------------------------------------------------------------

    @unary
    async def CreateSession(  # noqa: N802
        self, requests: AsyncIterator[pb.CreateSessionRequest], _: Context
    ) -> pb.CreateSessionResponse:
        self._require_open()
        first = await _first(requests)
        document = await self._document(first, requests)
        options = options_from_message(first.options)
        session = await self._calls.slow(
            lambda: self._scheduler.create_session(document, options, first.request_id)
        )
        plan = await self._first_plan(session)
        log.info("session created", session=session.id, nodes=len(session.graph))
        return pb.CreateSessionResponse(session_id=session.id, plan=plan)

    async def _first_plan(self, session: Session) -> pb.PlanSummary | None:
        """The plan of a new session, where no named size has to be known; without one, no session."""
        if session.graph.sizes:
            return None
        try:
            return plan_to_message(await asyncio.to_thread(session.plan, drawn=False))
        except BaseException:
            session.close()
            raise

    async def _document(
        self, first: pb.CreateSessionRequest, rest: AsyncIterator[pb.CreateSessionRequest]
    ) -> bytes:
        parts, size, most = [first.document], len(first.document), self._limits.document_bytes
        async for request in rest:
            parts.append(request.document)
            size += len(request.document)
            if size > most:
                raise LimitError(f"the document has more than {most} bytes")
        return b"".join(parts)

    @unary
    async def CloseSession(self, request: pb.CloseSessionRequest, _: Context) -> pb.CloseSessionResponse:  # noqa: N802
        session = self._scheduler.session(request.session_id)
        await self._calls.slow(session.close)
        self._uploads.forget(session.id)
        log.info("session closed", session=session.id)
        return pb.CloseSessionResponse()

    @unary
    async def ListSessions(self, request: pb.ListSessionsRequest, _: Context) -> pb.ListSessionsResponse:  # noqa: N802
        return pb.ListSessionsResponse(sessions=map(_summary, self._scheduler.sessions()))

    @unary
    async def DescribePlan(self, request: pb.DescribePlanRequest, _: Context) -> pb.PlanSummary:  # noqa: N802
        session = self._scheduler.session(request.session_id)
        return plan_to_message(await asyncio.to_thread(session.plan, dict(request.sizes) or None))

    @unary
    async def GetServerInfo(self, request: pb.GetServerInfoRequest, _: Context) -> pb.ServerInfo:  # noqa: N802
        return info_to_message(self._scheduler.info())

    # -- parameters and buffers ---------------------------------------------------------------

    @unary
    async def PutTensors(  # noqa: N802
        self, requests: AsyncIterator[pb.PutTensorsRequest], _: Context
    ) -> pb.PutTensorsResponse:
        self._require_open()
        first = await _first(requests)
        session = self._scheduler.session(first.session_id)
        key = (session.id, first.upload_id)
        kept = self._uploads.take(key)
        unpacker = kept if kept and first.resume else Unpacker(self._limits, session.tensor_types)
        try:
            await _fill(unpacker, first, requests, lambda request: request.tensors)
        except (asyncio.CancelledError, TruncatedTensorError):
            if first.upload_id:
                self._uploads.keep(key, unpacker)
            raise
        await self._calls(lambda: session.put(unpacker.finish()))
        return pb.PutTensorsResponse()

    @unary
    async def DescribeUpload(  # noqa: N802
        self, request: pb.DescribeUploadRequest, _: Context
    ) -> pb.DescribeUploadResponse:
        session = self._scheduler.session(request.session_id)
        return pb.DescribeUploadResponse(received=self._uploads.received((session.id, request.upload_id)))

    @streaming
    async def GetTensors(  # noqa: N802
        self, request: pb.GetTensorsRequest, _: Context
    ) -> AsyncIterator[pb.GetTensorsResponse]:
        tensors = await asyncio.to_thread(self._scheduler.session(request.session_id).get)
        for part in pack(tensors):
            yield pb.GetTensorsResponse(tensors=part)

    # -- mini-batches -------------------------------------------------------------------------

    @streaming
    async def Accumulate(  # noqa: N802
        self, requests: AsyncIterator[pb.AccumulateRequest], _: Context
    ) -> AsyncIterator[pb.AccumulateResponse]:
        self._require_open()
        accumulation = Accumulation(self._scheduler.session, self._calls, self.metrics)
        self._accumulations.add(accumulation)
        try:
            async for reply in accumulation.run(requests):
                yield reply
        finally:
            self._accumulations.discard(accumulation)

    @streaming
    async def Forward(  # noqa: N802
        self, requests: AsyncIterator[pb.ForwardRequest], _: Context
    ) -> AsyncIterator[pb.ForwardResponse]:
        self._require_open()
        first = await _first(requests)
        session = self._scheduler.session(first.session_id)
        unpacker = Unpacker(self._limits, session.feed_types)
        await _fill(unpacker, first, requests, lambda request: request.feeds)
        identity = first.mini_batch
        result = await self._calls(
            lambda: session.forward(
                unpacker.finish(),
                keep=first.keep,
                index=index_of(identity),
                weight=weight_of(identity),
                step=step_of(identity),
            )
        )
        head = pb.ForwardResponse()
        if first.keep:
            head = pb.ForwardResponse(lease=result.lease, step=result.step, index=result.index)
        for part in pack(result.outputs):
            head.outputs.CopyFrom(part)
            yield head
            head = pb.ForwardResponse()

    @streaming
    async def Backward(  # noqa: N802
        self, requests: AsyncIterator[pb.BackwardRequest], _: Context
    ) -> AsyncIterator[pb.BackwardResponse]:
        first = await _first(requests)
        session = self._scheduler.session(first.session_id)
        unpacker = Unpacker(self._limits, session.output_types)
        await _fill(unpacker, first, requests, lambda request: request.cotangents)
        cotangents, wanted = unpacker.finish(), tuple(first.input_gradients)
        content = await asyncio.to_thread(content_of, session.id, first.lease, *wanted, tensors=cotangents)
        found = await self._backwards.get(
            first.request_id,
            content,
            lambda: self._calls(lambda: session.backward(first.lease, cotangents or None, wanted)),
        )
        for part in pack(found):
            yield pb.BackwardResponse(input_gradients=part)

    @unary
    async def Release(self, request: pb.ReleaseRequest, _: Context) -> pb.ReleaseResponse:  # noqa: N802
        session = self._scheduler.session(request.session_id)
        await self._calls(lambda: session.release(request.lease))
        return pb.ReleaseResponse()

    # -- gradients ----------------------------------------------------------------------------

    @streaming
    async def GetGradients(  # noqa: N802
        self, request: pb.GetGradientsRequest, _: Context
    ) -> AsyncIterator[pb.GetGradientsResponse]:
        session = self._scheduler.session(request.session_id)
        found = await self._calls(
            lambda: session.gradients(
                step=request.step if request.HasField("step") else None,
                expect=expect_of(request),
                mean=request.mean,
                keep_open=request.keep_open,
            )
        )
        head = pb.GetGradientsResponse(step=found.step, indices=found.indices, weight=found.weight)
        for part in pack(found):
            head.gradients.CopyFrom(part)
            yield head
            head = pb.GetGradientsResponse()


async def _first(requests: AsyncIterator[Request]) -> Request:
    first = await anext(requests, None)
    if first is None:
        raise TruncatedTensorError("the stream ended before its first message")
    return first


async def _fill(
    unpacker: Unpacker,
    first: Request,
    rest: AsyncIterator[Request],
    tensors_of: Callable[[Request], pb.Tensors],
) -> None:
    """Read a stream's set of tensors. Pieces of a large one are copied together, on a thread."""
    done = unpacker.add(tensors_of(first))
    while not done:
        request = await anext(rest, None)
        if request is None:
            raise TruncatedTensorError(f"the stream ended early; bytes received: {unpacker.received}")
        done = await asyncio.to_thread(unpacker.add, tensors_of(request))


def _summary(session: Session) -> pb.SessionSummary:
    graph = session.graph
    return pb.SessionSummary(
        session_id=session.id, loss=session.options.loss, nodes=len(graph), parameters=len(graph.parameters)
    )
