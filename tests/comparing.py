"""A function of values against the same function of torch tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.value import Value
from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.numpy import NumpyBackend
from tests.evaluate import Array, evaluate

NUMPY = NumpyBackend()


def compare(
    ours: Callable[..., Value],
    theirs: Callable[..., Any],
    arrays: tuple[Array, ...],
    backend: Backend = NUMPY,
) -> None:
    """Assert that values and gradients of ⟨c, f⟩ by every floating-point input agree with PyTorch's."""
    rng = np.random.default_rng(0)
    builder = Builder()
    inputs = [builder.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    y = builder.output("y", ours(*inputs))
    tensors = [torch.tensor(a, requires_grad=a.dtype == np.float64) for a in arrays]
    expected = theirs(*tensors)
    cotangent = rng.standard_normal(tuple(expected.shape))
    floating = [i for i, a in enumerate(arrays) if a.dtype == np.float64]
    found = gradients({y: builder.input("c", cotangent.shape, "float64")}, [inputs[i] for i in floating])
    for i, gradient in zip(floating, found, strict=True):
        assert gradient is not None
        builder.output(f"d{i}", gradient)
    feeds = {f"x{i}": a for i, a in enumerate(arrays)} | {"c": cotangent}
    results = evaluate(builder.graph(), feeds, backend)
    np.testing.assert_allclose(results["y"], expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    expected.backward(torch.tensor(cotangent))
    for i in floating:
        grad = tensors[i].grad
        assert grad is not None
        np.testing.assert_allclose(results[f"d{i}"], grad.numpy(), rtol=1e-10, atol=1e-11)
