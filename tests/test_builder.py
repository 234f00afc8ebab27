"""Writing graphs: arithmetic on values, broadcasting and promotion, indexing, sharing, homes and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import raygrad as rg
from raygrad.proto.builder import Builder
from raygrad.proto.codec import decode, encode
from raygrad.proto.errors import (
    ArityError,
    AttributeValueError,
    GraphError,
    InvalidReferenceError,
    LimitError,
    RaygradError,
    SizeError,
    TypeMismatchError,
)
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.reduction import Max
from raygrad.proto.operators.shape import Broadcast, Cast, Concatenate, Pad, Split
from raygrad.proto.operators.source import Constant
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value
from raygrad.workers.kernels.numpy import NumpyBackend
from tests.evaluate import Array, evaluate

NUMPY = NumpyBackend()


def computed(function: Callable[..., Value], *arrays: Array) -> Array:
    """What the graph of a function of values computes on arrays."""
    builder = Builder()
    inputs = [builder.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    builder.output("y", function(*inputs))
    return evaluate(builder.graph(), {f"x{i}": a for i, a in enumerate(arrays)}, NUMPY)["y"]


A = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])
B = np.array([[2.0], [-1.0]])


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: b - a,
        lambda a, b: a * b[0],
        lambda a, b: a / b,
        lambda a, b: (a * a + 1.0) ** b,
        lambda a, b: 2.0 ** (a / b),
        lambda a, b: 1.0 - a + 3 * b - True,
        lambda a, b: 1.0 / (b / a),
        lambda a, b: -abs(a),
        lambda a, b: np.ones(3) * a + np.float64(2.0) * b,
        lambda a, b: np.ones((2, 1)) - b,
        lambda a, b: a.T @ b,
        lambda a, b: a @ np.array([1.0, 2.0, 3.0]),
        lambda a, b: np.array([1.0, 2.0]) @ a,
        lambda a, b: np.array([1.0, 2.0]) @ b[:, 0],
        lambda a, b: np.ones((4, 1, 3, 2)) @ a[None],
        lambda a, b: a < b,
        lambda a, b: a >= 1,
        lambda a, b: a.sum() if isinstance(a, Value) else np.asarray(a.sum()),
        lambda a, b: a.max(1),
        lambda a, b: a.mean(0),
        lambda a, b: a.reshape((3, -1)),
    ],
)
def test_arithmetic_means_what_it_means_in_numpy(function: Callable[..., Any]) -> None:
    found = computed(function, A, B)
    expected = function(A, B)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@given(st.data())
def test_basic_indexing_is_numpys(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    np.testing.assert_array_equal(computed(lambda v: v[index], x), x[index])


def test_indexing_an_axis_of_named_size() -> None:
    x = Builder().input("x", ("N", 4))
    assert x[0].shape == (4,)
    assert x[1:3, 2].shape == (2,)
    assert x[..., 0].shape == ("N",)
    assert x[:, ::-1].shape == ("N", 4)
    assert x[None].shape == (1, "N", 4)
    assert x[:] is x or x[:].ref == x.ref
    builder = Builder()
    builder.output("y", builder.input("x", ("N",))[3])
    assert builder.graph().bind({"N": 4}).type(builder.graph().outputs["y"]).shape == ()
    with pytest.raises(TypeMismatchError, match="no elements"):
        builder.graph().bind({"N": 3})


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (-1, SizeError),
        (slice(1, None), SizeError),
        (slice(None, None, -1), SizeError),
        (slice(None, -1), SizeError),
        ((0, 4), TypeMismatchError),
        ((0, 0, 0), TypeMismatchError),
        ((..., ...), TypeMismatchError),
        (True, TypeMismatchError),
        ("a", TypeMismatchError),
        (1.0, TypeMismatchError),
    ],
)
def test_an_index_that_does_not_fit(index: Any, error: type[RaygradError]) -> None:
    with pytest.raises(error):
        Builder().input("x", ("N", 4))[index]


def test_iteration_ends() -> None:
    builder = Builder()
    assert [row.shape for row in builder.input("x", (3, 2))] == [(2,)] * 3
    with pytest.raises(TypeMismatchError, match="iterate"):
        list(builder.input("y", ("N", 2)))
    with pytest.raises(TypeMismatchError, match="iterate"):
        list(builder.input("z", ()))


def test_a_value_has_no_truth() -> None:
    x = Builder().input("x", ())
    with pytest.raises(TypeMismatchError, match="no truth value"):
        bool(x > 0.0)


# -- shapes and dtypes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("float32", "float64", "float64"),
        ("float16", "float32", "float32"),
        ("float16", "bfloat16", "float32"),
        ("int8", "int32", "int32"),
        ("uint8", "int8", "int16"),
        ("float32", "int64", None),
        ("bool", "int8", None),
        ("uint64", "int64", None),
    ],
)
def test_promotion(a: str, b: str, expected: str | None) -> None:
    builder = Builder()
    x, y = builder.input("x", (2,), DType(a)), builder.input("y", (2,), DType(b))
    if expected is None:
        with pytest.raises(TypeMismatchError, match="cast one of them"):
            _ = x + y
    else:
        assert (x + y).dtype is DType(expected)
        assert (y + x).dtype is DType(expected)


@pytest.mark.parametrize(
    ("number", "dtype"),
    [(1e300, "float32"), (70000, "float16"), (300, "uint8"), (-1, "uint8"), (0.5, "int32"), (1, "bool")],
)
def test_a_number_that_does_not_fit_its_dtype(number: float, dtype: str) -> None:
    x = Builder().input("x", (), DType(dtype))
    with pytest.raises(TypeMismatchError, match="does not fit"):
        x.equals(number)


def test_numbers_take_the_dtype_they_meet() -> None:
    x = Builder().input("x", (2,), "bfloat16")
    assert (x * 2 + 0.5).dtype is DType.bfloat16


def test_names_broadcast_against_one_and_themselves_only() -> None:
    builder = Builder()
    n, m = builder.input("n", ("N", 1)), builder.input("m", ("M",))
    assert (n + n).shape == ("N", 1)
    assert (n + builder.input("row", (3,))).shape == ("N", 3)
    assert (n + m).shape == ("N", "M")
    with pytest.raises(TypeMismatchError, match="N and M"):
        _ = n.reshape(("N",)) + m
    with pytest.raises(TypeMismatchError, match="N and 3"):
        _ = n.reshape(("N",)) + builder.input("three", (3,))


def test_reshape_finds_the_missing_size() -> None:
    x = Builder().input("x", ("N", 4, 6))
    assert x.reshape((-1, 24)).shape == ("N", 24)
    assert x.reshape(("N", -1)).shape == ("N", 24)
    assert x.reshape(("N", 8, -1)).shape == ("N", 8, 3)
    for shape in [(-1, 12), (-1,), (-1, "M"), ("N", -1, -1), ("N", 5, -1)]:
        with pytest.raises(SizeError):
            x.reshape(shape)


def test_a_half_precision_mean_does_not_overflow() -> None:
    x = np.full(100_000, 3.0, dtype=np.float16)
    found = computed(lambda v: v.mean(), x)
    assert found.dtype == np.float16
    assert float(found) == 3.0


# -- nodes ------------------------------------------------------------------------------------------


def test_equal_nodes_are_shared() -> None:
    builder = Builder()
    x = builder.input("x", (2,))
    assert (x + 1.0).ref == (x + 1.0).ref
    assert builder.constant(0.0).ref != builder.constant(-0.0).ref
    assert builder.constant(1).ref != builder.constant(True).ref
    assert (x + x).ref != (x * x).ref


def test_equal_nodes_of_two_homes_are_not() -> None:
    builder = Builder()
    x = builder.input("x", (2,))
    y = ew.Exp()(x)
    with builder.at(y.ref.node):
        inside = ew.Tanh()(x)
    assert inside.ref != ew.Tanh()(x).ref
    assert builder.node(inside.ref.node).home == y.ref.node
    with builder.at(y.ref.node):
        assert builder.constant(1.0).ref == builder.constant(1.0).ref
        source = builder.constant(5.0).ref.node
    assert builder.node(source).home == source


def test_labels_join() -> None:
    builder = Builder()
    x = builder.input("x", (2,))
    with builder.label("block"), builder.label("tail"):
        y = ew.Exp()(x)
    assert builder.node(y.ref.node).label == "block/tail"
    assert "block/tail" in builder.node(y.ref.node).title


TWO = np.int64(2)
NUMBERS_OF_NUMPY: dict[str, Callable[[Value], Any]] = {
    "a shape": lambda x: x.reshape((TWO, 3 * TWO)),
    "an axis": lambda x: x.sum(TWO - 1),
    "axes": lambda x: x.transpose(np.array([1, 0])),
    "a broadcast": lambda x: x.broadcast_to((np.int32(5), 4, 3)),
    "a slice": lambda x: x[:: np.uint8(2), TWO],
    "an axis of a function": lambda x: rg.functions.softmax(x, TWO - 1),
    "places": lambda x: rg.functions.roll(x, TWO, np.int64(0)),
    "pieces": lambda x: rg.functions.split(x, np.array([1, 3]), 0)[0],
    "windows": lambda x: rg.functions.max_pool(x.reshape((1, 1, 4, 3)), TWO, padding=TWO - 1),
    "a slope": lambda x: rg.functions.leaky_relu(x, np.float32(0.5)),
}


@pytest.mark.parametrize("write", NUMBERS_OF_NUMPY.values(), ids=NUMBERS_OF_NUMPY)
def test_numbers_of_numpy_are_numbers(write: Callable[[Value], Any]) -> None:
    """Programs compute sizes with NumPy; documents hold none of its types."""
    g = Builder()
    g.output("y", write(g.input("x", (2 * TWO, np.int16(3)))))
    graph = g.graph()
    assert decode(encode(graph)) == graph
    for node in graph:
        for value in (*vars(node.operator).values(), *(t.shape for t in node.types)):
            assert "np." not in repr(value)


def test_a_builder_goes_on_where_a_graph_ends() -> None:
    first = Builder()
    first.output("y", ew.Exp()(first.input("x", (2,))))
    graph = first.graph()
    second = Builder(graph)
    second.output("z", second.value(graph.outputs["y"]) * 2.0)
    assert second.graph().nodes[: len(graph)] == graph.nodes
    with pytest.raises(InvalidReferenceError, match="'x'"):
        second.input("x", (2,))
    with pytest.raises(InvalidReferenceError, match="'y'"):
        second.output("y", second.constant(1.0))


def test_values_of_two_graphs_do_not_mix() -> None:
    a, b = Builder(), Builder()
    with pytest.raises(GraphError, match="another graph"):
        _ = a.input("x", (2,)) + b.input("x", (2,))
    with pytest.raises(GraphError, match="another graph"):
        a.output("y", b.constant(1.0))


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda b, x: ew.Add()(x), ArityError, "Add takes 2 inputs, got 1"),
        (lambda b, x: ew.Add()(x, b.constant(1.0)), TypeMismatchError, "equal types"),
        (lambda b, x: ew.Exp()(x.astype("int32")), TypeMismatchError, "floating-point"),
        (lambda b, x: ew.Not()(x), TypeMismatchError, "bool"),
        (lambda b, x: ew.Where()(x, x, x), TypeMismatchError, "condition"),
        (lambda b, x: (x < x) + (x < x), TypeMismatchError, "numbers"),
        (lambda b, x: x @ x, TypeMismatchError, "contract"),
        (lambda b, x: x @ b.constant(1.0), TypeMismatchError, "vectors"),
        (lambda b, x: x.sum(2), TypeMismatchError, "axis 2 does not exist"),
        (lambda b, x: x.sum((0, -2)), TypeMismatchError, "twice"),
        (lambda b, x: Max((1,))(x[:, :0]), TypeMismatchError, "no element"),
        (lambda b, x: Broadcast((3, 2))(x), TypeMismatchError, "broadcast"),
        (lambda b, x: x.reshape((7,)), TypeMismatchError, "number of elements"),
        (lambda b, x: Split(0, (1,))(x), SizeError, "'N'"),
        (lambda b, x: Split(1, (1, 3))(x), TypeMismatchError, "make up"),
        (lambda b, x: Split(1, ())(x), TypeMismatchError, "make up"),
        (lambda b, x: Concatenate(0)(x, x), SizeError, "'N'"),
        (lambda b, x: Concatenate(1)(x, x[0]), TypeMismatchError, "does not join"),
        (lambda b, x: Pad((1, 0), (0, 0))(x), SizeError, "'N'"),
        (lambda b, x: Pad((0, -1), (0, 0))(x), TypeMismatchError, "negative"),
        (lambda b, x: b.constant(np.zeros(2000)), LimitError, "buffer"),
        (lambda b, x: b.add(Constant(DType.int8, (2,), b"1")), AttributeValueError, "needs 2 bytes"),
        (lambda b, x: b.parameter("p", (2,), "int64"), AttributeValueError, "floating-point"),
        (lambda b, x: b.input("q", ("not a name",)), SizeError, "not an identifier"),
        (lambda b, x: b.input("q", (-1,)), SizeError, "-1"),
        (lambda b, x: b.input("q", (2,), "complex64"), TypeMismatchError, "complex64"),
        (lambda b, x: b.input("q", (2,), "float99"), TypeMismatchError, "'float99' is no dtype"),
        (lambda b, x: b.input("q", 3), SizeError, "a shape is a sequence .* got 3"),
        (lambda b, x: b.input("q", "NT"), SizeError, "a shape is a sequence .* got 'NT'"),
        (lambda b, x: b.input("x", (2,)), InvalidReferenceError, "'x'"),
        (lambda b, x: b.output("", x), InvalidReferenceError, "empty"),
        (lambda b, x: Cast(DType.int8)(), ArityError, "without inputs"),
    ],
)
def test_what_means_nothing_is_refused(
    write: Callable[[Builder, Value], Any], error: type[RaygradError], match: str
) -> None:
    builder = Builder()
    x = builder.input("x", ("N", 3))
    with pytest.raises(error, match=match):
        write(builder, x)


# -- where a graph is wanted ----------------------------------------------------------------------


def test_a_builder_goes_wherever_a_graph_does() -> None:
    g = Builder()
    g.output("loss", (g.input("x", ("N", 2)) @ g.parameter("w", (2, 2))).square().mean())
    assert rg.encode(g) == rg.encode(g.graph())
    assert rg.digest(g) == rg.digest(g.graph())
    with rg.local(g, backend="numpy") as session:
        assert session.graph == g.graph()


@pytest.mark.parametrize("wrong", [None, "x", b"document", {}])
def test_what_is_no_graph_is_refused_by_its_type(wrong: Any) -> None:
    wanted: list[Callable[[Any], object]] = [rg.encode, rg.digest, rg.local]
    wanted += [lambda graph: rg.connect("127.0.0.1:1", graph)]
    for wants in wanted:
        with pytest.raises(GraphError, match=f"not {type(wrong).__name__}"):
            wants(wrong)


def test_an_error_names_its_node_once() -> None:
    assert str(GraphError("must be f32", node="x")) == "x: must be f32"
    assert str(GraphError("'x' must be f32", node="x")) == "'x' must be f32"
