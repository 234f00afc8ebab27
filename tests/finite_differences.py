"""Gradients against central finite differences in float64.

A graph y = f(x) is checked along random directions: for random cotangents c and a direction v of one
input, d/dt ⟨c, f(x + t·v)⟩ at t = 0 must be ⟨∇⟨c, f(x)⟩, v⟩. The graph of the gradient is a graph again,
with the cotangents among its inputs, so checking that one checks second derivatives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value
from raygrad.workers.kernels.numpy import NumpyBackend
from tests.evaluate import Array, evaluate

STEP = 1e-4  # a stencil of fourth order: truncation 1e-17, rounding 1e-12, both relative to f's scale
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
NUMPY = NumpyBackend()


@dataclass(frozen=True)
class Differentiable:
    """A bound graph with its feeds: the floating-point outputs as functions of the floating-point inputs."""

    graph: Graph
    feeds: Mapping[str, Array]

    @property
    def inputs(self) -> list[str]:
        return [n for n, node in self.graph.inputs.items() if node.types[0].dtype is DType.float64]

    @property
    def outputs(self) -> list[str]:
        return [n for n, ref in self.graph.outputs.items() if self.graph.type(ref).dtype is DType.float64]

    def gradient(self, outputs: Collection[str], rng: np.random.Generator) -> Differentiable:
        """The gradient of ⟨c, outputs⟩ by each input, with the cotangents c as inputs: another function."""
        builder = Builder(self.graph)
        level = sum(name.startswith("c") for name in self.graph.inputs)
        seeds = {}
        for i, name in enumerate(outputs):
            y = Value(builder, self.graph.outputs[name])
            seeds[y] = builder.input(f"c{level + i}", y.shape, DType.float64)
        found = gradients(seeds, [builder.values(self.graph.inputs[n].id)[0] for n in self.inputs])
        refs = {f"d{n}": v.ref for n, v in zip(self.inputs, found, strict=True) if v is not None}
        cotangents = {input_name(c): rng.standard_normal(c.type.static) for c in seeds.values()}
        return Differentiable(Graph(builder.graph().nodes, refs), {**self.feeds, **cotangents})

    def values(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return evaluate(self.graph, feeds, NUMPY)


def input_name(value: Value) -> str:
    """The name of an input."""
    return str(vars(value.builder.node(value.ref.node).operator)["tensor"])


def check_gradient(
    f: Differentiable, rng: np.random.Generator, tolerance: float, outputs: Collection[str] | None = None
) -> Differentiable:
    """Assert that autodiff's gradient of `f` is that of finite differences; returns the gradient's graph.

    `outputs` are those that get a cotangent (all by default). The tolerance is relative to the terms of
    the inner products that are compared.
    """
    chosen = f.outputs if outputs is None else outputs
    gradient = f.gradient(chosen, rng)
    found = gradient.values(gradient.feeds)
    cotangents = dict(zip(chosen, _cotangents(f, gradient), strict=True))
    for name in f.inputs:
        direction = rng.standard_normal(f.feeds[name].shape)
        direction /= max(np.abs(direction).max(initial=0.0), 1e-300)
        slope, scale = _slope(f, name, direction, cotangents)
        terms = found.get(f"d{name}", np.zeros_like(direction)) * direction
        assert np.isfinite(terms).all(), f"the gradient by {name} is not finite"
        error = abs(slope - terms.sum())
        allowed = tolerance * (np.abs(terms).sum() + abs(slope)) + 1e-10 * scale
        assert error <= allowed, f"by {name}: finite differences give {slope}, autodiff {terms.sum()}"
    return gradient


def _cotangents(f: Differentiable, gradient: Differentiable) -> list[Array]:
    return [array for name, array in gradient.feeds.items() if name not in f.feeds]


def _slope(
    f: Differentiable, name: str, direction: Array, cotangents: Mapping[str, Array]
) -> tuple[float, float]:
    """The derivative of ⟨c, f⟩ along the direction, and the size of what it was taken from."""
    slope, scale = 0.0, 0.0
    for steps, weight in STENCIL:
        moved = {**f.feeds, name: np.asarray(f.feeds[name] + steps * STEP * direction)}
        values = f.values(moved)
        terms = [values[o] * c for o, c in cotangents.items()]
        slope += weight * sum(float(t.sum()) for t in terms) / STEP
        scale = max(scale, sum(float(np.abs(t).sum()) for t in terms))
    return slope, scale
