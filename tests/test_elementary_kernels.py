"""What samples cannot show of the elementary kernels: bad indices, NaN, overflow, half precision."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.indexing import Gather, GatherGrad, Take, TakeGrad
from raygrad.proto.operators.linear import MatMul, MatMulSum
from raygrad.proto.operators.reduction import Max, Min, Sum
from raygrad.proto.operators.shape import Cast
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from tests.evaluate import Array, run
from tests.test_operators import every_backend

X = np.arange(12.0).reshape(3, 4)
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
half_precision = pytest.mark.parametrize("half", HALVES, ids=str)


@every_backend
@pytest.mark.parametrize("bad", [-1, 4, 2**40])
@pytest.mark.parametrize(
    ("operator", "x", "shape"),
    [
        (Gather(1), X, (3, 2)),
        (GatherGrad(1, 4), X[:, :2], (3, 2)),
        (Take(1), X, (2,)),
        (TakeGrad(1, 4), X[:, :2], (2,)),
    ],
    ids=lambda v: repr(v) if isinstance(v, Operator) else "",
)
def test_an_index_outside_of_the_axis_is_named(
    backend: Backend, operator: Operator, x: Array, shape: tuple[int, ...], bad: int
) -> None:
    indices = np.ones(shape, dtype=np.int64)
    indices[..., -1] = bad
    low, high = min(bad, 1), max(bad, 1)
    with pytest.raises(ValueError, match=f"indices from {low} to {high} do not all lie within 0 to 3"):
        run(operator, [x, indices], backend)


@every_backend
def test_no_indices_are_no_error(backend: Backend) -> None:
    none = np.zeros((0,), dtype=np.int64)
    (taken,) = run(Take(0), [X, none], backend)
    assert taken.shape == (0, 4)
    (added,) = run(TakeGrad(0, 3), [taken, none], backend)
    np.testing.assert_array_equal(added, np.zeros((3, 4)))


def test_an_axis_beyond_the_last_is_refused() -> None:
    """Although the sizes from there on, none, are those of a single index."""
    g, place = TensorType((3, 4), DType.float64), TensorType((), DType.int64)
    assert TakeGrad(2, 5).infer(g, place).shape == (3, 4, 5)
    with pytest.raises(TypeMismatchError, match="from axis 3 on"):
        TakeGrad(3, 5).infer(g, place)


@every_backend
def test_repeated_indices_add_up(backend: Backend) -> None:
    (found,) = run(TakeGrad(0, 3), [np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2])], backend)
    np.testing.assert_array_equal(found, [2.0, 0.0, 5.0])


@every_backend
def test_nan_is_never_hidden(backend: Backend) -> None:
    x, one = np.array([np.nan, 1.0]), np.array([0.0, 0.0])
    operators: list[tuple[Operator, list[Array]]] = [
        *((op, [x, one]) for op in (ew.Maximum(), ew.Minimum(), ew.Add(), ew.Mul())),
        *((op, [one, x]) for op in (ew.Maximum(), ew.Minimum())),
        *((op, [x]) for op in (ew.Relu(), ew.LeakyRelu(), ew.Abs(), ew.Sign(), ew.Sigmoid(), ew.Softplus())),
        *((op, [x[:, None]]) for op in (Max((1,)), Min((1,)), Sum((1,)))),
        (ew.ReluGrad(), [x, np.array([1.0, 1.0])]),
    ]
    for operator, operands in operators:
        (found,) = run(operator, operands, backend)
        assert np.isnan(found).tolist() == [True, False], operator
    (through,) = run(ew.ReluGrad(), [np.array([3.0, 3.0]), np.array([np.nan, 0.0])], backend)
    assert through.tolist() == [3.0, 0.0]


@every_backend
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturating_functions_do_not_overflow(backend: Backend, dtype: type) -> None:
    x: Array = np.array([-1e4, -100.0, 0.0, 100.0, 1e4], dtype=dtype)
    (softplus,) = run(ew.Softplus(), [x], backend)
    np.testing.assert_allclose(softplus, [0.0, 0.0, np.log(2.0), 100.0, 1e4], rtol=1e-6, atol=1e-40)
    (sigmoid,) = run(ew.Sigmoid(), [x], backend)
    np.testing.assert_allclose(sigmoid, [0.0, 0.0, 0.5, 1.0, 1.0], atol=1e-40)


@every_backend
def test_softplus_keeps_its_digits_in_float64(backend: Backend) -> None:
    x: Array = np.linspace(-40.0, 60.0, 201)
    (found,) = run(ew.Softplus(), [x], backend)
    np.testing.assert_allclose(found, np.logaddexp(x, 0.0), rtol=1e-14)


@every_backend
@half_precision
def test_half_precision_adds_up_in_float32(backend: Backend, half: np.dtype[np.generic]) -> None:
    ones = np.ones((1, 4096), dtype=half)
    for operator, operands in (
        (Sum((1,)), [ones]),
        (MatMul(False, True), [ones, ones]),
        (MatMulSum(), [ones.T.copy(), ones.T.copy()]),
    ):
        (found,) = run(operator, operands, backend)
        assert found.dtype == half
        assert float(found.reshape(())) == 4096.0


@every_backend
@half_precision
def test_elementwise_keeps_half_precision(backend: Backend, half: np.dtype[np.generic]) -> None:
    x = np.array([-2.0, -0.5, 0.5, 3.0])
    operators = (
        ew.Relu(),
        ew.LeakyRelu(0.25),
        ew.Sigmoid(),
        ew.Softplus(),
        ew.Tanh(),
        ew.Exp(),
        ew.Abs(),
        ew.Sign(),
    )
    for operator in operators:
        (exact,) = run(operator, [x], backend)
        (found,) = run(operator, [x.astype(half)], backend)
        assert found.dtype == half
        np.testing.assert_allclose(found.astype(np.float64), exact, rtol=1e-2, err_msg=repr(operator))


@every_backend
def test_casts_truncate_and_round(backend: Backend) -> None:
    x = np.array([-1.9, -0.5, 0.5, 2.0**24 + 1, 1.00390625])
    for dtype, expected in (
        (DType.int32, [-1, 0, 0, 2**24 + 1, 1]),
        (DType.bool, [1, 1, 1, 1, 1]),
        (DType.float32, [np.float32(-1.9), -0.5, 0.5, 2.0**24, 1.00390625]),
        (DType.bfloat16, [-1.8984375, -0.5, 0.5, 2.0**24, 1.0]),
    ):
        (found,) = run(Cast(dtype), [x], backend)
        assert found.dtype == dtype.numpy
        np.testing.assert_array_equal(found.astype(np.float64), np.asarray(expected, dtype=np.float64))
