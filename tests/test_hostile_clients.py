"""Clients that mean no good: a typed error, at once, without memory for what they only announce."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

import raygrad as rg
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc
from raygrad.proto.v1.status import LONGEST_MESSAGE
from raygrad.proto.v1.tensors import MOST_PIECES, Unpacker, pack

from .serving import DEADLINE, Running, mean_square, mini_batches, running, weights
from .test_service import Code, refusal

SERVICE = "/raygrad.v1.GraphService/"
SOON = 3.0  # seconds, on a busy machine; what is refused should take milliseconds
MIB = 1 << 20


class Hostile:
    """A session, and ways to send it anything."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.service: Any = rpc.GraphServiceStub(channel)  # type: ignore[no-untyped-call]
        first = pb.CreateSessionRequest(document=rg.encode(mean_square()))
        self.id = self.service.CreateSession(iter([first]), timeout=DEADLINE).session_id
        self.put(*next(pack(weights())).pieces)

    def put(self, *pieces: pb.Piece) -> object:
        request = pb.PutTensorsRequest(session_id=self.id, tensors=pb.Tensors(pieces=pieces))
        return self.service.PutTensors(iter([request]), timeout=DEADLINE)

    def forward(self, *messages: pb.Tensors) -> list[pb.ForwardResponse]:
        requests = [pb.ForwardRequest(feeds=message) for message in messages]
        requests[0].session_id = self.id
        return list(self.service.Forward(iter(requests), timeout=DEADLINE))

    def backward(self, lease: str, *messages: pb.Tensors) -> list[pb.BackwardResponse]:
        requests = [pb.BackwardRequest(cotangents=message) for message in messages]
        requests[0].session_id, requests[0].lease = self.id, lease
        return list(self.service.Backward(iter(requests), timeout=DEADLINE))

    def accumulate(self, *pieces: pb.Piece) -> list[pb.AccumulateResponse]:
        request = pb.AccumulateRequest(
            session_id=self.id, mini_batch=pb.MiniBatch(index=0), feeds=pb.Tensors(pieces=pieces)
        )
        return list(self.service.Accumulate(iter([request]), timeout=DEADLINE))


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[Hostile]:
    """Afterwards the session still works."""
    with grpc.insecure_channel(server.address) as channel:
        hostile = Hostile(channel)
        yield hostile
        assert hostile.forward(next(pack(mini_batches(2)[0])))


@pytest.fixture(autouse=True)
def quick_and_small() -> Iterator[None]:
    """Nothing takes long, or memory for what was only announced."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - begin < SOON
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10  # KiB


def piece(name: str = "w", **more: Any) -> pb.Piece:
    return pb.Piece(name=name, dtype="float32", **more)


@pytest.mark.parametrize("method", ["CreateSession", "PutTensors", "Accumulate", "Forward", "Backward"])
def test_bytes_that_are_no_message(client: Hostile, method: str) -> None:
    junk = b"\xff" * 100
    call = client.channel.stream_stream(SERVICE + method)
    refusal(lambda: list(call(iter([junk]), timeout=DEADLINE)), Code.INVALID_ARGUMENT, "DocumentSyntaxError")


@pytest.mark.parametrize(
    "method", ["ListSessions", "CloseSession", "DescribePlan", "Release", "GetGradients"]
)
def test_bytes_that_are_no_single_message(client: Hostile, method: str) -> None:
    """gRPC itself answers; the connection and the server go on."""
    with pytest.raises(grpc.RpcError, match="DecodeError"):
        list(client.channel.unary_stream(SERVICE + method)(b"\xff" * 100, timeout=DEADLINE))


def test_bytes_that_are_no_http(server: Running, client: Hostile) -> None:
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(os.urandom(1 << 16))


def test_a_document_that_never_ends(client: Hostile) -> None:
    def parts() -> Iterator[pb.CreateSessionRequest]:
        while True:
            yield pb.CreateSessionRequest(document=bytes(2 * MIB))

    refusal(
        lambda: client.service.CreateSession(parts(), timeout=DEADLINE), Code.RESOURCE_EXHAUSTED, "LimitError"
    )


@pytest.mark.parametrize(
    ("error", "pieces"),
    [
        ("LimitError", [piece(shape=[1 << 62, 1 << 62])]),
        ("LimitError", [piece(shape=[1] * 100_000)]),
        ("TruncatedTensorError", [piece(shape=[4, 3], offset=1 << 62)]),
        ("UnexpectedTensorError", [piece("w" * MIB, shape=[1])]),
        ("TensorDTypeError", [pb.Piece(name="w", dtype="f" * MIB, shape=[1])]),
        ("LimitError", [piece(shape=[4, 3]), *[pb.Piece(name="w")] * 400_000]),
        ("TruncatedTensorError", [piece(shape=[4, 3]), pb.Piece(name="w")]),
        ("UnexpectedTensorError", [piece(shape=[4, 3], data=bytes(48))] * 2),
    ],
)
def test_absurd_tensors(client: Hostile, error: str, pieces: list[pb.Piece]) -> None:
    code = Code.RESOURCE_EXHAUSTED if error == "LimitError" else Code.INVALID_ARGUMENT
    refusal(lambda: client.put(*pieces), code, error)


def test_a_feed_of_which_only_the_size_comes(client: Hostile) -> None:
    announced = pb.Tensors(pieces=[piece("x", shape=[1 << 29, 4], data=b"abcd")], partial=True)
    refusal(lambda: client.forward(announced), Code.INVALID_ARGUMENT, "TruncatedTensorError")


def test_cotangents_of_nothing_are_refused_as_they_begin(client: Hostile) -> None:
    endless = pb.Tensors(pieces=[piece("z", shape=[1 << 20], data=bytes(MIB))], partial=True)
    refusal(lambda: client.backward("any", endless), Code.INVALID_ARGUMENT, "UnexpectedTensorError")


def test_an_error_of_a_mini_batch_fits_its_message(client: Hostile) -> None:
    """The name that it repeats may be as long as a message."""
    (reply,) = client.accumulate(piece("x" * (2 * MIB), shape=[1]))
    assert reply.error.reason == "UnexpectedTensorError"
    assert len(reply.error.message) <= LONGEST_MESSAGE


def test_messages_of_many_small_tensors_are_read_back() -> None:
    arrays = {f"w{i}": weights()["w"] for i in range(2 * MOST_PIECES + 1)}
    unpacker = Unpacker()
    messages = list(pack(arrays))
    assert [unpacker.add(message) for message in messages] == [False, False, True]
    assert unpacker.finish().keys() == arrays.keys()


@pytest.mark.parametrize(
    "options",
    [
        {"stages": 10**9},
        {"lease_seconds": float("nan")},
        {"lease_seconds": 1e300},
        {"loss": "x" * MIB},
        {"accumulation": "x" * MIB},
    ],
)
def test_absurd_options(client: Hostile, options: dict[str, Any]) -> None:
    request = pb.CreateSessionRequest(document=rg.encode(mean_square()), options=pb.SessionOptions(**options))
    create: Callable[[], object] = lambda: client.service.CreateSession(iter([request]), timeout=DEADLINE)  # noqa: E731
    refusal(create, Code.INVALID_ARGUMENT, "ConfigurationError")
