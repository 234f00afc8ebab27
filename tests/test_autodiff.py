"""Differentiating graphs: random ones against finite differences, poles, homes, missing gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raygrad.proto.autodiff import differentiate, gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import DifferentiationError, MissingTensorError
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.shape import Split
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value, binary
from raygrad.workers.kernels.numpy import NumpyBackend
from tests.evaluate import evaluate
from tests.finite_differences import Differentiable, check_gradient

NUMPY = NumpyBackend()

# Smooth functions whose values stay in a range where finite differences are accurate.
UNARY: list[Callable[[Value], Value]] = [
    ew.Tanh(),
    ew.Sigmoid(),
    ew.Softplus(),
    lambda x: ew.Exp()(ew.Tanh()(x)),
    lambda x: ew.Sqrt()(x.square() + 1.0),
    lambda x: ew.Log()(x.square() + 1.0),
    lambda x: -x,
    lambda x: x.sum(0, keepdims=True),
    lambda x: x.mean(),
    lambda x: x.broadcast_to((2, *x.shape))[1],
    lambda x: x.reshape((-1,))[::-1],
]
BINARY: list[Callable[[Value, Value], Value]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: ew.Tanh()(a) * b,
    lambda a, b: a / (b.square() + 1.0),
    lambda a, b: (ew.Sigmoid()(a) + 1.0) ** ew.Tanh()(b),
]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_graphs_match_finite_differences(data: st.DataObject) -> None:
    builder = Builder()
    values = [builder.input(name, shape, "float64") for name, shape in (("x", (3,)), ("y", (3,)), ("z", ()))]
    for _ in range(data.draw(st.integers(1, 8), label="nodes")):
        a, b = (data.draw(st.sampled_from(values), label="operand") for _ in range(2))
        if data.draw(st.booleans(), label="unary"):
            unary = data.draw(st.sampled_from(UNARY), label="function")
            values.append(unary(a) if a.rank else ew.Tanh()(a))
        elif a.rank == b.rank == 1 and a.shape != b.shape:
            values.append(ew.Tanh()(a).sum() * b)
        else:
            values.append(data.draw(st.sampled_from(BINARY), label="operator")(a, b))
    for i, value in enumerate(values[-2:]):
        builder.output(f"out{i}", value)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    feeds = {n: rng.standard_normal(node.types[0].static) for n, node in builder.graph().inputs.items()}
    first = check_gradient(Differentiable(builder.graph(), feeds), rng, tolerance=1e-6)
    if first.outputs:
        check_gradient(first, rng, tolerance=1e-5)


# -- poles and ties ---------------------------------------------------------------------------------


def derivative(function: Callable[[Value], Value], at: float, order: int) -> float:
    """The derivative of a scalar function, by applying autodiff `order` times."""
    builder = Builder()
    x = builder.input("x", (), "float64")
    y = function(x)
    for _ in range(order):
        (found,) = gradients([y], [x])
        if found is None:
            return 0.0
        y = found
    builder.output("y", y)
    return float(evaluate(builder.graph(), {"x": np.asarray(at)}, NUMPY)["y"])


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (lambda x: x**3, 0.0, [0.0, 0.0, 0.0, 6.0, 0.0]),
        (lambda x: x**2, 0.0, [0.0, 0.0, 2.0, 0.0]),
        (lambda x: x**0, 0.0, [1.0, 0.0, 0.0]),
        (lambda x: x**1, 0.0, [0.0, 1.0, 0.0]),
        (lambda x: 2.0**x, 0.0, [1.0, np.log(2), np.log(2) ** 2]),
        (lambda x: 0.0**x, 2.0, [0.0, 0.0, 0.0]),
        (abs, 0.0, [0.0, 0.0, 0.0]),
        (ew.Relu(), 0.0, [0.0, 0.0, 0.0]),
        (ew.LeakyRelu(0.25), 0.0, [0.0, 0.25, 0.0]),
        (ew.Softplus(), 800.0, [800.0, 1.0, 0.0]),
        (ew.Softplus(), -800.0, [0.0, 0.0, 0.0]),
        (ew.Sigmoid(), -800.0, [0.0, 0.0, 0.0]),
        (lambda x: binary(ew.Maximum(), x, 0.0), 0.0, [0.0, 0.5, 0.0]),
        (lambda x: binary(ew.Minimum(), 0.0, x), 0.0, [0.0, 0.5, 0.0]),
        (lambda x: x.broadcast_to((4,)).max(), 3.0, [3.0, 1.0, 0.0]),
        (lambda x: ew.Where()(x > 0.0, ew.Relu()(x) + 1.0, x * 3.0), 0.0, [0.0, 3.0, 0.0]),
    ],
)
def test_derivatives_where_formulas_meet_poles_and_ties(
    function: Callable[[Value], Value], at: float, expected: list[float]
) -> None:
    found = [derivative(function, at, order) for order in range(len(expected))]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_mixed_derivative_of_a_power_at_exponent_zero() -> None:
    builder = Builder()
    a, b = builder.input("a", (), "float64"), builder.input("b", (), "float64")
    (by_a,) = gradients([a**b], [a])
    assert by_a is not None
    (by_both,) = gradients([by_a], [b])
    assert by_both is not None
    builder.output("y", by_both)
    found = evaluate(builder.graph(), {"a": np.asarray(4.0), "b": np.asarray(0.0)}, NUMPY)["y"]
    np.testing.assert_allclose(found, 0.25)  # d/db (b · aᵇ⁻¹) at b = 0 is 1 / a


def test_several_extrema_share_the_gradient_evenly() -> None:
    builder = Builder()
    x = builder.input("x", (4,), "float64")
    (found,) = gradients([x.max()], [x])
    assert found is not None
    builder.output("g", found)
    result = evaluate(builder.graph(), {"x": np.array([1.0, 5.0, 5.0, 2.0])}, NUMPY)["g"]
    assert result.tolist() == [0.0, 0.5, 0.5, 0.0]


# -- homes ------------------------------------------------------------------------------------------


def network() -> Builder:
    """Two layers with a shared weight and a skip edge; the batch is a named size."""
    builder = Builder()
    x = builder.input("x", ("N", 4), "float64")
    w, b = builder.parameter("w", (4, 4), "float64"), builder.parameter("b", (4,), "float64")
    builder.parameter("unused", (2,), "float64")
    h = ew.Tanh()(x @ w + b)
    builder.output("loss", (ew.Relu()(h @ w) + h).square().mean())
    builder.output("h", h)
    return builder


def test_every_emitted_node_is_homed_with_a_forward_node() -> None:
    forward = network().graph()
    graph = differentiate(forward, ["loss"], ["x"]).graph
    emitted = [n for n in graph if n.id not in forward and not n.operator.source]
    assert emitted
    assert {n.home for n in emitted} <= {n.id for n in forward if not n.operator.source}
    assert all(graph[n.id] == n for n in forward)


def test_a_rule_is_homed_with_the_node_it_differentiates() -> None:
    forward = network().graph()
    graph = differentiate(forward, ["loss"]).graph
    relu = next(n for n in forward if isinstance(n.operator, ew.Relu))
    (back,) = (n for n in graph if isinstance(n.operator, ew.ReluGrad))
    assert back.home == relu.id


def test_a_sum_of_cotangents_is_homed_with_the_value() -> None:
    builder = Builder()
    x = builder.parameter("x", (3,), "float64")
    h = ew.Tanh()(x)
    builder.output("y", ew.Exp()(h) * ew.Sigmoid()(h))
    forward = builder.graph()
    graph = differentiate(forward, ["y"]).graph
    (total,) = (n for n in graph if isinstance(n.operator, ew.Add))
    assert total.home == h.ref.node


def test_a_sum_for_a_source_is_homed_with_its_first_consumer() -> None:
    builder = Builder()
    x = builder.parameter("x", (3,), "float64")
    first = ew.Exp()(x)
    builder.output("y", first * ew.Tanh()(x))
    graph = differentiate(builder.graph(), ["y"]).graph
    (total,) = (n for n in graph if isinstance(n.operator, ew.Add))
    assert total.home == first.ref.node


# -- what has no gradient ---------------------------------------------------------------------------


def test_parameters_without_a_path_have_no_gradient() -> None:
    found = differentiate(network().graph(), ["loss"])
    assert set(found.parameters) == {"w", "b"}
    assert found.inputs == {}


def test_a_value_that_nothing_depends_on_has_none() -> None:
    builder = Builder()
    x, y = builder.input("x", (), "float64"), builder.input("y", (), "float64")
    assert gradients([x * 2.0], [y]) == (None,)
    assert gradients([ew.Sign()(x)], [x]) == (None,)


def test_integers_and_conditions_have_no_gradient() -> None:
    builder = Builder()
    x, n = builder.input("x", (3,), "float64"), builder.input("n", (3,), "int64")
    y = ew.Where()(x > 0.0, x, n.astype("float64")).sum()
    by_x, by_n = gradients([y], [x, n])
    assert by_x is not None
    assert by_n is None


def test_only_seeded_outputs_contribute() -> None:
    builder = Builder()
    x = builder.parameter("x", (), "float64")
    builder.output("a", x * 2.0)
    builder.output("b", ew.Log()(x))
    found = differentiate(builder.graph(), ["a"])
    assert list(found.cotangents) == ["a"]
    emitted = found.graph.prune(found.parameters.values())
    assert not any(isinstance(n.operator, ew.Log) for n in emitted)


def test_the_gradient_of_an_output_by_itself_is_its_cotangent() -> None:
    builder = Builder()
    x = builder.input("x", (2,), "float64")
    c = builder.input("c", (2,), "float64")
    (found,) = gradients({x: c}, [x])
    assert found is not None
    assert found.ref == c.ref


def test_cotangents_missing_at_some_outputs_of_a_node() -> None:
    builder = Builder()
    x = builder.parameter("x", (5,), "float64")
    first, _, last = Split(0, (2, 1, 2))(x)
    builder.output("y", (first * 2.0 + last * 3.0).sum())
    found = differentiate(builder.graph(), ["y"])
    graph = returning(found.graph, {"g": found.parameters["x"]})
    result = evaluate(graph, {"x": np.ones(5), "y": np.asarray(1.0)}, NUMPY)["g"]
    assert result.tolist() == [2.0, 2.0, 0.0, 3.0, 3.0]


def returning(graph: Graph, outputs: dict[str, Ref]) -> Graph:
    """The same nodes with other outputs."""
    return Graph(graph.nodes, outputs)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_gradient_written_before_its_sizes_are_known(batch: int) -> None:
    found = differentiate(network().graph(), ["loss"])
    graph = returning(found.graph, {"g": found.parameters["w"]}).bind({"N": batch})
    rng = np.random.default_rng(0)
    shapes = {"x": (batch, 4), "w": (4, 4), "b": (4,), "unused": (2,)}
    feeds = {"loss": np.asarray(1.0), **{name: rng.standard_normal(s) for name, s in shapes.items()}}
    result = evaluate(graph, feeds, NUMPY)["g"]

    direction = rng.standard_normal((4, 4))
    forward = network().graph().bind({"N": batch})
    moved = [{**feeds, "w": feeds["w"] + step * direction} for step in (1e-5, -1e-5)]
    losses = [evaluate(forward, m, NUMPY)["loss"] for m in moved]
    np.testing.assert_allclose((losses[0] - losses[1]) / 2e-5, (result * direction).sum(), rtol=1e-8)


def test_what_cannot_be_differentiated_says_why() -> None:
    builder = network()
    graph = builder.graph()
    with pytest.raises(MissingTensorError, match="no output 'nothing'"):
        differentiate(graph, ["nothing"])
    with pytest.raises(MissingTensorError, match="no input 'z'"):
        differentiate(graph, ["loss"], ["z"])
    builder.input("labels", (3,), "int64")
    with pytest.raises(DifferentiationError, match="input 'labels' is int64"):
        differentiate(builder.graph(), ["loss"], ["labels"])
    h = Value(builder, graph.outputs["h"])
    with pytest.raises(DifferentiationError, match="no scalar"):
        gradients([h], [h])
    with pytest.raises(DifferentiationError, match="cotangent"):
        gradients({h: builder.constant(1.0)}, [h])
    with pytest.raises(DifferentiationError, match="no output"):
        gradients([], [h])
    with pytest.raises(DifferentiationError, match="not floating-point"):
        gradients([builder.constant(1, DType.int64)], [h])


def test_a_detached_value_is_a_constant() -> None:
    builder = Builder()
    x = builder.input("x", (3,), "float64")
    (gradient,) = gradients([(x * x.detach()).sum()], [x])
    assert gradient is not None
    builder.output("gradient", gradient)
    feeds = {"x": np.array([1.0, 2.0, 3.0])}
    assert np.array_equal(evaluate(builder.graph(), feeds, NUMPY)["gradient"], feeds["x"])
    assert gradients([x.detach().sum()], [x]) == (None,)
