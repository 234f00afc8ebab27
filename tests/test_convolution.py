"""Convolution against PyTorch's autograd, its types, its cost, and what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from raygrad.proto.errors import GraphError, SizeError, TypeMismatchError
from raygrad.proto.operators.convolution import Conv, ConvInputGrad, ConvWeightGrad
from raygrad.proto.operators.window import Padding
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.numpy import convolution as numpy_convolution
from tests.backends import NUMPY, every_backend
from tests.derivatives import assert_same, drawn, ours, theirs
from tests.evaluate import run

FUNCTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


def reference(op: Conv) -> Any:
    """The operator in PyTorch's words; padding is written out first, last axis first."""
    widths = list(itertools.chain(*reversed(op.padding)))
    function = FUNCTIONS[len(op.stride) - 1]

    def call(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        padded = torch.nn.functional.pad(x, widths)
        return function(padded, w, bias, stride=op.stride, dilation=op.dilation, groups=op.groups)

    return call


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (0, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
@every_backend
def test_agrees_with_pytorch(
    axes: int, stride: int, padding: tuple[int, int], dilation: int, groups: int, backend: Backend
) -> None:
    op = Conv((stride,) * axes, (padding,) * axes, (dilation,) * axes, groups)
    x, w, bias = drawn(3, 4, *(6, 5, 7)[:axes]), drawn(6, 4 // groups, *(3, 2, 1)[:axes], seed=1), drawn(6)
    g = drawn(*reference(op)(torch.from_numpy(x), torch.from_numpy(w)).shape, seed=2)
    assert_same(ours(op, [x, w, bias], {0: g}, backend), theirs(reference(op), [x, w, bias], {0: g}))


@every_backend
def test_depthwise_and_pointwise(backend: Backend) -> None:
    for op, w in (
        (Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 4), drawn(8, 1, 3, 3)),
        (Conv((2, 2), ((0, 0), (0, 0)), (1, 1), 1), drawn(8, 4, 1, 1)),
    ):
        x = drawn(2, 4, 5, 5)
        g = drawn(*reference(op)(torch.from_numpy(x), torch.from_numpy(w)).shape, seed=2)
        assert_same(ours(op, [x, w], {0: g}, backend), theirs(reference(op), [x, w], {0: g}))


@every_backend
@pytest.mark.parametrize("dtype", [np.float16, DType.bfloat16.numpy], ids=str)
def test_half_precision_is_rounded_once(backend: Backend, dtype: Any) -> None:
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    x, w = drawn(2, 16, 6, 6).astype(dtype), drawn(4, 16, 3, 3, seed=1).astype(dtype)
    (exact,) = run(op, [x.astype(np.float64), w.astype(np.float64)], NUMPY)
    (found,) = run(op, [x, w], backend)
    assert found.dtype == dtype
    eps = 2.0**-8 if dtype == DType.bfloat16.numpy else 2.0**-11
    np.testing.assert_allclose(found.astype(np.float64), exact, rtol=1.01 * eps, atol=1e-4)


def test_blocks_of_the_batch_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    x, w, g = drawn(7, 3, 6, 6), drawn(4, 3, 3, 3), drawn(7, 4, 6, 6)
    whole = ours(op, [x, w], {0: g}, NUMPY)
    monkeypatch.setattr(numpy_convolution, "BLOCK_BYTES", 3 * 8 * 27 * 36)
    assert_same(ours(op, [x, w], {0: g}, NUMPY), whole, tolerance=1e-14)


@every_backend
def test_an_empty_batch(backend: Backend) -> None:
    op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    x, w = np.zeros((0, 3, 6, 6)), drawn(4, 3, 3, 3)
    found = ours(op, [x, w], {0: np.zeros((0, 4, 6, 6))}, backend)
    assert (found["y0"].shape, found["g0"].shape) == ((0, 4, 6, 6), x.shape)
    np.testing.assert_array_equal(found["g1"], np.zeros_like(w))


def f32(*shape: int | str) -> TensorType:
    return TensorType(shape, DType.float32)


def conv(stride: int = 1, padding: tuple[int, int] = (0, 0), dilation: int = 1, groups: int = 1) -> Conv:
    both: Padding = (padding, padding)
    return Conv((stride, stride), both, (dilation, dilation), groups)


def test_named_sizes_pass_where_they_can_be_expressed() -> None:
    same = conv(padding=(2, 2), dilation=2)
    assert same.infer(f32("N", 3, "H", "W"), f32(8, 3, 3, 3)) == f32("N", 8, "H", "W")
    assert conv(stride=2).infer(f32("N", 3, 9, 8), f32(8, 3, 3, 3)) == f32("N", 8, 4, 3)
    for op in (conv(stride=2, padding=(1, 1)), conv()):
        with pytest.raises(SizeError, match=r"Conv cannot express .* give a number for 'H'"):
            op.infer(f32("N", 3, "H", 8), f32(8, 3, 3, 3))


def test_binding_replaces_the_sizes_of_the_adjoint() -> None:
    op = ConvInputGrad((1, 1), ((1, 1), (1, 1)), (1, 1), 1, ("H", "W"))
    bound = op.bind({"H": 5, "W": 6})
    assert bound.infer_types([f32(2, 8, 5, 6), f32(8, 3, 3, 3)]) == (f32(2, 3, 5, 6),)


@pytest.mark.parametrize(
    ("op", "x", "w"),
    [
        (conv(), f32(2, 3, 9, 9), f32(8, 4, 3, 3)),
        (conv(groups=2), f32(2, 4, 9, 9), f32(7, 2, 3, 3)),
        (conv(groups=0), f32(2, 4, 9, 9), f32(8, 4, 3, 3)),
        (conv(stride=0), f32(2, 3, 9, 9), f32(8, 3, 3, 3)),
        (conv(dilation=-1), f32(2, 3, 9, 9), f32(8, 3, 3, 3)),
        (conv(padding=(0, -1)), f32(2, 3, 9, 9), f32(8, 3, 3, 3)),
        (conv(), f32(2, 3, 9), f32(8, 3, 3)),
        (conv(), f32(2, 3, 9, 9), f32(8, 3, 3)),
        (conv(), f32(2, 3, 2, 9), f32(8, 3, 3, 3)),
        (conv(), f32(2, 3, 9, 9), TensorType((8, 3, 3, 3), DType.float64)),
        (conv(), TensorType((2, 3, 9, 9), DType.int32), TensorType((8, 3, 3, 3), DType.int32)),
        (conv(), f32(2, 3), f32(8, 3)),
        (conv(), f32(2, 0, 9, 9), f32(8, 0, 3, 3)),
        (conv(), f32(2, 3, 9, 9), f32(0, 3, 3, 3)),
        (conv(padding=(2, 2)), f32(2, 3, 0, 9), f32(8, 3, 3, 3)),
    ],
)
def test_what_does_not_fit_is_refused(op: Conv, x: TensorType, w: TensorType) -> None:
    with pytest.raises(TypeMismatchError):
        op.infer_types([x, w])


def test_the_adjoints_check_what_the_convolution_would_give() -> None:
    with pytest.raises(TypeMismatchError):
        ConvInputGrad((1,), ((0, 0),), (1,), 1, (9,)).infer(f32(2, 8, 6), f32(8, 3, 3))
    with pytest.raises(TypeMismatchError):
        ConvWeightGrad((1,), ((0, 0),), (1,), 2, (3,)).infer(f32(2, 3, 9), f32(2, 8, 7))
    with pytest.raises(GraphError):
        ConvWeightGrad((1,), ((0, 0),), (1,), 0, (3,)).infer(f32(2, 3, 9), f32(2, 8, 7))


def test_flops_count_multiply_adds_twice() -> None:
    x, w, y = f32(64, 16, 32, 32), f32(32, 8, 3, 3), f32(64, 32, 32, 32)
    op = conv(padding=(1, 1), groups=2)
    expected = 2 * 64 * 32 * 32 * 32 * 8 * 9
    assert op.flops([x, w], [y]) == expected
    assert op.flops([x, w, f32(32)], [y]) == expected + y.elements
    adjoint = (op.stride, op.padding, op.dilation, op.groups)
    assert ConvInputGrad(*adjoint, (32, 32)).flops([y, w], [x]) == expected
    assert ConvWeightGrad(*adjoint, (3, 3)).flops([x, y], [w]) == expected
