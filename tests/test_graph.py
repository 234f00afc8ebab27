"""Graphs as values: what binding and pruning keep, lookups, printing, pickling."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from raygrad.proto.autodiff import differentiate
from raygrad.proto.builder import Builder
from raygrad.proto.errors import InvalidReferenceError, SizeError
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.elementwise import Exp, Tanh
from raygrad.proto.operators.shape import Split
from raygrad.proto.operators.source import Iota
from raygrad.proto.tensor import DType, TensorType


@pytest.fixture
def graph() -> Graph:
    builder = Builder()
    x = builder.input("x", ("N", 4))
    w = builder.parameter("w", (4, 3))
    scale = builder.buffer("scale", (3,))
    h = Tanh()(x @ w)
    builder.output("loss", (h * scale).square().mean())
    builder.output("h", h)
    return builder.graph()


def test_sources_by_name(graph: Graph) -> None:
    assert list(graph.inputs) == ["x"]
    assert list(graph.parameters) == ["w"]
    assert list(graph.buffers) == ["scale"]
    assert graph.sizes == {"N"}


def test_binding_keeps_nodes_and_gives_numbers(graph: Graph) -> None:
    bound = graph.bind({"N": 5})
    assert [(n.id, n.inputs, n.home) for n in bound] == [(n.id, n.inputs, n.home) for n in graph]
    assert bound.type(bound.outputs["h"]) == TensorType((5, 3), DType.float32)
    assert bound.sizes == frozenset()
    assert bound.bind({"N": 7}) == bound


def test_binding_a_differentiated_graph(graph: Graph) -> None:
    whole = differentiate(graph, ["loss", "h"], ["x"]).graph.bind({"N": 2})
    assert all(t.elements >= 0 for n in whole for t in n.types)


def test_a_size_that_is_not_bound_names_the_node(graph: Graph) -> None:
    with pytest.raises(SizeError, match="size 'N' is not bound") as caught:
        graph.bind({"M": 1})
    assert caught.value.node == graph.inputs["x"].title


def test_pruning_keeps_ids_and_drops_outputs_that_are_gone(graph: Graph) -> None:
    pruned = graph.prune([graph.outputs["h"]])
    assert list(pruned.outputs) == ["h"]
    assert set(pruned.nodes) < set(graph.nodes)
    assert pruned.prune(pruned.outputs.values()) == pruned
    assert "scale" not in pruned.buffers


def test_consumers_are_in_order_and_named_once() -> None:
    builder = Builder()
    x = builder.input("x", (4,))
    square = x * x
    first, second = Split(0, (1, 3))(Exp()(x))
    graph = builder.graph()
    assert graph.consumers[x.ref] == (square.ref.node, first.ref.node - 1)
    assert second.ref == Ref(first.ref.node, 1)
    assert second.ref not in graph.consumers


def test_lookups(graph: Graph) -> None:
    node = graph.inputs["x"]
    assert graph[node.id] is node
    assert node.id in graph
    assert 999 not in graph
    with pytest.raises(InvalidReferenceError, match="no node 999"):
        graph[999]


def test_a_graph_survives_pickling_and_cannot_change(graph: Graph) -> None:
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert hash(pickle.loads(pickle.dumps(graph))) == hash(graph)
    with pytest.raises(TypeError):
        graph.outputs["other"] = Ref(0)  # type: ignore[index]


def test_its_repr_is_short(graph: Graph) -> None:
    assert repr(graph) == "<Graph: 11 nodes, 1 parameter, inputs 'x', outputs 'loss', 'h'>"
    assert repr(Graph((), {})) == "<Graph: 0 nodes, 0 parameters>"


def test_it_prints_itself(graph: Graph) -> None:
    shown = str(graph)
    assert "input x: float32[N,4]  # %0" in shown
    assert "%3: float32[N,3] = MatMul(x, w)" in shown
    assert "buffer scale: float32[3]  # %2" in shown
    assert "Div(%9, size(N, 3))" in shown
    assert f"return loss = {graph.outputs['loss']}" in shown
    whole = str(differentiate(graph, ["loss"]).graph)
    assert f"@{graph.outputs['h'].node}" in whole
    assert "(∂loss, size(N, 3))" in whole


def test_a_label_stays_on_its_line() -> None:
    builder = Builder()
    with builder.label("two\nlines\x1b[2J"):
        builder.output("y", builder.input("x", (2,)).exp())
    assert r"Exp(x)  # two\nlines\x1b[2J" in str(builder.graph())


def test_what_goes_without_saying_is_not_printed() -> None:
    builder = Builder()
    x = builder.input("a name", ("N", 2, 9, 9))
    w = builder.parameter("w", (2, 2, 3, 3))
    long = builder.constant(np.arange(100.0, dtype="float32"))
    plain = Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    other = Conv((2, 2), ((1, 0), (0, 1)), (1, 1), 2)
    with builder.label("layer"):
        builder.output("y", plain(x * 0.5, w))
    builder.output("z", other(x, builder.parameter("v", (2, 1, 3, 3))))
    builder.output("long", long.sum())
    shown = [line.strip() for line in str(builder.graph()).splitlines()]
    assert "input 'a name': float32[N,2,9,9]  # %0" in shown
    assert "%5: float32[N,2,9,9] = Mul('a name', %4)  # layer" in shown
    assert "%4: float32[N,2,9,9] = Broadcast(0.5, shape=('N', 2, 9, 9))  # layer" in shown
    assert "%6: float32[N,2,7,7] = Conv(%5, w)  # layer" in shown
    assert "%8: float32[N,2,4,4] = Conv('a name', v, stride=2, padding=((1, 0), (0, 1)), groups=2)" in shown
    assert "constant %2: float32[100] = Constant([ 0., 1., 2.,...,97.,98.,99.], float32)" in shown


def test_every_source_is_printed_or_stands_where_it_is_read() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 4))
    places = builder.add(Iota(4, DType.float32))[0]
    builder.output("y", x * places + 1.0)
    shown = str(builder.graph())
    assert "%1: float32[4] = Iota(size=4, dtype=float32)" in shown
    assert "Broadcast(%1, " in shown
