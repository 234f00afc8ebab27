"""Batch normalization against PyTorch's autograd: its outputs, its statistics, and their cotangents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators.normalization import BatchNorm, BatchNormGrad, BatchNormInference
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from tests.backends import NUMPY, every_backend
from tests.derivatives import assert_same, drawn, ours, theirs
from tests.evaluate import run

every_rank = pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (4, 3, 5, 2), (2, 3, 2, 3, 2)], ids=str)
EPS = 1e-3


def reference(x: Any, weight: Any, bias: Any) -> Any:
    axes = (0, *range(2, x.ndim))
    y = torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)
    return y, x.mean(axes), x.var(axes, correction=0)


@every_rank
@pytest.mark.parametrize("seeded", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
@every_backend
def test_training_agrees_with_pytorch(
    shape: tuple[int, ...], seeded: tuple[int, ...], backend: Backend
) -> None:
    arrays = [drawn(*shape) + 2, drawn(3, seed=1), drawn(3, seed=2)]
    cotangents = {i: drawn(*(shape if i == 0 else (3,)), seed=3 + i) for i in seeded}
    expected = theirs_with_none(arrays, cotangents)
    assert_same(ours(BatchNorm(EPS), arrays, cotangents, backend), expected, tolerance=1e-11)


def theirs_with_none(arrays: list[Any], cotangents: dict[int, Any]) -> dict[str, Any]:
    """The statistics do not depend on weight and bias."""
    if 0 in cotangents:
        return theirs(reference, arrays, cotangents)
    weight, bias = (torch.from_numpy(a) for a in arrays[1:])
    return theirs(lambda x: reference(x, weight, bias), arrays[:1], cotangents)


@every_rank
@every_backend
def test_inference_agrees_with_pytorch(shape: tuple[int, ...], backend: Backend) -> None:
    arrays = [drawn(*shape), drawn(3, seed=1), drawn(3, seed=2), drawn(3, seed=3), np.array([0.5, 1.0, 2.0])]

    def definition(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        along = (1, -1, *[1] * (x.ndim - 2))
        mean, variance, weight, bias = (c.reshape(along) for c in (mean, variance, weight, bias))
        return (x - mean) / torch.sqrt(variance + EPS) * weight + bias

    g = {0: drawn(*shape, seed=4)}
    assert_same(ours(BatchNormInference(EPS), arrays, g, backend), theirs(definition, arrays, g))


@every_backend
def test_a_small_variance_keeps_its_digits(backend: Backend) -> None:
    """It is far below eps: whoever takes it back out of 1/√(variance + eps) finds nothing."""
    x = (1e-4 * drawn(64, 2, 4, 4)).astype(np.float32)
    one = np.ones(2, dtype=np.float32)
    _, _, variance = run(BatchNorm(1e-1), [x, one, one], backend)
    np.testing.assert_allclose(variance, x.astype(np.float64).var((0, 2, 3)), rtol=1e-5)


@every_backend
@pytest.mark.parametrize("dtype", [np.float16, DType.bfloat16.numpy], ids=str)
def test_half_precision(backend: Backend, dtype: Any) -> None:
    """Sums of 2048 terms and more would stand still in half precision."""
    x = (drawn(64, 2, 8, 8) + 1).astype(dtype)
    weight, bias = np.ones(2, dtype=dtype), np.zeros(2, dtype=dtype)
    g = drawn(*x.shape, seed=1).astype(dtype)
    found = ours(BatchNorm(EPS), [x, weight, bias], {0: g}, backend)
    wide, wide_g = [a.astype(np.float64) for a in (x, weight, bias)], g.astype(np.float64)
    exact = ours(BatchNorm(EPS), wide, {0: wide_g}, NUMPY)
    assert {a.dtype for a in found.values()} == {np.dtype(dtype)}
    assert_same({name: a.astype(np.float64) for name, a in found.items()}, exact, tolerance=2e-2)


@every_backend
def test_an_empty_batch_has_no_statistics_and_gradients_of_zero(backend: Backend) -> None:
    """PyTorch refuses the one, and ends the process at the other."""
    x, channel = np.zeros((0, 2, 3)), np.ones(2)
    y, mean, variance = run(BatchNorm(EPS), [x, channel, channel], backend)
    assert (y.shape, mean.shape) == (x.shape, (2,))
    assert np.isnan([mean, variance]).all()
    by_x, by_weight, by_bias = run(BatchNormGrad(EPS), [x, x, channel, channel, channel], backend)
    assert by_x.shape == x.shape
    np.testing.assert_array_equal([by_weight, by_bias], np.zeros((2, 2)))


def test_what_does_not_fit_is_refused() -> None:
    x, channel = TensorType(("N", 3, 4), DType.float32), TensorType((3,), DType.float32)
    assert BatchNorm(EPS).infer(x, channel, channel) == (x, channel, channel)
    for bad in (
        TensorType((4,), DType.float32),
        TensorType((3,), DType.float64),
        TensorType((), DType.float32),
    ):
        with pytest.raises(TypeMismatchError):
            BatchNorm(EPS).infer(x, channel, bad)
    with pytest.raises(TypeMismatchError):
        BatchNorm(EPS).infer(channel, channel, channel)
    with pytest.raises(TypeMismatchError):
        BatchNormGrad(EPS).infer(x.of_shape(("M", 3, 4)), x, channel, channel, channel)
