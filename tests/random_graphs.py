"""Random graphs for plans: skips, shared parameters, views, broadcasts, several outputs, any placement."""

from __future__ import annotations

import random

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.linear import MatMul
from raygrad.proto.operators.random import Dropout
from raygrad.proto.operators.reduction import Sum
from raygrad.proto.operators.shape import Concatenate, Slice, Split, Transpose
from raygrad.proto.plan import Placement
from raygrad.proto.value import Value

from .plan_interpreter import Tensors

ROWS, COLUMNS = "N", 4
SIZES = (("N", 3),)


def random_graph(seed: int, steps: int = 14) -> Graph:
    """A graph of about `steps` operators on matrices (N, 4), with a scalar output called loss."""
    rng = random.Random(seed)
    g = Builder()
    x = g.input("x", (ROWS, COLUMNS), "float64")
    pool = [x, g.input("t", (ROWS, COLUMNS), "float64")]
    square = [g.parameter(f"w{i}", (COLUMNS, COLUMNS), "float64") for i in range(3)]
    rows = [g.parameter(f"b{i}", (COLUMNS,), "float64") for i in range(2)] + [
        g.buffer("c", (COLUMNS,), "float64")
    ]
    for _ in range(steps):
        step = rng.choice([_unary, _binary, _project, _shift, _center, _swap, _stretch, _scale, _drop])
        pool.append(step(rng, rng.choice(pool[-4:]), pool, square, rows))
    g.output("y", rng.choice(pool[2:]))
    g.output("loss", sum((v for v in rng.sample(pool[2:], 2)), start=pool[-1]).square().mean())
    if rng.random() < 0.3:
        g.output("same x", x)
    if rng.random() < 0.3:
        g.output("same w", square[0])
    return g.graph()


def _unary(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    made: Value = rng.choice([ew.Tanh(), ew.Relu(), ew.Neg(), ew.Sigmoid()])(x)
    return made


def _binary(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    made: Value = rng.choice([ew.Add(), ew.Mul(), ew.Sub(), ew.Maximum()])(x, rng.choice(pool))
    return made


def _project(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    made: Value = MatMul(False, rng.random() < 0.5)(x, rng.choice(w))
    return made


def _shift(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    return x + rng.choice(b)


def _center(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    """A reduction and its broadcast, which other values share."""
    total: Value = Sum((1,))(x)
    return rng.choice(pool) * total.reshape((ROWS, 1)).broadcast_to((ROWS, COLUMNS)) * 0.25


def _swap(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    """Through an operator of several outputs, one of which may go unused."""
    left, right = Split(1, (1, 3))(x)
    made: Value = Concatenate(1)(right, rng.choice([left, Sum((1,))(right).reshape((ROWS, 1))]))
    return made


def _stretch(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    """Views of views."""
    made: Value = Transpose((1, 0))(Slice((0, 3), (ROWS, COLUMNS), (1, -1))(x))
    return made.reshape((COLUMNS, ROWS)).transpose() * rng.choice([2.0, -0.5])


def _scale(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    """By a number that all of another value makes."""
    return x * ew.Tanh()(rng.choice(pool).mean())  # type: ignore[no-any-return]


def _drop(rng: random.Random, x: Value, pool: list[Value], w: list[Value], b: list[Value]) -> Value:
    """What the mini-batch's key drops, wherever this and its backward pass run."""
    made: Value = Dropout(x.builder.stream(), 0.25)(x, x.builder.random_key())
    return made


def homes(graph: Graph) -> list[int]:
    """The forward nodes that need a place."""
    return [n.id for n in graph if not n.operator.source]


def random_placement(seed: int, graph: Graph, stages: int) -> Placement:
    """Each node anywhere: the stages form no chain."""
    rng = random.Random(seed)
    return Placement({n: rng.randrange(stages) for n in homes(graph)}, stages)


def even_placement(graph: Graph, stages: int) -> Placement:
    """Runs of equal length."""
    nodes = homes(graph)
    return Placement({n: i * stages // len(nodes) for i, n in enumerate(nodes)}, stages)


def random_tensors(seed: int, graph: Graph) -> Tensors:
    """Inputs, parameters and cotangents of every output."""
    draw = np.random.default_rng(seed).standard_normal
    bound = graph.bind(dict(SIZES))
    return Tensors(
        feeds={name: draw(n.types[0].static) for name, n in bound.inputs.items()},
        parameters={
            name: draw(n.types[0].static) * 0.5
            for name, n in (*bound.parameters.items(), *bound.buffers.items())
        },
        cotangents={name: draw(bound.type(ref).static) for name, ref in bound.outputs.items()},
    )
