"""Log-softmax and cross-entropy against PyTorch's autograd, with logits and labels that are hard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators.loss import CrossEntropy, CrossEntropyGrad, LogSoftmax
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from tests.backends import every_backend
from tests.derivatives import assert_same, drawn, ours, theirs
from tests.evaluate import run


@every_backend
@pytest.mark.parametrize(("shape", "axis"), [((5,), 0), ((4, 6), 1), ((4, 6, 3), 1), ((2, 3, 4, 5), 1)])
def test_log_softmax_agrees_with_pytorch(backend: Backend, shape: tuple[int, ...], axis: int) -> None:
    g = {0: drawn(*shape, seed=1)}
    expected = theirs(lambda x: torch.log_softmax(x, axis), [drawn(*shape)], g)
    assert_same(ours(LogSoftmax(axis), [drawn(*shape)], g, backend), expected)


@every_backend
@pytest.mark.parametrize("rows", [(), (7,), (3, 4)])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_cross_entropy_agrees_with_pytorch(backend: Backend, rows: tuple[int, ...], dtype: Any) -> None:
    x, g = drawn(*rows, 5), {0: drawn(*rows, seed=1)}
    labels = np.random.default_rng(2).integers(0, 5, rows).astype(dtype)

    def reference(x: Any, labels: Any) -> Any:
        losses = torch.nn.functional.cross_entropy(
            x.reshape(-1, 5), labels.long().reshape(-1), reduction="none"
        )
        return losses.reshape(rows)

    expected = theirs(reference, [x, np.asarray(labels)], g)
    assert_same(ours(CrossEntropy(), [x, np.asarray(labels)], g, backend), expected)


@every_backend
def test_large_logits_neither_overflow_nor_lose_the_label(backend: Backend) -> None:
    x = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4], [0.0, -np.inf, 0.0]], dtype=np.float32)
    found = ours(CrossEntropy(), [x, np.array([1, 2, 0])], {0: np.ones(3, dtype=np.float32)}, backend)
    np.testing.assert_allclose(found["y0"], [1e4, np.log(3), np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(found["g0"], [[1, -1, 0], [1 / 3, 1 / 3, -2 / 3], [-0.5, 0, 0.5]], atol=1e-6)


@every_backend
@pytest.mark.parametrize("bad", [-1, 5, -100])
def test_a_label_out_of_range_is_refused(backend: Backend, bad: int) -> None:
    x, labels, g = drawn(3, 5), np.array([0, bad, 2]), drawn(3)
    for op, arrays in ((CrossEntropy(), [x, labels]), (CrossEntropyGrad(), [g, x, labels])):
        with pytest.raises(ValueError, match="within 0 to 4"):
            run(op, arrays, backend)


def test_what_does_not_fit_is_refused() -> None:
    x, labels = TensorType(("N", 5), DType.float32), TensorType(("N",), DType.int64)
    assert CrossEntropy().infer(x, labels) == TensorType(("N",), DType.float32)
    for bad in (x, labels.of_shape(("M",)), labels.of_dtype(DType.float32), labels.of_shape(())):
        with pytest.raises(TypeMismatchError):
            CrossEntropy().infer(x, bad)
    with pytest.raises(TypeMismatchError):
        LogSoftmax(2).infer(x)
    with pytest.raises(TypeMismatchError):
        LogSoftmax(0).infer(labels)
