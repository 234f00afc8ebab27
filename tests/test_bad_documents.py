"""Bad documents: every kind ends in its own error, naming the node, before memory or time is spent on it."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raygrad.proto import errors
from raygrad.proto.builder import Builder
from raygrad.proto.codec import VERSION, decode, encode
from raygrad.proto.errors import RaygradError
from raygrad.proto.graph import Graph, Node
from raygrad.proto.limits import Limits, check_bound
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.pooling import AvgPool
from raygrad.proto.operators.source import Buffer, Constant, Input, Parameter
from tests.documents import changed, linear, pack, plain_linear, with_node
from tests.strategies import graphs

DEEP = b"\x91" * 200_000 + b"\xc0"
SYNTAX = {
    "nothing": b"",
    "not msgpack": b"\xc1",
    "text": b"hello",
    "an ext type": pack({"version": 1, "nodes": [], "outputs": [msgpack.ExtType(5, b"x")]}),
    "a timestamp": pack({"version": 1, "nodes": [], "outputs": [msgpack.Timestamp(1)]}),
    "cut off": encode(linear())[:-1],
    "cut off in a header": b"\xdd\x00",
    "bytes behind": encode(linear()) + b"\x00",
    "2³¹ elements announced": b"\xdd\x80\x00\x00\x00",
    "2³² pairs announced": b"\xdf\xff\xff\xff\xff",
    "4 GiB of text announced": b"\xdb\xff\xff\xff\xff",
    "4 GiB of bytes announced": b"\xc6\xff\xff\xff\xff",
    "text that is not UTF-8": b"\x81\xa1\xff\x01",
    "surrogates": b"\x81\xa3\xed\xa0\x80\x01",
    "a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "a number as key": b"\x81\x01\x01",
    "bytes as key": b"\x81\xc4\x01a\x01",
    "a list": pack([1, [], []]),
    "an unknown key": changed(more=1),
    "a missing key": pack({"version": 1, "nodes": []}),
    "nodes that are no list": changed(nodes=3),
    "outputs that are no list": changed(outputs={"loss": [4, 0]}),
    "an output of two parts": changed(outputs=[["loss", 4]]),
    "an output without a name": changed(outputs=[[4, 4, 0]]),
    "a node that is no map": changed(nodes=[3]),
    "a node without operator": changed(nodes=[{}]),
    "an operator that is no text": changed(nodes=[{"op": 3}]),
    "an unknown key of a node": with_node({"op": "Neg", "inputs": [[0, 0]], "place": 0}),
    "attributes that are no map": with_node({"op": "Neg", "inputs": [[0, 0]], "attributes": []}),
    "inputs that are no list": with_node({"op": "Neg", "inputs": 3}),
    "a reference that is no pair": with_node({"op": "Neg", "inputs": [[0]]}),
    "a reference to a half": with_node({"op": "Neg", "inputs": [[0.5, 0]]}),
    "a reference to true": with_node({"op": "Neg", "inputs": [[True, 0]]}),
    "a reference to nowhere": with_node({"op": "Neg", "inputs": [[float("nan"), 0]]}),
    "a label that is no text": with_node({"op": "Neg", "inputs": [[0, 0]], "label": 3}),
    "a home that is no number": with_node({"op": "Neg", "inputs": [[0, 0]], "home": None}),
}


@pytest.mark.parametrize("data", SYNTAX.values(), ids=SYNTAX)
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(errors.DocumentSyntaxError) as caught:
        decode(data)
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("version", [0, VERSION + 1, "1", None, True, 1.5])
def test_unknown_versions(version: object) -> None:
    with pytest.raises(errors.DocumentVersionError, match="reads documents of version 1, not"):
        decode(pack({"version": version, "something": "else"}))


def node(op: str = "Neg", inputs: Any = ([2, 0],), **more: Any) -> bytes:
    """The hand-written document with one more node."""
    return with_node({"op": op, "inputs": list(inputs), **more})


def having(op: str, **attributes: Any) -> bytes:
    """The hand-written document with one more node of these attributes."""
    return node(op, attributes=attributes)


REFERS_TO_NEXT = {"op": "Neg", "inputs": [[6, 0]]}
NEXT = {"op": "Neg", "inputs": [[2, 0]]}
CONV = {"stride": [], "padding": [], "dilation": [], "groups": 1}

# Each error, the node and the words that its message has, and the document that it is about.
WRONG: list[tuple[type[RaygradError], str, bytes]] = [
    (errors.UnknownOperatorError, r"node 5 \(Frobnicate\): .*'Frobnicate'", node("Frobnicate")),
    (errors.UnknownOperatorError, r"node 5 \(Operator\)", node("Operator")),
    (errors.AttributeValueError, r"node 5 \(Neg\): Neg has no attribute 'a'", having("Neg", a=1)),
    (errors.AttributeValueError, r"node 5 \(Sum\): Sum lacks the attribute 'axes'", node("Sum")),
    (
        errors.AttributeValueError,
        r"node 5 \(Sum 'total'\): Sum.axes must be tuple\[int, ...\], got \['0'\]",
        node("Sum", attributes={"axes": ["0"]}, label="total"),
    ),
    (errors.AttributeValueError, "got 'float8'", having("Cast", dtype="float8")),
    (errors.AttributeValueError, "got True", having("LeakyRelu", slope=True)),
    (errors.AttributeValueError, "got 1.5", having("MatMul", transpose_a=1.5)),
    (errors.AttributeValueError, "negative", having("Broadcast", shape=[-1])),
    (errors.AttributeValueError, "identifier", having("Broadcast", shape=["1N"])),
    (errors.AttributeValueError, "outside 64 bits", having("Sum", axes=[2**64 - 1])),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): refers to %5", node(inputs=[[5, 0]])),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): refers to %6", with_node(REFERS_TO_NEXT, NEXT)),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): refers to %-1", node(inputs=[[-1, 0]])),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): refers to %2.1", node(inputs=[[2, 1]])),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): refers to %2.-1", node(inputs=[[2, -1]])),
    (errors.ArityError, r"node 5 \(Neg\): Neg takes 1 inputs, got 2", node(inputs=[[2, 0], [2, 0]])),
    (errors.ArityError, r"node 5 \(Neg\): Neg takes 1 inputs, got 0", node(inputs=[])),
    (errors.TypeMismatchError, r"node 5 \(Add\): .*\[N,3\], float32\[\]", node("Add", [[2, 0], [4, 0]])),
    (errors.TypeMismatchError, r"node 5 \(Not\): .*needs bool", node("Not")),
    (errors.TypeMismatchError, r"node 5 \(Conv\): .*spatial", node("Conv", [[4, 0]] * 2, attributes=CONV)),
    (errors.SizeError, r"node 5 \(Pad\)", having("Pad", before=[1, 0], after=[0, 0])),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): home 7 is not an earlier", node(home=7)),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): home -1 is not an earlier", node(home=-1)),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): home 0 is a source \(Input\)", node(home=0)),
    (errors.InvalidReferenceError, r"node 5 \(Neg\): home 3 is not a forward node: .* 2", node(home=3)),
    (
        errors.InvalidReferenceError,
        r"node 5 \(SizeOf\): a source has no home",
        with_node({"op": "SizeOf", "attributes": {"sizes": ["N"], "dtype": "float32"}, "home": 5}),
    ),
    (errors.InvalidReferenceError, r"output 'y': refers to %5", changed(outputs=[["y", 5, 0]])),
    (errors.InvalidReferenceError, r"output 'y': refers to %4.1", changed(outputs=[["y", 4, 1]])),
    (errors.InvalidReferenceError, "'y' is empty or used twice", changed(outputs=[["y", 4, 0]] * 2)),
    (errors.InvalidReferenceError, r"'' is empty or used twice", changed(outputs=[["", 4, 0]])),
]  # fmt: skip


@pytest.mark.parametrize(("error", "words", "data"), WRONG, ids=[f"{e.__name__}-{w}" for e, w, _ in WRONG])
def test_what_is_wrong_is_named(error: type[RaygradError], words: str, data: bytes) -> None:
    with pytest.raises(error, match=words) as caught:
        decode(data)
    assert type(caught.value) is error
    assert caught.value.node


@pytest.mark.parametrize("kind", [Input, Parameter, Buffer])
def test_two_tensors_of_one_name(kind: type[Operator]) -> None:
    attributes = {"tensor": "x", "shape": ["N", 4], "dtype": "float32"}
    with pytest.raises(errors.InvalidReferenceError, match=rf"node 5 \({kind.name} 'x'\): two"):
        decode(with_node({"op": kind.name, "attributes": attributes}))


def constant(dtype: str, shape: list[int], data: bytes) -> bytes:
    return with_node({"op": "Constant", "attributes": {"dtype": dtype, "shape": shape, "data": data}})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (constant("float32", [2], bytes(7)), errors.AttributeValueError),
        (constant("int8", [-2, -2], bytes(4)), errors.AttributeValueError),
        (constant("bool", [2], b"\x00\x02"), errors.AttributeValueError),
        (constant("float64", [513], bytes(4104)), errors.LimitError),
    ],
)
def test_constants_that_are_none(data: bytes, error: type[RaygradError]) -> None:
    with pytest.raises(error, match=r"node 5 \(Constant\)"):
        decode(data)


# -- limits ---------------------------------------------------------------------------------------


def broadcast(shape: list[int | str]) -> bytes:
    return node("Broadcast", [[4, 0]], attributes={"shape": shape})


OVER: list[tuple[str, Limits, bytes]] = [
    ("bytes; at most 100", Limits(document_bytes=100), pack(plain_linear())),
    ("at least .* values; at most 50", Limits(items=50), pack(plain_linear())),
    ("nests 5 deep; at most 4", Limits(depth=4), pack(plain_linear())),
    ("nests 17 deep", Limits(), DEEP),
    ("5 nodes; at most 4", Limits(nodes=4), pack(plain_linear())),
    (r"node 4 \(Sum\): 5 values", Limits(values=4), pack(plain_linear())),
    ("a string of 10 bytes", Limits(string=8), pack(plain_linear())),
    ("shape has 3 elements", Limits(list_length=2), broadcast([1, 1, 1])),
    (r"node 5 \(Broadcast\): 17 axes", Limits(), broadcast([1] * 17)),
    (r"4.61e18 elements \(1.84e19 bytes\)", Limits(), broadcast(["N", 2**62])),
    (r"4.61e18 elements", Limits(), broadcast([0, 2**62])),
    ("with the values before it 2.4", Limits(type_bytes=2 * 10**9), broadcast([6 * 10**8])),
]  # fmt: skip


@pytest.mark.parametrize(("words", "limits", "data"), OVER, ids=[w for w, _, _ in OVER])
def test_limits(words: str, limits: Limits, data: bytes) -> None:
    with pytest.raises(errors.LimitError, match=words) as caught:
        decode(data, limits)
    assert caught.value.code == "RESOURCE_EXHAUSTED"


def test_a_fully_connected_layer_on_pixels_is_refused() -> None:
    g = Builder()
    pixels = 256 * 256 * 3
    g.output("y", g.input("x", ("N", pixels)) @ g.parameter("w", (pixels, pixels)))
    with pytest.raises(errors.LimitError, match=r"node 1 .* has 3.87e10 parameters in 'w' \(155 GB\)"):
        decode(encode(g.graph()))


@pytest.mark.parametrize("pooled", [True, False])
def test_padding_that_a_kernel_would_write_out_is_refused(pooled: bool) -> None:
    """Of few, far windows over much padding, inputs and outputs are small."""
    g, far = Builder(), 1 << 40
    x = g.input("x", ("N", 1, 4))
    if pooled:
        g.output("y", AvgPool((4 * far,), ((2, far),), (3,), False)(x))
    else:
        w = g.constant(np.ones((1, 1, 3), np.float32))
        g.output("y", Conv((far,), ((2, far),), (1,), 1)(x, w))
    with pytest.raises(
        errors.LimitError, match=r"node \d \((AvgPool|Conv)\): .* needs 4\.4e\+03 GB while it"
    ):
        decode(encode(g.graph()))


def test_a_bound_graph_is_looked_at_again() -> None:
    g = Builder()
    g.output("y", g.input("x", ("N", 1000)).sum())
    graph = decode(encode(g.graph()))
    check_bound(graph.bind({"N": 1000}))
    with pytest.raises(errors.LimitError, match=r"node 0 \(Input 'x'\): .*1.00e12 elements \(4e\+03 GB\)"):
        check_bound(graph.bind({"N": 10**9}))


def peak(call: Callable[[], object]) -> int:
    """The most bytes that Python held for a call that may raise one of our errors, and no other."""
    tracemalloc.start()
    try:
        call()
    except RaygradError:
        pass
    finally:
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\x80\x00\x00\x00" * 1000,
        DEEP,
        b"\xdd\x00\x0f\xff\xfa" + b"\x80" * (2**20 - 6),
        b"\xdc\xff\xff" + (b"\xdc\x10\x00" + b"\x90" * 4096) * 256,
    ],
)
def test_hostile_bytes_are_refused_before_they_expand(data: bytes) -> None:
    assert peak(lambda: decode(data, Limits(items=100_000))) < 1 << 20


# -- fuzz -----------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid document with some bytes replaced, removed, inserted or repeated."""
    data = bytearray(encode(draw(graphs(steps=4))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        until = at + draw(st.integers(0, 4))
        data[at:until] = draw(st.binary(max_size=4)) or bytes(data[at:until]) * 2
    return bytes(data)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.sampled_from(["N", "float32", "bool", *sorted(Operator.registry)])
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=6,
)


@st.composite
def rewritten(draw: st.DrawFn) -> bytes:
    """A valid document with some parts replaced by parts of other kinds."""
    document = msgpack.unpackb(encode(draw(graphs(steps=4))))
    for _ in range(draw(st.integers(1, 3))):
        where: Any = document
        while isinstance(where, (dict, list)) and where:
            key = draw(st.sampled_from([*where] if isinstance(where, dict) else range(len(where))))
            if not isinstance(where[key], (dict, list)) or not where[key] or draw(st.integers(0, 4)) == 0:
                where[key] = draw(plain)
                break
            where = where[key]
    return pack(document)


@settings(max_examples=300, deadline=10_000)
@given(damaged() | rewritten() | st.binary(max_size=64))
def test_bad_bytes_end_in_our_errors_only(data: bytes) -> None:
    """A document comes back whole, or one of our errors does, within seconds and a few megabytes."""
    assert peak(lambda: _check_whole(decode(data))) < 4 << 20


def _check_whole(graph: Graph) -> None:
    assert encode(decode(encode(graph))) == encode(graph)
    for node in graph:
        _check_types(node)


def _check_types(node: Node) -> None:
    sizes = [size for value in node.types for size in value.shape]
    assert all(size >= 0 for size in sizes if isinstance(size, int)), node
    if isinstance(node.operator, Constant):
        assert node.operator.array.shape == node.types[0].shape
        assert node.operator.array.dtype == node.types[0].dtype.numpy
