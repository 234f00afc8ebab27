"""The service as any client sees it, over bare gRPC: bad input, tokens, TLS, health, shutdown.

Everything that a client can get wrong ends in its own error with the right status, names what was
wrong, and leaves the session usable.
"""

import asyncio
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import msgpack
import numpy as np
import numpy.typing as npt
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

import raygrad as rg
from raygrad.proto.errors import AuthenticationError, ConflictError, RaygradError, UnavailableError
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc
from raygrad.proto.v1.status import from_code, from_message, from_status
from raygrad.proto.v1.tensors import Unpacker, pack
from raygrad.scheduler.answers import Answers
from tests.documents import changed, with_node
from tests.serving import (
    DEADLINE,
    Busy,
    Running,
    Threaded,
    eventually,
    mean_square,
    mini_batches,
    running,
    weights,
)

Array = npt.NDArray[Any]
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


class Caller:
    """A session opened with the stubs alone."""

    def __init__(self, service: Any, graph: rg.Graph, **options: Any) -> None:
        self.service = service
        self.id = create(service, rg.encode(graph), **options)

    def put(self, tensors: dict[str, Array]) -> None:
        self.upload(*(pb.PutTensorsRequest(tensors=part) for part in pack(tensors)))

    def upload(self, *requests: pb.PutTensorsRequest) -> None:
        requests[0].session_id = self.id
        self.service.PutTensors(iter(requests), timeout=DEADLINE)

    def forward(self, *feeds: pb.Tensors, keep: bool = False) -> list[pb.ForwardResponse]:
        requests = [pb.ForwardRequest(feeds=part) for part in feeds]
        requests[0].session_id, requests[0].keep = self.id, keep
        return list(self.service.Forward(iter(requests), timeout=DEADLINE))

    def backward(self, lease: str, **more: Any) -> list[pb.BackwardResponse]:
        request = pb.BackwardRequest(session_id=self.id, lease=lease, **more)
        return list(self.service.Backward(iter([request]), timeout=DEADLINE))

    def accumulate(self, *requests: pb.AccumulateRequest) -> list[pb.AccumulateResponse]:
        requests[0].session_id = self.id
        return list(self.service.Accumulate(iter(requests), timeout=DEADLINE))

    def gradients(self, **more: Any) -> dict[str, Array]:
        unpacker = Unpacker()
        request = pb.GetGradientsRequest(session_id=self.id, **more)
        for reply in self.service.GetGradients(request, timeout=DEADLINE):
            unpacker.add(reply.gradients)
        return unpacker.finish()

    def close(self) -> None:
        self.service.CloseSession(pb.CloseSessionRequest(session_id=self.id), timeout=DEADLINE)

    def assert_usable(self) -> None:
        """A whole step, as a client would run it."""
        self.put(weights())
        lease = self.forward(*pack(FEEDS), keep=True)[0].lease
        self.backward(lease)
        assert np.isfinite(self.gradients()["w"]).all()


def create(service: Any, document: bytes, request_id: str = "", **options: Any) -> str:
    request = pb.CreateSessionRequest(
        request_id=request_id, document=document, options=pb.SessionOptions(**options)
    )
    return str(service.CreateSession(iter([request]), timeout=DEADLINE).session_id)


@pytest.fixture
def service(server: Running) -> Iterator[Any]:
    with grpc.insecure_channel(server.address) as channel:
        yield rpc.GraphServiceStub(channel)  # type: ignore[no-untyped-call]


@pytest.fixture
def session(service: Any) -> Iterator[Caller]:
    """A session with parameters; after the test it must still do a whole step."""
    caller = Caller(service, mean_square())
    caller.put(weights())
    yield caller
    caller.assert_usable()
    caller.close()


FEEDS = mini_batches(2)[0]


def feeds(**changes: Array) -> pb.Tensors:
    """The feeds of a mini-batch in one message, with changes."""
    return next(pack({**FEEDS, **changes}))


def without(name: str) -> pb.Tensors:
    return next(pack({key: value for key, value in FEEDS.items() if key != name}))


def batch(index: int | None = None, tensors: pb.Tensors | None = None) -> pb.AccumulateRequest:
    return pb.AccumulateRequest(mini_batch=pb.MiniBatch(index=index), feeds=tensors or feeds())


def status_of(error: Any) -> Any:
    """The google.rpc.Status that a failed call carries."""
    status = rpc_status.from_call(error)
    assert status is not None
    return status


def refusal(call: Callable[[], object], code: grpc.StatusCode, reason: str) -> RaygradError:
    """The error that a call ends with, after checking how it travels."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert raised.value.code() is code, raised.value.details()
    status = status_of(raised.value)
    assert status.code == code.value[0]
    error = from_status(status)
    assert type(error).__name__ == reason
    return error


# -- documents ------------------------------------------------------------------------------------


class Bad(NamedTuple):
    document: bytes
    code: grpc.StatusCode
    reason: str
    words: str


INVALID, EXHAUSTED = Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED
BAD_DOCUMENTS = {
    "not msgpack": Bad(b"hello", INVALID, "DocumentSyntaxError", ""),
    "ext type": Bad(msgpack.packb(msgpack.ExtType(5, b"x")), INVALID, "DocumentSyntaxError", "ext"),
    "too deep": Bad(b"\x91" * 100 + b"\xc0", EXHAUSTED, "LimitError", "16"),
    "version": Bad(changed(version=7), INVALID, "DocumentVersionError", "7"),
    "operator": Bad(with_node({"op": "Divine"}), INVALID, "UnknownOperatorError", "Divine"),
    "unknown attribute": Bad(
        with_node({"op": "Sum", "attributes": {"axes": [0], "axis": 0}, "inputs": [[2, 0]], "label": "here"}),
        INVALID,
        "AttributeValueError",
        "node 5 (Sum 'here')",
    ),
    "missing attribute": Bad(
        with_node({"op": "Sum", "inputs": [[2, 0]]}), INVALID, "AttributeValueError", "axes"
    ),
    "ill-typed attribute": Bad(
        with_node({"op": "Sum", "attributes": {"axes": "all"}, "inputs": [[2, 0]]}),
        INVALID,
        "AttributeValueError",
        "axes",
    ),
    "later node": Bad(with_node({"op": "Neg", "inputs": [[9, 0]]}), INVALID, "InvalidReferenceError", "%9"),
    "number of inputs": Bad(with_node({"op": "Neg"}), INVALID, "ArityError", "Neg"),
    "shapes": Bad(
        with_node({"op": "Add", "inputs": [[0, 0], [1, 0]]}), INVALID, "TypeMismatchError", "float32[4,3]"
    ),
    "bytes of types": Bad(
        with_node(
            {"op": "Parameter", "attributes": {"tensor": "big", "shape": [1 << 40], "dtype": "float32"}}
        ),
        EXHAUSTED,
        "LimitError",
        "big",
    ),
    "one name twice": Bad(
        with_node({"op": "Input", "attributes": {"tensor": "x", "shape": [], "dtype": "float32"}}),
        INVALID,
        "InvalidReferenceError",
        "x",
    ),
}


@pytest.mark.parametrize("bad", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_bad_documents(session: Caller, bad: Bad) -> None:
    error = refusal(lambda: create(session.service, bad.document), bad.code, bad.reason)
    assert bad.words in str(error)


def test_a_document_over_the_size(session: Caller) -> None:
    parts = (pb.CreateSessionRequest(document=bytes(2 << 20)) for _ in range(9))
    error = refusal(
        lambda: session.service.CreateSession(parts, timeout=DEADLINE), Code.RESOURCE_EXHAUSTED, "LimitError"
    )
    assert "16777216" in str(error)


def test_a_message_over_the_size(session: Caller) -> None:
    """gRPC itself refuses it; its bare status is made the same error."""
    with pytest.raises(grpc.RpcError) as raised:
        create(session.service, bytes(5 << 20))
    assert raised.value.code() is Code.RESOURCE_EXHAUSTED
    assert type(from_code("RESOURCE_EXHAUSTED", str(raised.value.details()))).__name__ == "LimitError"


@pytest.mark.parametrize(
    ("options", "code", "reason", "words"),
    [
        ({"accumulation": "roughly"}, INVALID, "ConfigurationError", "roughly"),
        ({"check": "everything"}, INVALID, "ConfigurationError", "everything"),
        ({"stages": 0}, INVALID, "ConfigurationError", "stages"),
        ({"lease_seconds": -1.0}, INVALID, "ConfigurationError", "lease_seconds"),
        ({"loss": "prediction"}, INVALID, "", "prediction"),
    ],
)
def test_bad_options(
    session: Caller, options: dict[str, Any], code: grpc.StatusCode, reason: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        create(session.service, rg.encode(mean_square()), **options)
    assert raised.value.code() is code
    status = status_of(raised.value)
    assert words in status.message
    assert reason in type(from_status(status)).__name__


def test_more_workers_than_there_are(session: Caller) -> None:
    """Known as soon as there is a plan; and the session that cannot be is not left behind."""
    g = rg.Builder()
    g.output("loss", (g.parameter("w", (4,)).square() + 1.0).sum())
    before = session.service.ListSessions(pb.ListSessionsRequest(), timeout=DEADLINE)
    error = refusal(
        lambda: create(session.service, rg.encode(g.graph()), replicas=50), EXHAUSTED, "ResourceError"
    )
    assert "50" in str(error)
    assert session.service.ListSessions(pb.ListSessionsRequest(), timeout=DEADLINE) == before


def test_the_same_request_again(session: Caller) -> None:
    document = rg.encode(mean_square())
    first = create(session.service, document, request_id="once")
    assert create(session.service, document, request_id="once") == first
    error = refusal(
        lambda: create(session.service, document, request_id="once", check="finite"),
        Code.ALREADY_EXISTS,
        "ConflictError",
    )
    assert "once" in str(error)
    session.service.CloseSession(pb.CloseSessionRequest(session_id=first), timeout=DEADLINE)


# -- tensors --------------------------------------------------------------------------------------


def damaged(**changes: Any) -> pb.Tensors:
    """The feeds with fields of the first piece changed."""
    tensors = feeds()
    for name, value in changes.items():
        field = getattr(tensors.pieces[0], name)
        if name == "shape":
            field[:] = value
        else:
            setattr(tensors.pieces[0], name, value)
    return tensors


ROWS = np.zeros((2, 3), np.float32)
BAD_FEEDS = {
    "missing": (without("y"), "MissingTensorError", "y"),
    "unexpected": (feeds(z=ROWS), "UnexpectedTensorError", "z"),
    "rank": (feeds(x=np.zeros(4, np.float32)), "TensorShapeError", "x"),
    "size": (feeds(x=np.zeros((5, 3), np.float32)), "TensorShapeError", "x"),
    "sizes that differ": (feeds(y=ROWS), "TensorShapeError", "y"),
    "dtype": (feeds(x=np.zeros((5, 4))), "TensorDTypeError", "x"),
    "unknown dtype": (damaged(dtype="complex64"), "TensorDTypeError", "x"),
    "truncated": (damaged(data=b"1234"), "TruncatedTensorError", "x"),
    "too long": (damaged(data=bytes(1000)), "TruncatedTensorError", "x"),
    "out of order": (damaged(offset=4), "TruncatedTensorError", "x"),
    "twice": (pb.Tensors(pieces=[*feeds().pieces, feeds().pieces[0]]), "UnexpectedTensorError", "x"),
}


@pytest.mark.parametrize(("tensors", "reason", "node"), BAD_FEEDS.values(), ids=BAD_FEEDS)
def test_bad_feeds(session: Caller, tensors: pb.Tensors, reason: str, node: str) -> None:
    """Alone, the call fails; in a stream, the mini-batch is answered by its error, and the others run."""
    assert refusal(lambda: session.forward(tensors), INVALID, reason).node == node
    replies = session.accumulate(batch(0), batch(1, tensors), batch(2))
    failed = {r.number: from_message(r.error) for r in replies if r.HasField("error")}
    assert {r.number for r in replies} == {0, 1, 2}
    assert (list(failed), type(failed[1]).__name__, failed[1].node) == ([1], reason, node)
    assert [r.error.code for r in replies if r.HasField("error")] == [INVALID.value[0]]
    session.gradients(expect_count=2)


def test_a_stream_that_ends_within_a_mini_batch(session: Caller) -> None:
    tensors = feeds()
    tensors.partial = True
    error = refusal(lambda: session.accumulate(batch(0, tensors)), INVALID, "TruncatedTensorError")
    assert "mini-batch 0" in str(error)
    refusal(lambda: session.forward(tensors), INVALID, "TruncatedTensorError")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"v": ROWS}, "UnexpectedTensorError"),
        ({"w": ROWS}, "TensorShapeError"),
        ({"w": np.zeros((4, 3))}, "TensorDTypeError"),
    ],
)
def test_bad_parameters(session: Caller, tensors: dict[str, Array], reason: str) -> None:
    error = refusal(lambda: session.put(tensors), INVALID, reason)
    assert error.node == next(iter(tensors))


def test_pieces_of_a_parameter_out_of_order(session: Caller) -> None:
    value = np.arange(12, dtype=np.float32).tobytes()
    first = pb.Piece(name="w", dtype="float32", shape=[4, 3], data=value[:16])
    gap = pb.Piece(name="w", offset=32, data=value[32:])

    def upload() -> None:
        session.upload(
            pb.PutTensorsRequest(tensors=pb.Tensors(pieces=[first], partial=True)),
            pb.PutTensorsRequest(tensors=pb.Tensors(pieces=[gap])),
        )

    assert refusal(upload, INVALID, "TruncatedTensorError").node == "w"


def test_an_upload_that_goes_on(session: Caller) -> None:
    value = np.arange(12, dtype=np.float32).reshape(4, 3)
    first = pb.Piece(name="w", dtype="float32", shape=[4, 3], data=value.tobytes()[:16])
    rest = pb.Piece(name="w", offset=16, data=value.tobytes()[16:])
    part = pb.PutTensorsRequest(upload_id="u", tensors=pb.Tensors(pieces=[first], partial=True))
    refusal(lambda: session.upload(part), INVALID, "TruncatedTensorError")
    asked = pb.DescribeUploadRequest(session_id=session.id, upload_id="u")
    assert dict(session.service.DescribeUpload(asked, timeout=DEADLINE).received) == {"w": 16}
    session.upload(pb.PutTensorsRequest(upload_id="u", resume=True, tensors=pb.Tensors(pieces=[rest])))
    unpacker = Unpacker()
    for reply in session.service.GetTensors(pb.GetTensorsRequest(session_id=session.id), timeout=DEADLINE):
        unpacker.add(reply.tensors)
    np.testing.assert_array_equal(unpacker.finish()["w"], value)


# -- steps and leases -----------------------------------------------------------------------------


def test_gradients_before_parameters(service: Any) -> None:
    caller = Caller(service, mean_square())
    refusal(caller.gradients, Code.FAILED_PRECONDITION, "ParametersMissingError")
    error = refusal(lambda: caller.forward(feeds()), Code.FAILED_PRECONDITION, "ParametersMissingError")
    assert "w" in str(error)
    caller.assert_usable()
    caller.close()


def test_parameters_within_a_step(session: Caller) -> None:
    session.accumulate(batch(0))
    refusal(lambda: session.put(weights()), Code.FAILED_PRECONDITION, "ParametersFixedError")
    session.gradients()


def test_the_same_mini_batch_again(session: Caller) -> None:
    """With the same content it is answered again and counts once; with other content it is refused."""
    (first,) = session.accumulate(batch(3))
    (again,) = session.accumulate(batch(3))
    assert again.outputs == first.outputs
    other = batch(3, feeds(x=np.ones((5, 4), np.float32)))
    (refused,) = session.accumulate(other)
    assert (refused.error.reason, refused.index) == ("ConflictError", 3)
    assert refused.error.code == Code.ALREADY_EXISTS.value[0]
    session.gradients(expect=pb.Indices(indices=[3]))


def test_a_lease_is_used_once(session: Caller) -> None:
    error = refusal(lambda: session.backward("none"), Code.FAILED_PRECONDITION, "LeaseError")
    assert "none" in str(error)
    lease = session.forward(feeds(), keep=True)[0].lease
    session.backward(lease)
    refusal(lambda: session.backward(lease), Code.FAILED_PRECONDITION, "LeaseError")
    session.gradients(expect_count=1)


def test_a_repeated_backward_is_answered_again(session: Caller) -> None:
    lease = session.forward(feeds(), keep=True)[0].lease
    first = session.backward(lease, request_id="b", input_gradients=["x"])
    assert session.backward(lease, request_id="b", input_gradients=["x"]) == first
    refusal(lambda: session.backward(lease, request_id="b"), Code.ALREADY_EXISTS, "ConflictError")
    session.gradients(expect_count=1)


def test_a_lease_that_expired(server: Running, service: Any) -> None:
    caller = Caller(service, mean_square(), lease_seconds=5.0)
    caller.put(weights())
    lease = caller.forward(feeds(), keep=True)[0].lease
    server.cluster.skip(6.0)
    server.scheduler.wake()
    refusal(lambda: caller.backward(lease), Code.FAILED_PRECONDITION, "LeaseExpiredError")
    caller.assert_usable()
    caller.close()


def test_a_bad_cotangent(session: Caller) -> None:
    lease = session.forward(feeds(), keep=True)[0].lease
    wrong = next(pack({"prediction": ROWS}))
    error = refusal(lambda: session.backward(lease, cotangents=wrong), INVALID, "TensorShapeError")
    assert error.node == "prediction"
    unknown = next(pack({"guess": ROWS}))
    refusal(lambda: session.backward(lease, cotangents=unknown), INVALID, "UnexpectedTensorError")
    session.service.Release(pb.ReleaseRequest(session_id=session.id, lease=lease), timeout=DEADLINE)


def test_not_the_mini_batches_expected(session: Caller) -> None:
    session.accumulate(batch(0), batch(1))
    error = refusal(
        lambda: session.gradients(expect_count=3), Code.FAILED_PRECONDITION, "IncompleteStepError"
    )
    assert "3" in str(error)
    session.gradients(expect_count=2)


def test_gradients_can_be_read_again(session: Caller) -> None:
    session.accumulate(batch(0))
    first = session.gradients()["w"]
    assert session.gradients(step=0)["w"].tobytes() == first.tobytes()
    refusal(lambda: session.gradients(step=7), Code.FAILED_PRECONDITION, "StepClosedError")


def test_a_size_that_cannot_be_bound(service: Any) -> None:
    """A name that no input has."""
    g = rg.Builder()
    x = g.input("x", ("N", 4))
    with g.label("scale"):
        scale = g.size_of(("K",), rg.DType.float32)
    g.output("loss", (x * scale).sum())
    caller = Caller(service, g.graph())
    error = refusal(lambda: caller.forward(without("y")), INVALID, "SizeError")
    assert ("scale" in str(error.node), "'K'" in error.message) == (True, True)
    asked = pb.DescribePlanRequest(session_id=caller.id, sizes={"N": 2, "K": 3})
    assert caller.service.DescribePlan(asked, timeout=DEADLINE).stages == 1
    caller.close()


def test_no_number_is_an_error_only_if_asked(service: Any) -> None:
    g = rg.Builder()
    x, w = g.input("x", ("N",)), g.parameter("w", ())
    with g.label("risky"):
        quotient = w / x
    g.output("loss", quotient.sum())
    zero = next(pack({"x": np.zeros(2, np.float32)}))
    relaxed, strict = Caller(service, g.graph()), Caller(service, g.graph(), check="finite")
    for caller in (relaxed, strict):
        caller.put({"w": np.float32(1)})  # type: ignore[dict-item]
    relaxed.forward(zero)
    error = refusal(lambda: strict.forward(zero), Code.FAILED_PRECONDITION, "NonFiniteError")
    assert "risky" in str(error.node)
    strict.forward(next(pack({"x": np.ones(2, np.float32)})))
    relaxed.close()
    strict.close()


# -- sessions -------------------------------------------------------------------------------------


def test_unknown_and_closed_sessions(service: Any) -> None:
    caller = Caller(service, mean_square())
    caller.close()
    for call in (
        caller.close,
        caller.gradients,
        lambda: caller.put(weights()),
        lambda: caller.forward(feeds()),
        lambda: caller.backward("x"),
        lambda: caller.accumulate(batch(0)),
    ):
        assert caller.id in str(refusal(call, Code.NOT_FOUND, "SessionNotFoundError"))


def test_sessions_plans_and_the_server_describe_themselves(session: Caller) -> None:
    service = session.service
    listed = service.ListSessions(pb.ListSessionsRequest(), timeout=DEADLINE).sessions
    assert (session.id, 1) in [(s.session_id, s.parameters) for s in listed]
    asked = pb.DescribePlanRequest(session_id=session.id, sizes={"N": 64})
    plan = service.DescribePlan(asked, timeout=DEADLINE)
    assert plan.stages * plan.replicas <= 2
    assert plan.text
    info = service.GetServerInfo(pb.GetServerInfoRequest(), timeout=DEADLINE)
    assert (info.version, len(info.workers)) == (rg.__version__, 2)


def test_an_empty_stream(service: Any) -> None:
    refusal(lambda: list(service.Forward(iter(()), timeout=DEADLINE)), INVALID, "TruncatedTensorError")
    assert list(service.Accumulate(iter(()), timeout=DEADLINE)) == []


# -- the server -----------------------------------------------------------------------------------


def health_of(channel: grpc.Channel) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE).status)


def test_health_and_reflection(server: Running) -> None:
    with grpc.insecure_channel(server.address) as channel:
        assert health_of(channel) == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=DEADLINE)
    names = {each.name for each in answer.list_services_response.service}
    assert {"raygrad.v1.GraphService", "grpc.health.v1.Health"} <= names


def test_token_and_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "token").write_text("sesame\n")
    with running(
        listen="localhost:0",
        tls_cert=tmp_path / "cert.pem",
        tls_key=tmp_path / "key.pem",
        token_file=tmp_path / "token",
    ) as server:
        address, trusted = server.address, tmp_path / "ca.pem"
        with rg.connect(address, mean_square(), token="sesame", tls=trusted, timeout=DEADLINE) as session:
            session.put(weights())
            assert session.accumulate(mini_batches(2), progress=False)
        for token in (None, "mellon"):
            with pytest.raises(AuthenticationError):
                rg.connect(address, mean_square(), token=token, tls=trusted, timeout=DEADLINE)
        with pytest.raises(UnavailableError):  # the system's authorities do not know ours
            rg.connect(address, mean_square(), token="sesame", tls=True, timeout=1.0)
        credentials = grpc.ssl_channel_credentials(trusted.read_bytes())
        with grpc.secure_channel(address, credentials) as channel:  # health needs no token
            assert health_of(channel) == health_pb2.HealthCheckResponse.SERVING


def test_metrics() -> None:
    with running(metrics_port=0) as server, rg.connect(server.address, mean_square()) as session:
        session.put(weights())
        session.accumulate(mini_batches(3), progress=False)
        with urllib.request.urlopen(server.server.metrics_address, timeout=DEADLINE) as page:
            text = page.read().decode()
    assert 'raygrad_mini_batches_total{code="OK"} 3.0' in text
    assert 'raygrad_calls_total{code="OK",method="PutTensors"} 1.0' in text
    assert "raygrad_sessions 1.0" in text


def test_shutdown_ends_open_streams() -> None:
    """What came before is answered, the stream ends as unavailable, and new calls find nobody."""
    with running() as server, grpc.insecure_channel(server.address) as channel:
        caller = Caller(rpc.GraphServiceStub(channel), mean_square())  # type: ignore[no-untyped-call]
        caller.put(weights())
        answered = threading.Event()

        def one_and_then_none() -> Iterator[pb.AccumulateRequest]:
            request = batch(0)
            request.session_id = caller.id
            yield request
            answered.wait(DEADLINE)
            server.stop()

        stream = caller.service.Accumulate(one_and_then_none(), timeout=DEADLINE)
        assert next(stream).index == 0
        answered.set()
        refusal(lambda: list(stream), Code.UNAVAILABLE, "UnavailableError")
        with pytest.raises(grpc.RpcError) as raised:
            caller.service.ListSessions(pb.ListSessionsRequest(), timeout=DEADLINE)
        assert raised.value.code() is Code.UNAVAILABLE


def test_a_drain_refuses_what_begins_and_serves_what_ends() -> None:
    with running() as server, grpc.insecure_channel(server.address) as channel:
        caller = Caller(rpc.GraphServiceStub(channel), mean_square())  # type: ignore[no-untyped-call]
        caller.put(weights())
        lease = caller.forward(feeds(), keep=True)[0].lease
        draining = threading.Event()
        server.loop.call_soon_threadsafe(server.server._service.drain)
        server.loop.call_soon_threadsafe(draining.set)
        assert draining.wait(DEADLINE)
        begins: list[Callable[[], object]] = [
            lambda: create(caller.service, rg.encode(mean_square())),
            lambda: caller.put(weights()),
            lambda: caller.forward(feeds()),
            lambda: caller.accumulate(batch(1)),
        ]
        for begin in begins:
            refusal(begin, Code.UNAVAILABLE, "UnavailableError")
        caller.backward(lease)
        assert caller.gradients(expect_count=1).keys() == {"w"}


def test_a_stop_waits_for_what_runs() -> None:
    """The mini-batch under way is answered, its stream ends as unavailable, and then the server is gone."""
    cluster = Threaded(1, "numpy")
    with running(cluster=cluster) as server, grpc.insecure_channel(server.address) as channel:
        caller = Caller(rpc.GraphServiceStub(channel), mean_square())  # type: ignore[no-untyped-call]
        caller.put(weights())
        busy = Busy(cluster)
        request = batch(0)
        request.session_id = caller.id
        replies = caller.service.Accumulate(iter([request]), timeout=DEADLINE)
        assert busy.reached.wait(DEADLINE)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        eventually(lambda: server.server._service._draining)
        refusal(lambda: caller.forward(feeds()), Code.UNAVAILABLE, "UnavailableError")
        assert stopping.is_alive()
        busy.go_on()
        assert next(replies).index == 0
        stopping.join(DEADLINE)
        assert not stopping.is_alive()


# -- repeated requests ----------------------------------------------------------------------------


def test_a_request_repeated_while_it_runs_is_computed_once() -> None:
    computed = []

    async def twice() -> list[int]:
        answers: Answers[int] = Answers()
        release = asyncio.Event()

        async def compute() -> int:
            computed.append(1)
            await release.wait()
            return len(computed)

        waiting = [asyncio.ensure_future(answers.get("id", b"", compute)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # the first caller is gone; the second one still gets the answer
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        return [await waiting[1], await answers.get("id", b"", compute)]

    assert asyncio.run(twice()) == [1, 1]


def test_a_failure_is_computed_again() -> None:
    async def again() -> int:
        answers: Answers[int] = Answers()

        async def fail() -> int:
            raise ConflictError("once")

        async def compute() -> int:
            return 2

        with pytest.raises(ConflictError):
            await answers.get("id", b"", fail)
        return await answers.get("id", b"", compute)

    assert asyncio.run(again()) == 2
