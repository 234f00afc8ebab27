"""An operator's outputs and gradients on a backend, and the same from PyTorch's own autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.operators.base import Operator
from raygrad.workers.kernels.base import Backend
from tests.evaluate import Array, evaluate

Cotangents = Mapping[int, Array]
"""Cotangents by the output they belong to; the other outputs have none."""


def drawn(*shape: int, seed: int = 0) -> Array:
    """Normally distributed float64 numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def ours(
    operator: Operator, arrays: Sequence[Array], cotangents: Cotangents, backend: Backend
) -> dict[str, Array]:
    """Outputs y0, y1, …, and the gradient of Σ⟨cotangent, output⟩ by each floating-point input: g0, …"""
    builder = Builder()
    xs = [builder.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    ys = builder.add(operator, xs)
    seeds = {ys[i]: builder.input(f"c{i}", c.shape, c.dtype) for i, c in cotangents.items()}
    for i, y in enumerate(ys):
        builder.output(f"y{i}", y)
    for i, found in enumerate(gradients(seeds, xs)):
        if found is not None:
            builder.output(f"g{i}", found)
    feeds = {f"x{i}": a for i, a in enumerate(arrays)} | {f"c{i}": c for i, c in cotangents.items()}
    return evaluate(builder.graph(), feeds, backend)


def theirs(function: Callable[..., Any], arrays: Sequence[Array], cotangents: Cotangents) -> dict[str, Array]:
    """The same from a function of torch tensors that returns one tensor or a tuple of them."""
    xs = [torch.from_numpy(a.copy()) for a in arrays]
    floating = [i for i, x in enumerate(xs) if x.is_floating_point()]
    for i in floating:
        xs[i].requires_grad_()
    ys = function(*xs)
    ys = ys if isinstance(ys, tuple) else (ys,)
    seeds = [torch.from_numpy(c) for c in cotangents.values()]
    found = torch.autograd.grad([ys[i] for i in cotangents], [xs[i] for i in floating], seeds)
    outputs = {f"y{i}": y.detach().numpy() for i, y in enumerate(ys)}
    return outputs | {f"g{i}": g.numpy() for i, g in zip(floating, found, strict=True)}


def assert_same(found: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float = 1e-12) -> None:
    """Equal names, shapes and, relative to each array's largest element, values."""
    assert sorted(found) == sorted(expected)
    for name, b in expected.items():
        assert found[name].shape == b.shape, name
        scale = np.abs(b).max(initial=0.0)
        np.testing.assert_allclose(found[name], b, rtol=tolerance, atol=tolerance * scale, err_msg=name)
