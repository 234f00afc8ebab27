"""The table of a graph: layers, costs with named sizes, receptive fields against what really influences."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from raygrad.client.functions import avg_pool, concatenate, conv, max_pool, relu
from raygrad.client.networks import lenet, resnet14, siamese
from raygrad.proto.builder import Builder
from raygrad.proto.errors import SizeError
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.convolution import ConvInputGrad
from raygrad.proto.operators.elementwise import Relu
from raygrad.proto.operators.pooling import AvgPool, AvgPoolGrad, MaxPool
from raygrad.proto.operators.shape import Pad, Slice
from raygrad.proto.polynomial import fitted
from raygrad.proto.receptive import Field, fields_of
from raygrad.proto.value import Value
from raygrad.workers.backends import open_backend

from .evaluate import evaluate


def by_name(graph: Graph) -> dict[str, object]:
    return {row.name: row for row in graph.summary().rows}


# -- layers and costs -----------------------------------------------------------------------------


def test_lenet() -> None:
    summary = lenet().graph.summary()
    rows = {row.name: row for row in summary.rows if row.name}
    assert [row.operators for row in summary.rows[:4]] == [("Input",), ("Conv",), ("Relu",), ("MaxPool",)]
    assert rows["fc1"].operators == ("MatMul", "Add")
    assert {n: rows[n].parameters for n in ("conv1", "conv2", "fc1", "fc2")} == {
        "conv1": 32 * 25 + 32,
        "conv2": 64 * 32 * 25 + 64,
        "fc1": 256 * 200 + 200,
        "fc2": 200 * 10 + 10,
    }
    assert summary.parameters == sum(p.types[0].elements for p in lenet().graph.parameters.values())
    assert str(rows["conv1"].output) == "float32[N,32,24,24]"


@pytest.mark.parametrize("network", [lenet(), resnet14(), siamese()], ids=["lenet", "resnet14", "siamese"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_costs_are_those_of_the_bound_graph(network: object, size: int) -> None:
    graph: Graph = network.graph  # type: ignore[attr-defined]
    summary, bound = graph.summary(), graph.bind({"N": size})
    assert len(summary.rows) == len(bound.summary().rows)
    for row, other in zip(summary.rows, bound.summary().rows, strict=True):
        for cost in ("flops", "nbytes", "traffic"):
            assert getattr(row, cost).at({"N": size}) == int(getattr(other, cost))
        nodes = [bound[n] for n in row.nodes]
        types = {n.id: [bound.type(r) for r in n.inputs] for n in nodes}
        assert int(other.flops or 0) == sum(n.operator.flops(types[n.id], n.types) for n in nodes)
    assert summary.flops is not None
    assert summary.flops.at({"N": size}) == sum(r.flops.at({"N": size}) for r in summary.rows if r.flops)


def test_totals_and_names_are_printed() -> None:
    text = str(lenet().graph.summary())
    first, *_, last = text.splitlines()
    names = "layer operators output parameters FLOPs bytes field stride"
    assert " ".join(first.split()) == names
    assert last.split()[:2] == ["total", "105,506"]
    assert "·N" in last
    assert "N" not in str(lenet().graph.bind({"N": 4}).summary()).splitlines()[-1]


def test_a_layer_is_one_line() -> None:
    g = Builder()
    g.output("y", g.input("x\n\x1b[2J", (2,)).exp())
    _, _, layer, *_ = str(g.graph().summary()).splitlines()
    assert layer.split()[:2] == [r"x\n\x1b[2J", "Input"]


def test_a_table_without_windows_has_no_fields() -> None:
    g = Builder()
    g.output("y", g.input("x", ("N", 3, 4)) @ g.parameter("w", (4, 2)))
    assert str(g.graph().summary()).splitlines()[0].split()[-1] == "bytes"


def test_shared_parameters_count_once() -> None:
    summary = siamese().graph.summary()
    conv1 = [row for row in summary.rows if row.name == "conv1"]
    assert [row.parameters for row in conv1] == [8 * 25 + 8, 0]
    assert conv1[0].flops == conv1[1].flops


def test_gradients_have_rows() -> None:
    graph = lenet().graph.with_gradients()
    rows = {row.name: row for row in graph.summary().rows}
    assert set(rows["d conv2"].operators) == {"ConvInputGrad", "ConvWeightGrad", "Sum"}
    assert rows["d conv2"].flops.at({"N": 1}) > 1.9 * rows["conv2"].flops.at({"N": 1})  # type: ignore[union-attr]


def test_an_empty_graph() -> None:
    assert Graph((), {}).summary().rows == ()
    assert str(Graph((), {}).summary()).splitlines()[-1].split() == ["total", "0", "0", "0", "B"]


# -- polynomials ----------------------------------------------------------------------------------


def test_polynomials_are_found_exactly() -> None:
    def of(sizes: dict[str, int]) -> list[int]:
        n, t = sizes["N"], sizes["T"]
        return [3 * n * t * t + 5 * n + 7, n * (n + 1) // 2, 4, n // 3, n**3]

    whole, half, constant, floor, cube = fitted(["N", "T"], of)  # type: ignore[arg-type]
    assert (floor, cube) == (None, None)
    for n, t in itertools.product((1, 10, 77), repeat=2):
        assert [p.at({"N": n, "T": t}) for p in (whole, half, constant) if p] == of({"N": n, "T": t})[:3]
    assert whole is not None
    assert whole.text(lambda c: f"{c:g}") == "3·N·T² + 5·N + 7"


def test_too_many_names() -> None:
    with pytest.raises(SizeError, match="bind some of them"):
        fitted(list("abcd"), lambda sizes: [0])


# -- receptive fields -----------------------------------------------------------------------------


def only(fields: dict[Ref, dict[str, object]], graph: Graph, output: str) -> object:
    return fields[graph.outputs[output]]["x"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        # (size, stride, start); VGG-16's blocks end at 6, 16, 44, 100 and 212 elements (Araujo et al.)
        ([*2 * [("c", 3, 1, 1)], ("p", 2, 2, 0)], (6, 2, -2)),
        ([*2 * [*2 * [("c", 3, 1, 1)], ("p", 2, 2, 0)]], (16, 4, -6)),
        (
            [*2 * [*2 * [("c", 3, 1, 1)], ("p", 2, 2, 0)], *3 * [*3 * [("c", 3, 1, 1)], ("p", 2, 2, 0)]],
            (212, 32, -90),
        ),
        # AlexNet's last pooling sees 195 elements at stride 32
        (
            [
                ("c", 11, 4, 2),
                ("p", 3, 2, 0),
                ("c", 5, 1, 2),
                ("p", 3, 2, 0),
                *3 * [("c", 3, 1, 1)],
                ("p", 3, 2, 0),
            ],
            (195, 32, -66),
        ),
        # ResNet-50's convolutions along its longest path: 483 elements at stride 32
        (
            [
                ("c", 7, 2, 3),
                ("p", 3, 2, 1),
                *3 * [("c", 3, 1, 1)],
                *[("c", 1, 2, 0), *4 * [("c", 3, 1, 1)]],
                *[("c", 1, 2, 0), *6 * [("c", 3, 1, 1)]],
                *[("c", 1, 2, 0), *3 * [("c", 3, 1, 1)]],
            ],
            (483, 32, -241),
        ),
    ],
    ids=["vgg-2", "vgg-4", "vgg-16", "alexnet", "resnet-50"],
)
def test_known_networks(layers: list[tuple[str, int, int, int]], expected: tuple[int, int, int]) -> None:
    g = Builder()
    x = g.input("x", (1, 1, 512))
    for number, (kind, kernel, stride, padding) in enumerate(layers):
        if kind == "c":
            x = relu(conv(x, g.parameter(f"w{number}", (1, 1, kernel)), None, stride, padding))
        else:
            x = max_pool(x, kernel, stride, padding)
    g.output("y", x)
    (field,) = only(fields_of(g.graph()), g.graph(), "y")  # type: ignore[misc]
    assert (field.size, field.stride, field.start) == expected


def influence(graph: Graph, length: int) -> list[list[int]]:
    """For each element of the output, the elements of the input x (1, 1, length) that it depends on."""
    rng = np.random.default_rng(0)
    parameters = {n: rng.uniform(1, 2, p.types[0].static) for n, p in graph.parameters.items()}
    base = {"x": np.ones((1, 1, length)), **parameters}

    def outputs(feeds: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(evaluate(graph, feeds, open_backend("numpy"))["y"]).reshape(-1)

    before = outputs(base)
    moved = np.stack([outputs({**base, "x": base["x"] + 1e6 * np.eye(length)[i]}) for i in range(length)])
    return [list(np.flatnonzero(moved[:, o] != before[o])) for o in range(before.size)]


def windows(stride: int, padding: int, kernel: int, dilation: int = 1) -> tuple[object, ...]:
    return (stride,), ((padding, padding),), (kernel,), (dilation,)


NETS: dict[str, list[Operator | str]] = {
    "conv": ["c 3 2 1 1", "c 4 1 0 1"],
    "dilated": ["c 3 1 2 2", "c 3 2 3 3", "c 2 1 0 1"],
    "pooled": ["c 3 1 1 1", MaxPool(*windows(2, 0, 2)), "c 3 1 1 1", AvgPool((2,), ((0, 0),), (3,), True)],
    "padded": [Pad((0, 0, 3), (0, 0, 1)), "c 4 3 0 1"],
    "sliced": ["c 3 1 0 1", Slice((0, 0, 5), (1, 1, 8), (1, 1, 3)), "c 2 1 0 1"],
    "reversed": ["c 3 1 0 1", Slice((0, 0, 30), (1, 1, 20), (1, 1, -1)), "c 3 2 0 1", "c 2 1 0 2"],
}


def network(layers: list[Operator | str], length: int) -> Graph:
    g = Builder()
    x = g.input("x", (1, 1, length), "float64")
    for number, layer in enumerate(layers):
        if isinstance(layer, str):
            kernel, stride, padding, dilation = map(int, layer.split()[1:])
            weight = g.parameter(f"w{number}", (1, 1, kernel), "float64")
            x = Relu()(conv(x, weight, None, stride, padding, dilation))
        else:
            made = layer(x)
            x = made[0] if isinstance(made, tuple) else made
    g.output("y", x)
    return g.graph()


@pytest.mark.parametrize("name", NETS)
def test_fields_are_what_influences(name: str) -> None:
    graph = network(NETS[name], 48)
    (field,) = only(fields_of(graph), graph, "y")  # type: ignore[misc]
    found = influence(graph, 48)
    inside = 0
    for i, elements in enumerate(found):
        first = field.start + i * field.stride
        expected = set(range(int(first), int(first) + field.size))
        assert {min(elements), max(elements)} <= expected
        if expected <= set(range(48)):
            assert (min(elements), max(elements)) == (first, first + field.size - 1)
            inside += 1
    assert inside > 2


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(4, 2, 1, 1), (3, 2, 0, 1), (3, 1, 1, 1), (3, 2, 0, 2)]
)
def test_transposed_windows(kernel: int, stride: int, padding: int, dilation: int) -> None:
    """An element depends on no more than the field says; some on all of it."""
    g = Builder()
    x = g.input("x", (1, 1, 12), "float64")
    size = (12 - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding
    up = ConvInputGrad((stride,), ((padding, padding),), (dilation,), 1, (size,))
    g.output("y", up(x, g.parameter("w", (1, 1, kernel), "float64")))
    (field,) = only(fields_of(g.graph()), g.graph(), "y")  # type: ignore[misc]
    assert field.stride == Fraction(1, stride)
    spans = [max(e) - min(e) + 1 for e in influence(g.graph(), 12) if e]
    assert max(spans) == field.size


def test_average_pooling_upwards() -> None:
    g = Builder()
    x = g.input("x", (1, 1, 8))
    g.output("y", AvgPoolGrad((2,), ((0, 0),), (2,), True, (16,))(x))
    assert only(fields_of(g.graph()), g.graph(), "y") == (Field(1, Fraction(1, 2), Fraction(0)),)


def test_branches_join() -> None:
    g = Builder()
    x = g.input("x", (1, 1, 32, 32))

    weights = {kernel: g.parameter(f"w{kernel}", (1, 1, kernel, 3)) for kernel in (3, 5, 7)}

    def branch(kernel: int) -> Value:
        return conv(x, weights[kernel], None, 1, ((kernel // 2, kernel // 2), (1, 1)))

    g.output("sum", branch(3) + branch(7))
    g.output("both", concatenate([branch(3), avg_pool(x, 3, 1, 1)], axis=1))
    g.output("columns", concatenate([branch(3), branch(5)], axis=2))
    g.output("whole", branch(3).mean(axes=(2, 3)))
    graph = g.graph()
    fields = fields_of(graph)
    tall, wide = only(fields, graph, "sum")  # type: ignore[misc]
    assert (tall.size, tall.start, wide.size, wide.start) == (7, -3, 3, -1)
    assert [f.size for f in only(fields, graph, "both")] == [3, 3]  # type: ignore[attr-defined]
    assert only(fields, graph, "columns") is None
    assert only(fields, graph, "whole") is None


def test_fields_of_two_inputs() -> None:
    row = next(r for r in siamese().graph.summary().rows if r.operators == ("Sub",))
    assert row.fields == {"left": None, "right": None}


def test_fields_of_resnet() -> None:
    graph = resnet14().graph
    rows = [row for row in graph.summary().rows if row.name.startswith("layer3.1.conv2")]
    (field, _) = rows[-1].fields["x"] or ()
    # conv1, then pairs of 3-kernels at strides 1, 1, 2, 2, 4, 4 (the first of a stage halves)
    assert field.stride == 4
    assert field.size == 1 + 2 * (1 + 1 * 4 + 1 + 2 * 3 + 2 + 4 * 3)
