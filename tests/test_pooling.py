"""Pooling against PyTorch's autograd and against its definition; ties, NaN and padding on every backend."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.operators.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from tests.backends import every_backend
from tests.derivatives import assert_same, drawn, ours, theirs
from tests.evaluate import Array, run

MAX = (torch.nn.functional.max_pool1d, torch.nn.functional.max_pool2d, torch.nn.functional.max_pool3d)
AVERAGE = (torch.nn.functional.avg_pool1d, torch.nn.functional.avg_pool2d, torch.nn.functional.avg_pool3d)
SIZES = (7, 6, 5)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(2, 2, 0, 1), (3, 1, 1, 1), (3, 2, 1, 2)]
)
@every_backend
def test_max_agrees_with_pytorch(
    axes: int, kernel: int, stride: int, padding: int, dilation: int, backend: Backend
) -> None:
    op = MaxPool((stride,) * axes, ((padding, padding),) * axes, (kernel,) * axes, (dilation,) * axes)

    def reference(x: Any) -> Any:
        return MAX[axes - 1](x, kernel, stride, padding, dilation, return_indices=True)

    x = drawn(2, 3, *SIZES[:axes])
    g = drawn(*reference(torch.from_numpy(x))[0].shape, seed=1)
    assert_same(ours(op, [x], {0: g}, backend), theirs(reference, [x], {0: g}))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (3, 2, 1)])
@pytest.mark.parametrize("count_include_pad", [True, False])
@every_backend
def test_average_agrees_with_pytorch(
    axes: int, kernel: int, stride: int, padding: int, count_include_pad: bool, backend: Backend
) -> None:
    op = AvgPool((stride,) * axes, ((padding, padding),) * axes, (kernel,) * axes, count_include_pad)

    def reference(x: Any) -> Any:
        return AVERAGE[axes - 1](x, kernel, stride, padding, count_include_pad=count_include_pad)

    x = drawn(2, 3, *SIZES[:axes])
    g = drawn(*reference(torch.from_numpy(x)).shape, seed=1)
    assert_same(ours(op, [x], {0: g}, backend), theirs(reference, [x], {0: g}))


def by_definition(op: MaxPool, x: Array) -> tuple[Array, Array]:
    """Window by window, element by element."""
    sizes = x.shape[2:]
    y_type, _ = op.infer(TensorType(x.shape, DType.of(x.dtype)))
    y, indices = np.empty(y_type.static), np.empty(y_type.static, dtype=np.int64)
    for position in np.ndindex(*y_type.static):
        best: tuple[float, int] | None = None
        for offsets in itertools.product(*map(range, op.kernel)):
            axes = zip(position[2:], op.stride, op.padding, offsets, op.dilation, strict=True)
            place = [i * s - before + o * d for i, s, (before, _), o, d in axes]
            if all(0 <= p < size for p, size in zip(place, sizes, strict=True)):
                value = x[(*position[:2], *place)]
                if best is None or value > best[0] or np.isnan(value):
                    best = value, int(np.ravel_multi_index(place, sizes))
        assert best is not None
        y[position], indices[position] = best
    return y, indices


POOLINGS = [
    MaxPool((2, 2), ((0, 0), (0, 0)), (2, 2), (1, 1)),
    MaxPool((1, 2), ((1, 1), (1, 1)), (3, 3), (1, 1)),
    MaxPool((1, 2), ((0, 1), (2, 0)), (2, 3), (1, 1)),
    MaxPool((2, 1), ((2, 2), (1, 2)), (3, 3), (1, 1)),
    MaxPool((2, 1), ((2, 1), (0, 3)), (3, 2), (2, 3)),
    MaxPool((2,), ((0, 2),), (3,), (2,)),
    MaxPool((2,), ((1, 1),), (3,), (1,)),
    MaxPool((2, 1, 2), ((1, 1), (0, 0), (1, 1)), (3, 2, 2), (1, 2, 1)),
    MaxPool((1, 1, 2), ((0, 1), (2, 0), (1, 1)), (2, 3, 2), (1, 2, 1)),
]


@pytest.mark.parametrize("op", POOLINGS, ids=repr)
@pytest.mark.parametrize("content", ["distinct", "ties", "NaN", "all -inf"])
@every_backend
def test_max_follows_its_definition(op: MaxPool, content: str, backend: Backend) -> None:
    x = drawn(2, 8, *(5, 6, 4)[: len(op.kernel)])
    if content == "ties":
        x = np.round(x)
    elif content == "NaN":
        x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    elif content == "all -inf":
        x[:, ::2] = -np.inf
    y, indices = by_definition(op, x)
    found = run(op, [x], backend)
    np.testing.assert_array_equal(found[0], y)
    np.testing.assert_array_equal(found[1], indices)


@every_backend
def test_nan_reaches_the_output_and_its_gradient_goes_to_the_nan(backend: Backend) -> None:
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, 1, 2] = np.nan
    op = MaxPool((2, 2), ((0, 0), (0, 0)), (2, 2), (1, 1))
    found = ours(op, [x], {0: np.ones((1, 1, 1, 2))}, backend)
    np.testing.assert_array_equal(found["y0"][0, 0, 0], [0.0, np.nan])
    np.testing.assert_array_equal(found["g0"][0, 0], [[1, 0, 0, 0], [0, 0, 1, 0]])


@every_backend
@pytest.mark.parametrize("padding", [(0, 0), (0, 1)])
@pytest.mark.parametrize("bad", [-1, 16, 2**62, -(2**63)])
def test_an_index_outside_of_the_plane_is_refused(
    backend: Backend, padding: tuple[int, int], bad: int
) -> None:
    op = MaxPoolGrad((2, 2), (padding, padding), (2, 2), (1, 1), (4, 4))
    indices = np.zeros((1, 1, 2, 2), dtype=np.int64)
    indices[0, 0, 1, 0] = bad
    with pytest.raises(ValueError, match="within 0 to 15"):
        run(op, [np.ones((1, 1, 2, 2), dtype=np.float32), indices], backend)


def f32(*shape: int | str) -> TensorType:
    return TensorType(shape, DType.float32)


def test_named_sizes_pass_where_they_can_be_expressed() -> None:
    same = AvgPool((1, 1), ((1, 1), (1, 1)), (3, 3), True)
    assert same.infer(f32("N", "C", "H", "W")) == f32("N", "C", "H", "W")
    halves = MaxPool((2, 2), ((0, 0), (0, 0)), (2, 2), (1, 1))
    assert halves.infer(f32("N", "C", 5, 6))[1] == TensorType(("N", "C", 2, 3), DType.int64)
    with pytest.raises(SizeError, match="MaxPool cannot express"):
        halves.infer(f32("N", 3, "H", 6))


@pytest.mark.parametrize(
    ("padding", "kernel", "dilation", "size"),
    [((2, 0), 2, 1, 5), ((0, 2), 2, 1, 5), ((1, 1), 2, 3, 2), ((3, 3), 3, 1, 4), ((5, 4), 3, 4, 1)],
)
def test_a_window_of_padding_alone_is_refused(
    padding: tuple[int, int], kernel: int, dilation: int, size: int
) -> None:
    with pytest.raises(TypeMismatchError, match="padding alone"):
        MaxPool((1,), (padding,), (kernel,), (dilation,)).infer(f32(1, 1, size))


def test_countless_windows_with_gaps_are_counted_at_once() -> None:
    """To look at each of 2³⁹ would keep whoever checks a document busy for hours."""
    padding, kernel = (3 << 39, 3 * ((1 << 40) - 1)), 1 << 40
    assert MaxPool((3,), (padding,), (kernel,), (3,)).infer(f32(1, 1, 2))[0] == f32(1, 1, (1 << 39) + 1)
    with pytest.raises(TypeMismatchError, match="padding alone"):
        MaxPool((2,), (padding,), (kernel,), (3,)).infer(f32(1, 1, 2))


def test_no_channels_are_refused() -> None:
    """PyTorch does not pool them."""
    with pytest.raises(TypeMismatchError, match="no channels"):
        MaxPool((1,), ((0, 0),), (1,), (1,)).infer(f32(1, 0, 3))


def test_windows_that_step_over_a_short_axis() -> None:
    assert MaxPool((1,), ((2, 2),), (3,), (2,)).infer(f32(1, 1, 1))[0] == f32(1, 1, 1)


def test_flops_count_every_element_of_every_window() -> None:
    x, y = f32(2, 3, 6, 6), f32(2, 3, 8, 8)
    windows = (1, 1), ((2, 2), (2, 2)), (3, 3)
    for op in (MaxPool(*windows, (1, 1)), AvgPool(*windows, True)):
        assert op.flops([x], op.infer_types([x])) == 2 * 3 * 64 * 9
    assert AvgPoolGrad(*windows, True, (6, 6)).flops([y], [x]) == 2 * 3 * 64 * 9
    assert MaxPoolGrad(*windows, (1, 1), (6, 6)).flops([y, y], [x]) == 2 * 3 * 64
