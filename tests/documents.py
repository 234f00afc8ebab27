"""Documents and graphs that several tests read, among them one written by hand, as a foreign client would."""

from typing import Any

import msgpack

from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators.elementwise import LeakyRelu

Plain = dict[str, Any]


def linear() -> Graph:
    """A small graph with each kind of source, a home, labels, two outputs of one node and a named size."""
    g = Builder()
    x, w = g.input("x", ("N", 4)), g.parameter("w", (4, 3))
    with g.label("linear"):
        y = x @ w + g.buffer("b", (3,)) * g.constant(-0.0)
    with g.at(y.ref.node), g.label("beside"):
        beside = LeakyRelu(float("nan"))(y)
    g.output("y", beside)
    g.output("loss", y.square().mean())
    return g.graph()


def plain_linear() -> Plain:
    """A document as a client in any language would write it, by hand."""
    return {
        "version": 1,
        "nodes": [
            {"op": "Input", "attributes": {"tensor": "x", "shape": ["N", 4], "dtype": "float32"}},
            {"op": "Parameter", "attributes": {"tensor": "w", "shape": [4, 3], "dtype": "float32"}},
            {"op": "MatMul", "inputs": [[0, 0], [1, 0]], "label": "linear"},
            {"op": "LeakyRelu", "attributes": {"slope": 0}, "inputs": [[2, 0]], "home": 2},
            {"op": "Sum", "attributes": {"axes": [0, 1.0]}, "inputs": [[3, 0]]},
        ],
        "outputs": [["loss", 4, 0]],
    }


def changed(**changes: Any) -> bytes:
    return pack({**plain_linear(), **changes})


def with_node(*nodes: Plain) -> bytes:
    """The hand-written document with more nodes behind its five."""
    return changed(nodes=[*plain_linear()["nodes"], *nodes])


def pack(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(plain)
    return packed
